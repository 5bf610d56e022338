// SPDX-License-Identifier: Apache-2.0
// The account of a vCPU's thread: its time by state, from the values that the part 'stat' prints. scripts/stat.part
// describes them, and why the account at a time is exact although values are read later and one after the other.
#include "ledger/counts_time.h"

#define STATE_MASK 7
#define STATE_NONE 6

static int64_t sum_of(const struct counts_value *v)
{
	int64_t sum = 0;

	for (size_t i = 0; i < COUNTS_STATES; i++)
		sum += v->state_ns[i];
	return sum;
}

bool counts_value_take(const int64_t numbers[10], struct counts_value *ret)
{
	struct counts_value v = { .flags = numbers[0], .since_ns = numbers[1], .next_ns = numbers[2], .paid_ns = numbers[9] };

	for (size_t i = 0; i < COUNTS_STATES; i++) {
		v.state_ns[i] = numbers[3 + i];
		if (v.state_ns[i] < 0 || v.state_ns[i] > v.since_ns)
			return false;
	}
	if ((v.flags & STATE_MASK) > STATE_NONE || v.since_ns <= 0 || v.next_ns < 0 || v.paid_ns < 0 || v.paid_ns > v.state_ns[COUNTS_POLL])
		return false;
	*ret = v;
	return true;
}

/* Has the thread been in the account at all? */
static bool is_adopted(const struct counts_value *v)
{
	return v->since_ns && v->next_ns;
}

/*
 * A value whose times do not add up was read while another took its place. Times in which the thread was away from this
 * vCPU are in none of the states.
 */
static bool is_whole(const struct counts_account *a, const struct counts_value *v)
{
	int64_t origin_ns = v->since_ns - sum_of(v);

	return !a->origin_ns || origin_ns == a->origin_ns || (is_adopted(&a->past) && origin_ns > a->origin_ns);
}

/* The value that held at that time, or NULL. A state that ended after it is in the slot of the cut, if anywhere. */
static const struct counts_value *value_at(const struct counts_account *a, unsigned int serial, int64_t at_ns, unsigned int slot)
{
	const struct counts_value *cut = &a->cut[slot % COUNTS_SLOTS];
	bool runs = a->serial == serial && is_adopted(&a->time);
	const struct counts_value *last = runs ? &a->time : &a->past;

	if (is_adopted(last) && last->since_ns <= at_ns)
		return last;
	return is_adopted(cut) && cut->since_ns <= at_ns ? cut : NULL;
}

static void extend(const struct counts_value *v, int64_t at_ns, struct counts_times *ret)
{
	int64_t state = v->flags & STATE_MASK;

	for (size_t i = 0; i < COUNTS_STATES; i++)
		ret->ns[i] = (uint64_t)v->state_ns[i];
	ret->paid_ns = (uint64_t)v->paid_ns;
	ret->wasted_ns = (uint64_t)(v->state_ns[COUNTS_POLL] - v->paid_ns);
	if (state != STATE_NONE && at_ns > v->since_ns)
		ret->ns[state] += (uint64_t)(at_ns - v->since_ns);
}

bool counts_account_at(struct counts_account *a, unsigned int serial, uint64_t at_ns, unsigned int slot, struct counts_times *ret)
{
	const struct counts_value *v = value_at(a, serial, (int64_t)at_ns, slot);

	if (!v || !is_whole(a, v))
		return false;
	a->origin_ns = v->since_ns - sum_of(v);
	extend(v, (int64_t)at_ns, ret);
	return true;
}

uint64_t counts_account_newest_ns(const struct counts_account *a, unsigned int serial)
{
	const struct counts_value *v = value_at(a, serial, INT64_MAX, 0);

	return v ? (uint64_t)v->since_ns : 0;
}
