// SPDX-License-Identifier: Apache-2.0
// What the commands that trace have in common: filters and other options, what a host has to have, how it ends.
#ifndef KVMWAIT_CMD_LIVE_RUN_H
#define KVMWAIT_CMD_LIVE_RUN_H

#include "cmd/command.h"
#include "live/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	OPT_VCPU = 256,
	OPT_VM,
	OPT_BPFTRACE,
	OPT_WAIT,
	OPT_ATTACH_TIMEOUT,
	OPT_FIRST, /* of the options that a command has for itself */
};

/* Rows for the table of options of a command; ids as tracing_take_option() takes them. */
#define OPTION_DURATION { 'd', "duration", "SEC", "end after so many seconds (fractions too)", 'd' }
#define OPTION_PID { 'p', "pid", "TGID", "only this process (repeatable, or a list with commas; 8 at most)", 'p' }
#define OPTION_VM { 0, "vm", "NAME", "only the running VMs of this name (repeatable, or a list with commas)", OPT_VM }
#define OPTION_VCPU { 0, "vcpu", "N", "only this vCPU (repeatable, or a list with commas; within 63 ids)", OPT_VCPU }
#define OPTION_EVENT { 'e', "event", "LIST", "only these events: ple, hlt, pv_yield", 'e' }
#define OPTION_BPFTRACE { 0, "bpftrace", "PATH", "the bpftrace to use", OPT_BPFTRACE }
#define OPTION_WAIT { 0, "wait", NULL, "where KVM is not loaded, wait until it is", OPT_WAIT }
#define OPTION_ATTACH_TIMEOUT \
	{ 0, "attach-timeout", "SEC", "give up when attaching takes longer (default: 300)", OPT_ATTACH_TIMEOUT }
/* Of commands that count: the command's own enum has the ids. */
#define OPTION_BY { 0, "by", "LIST", "a row for each vm, vcpu, event, source (default: vm,vcpu)", OPT_BY }
#define OPTION_TOP { 0, "top", "COLUMN", "most first, by waits, ple, hlt, yield, boosted, halted or ready", OPT_TOP }
#define OPTION_HIST { 0, "hist", NULL, "how long HLTs took, by powers of two", OPT_HIST }
#define OPTION_VERBOSE { 'v', "verbose", NULL, "let bpftrace's own words through to standard error", 'v' }

struct tracing {
	struct filter filter;
	uint64_t duration_ns, attach_ns;
	bool wait;
	const char *bpftrace; /* as given */
	bool verbose;
};

#define OPTION_TAKEN (-1)
#define OPTION_OTHER (-2)
/* Takes one of the options above from optarg: OPTION_TAKEN, OPTION_OTHER where it is none of them, or an exit code. */
int tracing_take_option(struct tracing *t, int id);

/* "1.5" seconds as ns. 0 or -EINVAL. */
int parse_seconds(const char *text, uint64_t *ret_ns);

/* "vm,event" as a mask of enum counts_by. 0, or an exit code with the message said. */
int take_by(const char *text, unsigned int *ret_by);

/*
 * The frame of a command that traces: its options go to take() one by one (an exit code ends it, OPTION_TAKEN goes on),
 * any argument but a command behind "--" is refused, and start() gets that (NULL: none) and the plan. What `settings`
 * points to begins with a struct tracing.
 */
int tracing_command(int argc, char **argv, const char *name, int (*take)(void *settings, int id),
		    int (*start)(void *settings, char **command, const struct plan *plan), void *settings);

/* Opens the output if one is named, else gives NULL. 0, or an exit code with the message said. */
int tracing_open(const char *output, FILE **ret);
/* The same of an output that is replaced each time. replaced_file_done() closes it. */
int tracing_open_replaced(const char *output, struct replaced_file *ret);

/*
 * Sees that the host can trace this plan, with these parts, and prepares it: program, bpftrace, duration, verbosity,
 * progress. 0, or an exit code with the message said. ret_options->bpftrace is the caller's to free.
 */
int tracing_prepare(const struct tracing *t, const struct plan *plan, const char *const *parts, size_t n_parts,
		    struct session_options *ret_options);

/* The message() of session_options for --verbose. */
void live_print_message(void *context, const char *text);

/* session_run(), with what went wrong said: 0, or an exit code. */
int tracing_run(const struct session_options *options, struct session_result *ret);

/* The exit code of a trace that came to run, with what is wrong said; the output's name is for the message. */
int tracing_end_code(const struct session_result *r, const char *output);

#endif
