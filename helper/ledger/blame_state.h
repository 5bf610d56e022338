// SPDX-License-Identifier: Apache-2.0
// What blame knows of threads, CPUs and quotas while it takes records.
#ifndef KVMWAIT_LEDGER_BLAME_STATE_H
#define KVMWAIT_LEDGER_BLAME_STATE_H

#include "base/table.h"
#include "ledger/blame_rows.h"
#include "ledger/blame_sleep.h"

enum thread_state {
	THREAD_UNKNOWN,
	THREAD_RUNNING,
	THREAD_READY, /* runnable, off its CPU */
	THREAD_BLOCKED,
};

/* Time after the last spin, which counts if there is another one within the span. */
struct pending {
	struct culprit culprit;
	uint64_t ns;
};

/* The thread of a vCPU. */
struct vcpu_thread {
	uint32_t tid; /* the key; first, so that a key alone can be looked up */
	struct vm_seats *vm;
	int64_t vcpu;
	enum thread_state state;
	uint32_t cpu;
	struct vcpu_thread *next_ready; /* on this CPU */
	size_t seat;		   /* in its VM */
	uint64_t since_ns;	   /* up to here its time is in the account of its vCPU and in rows */
	bool halted;		   /* while it is blocked: in a HLT */
	struct blame_sleep *sleep; /* while it is blocked outside of a HLT; NULL: it is not, or that is not known */
	uint64_t group;		   /* while it is ready: see struct sched_event */
	bool held, core, other_cookie;
	uint64_t cpu_switches;	   /* of its CPU when it became ready there */
	bool spun;		   /* since it is ready there was a spin */
	uint64_t charged_ns;	   /* up to here the time between spins is in rows or pending */
	struct pending *pending;
	size_t n_pending, room;
};

struct vm_seats {
	struct blame_vm v; /* first: the key is its TGID */
	/* Each vCPU that was seen, with its thread or NULL where that has ended. */
	struct seat {
		int64_t vcpu;
		struct vcpu_thread *thread;
		struct blame_vcpu time;
	} *seats;
	size_t n_seats;
};

struct cpu {
	bool known;
	uint32_t now;
	uint64_t switches;
	struct vcpu_thread *ready;
};

/* A group whose threads a quota can stop, on one CPU. */
struct queue {
	uint64_t group, cpu; /* the key */
	unsigned int levels; /* quotas that throttle it here */
	bool stops_all;	     /* all its threads at once */
	struct quota quota;  /* one of them; cgroup 0: not known */
};

struct blame {
	struct table threads, vms; /* by the id that an entry begins with */
	struct table queues;
	struct blame_rows rows;
	struct blame_sleeps sleeps;
	struct filter filter; /* of the results */
	struct cpu *cpus;
	size_t n_cpus;
	unsigned int blind; /* CPUs of which lines are missing now */
	uint64_t now_ns;
};

#endif
