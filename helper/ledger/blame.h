// SPDX-License-Identifier: Apache-2.0
// Who or what occupied the CPU that a runnable vCPU waited for, and which spins of its VM awaited it.
// Pure: is given waits and what the scheduler did, in time order.
#ifndef KVMWAIT_LEDGER_BLAME_H
#define KVMWAIT_LEDGER_BLAME_H

#include "plan/render.h"
#include "record/event.h"

/*
 * The time that a vCPU's thread is runnable and off its CPU belongs to what it waits for: each of its nanoseconds to one row.
 *
 * A spin is a pause-loop exit or a paravirtual yield. At each spin every sibling, that is every other vCPU of the
 * VM, is looked at: one that is runnable but off its CPU is waited for, and the thread that has that CPU at this
 * moment is the culprit. A spin with two such siblings counts in two rows.
 *
 * The spun time of a row: of the spans in which the sibling was runnable and off its CPU, from the first spin of its VM
 * within a span to the last one within it, what the culprit had that CPU.
 *
 * Nothing is guessed. Who waits is unknown while lines of a CPU are missing (SCHED_BLIND to SCHED_SIGHT), then of each
 * sibling until the scheduler is heard of it again, and as long as its thread was never seen. A record that comes too
 * late for its turn is as one that was lost.
 */

enum culprit_kind {
	CULPRIT_SELF,	 /* the vCPU that spins has the sibling's CPU */
	CULPRIT_SIBLING, /* another vCPU of the VM */
	CULPRIT_VCPU,	 /* a vCPU of another VM */
	CULPRIT_HOST,	 /* any other thread */
	CULPRIT_THROTTLED, /* a CPU quota stops the thread */
	CULPRIT_FORCED_IDLE, /* nobody: core scheduling keeps the CPU idle */
	CULPRIT_WAKEUP,	 /* nobody: the CPU was idle when the thread became runnable, and takes it up */
	CULPRIT_IDLE,	 /* nobody, for another reason */
	CULPRIT_UNKNOWN,
	CULPRIT_KINDS,
};
extern const char *const culprit_names[CULPRIT_KINDS];

/* The spins of one VM. */
struct blame_vm {
	uint32_t tgid;
	char *name; /* or NULL */
	uint32_t vcpus; /* how many it has; 0: not known */
	uint32_t unseen; /* of them: their threads were never seen */
	uint64_t spins;
	uint64_t blamed;   /* of the spins: a sibling was runnable off its CPU */
	uint64_t unblamed; /* every sibling ran, or had nothing to do */
	uint64_t unknown;  /* neither can be said */
};

struct blame_row {
	const struct blame_vm *vm;
	int64_t vcpu; /* that is waited for */
	enum culprit_kind kind;
	uint32_t tid, tgid;		   /* of the culprit; tgid 0: not known */
	const struct blame_vm *culprit_vm; /* where it is a vCPU */
	int64_t culprit_vcpu;
	char comm[COMM_BYTES + 1]; /* empty: not known */
	struct quota quota; /* of THROTTLED; cgroup 0: not known which */
	char *cgroup;	    /* its path below the mount point, or NULL */
	uint64_t spins;
	uint64_t targeted; /* of the spins: the guest named this vCPU's id as the target of its yield */
	uint64_t ready_ns; /* all of the time that this kept the vCPU off a CPU */
	uint64_t spun_ns;  /* of it: between spins of the VM */
};

/* The time of a vCPU since its thread was first seen. */
struct blame_vcpu {
	const struct blame_vm *vm;
	int64_t vcpu;
	uint64_t run_ns, ready_ns, blocked_ns; /* on a CPU, runnable, blocked */
	uint64_t halt_ns, host_ns;	       /* of blocked_ns: in a HLT, elsewhere; where neither, that is not known */
	uint64_t unknown_ns;		       /* records are missing */
};

/* What the thread of a vCPU slept in outside of a HLT. */
struct blame_sleep {
	const struct blame_vm *vm;
	int64_t vcpu;
	char name[FRAME_NAME_BYTES]; /* of scripts/sleep.list, or a function of the kernel, or "unknown" */
	uint64_t times, ns;
};

/* Finds TGID and name of a thread that is not known from the records; false: neither can be found. */
typedef bool (*blame_look)(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm);

/* Finds the path of the cgroup of that inode, from the thread TID in it or below it; NULL: it cannot be found. The caller frees. */
typedef char *(*blame_look_cgroup)(void *context, uint32_t tid, uint64_t inode);

struct blame;
struct sleep_rules;
/* The rules (NULL: sleeps have no names) have to stay. */
struct blame *blame_new(blame_look look, blame_look_cgroup look_cgroup, const struct sleep_rules *rules, void *context);
void blame_free(struct blame *b);

/* Which VMs and vCPUs the results are of: TGIDs and vCPU ids of the filter. Rows with spins stay, whichever vCPU they are of. */
void blame_filter(struct blame *b, const struct filter *filter);

/* Takes a wait or what the scheduler did; any other record is let pass. */
void blame_take(struct blame *b, const struct record *r);
/* Ends the account at the last record: time that is still open is added to the rows. */
void blame_end(struct blame *b);
/* The vCPUs by VM and id. The array is the caller's to free. */
size_t blame_vcpus(const struct blame *b, struct blame_vcpu **ret);
/* What the vCPUs slept in, longest first. The array is the caller's to free, what it points to is not. */
size_t blame_sleeps(const struct blame *b, const struct blame_sleep ***ret);
/* The VMs that spun, those with most spins first. The array is the caller's to free, what it points to is not. */
size_t blame_vms(const struct blame *b, const struct blame_vm ***ret);
/* The rows, worst first. Likewise. */
size_t blame_list(struct blame *b, const struct blame_row ***ret);

#endif
