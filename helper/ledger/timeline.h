// SPDX-License-Identifier: Apache-2.0
// What the vCPUs of one recording did over time, from waits and their outcomes: exact sums, and pictures of at most
// TIMELINE_BINS stretches of time, so that memory does not grow with the length. Pure.
#ifndef KVMWAIT_LEDGER_TIMELINE_H
#define KVMWAIT_LEDGER_TIMELINE_H

#include "base/table.h"
#include "ledger/counts_rows.h"
#include "record/event.h"

#define TIMELINE_BINS 600
#define TIMELINE_VCPUS 16384  /* vCPUs with sums of their own; later ones count in the host's */
#define TIMELINE_SOURCES 16
#define TIMELINE_EVENTS 4 /* event_kinds, and others */

enum timeline_state {
	TIME_BETWEEN,  /* from the end of one wait in the guest to the next wait of the same thread */
	TIME_POLLED,   /* HLTs for which KVM polled, less the time runnable; so the next four */
	TIME_BLOCKED,
	TIME_UNWAITED, /* HLTs for which KVM did not wait */
	TIME_YIELDING,
	TIME_SPINNING,
	TIME_READY,    /* runnable but not running, in any wait; drawn as the end of it */
	TIME_UNKNOWN,  /* outcomes that were not seen, and what follows a wait that user space got */
	TIMELINE_STATES,
};
extern const char *const timeline_state_names[TIMELINE_STATES];

/* All of these are integers of 64 bits: timeline_add() rests on it. */
struct timeline_sums {
	uint64_t waits[TIMELINE_EVENTS];
	uint64_t ends[OUTCOME_ENDS]; /* of outcomes */
	uint64_t ns[TIMELINE_STATES];
	uint64_t halts[HALT_KINDS]; /* HLTs whose end was seen while their thread lived, and how long they took */
	uint64_t buckets[HALT_KINDS][COUNTS_BUCKETS];
	uint64_t boosted;	 /* waits that gave the CPU to another thread */
	uint64_t open;		 /* waits without an outcome when the recording ended */
	uint64_t contradictions; /* outcomes with more time runnable than in all: their time is unknown */
	uint64_t longest_halt_ns;
};
void timeline_add(struct timeline_sums *to, const struct timeline_sums *from);

struct timeline_bins {
	uint64_t ns[TIMELINE_STATES][TIMELINE_BINS];
	uint32_t waits[TIMELINE_EVENTS][TIMELINE_BINS];
};

struct timeline_vcpu {
	int64_t vcpu;
	uint32_t pid;
	char *vm; /* name, or the TGID as text */
	struct timeline_sums sums;
	struct timeline_bins *bins; /* NULL: beyond what is tracked */
	uint32_t tid;
	bool waiting, between; /* what goes on since since_ns; neither: it is not known */
	bool heard;
	uint64_t since_ns;
	uint64_t first_ns, last_ns; /* heard of */
};

struct timeline_source {
	char event[NAME_BYTES], source[NAME_BYTES]; /* empty: all that found no place */
	uint64_t waits;
};

struct timeline {
	uint64_t start_ns, last_ns;
	uint64_t width_ns; /* of a bin */
	bool started, has_outcomes;
	struct timeline_vcpu **vcpus; /* in the order they were heard of */
	size_t n_vcpus, n_tracked, max_tracked;
	uint64_t beyond;	   /* waits and outcomes of vCPUs beyond TIMELINE_VCPUS */
	struct timeline_sums sums; /* of all */
	struct timeline_bins bins;
	uint64_t lost[TIMELINE_BINS]; /* reported as lost, where the report stands */
	struct timeline_source sources[TIMELINE_SOURCES];
	size_t n_sources;
	struct table by_key;
};

/* Of so many vCPUs stretches are kept, 48 kB each; later ones have sums, and their part in those of all. */
struct timeline *timeline_new(size_t max_tracked);
void timeline_free(struct timeline *t);
/* When tracing began; else the first record says it. */
void timeline_start(struct timeline *t, uint64_t start_ns);
/* Takes a wait or an outcome; of any other record nothing. */
void timeline_take(struct timeline *t, const struct record *r);
void timeline_lost(struct timeline *t, uint64_t ts_ns, uint64_t n);
/* Once, at the end: of waits that are open nothing is known. */
void timeline_end(struct timeline *t, uint64_t end_ns);
/* Bins in use. */
size_t timeline_n_bins(const struct timeline *t);

/* A line of the picture: a vCPU, or others together. */
struct timeline_line {
	const struct timeline_vcpu *vcpu; /* the one, or one of the VM; NULL: of any */
	size_t n_vcpus;
	struct timeline_bins *bins; /* the caller frees those of lines that are not of one vCPU */
};
/*
 * The vCPUs, worst first (time spinning, yielding and runnable), at most max lines, then the others by VM, at most
 * max_vms lines, and in a last line what is left. n_vcpus 0: records of more vCPUs than are counted.
 */
size_t timeline_lines(const struct timeline *t, size_t max, size_t max_vms, struct timeline_line **ret);
void timeline_lines_free(struct timeline_line *lines, size_t n);
/* The vCPUs, those of a VM together, the VM with the worst vCPU first, and within a VM by id. The caller frees the array. */
void timeline_by_vm(const struct timeline *t, const struct timeline_vcpu ***ret);
bool timeline_same_vm(const struct timeline_vcpu *a, const struct timeline_vcpu *b);

#endif
