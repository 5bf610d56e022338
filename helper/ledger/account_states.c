// SPDX-License-Identifier: Apache-2.0
// The account of vCPUs as a stat record has it: how long each was in each state.
#include "ledger/account_states.h"

#include "base/clean_text.h"
#include "base/memory.h"

#include <stdlib.h>

/* A time from 0 on. */
static bool take_ns(json_t *row, const char *field, uint64_t *ret)
{
	const json_t *value = json_object_get(row, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

static bool take_times(json_t *row, struct counts_times *ret)
{
	static const char *const fields[COUNTS_STATES] = { "run_ns", "spin_ns", "poll_ns", "halt_ns", "ready_ns", "host_ns" };
	uint64_t wall_ns, sum_ns = 0, polls_ns;

	for (size_t i = 0; i < COUNTS_STATES; i++)
		if (!take_ns(row, fields[i], &ret->ns[i]) || __builtin_add_overflow(sum_ns, ret->ns[i], &sum_ns))
			return false;
	if (!take_ns(row, "wall_ns", &wall_ns) || !take_ns(row, "poll_paid_ns", &ret->paid_ns) || !take_ns(row, "poll_wasted_ns", &ret->wasted_ns))
		return false;
	polls_ns = ret->paid_ns + ret->wasted_ns; /* two of 63 bits */
	return sum_ns == wall_ns && polls_ns <= ret->ns[COUNTS_POLL];
}

/* A row that has the time of one vCPU. */
static bool take_row(json_t *row, struct vcpu_states *ret, size_t *refused)
{
	const json_t *pid = json_object_get(row, "pid"), *vcpu = json_object_get(row, "vcpu");

	if (!json_is_integer(pid) || !json_is_integer(vcpu) || !json_is_string(json_object_get(row, "vm")) || !json_object_get(row, "wall_ns"))
		return false;
	if (json_integer_value(pid) < 0 || json_integer_value(pid) > UINT32_MAX || json_integer_value(vcpu) < 0 || !take_times(row, &ret->times)) {
		++*refused;
		return false;
	}
	ret->pid = (uint32_t)json_integer_value(pid);
	ret->vcpu = json_integer_value(vcpu);
	ret->vm = text_recleaned(json_string_value(json_object_get(row, "vm")));
	return true;
}

void account_states_read(json_t *stat, struct account_states *ret)
{
	struct account_states s = { .total = json_is_true(json_object_get(stat, "total")) };
	struct vcpu_states vcpu = { 0 };
	uint64_t ns;
	json_t *row;
	size_t i;

	if (take_ns(stat, "ts", &s.until_ns) && take_ns(stat, "ns", &ns) && ns <= s.until_ns) {
		s.from_ns = s.until_ns - ns;
		json_array_foreach(json_object_get(stat, "rows"), i, row) {
			if (!take_row(row, &vcpu, &s.refused))
				continue;
			s.items = xgrow(s.items, s.n, sizeof(*s.items));
			s.items[s.n++] = vcpu;
		}
	}
	*ret = s;
}

void account_states_done(struct account_states *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].vm);
	free(s->items);
	*s = (struct account_states){ 0 };
}
