// SPDX-License-Identifier: Apache-2.0
// Hands records to a thread that writes them, so that reading goes on meanwhile.
#ifndef KVMWAIT_RELAY_H
#define KVMWAIT_RELAY_H

#include "output.h"

struct relay;

/* The output is the thread's until relay_end(). NULL where no thread can be started. */
struct relay *relay_start(struct output *output);
/* Where the next record goes. It may not borrow anything, and has no object. */
struct record *relay_room(struct relay *r);
/* What is there now is a record. */
void relay_push(struct relay *r);
/* What was pushed is not to wait for more. The first error of the output up to now, or 0. */
int relay_flush(struct relay *r);
/* Waits until all is written; frees it. 0, or the first error of the output. NULL is fine. */
int relay_end(struct relay *r);

#endif
