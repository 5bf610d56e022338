// SPDX-License-Identifier: Apache-2.0
// The block of memory through which a vCPU's machine code and the program outside of the VM talk to each other.
#ifndef KVMWAIT_GUEST_CONTROL_H
#define KVMWAIT_GUEST_CONTROL_H

/* Offsets in struct control, for the assembler. */
#define CTL_PROGRESS	0
#define CTL_WANT	8
#define CTL_DONE	16
#define CTL_IRQS	24
#define CTL_LEAVE	32

#ifndef __ASSEMBLER__
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* One for each vCPU, in guest memory. The guest writes the first four, the host writes the rest. */
struct control {
	volatile uint64_t progress;	/* rounds finished */
	volatile uint64_t want;		/* waits about to begin */
	volatile uint64_t done;		/* waits left behind */
	volatile uint64_t irqs;		/* interrupts taken */
	volatile uint64_t leave;	/* a busy vCPU may end */
	/* On x86: Xen's struct sched_poll, and the port that it points to. */
	uint64_t poll_ports;
	uint32_t poll_nr_ports;
	uint32_t poll_pad;
	uint64_t poll_timeout;
	uint32_t poll_port;
};

static_assert(offsetof(struct control, progress) == CTL_PROGRESS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, want) == CTL_WANT, "the assembler's offset is wrong");
static_assert(offsetof(struct control, done) == CTL_DONE, "the assembler's offset is wrong");
static_assert(offsetof(struct control, irqs) == CTL_IRQS, "the assembler's offset is wrong");
static_assert(offsetof(struct control, leave) == CTL_LEAVE, "the assembler's offset is wrong");
static_assert(offsetof(struct control, poll_timeout) == offsetof(struct control, poll_ports) + 16,
	      "not Xen's struct sched_poll");
#endif

#endif
