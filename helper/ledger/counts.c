// SPDX-License-Identifier: Apache-2.0
// What the maps of the part 'stat' tell: their lines become counts by vCPU thread, two snapshots of them an interval,
// and an interval rows. The maps, and how a vCPU is one number, are described in scripts/stat.part.
#include "ledger/counts.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>


const char *const counts_end_names[COUNTS_ENDS] = { "unwaited", "polled", "blocked", "gone" };

/* What the maps hold of one key, as they were printed. */
struct values {
	int64_t n[COUNTS_MAX_LINES], boost[COUNTS_MAX_LINES];
	int64_t ends[COUNTS_ENDS], buckets[COUNTS_BUCKETS];
	int64_t max, halt, ready; /* halt and ready are negative while one is open: the time is to be added */
};

/* What they come to at some time. */
struct totals {
	uint64_t n[COUNTS_MAX_LINES], boost[COUNTS_MAX_LINES];
	struct counts_halts halts;
	uint64_t ready_ns;
};

struct thread {
	int64_t key;
	struct values now;
	struct totals first, before, last; /* at the first snapshot, the last but one, and the last */
};

struct counts {
	const struct wait_name *waits;
	size_t n_waits;
	void *tree; /* of struct thread by key */
	struct thread **threads;
	size_t n_threads;
	size_t n_keys[4];		 /* of @s_n, @s_hist, @s_end, @s_boost */
	uint64_t pending_ns, stopped_ns; /* of a snapshot that has begun; 0: none */
	uint64_t first_ns, before_ns, last_ns;
	uint64_t malformed;
	uint32_t newest_pid;
	bool finished;
};

struct counts *counts_new(const struct wait_name *waits, size_t n_waits)
{
	struct counts *s = xcalloc(1, sizeof(*s));

	s->waits = waits;
	s->n_waits = n_waits < COUNTS_MAX_LINES ? n_waits : COUNTS_MAX_LINES;
	return s;
}

static void free_nothing(void *node)
{
	(void)node;
}

void counts_free(struct counts *s)
{
	if (!s)
		return;
	tdestroy(s->tree, free_nothing);
	for (size_t i = 0; i < s->n_threads; i++)
		free(s->threads[i]);
	free(s->threads);
	free(s);
}

static int compare_keys(const void *a, const void *b)
{
	int64_t x = ((const struct thread *)a)->key, y = ((const struct thread *)b)->key;

	return x < y ? -1 : x > y;
}

static struct thread *find_thread(struct counts *s, int64_t key)
{
	struct thread wanted = { .key = key }, *t;
	struct thread **found = tfind(&wanted, &s->tree, compare_keys);

	if (found)
		return *found;
	t = xcalloc(1, sizeof(*t));
	t->key = key;
	tsearch(t, &s->tree, compare_keys);
	s->threads = xgrow(s->threads, s->n_threads, sizeof(struct thread *));
	s->threads[s->n_threads++] = t;
	return t;
}

static uint32_t key_pid(int64_t key)
{
	return (uint32_t)(key >> 16 & 0x3fffff);
}

static int64_t key_vcpu(int64_t key)
{
	return key & 0xffff;
}

/* ---- lines ---- */

struct cursor {
	const char *p, *end;
};

static bool take_text(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n))
		return false;
	c->p += n;
	return true;
}

static bool take_number(struct cursor *c, int64_t *ret)
{
	bool negative = take_text(c, "-");
	const char *start = c->p;
	int64_t value = 0;

	for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *c->p - '0', &value))
			return false;
	if (c->p == start || (!negative && value == INT64_MIN))
		return false;
	*ret = negative ? value : -value;
	return true;
}

/* A map of the part: its name, how many numbers its key has, and where a value goes. */
struct map {
	const char *name;
	int n_key;
	int64_t first, last; /* the second number of a key */
	bool may_fall;	     /* the value can get smaller */
	size_t offset;	     /* in struct values */
};

