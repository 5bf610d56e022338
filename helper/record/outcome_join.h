// SPDX-License-Identifier: Apache-2.0
// Joins outcomes to the waits they belong to, per thread, and tells of each wait whose outcome was not seen.
// Takes waits and outcomes in time order.
#ifndef KVMWAIT_RECORD_OUTCOME_JOIN_H
#define KVMWAIT_RECORD_OUTCOME_JOIN_H

#include "record/event.h"

struct outcomes;
struct outcomes *outcomes_new(void);
void outcomes_free(struct outcomes *o);

/*
 * Takes a wait or an outcome; an outcome is given event, source and VM of its wait, and where that was lost they stay
 * empty. True where the thread had an earlier wait whose outcome never came: ret_unseen is its outcome, and is to
 * go out before this record.
 */
bool outcomes_take(struct outcomes *o, struct record *r, struct outcome_event *ret_unseen);

/* At the end: the next wait whose outcome never came, the oldest first. False when there is none left. */
bool outcomes_take_rest(struct outcomes *o, uint64_t ts_ns, struct outcome_event *ret_unseen);

#endif
