// SPDX-License-Identifier: Apache-2.0
// The JSON document about what was done.
#include "report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "machine.h"
#include "vm.h"

/* Everything but plain ASCII is escaped byte by byte: a name need not be UTF-8. */
static void put_string(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(f, "\\u%04x", c);
		else
			putc(c, f);
	}
	putc('"', f);
}

static void put_vm_name(FILE *f, const char *name, enum flavour flavour)
{
	char *full = machine_name(name, flavour);

	put_string(f, full);
	free(full);
}

static void put_vms(FILE *f, const struct plan *plan, const char *name)
{
	const char *comma = "";

	fputs(",\n\"vms\":[", f);
	for (unsigned int flavour = 0; flavour < FLAVOUR_COUNT; flavour++) {
		const struct vm_slot *slot = &plan->vms[flavour];

		if (!slot->used)
			continue;
		fprintf(f, "%s\n{\"name\":", comma);
		put_vm_name(f, name, flavour);
		fprintf(f, ",\"flavour\":\"%s\",\"pid\":%d,\"vcpus\":[", flavour_name(flavour), slot->pid);
		for (unsigned int v = 0; v < plan->vcpus; v++)
			fprintf(f, "%s{\"vcpu\":%u,\"tid\":%d}", v ? "," : "", v, slot->tids[v]);
		fputs("]}", f);
		comma = ",";
	}
	fputc(']', f);
}

static void put_who(FILE *f, const struct plan *plan, const struct task *task, const char *name)
{
	const struct op *op = &ops[task->op];
	const struct vm_slot *slot = &plan->vms[op->flavour];

	fputs("{\"vm\":", f);
	put_vm_name(f, name, op->flavour);
	fprintf(f, ",\"pid\":%d,\"tid\":%d,\"vcpu\":%u,\"op\":\"%s\"", slot->pid, slot->tids[task->vcpu], task->vcpu,
		op->name);
}

static bool has_events(const struct result *result)
{
	return result->ran && (result->events > 0 || !result->known);
}

static void put_did(FILE *f, const struct plan *plan, const struct host *host, const char *name)
{
	const char *comma = "";

	fputs(",\n\"did\":[", f);
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		const struct task *task = &plan->tasks[i];
		const struct result *result = &task->result;
		const struct op *op = &ops[task->op];
		uint64_t ip;

		if (!has_events(result))
			continue;
		fprintf(f, "%s\n", comma);
		put_who(f, plan, task, name);
		fprintf(f, ",\"event\":\"%s\",\"source\":\"%s\",\"target\":%" PRId64, op->event,
			op->source ? op->source : host_vendor(host), op->target ? (int64_t)task->target : -1);
		fprintf(f, ",\"ns\":%" PRIu64, result->elapsed_ns);
		if (vm_spins_at(host, op, &ip))
			fprintf(f, ",\"ip\":%" PRIu64 ",\"mode\":\"%s\"", ip, op->cpl3 ? "user" : "kernel");
		if (result->known) {
			fprintf(f, ",\"count\":%" PRIu64 "%s}", result->events, result->assumed ? ",\"assumed\":true" : "");
		} else {
			fprintf(f, ",\"count\":null,\"executed\":%" PRIu64 ",\"why\":", result->executed);
			put_string(f, result->why);
			fputc('}', f);
		}
		comma = ",";
	}
	fputc(']', f);
}

static void put_must_not_count(FILE *f, const struct plan *plan, const char *name)
{
	const char *comma = "";

	fputs(",\n\"must_not_count\":[", f);
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		const struct task *task = &plan->tasks[i];

		if (task->result.quiet == 0)
			continue;
		fprintf(f, "%s\n", comma);
		put_who(f, plan, task, name);
		fprintf(f, ",\"ns\":%" PRIu64 ",\"count\":%" PRIu64 "}", task->result.elapsed_ns, task->result.quiet);
		comma = ",";
	}
	fputc(']', f);
}

static void put_could_not(FILE *f, const struct plan *plan)
{
	const char *comma = "";

	fputs(",\n\"could_not\":[", f);
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		const struct task *task = &plan->tasks[i];

		if (task->result.state == STATE_DONE)
			continue;
		fprintf(f, "%s\n{\"op\":\"%s\",\"vcpu\":%u,\"why\":", comma, ops[task->op].name, task->vcpu);
		put_string(f, task->result.why);
		fputc('}', f);
		comma = ",";
	}
	fputc(']', f);
}

void report_write(FILE *f, const struct plan *plan, const struct host *host, const char *name)
{
	fprintf(f, "{\"kvmwait_guest\":1,\"vendor\":\"%s\",\"kernel\":", host_vendor(host));
	put_string(f, host->release);
	put_vms(f, plan, name);
	put_did(f, plan, host, name);
	put_must_not_count(f, plan, name);
	put_could_not(f, plan);
	fputs("}\n", f);
}
