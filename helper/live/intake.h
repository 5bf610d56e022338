// SPDX-License-Identifier: Apache-2.0
// Turns the lines that bpftrace prints into records in time order, and keeps the balance of them.
#ifndef KVMWAIT_LIVE_INTAKE_H
#define KVMWAIT_LIVE_INTAKE_H

#include "live/session.h"
#include "live/stacks.h"
#include "live/symbolize.h"
#include "live/vm_name.h"
#include "record/balance.h"
#include "record/order.h"
#include "record/outcome_join.h"

struct intake {
	const struct session_options *options; /* records go to its take() */
	struct balance balance;
	int error; /* the first error of take() or flush(): no record is given after it */
	bool holds; /* records leave by the time of the events alone, never by the clock */
	struct order order;
	struct outcomes *outcomes;	/* NULL: the program has no part "outcome" */
	struct symbolizer *symbolizer;	/* NULL: the program has no part "callers" */
	struct vmnames *names;
	struct kept_counters *kept; /* NULL: there is no audit */
	struct stacks *stacks; /* of switches */
	struct record held; /* a wait or a switch whose callers follow; its type is RECORD_META where there is none */
	uint64_t callers[CALLERS_MAX];
	char caller_names[CALLERS_MAX][FRAME_NAME_BYTES];
	size_t n_callers;
	struct intake_cpu *cpus; /* the last numbered line of each CPU */
	size_t n_cpus;
	uint64_t record_ns; /* when the last record arrived */
};

/* What the caller does with a line. */
enum intake_line {
	INTAKE_TAKEN,
	INTAKE_SCRIPT_BEGINS, /* the first line of the script */
	INTAKE_MESSAGE,	      /* bpftrace's own words: see message_log.h */
};

/* 0, or -errno with ret_error (the caller frees). Call intake_done() in either case. */
int intake_init(struct intake *in, const struct session_options *options, bool holds, char **ret_error);
void intake_done(struct intake *in);

/* Takes a line that was read at now_ns (of the monotonic clock), without its newline. */
enum intake_line intake_take(struct intake *in, const char *line, size_t n, bool from_stdout, uint64_t now_ns);
/* Takes what is there of a line that is too long or ends without a newline. It is a message as well. */
void intake_take_part(struct intake *in, const char *line, size_t n, bool from_stdout);

/* Gives a record that is not an event, and drops the reference to the object. */
void intake_give(struct intake *in, enum record_type type, json_t *object);
void intake_flush(struct intake *in);
/* Gives the records that are due at now_ns, and flushes. */
void intake_release(struct intake *in, uint64_t now_ns);
/* After the last line: gives all that is left, settles the balance, and gives a lost record for what never arrived. */
void intake_finish(struct intake *in);

#endif
