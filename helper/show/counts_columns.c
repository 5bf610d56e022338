// SPDX-License-Identifier: Apache-2.0
// The numbers of a row by name: what rows can be sorted by, and what json and csv have.
#include "base/memory.h"
#include "show/counts_show.h"

#include <stdlib.h>
#include <string.h>

const char *const counts_by_names[] = { "vm", "vcpu", "event", "source", "host", NULL };

unsigned int counts_by_bit(const char *name)
{
	for (unsigned int i = 0; counts_by_names[i]; i++)
		if (!strcmp(counts_by_names[i], name))
			return 1u << i;
	return 0;
}

static uint64_t get_waits(const struct counts_row *r)
{
	return r->waits;
}

static uint64_t get_boosted(const struct counts_row *r)
{
	return r->boosted;
}

static uint64_t get_ple(const struct counts_row *r)
{
	return r->ple;
}

static uint64_t get_ple_boosted(const struct counts_row *r)
{
	return r->ple_boosted;
}

static uint64_t get_yields(const struct counts_row *r)
{
	return r->yields;
}

static uint64_t get_yields_boosted(const struct counts_row *r)
{
	return r->yields_boosted;
}

static uint64_t get_hlt(const struct counts_row *r)
{
	return r->hlt;
}

static uint64_t get_polled(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_POLLED];
}

static uint64_t get_blocked(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_BLOCKED];
}

static uint64_t get_unwaited(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_UNWAITED];
}

static uint64_t get_gone(const struct counts_row *r)
{
	return r->halts.ends[COUNTS_GONE];
}

static uint64_t get_halted(const struct counts_row *r)
{
	return r->halts.halted_ns;
}

static uint64_t get_p50(const struct counts_row *r)
{
	return counts_percentile(&r->halts, 50);
}

static uint64_t get_p99(const struct counts_row *r)
{
	return counts_percentile(&r->halts, 99);
}

static uint64_t get_max(const struct counts_row *r)
{
	return r->halts.max_ns;
}

static uint64_t get_ready(const struct counts_row *r)
{
	return r->ready_ns;
}

static uint64_t get_vcpus(const struct counts_row *r)
{
	return r->n_vcpus;
}

static uint64_t get_run(const struct counts_row *r)
{
	return r->times.ns[COUNTS_RUN];
}

static uint64_t get_spin(const struct counts_row *r)
{
	return r->times.ns[COUNTS_SPIN];
}

static uint64_t get_poll(const struct counts_row *r)
{
	return r->times.ns[COUNTS_POLL];
}

static uint64_t get_halt(const struct counts_row *r)
{
	return r->times.ns[COUNTS_HALT];
}

static uint64_t get_host(const struct counts_row *r)
{
	return r->times.ns[COUNTS_HOST];
}

static uint64_t get_paid(const struct counts_row *r)
{
	return r->times.paid_ns;
}

static uint64_t get_wasted(const struct counts_row *r)
{
	return r->times.wasted_ns;
}

static uint64_t get_wall(const struct counts_row *r)
{
	return counts_wall_ns(&r->times);
}

const struct counts_column counts_columns[] = {
	{ "waits", "events of all kinds", get_waits, false },
	{ "ple", "pause-loop exits", get_ple, false },
	{ "hlt", "HLTs", get_hlt, false },
	{ "yield", "paravirtual yields", get_yields, false },
	{ "boosted", "waits that gave the CPU to another vCPU", get_boosted, true },
	{ "halted", "time halted", get_halted, true },
	{ "ready", "time runnable but not running", get_ready, true },
	{ "run", "time on a CPU, in the guest or for it", get_run, true },
	{ "spin", "time on a CPU, spinning or yielding", get_spin, true },
	{ "poll", "time on a CPU, polling in a HLT", get_poll, true },
	{ "halt", "time blocked in a HLT", get_halt, true },
	{ "host", "time blocked otherwise", get_host, true },
	{ 0 },
};

const struct counts_column *counts_column_find(const char *name)
{
	for (const struct counts_column *c = counts_columns; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static int compare_columns(const void *a, const void *b, void *column)
{
	uint64_t x = ((const struct counts_column *)column)->get(a), y = ((const struct counts_column *)column)->get(b);

	return x > y ? -1 : x < y;
}

void counts_rows_sort(struct counts_rows *rows, const struct counts_column *column)
{
	struct counts_column by = *column;

	/* glibc's is a merge sort where there is memory, and so keeps the order of equals */
	qsort_r(rows->items, rows->n, sizeof(*rows->items), compare_columns, &by);
}

const struct counts_number counts_numbers[] = {
	{ "waits", get_waits, true, false, false },
	{ "boosted", get_boosted, true, true, false },
	{ "ple", get_ple, false, false, false },
	{ "ple_boosted", get_ple_boosted, false, true, false },
	{ "pv_yield", get_yields, false, false, false },
	{ "pv_yield_boosted", get_yields_boosted, false, true, false },
	{ "hlt", get_hlt, false, false, false },
	{ "polled", get_polled, false, true, false },
	{ "blocked", get_blocked, false, true, false },
	{ "unwaited", get_unwaited, false, true, false },
	{ "gone", get_gone, false, true, false },
	{ "halted_ns", get_halted, false, true, false },
	{ "p50_ns", get_p50, false, true, false },
	{ "p99_ns", get_p99, false, true, false },
	{ "max_ns", get_max, false, true, false },
	{ "ready_ns", get_ready, false, true, false },
	{ "vcpus", get_vcpus, false, false, false },
	{ "run_ns", get_run, false, false, true },
	{ "spin_ns", get_spin, false, false, true },
	{ "poll_ns", get_poll, false, false, true },
	{ "poll_paid_ns", get_paid, false, false, true },
	{ "poll_wasted_ns", get_wasted, false, false, true },
	{ "halt_ns", get_halt, false, false, true },
	{ "host_ns", get_host, false, false, true },
	{ "wall_ns", get_wall, false, false, true },
	{ 0 },
};

bool counts_report_has(const struct counts_report *r, const struct counts_number *n)
{
	bool no_outcomes = r->no_outcomes && !(n->get == get_ready && r->has_account);

	return (n->of_event || !counts_report_of_events(r)) && !(n->of_outcome && no_outcomes) && !(n->of_account && !r->has_account);
}
