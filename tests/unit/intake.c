// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/intake.c: lines become records in time order, and the balance counts every line.
#include "unit.h"

#include "base/memory.h"
#include "live/intake.h"
#include "live/session_record.h"
#include "record/balance.h"

#define COMM "43505520302f4b564d00000000000000"

static struct {
	char text[4096]; /* one word a record */
	size_t n, flushes;
	int error; /* what take() returns */
} got;

static int take(void *context, const struct record *r)
{
	size_t used = strlen(got.text);

	(void)context;
	if (got.error)
		return got.error;
	got.n++;
	if (r->type == RECORD_WAIT)
		snprintf(got.text + used, sizeof(got.text) - used, "w%" PRIu64 " ", r->wait.ts_ns);
	else if (r->type == RECORD_OUTCOME)
		snprintf(got.text + used, sizeof(got.text) - used, "o%" PRIu64 " ", r->outcome.ts_ns);
	else if (r->type == RECORD_SCHED)
		snprintf(got.text + used, sizeof(got.text) - used, "s%d:%" PRIu64 " ", (int)r->sched.kind, r->sched.ts_ns);
	else
		snprintf(got.text + used, sizeof(got.text) - used, "%s%d ", json_string_value(json_object_get(r->object, "type")),
			 (int)json_integer_value(json_object_get(r->object, "lost")));
	return 0;
}

static int flush(void *context)
{
	(void)context;
	got.flushes++;
	return 0;
}

static bool take_line(void *context, const char *line, size_t n)
{
	(void)context;
	return n == 5 && !memcmp(line, "@mine", 5);
}

static const struct script script;
static const struct verdict verdict = { .script = &script };
static const struct session_options options = { .program.script = &verdict, .take = take, .flush = flush, .take_line = take_line };

static void begin(struct intake *in, bool holds)
{
	char *error = NULL;

	memset(&got, 0, sizeof(got));
	CHECK_INT(intake_init(in, &options, holds, &error), 0);
}

static enum intake_line line(struct intake *in, const char *text)
{
	return intake_take(in, text, strlen(text), true, 1);
}

static void wait_at(struct intake *in, uint64_t ts_ns)
{
	CLEANUP_FREE char *text = xasprintf("w %" PRIu64 " 0 1 2 3 hlt kvm -1 %s", ts_ns, COMM);

	CHECK_INT(line(in, text), INTAKE_TAKEN);
}

static void in_order(void)
{
	struct intake in;

	begin(&in, false);
	CHECK_INT(line(&in, "kvmwait-wire 1 x"), INTAKE_SCRIPT_BEGINS);
	wait_at(&in, 30);
	wait_at(&in, 10);
	wait_at(&in, 20);
	intake_release(&in, 2); /* nothing is due yet */
	CHECK_STR(got.text, "");
	CHECK_INT(got.flushes, 1);
	intake_release(&in, 2 + UINT64_C(1000000000)); /* no record has arrived for a second */
	CHECK_STR(got.text, "w10 w20 w30 ");
	line(&in, "@counted: 4");
	intake_finish(&in);
	CHECK_U64(in.balance.received, 3);
	CHECK(in.balance.have_counted && !balance_off(&in.balance));
	CHECK_U64(in.balance.lost, 0);
	intake_done(&in);
}

static void held(void)
{
	struct intake in;

	begin(&in, true);
	wait_at(&in, 30);
	intake_release(&in, 2 + UINT64_C(1000000000));
	CHECK_STR(got.text, "");
	intake_finish(&in);
	CHECK_STR(got.text, "w30 ");
	intake_done(&in);
}

static void losses(void)
{
	struct intake in;

	begin(&in, false);
	wait_at(&in, 10);
	CHECK_INT(line(&in, "Lost 5 events"), INTAKE_TAKEN);
	CHECK_INT(intake_take(&in, "Lost 2 events", 13, false, 1), INTAKE_TAKEN);
	line(&in, "@counted: 13");
	intake_finish(&in);
	/* 13 counted with the first line, 1 received, 7 reported as lost: 4 are neither */
	CHECK_STR(got.text, "lost5 lost2 w10 lost4 ");
	CHECK_U64(in.balance.lost, 11);
	CHECK_U64(in.balance.unreported, 4);
	intake_done(&in);
}

/* A malformed line may be a counted one: the difference is not called lost then. */
static void malformed(void)
{
	struct intake in;

	begin(&in, false);
	CHECK_INT(line(&in, "w 10 0 1"), INTAKE_MESSAGE);
	intake_take_part(&in, "w 10 0 1 2 3 hl", 15, true);
	intake_take_part(&in, "w 10 0 1 2 3 hl", 15, false);
	intake_take_part(&in, "whatever", 8, true);
	CHECK_U64(in.balance.malformed, 2);
	line(&in, "@counted: 2");
	intake_finish(&in);
	CHECK_STR(got.text, "");
	CHECK_U64(in.balance.lost, 0);
	intake_done(&in);
}

static void messages(void)
{
	struct intake in;

	begin(&in, false);
	CHECK_INT(line(&in, "Attaching 3 probes..."), INTAKE_MESSAGE);
	CHECK_INT(line(&in, ""), INTAKE_TAKEN);
	CHECK_INT(line(&in, "# a comment"), INTAKE_TAKEN);
	CHECK_INT(line(&in, "@mine"), INTAKE_TAKEN);
	CHECK_INT(intake_take(&in, "@mine", 5, false, 1), INTAKE_MESSAGE);
	/* an event on standard error is none */
	CHECK_INT(intake_take(&in, "w 10 0 1 2 3 hlt kvm -1 " COMM, 56, false, 1), INTAKE_MESSAGE);
	CHECK_U64(in.balance.received, 0);
	intake_done(&in);
}

/* Each CPU numbers its lines: between the lines around a missing number, the CPU is marked as unseen. */
static void gaps(void)
{
	struct intake in;
	CLEANUP_FREE char *expected = xasprintf("s%d:100 s%d:100 s%d:300 s%d:300 ", SCHED_GONE, SCHED_BLIND, SCHED_SIGHT, SCHED_GONE);

	begin(&in, true);
	line(&in, "g 100 1 0 7 8");
	line(&in, "g 300 3 0 7 8");
	CHECK_U64(in.balance.received, 2);
	intake_finish(&in);
	CHECK_STR(got.text, expected);
	intake_done(&in);
}

/* After the first error of take() nothing is given and nothing flushed. */
static void output_error(void)
{
	struct intake in;

	begin(&in, false);
	got.error = -ENOSPC;
	intake_give(&in, RECORD_LOST, session_record_lost(1));
	CHECK_INT(in.error, -ENOSPC);
	got.error = 0;
	intake_give(&in, RECORD_LOST, session_record_lost(1));
	intake_flush(&in);
	CHECK_INT(got.n, 0);
	CHECK_INT(got.flushes, 0);
	CHECK_INT(in.error, -ENOSPC);
	intake_done(&in);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "waits leave in time order", in_order },
		{ "held records leave at the end", held },
		{ "lost lines are counted", losses },
		{ "malformed lines are counted", malformed },
		{ "messages are told from records", messages },
		{ "a missing number marks a gap", gaps },
		{ "the first output error stays", output_error },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
