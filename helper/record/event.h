// SPDX-License-Identifier: Apache-2.0
// The events and records of the common schema, and the names in them.
#ifndef KVMWAIT_RECORD_EVENT_H
#define KVMWAIT_RECORD_EVENT_H

#include "base/text.h"

#include <jansson.h>

#define COMM_BYTES 16
#define NAME_BYTES 16
#define CLEAN_COMM_BYTES (4 * COMM_BYTES + 1)
#define CALLERS_MAX 32 /* names in the chain of a wait */
#define FRAME_NAME_BYTES 64 /* of a function in a stack; a longer name is cut */
#define SYMBOL_BYTES 512 /* as long as the kernel makes a symbol */

/* Where the guest was at a spin. */
enum guest_known {
	GUEST_IP = 1,	  /* ip is known */
	GUEST_MODE = 2,	  /* the mode is known */
	GUEST_KERNEL = 4, /* and is that of the kernel: CPL 0, or not EL0 */
};
struct guest_place {
	uint64_t ip;
	uint64_t offset;    /* of ip in the function */
	const char *symbol; /* the function, borrowed; NULL: not known */
	unsigned int known; /* mask of enum guest_known; 0: nothing */
};

/* One event. All fields as the kernel gave them; comm may hold any bytes up to its first NUL. */
struct wait_event {
	uint64_t ts_ns; /* CLOCK_BOOTTIME */
	int64_t target; /* the guest's value, or -1 */
	int64_t vcpu;
	uint32_t cpu, pid, tid;
	char comm[COMM_BYTES + 1];
	char event[NAME_BYTES]; /* the bytes behind it are 0, as those of source: names are compared whole */
	char source[NAME_BYTES];
	const char *vm; /* name of the VM, borrowed; NULL: the TGID stands for it */
	const struct strings *callers; /* the probed function, its caller, and so on; borrowed; NULL: not asked for */
	struct guest_place guest;      /* of a spin, where it was asked for */
};

/* What KVM's own wake-up tracepoint told of a HLT. */
enum halt_kind {
	HALT_NONE, /* nothing: it is no HLT, or KVM did not wait for it */
	HALT_POLLED,
	HALT_BLOCKED,
	HALT_KINDS,
};
extern const char *const halt_names[HALT_KINDS];

/* How a wait ended. */
enum outcome_end {
	OUTCOME_RUN,	/* the vCPU entered the guest again */
	OUTCOME_USER,	/* KVM handed it to user space: a HLT without a local APIC in the kernel, or a signal */
	OUTCOME_GONE,	/* the thread ended */
	OUTCOME_UNSEEN, /* it was not received, or the trace ended first: no other field holds */
	OUTCOME_ENDS,
};
extern const char *const outcome_end_names[OUTCOME_ENDS];

/* What followed one wait: that of the same tid with ts_ns equal to wait_ns. */
struct outcome_event {
	uint64_t ts_ns; /* the end of it */
	uint64_t wait_ns;
	int64_t vcpu;
	int64_t boosted; /* vCPU id that was boosted; -1: none, or a thread whose id is not known */
	uint64_t halt_ns, off_ns, ready_ns;
	uint32_t cpu, cpu_before, pid, tid, boosted_tid;
	enum halt_kind halt;
	enum outcome_end end;
	char event[NAME_BYTES]; /* of the wait; empty where that was not received */
	char source[NAME_BYTES];
	const char *vm; /* as in struct wait_event */
};

/* What the scheduler did with the threads of vCPUs, and with others on their CPUs. */
enum sched_kind {
	SCHED_VCPU,   /* the thread has begun to run a vCPU */
	SCHED_SWITCH, /* the thread leaves the CPU to another */
	SCHED_READY,  /* a vCPU's thread is runnable on a CPU: woken, or moved */
	SCHED_GONE,   /* a vCPU's thread ends */
	SCHED_QUOTA,  /* a CPU quota begins or ends to throttle a group on a CPU */
	SCHED_BLIND,  /* no line: from here on lines of this CPU are missing, */
	SCHED_SIGHT,  /* and from here on no longer */
	SCHED_KINDS,
};