static const struct map maps[] = {
	{ "n[", 2, 0, COUNTS_MAX_LINES - 1, false, offsetof(struct values, n) },
	{ "hist[", 2, COUNTS_LOG2_FIRST, COUNTS_LOG2_LAST, false, offsetof(struct values, buckets) },
	{ "end[", 2, 0, COUNTS_ENDS - 1, false, offsetof(struct values, ends) },
	{ "boost[", 2, 0, COUNTS_MAX_LINES - 1, false, offsetof(struct values, boost) },
	{ "halt[", 1, 0, 0, true, offsetof(struct values, halt) },
	{ "max[", 1, 0, 0, false, offsetof(struct values, max) },
	{ "ready[", 1, 0, 0, true, offsetof(struct values, ready) },
};

/* "KEY]: VALUE" or "KEY, NUMBER]: VALUE", and nothing behind it. */
static bool take_entry(struct cursor *c, const struct map *map, int64_t *ret_key, int64_t *ret_second, int64_t *ret_value)
{
	*ret_second = map->first;
	return take_number(c, ret_key) && (map->n_key == 1 || (take_text(c, ", ") && take_number(c, ret_second))) &&
	       take_text(c, "]: ") && take_number(c, ret_value) && c->p == c->end && *ret_key >= 0;
}

static bool take_map(struct counts *s, struct cursor *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		int64_t key, second, value, *place;

		if (!take_text(c, maps[i].name))
			continue;
		if (!take_entry(c, &maps[i], &key, &second, &value))
			return false;
		if (!key) /* what gave the map its types */
			return true;
		if (second < maps[i].first || second > maps[i].last || (!maps[i].may_fall && value < 0))
			return false;
		place = (int64_t *)(void *)((char *)&find_thread(s, key)->now + maps[i].offset) + (second - maps[i].first);
		if (i < ARRAY_SIZE(s->n_keys) && !*place && value)
			s->n_keys[i]++;
		/* While it changes a map is read key by key, and an old value can come twice: what only grows has grown. */
		if (maps[i].may_fall || value > *place)
			*place = value;
		return true;
	}
	return false;
}

static bool take_stop(struct counts *s, struct cursor *c)
{
	int64_t value;

	if (!take_number(c, &value) || c->p != c->end || value < 0)
		return false;
	s->stopped_ns = (uint64_t)value;
	return true;
}

/* ---- snapshots ---- */

/*
 * Time with a part that is open. The maps are read somewhat later than at the time of the snapshot, so no time is
 * told that has not passed since the one before; what is more comes with the next.
 */
static uint64_t total_ns(int64_t value, uint64_t at_ns, uint64_t last_total_ns, uint64_t passed_ns)
{
	int64_t sum = value < 0 ? value + (int64_t)at_ns : value;
	uint64_t total = sum < 0 ? 0 : (uint64_t)sum;

	if (total < last_total_ns)
		return last_total_ns;
	return total - last_total_ns > passed_ns ? last_total_ns + passed_ns : total;
}

static void sum_up(const struct values *v, const struct totals *last, uint64_t at_ns, uint64_t passed_ns, struct totals *ret)
{
	for (size_t i = 0; i < COUNTS_MAX_LINES; i++) {
		ret->n[i] = (uint64_t)v->n[i];
		ret->boost[i] = (uint64_t)v->boost[i];
	}
	for (size_t i = 0; i < COUNTS_ENDS; i++)
		ret->halts.ends[i] = (uint64_t)v->ends[i];
	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		ret->halts.buckets[i] = (uint64_t)v->buckets[i];
	ret->halts.max_ns = (uint64_t)v->max;
	ret->halts.halted_ns = total_ns(v->halt, at_ns, last->halts.halted_ns, passed_ns);
	ret->ready_ns = total_ns(v->ready, at_ns, last->ready_ns, passed_ns);
}

