// SPDX-License-Identifier: Apache-2.0
// Puts waits, outcomes and what the scheduler did in time order: buffers of several CPUs are read one after the other,
// so that neighbours in time can arrive far apart. Bounded in time and in number.
#ifndef KVMWAIT_RECORD_ORDER_H
#define KVMWAIT_RECORD_ORDER_H

#include "record/event.h"

/* How long an event is held back, in the time of the events. */
#define ORDER_WINDOW_NS 300000000u
#define ORDER_LANES 1024u

/*
 * The records of one CPU come in order as a rule, so they are held in runs, lists that are in order, and only the
 * oldest records of the runs have to be compared: a heap of some CPUs instead of one of all records. What does not fit
 * behind the last record of its CPU begins a run of its own; if nothing fits anywhere it is a heap of records.
 */
struct order {
	struct order_slot *slots; /* the records; those that are free are a list */
	struct order_run *runs;	  /* a heap, the oldest first */
	size_t n, n_runs, room;
	uint32_t free;		       /* the first free slot */
	uint32_t last[ORDER_LANES];    /* by CPU: the slot of the last record of the run that can go on */
	uint64_t newest_ns, released_ns, n_arrived;
	uint64_t window_ns; /* how long one is held back, in the time of the events */
	size_t most;	    /* how many are */
	uint64_t late; /* events older than one that has left already */
};

void order_init(struct order *o);
/* Holds events back as long as there is room for them, and four times as many. */
void order_hold(struct order *o);
void order_done(struct order *o);
/* A wait, an outcome, or what the scheduler did. */
void order_push(struct order *o, const struct record *r);
/*
 * Takes the oldest event if it is due: older than before_ns, or older than the newest by the window, or the
 * buffer is full. before_ns 0: no limit by the clock; UINT64_MAX: everything is due.
 */
bool order_pop(struct order *o, uint64_t before_ns, struct record *ret);

#endif
