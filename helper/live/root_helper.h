// SPDX-License-Identifier: Apache-2.0
// The one process that stays root during a trace. It reads nothing that guests or users wrote: it opens files of /proc for
// kvmwait, which has dropped to nobody, asks the kernel about bpftrace, and puts a finished output in its place.
// Where none was started (not root), the same functions do the same themselves.
#ifndef KVMWAIT_LIVE_ROOT_HELPER_H
#define KVMWAIT_LIVE_ROOT_HELPER_H

#include "base/safe_open.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum keeper_file { /* of /proc/PID */
	KEEPER_EXE, /* only to be looked at: where the link leads */
	KEEPER_CMDLINE,
	KEEPER_CGROUP,
	KEEPER_STAT,
	KEEPER_STATUS,
	KEEPER_COMM,
	KEEPER_FILES,
};

/*
 * Forks it, then this process drops to nobody with CAP_KILL, which signals to bpftrace and the command take. The file may
 * be NULL. For others than root nothing happens. 0 or -errno; then nothing has been dropped.
 */
int keeper_start(pid_t bpftrace, struct replaced_file *file);
/* Ends it. What was dropped stays so. */
void keeper_stop(void);

/* Opens a file of a process. A descriptor or -errno. */
int keeper_open(uint32_t pid, enum keeper_file file);
/* The whole of it, as file_read() gives it. */
int keeper_read(uint32_t pid, enum keeper_file file, size_t limit_bytes, char **ret_text, size_t *ret_size);

/* See bpftrace_go_first(), child_wait_turns(), bpftrace_missed(). */
int keeper_go_first(pid_t bpftrace);
void keeper_wait_turns(pid_t bpftrace);
uint64_t keeper_missed(pid_t bpftrace);

/* See replaced_file_create(), replaced_file_put(), replaced_file_drop(); the file is that of keeper_start(). */
int keeper_file_create(struct replaced_file *file);
int keeper_file_put(struct replaced_file *file);
void keeper_file_drop(struct replaced_file *file);

#endif
