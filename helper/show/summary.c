// SPDX-License-Identifier: Apache-2.0
// The format 'summary': one table of how many waits there were, by VM, vCPU, event and source, how often, and when.
#include "show/summary.h"

#include "base/clock.h"
#include "base/memory.h"
#include "show/vm_label.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const unsigned int scopes[] = { 0, COUNTS_BY_VM, COUNTS_BY_VM | COUNTS_BY_VCPU };

struct summary_line {
	unsigned int scope;
	const struct counts_row *row;
	const char *vm;
	char number[16];
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* All, then each VM and its vCPUs. */
static int compare_lines(const void *a, const void *b)
{
	const struct summary_line *x = *(const struct summary_line *const *)a, *y = *(const struct summary_line *const *)b;
	int order = compare_numbers(x->scope != 0, y->scope != 0);

	if (!order)
		order = strcmp(x->vm, y->vm);
	if (!order)
		order = compare_numbers(x->row->pid, y->row->pid);
	if (!order)
		order = compare_numbers(x->scope, y->scope);
	if (!order)
		order = compare_numbers((uint64_t)x->row->vcpu, (uint64_t)y->row->vcpu);
	if (!order)
		order = strcmp(x->row->event, y->row->event);
	return order ? order : strcmp(x->row->source, y->row->source);
}

static void init_line(struct summary_line *line, unsigned int scope, const struct counts_row *row)
{
	line->scope = scope;
	line->row = row;
	snprintf(line->number, sizeof(line->number), "%" PRIu32, row->pid);
	line->vm = row->vm ? row->vm : line->number;
}

/* "  123.456789", after the start of the trace; an event may precede that by a hair. */
static void put_time(FILE *f, uint64_t ts_ns, uint64_t start_ns)
{
	uint64_t since_ns = ts_ns > start_ns ? ts_ns - start_ns : 0;

	fprintf(f, " %6" PRIu64 ".%06" PRIu64, since_ns / NS_PER_S, since_ns / 1000 % 1000000);
}

static void put_line(FILE *f, const struct summary_line *line, const char *vm, uint64_t ns, uint64_t start_ns)
{
	const struct counts_row *row = line->row;
	char vcpu[24] = "all", rate[32] = "-";

	if (line->scope & COUNTS_BY_VCPU)
		snprintf(vcpu, sizeof(vcpu), "%" PRId64, row->vcpu);
	if (ns)
		snprintf(rate, sizeof(rate), "%.1f", (double)row->waits * (double)NS_PER_S / (double)ns);
	fprintf(f, "%-16s %4s  %-9s %-7s %12" PRIu64 " %12s", vm, vcpu, row->event, row->source, row->waits, rate);
	put_time(f, row->span.first_ns, start_ns);
	put_time(f, row->span.last_ns, start_ns);
	fputc('\n', f);
}

static void put_lines(FILE *f, const struct counts_rows *rows, uint64_t ns, uint64_t start_ns)
{
	size_t room = rows[0].n + rows[1].n + rows[2].n, n = 0;
	CLEANUP_FREE struct summary_line *lines = xcalloc(room + 1, sizeof(*lines));
	CLEANUP_FREE struct summary_line **sorted = xcalloc(room + 1, sizeof(struct summary_line *));
	struct vm_labels *labels = vm_labels_new();

	for (size_t scope = 0; scope < ARRAY_SIZE(scopes); scope++) {
		for (size_t i = 0; i < rows[scope].n; i++) {
			if (!rows[scope].items[i].waits) /* an outcome without its wait */
				continue;
			init_line(&lines[n], scopes[scope], &rows[scope].items[i]);
			if (scopes[scope])
				vm_label(labels, lines[n].vm, lines[n].row->pid);
			sorted[n] = &lines[n];
			n++;
		}
	}
	qsort(sorted, n, sizeof(struct summary_line *), compare_lines);
	for (size_t i = 0; i < n; i++)
		put_line(f, sorted[i], sorted[i]->scope ? vm_label(labels, sorted[i]->vm, sorted[i]->row->pid) : "all", ns, start_ns);
	vm_labels_free(labels);
}

void summary_write(FILE *file, struct account *account)
{
	const struct account_balance *balance = account_balance(account);
	const struct span *waits = account_waits(account);
	struct counts_rows rows[ARRAY_SIZE(scopes)];
	uint64_t start_ns = json_count(json_object_get(account_meta(account), "clock"), "boottime");

	if (!start_ns || start_ns > waits->last_ns)
		start_ns = waits->first_ns;
	fprintf(file, "%-16s %4s  %-9s %-7s %12s %12s %13s %13s\n", "VM", "VCPU", "EVENT", "SOURCE", "COUNT", "RATE(/s)", "FIRST(s)", "LAST(s)");
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++)
		account_total(account, scopes[i] | COUNTS_BY_EVENT | COUNTS_BY_SOURCE, &rows[i]);
	put_lines(file, rows, waits->last_ns - waits->first_ns, start_ns);
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++)
		counts_rows_done(&rows[i]);
	if (account_overflow(account))
		fprintf(file, "%" PRIu64 " more waits: the stream has too many kinds of VM, vCPU, event and source for one table\n",
			account_overflow(account));
	if (balance->outcomes)
		fprintf(file, "%" PRIu64 " outcomes\n", balance->outcomes);
}
