// SPDX-License-Identifier: Apache-2.0
// How blame is shown: as the record of the schema, and that as a table.
#include "show/blame_show.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/memory.h"
#include "live/cgroups.h"
#include "live/root_helper.h"
#include "show/vm_label.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool blame_look_up(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm)
{
	CLEANUP_FREE char *comm = NULL;
	CLEANUP_FREE char *status = NULL;
	const char *tgid;

	(void)context;
	if (root_helper_read(tid, ROOT_HELPER_COMM, 4096, &comm, NULL) || root_helper_read(tid, ROOT_HELPER_STATUS, 65536, &status, NULL))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(ret_comm, COMM_BYTES + 1, "%s", comm);
	tgid = strstr(status, "\nTgid:\t");
	if (tgid)
		*ret_tgid = (uint32_t)strtoul(tgid + strlen("\nTgid:\t"), NULL, 10);
	return true;
}

char *blame_look_up_cgroup(void *context, uint32_t tid, uint64_t inode)
{
	(void)context;
	return cgroup_by_inode(tid, inode);
}

/* The name of a VM, or its TGID; the caller frees. */
static char *vm_text(const struct blame_vm *vm)
{
	return vm->name ? xstrdup(vm->name) : xasprintf("%" PRIu32, vm->tgid);
}

static char *comm_text(const struct blame_row *row)
{
	char clean[4 * COMM_BYTES + 1];

	text_clean(row->comm, strlen(row->comm), clean);
	return xstrdup(*clean ? clean : "?");
}

/* Of the spins of the VM, in hundredths of a percent. */
static uint64_t share(const struct blame_row *row)
{
	return row->vm->spins ? row->spins * 10000 / row->vm->spins : 0;
}

static json_t *make_row(const void *item)
{
	const struct blame_row *row = item;
	CLEANUP_FREE char *vm = vm_text(row->vm);
	CLEANUP_FREE char *comm = comm_text(row);
	json_t *culprit = json_pack("{s:s}", "kind", culprit_names[row->kind]);

	if (row->tid) {
		json_object_set_new(culprit, "pid", json_integer(row->tgid));
		json_object_set_new(culprit, "tid", json_integer(row->tid));
		json_object_set_new(culprit, "comm", json_string(comm));
	}
	if (row->culprit_vm) {
		CLEANUP_FREE char *name = vm_text(row->culprit_vm);

		json_object_set_new(culprit, "vm", json_string(name));
		json_object_set_new(culprit, "vcpu", json_integer(row->culprit_vcpu));
	}
	if (row->quota.cgroup) {
		CLEANUP_FREE char *inode = xasprintf("inode %" PRIu64, row->quota.cgroup);

		CLEANUP_FREE char *clean = row->cgroup ? xcalloc(4, strlen(row->cgroup) + 1) : NULL;

		if (clean)
			text_clean(row->cgroup, strlen(row->cgroup), clean);
		json_object_set_new(culprit, "cgroup", json_string(clean ? clean : inode));
		json_object_set_new(culprit, "quota_ns", json_integer((json_int_t)row->quota.quota_ns));
		json_object_set_new(culprit, "period_ns", json_integer((json_int_t)row->quota.period_ns));
	}
	return json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "vm", vm, "pid", (json_int_t)row->vm->tgid, "vcpu",
			 (json_int_t)row->vcpu, "culprit", culprit, "spins", (json_int_t)row->spins, "share",
			 (json_int_t)share(row), "targeted", (json_int_t)row->targeted, "ready_ns", (json_int_t)row->spun_ns,
			 "all_ns", (json_int_t)row->ready_ns);
}

static json_t *make_vm(const void *item)
{
	const struct blame_vm *vm = item;
	CLEANUP_FREE char *name = vm_text(vm);

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vm", name, "pid", (json_int_t)vm->tgid, "vcpus",
			 (json_int_t)vm->vcpus, "unseen", (json_int_t)vm->unseen, "spins", (json_int_t)vm->spins, "blamed",
			 (json_int_t)vm->blamed, "unblamed", (json_int_t)vm->unblamed, "unknown", (json_int_t)vm->unknown);
}

static json_t *make_vcpu(const void *item)
{
	const struct blame_vcpu *v = item;
	CLEANUP_FREE char *name = vm_text(v->vm);

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vm", name, "pid", (json_int_t)v->vm->tgid, "vcpu",
			 (json_int_t)v->vcpu, "run_ns", (json_int_t)v->run_ns, "ready_ns", (json_int_t)v->ready_ns, "blocked_ns",
			 (json_int_t)v->blocked_ns, "halt_ns", (json_int_t)v->halt_ns, "host_ns", (json_int_t)v->host_ns,
			 "unknown_ns", (json_int_t)v->unknown_ns);
}

