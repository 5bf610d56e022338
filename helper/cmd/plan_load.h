// SPDX-License-Identifier: Apache-2.0
// Loads the scripts and the facts of a kernel, and makes the plan of both.
#ifndef KVMWAIT_CMD_PLAN_LOAD_H
#define KVMWAIT_CMD_PLAN_LOAD_H

#include "plan/select.h"

/* The plan points into the scripts and the kernel. */
struct loaded_plan {
	struct script *scripts;
	size_t n_scripts;
	struct kernel kernel;
	struct tracer_list tracers;
	struct plan plan;
};
/* Of the running kernel, or of a captured root. 0, or an exit code after the message. */
int plan_load(const char *root, struct loaded_plan *ret);
/* An empty one is fine. */
void plan_unload(struct loaded_plan *p);

#endif
