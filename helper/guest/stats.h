// SPDX-License-Identifier: Apache-2.0
// KVM's own counters of a vCPU, where the kernel has them (KVM_GET_STATS_FD, 5.14).
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct stats {
	int fd;			/* -1: there are none */
	int64_t exits_at, irq_exits_at, io_exits_at, halt_exits_at;	/* offsets in the file */
};

struct stats_values {
	uint64_t exits;		/* other than by an interrupt or port I/O */
	uint64_t halts;
};

/* Never fails: without counters stats_read returns false. */
void stats_init(struct stats *stats, int vcpu_fd);
bool stats_read(const struct stats *stats, struct stats_values *ret_values);
