// SPDX-License-Identifier: Apache-2.0
// The balance of a stream: events that the kernel counted against those received and lost.
#include "record/balance.h"

#include "base/clean_text.h"
#include "base/memory.h"
#include "record/event.h"

#include <inttypes.h>

void balance_settle(struct balance *b)
{
	int64_t off = balance_off(b);

	if (!b->have_counted || off <= 0)
		return;
	b->unreported = (uint64_t)off;
	b->lost += b->unreported;
}

int64_t balance_off(const struct balance *b)
{
	return (int64_t)(b->counted - b->received - b->lost);
}

json_t *balance_json(const struct balance *b, const char *why)
{
	json_t *end = json_pack("{s:s}", "type", "end");

	if (b->have_counted)
		json_object_set_new(end, "counted", json_integer((json_int_t)b->counted));
	json_object_set_new(end, "received", json_integer((json_int_t)b->received));
	if (b->outcomes)
		json_object_set_new(end, "outcomes", json_integer((json_int_t)b->outcomes));
	json_object_set_new(end, "lost", json_integer((json_int_t)b->lost));
	json_object_set_new(end, "unreported", json_integer((json_int_t)b->unreported));
	json_object_set_new(end, "malformed", json_integer((json_int_t)b->malformed));
	json_object_set_new(end, "late", json_integer((json_int_t)b->late));
	if (b->have_counted)
		json_object_set_new(end, "unbalanced", json_integer((json_int_t)balance_off(b)));
	json_object_set_new(end, "why", json_string(why));
	return end;
}

void balance_of_end(json_t *end, struct balance *ret)
{
	json_t *counted = json_object_get(end, "counted");

	*ret = (struct balance){
		.have_counted = json_is_integer(counted),
		.counted = (uint64_t)json_integer_value(counted),
		.received = json_count(end, "received"),
		.outcomes = json_count(end, "outcomes"),
		.lost = json_count(end, "lost"),
		.unreported = json_count(end, "unreported"),
		.malformed = json_count(end, "malformed"),
		.late = json_count(end, "late"),
	};
}

char *balance_text(const struct balance *b)
{
	if (!b->have_counted)
		return xasprintf("received %" PRIu64 ", lost %" PRIu64 ": the kernel's count is not known", b->received, b->lost);
	return xasprintf("received %" PRIu64 " + lost %" PRIu64 " %s counted %" PRIu64, b->received, b->lost,
			 balance_off(b) ? "does not make" : "=", b->counted);
}

static char *audit_words(const json_t *item, const char *event, const char *counter)
{
	const char *why = json_string_value(json_object_get(item, "why"));

	if (why)
		return xasprintf("%s was not compared with KVM's %s: %s", event, counter, why);
	return xasprintf("%s %" JSON_INTEGER_FORMAT " %s KVM's %s %" JSON_INTEGER_FORMAT, event,
			 json_integer_value(json_object_get(item, "seen")),
			 json_integer_value(json_object_get(item, "difference")) ? "differs from" : "agrees with", counter,
			 json_integer_value(json_object_get(item, "kernel")));
}

void audit_texts(const json_t *audit, struct strings *ret_lines, struct strings *ret_differ)
{
	const json_t *item;
	size_t index;

	json_array_foreach(audit, index, item) {
		const char *event = json_string_value(json_object_get(item, "event"));
		const char *counter = json_string_value(json_object_get(item, "counter"));
		struct strings *list = json_integer_value(json_object_get(item, "difference")) ? ret_differ : ret_lines;
		CLEANUP_FREE char *words = event && counter ? audit_words(item, event, counter) : NULL;
		CLEANUP_FREE char *clean = words ? text_recleaned(words) : NULL;

		if (clean && list)
			strings_add(list, clean);
	}
}

bool audit_differs(const json_t *audit)
{
	const json_t *item;
	size_t index;

	json_array_foreach(audit, index, item)
		if (json_integer_value(json_object_get(item, "difference")))
			return true;
	return false;
}
