// SPDX-License-Identifier: Apache-2.0
// Tests of helper/cmd/plan_load.c: scripts and kernel in, a plan out, and what is said where one of them is missing.
#include "fake.h"

#include "cmd/command.h"
#include "cmd/plan_load.h"

static void loads(void)
{
	struct fake fake = fake_standard();
	CLEANUP_FREE char *root = fake_make(&fake);
	struct loaded_plan p;

	setenv("KVMWAIT_SCRIPTS", "scripts", 1);
	CHECK_INT(plan_load(root, &p), EXIT_OK);
	CHECK(p.n_scripts > 1 && p.plan.n_verdicts == p.n_scripts);
	CHECK(p.plan.kernel == &p.kernel);
	CHECK(p.plan.chosen && p.plan.chosen->script >= p.scripts && p.plan.chosen->script < p.scripts + p.n_scripts);
	plan_unload(&p);
	CHECK(!p.scripts && !p.plan.chosen);
	plan_unload(&p); /* an empty one is fine */
}

static void misses(void)
{
	struct fake fake = fake_standard();
	CLEANUP_FREE char *root = fake_make(&fake);
	CLEANUP_FREE char *nothing = unit_path("nothing");
	struct loaded_plan p = { .n_scripts = 77 };

	setenv("KVMWAIT_SCRIPTS", "scripts", 1);
	CHECK_INT(plan_load(nothing, &p), EXIT_FAILED);
	setenv("KVMWAIT_SCRIPTS", nothing, 1);
	CHECK_INT(plan_load(root, &p), EXIT_FAILED);
	CHECK_INT(p.n_scripts, 77); /* untouched */
}

static void no_script_fits(void)
{
	struct fake fake = fake_standard();
	CLEANUP_FREE char *root = NULL;
	struct loaded_plan p;

	fake.arch = "riscv64";
	root = fake_make(&fake);
	setenv("KVMWAIT_SCRIPTS", "scripts", 1);
	CHECK_INT(plan_load(root, &p), EXIT_OK);
	CHECK(!p.plan.chosen);
	CHECK_INT(fail_no_script(&p.plan), EXIT_NO_SCRIPT);
	plan_unload(&p);
}

static const struct unit_test tests[] = { { "loads", loads }, { "misses", misses }, { "no_script_fits", no_script_fits } };

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
