// SPDX-License-Identifier: Apache-2.0
// The problems of a recording: cut short, damaged, events lost, an audit that differs.
#include "ledger/recording_problems.h"

#include "base/clock.h"
#include "base/text.h"
#include "record/balance.h"

#include <inttypes.h>
#include <stdlib.h>

/* The recording ends before the trace did, or cannot be read in places. */
static void find_cut(const struct account *account, const struct recording_state *state, bool at_end, struct strings *problems)
{
	const struct line_reader_state *in = state->input;
	CLEANUP_FREE char *until = clock_seconds_text(account_until_ns(account) - account_began_ns(account));

	if (!account_balance(account)->have_end)
		strings_add_format(problems, "cut short after %s s: the end record is missing, so that events after that are missing, and what was "
			    "lost before is not known to the event", until);
	if (at_end && state->tail_bytes)
		strings_add_format(problems, "the last %" PRIu64 " bytes are no whole record", state->tail_bytes);
	if (at_end && in->frame_cut)
		strings_add_format(problems, "the last frame of the compressed file is not whole");
	if (in->damages)
		strings_add_format(problems, "damaged at byte %" PRIu64 "%s: what could not be decompressed is missing", in->damage_bytes,
			    in->damages > 1 ? ", and later" : "");
	if (state->malformed)
		strings_add_format(problems, "%" PRIu64 " lines are no records; %s", state->malformed, state->first_error);
}

static void find_audit(const struct account *account, struct strings *problems)
{
	struct strings differ = { 0 };

	audit_texts(account_audit(account), NULL, &differ);
	for (size_t i = 0; i < differ.n; i++)
		strings_add_format(problems, "the audit differs: %s", differ.items[i]);
	strings_done(&differ);
}

/* The records do not add up to what the end record states. */
static void find_imbalance(const struct account *account, const struct recording_state *state, struct strings *problems)
{
	const struct account_balance *b = account_balance(account);
	uint64_t seen = b->waits + b->outcomes + (uint64_t)b->sched;
	CLEANUP_FREE char *text = account_balance_text(account);

	if (!b->have_end)
		return;
	if (seen != (uint64_t)b->received)
		strings_add_format(problems, "the end record speaks of %" PRId64 " records received, %" PRIu64 " are here", b->received, seen);
	if (state->uncounted)
		; /* of another tool, which counts nothing in the kernel */
	else if (!b->have_counted)
		strings_add_format(problems, "the kernel's count is not known: whether events were lost cannot be said");
	else if ((uint64_t)b->received + (uint64_t)b->lost != (uint64_t)b->counted)
		strings_add_format(problems, "%s", text);
	if (b->malformed)
		strings_add_format(problems, "%" PRId64 " lines of bpftrace were malformed when it was recorded", b->malformed);
	find_audit(account, problems);
}

void recording_problems(const struct account *account, const struct recording_state *state, bool at_end, struct strings *problems)
{
	find_cut(account, state, at_end, problems);
	find_imbalance(account, state, problems);
	for (size_t i = 0; i < state->problems.n && at_end; i++)
		strings_add(problems, state->problems.items[i]);
	if (account_refused_times(account))
		strings_add_format(problems, "the states of %" PRIu64 " vCPUs do not add up or are invalid: they are left out", account_refused_times(account));
	if (account_overflow(account))
		strings_add_format(problems, "%" PRIu64 " waits are in no row: there are more vCPUs or sources than there is room for",
			    account_overflow(account));
}
