// SPDX-License-Identifier: Apache-2.0
// The problems of a recording: cut short, damaged, events lost, an audit that differs.
#ifndef KVMWAIT_LEDGER_RECORDING_PROBLEMS_H
#define KVMWAIT_LEDGER_RECORDING_PROBLEMS_H

#include "base/text.h"
#include "ledger/account.h"
#include "record/recording_read.h"

/* Adds a sentence for each problem. `at_end`: the file ends here as well, so that bytes left over belong to this recording. */
void recording_problems(const struct account *account, const struct recording_state *state, bool at_end, struct strings *problems);

#endif
