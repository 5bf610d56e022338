// SPDX-License-Identifier: Apache-2.0
// What a Perfetto trace says of itself: clocks, system, script, fidelity, balance.
#ifndef KVMWAIT_SHOW_PERFETTO_FACTS_H
#define KVMWAIT_SHOW_PERFETTO_FACTS_H

#include "show/perfetto_packet.h"

#include <stdbool.h>
#include <stdint.h>

/* A time of an object that comes from anywhere; false where it has none. */
bool facts_time(json_t *object, const char *field, uint64_t *ret_ns);
/* The clocks of a meta or end record. Returns whether the clock of the trace is there. */
bool facts_put_clocks(struct packets *p, json_t *record, uint64_t *ret_boottime_ns);
/*
 * What a meta or end record says, as attributes of the trace and, for viewers that do not show these, as annotations of
 * an instant on a track that has been described; no instant where the track is 0.
 */
void facts_put_meta(struct packets *p, json_t *meta, uint64_t track, uint64_t ts_ns);
void facts_put_end(struct packets *p, json_t *end, uint64_t track, uint64_t ts_ns);

#endif
