// SPDX-License-Identifier: Apache-2.0
// A vCPU's thread: does the tasks of its vCPU one after the other and notes what became of each.
#ifndef KVMWAIT_GUEST_VCPU_H
#define KVMWAIT_GUEST_VCPU_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "plan.h"
#include "stats.h"
#include "vm.h"

struct vcpu {
	struct vm_vcpu kvm;
	struct plan *plan;
	struct stats stats;
	pthread_t thread;
	/* The thread writes these, the watch reads them. */
	atomic_llong deadline_ns;	/* of the task at hand, CLOCK_MONOTONIC; 0: none */
	atomic_bool wakes;		/* the task at hand wants interrupts */
	atomic_bool pauses;		/* it executes PAUSE */
	atomic_llong wake_after_ns;
	atomic_bool wakes_halted;	/* interrupts are to find it halted */
	atomic_bool suspends;		/* ... and suspended */
	atomic_ullong waits_before;	/* what KVM had counted when the task began */
	atomic_uint tasks_begun;
	atomic_bool holding;		/* the task at hand goes on until it is told to end */
	atomic_bool finished;
	atomic_flag at_barrier;		/* it has been counted there */
	/* The other way around. */
	atomic_int stop;		/* enum stop: leave the task */
	/* The watch's own. */
	uint64_t wake_seen, waits_seen, progress_seen;
	unsigned int wake_task;
	bool suspended;
	int64_t wake_since_ns, progress_cpu_ns;
};

enum stop {
	STOP_NO,
	STOP_TIME,	/* the time was up */
	STOP_STUCK,	/* a PAUSE makes no progress */
};

/* Makes the vCPU. 0 or -errno. */
int vcpu_init(struct vcpu *vcpu, struct vm *vm, struct plan *plan, unsigned int id);
/* Lets it run once, so that its memory is mapped before anything counts. 0 or -errno. */
int vcpu_try(struct vcpu *vcpu);
/* Starts the thread; it stands at the plan's barrier and then works. 0 or -errno. */
int vcpu_start(struct vcpu *vcpu);
/* Counts the vCPU at the plan's barrier, once. */
void vcpu_at_barrier(struct vcpu *vcpu);
/* Looks after a vCPU: wakes it from its HLTs and stops what goes on for too long. Call it every millisecond or so. */
void vcpu_watch(struct vcpu *vcpu);

#endif
