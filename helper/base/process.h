// SPDX-License-Identifier: Apache-2.0
// Child processes: what a child does first, pipes to it, waiting for it within a time limit, and ending it.
#ifndef KVMWAIT_BASE_PROCESS_H
#define KVMWAIT_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The environment of a program that runs with our privileges: fixed, since ours could change what it does. */
#define PROCESS_ENVIRONMENT                                                                                                      \
	(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", (char *)"HOME=/", (char *)"LC_ALL=C", (char *)"TERM=dumb", \
		(char *)"BPFTRACE_COLOR=never"

/*
 * First of all in a child: no signal is blocked, SIGPIPE and SIGXFSZ act as by default, and the child gets the signal when
 * its parent dies. `parent` is the process id of the parent before the fork.
 */
void process_begin(pid_t parent, int death_signal);

/*
 * Makes a pipe that is closed on exec. Its numbers are 10 and above, so that a child can give lower ones to its own ends.
 * 0 or -errno.
 */
int process_pipe(int ret_fds[2]);
/* Closes the ends that are open (not -1). */
void process_close_pipe(const int fds[2]);
/* Reads until the writer closes or the text is full, and ends it with NUL. False where that takes longer than the limit. */
bool process_read_within(int fd, char *text, size_t size, uint64_t limit_ns);

/* Waits until the child has ended. Its status as of waitpid(). */
int process_wait(pid_t pid);
/* Has the child ended? Then it is reaped, and its status as of waitpid() is in ret_status. */
bool process_has_ended(pid_t pid, int *ret_status);
/* The exit status of such a status, or 128 + the signal. */
int process_exit_code(int status);

/*
 * Ends a process group: the first call (*since_ns is 0) sends SIGTERM, calls after 5 s send SIGKILL. The caller calls it
 * until the group has ended.
 */
void process_end_group(pid_t group, uint64_t *since_ns);

#endif