static void take_snapshot(struct counts *s, uint64_t at_ns, uint64_t limit_ns)
{
	bool first = !s->last_ns;

	for (size_t i = 0; i < s->n_threads; i++) {
		struct thread *t = s->threads[i];

		t->before = t->last;
		sum_up(&t->now, &t->before, at_ns, limit_ns, &t->last);
		if (first)
			t->first = t->last;
	}
	s->before_ns = s->last_ns;
	s->last_ns = at_ns;
	if (first)
		s->first_ns = at_ns;
}

/* "maps TIME", "maps end" or "maps vcpu KEY" */
static enum counts_line take_mark(struct counts *s, struct cursor *c)
{
	uint64_t at_ns = s->pending_ns;
	int64_t value;

	if (take_text(c, "vcpu ")) {
		if (!take_number(c, &value) || c->p != c->end || value <= 0)
			return COUNTS_MALFORMED;
		s->newest_pid = key_pid(find_thread(s, value)->key);
		return COUNTS_VCPU;
	}
	if (take_text(c, "end") && c->p == c->end) {
		s->pending_ns = 0;
		if (at_ns <= s->last_ns) /* its begin is missing, or it came too late */
			return COUNTS_TAKEN;
		take_snapshot(s, at_ns, s->last_ns ? at_ns - s->last_ns : UINT64_MAX);
		return COUNTS_SNAPSHOT;
	}
	if (!take_number(c, &value) || c->p != c->end || value <= 0)
		return COUNTS_MALFORMED;
	s->pending_ns = (uint64_t)value;
	return COUNTS_TAKEN;
}

enum counts_line counts_take_line(struct counts *s, const char *line, size_t n)
{
	struct cursor c = { line, line + n };
	enum counts_line taken = COUNTS_OTHER;

	if (take_text(&c, "maps "))
		taken = take_mark(s, &c);
	else if (take_text(&c, "@s_stop: "))
		taken = take_stop(s, &c) ? COUNTS_TAKEN : COUNTS_MALFORMED;
	else if (take_text(&c, "@s_"))
		taken = take_map(s, &c) ? COUNTS_TAKEN : COUNTS_MALFORMED;
	s->malformed += taken == COUNTS_MALFORMED;
	return taken;
}

void counts_finish(struct counts *s, uint64_t until_ns)
{
	uint64_t at_ns = s->stopped_ns ? s->stopped_ns : until_ns;

	if (s->finished)
		return;
	s->finished = true;
	take_snapshot(s, at_ns > s->last_ns ? at_ns : s->last_ns + 1, UINT64_MAX);
}

bool counts_has_interval(const struct counts *s)
{
	return s->before_ns != 0;
}

size_t counts_keys(const struct counts *s)
{
	size_t most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(s->n_keys); i++)
		if (s->n_keys[i] > most)
			most = s->n_keys[i];
	return most + 1; /* the key 0 */
}

uint64_t counts_attributed(const struct counts *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n_threads; i++)
		for (size_t j = 0; j < COUNTS_MAX_LINES; j++)
			sum += (uint64_t)s->threads[i]->now.n[j];
	return sum;
}

uint32_t counts_newest_pid(const struct counts *s)
{
	return s->newest_pid;
}

uint64_t counts_malformed(const struct counts *s)
{
	return s->malformed;
}

/* ---- rows ---- */

