// SPDX-License-Identifier: Apache-2.0
// Rows of counts by VM, vCPU, event and source, and the figures that every output derives from them.
#include "ledger/counts_rows.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

const char *const counts_end_names[COUNTS_ENDS] = { "unwaited", "polled", "blocked", "gone" };

const char *const counts_state_names[COUNTS_STATES] = { "run", "spin", "poll", "halt", "ready", "host" };

/* ---- spans ---- */

void span_add(struct span *s, uint64_t ts_ns)
{
	span_extend(s, &(struct span){ .first_ns = ts_ns, .last_ns = ts_ns, .any = true });
}

void span_extend(struct span *s, const struct span *by)
{
	if (!by->any)
		return;
	if (!s->any || by->first_ns < s->first_ns)
		s->first_ns = by->first_ns;
	if (!s->any || by->last_ns > s->last_ns)
		s->last_ns = by->last_ns;
	s->any = true;
}

/* ---- rows ---- */

struct counts_row *counts_rows_add(struct counts_rows *rows, unsigned int by, uint32_t pid, const char *vm, int64_t vcpu)
{
	rows->items = xgrow(rows->items, rows->n, sizeof(*rows->items));
	rows->items[rows->n] = (struct counts_row){
		.pid = by & COUNTS_BY_VM ? pid : 0,
		.vm = by & COUNTS_BY_VM ? vm : NULL,
		.vcpu = by & COUNTS_BY_VCPU ? vcpu : 0,
		.event = "",
		.source = "",
		.n_vcpus = 1,
	};
	return &rows->items[rows->n++];
}

void counts_row_count(struct counts_row *row, const char *event, uint64_t n, uint64_t boosted)
{
	row->waits += n;
	row->boosted += boosted;
	if (!strcmp(event, "ple")) {
		row->ple += n;
		row->ple_boosted += boosted;
	} else if (!strcmp(event, "hlt")) {
		row->hlt += n;
	} else {
		row->yields += n;
		row->yields_boosted += boosted;
	}
}

static void add_halts(struct counts_halts *sum, const struct counts_halts *h)
{
	for (size_t i = 0; i < COUNTS_ENDS; i++)
		sum->ends[i] += h->ends[i];
	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		sum->buckets[i] += h->buckets[i];
	sum->halted_ns += h->halted_ns;
	if (h->max_ns > sum->max_ns)
		sum->max_ns = h->max_ns;
}

void counts_times_add(struct counts_times *sum, const struct counts_times *t)
{
	for (size_t i = 0; i < COUNTS_STATES; i++)
		sum->ns[i] += t->ns[i];
	sum->paid_ns += t->paid_ns;
	sum->wasted_ns += t->wasted_ns;
}

static int compare_rows(const void *a, const void *b)
{
	const struct counts_row *x = a, *y = b;
	int order;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	order = strcmp(x->vm ? x->vm : "", y->vm ? y->vm : "");
	if (order)
		return order;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	order = strcmp(x->event, y->event);
	return order ? order : strcmp(x->source, y->source);
}

static void merge_row(struct counts_row *sum, const struct counts_row *row)
{
	sum->waits += row->waits;
	sum->boosted += row->boosted;
	sum->ple += row->ple;
	sum->ple_boosted += row->ple_boosted;
	sum->hlt += row->hlt;
	sum->yields += row->yields;
	sum->yields_boosted += row->yields_boosted;
	sum->ready_ns += row->ready_ns;
	sum->n_vcpus += row->n_vcpus;
	add_halts(&sum->halts, &row->halts);
	counts_times_add(&sum->times, &row->times);
	span_extend(&sum->span, &row->span);
}

static bool is_empty(const struct counts_row *row)
{
	uint64_t ends = 0;

	for (size_t i = 0; i < COUNTS_ENDS; i++)
		ends += row->halts.ends[i];
	return !row->waits && !row->boosted && !row->ready_ns && !row->halts.halted_ns && !ends &&
	       !counts_wall_ns(&row->times);
}

