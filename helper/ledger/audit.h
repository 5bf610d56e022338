// SPDX-License-Identifier: Apache-2.0
// The audit: what the probes counted against counters that KVM keeps by itself, over the same stretch of time. Pure.
//
// KVM's counters are read four times: before the probes are attached (BEFORE), after that (BEGUN), before the probes
// stop (ENDING) and after that (AFTER); in between from time to time (RUNNING). The probes were at work at least from
// BEGUN to ENDING and at most from BEFORE to AFTER, so their count has to lie between the two differences. A VM that
// ends takes its counters with it: a line of the part 'audit' has their last values.
#ifndef KVMWAIT_LEDGER_AUDIT_H
#define KVMWAIT_LEDGER_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_COUNTERS 4 /* at most */

enum audit_reading {
	AUDIT_BEFORE,
	AUDIT_BEGUN,
	AUDIT_RUNNING,
	AUDIT_ENDING,
	AUDIT_AFTER,
	AUDIT_READINGS,
};

struct audit;
struct audit *audit_new(size_t n_counters);
void audit_free(struct audit *a);

/* A reading begins, at that time (CLOCK_BOOTTIME). Then audit_vm() for each VM, then audit_read(). */
void audit_read_begin(struct audit *a, enum audit_reading reading, uint64_t ts_ns);
/* A VM by the name of its directory, with its number of vCPUs and its counters. */
void audit_vm(struct audit *a, const char *name, unsigned int n_vcpus, const uint64_t values[AUDIT_COUNTERS]);
void audit_read_end(struct audit *a, uint64_t ts_ns);

/* A vCPU that was destroyed at that time: its process, how many vCPUs its VM had, and its counters. */
void audit_vcpu_ended(struct audit *a, uint64_t ts_ns, uint32_t pid, uint32_t n_vcpus, const uint64_t values[AUDIT_COUNTERS]);

/* When the reading BEGUN began; 0: not yet. Events from then on are all in what KVM counted from BEFORE on. */
uint64_t audit_begun_ns(const struct audit *a);

/* What the probes counted of one counter. */
struct audit_seen {
	uint64_t all;	/* since they were attached */
	uint64_t since; /* of these, from audit_begun_ns() on; the same as `all` where times are not known */
	uint64_t lost;	/* counted, but never received: any of them may be of this counter */
	bool sees_ends; /* the lines for vCPUs that are destroyed were asked for */
};

struct audit_result {
	uint64_t kernel_least, kernel_most; /* what KVM counted meanwhile */
	bool bounded;	    /* kernel_most is known */
	uint64_t in_flight; /* vCPUs that may have been between probe and counter at a reading */
	int64_t difference; /* 0: they agree; else how far the probes' count is from the nearest of the two */
};
void audit_judge(const struct audit *a, size_t counter, const struct audit_seen *seen, struct audit_result *ret);

#endif
