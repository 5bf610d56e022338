// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/order.c: what leaves is in time order, in time, and bounded.
#include "unit.h"

#include "base/memory.h"
#include "record/order.h"

#define MAX_EVENTS 65536u

/* An event of that time; its tid says as which it came. */
static void push(struct order *o, uint64_t ts_ns, uint32_t tid)
{
	struct record r = {
		.type = RECORD_WAIT,
		.wait = { .ts_ns = ts_ns, .tid = tid, .cpu = tid % 7, .target = -(int64_t)tid, .event = "hlt", .source = "kvm" },
	};

	order_push(o, &r);
}

static void check_pop(struct order *o, uint64_t before_ns, uint64_t ts_ns, uint32_t tid)
{
	struct record r;
	const struct wait_event *w = &r.wait;

	CHECK(order_pop(o, before_ns, &r));
	CHECK_INT(r.type, RECORD_WAIT);
	CHECK_U64(w->ts_ns, ts_ns);
	CHECK_U64(w->tid, tid);
	CHECK_U64(w->cpu, tid % 7);
	CHECK_INT(w->target, -(int64_t)tid);
	CHECK_STR(w->event, "hlt");
}

static void check_none(struct order *o, uint64_t before_ns)
{
	struct record r = { .ts_ns = 77 };

	CHECK(!order_pop(o, before_ns, &r));
	CHECK_U64(r.ts_ns, 77);
}

static void reversed(void)
{
	struct order o;

	order_init(&o);
	check_none(&o, UINT64_MAX);
	for (uint32_t i = 1000; i; i--)
		push(&o, i * 10, i);
	for (uint32_t i = 1; i <= 1000; i++)
		check_pop(&o, UINT64_MAX, i * 10, i);
	check_none(&o, UINT64_MAX);
	CHECK_U64(o.late, 0);
	order_done(&o);
}

static void equal_times(void)
{
	struct order o;

	order_init(&o);
	for (uint32_t i = 0; i < 500; i++)
		push(&o, 1000 + i % 3, i);
	for (uint32_t ts = 0; ts < 3; ts++)
		for (uint32_t i = ts; i < 500; i += 3)
			check_pop(&o, UINT64_MAX, 1000 + ts, i);
	check_none(&o, UINT64_MAX);
	order_done(&o);
}

static void window(void)
{
	struct order o;

	order_init(&o);
	push(&o, 1000, 1);
	check_none(&o, 0);
	push(&o, 1000 + ORDER_WINDOW_NS - 1, 2);
	check_none(&o, 0);
	push(&o, 1000 + ORDER_WINDOW_NS, 3);
	check_pop(&o, 0, 1000, 1);
	check_none(&o, 0);
	push(&o, 999 + 2 * (uint64_t)ORDER_WINDOW_NS, 4); /* what is old stays behind what is older */
	check_pop(&o, 0, 1000 + ORDER_WINDOW_NS - 1, 2);
	check_none(&o, 0);
	CHECK_U64(o.late, 0);
	order_done(&o);
}

static void clock_limit(void)
{
	struct order o;

	order_init(&o);
	push(&o, 2000, 2);
	push(&o, 1000, 1);
	push(&o, 3000, 3);
	check_none(&o, 1);
	check_none(&o, 1000); /* older than that, not as old */
	check_pop(&o, 1001, 1000, 1);
	check_none(&o, 1001);
	check_none(&o, 2000);
	check_pop(&o, 3000, 2000, 2);
	check_none(&o, 3000);
	check_pop(&o, UINT64_MAX, 3000, 3);
	order_done(&o);
}

/* A full buffer gives its oldest, whatever the clock says. */
static void bounded(void)
{
	struct order o;

	order_init(&o);
	for (uint32_t i = 0; i < MAX_EVENTS - 1; i++)
		push(&o, 5000 - i % 100, i);
	check_none(&o, 0);
	push(&o, 4000, MAX_EVENTS);
	check_pop(&o, 0, 4000, MAX_EVENTS);
	check_none(&o, 0);
	push(&o, 4999, 1);
	push(&o, 4998, 2);
	check_pop(&o, 0, 4901, 99);
	check_pop(&o, 0, 4901, 199);
	check_none(&o, 0);
	CHECK_U64(o.late, 0);
	order_done(&o);
}

