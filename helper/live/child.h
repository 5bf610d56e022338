// SPDX-License-Identifier: Apache-2.0
// Child processes: bpftrace with a program in memory, and the command that is traced. None outlives its parent.
#ifndef KVMWAIT_LIVE_CHILD_H
#define KVMWAIT_LIVE_CHILD_H

#include "base/text.h"
#include "live/attempt.h"
#include "plan/tracer.h"

#include <sys/types.h>

/* A child and the ends of pipes to it; -1 where there is none. */
struct child {
	pid_t pid;
	int in_fd, out_fd, err_fd;
};

/*
 * Where bpftrace is: the given path, else as program_find() has it. NULL where there is none; the caller frees.
 */
char *bpftrace_find(const char *given);

/* The program that bpftrace runs as its command: cat, as program_find() has it. NULL where there is none; the caller frees. */
#define NOT_FOUND ": it is neither in /usr/bin nor in a directory of PATH that root alone can change"
#define CAT_IS_MISSING "'cat' is missing, which bpftrace runs as its command" NOT_FOUND
char *bpftrace_command(void);

/* Where this process is root: may only root change it? 0, or -errno with ret_why (the caller frees). */
int bpftrace_check(const char *path, char **ret_why);

/* The version it reports, "0.23.2", where bpftrace_check() passes it; the caller frees. NULL with ret_error (the caller frees) where it has none. */
char *bpftrace_version(const char *path, char **ret_error);
/* The same for one who does not wait a minute for it. */
char *bpftrace_version_within(const char *path, uint64_t patience_ns, char **ret_error);

struct bpftrace_settings {
	const struct tracer *tracer;
	struct attempt attempt;	   /* for others than root capabilities do not change */
	bool waits;		   /* it does not run before child_go(), and ends when its in_fd is closed */
	unsigned int buffer_pages; /* of the ring buffer, or of each CPU's */
	unsigned int map_keys;	   /* room in each map; 0: as bpftrace has it */
	const char *traceable;	   /* the lines of available_filter_functions that it may look for; NULL: it reads the kernel's */
};

/*
 * Starts bpftrace on a program, as root with the capabilities that the settings name, nothing of our environment and none of
 * our files. It runs cat as its command, which copies our end of a pipe: what is written
 * to in_fd comes out on out_fd once everything is attached, and closing in_fd ends the trace in good order,
 * also when this process is killed. On failure -errno with ret_error (the caller frees).
 */
int bpftrace_start(const char *path, const char *program, const struct bpftrace_settings *settings, struct child *ret,
		   char **ret_error);

/*
 * Puts bpftrace before all that is not real-time: while it reads a map the kernel runs no program on that CPU, and
 * a preempted reader would make it miss events. 0 or -errno.
 */
int bpftrace_go_first(pid_t pid);

/*
 * Has a process (0: this one) wait for its turn when it is woken instead of preempting whoever runs: a reader that every
 * event wakes would take the CPU from the vCPU that made it. Then it reads many at a time. A policy of the user's stays.
 */
void child_wait_turns(pid_t pid);

/* How many runs of function probes the kernel has left out so far, where it says (5.12 and later), else 0. */
uint64_t bpftrace_missed(pid_t pid);

/*
 * Starts a process that does nothing until in_fd is closed, and then ends: a program that watches for its end
 * learns that way, inside the kernel, that the trace is over. 0 or -errno.
 */
int stopper_start(struct child *ret);

/*
 * A process that is to become a command of the user's, with all that he may: made before this one gives privileges up. It
 * waits, and ends when it is hung up on. 0 or -errno.
 */
int command_prepare(char *const argv[], int stdout_fd, struct child *ret);
/*
 * Lets it run. The command is found on PATH; for root only in directories with a whole path. Its output goes to the
 * stdout_fd of before. 0 or -errno of the exec; then nothing is left of it.
 */
int command_start(struct child *c);

/* Lets a bpftrace run that waits. 0 or -errno. */
int child_go(const struct child *c);

/* Closes our end of what the child reads. */
void child_hang_up(struct child *c);

/* Closes our ends of what the child writes. */
void child_close_outputs(struct child *c);

/* Closes what is open and forgets the child (which must have been reaped). */
void child_close(struct child *c);

#endif
