// SPDX-License-Identifier: Apache-2.0
// The lines that every script prints, and bpftrace's own among them.
//
//   kvmwait-wire 1 SCRIPT                                   first
//   kvmwait-part PART                                       next, for each part that goes with it
//   w TS CPU PID TID VCPU EVENT SOURCE TARGET COMM          an event; COMM is 16 bytes in hex
//   w ... COMM@IP:WHAT@                                     a spin, and where the guest was; see struct guest_place
//   <TAB>ADDRESS NAME...                                    a caller; follows the event or the switch it belongs to
//   o TS WAIT_TS CPU PID TID VCPU END HALT HALT_NS BOOSTED BOOSTED_TID OFF_NS READY_NS CPU_BEFORE
//                                                           what followed; END by name, HALT by number
//   u TS SEQ CPU PID TID VCPU VCPUS COMM, s TS SEQ CPU PID TID STATE NEXT COMM, r TS SEQ CPU TID AT NOW LIVE,
//   q TS SEQ CPU AT NOW LIVE GROUP CHANGE CGROUP QUOTA PERIOD, g TS SEQ CPU PID TID
//                                                           what the scheduler did; blame.part says what they mean
//   a TS PID VCPUS VALUE...                                  a vCPU is destroyed: how many its VM has, KVM's counters
//   @counted: N                                             such lines counted in the kernel, and the first line
#ifndef KVMWAIT_RECORD_WIRE_H
#define KVMWAIT_RECORD_WIRE_H

#include "record/event.h"

enum wire_kind {
	WIRE_NOTHING, /* blank, a comment, or bpftrace's talk */
	WIRE_BEGIN, /* name: of the script */
	WIRE_PART,  /* name: of the part */
	WIRE_WAIT,
	WIRE_OUTCOME,
	WIRE_FRAME,   /* number: an address; name: what bpftrace calls it, cut to fit, or empty; of the line above */
	WIRE_SCHED,
	WIRE_AUDIT,
	WIRE_COUNTED, /* number: lines that are records, without the first line */
	WIRE_LOST,    /* number: lines that bpftrace says it lost */
	WIRE_MALFORMED,
};

#define WIRE_AUDIT_VALUES 4

/* The last values of KVM's counters of a vCPU, in the order of the part that prints them. */
struct wire_audit {
	uint64_t ts_ns;
	uint32_t pid, n_vcpus;
	uint64_t values[WIRE_AUDIT_VALUES];
	size_t n_values;
};

struct wire_line {
	enum wire_kind kind;
	uint64_t number;
	struct record record; /* the wait, outcome or what the scheduler did */
	struct wire_audit audit;
	char name[FRAME_NAME_BYTES];
};

/* Reads one line (without its newline; it is not changed). Only a whole, well-formed line is an event. */
void wire_parse(const char *line, size_t n, struct wire_line *ret);

/* Does a line, perhaps cut short, begin as those that are counted do? */
bool wire_is_counted(const char *line, size_t n);

#endif
