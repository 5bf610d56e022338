// SPDX-License-Identifier: Apache-2.0
// What the maps of the part 'stat' tell: their lines become counts by vCPU thread, two snapshots of them an interval,
// and an interval rows. The maps, and how a vCPU is one number, are described in scripts/stat.part.
#include "ledger/counts.h"

#include "base/cursor.h"
#include "base/memory.h"
#include "base/table.h"
#include "ledger/counts_time.h"

#include <stdlib.h>
#include <string.h>

/* The numbers of a value of @s_halt: when the open one began, ns of those that ended, ns of the longest, how they ended. */
enum { HALT_BEGAN, HALT_NS, HALT_MAX, HALT_ENDS, HALT_NUMBERS = HALT_ENDS + COUNTS_ENDS };

/* What the maps hold of one key, as they were printed. */
struct values {
	int64_t n[COUNTS_MAX_LINES], boost[COUNTS_MAX_LINES];
	int64_t buckets[COUNTS_BUCKETS];
	int64_t halt[HALT_NUMBERS];
};

/* What they come to at some time. */
struct totals {
	uint64_t n[COUNTS_MAX_LINES], boost[COUNTS_MAX_LINES];
	struct counts_halts halts;
	struct counts_times times;
};

struct thread {
	int64_t key;
	struct values now;
	struct counts_account account;
	struct totals first, before, last; /* at the first snapshot, the last but one, and the last */
};

struct counts {
	const struct wait_name *waits;
	size_t n_waits;
	struct table by_key;
	struct thread **threads;
	size_t n_threads;
	size_t n_keys[3];		 /* of @s_n, @s_hist, @s_boost */
	uint64_t pending_ns, stopped_ns; /* of a snapshot that has begun; 0: none */
	unsigned int slot;		 /* of the account at pending_ns */
	unsigned int serial;		 /* of the printing of the maps that goes on */
	uint64_t first_ns, before_ns, last_ns;
	uint64_t malformed;
	uint32_t newest_pid;
	bool finished;
};

static uint64_t hash_thread(const void *entry)
{
	const struct thread *t = entry;

	return table_hash_bytes(0, &t->key, sizeof(t->key));
}

static bool same_thread(const void *a, const void *b)
{
	return ((const struct thread *)a)->key == ((const struct thread *)b)->key;
}

struct counts *counts_new(const struct wait_name *waits, size_t n_waits)
{
	struct counts *s = xcalloc(1, sizeof(*s));

	s->by_key = (struct table){ .hash = hash_thread, .same = same_thread };
	s->waits = waits;
	s->n_waits = n_waits < COUNTS_MAX_LINES ? n_waits : COUNTS_MAX_LINES;
	return s;
}

void counts_free(struct counts *s)
{
	if (!s)
		return;
	table_done(&s->by_key, NULL);
	for (size_t i = 0; i < s->n_threads; i++)
		free(s->threads[i]);
	free(s->threads);
	free(s);
}

static struct thread *find_thread(struct counts *s, int64_t key)
{
	struct thread *t = table_find(&s->by_key, &(struct thread){ .key = key });

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->key = key;
	table_add(&s->by_key, t);
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

/* A map of counts: its name, and where a value goes. Its keys have a second number. */
struct map {
	const char *name;
	int64_t first, last; /* the second number of a key */
	size_t offset;	     /* in struct values */
};

static const struct map maps[] = {
	{ "n[", 0, COUNTS_MAX_LINES - 1, offsetof(struct values, n) },
	{ "hist[", COUNTS_LOG2_FIRST, COUNTS_LOG2_LAST, offsetof(struct values, buckets) },
	{ "boost[", 0, COUNTS_MAX_LINES - 1, offsetof(struct values, boost) },
};

/* "KEY, NUMBER]: VALUE", and nothing behind it. */
static bool take_count(struct counts *s, struct cursor *c, const struct map *map, size_t *n_keys)
{
	int64_t key, second, value, *place;

	if (!cursor_take_i64(c, &key) || !cursor_take_text(c, ", ") || !cursor_take_i64(c, &second) || !cursor_take_text(c, "]: ") || !cursor_take_i64(c, &value) ||
	    c->p != c->end || key < 0)
		return false;
	if (!key) /* what gave the map its types */
		return true;
	if (second < map->first || second > map->last || value < 0)
		return false;
	place = (int64_t *)(void *)((char *)&find_thread(s, key)->now + map->offset) + (second - map->first);
	if (!*place && value)
		(*n_keys)++;
	/* While it changes a map is read key by key, and an old value can come twice: what only grows has grown. */
	if (value > *place)
		*place = value;
	return true;
}

/* "(A, B, ...)" of n numbers, and nothing behind it. */
static bool take_numbers(struct cursor *c, int64_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!cursor_take_text(c, i ? ", " : "(") || !cursor_take_i64(c, &ret[i]))
			return false;
	return cursor_take_text(c, ")") && c->p == c->end;
}

