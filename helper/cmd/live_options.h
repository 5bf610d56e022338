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
#define OPTION_DURATION { 'd', "duration", "SEC", "end after SEC seconds, such as 10 or 0.5", TO_SECONDS(live.duration_ns), .min = 1 }
#define OPTION_PID \
	{ 'p', "pid", "TGID", "only the VM with this process id (repeatable, or a list with commas; 8 at most)", \
	  TO_EACH(live.filter, struct filter, live_add_pid) }
#define OPTION_VM \
	{ 0, "vm", "NAME", "only the running VMs with this name or id (repeatable, or a list with commas)", \
	  TO_EACH(live.filter, struct filter, live_add_vm) }
#define OPTION_VCPU \
	{ 0, "vcpu", "N", "only the vCPU with this id (repeatable, or a list with commas; all within 63 ids)", \
	  TO_EACH(live.filter, struct filter, live_add_vcpu) }
#define OPTION_EVENT { 'e', "event", "LIST", "only these events", TO_SET(live.filter.events, &event_choices) }
#define OPTION_SPIN { 'e', "event", "LIST", "only these spins", TO_SET(live.filter.events, &spin_choices) }
#define OPTION_WAIT { 0, "wait", NULL, "if KVM is not loaded, wait for it", TO_FLAG(live.wait) }
#define OPTION_ATTACH_TIMEOUT \
	{ 0, "attach-timeout", "SEC", "give up if attaching takes longer than SEC seconds (default: 300)", TO_SECONDS(live.attach_ns), .min = 1 }
#define OPTION_BPFTRACE { 0, "bpftrace", "PATH", "use this bpftrace", TO_TEXT(live.bpftrace) }
#define OPTION_VERBOSE { 'v', "verbose", NULL, "pass the messages of bpftrace to standard error", TO_FLAG(live.verbose) }

/* Rows for a command whose settings have these members. */
#define OPTION_GUEST_IP \
	{ 0, "guest-ip", NULL, "add where guests spin: address, kernel or user mode; adds a tracepoint to each VM exit", TO_FLAG(guest_ip) }
#define OPTION_GUEST_SYMBOLS \
	{ 0, "guest-symbols", "VM=FILE", "name the addresses at which VM spins, from its System.map or kallsyms (repeatable)", \
	  TO_EACH(guest_symbols, struct guest_symbols *, live_add_guest_symbols) }

/* Rows for a command that shows counts. Its settings have members for them. */
#define MIN_INTERVAL_NS (NS_PER_S / 10)
#define OPTION_BY { 0, "by", "LIST", "group the rows by these (default: vm,vcpu)", TO_SET(by, &by_choices) }
#define OPTION_TOP { 0, "top", "COLUMN", "sort by this column, largest first", TO_CHOICE(top, struct counts_column, &column_choices) }
#define OPTION_HIST { 0, "hist", NULL, "add a histogram of HLT durations, by powers of two", TO_FLAG(hist) }

#endif