#define SCHED_LEVELS_UNKNOWN 63u

enum quota_change {
	QUOTA_ENDS,
	QUOTA_STOPS_EACH, /* the threads of the group are stopped one by one */
	QUOTA_STOPS_ALL,
	QUOTA_CHANGES,
};

/* The CPU quota of a cgroup. */
struct quota {
	uint64_t cgroup; /* its inode; 0: not known */
	uint64_t quota_ns, period_ns;
};

struct sched_event {
	uint64_t ts_ns;
	uint64_t seq; /* of the lines of this CPU */
	int64_t vcpu;	/* VCPU */
	uint32_t vcpus; /* VCPU: how many its VM has */
	uint32_t cpu, pid, tid; /* READY: no pid */
	uint32_t at;		/* READY: the CPU it waits for; QUOTA: the CPU */
	uint32_t next;		/* SWITCH: who has the CPU now */
	uint32_t now;		/* READY, QUOTA: who has it, where that is known */
	bool runnable;		/* SWITCH: the thread could run on */
	bool halted;		/* SWITCH, not runnable: it blocks in a HLT */
	bool has_stack;		/* SWITCH: its stack follows */
	bool now_known, live;	/* READY, QUOTA; live: the switches of that CPU have been told */
	/* SWITCH of a vCPU's thread that is runnable, READY, QUOTA: the group that a quota can throttle; 0: not known */
	uint64_t group;
	unsigned int levels; /* SWITCH, READY: how many quotas throttle the group on this CPU; SCHED_LEVELS_UNKNOWN */
	bool held;		/* SWITCH, READY: a quota stops the thread */
	bool core, other_cookie; /* SWITCH, READY: core scheduling is on; READY: the core runs threads of another cookie */
	enum quota_change change; /* QUOTA */
	struct quota quota;	  /* QUOTA */
	enum sched_kind kind;
	char comm[COMM_BYTES + 1]; /* VCPU, SWITCH: of the thread */
	const char *vm;		   /* VCPU: as in struct wait_event */
	const struct strings *stack; /* SWITCH: functions, the innermost first; borrowed; NULL: not known */
};

enum record_type {
	RECORD_META,
	RECORD_WAIT,
	RECORD_OUTCOME,
	RECORD_LOST,
	RECORD_END,
	RECORD_STAT,
	RECORD_PLAN,
	RECORD_BLAME,
	RECORD_TYPES,
	RECORD_SCHED = RECORD_TYPES, /* never leaves: it has no schema */
};

/* A record: a wait, an outcome or what the scheduler did, or any other as the object it is in JSON. */
struct record {
	enum record_type type;
	union {
		uint64_t ts_ns; /* of wait, outcome and sched, which begin with it */
		struct wait_event wait;
		struct outcome_event outcome;
		struct sched_event sched;
	};
	json_t *object; /* owned by whoever made the record */
};

struct event_kind {
	const char *name;
	unsigned int bit; /* in the filter of a script */
	const char *help;
};
extern const struct event_kind event_kinds[]; /* ends with a nameless one; bit N is row N */
extern const size_t n_event_kinds;

/* The bit of an event, or 0. */
unsigned int event_bit(const char *name);
/* A vCPU spins or gives way; a HLT is no spin. */
bool event_is_spin(unsigned int bit);

/* A count in an object of a stranger's: 0 where it is missing, negative or no number. */
uint64_t json_count(json_t *object, const char *field);
/* A list of strings as a JSON array; the caller owns it. */
json_t *strings_json(const struct strings *list);

/* "kernel" or "user"; NULL where the mode is not known. */
const char *guest_mode_name(const struct guest_place *g);

/* The name of a wait's thread as text_clean() has it: that of the event itself where nothing has to be cleaned. */
const char *wait_comm(const struct wait_event *w, char clean[CLEAN_COMM_BYTES], size_t *ret_n);
/* Does the outcome belong to a HLT? Without its wait, KVM's wake-up decides. */
bool outcome_is_halt(const struct outcome_event *o);

#endif
