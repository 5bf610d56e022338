// SPDX-License-Identifier: Apache-2.0
// The table of operations: what each does in a guest, the event it makes, and how to tell that it did.
#ifndef KVMWAIT_GUEST_OPS_H
#define KVMWAIT_GUEST_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "arch.h"
#include "host.h"

const char *flavour_name(enum flavour flavour);

enum state {
	STATE_TODO,
	STATE_DONE,
	STATE_COULD_NOT,	/* not on this host; why says so */
	STATE_FAILED,		/* it should have worked; why says what happened */
};

/* What became of an operation on one vCPU. */
struct result {
	enum state state;
	bool ran;		/* it was begun: events may have happened whatever the state */
	bool known;		/* events is exact */
	bool assumed;		/* exact if each PAUSE exits, which this kernel has no way to tell */
	bool skipped;		/* by the caller */
	uint64_t events;
	uint64_t quiet;		/* of the kind that must not count */
	uint64_t executed;	/* rounds that ended */
	uint64_t elapsed_ns;	/* what they took, by the clock */
	char why[200];
};

/* What was measured over all the rounds. */
struct measure {
	uint64_t planned;
	uint64_t rounds;
	uint64_t matched;	/* rounds with the expected result */
	uint64_t last;		/* the last result */
	uint64_t user_hlts;	/* KVM_EXIT_HLT, or wake-ups of a vCPU that user space had suspended */
	uint64_t waits;		/* times the thread slept */
	bool pause_loops;	/* a round is a loop of PAUSEs, which exits as often as the processor likes (VMX) */
	bool stats;		/* the next three are valid */
	uint64_t exits;		/* VM exits other than by an interrupt or port I/O */
	uint64_t halts;		/* what KVM counted of HLTs, or of WFIs */
	uint64_t spins;		/* ... and of WFEs */
	int64_t elapsed_ns;
};

struct op {
	const char *name, *event, *source;	/* source NULL: the vendor's */
	const char *help;
	enum flavour flavour;
	enum code code;
	bool quiet;		/* must not count */
	bool target;		/* takes :TARGET */
	bool pause;		/* executes PAUSE outside of a nested guest */
	bool wakes;		/* needs an interrupt after each HLT */
	bool wakes_halted;	/* not before KVM has counted the exit: on arm64 a WFI would be none */
	bool suspends;		/* user space suspends the vCPU while it waits */
	bool slow;		/* takes milliseconds a round; the standard plan does few */
	bool cpl3;
	bool on_demand;		/* not part of the standard plan */
	bool holds;		/* goes on until the VM's other vCPUs are done, from before the barrier */
	bool user_hlt;		/* KVM_EXIT_HLT is part of it */
	int64_t wake_after_ns;
	uint64_t nr;		/* of a call */
	uint64_t expect;	/* its result, or the exit code of a nested guest */
	void (*set)(const struct site *site);
	const char *(*why_not)(const struct host *host);	/* NULL: it can be done here */
	void (*judge)(const struct op *op, const struct measure *m, struct result *result);
};

/* In the directory of the architecture. */
extern const struct op ops[];
extern const unsigned int ops_count;

/* Index into ops, or -1. */
int ops_find(const char *name);

/* What judges have in common. */
void judge_fail(struct result *result, const char *what, uint64_t got, uint64_t of);
void judge_done(const struct op *op, struct result *result, uint64_t count);
/* Whether each call had the expected result; if not, the operation has failed. */
bool judge_calls(const struct op *op, const struct measure *m, struct result *result);
/* A call that is done when each had the expected result. */
void judge_call(const struct op *op, const struct measure *m, struct result *result);
/* One that does nothing KVM sees. */
void judge_busy(const struct op *op, const struct measure *m, struct result *result);

#endif