/* Held events wait whatever the time, as long as there is room, and for the end. */
static void held(void)
{
	struct order o;

	order_init(&o);
	order_hold(&o);
	for (uint32_t i = 0; i < 4 * MAX_EVENTS - 1; i++)
		push(&o, (uint64_t)i * ORDER_WINDOW_NS, i);
	check_none(&o, 0);
	push(&o, 1, 7);
	check_pop(&o, 0, 0, 0);
	check_none(&o, 0);
	check_pop(&o, UINT64_MAX, 1, 7);
	check_pop(&o, UINT64_MAX, ORDER_WINDOW_NS, 1);
	CHECK_U64(o.late, 0);
	order_done(&o);
}

static void late(void)
{
	struct order o;

	order_init(&o);
	push(&o, 1000, 1);
	push(&o, 2000, 2);
	check_pop(&o, UINT64_MAX, 1000, 1);
	CHECK_U64(o.late, 0);
	push(&o, 1000, 3); /* as old as what has left: in order still */
	CHECK_U64(o.late, 0);
	push(&o, 999, 4);
	CHECK_U64(o.late, 1);
	check_pop(&o, UINT64_MAX, 999, 4); /* late, not lost */
	push(&o, 999, 5);		   /* what left last does not count, the newest that left does */
	CHECK_U64(o.late, 2);
	check_pop(&o, UINT64_MAX, 999, 5);
	check_pop(&o, UINT64_MAX, 1000, 3);
	check_pop(&o, UINT64_MAX, 2000, 2);
	CHECK_U64(o.late, 2);
	order_done(&o);
}

struct key {
	uint64_t ts_ns;
	uint32_t tid;
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void check_random(uint32_t n, uint64_t spread)
{
	CLEANUP_FREE struct key *keys = xcalloc(n, sizeof(*keys));
	struct order o;

	order_init(&o);
	for (uint32_t i = 0; i < n; i++) {
		keys[i] = (struct key){ .ts_ns = unit_random(spread), .tid = i };
		push(&o, keys[i].ts_ns, i);
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (uint32_t i = 0; i < n; i++)
		check_pop(&o, UINT64_MAX, keys[i].ts_ns, keys[i].tid);
	check_none(&o, UINT64_MAX);
	order_done(&o);
}

static void random_times(void)
{
	unit_random_seed(3);
	for (uint32_t n = 1; n < 40; n++)
		check_random(n, 10);
	check_random(255, 1);
	check_random(256, 100000);
	check_random(257, 50);
	check_random(20000, UINT64_MAX);
}

/* Events that lag by less than the window leave sorted, none is lost, and few are held back. */
static void stream(void)
{
	struct order o;
	struct record r;
	const struct wait_event *w = &r.wait;
	uint64_t last_ns = 0, sum_in = 0, sum_out = 0, now_ns = ORDER_WINDOW_NS;
	size_t n_in = 0, n_out = 0;

	unit_random_seed(4);
	order_init(&o);
	for (; n_in < 30000; n_in++) {
		uint64_t ts_ns;

		now_ns += unit_random(100000);
		ts_ns = now_ns - unit_random(ORDER_WINDOW_NS);
		sum_in += ts_ns;
		push(&o, ts_ns, (uint32_t)n_in);
		while (order_pop(&o, 0, &r)) {
			CHECK(w->ts_ns >= last_ns);
			last_ns = w->ts_ns;
			sum_out += w->ts_ns;
			n_out++;
		}
		CHECK(o.n < 20000);
	}
	while (order_pop(&o, UINT64_MAX, &r)) {
		CHECK(w->ts_ns >= last_ns);
		last_ns = w->ts_ns;
		sum_out += w->ts_ns;
		n_out++;
	}
	CHECK_U64(n_out, n_in);
	CHECK_U64(sum_out, sum_in);
	CHECK_U64(o.late, 0);
	order_done(&o);
}

static const struct unit_test tests[] = {
	{ "reversed", reversed },
	{ "equal_times", equal_times },
	{ "window", window },
	{ "clock_limit", clock_limit },
	{ "bounded", bounded },
	{ "held", held },
	{ "late", late },
	{ "random_times", random_times },
	{ "stream", stream },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
