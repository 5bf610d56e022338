// SPDX-License-Identifier: Apache-2.0
// Which kernel, host and script records come from, and how exact each event is: from a plan, or from a meta record.
#ifndef KVMWAIT_LEDGER_ORIGIN_H
#define KVMWAIT_LEDGER_ORIGIN_H

#include "plan/select.h"
#include "record/event.h"

struct origin {
	char *kernel, *vendor /* or the machine */, *script; /* fit to print; "?" where it is not known */
	char *host;	  /* fit to print; NULL where it is not known */
	bool fidelity_known;
	enum fidelity fidelity[3]; /* of event_kinds */
};

void origin_of_plan(const struct plan *plan, struct origin *ret);
/* The object may come from anybody; NULL: nothing is known. */
void origin_of_meta(json_t *meta, struct origin *ret);
void origin_done(struct origin *o);

/* Is every event exact? */
bool origin_all_exact(const struct origin *o);

#endif
