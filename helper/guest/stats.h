// SPDX-License-Identifier: Apache-2.0
// KVM's own counters of a vCPU, where the kernel has them (KVM_GET_STATS_FD, 5.14).
#ifndef KVMWAIT_GUEST_STATS_H
#define KVMWAIT_GUEST_STATS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	STAT_EXITS,
	STAT_IRQ_EXITS,
	STAT_IO_EXITS,
	STAT_HALTS,
	STAT_SPINS,
	STAT_CALLS,
	STAT_COUNT,
};

/* What KVM calls them on this architecture; NULL: it has no such counter. */
extern const char *const stats_names[STAT_COUNT];

struct stats {
	int fd;			/* -1: there are none */
	int64_t at[STAT_COUNT];	/* offsets in the file */
};

struct stats_values {
	uint64_t exits;		/* other than by an interrupt or port I/O */
	uint64_t halts, spins;
	uint64_t waits;		/* halts, and on arm64 calls, which may wait as well */
};

/* Never fails: without counters stats_read returns false. */
void stats_init(struct stats *stats, int vcpu_fd);
bool stats_read(const struct stats *stats, struct stats_values *ret_values);

#endif
