// SPDX-License-Identifier: Apache-2.0
// Tests of helper/cmd/live_options.c and live_run.c: the filters, and the exit code of every end of a trace.
#include "unit.h"

#include "cmd/command.h"
#include "cmd/live_run.h"

#include <errno.h>

static void pids(void)
{
	struct filter f = { 0 };

	CHECK_INT(live_add_pid(&f, "1"), EXIT_OK);
	CHECK_INT(live_add_pid(&f, "2147483647"), EXIT_OK);
	CHECK_INT(live_add_pid(&f, "2147483648"), EXIT_USAGE);
	CHECK_INT(live_add_pid(&f, "0"), EXIT_USAGE);
	CHECK_INT(live_add_pid(&f, "x"), EXIT_USAGE);
	CHECK_INT(f.n_tgids, 2);
	CHECK_INT(f.tgids[1], 2147483647);
	while (f.n_tgids < PROGRAM_MAX_TGIDS)
		CHECK_INT(live_add_pid(&f, "7"), EXIT_OK);
	CHECK_INT(live_add_pid(&f, "8"), EXIT_USAGE);
	CHECK_INT(f.n_tgids, PROGRAM_MAX_TGIDS);
}

static void vcpus(void)
{
	struct filter f = { 0 };

	CHECK_INT(live_add_vcpu(&f, "100"), EXIT_OK);
	CHECK_INT(live_add_vcpu(&f, "40"), EXIT_OK);
	CHECK_INT(live_add_vcpu(&f, "200"), EXIT_USAGE); /* too far from the others */
	CHECK_INT(live_add_vcpu(&f, "65536"), EXIT_USAGE);
	CHECK_INT(live_add_vcpu(&f, "-1"), EXIT_USAGE);
	CHECK_U64(f.vcpu_mask, UINT64_C(1) << (40 - f.vcpu_base) | UINT64_C(1) << (100 - f.vcpu_base));
}

/* The bits that --event and --by set are row numbers: those of the tables have to be the same. */
static void bits(void)
{
	for (size_t i = 0; i < n_event_kinds; i++)
		CHECK_INT(event_kinds[i].bit, 1u << i);
	CHECK(!event_kinds[n_event_kinds].name);
	CHECK(event_choices.rows == event_kinds && spin_choices.allows);
	CHECK(spin_choices.allows(&event_kinds[0]) && !spin_choices.allows(&event_kinds[1]) && spin_choices.allows(&event_kinds[2]));
}

static const struct session_result good = {
	.balance = { .counted = 5, .received = 4, .lost = 1, .have_counted = true },
	.why = "the time is up",
	.command_status = -1,
};

static int code_of(const struct session_result *result)
{
	const struct live_run l = { .result = *result };

	return live_end_code(&l);
}

static void end_codes(void)
{
	struct session_result r = good;

	CHECK_INT(code_of(&r), EXIT_OK);
	r.balance.counted = 6;
	CHECK_INT(code_of(&r), EXIT_UNBALANCED);
	r = good;
	r.balance.have_counted = false;
	CHECK_INT(code_of(&r), EXIT_UNBALANCED);
	r.take_error = -EPIPE; /* the reader has seen enough: nothing else matters */
	CHECK_INT(code_of(&r), EXIT_OK);
	r.take_error = -ENOSPC; /* nor where the output failed */
	CHECK_INT(code_of(&r), EXIT_FAILED);
	r = good;
	r.unloaded = true;
	CHECK_INT(code_of(&r), EXIT_FAILED);
	r.balance.counted = 6;
	CHECK_INT(code_of(&r), EXIT_UNBALANCED);
	r = good;
	r.command_error = -ENOENT;
	CHECK_INT(code_of(&r), EXIT_FAILED);
	r.command_error = 0;
	r.command_status = 127; /* the command's own failure is not ours */
	CHECK_INT(code_of(&r), EXIT_OK);
}

/* A run can be freed at each stage. */
static void stages(void)
{
	struct live_run l = { 0 };

	live_done(&l);
	l.file = stdout;
	live_done(&l);
	CHECK(fflush(stdout) == 0);
}

static const struct unit_test tests[] = {
	{ "pids", pids }, { "vcpus", vcpus }, { "bits", bits }, { "end_codes", end_codes }, { "stages", stages },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
