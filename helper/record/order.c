// SPDX-License-Identifier: Apache-2.0
// Puts waits and outcomes in time order: merges runs that are in order already, a bounded number of records in all.
#include "record/order.h"

#include "base/memory.h"

#include <stdlib.h>

#define ORDER_MAX_EVENTS 65536u
#define NONE UINT32_MAX

struct order_slot {
	uint64_t arrival; /* equal times leave as they came */
	uint32_t next;	  /* of the run, or the next free one */
	uint32_t lane;
	struct record record;
};

/* A run, by its oldest record. */
struct order_run {
	uint64_t ts_ns, arrival;
	uint32_t slot;
};

/* Slots from `from` on become free ones. */
static void add_free(struct order *o, size_t from)
{
	for (size_t i = o->room; i-- > from;) {
		o->slots[i].next = o->free;
		o->free = (uint32_t)i;
	}
}

void order_init(struct order *o)
{
	*o = (struct order){ .room = 256, .free = NONE, .window_ns = ORDER_WINDOW_NS, .most = ORDER_MAX_EVENTS };
	o->slots = xcalloc(o->room, sizeof(*o->slots));
	o->runs = xcalloc(o->room, sizeof(*o->runs));
	add_free(o, 0);
	for (size_t i = 0; i < ORDER_LANES; i++)
		o->last[i] = NONE;
}

void order_hold(struct order *o)
{
	o->window_ns = UINT64_MAX;
	o->most = 4 * ORDER_MAX_EVENTS;
}

void order_done(struct order *o)
{
	free(o->slots);
	free(o->runs);
	*o = (struct order){ 0 };
}

/* Without a branch: which of two is older cannot be foreseen. */
static bool is_older(const struct order_run *a, const struct order_run *b)
{
	return (a->ts_ns < b->ts_ns) | ((a->ts_ns == b->ts_ns) & (a->arrival < b->arrival));
}

/* Puts a run in place, at i or above it. */
static void sift_up(struct order *o, size_t i, struct order_run run)
{
	for (; i && is_older(&run, &o->runs[(i - 1) / 2]); i = (i - 1) / 2)
		o->runs[i] = o->runs[(i - 1) / 2];
	o->runs[i] = run;
}

/*
 * Puts a run in place, at the top or below it. What comes next on a CPU belongs far down as a rule, as all the other CPUs have
 * something in between: so the gap goes down to the bottom first, which takes one comparison a level, and up from there.
 */
static void sift_down(struct order *o, struct order_run run)
{
	size_t i = 0, child;

	while ((child = 2 * i + 2) < o->n_runs) {
		child -= is_older(&o->runs[child - 1], &o->runs[child]);
		o->runs[i] = o->runs[child];
		i = child;
	}
	if (child == o->n_runs) {
		o->runs[i] = o->runs[child - 1];
		i = child - 1;
	}
	sift_up(o, i, run);
}

static uint32_t take_slot(struct order *o)
{
	uint32_t slot;

	if (o->free == NONE) {
		size_t from = o->room;

		o->room *= 2;
		o->slots = xrealloc(o->slots, o->room, sizeof(*o->slots));
		o->runs = xrealloc(o->runs, o->room, sizeof(*o->runs));
		add_free(o, from);
	}
	slot = o->free;
	o->free = o->slots[slot].next;
	return slot;
}

static uint32_t lane_of(const struct record *r)
{
	uint32_t cpu = r->type == RECORD_WAIT ? r->wait.cpu : r->type == RECORD_OUTCOME ? r->outcome.cpu : r->sched.cpu;

	return cpu % ORDER_LANES;
}

void order_push(struct order *o, const struct record *r)
{
	uint32_t slot = take_slot(o), lane = lane_of(r), last = o->last[lane];
	struct order_slot *s = &o->slots[slot];

	s->arrival = o->n_arrived++;
	s->next = NONE;
	s->lane = lane;
	s->record = *r;
	o->n++;
	o->last[lane] = slot;
	if (r->ts_ns > o->newest_ns)
		o->newest_ns = r->ts_ns;
	if (r->ts_ns < o->released_ns)
		o->late++;
	if (last != NONE && o->slots[last].record.ts_ns <= r->ts_ns)
		o->slots[last].next = slot;
	else
		sift_up(o, o->n_runs++, (struct order_run){ r->ts_ns, s->arrival, slot });
}

/* A record that lies long is in no near cache when its turn comes. */
static void fetch(const struct order_slot *s)
{
	for (size_t i = 0; i < sizeof(*s); i += 64)
		__builtin_prefetch((const char *)s + i);
}

/* The oldest record has left: the next of its run comes up, or the run has ended. */
static void advance(struct order *o)
{
	uint32_t slot = o->runs[0].slot;
	struct order_slot *s = &o->slots[slot];
	uint32_t next = s->next;

	if (o->last[s->lane] == slot)
		o->last[s->lane] = NONE;
	s->next = o->free;
	o->free = slot;
	o->n--;
	if (next == NONE) {
		o->n_runs--;
		sift_down(o, o->runs[o->n_runs]);
		return;
	}
	s = &o->slots[next];
	sift_down(o, (struct order_run){ s->record.ts_ns, s->arrival, next });
	if (s->next != NONE)
		fetch(&o->slots[s->next]);
}

bool order_pop(struct order *o, uint64_t before_ns, struct record *ret)
{
	uint64_t ts_ns;

	if (!o->n)
		return false;
	ts_ns = o->runs[0].ts_ns;
	if (ts_ns >= before_ns && o->newest_ns - ts_ns < o->window_ns && o->n < o->most)
		return false;
	*ret = o->slots[o->runs[0].slot].record;
	if (ts_ns > o->released_ns)
		o->released_ns = ts_ns;
	advance(o);
	return true;
}
