// SPDX-License-Identifier: Apache-2.0
// The audit of a running trace: reads the counters that KVM keeps by itself in debugfs, and holds them against what the
// probes counted.
#ifndef KVMWAIT_LIVE_KEPT_COUNTERS_H
#define KVMWAIT_LIVE_KEPT_COUNTERS_H

#include "ledger/audit.h"
#include "plan/render.h"
#include "record/wire.h"

#include <jansson.h>

#define AUDIT_WORDS_BYTES 192

struct kept_counters;

/*
 * Opens the directory of the counters, which only root may do, and reads them for the first time. The program is
 * borrowed. What cannot be read is a fact of the audit, not an error. NULL where no part of the program has counters.
 */
struct kept_counters *kept_counters_open(const struct program *program);
void kept_counters_free(struct kept_counters *k);

/* Reads them. NULL is fine, here and below. */
void kept_counters_read(struct kept_counters *k, enum audit_reading reading);

/* What comes from the program: a vCPU that was destroyed; an event; a line such as "@name: N" that counts what else
 * moves a counter (true: it was one). */
void kept_counters_vcpu_ended(struct kept_counters *k, const struct wire_audit *line);
void kept_counters_wait(struct kept_counters *k, const struct wait_event *w);
bool kept_counters_take_line(struct kept_counters *k, const char *line, size_t n);
/* How many vCPUs were destroyed. */
uint64_t kept_counters_lines(const struct kept_counters *k);

/* Counts of an event and source from elsewhere, where events are counted in the kernel and do not come one by one. */
typedef uint64_t kept_counters_waits_fn(void *context, const char *event, const char *source);

/*
 * The audit for the end record: a list of objects as the schema has them; NULL where there is none. Where something
 * does not agree, ret_differs gets it in words; else it stays untouched.
 */
json_t *kept_counters_judge(const struct kept_counters *k, uint64_t lost, kept_counters_waits_fn *waits_of, void *context,
			    char ret_differs[AUDIT_WORDS_BYTES]);

/*
 * The same while the trace goes on, for waits that the kernel counted up to a time (CLOCK_BOOTTIME): they have to be at least as
 * many as KVM had counted when this was called last. A counter that moves for other things too is compared at the end alone,
 * unless the script prints those as they come.
 */
json_t *kept_counters_judge_running(struct kept_counters *k, uint64_t counted_ns, kept_counters_waits_fn *waits_of, void *context);

#endif
