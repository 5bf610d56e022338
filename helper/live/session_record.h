// SPDX-License-Identifier: Apache-2.0
// The records that a trace makes itself: meta at its beginning, lost in between, end with its balance.
#ifndef KVMWAIT_LIVE_SESSION_RECORD_H
#define KVMWAIT_LIVE_SESSION_RECORD_H

#include "live/session.h"

#include <jansson.h>

/* Each is a new object; the caller drops the reference. */
json_t *session_record_meta(const struct plan *plan, const struct program *program, const char *bpftrace_version);
json_t *session_record_lost(uint64_t lost);
/* The balance has been settled, see balance_settle(). */
json_t *session_record_end(const struct session_result *result);

#endif
