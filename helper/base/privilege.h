// SPDX-License-Identifier: Apache-2.0
// Gives up what a process does not need: capabilities, the user root, files it inherited. For others than root all of
// this does nothing; they have nothing to give up.
#ifndef KVMWAIT_BASE_PRIVILEGE_H
#define KVMWAIT_BASE_PRIVILEGE_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PRIVILEGE(capability) (UINT64_C(1) << (capability))

/* Is this process in a PID namespace of its own, such as a container's? */
bool privilege_is_namespaced(void);

/* What this process has in effect, a bit for each capability. */
uint64_t privilege_effective(void);
/* May it load programs and attach them? */
bool privilege_can_trace(void);
/* Has it all that a bpftrace takes which does not ask for root? */
bool privilege_suffices(void);

/*
 * What bpftrace has: no more than it takes to load and attach on this kernel, which is tried, since the kernel's version
 * does not tell. For others than root: all that this process has in effect.
 */
uint64_t privilege_of_bpftrace(void);

/*
 * Root without any capability but these, also after an exec; nothing can be gained again. 0 or -errno.
 */
int privilege_limit(uint64_t keep);
/* The same, and no longer root: the user and group "nobody", whoever has that number. 0 or -errno. */
int privilege_drop(uint64_t keep);
/* What a command keeps that reads files by name, and whatever is in them can write none. */
#define PRIVILEGE_TO_READ PRIVILEGE(CAP_DAC_READ_SEARCH)

/* Closes every descriptor from 3 on but those from first to last. */
void privilege_close_files(int first, int last);

#endif
