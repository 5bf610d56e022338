// SPDX-License-Identifier: Apache-2.0
// What keeps probes on functions from firing although they attach.
#ifndef KVMWAIT_PLAN_OBSTACLE_H
#define KVMWAIT_PLAN_OBSTACLE_H

#include "plan/kernel.h"

/* One reason, and what to do about it; both are the owner's. */
struct obstacle {
	char *what, *next;
};

struct obstacles {
	struct obstacle *items;
	size_t n;
};

/*
 * Looks for what makes the kprobes and kretprobes of a rendered program dead or impossible: the switches of the kernel, its
 * blacklist, and live patches. Reads below the kernel's root. A file that cannot be read is no obstacle.
 */
void obstacles_find(const struct kernel *k, const char *program, struct obstacles *ret);
void obstacles_done(struct obstacles *o);

#endif
