// SPDX-License-Identifier: Apache-2.0
// A trace from start to end: bpftrace runs the plan, its lines become records in order, the balance closes it.
#ifndef KVMWAIT_LIVE_SESSION_H
#define KVMWAIT_LIVE_SESSION_H

#include "base/safe_open.h"
#include "plan/render.h"
#include "plan/select.h"
#include "record/event.h"

/* Whether records wait for their turn as long as there is room, however far apart the CPUs are read. */
enum trace_hold {
	HOLD_NEVER,
	HOLD_WHERE_NEEDED, /* by a bpftrace that reads the CPUs' buffers one after the other */
	HOLD_ALWAYS,
};

struct trace_options {
	const struct plan *plan;
	struct program program; /* what of the plan is run */
	char *bpftrace; /* path */
	uint64_t duration_ns; /* 0: until the command ends or a signal comes */
	uint64_t attach_ns;   /* how long attaching may take; 0: five minutes */
	char *const *command; /* NULL: none */
	int command_stdout;   /* where its output goes */
	bool verbose;	      /* bpftrace's own words go to stderr */
	bool reads_maps;      /* while it counts: bpftrace has to go first, and is asked what was missed */
	bool progress;	      /* say on a terminal that it is attaching */
	struct replaced_file *replaced; /* an output that is replaced while the trace runs, by keeper_file_put(); may be NULL */
	bool stays_root;       /* who runs it has work for root left: nothing is dropped */
	unsigned int map_keys; /* room in each map; 0: as bpftrace has it */
	enum trace_hold hold;
	/* Takes each record in turn (borrowed). Not 0 (-errno) ends the trace. */
	int (*take)(void *context, const struct record *r);
	/* Takes a line of a part that is none of the wire's, without its newline; false: it is none of his. May be NULL. */
	bool (*take_line)(void *context, const char *line, size_t n);
	/* After each batch of records; may be NULL. Not 0 ends the trace. */
	int (*flush)(void *context);
	/* Why there is enough of it, so that the trace is to end in good order; NULL: there is not. May be NULL. */
	const char *(*enough)(void *context);
	void *context;
};

struct trace_result {
	struct balance balance;
	const char *why; /* it ended */
	uint64_t missed; /* runs of function probes that the kernel left out, where reads_maps asks */
	int priority_error; /* what kept bpftrace from going first, or 0 */
	int bpftrace_status; /* exit status, 128 + signal */
	bool unloaded;	/* the module that is probed went away meanwhile, and the probes with it */
	int take_error;	 /* what take or flush returned */
	int command_status; /* -1: none ran */
};

/*
 * Runs a trace. Once bpftrace has been started this process is no longer root, for good: what it writes to is open by then,
 * what it asks of the system later the keeper does. SIGINT and SIGTERM end it in good order, a second one at once. 0, or -errno with ret_error
 * (the caller frees) when it never came to run; after that the result says how it went.
 */
int trace_run(const struct trace_options *options, struct trace_result *ret, char **ret_error);

/* Is all that was counted accounted for? */
bool trace_balances(const struct trace_result *r);

#endif
