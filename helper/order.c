// SPDX-License-Identifier: Apache-2.0
// Puts waits and outcomes in time order: a binary heap over a bounded number of them.
#include "order.h"

#include <stdlib.h>

#define ORDER_MAX_EVENTS 65536u

void order_init(struct order *o)
{
	*o = (struct order){ .room = 256, .window_ns = ORDER_WINDOW_NS, .most = ORDER_MAX_EVENTS };
	o->heap = xcalloc(o->room, sizeof(*o->heap));
	o->arrival = xcalloc(o->room, sizeof(*o->arrival));
}

void order_hold(struct order *o)
{
	o->window_ns = UINT64_MAX;
	o->most = 4 * ORDER_MAX_EVENTS;
}

void order_done(struct order *o)
{
	free(o->heap);
	free(o->arrival);
	*o = (struct order){ 0 };
}

static bool is_older(const struct order *o, size_t a, size_t b)
{
	if (o->heap[a].ts_ns != o->heap[b].ts_ns)
		return o->heap[a].ts_ns < o->heap[b].ts_ns;
	return o->arrival[a] < o->arrival[b];
}

static void swap(struct order *o, size_t a, size_t b)
{
	struct record r = o->heap[a];
	uint64_t n = o->arrival[a];

	o->heap[a] = o->heap[b];
	o->arrival[a] = o->arrival[b];
	o->heap[b] = r;
	o->arrival[b] = n;
}

void order_push(struct order *o, const struct record *r)
{
	size_t i = o->n++;

	if (i == o->room) {
		o->room *= 2;
		o->heap = xrealloc(o->heap, o->room, sizeof(*o->heap));
		o->arrival = xrealloc(o->arrival, o->room, sizeof(*o->arrival));
	}
	o->heap[i] = *r;
	o->arrival[i] = o->n_arrived++;
	if (r->ts_ns > o->newest_ns)
		o->newest_ns = r->ts_ns;
	if (r->ts_ns < o->released_ns)
		o->late++;
	for (; i && is_older(o, i, (i - 1) / 2); i = (i - 1) / 2)
		swap(o, i, (i - 1) / 2);
}

bool order_pop(struct order *o, uint64_t before_ns, struct record *ret)
{
	size_t i = 0;

	if (!o->n)
		return false;
	if (o->heap[0].ts_ns >= before_ns && o->newest_ns - o->heap[0].ts_ns < o->window_ns && o->n < o->most)
		return false;
	*ret = o->heap[0];
	if (ret->ts_ns > o->released_ns)
		o->released_ns = ret->ts_ns;
	o->n--;
	o->heap[0] = o->heap[o->n];
	o->arrival[0] = o->arrival[o->n];
	for (;;) {
		size_t least = i, left = 2 * i + 1;

		if (left < o->n && is_older(o, left, least))
			least = left;
		if (left + 1 < o->n && is_older(o, left + 1, least))
			least = left + 1;
		if (least == i)
			return true;
		swap(o, i, least);
		i = least;
	}
}
