// SPDX-License-Identifier: Apache-2.0
// A stream of records as a trace of Perfetto (TrackEvent): VMs are processes with a track for each vCPU, waits are slices.
#ifndef KVMWAIT_SHOW_PERFETTO_H
#define KVMWAIT_SHOW_PERFETTO_H

#include "record/event.h"

struct perfetto;

/* Writes what stands before the first record. Errors stay with the file, which is borrowed. */
struct perfetto *perfetto_new(FILE *file);
/*
 * A wait whose outcome may follow is held until it does: it is a slice then, and an instant where none comes. Records
 * that are no part of a trace (counts) are left out.
 */
void perfetto_write(struct perfetto *p, const struct record *r);
/* Writes what is held, and frees. NULL is fine. */
void perfetto_free(struct perfetto *p);

#endif
