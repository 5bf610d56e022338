// SPDX-License-Identifier: Apache-2.0
// The options that trace, stat, blame and record share: filters, how long, and which bpftrace.
#ifndef KVMWAIT_CMD_LIVE_OPTIONS_H
#define KVMWAIT_CMD_LIVE_OPTIONS_H

#include "base/clock.h"
#include "cmd/options.h"
#include "live/guest_symbols.h"
#include "plan/render.h"

struct live_options {
	struct filter filter;
	uint64_t duration_ns, attach_ns; /* 0: no limit, the default */
	const char *bpftrace;
	bool wait, verbose;
};

extern const struct choices event_choices, spin_choices, by_choices, column_choices;

/* 0, or an exit code after the message. */
int live_add_pid(void *filter, const char *word);
int live_add_vm(void *filter, const char *word);
int live_add_vcpu(void *filter, const char *word);
/* `symbols` is a struct guest_symbols *. */
int live_add_guest_symbols(void *symbols, const char *word);
/* There have to be addresses for the names. 0, or an exit code after the message. */
int live_check_guest_symbols(const struct guest_symbols *symbols, bool guest_ip);

/* Rows for a command whose settings have a member `live`. */
#define OPTION_DURATION { 'd', "duration", "SEC", "end after so many seconds (fractions too)", TO_SECONDS(live.duration_ns), .min = 1 }
#define OPTION_PID \
	{ 'p', "pid", "TGID", "only this process (repeatable, or a list with commas; 8 at most)", \
	  TO_EACH(live.filter, struct filter, live_add_pid) }
#define OPTION_VM \
	{ 0, "vm", "NAME", "only the running VMs of this name or id (repeatable, or a list with commas)", \
	  TO_EACH(live.filter, struct filter, live_add_vm) }
#define OPTION_VCPU \
	{ 0, "vcpu", "N", "only this vCPU (repeatable, or a list with commas; within 63 ids)", \
	  TO_EACH(live.filter, struct filter, live_add_vcpu) }
#define OPTION_EVENT { 'e', "event", "LIST", "only these events", TO_SET(live.filter.events, &event_choices) }
#define OPTION_SPIN { 'e', "event", "LIST", "only these spins", TO_SET(live.filter.events, &spin_choices) }
#define OPTION_WAIT { 0, "wait", NULL, "where KVM is not loaded, wait until it is", TO_FLAG(live.wait) }
#define OPTION_ATTACH_TIMEOUT \
	{ 0, "attach-timeout", "SEC", "give up when attaching takes longer (default: 300)", TO_SECONDS(live.attach_ns), .min = 1 }
#define OPTION_BPFTRACE { 0, "bpftrace", "PATH", "the bpftrace to use", TO_TEXT(live.bpftrace) }
#define OPTION_VERBOSE { 'v', "verbose", NULL, "pass bpftrace's own messages on to standard error", TO_FLAG(live.verbose) }

/* Rows for a command whose settings have these members. */
#define OPTION_GUEST_IP \
	{ 0, "guest-ip", NULL, "where guests spin: address, and kernel or user mode; costs a tracepoint a VM exit", TO_FLAG(guest_ip) }
#define OPTION_GUEST_SYMBOLS \
	{ 0, "guest-symbols", "VM=FILE", "name these addresses by the System.map or kallsyms of this guest (repeatable)", \
	  TO_EACH(guest_symbols, struct guest_symbols *, live_add_guest_symbols) }

/* Rows for a command that shows counts. Its settings have members for them. */
#define MIN_INTERVAL_NS (NS_PER_S / 10)
#define OPTION_BY { 0, "by", "LIST", "one row for each (default: vm,vcpu)", TO_SET(by, &by_choices) }
#define OPTION_TOP { 0, "top", "COLUMN", "sort by this column, largest first", TO_CHOICE(top, struct counts_column, &column_choices) }
#define OPTION_HIST { 0, "hist", NULL, "how long HLTs took, by powers of two", TO_FLAG(hist) }

#endif