/* "KEY]: (...)" */
static bool take_halts(struct counts *s, struct cursor *c)
{
	int64_t key, numbers[HALT_NUMBERS];

	if (!cursor_take_i64(c, &key) || !cursor_take_text(c, "]: ") || !take_numbers(c, numbers, ARRAY_SIZE(numbers)) || key < 0)
		return false;
	for (size_t i = 0; i < HALT_NUMBERS; i++)
		if (numbers[i] < 0)
			return false;
	if (key)
		memcpy(find_thread(s, key)->now.halt, numbers, sizeof(numbers));
	return true;
}

/* "TID]: (KEY, ...)", "KEY]: (KEY, ...)" or "KEY, SLOT]: (KEY, ...)" */
static bool take_account(struct counts *s, struct cursor *c, bool has_slot, size_t offset)
{
	int64_t first, slot = 0, numbers[11];
	struct counts_account *a;
	struct thread *t;

	if (!cursor_take_i64(c, &first) || (has_slot && (!cursor_take_text(c, ", ") || !cursor_take_i64(c, &slot))) || !cursor_take_text(c, "]: ") ||
	    !take_numbers(c, numbers, ARRAY_SIZE(numbers)) || slot < 0 || slot >= COUNTS_SLOTS || numbers[0] < 0)
		return false;
	if (!numbers[0])
		return true;
	t = find_thread(s, numbers[0]);
	a = &t->account;
	if (!offset)
		a->serial = s->serial;
	return counts_value_take(&numbers[1], (struct counts_value *)(void *)((char *)a + offset) + slot);
}

static bool take_map(struct counts *s, struct cursor *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (cursor_take_text(c, maps[i].name))
			return take_count(s, c, &maps[i], &s->n_keys[i]);
	if (cursor_take_text(c, "halt["))
		return take_halts(s, c);
	if (cursor_take_text(c, "time["))
		return take_account(s, c, false, offsetof(struct counts_account, time));
	if (cursor_take_text(c, "past["))
		return take_account(s, c, false, offsetof(struct counts_account, past));
	return cursor_take_text(c, "cut[") && take_account(s, c, true, offsetof(struct counts_account, cut));
}

static bool take_stop(struct counts *s, struct cursor *c)
{
	int64_t value;

	if (!cursor_take_i64(c, &value) || c->p != c->end || value < 0)
		return false;
	s->stopped_ns = (uint64_t)value;
	return true;
}

/* ---- snapshots ---- */

/*
 * Time with a part that is open. The maps are read somewhat later than at the time of the snapshot, so no time is
 * told that has not passed since the one before; what is more comes with the next.
 */
static uint64_t halted_ns(const struct values *v, uint64_t at_ns, uint64_t last_total_ns, uint64_t passed_ns)
{
	uint64_t began_ns = (uint64_t)v->halt[HALT_BEGAN];
	uint64_t total = (uint64_t)v->halt[HALT_NS] + (began_ns && at_ns > began_ns ? at_ns - began_ns : 0);

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
		ret->halts.ends[i] = (uint64_t)v->halt[HALT_ENDS + i];
	for (size_t i = 0; i < COUNTS_BUCKETS; i++)
		ret->halts.buckets[i] = (uint64_t)v->buckets[i];
	ret->halts.max_ns = (uint64_t)v->halt[HALT_MAX];
	ret->halts.halted_ns = halted_ns(v, at_ns, last->halts.halted_ns, passed_ns);
	ret->times = last->times;
}

