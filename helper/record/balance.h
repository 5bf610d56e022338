// SPDX-License-Identifier: Apache-2.0
// The balance of a stream: events that the kernel counted against those received and lost.
#ifndef KVMWAIT_RECORD_BALANCE_H
#define KVMWAIT_RECORD_BALANCE_H

#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* How a stream was received, for its end record. */
struct balance {
	uint64_t counted, received, malformed, late;
	uint64_t outcomes; /* of the received */
	uint64_t lost;	     /* reported by bpftrace, and unreported */
	uint64_t unreported; /* counted by the kernel, never received, and never reported as lost */
	bool have_counted;   /* counted is known */
};
/* At the end: what the kernel counted and nobody received is lost, reported or not. */
void balance_settle(struct balance *b);
/* counted - received - lost. */
int64_t balance_off(const struct balance *b);
/* The end record without clock and command; the caller owns it. */
json_t *balance_json(const struct balance *b, const char *why);
/* The balance that an end record states; the object may come from anybody. */
void balance_of_end(json_t *end, struct balance *ret);
/*
 * "received 2 + lost 42 = counted 44", "... does not make counted 45", or "received 2, lost 42: the kernel's count is not
 * known"; the caller frees.
 */
char *balance_text(const struct balance *b);
/*
 * The audit of an end record, which may come from anybody, in words that are fit to print: one for each of KVM's counters,
 * in ret_differ where the probes counted otherwise, else in ret_lines. Either may be NULL; no audit (NULL) adds nothing.
 */
void audit_texts(const json_t *audit, struct strings *ret_lines, struct strings *ret_differ);
bool audit_differs(const json_t *audit);

#endif
