// SPDX-License-Identifier: Apache-2.0
// What meta and end record say of a recording, and what there is to know of it.
#include "base/clean_text.h"
#include "base/text.h"
#include "ledger/account_state.h"
#include "record/balance.h"

#include <stdlib.h>

uint64_t account_clock(json_t *object, const char *name)
{
	json_int_t ns = json_integer_value(json_object_get(json_object_get(object, "clock"), name));

	return ns > 0 ? (uint64_t)ns : 0;
}

static bool has_part(json_t *meta, const char *name)
{
	json_t *part;
	size_t i;

	json_array_foreach(json_object_get(meta, "parts"), i, part) {
		const char *script = json_string_value(json_object_get(part, "script"));

		if (script && starts_with(script, name))
			return true;
	}
	return false;
}

void account_take_meta(struct account *a, json_t *meta)
{
	uint64_t boottime_ns = account_clock(meta, "boottime");

	if (a->meta)
		return;
	a->meta = json_incref(meta);
	origin_done(&a->origin);
	origin_of_meta(meta, &a->origin);
	a->has_outcomes = has_part(meta, "outcome");
	if (!a->began_ns && boottime_ns)
		account_begin(a, boottime_ns);
}

static int64_t number_of(json_t *object, const char *field)
{
	return json_integer_value(json_object_get(object, field));
}

void account_take_end(struct account *a, json_t *end)
{
	struct account_balance *b = &a->balance;
	json_t *why = json_object_get(end, "why");

	b->have_end = true;
	b->have_counted = json_is_integer(json_object_get(end, "counted"));
	b->counted = number_of(end, "counted");
	b->received = number_of(end, "received");
	b->sched = number_of(end, "sched");
	b->lost = number_of(end, "lost");
	b->unwritten = number_of(end, "unwritten");
	b->malformed = number_of(end, "malformed");
	b->late = number_of(end, "late");
	b->missed = number_of(end, "missed");
	json_decref(a->audit);
	a->audit = json_incref(json_object_get(end, "audit"));
	free(a->why);
	a->why = json_is_string(why) ? text_cleaned(json_string_value(why)) : NULL;
}

/* ---- what there is to know ---- */

const struct origin *account_origin(const struct account *a)
{
	return &a->origin;
}

json_t *account_meta(const struct account *a)
{
	return a->meta;
}

struct guest_ips *account_guest_ips(const struct account *a)
{
	return a->guest_ips;
}

json_t *account_blame(const struct account *a)
{
	return a->blame;
}

const char *account_why(const struct account *a)
{
	return a->why;
}

bool account_has_outcomes(const struct account *a)
{
	return a->has_outcomes;
}

bool account_has_times(const struct account *a)
{
	return a->times != TIMES_NONE;
}

uint64_t account_refused_times(const struct account *a)
{
	return a->refused_times;
}

uint64_t account_began_ns(const struct account *a)
{
	return a->began_ns;
}

uint64_t account_until_ns(const struct account *a)
{
	return a->until_ns;
}

uint64_t account_realtime_ns(const struct account *a, uint64_t boottime_ns)
{
	uint64_t realtime_ns = account_clock(a->meta, "realtime"), at_ns = account_clock(a->meta, "boottime");

	if (!realtime_ns || !at_ns)
		return 0;
	return realtime_ns + (boottime_ns - at_ns);
}

json_t *account_audit(const struct account *a)
{
	return a->audit;
}

const struct account_balance *account_balance(const struct account *a)
{
	return &a->balance;
}

char *account_balance_text(const struct account *a)
{
	const struct account_balance *b = account_balance(a);

	return balance_text(&(struct balance){
		.have_counted = b->have_counted,
		.counted = (uint64_t)b->counted,
		.received = (uint64_t)b->received,
		.lost = (uint64_t)b->lost,
	});
}

bool account_balances(const struct account *a)
{
	const struct account_balance *b = &a->balance;
	uint64_t seen = b->waits + b->outcomes + (uint64_t)b->sched;

	return b->have_end && b->have_counted && seen == (uint64_t)b->received && !b->malformed &&
	       (uint64_t)b->counted == seen + (uint64_t)b->lost;
}

uint64_t account_overflow(const struct account *a)
{
	return a->overflow;
}

const struct span *account_waits(const struct account *a)
{
	return &a->waits;
}
