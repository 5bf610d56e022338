// SPDX-License-Identifier: Apache-2.0
// The run of a command that traces: the plan, what the host must allow, the output, the trace, and its exit code.
#ifndef KVMWAIT_CMD_LIVE_RUN_H
#define KVMWAIT_CMD_LIVE_RUN_H

#include "cmd/live_options.h"
#include "cmd/plan_load.h"
#include "ledger/sleep_rules.h"
#include "live/session.h"
#include "live/vm_list.h"

/* There is room for so many vCPUs, or for twice as many as run already, since VMs can start while it traces. */
#define LIVE_VCPUS_LEAST 1024u
#define LIVE_VCPUS_MOST 16384u
/*
 * Keys for each vCPU where its durations are counted: it has 28 at most in the map of its HLTs and as many as the script has event
 * lines in that of its waits. Memory for all keys is taken at once, some 2 to 3 MB a map for 1,024 vCPUs.
 */
#define LIVE_VCPU_KEYS 32u

/* Zeroed to begin with. The functions are called in this order, each returns 0, or an exit code after its message. */
struct live_run {
	const struct live_options *settings;
	struct loaded_plan loaded;
	struct session_options options; /* the command puts its callbacks in */
	struct session_result result;
	const char *output; /* name, or NULL for standard output */
	FILE *file;	    /* the output; NULL where it is replaced each time */
	struct vmlist vms;  /* that run when it is prepared */
	uint64_t max_vcpus; /* there is room for in the maps of bpftrace */
	struct sleep_rules sleep_rules; /* for blame */
};

/* Makes the plan, with --wait once KVM is loaded. Arguments are allowed behind "--" only: the command to run. */
int live_plan(struct live_run *l, const struct live_options *settings, int argc, char **argv);
/* Checks that the host can trace this plan with these parts, and fills in the options. */
int live_prepare(struct live_run *l, const char *const *parts, size_t n_parts);
/* Opens the output. With `replaced` a named one becomes that file, which is replaced each time. */
int live_open(struct live_run *l, const char *output, struct replaced_file *replaced);
/* Runs the trace. */
int live_trace(struct live_run *l);
/* What the result means: says what is wrong with it. */
int live_end_code(const struct live_run *l);
/* Frees all of it, at any stage. */
void live_done(struct live_run *l);
/*
 * Checks that the kernel lets the probes of a program attach and fire, since bpftrace's own error would not name the reason,
 * or there would be none.
 */
int live_check_kernel(const struct plan *plan, const struct program *program);
/* The message() of session_options for --verbose. */
void live_print_message(void *context, const char *text);
/* The remark() of session_options. */
void live_print_remark(const char *text);
#define CLEANUP_LIVE __attribute__((cleanup(live_done)))

/* Adds the part that prints the last values of KVM's own counters, for the audit, where the kernel allows it. */
void live_add_audit(const struct plan *plan, struct program *program);

#endif