/* Rows of the same vCPU, which several threads can have run, then rows of the same group. */
static void merge_rows(struct counts_rows *rows, bool count_vcpus)
{
	size_t kept = 0;

	if (rows->n)
		qsort(rows->items, rows->n, sizeof(*rows->items), compare_rows);
	for (size_t i = 0; i < rows->n; i++) {
		struct counts_row *last = kept ? &rows->items[kept - 1] : NULL;

		if (!last || compare_rows(last, &rows->items[i])) {
			rows->items[kept++] = rows->items[i];
			continue;
		}
		merge_row(last, &rows->items[i]);
		if (!count_vcpus)
			last->n_vcpus = 1;
	}
	rows->n = kept;
}

void counts_rows_finish(struct counts_rows *rows, unsigned int by, bool all)
{
	size_t kept = 0;

	merge_rows(rows, !(by & COUNTS_BY_VCPU) || !(by & COUNTS_BY_VM));
	for (size_t i = 0; i < rows->n; i++)
		if (all || !is_empty(&rows->items[i]))
			rows->items[kept++] = rows->items[i];
	rows->n = kept;
}

void counts_rows_done(struct counts_rows *rows)
{
	free(rows->items);
	*rows = (struct counts_rows){ 0 };
}

/* ---- figures ---- */

size_t counts_bucket(uint64_t ns)
{
	unsigned int log2 = ns ? 63 - (unsigned int)__builtin_clzll(ns) : 0;

	log2 = log2 < COUNTS_LOG2_FIRST ? COUNTS_LOG2_FIRST : log2 > COUNTS_LOG2_LAST ? COUNTS_LOG2_LAST : log2;
	return log2 - COUNTS_LOG2_FIRST;
}

uint64_t counts_n_halts(const struct counts_halts *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		n += h->buckets[i];
	return n;
}

uint64_t counts_percentile(const struct counts_halts *h, unsigned int percent)
{
	uint64_t n = counts_n_halts(h), before = 0, rank;

	if (!n)
		return 0;
	rank = (uint64_t)(((unsigned __int128)n * percent + 99) / 100);
	rank = rank ? rank : 1;
	for (size_t i = 0; i < COUNTS_BUCKETS; before += h->buckets[i++]) {
		uint64_t low = i ? UINT64_C(1) << (i + COUNTS_LOG2_FIRST) : 0, high = UINT64_C(1) << (i + COUNTS_LOG2_FIRST + 1);

		if (before + h->buckets[i] < rank)
			continue;
		if (i == COUNTS_BUCKETS - 1)
			high = h->max_ns;
		else if (h->max_ns && h->max_ns < high)
			high = h->max_ns;
		if (high <= low)
			return low;
		return low + (uint64_t)((unsigned __int128)(high - low) * (2 * (rank - before) - 1) / (2 * h->buckets[i]));
	}
	return 0;
}

uint64_t counts_wall_ns(const struct counts_times *t)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < COUNTS_STATES; i++)
		sum += t->ns[i];
	return sum;
}

void counts_permilles(const struct counts_times *t, unsigned int ret[COUNTS_STATES])
{
	unsigned __int128 wall_ns = 0, rest[COUNTS_STATES]; /* a stranger's times can add up to more than 64 bits */
	unsigned int missing;

	for (size_t i = 0; i < COUNTS_STATES; i++)
		wall_ns += t->ns[i];
	missing = wall_ns ? 1000 : 0;
	for (size_t i = 0; i < COUNTS_STATES; i++) {
		unsigned __int128 part = (unsigned __int128)t->ns[i] * 1000;

		ret[i] = wall_ns ? (unsigned int)(part / wall_ns) : 0;
		rest[i] = wall_ns ? part % wall_ns : 0;
		missing -= ret[i];
	}
	/* what is missing goes to those that were rounded down most */
	for (; missing; missing--) {
		size_t most = 0;

		for (size_t i = 1; i < COUNTS_STATES; i++)
			if (rest[i] > rest[most])
				most = i;
		ret[most]++;
		rest[most] = 0;
	}
}

unsigned int counts_permille(uint64_t part, uint64_t whole)
{
	if (!whole)
		return 0;
	return part >= whole ? 1000 : (unsigned int)(((unsigned __int128)part * 1000 + whole / 2) / whole);
}

uint64_t counts_rate(uint64_t count, uint64_t ns)
{
	return ns ? (uint64_t)(((unsigned __int128)count * 100 * NS_PER_S + ns / 2) / ns) : 0;
}