static json_t *make_sleep(const void *item)
{
	const struct blame_sleep *s = item;
	CLEANUP_FREE char *name = vm_text(s->vm);

	return json_pack("{s:s, s:I, s:I, s:s, s:I, s:I}", "vm", name, "pid", (json_int_t)s->vm->tgid, "vcpu", (json_int_t)s->vcpu,
			 "in", s->name, "times", (json_int_t)s->times, "ns", (json_int_t)s->ns);
}

/* How long a JSON text is. */
static size_t json_bytes(json_t *object)
{
	return json_dumpb(object, NULL, 0, JSON_COMPACT) + 1;
}

/* Adds objects as long as there is room; how many were left out. */
static size_t add_objects(json_t *array, const void *const *items, size_t n, json_t *(*make)(const void *), size_t *room)
{
	for (size_t i = 0; i < n; i++) {
		json_t *object = make(items[i]);
		size_t bytes = json_bytes(object);

		if (bytes > *room) {
			json_decref(object);
			return n - i;
		}
		*room -= bytes;
		json_array_append_new(array, object);
	}
	return 0;
}

json_t *blame_record_json(struct blame *b, size_t limit_bytes)
{
	CLEANUP_FREE const struct blame_row **rows = NULL;
	CLEANUP_FREE const struct blame_vm **vms = NULL;
	CLEANUP_FREE const struct blame_sleep **sleeps = NULL;
	CLEANUP_FREE struct blame_vcpu *vcpus = NULL;
	CLEANUP_FREE const void **times = NULL;
	size_t n_rows, n_vms, n_vcpus, n_sleeps, room = limit_bytes, more;
	json_t *all = json_array(), *worst = json_array(), *time = json_array(), *slept = json_array(), *record;

	blame_end(b);
	n_rows = blame_list(b, &rows);
	n_vms = blame_vms(b, &vms);
	n_vcpus = blame_vcpus(b, &vcpus);
	n_sleeps = blame_sleeps(b, &sleeps);
	times = xcalloc(n_vcpus + 1, sizeof(*times));
	for (size_t i = 0; i < n_vcpus; i++)
		times[i] = &vcpus[i];
	add_objects(all, (const void *const *)vms, n_vms, make_vm, &room);
	more = add_objects(worst, (const void *const *)rows, n_rows, make_row, &room);
	add_objects(time, times, n_vcpus, make_vcpu, &room);
	more += add_objects(slept, (const void *const *)sleeps, n_sleeps, make_sleep, &room);
	record = json_pack("{s:s, s:o, s:o, s:o, s:o}", "type", "blame", "vms", all, "vcpus", time, "rows", worst, "sleeps", slept);
	if (more)
		json_object_set_new(record, "more", json_integer((json_int_t)more));
	return record;
}

/* ---- as a table ---- */

static char *text_of(json_t *object, const char *field)
{
	return text_recleaned(json_string_value(json_object_get(object, field)));
}

/* The label of the VM of a record, a row or a culprit; the caller frees. The process of a culprit may be unknown. */
static char *label_of(struct vm_labels *labels, json_t *object)
{
	CLEANUP_FREE char *name = text_of(object, "vm");
	uint64_t pid = json_count(object, "pid");

	return xstrdup(pid && pid <= UINT32_MAX ? vm_label(labels, name, (uint32_t)pid) : name);
}

/* "web01 vCPU 3", "kworker/0:1 (17)", "/machine.slice/vm1 (50.0 of 100.0 ms)"; the caller frees. */
static char *culprit_text(struct vm_labels *labels, json_t *culprit)
{
	CLEANUP_FREE char *kind = text_of(culprit, "kind");
	CLEANUP_FREE char *name = json_object_get(culprit, "vm") ? label_of(labels, culprit) : text_of(culprit, "comm");
	uint64_t pid = json_count(culprit, "pid"), tid = json_count(culprit, "tid");

	if (json_object_get(culprit, "cgroup")) {
		CLEANUP_FREE char *cgroup = text_of(culprit, "cgroup");
		uint64_t quota = json_count(culprit, "quota_ns"), period = json_count(culprit, "period_ns");

		return xasprintf("%s (%" PRIu64 ".%" PRIu64 " of %" PRIu64 ".%" PRIu64 " ms)", cgroup, quota / NS_PER_MS, quota / 100000 % 10,
				 period / NS_PER_MS, period / 100000 % 10);
	}
	if (!json_object_get(culprit, "tid"))
		return xasprintf("(%s)", kind);
	if (json_object_get(culprit, "vm"))
		return xasprintf("%s vCPU %" PRIu64, name, json_count(culprit, "vcpu"));
	return pid && pid != tid ? xasprintf("%s (%" PRIu64 " of %" PRIu64 ")", name, tid, pid) : xasprintf("%s (%" PRIu64 ")", name, tid);
}

