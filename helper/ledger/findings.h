// SPDX-License-Identifier: Apache-2.0
// What kvmwait why concludes: the rules applied to the stat, blame and end records of one time. Pure.
#ifndef KVMWAIT_LEDGER_FINDINGS_H
#define KVMWAIT_LEDGER_FINDINGS_H

#include "ledger/rules.h"

#include <jansson.h>

/* One rule that holds for one VM, and with the scope culprit for one culprit. */
struct finding {
	const struct rule *rule;
	const char *vm;	    /* borrowed from the records, cleaned there; NULL where it is about the run */
	uint32_t pid;	    /* of the VM */
	int64_t *vcpus;	    /* in order; none where the rule is about the VM or the run */
	size_t n_vcpus;
	uint64_t cost, whole; /* of the threshold, added up over the vCPUs */
	bool inferred;	      /* an event that the rule needs is inferred on this kernel */
	json_t *figures;      /* the rows that were added up, as one object */
};

/* A rule that could not be asked. */
struct finding_gap {
	const struct rule *rule;
	char *why;
};

struct findings {
	struct finding *items; /* worst first */
	size_t n;
	struct finding_gap *gaps;
	size_t n_gaps;
	size_t n_vms, n_vcpus; /* that were looked at */
};

/*
 * The records are objects of the schema; each can be NULL. `stat` is a total by vm and vcpu. They may come from anybody:
 * a row without the fields of a rule is no finding. The result borrows from all arguments.
 */
void findings_make(const struct rules *rules, json_t *meta, json_t *stat, json_t *blame, json_t *end, struct findings *ret);
void findings_done(struct findings *f);

/* Cost as a share of the whole, in hundredths of a percent. */
uint64_t finding_share(const struct finding *f);

/* A member of figures by its path: "culprit.kind" is the member kind of the member culprit. Borrowed; NULL: there is none. */
json_t *figures_field(json_t *figures, const char *field);
/* The same of a number from 0 on; false: there is none. */
bool figures_number(json_t *figures, const char *field, uint64_t *ret);
/* Hundredths of a percent, a million percent at most; 0 of 0 is 0. */
uint64_t figures_share(uint64_t part, uint64_t whole);

#endif