static uint64_t grown(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void subtract(const struct totals *now, const struct totals *then, struct totals *ret)
{
	for (size_t i = 0; i < COUNTS_MAX_LINES; i++) {
		ret->n[i] = grown(now->n[i], then->n[i]);
		ret->boost[i] = grown(now->boost[i], then->boost[i]);
	}
	for (size_t i = 0; i < COUNTS_ENDS; i++)
		ret->halts.ends[i] = grown(now->halts.ends[i], then->halts.ends[i]);
	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		ret->halts.buckets[i] = grown(now->halts.buckets[i], then->halts.buckets[i]);
	ret->halts.halted_ns = grown(now->halts.halted_ns, then->halts.halted_ns);
	ret->halts.max_ns = now->halts.max_ns;
	ret->ready_ns = grown(now->ready_ns, then->ready_ns);
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

static int compare_rows(const void *a, const void *b)
{
	const struct counts_row *x = a, *y = b;
	int order;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	order = x->vm && y->vm ? strcmp(x->vm, y->vm) : 0;
	if (order)
		return order;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	order = strcmp(x->event, y->event);
	return order ? order : strcmp(x->source, y->source);
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

struct maker {
	const struct counts *s;
	unsigned int by;
	bool all; /* rows with nothing in them as well */
	struct counts_rows *rows;
};

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

static struct counts_row *new_row(const struct maker *m, const struct thread *t)
{
	return counts_rows_add(m->rows, m->by, key_pid(t->key), NULL, key_vcpu(t->key));
}

/* What a thread adds: a row for each of its events, or one. */
static void add_thread(const struct maker *m, const struct thread *t, const struct totals *d)
{
	bool by_event = m->by & (COUNTS_BY_EVENT | COUNTS_BY_SOURCE);
	struct counts_row *row = by_event ? NULL : new_row(m, t);

	for (size_t i = 0; i < m->s->n_waits; i++) {
		const struct wait_name *w = &m->s->waits[i];

		if (by_event && !d->n[i] && !d->boost[i] && !(m->all && t->now.n[i]))
			continue;
		if (!row || by_event)
			row = new_row(m, t);
		if (m->by & COUNTS_BY_EVENT)
			row->event = w->event;
		if (m->by & COUNTS_BY_SOURCE)
			row->source = w->source;
		counts_row_count(row, w->event, d->n[i], d->boost[i]);
	}
	if (row && !by_event) {
		row->halts = d->halts;
		row->ready_ns = d->ready_ns;
	}
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
}

static bool is_empty(const struct counts_row *row)
{
	uint64_t ends = 0;

	for (size_t i = 0; i < COUNTS_ENDS; i++)
		ends += row->halts.ends[i];
	return !row->waits && !row->boosted && !row->ready_ns && !row->halts.halted_ns && !ends;
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

static void finish_rows(const struct maker *m)
{
	counts_rows_finish(m->rows, m->by, m->all);
}

void counts_interval(const struct counts *s, unsigned int by, struct counts_rows *ret)
{
	struct maker m = { .s = s, .by = by, .rows = ret };

	*ret = (struct counts_rows){ .from_ns = s->before_ns, .until_ns = s->last_ns };
	for (size_t i = 0; i < s->n_threads; i++) {
		struct totals d;

		subtract(&s->threads[i]->last, &s->threads[i]->before, &d);
		add_thread(&m, s->threads[i], &d);
	}
	finish_rows(&m);
}

void counts_total(const struct counts *s, unsigned int by, uint64_t from_ns, struct counts_rows *ret)
{
	bool had_first = s->first_ns && s->first_ns != s->last_ns;
	struct maker m = { .s = s, .by = by, .rows = ret };

	*ret = (struct counts_rows){ .from_ns = had_first ? s->first_ns : from_ns, .until_ns = s->last_ns };
	for (size_t i = 0; i < s->n_threads; i++) {
		static const struct totals nothing;
		struct totals d;

		subtract(&s->threads[i]->last, had_first ? &s->threads[i]->first : &nothing, &d);
		add_thread(&m, s->threads[i], &d);
	}
	finish_rows(&m);
}

void counts_cumulative(const struct counts *s, unsigned int by, struct counts_rows *ret)
{
	struct maker m = { .s = s, .by = by, .rows = ret, .all = true };

	*ret = (struct counts_rows){ .from_ns = s->first_ns, .until_ns = s->last_ns };
	for (size_t i = 0; i < s->n_threads; i++)
		add_thread(&m, s->threads[i], &s->threads[i]->last);
	finish_rows(&m);
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