static void take_snapshot(struct counts *s, uint64_t at_ns, uint64_t limit_ns)
{
	bool first = !s->last_ns;

	for (size_t i = 0; i < s->n_threads; i++) {
		struct thread *t = s->threads[i];

		t->before = t->last;
		sum_up(&t->now, &t->before, at_ns, limit_ns, &t->last);
		counts_account_at(&t->account, s->serial, at_ns, s->slot, &t->last.times);
		if (first)
			t->first = t->last;
	}
	s->before_ns = s->last_ns;
	s->last_ns = at_ns;
	if (first)
		s->first_ns = at_ns;
}

/* "maps TIME", "maps TIME SLOT", "maps end" or "maps vcpu KEY" */
static enum counts_line take_mark(struct counts *s, struct cursor *c)
{
	uint64_t at_ns = s->pending_ns;
	int64_t value, slot = 0;

	if (cursor_take_text(c, "vcpu ")) {
		if (!cursor_take_i64(c, &value) || c->p != c->end || value <= 0)
			return COUNTS_MALFORMED;
		s->newest_pid = key_pid(find_thread(s, value)->key);
		return COUNTS_VCPU;
	}
	if (cursor_take_text(c, "end") && c->p == c->end) {
		s->pending_ns = 0;
		if (at_ns <= s->last_ns) /* its begin is missing, or it came too late */
			return COUNTS_TAKEN;
		take_snapshot(s, at_ns, s->last_ns ? at_ns - s->last_ns : UINT64_MAX);
		s->serial++; /* the next values are of another printing, with a mark or, at the end, without */
		return COUNTS_SNAPSHOT;
	}
	if (!cursor_take_i64(c, &value) || (c->p != c->end && (!cursor_take_text(c, " ") || !cursor_take_i64(c, &slot))) || c->p != c->end || value <= 0 ||
	    slot < 0 || slot >= COUNTS_SLOTS)
		return COUNTS_MALFORMED;
	s->pending_ns = (uint64_t)value;
	s->slot = (unsigned int)slot;
	s->serial++;
	return COUNTS_TAKEN;
}

enum counts_line counts_take_line(struct counts *s, const char *line, size_t n)
{
	struct cursor c = { line, line + n };
	enum counts_line taken = COUNTS_OTHER;

	if (cursor_take_text(&c, "maps "))
		taken = take_mark(s, &c);
	else if (cursor_take_text(&c, "@s_stop: "))
		taken = take_stop(s, &c) ? COUNTS_TAKEN : COUNTS_MALFORMED;
	else if (cursor_take_text(&c, "@s_"))
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
	/* a transition on another CPU can come a moment after the last */
	for (size_t i = 0; i < s->n_threads; i++) {
		uint64_t newest_ns = counts_account_newest_ns(&s->threads[i]->account, s->serial);

		at_ns = newest_ns > at_ns ? newest_ns : at_ns;
	}
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

uint64_t counts_waits(const struct counts *s, const char *event, const char *source)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < s->n_waits; j++)
		if (!strcmp(s->waits[j].event, event) && !strcmp(s->waits[j].source, source))
			for (size_t i = 0; i < s->n_threads; i++)
				sum += (uint64_t)s->threads[i]->now.n[j];
	return sum;
}

uint64_t counts_until_ns(const struct counts *s)
{
	return s->last_ns;
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
	for (size_t i = 0; i < COUNTS_STATES; i++)
		ret->times.ns[i] = grown(now->times.ns[i], then->times.ns[i]);
	ret->times.paid_ns = grown(now->times.paid_ns, then->times.paid_ns);
	ret->times.wasted_ns = grown(now->times.wasted_ns, then->times.wasted_ns);
}

struct maker {
	const struct counts *s;
	unsigned int by;
	bool all; /* rows with nothing in them as well */
	struct counts_rows *rows;
};

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
		row->times = d->times;
		row->ready_ns = d->times.ns[COUNTS_READY];
	}
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