static void print_row(FILE *f, struct vm_labels *labels, json_t *row)
{
	json_t *who = json_object_get(row, "culprit");
	CLEANUP_FREE char *vm = label_of(labels, row);
	CLEANUP_FREE char *kind = text_of(who, "kind");
	CLEANUP_FREE char *culprit = culprit_text(labels, who);
	bool has_all = json_object_get(row, "all_ns") != NULL; /* else an older kvmwait wrote it: spun time alone is known */
	uint64_t parts = json_count(row, "share"), ns = json_count(row, has_all ? "all_ns" : "ready_ns");

	fprintf(f, "%-16s %4" PRIu64 "  %-11s %-28s %8" PRIu64 ".%03" PRIu64 " %8" PRIu64 " %5" PRIu64 ".%02" PRIu64 " %9" PRIu64 "\n", vm,
		json_count(row, "vcpu"), kind, culprit, ns / NS_PER_MS, ns / 1000 % 1000, json_count(row, "spins"), parts / 100, parts % 100,
		json_count(row, "targeted"));
}

static void print_sleep(FILE *f, struct vm_labels *labels, json_t *sleep)
{
	CLEANUP_FREE char *vm = label_of(labels, sleep);
	CLEANUP_FREE char *name = text_of(sleep, "in");
	uint64_t ns = json_count(sleep, "ns");

	fprintf(f, "%-16s %4" PRIu64 "  %-40s %8" PRIu64 ".%03" PRIu64 " %8" PRIu64 "\n", vm, json_count(sleep, "vcpu"), name,
		ns / NS_PER_MS, ns / 1000 % 1000, json_count(sleep, "times"));
}

static void print_sleeps(FILE *f, struct vm_labels *labels, json_t *sleeps)
{
	json_t *item;
	size_t i;

	if (!json_array_size(sleeps))
		return;
	fprintf(f, "%-16s %4s  %-40s %12s %8s\n", "VM", "VCPU", "BLOCKED IN", "HOST(ms)", "TIMES");
	json_array_foreach(sleeps, i, item) {
		print_sleep(f, labels, item);
	}
	putc('\n', f);
}

static void print_vm(FILE *f, struct vm_labels *labels, json_t *vm)
{
	CLEANUP_FREE char *name = label_of(labels, vm);

	fprintf(f, "%s: %" PRIu64 " spins: %" PRIu64 " with a sibling runnable off its CPU, %" PRIu64 " with none, %" PRIu64 " unknown\n",
		name, json_count(vm, "spins"), json_count(vm, "blamed"), json_count(vm, "unblamed"), json_count(vm, "unknown"));
	if (json_count(vm, "unseen"))
		fprintf(f, "%s: %" PRIu64 " of its %" PRIu64 " vCPUs were not seen on a CPU\n", name, json_count(vm, "unseen"),
			json_count(vm, "vcpus"));
}

/* All labels are asked for before the first is printed. */
static void collect_labels(struct vm_labels *labels, json_t *rows, json_t *sleeps, json_t *vms)
{
	json_t *item;
	size_t i;

	json_array_foreach(vms, i, item) {
		free(label_of(labels, item));
	}
	json_array_foreach(sleeps, i, item) {
		free(label_of(labels, item));
	}
	json_array_foreach(rows, i, item) {
		free(label_of(labels, item));
		if (json_object_get(json_object_get(item, "culprit"), "vm"))
			free(label_of(labels, json_object_get(item, "culprit")));
	}
}

void blame_print(FILE *f, json_t *record)
{
	struct vm_labels *labels = vm_labels_new();
	json_t *rows = json_object_get(record, "rows"), *vms = json_object_get(record, "vms"), *item;
	json_t *sleeps = json_object_get(record, "sleeps");
	size_t i;

	collect_labels(labels, rows, sleeps, vms);
	if (json_array_size(rows))
		fprintf(f, "%-16s %4s  %-11s %-28s %12s %8s %8s %9s\n", "VM", "VCPU", "KIND", "CULPRIT", "READY(ms)", "SPINS", "SHARE(%)",
			"TARGETED");
	json_array_foreach(rows, i, item) {
		print_row(f, labels, item);
	}
	if (json_count(record, "more"))
		fprintf(f, "and %" PRIu64 " more rows\n", json_count(record, "more"));
	if (json_array_size(rows))
		putc('\n', f);
	print_sleeps(f, labels, sleeps);
	json_array_foreach(vms, i, item) {
		print_vm(f, labels, item);
	}
	if (!json_array_size(vms))
		fputs("no vCPU spun\n", f);
	vm_labels_free(labels);
}
