// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/outcome_join.c: each outcome to its own wait, whatever got lost in between.
#include "unit.h"

#include "base/memory.h"
#include "record/outcome_join.h"

static struct record wait_of(uint32_t tid, uint64_t ts_ns, const char *event, const char *vm, int64_t vcpu)
{
	struct record r = { .type = RECORD_WAIT, .wait = { .ts_ns = ts_ns, .tid = tid, .pid = tid / 100, .vcpu = vcpu, .vm = vm } };

	snprintf(r.wait.event, sizeof(r.wait.event), "%s", event);
	snprintf(r.wait.source, sizeof(r.wait.source), "%s", strcmp(event, "ple") ? "kvm" : "svm");
	return r;
}

static struct record outcome_of(uint32_t tid, uint64_t ts_ns, uint64_t wait_ns)
{
	return (struct record){
		.type = RECORD_OUTCOME,
		.outcome = { .ts_ns = ts_ns, .wait_ns = wait_ns, .tid = tid, .pid = tid / 100, .vcpu = 7, .boosted = -1, .off_ns = 5 },
	};
}

static void check_unseen(const struct outcome_event *e, uint32_t tid, uint64_t wait_ns, uint64_t ts_ns, const char *event)
{
	CHECK_INT(e->end, OUTCOME_UNSEEN);
	CHECK_U64(e->tid, tid);
	CHECK_U64(e->wait_ns, wait_ns);
	CHECK_U64(e->ts_ns, ts_ns);
	CHECK_STR(e->event, event);
}

/* A wait, its outcome, and again: nothing is unseen, nothing is left. */
static void in_turn(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;

	for (uint64_t i = 1; i < 1000; i++) {
		struct record w = wait_of(101, 10 * i, i % 2 ? "hlt" : "ple", "web", 3), r = outcome_of(101, 10 * i + 9, 10 * i);

		CHECK(!outcomes_take(o, &w, &unseen));
		CHECK(!outcomes_take(o, &r, &unseen));
		CHECK_STR(r.outcome.event, i % 2 ? "hlt" : "ple");
		CHECK_STR(r.outcome.source, i % 2 ? "kvm" : "svm");
		CHECK_STR(r.outcome.vm, "web");
		CHECK_U64(r.outcome.off_ns, 5); /* what the kernel told stays */
		CHECK_INT(r.outcome.vcpu, 7);
	}
	CHECK(!outcomes_take_rest(o, 99999, &unseen));
	outcomes_free(o);
}

/* Two VMs with the same vCPU ids, waits that overlap, one that takes longer than the other's three. */
static void threads_apart(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record a = wait_of(101, 10, "hlt", "web", 0), b, r;

	CHECK(!outcomes_take(o, &a, &unseen));
	for (uint64_t ts = 10; ts < 13; ts++) { /* the first at the very same time */
		b = wait_of(201, ts, "ple", "db", 0);
		CHECK(!outcomes_take(o, &b, &unseen));
		r = outcome_of(201, ts, ts); /* over at once */
		CHECK(!outcomes_take(o, &r, &unseen));
		CHECK_STR(r.outcome.vm, "db");
		CHECK_STR(r.outcome.event, "ple");
	}
	r = outcome_of(101, 20, 10);
	CHECK(!outcomes_take(o, &r, &unseen));
	CHECK_STR(r.outcome.vm, "web");
	CHECK_STR(r.outcome.event, "hlt");
	CHECK(!outcomes_take_rest(o, 30, &unseen));
	outcomes_free(o);
}

/* The outcome was lost: the next wait of the thread tells. */
static void lost_outcome(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record w = wait_of(101, 10, "hlt", "web", 3), r = outcome_of(101, 30, 20);

	CHECK(!outcomes_take(o, &w, &unseen));
	w = wait_of(101, 20, "ple", "web", 3);
	CHECK(outcomes_take(o, &w, &unseen));
	check_unseen(&unseen, 101, 10, 20, "hlt");
	CHECK_STR(unseen.vm, "web");
	CHECK_INT(unseen.vcpu, 3);
	CHECK_INT(unseen.boosted, -1);
	CHECK(!outcomes_take(o, &r, &unseen));
	CHECK_STR(r.outcome.event, "ple");
	CHECK(!outcomes_take_rest(o, 99, &unseen));
	outcomes_free(o);
}

/* A wait that came late tells of one after it: what is not seen still does not end before it began. */
static void late_wait(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record w = wait_of(101, 20, "hlt", "web", 3);

	CHECK(!outcomes_take(o, &w, &unseen));
	w = wait_of(101, 10, "ple", "web", 3);
	CHECK(outcomes_take(o, &w, &unseen));
	check_unseen(&unseen, 101, 20, 20, "hlt");
	CHECK(outcomes_take_rest(o, 5, &unseen));
	check_unseen(&unseen, 101, 10, 10, "ple");
	CHECK(!outcomes_take_rest(o, 99, &unseen));
	outcomes_free(o);
}

