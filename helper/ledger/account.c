// SPDX-License-Identifier: Apache-2.0
// What a recording comes to: its records become rows as kvmwait stat has them, of intervals and of all the time.
#include "ledger/account.h"

#include "base/memory.h"
#include "ledger/account_state.h"
#include "ledger/account_states.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SEATS 65536u
#define MAX_GAP 86400u /* intervals with nothing in them, one after the other */

static uint64_t hash_seat(const void *entry)
{
	const struct seat *seat = entry;

	return table_hash_bytes(table_hash_bytes(seat->pid + 1, &seat->vcpu, sizeof(seat->vcpu)), seat->vm, strlen(seat->vm));
}

static bool same_seat(const void *a, const void *b)
{
	const struct seat *x = a, *y = b;

	return x->pid == y->pid && x->vcpu == y->vcpu && !strcmp(x->vm, y->vm);
}

struct account *account_new(const struct account_settings *settings)
{
	struct account *a = xcalloc(1, sizeof(*a));

	a->settings = *settings;
	a->seats_by_key = (struct table){ .hash = hash_seat, .same = same_seat };
	a->guest_ips = guest_ips_new();
	origin_of_meta(NULL, &a->origin);
	return a;
}

static void seat_free(struct seat *seat)
{
	if (seat->interval)
		free(seat->interval->kinds);
	free(seat->interval);
	free(seat->total.kinds);
	free(seat->vm);
	free(seat);
}

void account_free(struct account *a)
{
	if (!a)
		return;
	table_done(&a->seats_by_key, NULL);
	for (size_t i = 0; i < a->n_seats; i++)
		seat_free(a->seats[i]);
	free(a->seats);
	json_decref(a->meta);
	json_decref(a->blame);
	json_decref(a->audit);
	guest_ips_free(a->guest_ips);
	origin_done(&a->origin);
	free(a->why);
	free(a);
}

/* ---- vCPUs ---- */

/* NULL where there are too many. */
static struct seat *get_seat(struct account *a, uint32_t pid, const char *name, int64_t vcpu)
{
	const struct seat key = { .pid = pid, .vm = (char *)(uintptr_t)(name ? name : ""), .vcpu = vcpu };
	struct seat *seat = table_find(&a->seats_by_key, &key);

	if (seat || a->n_seats == MAX_SEATS)
		return seat;
	seat = xcalloc(1, sizeof(*seat));
	*seat = key;
	seat->vm = xstrdup(key.vm);
	if (a->settings.interval_ns)
		seat->interval = xcalloc(1, sizeof(*seat->interval));
	table_add(&a->seats_by_key, seat);
	a->seats = xgrow(a->seats, a->n_seats, sizeof(struct seat *));
	a->seats[a->n_seats++] = seat;
	return seat;
}

/* MAX_KINDS where there are too many. */
static size_t get_kind(struct account *a, const char *event, const char *source)
{
	for (size_t i = 0; i < a->n_kinds; i++)
		if (!strcmp(a->kinds[i].event, event) && !strcmp(a->kinds[i].source, source))
			return i;
	if (a->n_kinds == MAX_KINDS)
		return MAX_KINDS;
	memcpy(a->kinds[a->n_kinds].event, event, NAME_BYTES);
	memcpy(a->kinds[a->n_kinds].source, source, NAME_BYTES);
	return a->n_kinds++;
}

static struct kind_sum *sum_of_kind(const struct account *a, struct sums *s, size_t kind)
{
	if (kind >= s->n_kinds) {
		s->kinds = xrealloc(s->kinds, a->n_kinds, sizeof(*s->kinds));
		memset(s->kinds + s->n_kinds, 0, (a->n_kinds - s->n_kinds) * sizeof(*s->kinds));
		s->n_kinds = a->n_kinds;
	}
	return &s->kinds[kind];
}

