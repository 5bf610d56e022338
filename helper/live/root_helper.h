// SPDX-License-Identifier: Apache-2.0
// The one process that stays root during a trace. It parses nothing that guests or users wrote: for kvmwait, which runs as
// nobody, it opens files of /proc, asks the kernel about bpftrace, and renames a finished output.
// Where none was started (not root), the same functions do the work themselves.
#ifndef KVMWAIT_LIVE_ROOT_HELPER_H
#define KVMWAIT_LIVE_ROOT_HELPER_H

#include "base/safe_open.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum root_helper_file { /* of /proc/PID */
	ROOT_HELPER_EXE, /* O_PATH: for the target of the link */
	ROOT_HELPER_CMDLINE,
	ROOT_HELPER_CGROUP,
	ROOT_HELPER_STAT,
	ROOT_HELPER_STATUS,
	ROOT_HELPER_COMM,
	ROOT_HELPER_FILES,
};

#define ROOT_HELPER_BPFTRACES 2

/*
 * Forks the root helper, which acts on these bpftraces alone (0: none); then this process drops to nobody with CAP_KILL,
 * which it needs to signal bpftrace and the command. The file may be NULL. For other users than root nothing happens. 0 or
 * -errno; then nothing has been dropped.
 */
int root_helper_start(const pid_t bpftraces[ROOT_HELPER_BPFTRACES], struct replaced_file *file);
/* Ends the root helper. Privileges stay dropped. */
void root_helper_stop(void);

/* Opens a file of a process. A descriptor or -errno. */
int root_helper_open(uint32_t pid, enum root_helper_file file);
/* Reads such a file as file_read() does. */
int root_helper_read(uint32_t pid, enum root_helper_file file, size_t limit_bytes, char **ret_text, size_t *ret_size);

/* See bpftrace_go_first(), child_wait_turns(), bpftrace_missed(). */
int root_helper_go_first(pid_t bpftrace);
void root_helper_wait_turns(pid_t bpftrace);
uint64_t root_helper_missed(pid_t bpftrace);

/* See replaced_file_create(), replaced_file_put(), replaced_file_drop(); the file is that of root_helper_start(). */
int root_helper_file_create(struct replaced_file *file);
int root_helper_file_put(struct replaced_file *file);
void root_helper_file_drop(struct replaced_file *file);

#endif