/* The wait was lost: its outcome says what it can, and is not given to another wait. */
static void lost_wait(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record w = wait_of(201, 15, "hlt", "db", 0), r = outcome_of(101, 30, 20);

	CHECK(!outcomes_take(o, &w, &unseen));
	CHECK(!outcomes_take(o, &r, &unseen));
	CHECK_STR(r.outcome.event, "");
	CHECK_U64(r.outcome.wait_ns, 20);
	CHECK(outcomes_take_rest(o, 99, &unseen));
	check_unseen(&unseen, 201, 15, 99, "hlt");
	outcomes_free(o);
}

/* An outcome and the next wait were lost: the outcome that comes is of the latter. */
static void lost_both(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record w = wait_of(101, 10, "hlt", "web", 3), r = outcome_of(101, 30, 20);

	CHECK(!outcomes_take(o, &w, &unseen));
	CHECK(outcomes_take(o, &r, &unseen));
	check_unseen(&unseen, 101, 10, 30, "hlt");
	CHECK_STR(r.outcome.event, "");
	CHECK(!outcomes_take_rest(o, 99, &unseen));
	outcomes_free(o);
}

/* An outcome that comes late, after the next wait, is not taken for the outcome of that. */
static void late_outcome(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	struct record w = wait_of(101, 10, "hlt", "web", 3), r = outcome_of(101, 15, 10);

	CHECK(!outcomes_take(o, &w, &unseen));
	w = wait_of(101, 20, "ple", "web", 3);
	CHECK(outcomes_take(o, &w, &unseen));
	CHECK(!outcomes_take(o, &r, &unseen));
	CHECK_STR(r.outcome.event, "");
	r = outcome_of(101, 25, 20);
	CHECK(!outcomes_take(o, &r, &unseen));
	CHECK_STR(r.outcome.event, "ple");
	outcomes_free(o);
}

/* What is open at the end comes out, oldest first, not before its own wait. */
static void rest(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;

	for (uint32_t tid = 110; tid > 100; tid--) {
		struct record w = wait_of(tid, 1000 - tid, "hlt", "web", tid);

		CHECK(!outcomes_take(o, &w, &unseen));
	}
	for (uint32_t tid = 110; tid > 100; tid--) {
		CHECK(outcomes_take_rest(o, 895, &unseen));
		check_unseen(&unseen, tid, 1000 - tid, 1000 - tid > 895 ? 1000 - tid : 895, "hlt");
	}
	CHECK(!outcomes_take_rest(o, 895, &unseen));
	outcomes_free(o);
}

/* Whatever is lost at random: each wait that came has one outcome, of its own or unseen. */
static void random_losses(void)
{
	struct outcomes *o = outcomes_new();
	struct outcome_event unseen;
	uint64_t waits = 0, own = 0, without = 0, n_unseen = 0, orphans = 0, outcomes = 0, ts[8] = { 0 };

	unit_random_seed(11);
	for (uint64_t now = 1; now < 200000; now++) {
		uint32_t i = (uint32_t)unit_random(ARRAY_SIZE(ts)), tid = 100 + i;
		struct record r;

		if (!ts[i]) {
			ts[i] = now;
			if (!unit_random(5))
				continue; /* the wait is lost */
			r = wait_of(tid, now, "hlt", "web", i);
			waits++;
		} else {
			r = outcome_of(tid, now, ts[i]);
			ts[i] = 0;
			if (!unit_random(7))
				continue; /* the outcome is lost */
			outcomes++;
		}
		n_unseen += outcomes_take(o, &r, &unseen);
		if (r.type == RECORD_OUTCOME)
			*(*r.outcome.event ? &own : &orphans) += 1;
	}
	while (outcomes_take_rest(o, 200000, &unseen))
		without++;
	CHECK_U64(waits, own + n_unseen + without);
	CHECK_U64(outcomes, own + orphans);
	CHECK(own > 50000 && n_unseen > 5000 && orphans > 5000);
	outcomes_free(o);
}

static const struct unit_test tests[] = {
	{ "in_turn", in_turn },
	{ "threads_apart", threads_apart },
	{ "lost_outcome", lost_outcome },
	{ "late_wait", late_wait },
	{ "lost_wait", lost_wait },
	{ "lost_both", lost_both },
	{ "late_outcome", late_outcome },
	{ "rest", rest },
	{ "random_losses", random_losses },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
