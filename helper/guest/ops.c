// SPDX-License-Identifier: Apache-2.0
// What the tables of operations have in common.
#include "ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int ops_find(const char *name)
{
	for (unsigned int i = 0; i < ops_count; i++) {
		if (strcmp(ops[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

void judge_fail(struct result *result, const char *what, uint64_t got, uint64_t of)
{
	result->state = STATE_FAILED;
	snprintf(result->why, sizeof(result->why), "%s: %" PRIu64 " of %" PRIu64, what, got, of);
}

void judge_done(const struct op *op, struct result *result, uint64_t count)
{
	result->state = STATE_DONE;
	result->known = true;
	if (op->quiet)
		result->quiet = count;
	else
		result->events = count;
}

bool judge_calls(const struct op *op, const struct measure *m, struct result *result)
{
	if (m->matched == m->planned)
		return true;
	result->state = STATE_FAILED;
	snprintf(result->why, sizeof(result->why),
		 "%" PRIu64 " of %" PRIu64 " had the result %#" PRIx64 ", the last one had %#" PRIx64, m->matched,
		 m->planned, op->expect, m->last);
	return false;
}

void judge_call(const struct op *op, const struct measure *m, struct result *result)
{
	if (judge_calls(op, m, result))
		judge_done(op, result, m->matched);
}

void judge_busy(const struct op *op, const struct measure *m, struct result *result)
{
	judge_done(op, result, m->rounds);
}
