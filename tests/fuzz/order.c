// SPDX-License-Identifier: Apache-2.0
// Any sequence of waits and outcomes: none is lost, they leave in order unless they came late, and every wait is
// followed by one outcome, seen or not.
#include "fuzz.h"

#include "record/order.h"
#include "record/outcome_join.h"

#define MAX_RECORDS 4096

struct feed {
	struct order order;
	struct outcomes *outcomes;
	uint64_t last_ns;
	size_t pushed, popped, waits, unseen, joined;
	bool came[MAX_RECORDS];
};

static void check_unseen(struct feed *s, const struct outcome_event *o)
{
	MUST(o->end == OUTCOME_UNSEEN && o->ts_ns >= o->wait_ns && *o->event);
	s->unseen++;
}

/* The number of a record is in a field that nothing reads. */
static size_t number_of(const struct record *r)
{
	return r->type == RECORD_WAIT ? r->wait.cpu : r->outcome.cpu;
}

static void release(struct feed *s, uint64_t before_ns)
{
	struct outcome_event unseen;
	struct record r;

	while (order_pop(&s->order, before_ns, &r)) {
		MUST(number_of(&r) < s->pushed && !s->came[number_of(&r)]);
		s->came[number_of(&r)] = true;
		s->popped++;
		MUST(r.ts_ns >= s->last_ns || s->order.late);
		if (r.ts_ns > s->last_ns)
			s->last_ns = r.ts_ns;
		s->waits += r.type == RECORD_WAIT;
		if (outcomes_take(s->outcomes, &r, &unseen))
			check_unseen(s, &unseen);
		s->joined += r.type == RECORD_OUTCOME && *r.outcome.event;
	}
}

/* A record of two or more bytes: what it is and whose, and how far it lies from the one before. */
static void push(struct feed *s, uint64_t *ts_ns, uint8_t what, int8_t step)
{
	int64_t by_ns = (int64_t)step * (what & 0x10 ? 10000000 : 1);
	struct record r = { .type = what & 1 ? RECORD_OUTCOME : RECORD_WAIT };

	*ts_ns = by_ns < 0 && *ts_ns < (uint64_t)-by_ns ? 0 : *ts_ns + (uint64_t)by_ns;
	if (r.type == RECORD_WAIT)
		r.wait = (struct wait_event){ .ts_ns = *ts_ns, .tid = what >> 5, .cpu = (uint32_t)s->pushed, .event = "hlt", .source = "kvm" };
	else
		r.outcome = (struct outcome_event){ .ts_ns = *ts_ns, .wait_ns = *ts_ns > 5 ? *ts_ns - (what >> 1 & 3) : *ts_ns,
						    .tid = what >> 5, .cpu = (uint32_t)s->pushed };
	s->pushed++;
	order_push(&s->order, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct feed s;
	struct outcome_event unseen;
	uint64_t ts_ns = 1000000000;
	uint8_t op[2];

	s = (struct feed){ .outcomes = outcomes_new() };
	order_init(&s.order);
	while (s.pushed < MAX_RECORDS && fuzz_take(&data, &size, op, 2) == 2) {
		push(&s, &ts_ns, op[0], (int8_t)op[1]);
		release(&s, op[0] & 8 ? ts_ns : 0);
	}
	release(&s, UINT64_MAX);
	MUST(s.popped == s.pushed && !s.order.n);
	while (outcomes_take_rest(s.outcomes, s.last_ns, &unseen))
		check_unseen(&s, &unseen);
	MUST(s.waits == s.joined + s.unseen);
	order_done(&s.order);
	outcomes_free(s.outcomes);
	return 0;
}