static void sums_reset(struct sums *s)
{
	struct kind_sum *kinds = s->kinds;

	if (kinds)
		memset(kinds, 0, s->n_kinds * sizeof(*kinds));
	*s = (struct sums){ .kinds = kinds, .n_kinds = s->n_kinds };
}

/* ---- times ---- */

static bool is_within(const struct window *w, uint64_t ts_ns)
{
	return ts_ns >= w->from_ns && ts_ns < w->until_ns;
}

/* So much of a span lies within. */
static uint64_t overlap(const struct window *w, uint64_t from_ns, uint64_t until_ns)
{
	from_ns = from_ns > w->from_ns ? from_ns : w->from_ns;
	until_ns = until_ns < w->until_ns ? until_ns : w->until_ns;
	return until_ns > from_ns ? until_ns - from_ns : 0;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void account_begin(struct account *a, uint64_t ns)
{
	a->began_ns = a->until_ns = ns;
	a->all.from_ns = a->settings.from_ns ? add_saturated(ns, a->settings.from_ns) : 0; /* what comes late counts as well */
	a->all.until_ns = a->settings.to_ns ? add_saturated(ns, a->settings.to_ns) : UINT64_MAX;
	a->now.from_ns = add_saturated(ns, a->settings.from_ns);
	a->now.until_ns = add_saturated(a->now.from_ns, a->settings.interval_ns);
	a->interval_open = a->settings.interval_ns != 0;
}

/* When a record was made; 0 where it does not say. */
static uint64_t time_of(const struct record *record)
{
	if (record->type == RECORD_WAIT || record->type == RECORD_OUTCOME)
		return record->ts_ns;
	return record->type == RECORD_META || record->type == RECORD_END ? account_clock(record->object, "boottime") : 0;
}

/* ---- rows ---- */

static void add_rows(const struct account *a, const struct seat *seat, const struct sums *s, unsigned int by,
		     struct counts_rows *rows)
{
	bool by_event = by & (COUNTS_BY_EVENT | COUNTS_BY_SOURCE);
	const char *name = *seat->vm ? seat->vm : NULL;
	struct counts_row *row = NULL;

	if (!by_event) {
		row = counts_rows_add(rows, by, seat->pid, name, seat->vcpu);
		row->halts = s->halts;
		row->times = s->times;
		row->ready_ns = counts_wall_ns(&s->times) ? s->times.ns[COUNTS_READY] : s->ready_ns;
	}
	for (size_t i = 0; i < s->n_kinds; i++) {
		const struct kind_sum *kind = &s->kinds[i];

		if (!kind->n && !kind->boosted)
			continue;
		if (by_event) {
			row = counts_rows_add(rows, by, seat->pid, name, seat->vcpu);
			row->event = by & COUNTS_BY_EVENT ? a->kinds[i].event : "";
			row->source = by & COUNTS_BY_SOURCE ? a->kinds[i].source : "";
		}
		counts_row_count(row, a->kinds[i].event, kind->n, kind->boosted);
		span_extend(&row->span, &kind->span);
	}
}

static void make_interval(struct account *a, unsigned int by, struct counts_rows *ret)
{
	*ret = (struct counts_rows){ .from_ns = a->now.from_ns, .until_ns = a->now.until_ns };
	for (size_t i = 0; i < a->n_seats; i++) {
		struct seat *seat = a->seats[i];

		if (seat->open_ns)
			seat->interval->halts.halted_ns += overlap(&a->now, seat->open_ns, a->now.until_ns);
		seat->interval->halts.max_ns = seat->total.halts.max_ns;
		add_rows(a, seat, seat->interval, by, ret);
		sums_reset(seat->interval);
	}
	counts_rows_finish(ret, by, false);
}

bool account_interval(struct account *a, const struct record *record, unsigned int by, struct counts_rows *ret)
{
	uint64_t ts_ns = time_of(record), gap;

	if (!a->interval_open || ts_ns < a->now.until_ns || a->now.until_ns > a->all.until_ns)
		return false;
	make_interval(a, by, ret);
	gap = (ts_ns - a->now.until_ns) / a->settings.interval_ns;
	a->now.from_ns = a->now.until_ns + (gap > MAX_GAP ? gap * a->settings.interval_ns : 0);
	a->now.until_ns = add_saturated(a->now.from_ns, a->settings.interval_ns);
	a->interval_open = a->now.from_ns < a->all.until_ns && a->now.until_ns != UINT64_MAX;
	return true;
}

bool account_last_interval(struct account *a, unsigned int by, struct counts_rows *ret)
{
	if (!a->interval_open)
		return false;
	a->interval_open = false;
	if (a->now.until_ns > a->until_ns)
		a->now.until_ns = a->until_ns;
	if (a->now.until_ns > a->all.until_ns)
		a->now.until_ns = a->all.until_ns;
	if (a->now.until_ns <= a->now.from_ns)
		return false;
	make_interval(a, by, ret);
	return true;
}

/* What is halted at the end counts, unless it is open only because its end was lost. */
static void close_halts(struct account *a)
{
	bool lossless = !a->balance.have_end || !a->balance.lost;

	for (size_t i = 0; i < a->n_seats; i++) {
		struct seat *seat = a->seats[i];

		if (seat->open_ns && lossless)
			seat->total.halts.halted_ns += overlap(&a->all, seat->open_ns, a->until_ns);
		seat->open_ns = 0;
	}
}

void account_total(struct account *a, unsigned int by, struct counts_rows *ret)
{
	uint64_t until_ns = a->until_ns < a->all.until_ns ? a->until_ns : a->all.until_ns;
	uint64_t from_ns = a->all.from_ns ? a->all.from_ns : a->began_ns;

	close_halts(a);
	*ret = (struct counts_rows){ .from_ns = from_ns, .until_ns = until_ns > from_ns ? until_ns : from_ns };
	for (size_t i = 0; i < a->n_seats; i++)
		add_rows(a, a->seats[i], &a->seats[i]->total, by, ret);
	counts_rows_finish(ret, by, false);
}

/* ---- waits and outcomes ---- */

static bool is_halt(const char *event)
{
	return event_bit(event) == event_bit("hlt");
}

static void add_wait(const struct account *a, struct sums *s, size_t kind, uint64_t ts_ns)
{
	struct kind_sum *sum = sum_of_kind(a, s, kind);

	sum->n++;
	span_add(&sum->span, ts_ns);
}

static void count_wait(struct account *a, const struct wait_event *w)
{
	size_t kind = get_kind(a, w->event, w->source);
	struct seat *seat = kind < MAX_KINDS ? get_seat(a, w->pid, w->vm, w->vcpu) : NULL;

	a->balance.waits++;
	span_add(&a->waits, w->ts_ns);
	if (!seat) {
		a->overflow++;
		return;
	}
	seat->open_ns = a->has_outcomes && is_halt(w->event) ? w->ts_ns : 0;
	if (!is_within(&a->all, w->ts_ns))
		return;
	guest_ips_take_wait(a->guest_ips, w);
	add_wait(a, &seat->total, kind, w->ts_ns);
	if (seat->interval)
		add_wait(a, seat->interval, kind, w->ts_ns);
}

static void add_end(struct counts_halts *h, const struct outcome_event *o)
{
	static const enum counts_end ends[HALT_KINDS] = { COUNTS_UNWAITED, COUNTS_POLLED, COUNTS_BLOCKED };
	uint64_t ns = o->ts_ns - o->wait_ns;

	if (o->end == OUTCOME_GONE) {
		h->ends[COUNTS_GONE]++;
		return;
	}
	h->ends[ends[o->halt]]++;
	h->buckets[counts_bucket(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

static void add_outcome(const struct account *a, struct sums *s, const struct window *w, const struct outcome_event *o, size_t kind)
{
	/* where the wait was lost, what KVM told of it says that it was a HLT */
	bool halt = *o->event ? is_halt(o->event) : o->halt != HALT_NONE;

	if (halt)
		s->halts.halted_ns += overlap(w, o->wait_ns, o->ts_ns);
	if (!is_within(&a->all, o->ts_ns))
		return;
	s->ready_ns += o->ready_ns < o->ts_ns - o->wait_ns ? o->ready_ns : o->ts_ns - o->wait_ns;
	if (halt)
		add_end(&s->halts, o);
	else if (kind < MAX_KINDS)
		sum_of_kind(a, s, kind)->boosted += o->boosted_tid || o->boosted >= 0;
}

static void count_outcome(struct account *a, const struct outcome_event *o)
{
	size_t kind = *o->event ? get_kind(a, o->event, o->source) : MAX_KINDS;
	struct seat *seat = get_seat(a, o->pid, o->vm, o->vcpu);

	a->has_outcomes = true;
	if (o->end == OUTCOME_UNSEEN) {
		a->balance.unseen++; /* it is halted until something else is heard of it */
		return;
	}
	a->balance.outcomes++;
	if (!seat)
		return;
	add_outcome(a, &seat->total, &a->all, o, kind);
	if (seat->interval)
		add_outcome(a, seat->interval, &a->now, o, kind);
	if (seat->open_ns <= o->wait_ns)
		seat->open_ns = 0;
}

/* ---- states ---- */

/* The record of all the time takes the place of the intervals before it. */
static void begin_total(struct account *a)
{
	a->times = TIMES_OF_TOTAL;
	for (size_t i = 0; i < a->n_seats; i++)
		a->seats[i]->total.times = (struct counts_times){ 0 };
}

/* Without one, as where the trace was killed or some of the time is asked for, the intervals that lie within that count. */
static bool counts_in(const struct account *a, const struct account_states *s)
{
	bool whole = !a->settings.from_ns && !a->settings.to_ns;

	if (!s->n || a->times == TIMES_OF_TOTAL)
		return false;
	return s->total ? whole : s->from_ns >= a->all.from_ns && s->until_ns <= a->all.until_ns;
}

static void take_states(struct account *a, json_t *stat)
{
	struct account_states s;

	account_states_read(stat, &s);
	a->refused_times += s.refused;
	if (counts_in(a, &s)) {
		if (s.total)
			begin_total(a);
		else
			a->times = TIMES_OF_INTERVALS;
		for (size_t i = 0; i < s.n; i++) {
			struct seat *seat = get_seat(a, s.items[i].pid, s.items[i].vm, s.items[i].vcpu);

			if (seat)
				counts_times_add(&seat->total.times, &s.items[i].times);
		}
	}
	account_states_done(&s);
}

/* ---- all of them ---- */

void account_take(struct account *a, const struct record *record)
{
	uint64_t ts_ns = time_of(record);

	if (record->type == RECORD_META)
		account_take_meta(a, record->object);
	/* events can come before all is attached, and the clocks are read */
	if (ts_ns && (!a->began_ns || (ts_ns < a->began_ns && !a->n_seats)))
		account_begin(a, ts_ns);
	if (ts_ns > a->until_ns)
		a->until_ns = ts_ns;
	switch ((int)record->type) {
	case RECORD_WAIT:
		count_wait(a, &record->wait);
		break;
	case RECORD_OUTCOME:
		count_outcome(a, &record->outcome);
		break;
	case RECORD_LOST:
		if (json_integer_value(json_object_get(record->object, "lost")) > 0)
			a->balance.lost_records += (uint64_t)json_integer_value(json_object_get(record->object, "lost"));
		break;
	case RECORD_END:
		account_take_end(a, record->object);
		break;
	case RECORD_STAT:
		take_states(a, record->object);
		break;
	case RECORD_BLAME:
		json_decref(a->blame);
		a->blame = json_incref(record->object);
		break;
	default:
		break;
	}
}
