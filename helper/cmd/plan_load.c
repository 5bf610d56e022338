// SPDX-License-Identifier: Apache-2.0
// Loads the scripts and the facts of a kernel, and makes the plan of both.
#include "cmd/plan_load.h"

#include "cmd/command.h"

#define LOAD_TRIES 8u

int plan_load(const char *root, struct loaded_plan *ret)
{
	struct loaded_plan p = { 0 };
	CLEANUP_FREE char *why = NULL;

	if (scripts_load(scripts_directory(), &p.scripts, &p.n_scripts, &why))
		return fail(EXIT_FAILED, "the scripts cannot be read: %s", why);
	if (tracer_list_load(scripts_directory(), &p.tracers, &why)) {
		plan_unload(&p);
		return fail(EXIT_FAILED, "the scripts cannot be read: %s", why);
	}
	for (unsigned int tries = 1;; tries++) {
		if (kernel_load(root, p.scripts, p.n_scripts, &p.kernel, &why)) {
			plan_unload(&p);
			return fail(EXIT_FAILED, "the kernel's facts cannot be read: %s", why);
		}
		*ret = p;
		plan_make(&ret->kernel, ret->scripts, ret->n_scripts, &ret->plan);
		if (tries == LOAD_TRIES || !kernel_modules_changed(&ret->kernel, ret->scripts, ret->n_scripts))
			break;
		plan_done(&ret->plan);
		kernel_done(&ret->kernel);
		p.kernel = (struct kernel){ 0 };
		*ret = (struct loaded_plan){ 0 };
	}
	ret->plan.tracers = &ret->tracers;
	return EXIT_OK;
}

void plan_unload(struct loaded_plan *p)
{
	plan_done(&p->plan);
	kernel_done(&p->kernel);
	tracer_list_done(&p->tracers);
	scripts_free(p->scripts, p->n_scripts);
	*p = (struct loaded_plan){ 0 };
}
