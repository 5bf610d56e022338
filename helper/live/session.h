// SPDX-License-Identifier: Apache-2.0
// A trace from start to end: starts bpftrace, the command and the root helper, reads the lines of bpftrace, and ends all of them.
#ifndef KVMWAIT_LIVE_SESSION_H
#define KVMWAIT_LIVE_SESSION_H

#include "base/safe_open.h"
#include "live/kept_counters.h"
#include "plan/render.h"
#include "plan/select.h"
#include "record/balance.h"
#include "record/event.h"

/* When records are held back as long as there is room, however far apart the buffers of the CPUs are read. */
enum session_hold {
	SESSION_HOLD_NEVER,
	SESSION_HOLD_WHERE_NEEDED, /* if bpftrace reads the buffers of the CPUs one after the other */
	SESSION_HOLD_ALWAYS,
};

struct session_options {
	const struct plan *plan;
	struct program program; /* the part of the plan that is run */
	char *bpftrace;		/* path */
	uint64_t duration_ns;	/* 0: until the command ends or a signal arrives */
	uint64_t attach_ns;	/* how long attaching may take; 0: five minutes */
	char *const *command;	/* NULL: none */
	int command_stdout;	/* where its output goes */
	bool reads_maps;	/* bpftrace reads maps while it counts: it runs with real-time priority, and missed probes are asked for */
	bool progress;		/* show on a terminal that probes are being attached */
	struct replaced_file *replaced; /* an output file that is replaced by root_helper_file_put(); may be NULL */
	bool stays_root;	/* the caller still needs root: privileges are not dropped */
	unsigned int map_keys;	/* room in each map; 0: bpftrace's default */
	enum session_hold hold;
	/* Takes each record in turn (borrowed). Any other value than 0 (-errno) ends the trace. */
	int (*take)(void *context, const struct record *r);
	/* Takes a line of a part that is not of the wire format, without its newline; false: the line is unknown. May be NULL. */
	bool (*take_line)(void *context, const char *line, size_t n);
	/* Root has been given up, and bpftrace attaches its probes: -errno with ret_error (the caller frees) ends it. May be NULL. */
	int (*unprivileged)(void *context, char **ret_error);
	/* Takes the program that bpftrace runs, once its probes are attached and before the first record. May be NULL. */
	void (*attached)(void *context, const char *program);
	/* Takes a remark for the user. May be NULL. */
	void (*remark)(const char *text);
	/* Takes a message of bpftrace, cleaned for a terminal. May be NULL. */
	void (*message)(void *context, const char *text);
	/* After each batch of records; may be NULL. Any other value than 0 ends the trace. */
	int (*flush)(void *context);
	/* The reason to end the trace now, or NULL. May be NULL. */
	const char *(*enough)(void *context);
	/* Counts of waits by event and source, where they are counted in the kernel and no record is made of each. May be NULL. */
	uint64_t (*waits_of)(void *context, const char *event, const char *source);
	/* Takes the counters of the audit when the trace begins; they are there until its end. NULL: there are none. May be NULL itself. */
	void (*audited)(void *context, struct kept_counters *kept);
	void *context;
};

struct session_result {
	struct balance balance;
	const char *why; /* the reason why the trace ended */
	uint64_t missed; /* runs of function probes that the kernel skipped; counted with reads_maps */
	int priority_error; /* -errno of giving bpftrace real-time priority, or 0 */
	int bpftrace_status; /* exit status, 128 + signal */
	bool unloaded;	/* the probed module was unloaded during the trace, and the probes with it */
	int take_error;	 /* what take or flush returned */
	int command_status; /* -1: none ran */
	json_t *audit;	   /* see kept_counters.h; NULL: there was none. The end record takes it over. */
	char audit_differs[AUDIT_WORDS_BYTES]; /* what KVM's own counters contradict; empty: nothing */
	int command_error; /* -errno where the command could not be run */
};

/*
 * Runs a trace. When bpftrace has started, this process drops root for good: its outputs are open by then, and later
 * privileged work goes through the root helper. SIGINT and SIGTERM end the trace in good order, a second one ends it at
 * once. 0, or -errno with ret_error (the caller frees) where the probes were never attached; else the result is set.
 */
int session_run(const struct session_options *options, struct session_result *ret, char **ret_error);

/* Was every counted event received or reported as lost? */
bool session_balances(const struct session_result *r);

#endif
