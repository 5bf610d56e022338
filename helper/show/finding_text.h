// SPDX-License-Identifier: Apache-2.0
// The sentences of kvmwait why: the texts of rules with figures filled in.
#ifndef KVMWAIT_SHOW_FINDING_TEXT_H
#define KVMWAIT_SHOW_FINDING_TEXT_H

#include "ledger/findings.h"

/*
 * The text of a rule with its fields filled in, the caller frees. {FIELD} is the value: fields that end with _ns as a
 * duration, others as they stand; {FIELD % of FIELD} a percentage; {share} the cost of the threshold as one; {vcpus}
 * "vCPU 1", "vCPUs 0 and 2", or "vCPUs 0 to 3"; {culprit} the culprit. A field that is missing is "?".
 */
char *finding_text(const struct finding *f, const char *text);

#endif
