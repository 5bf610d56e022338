// SPDX-License-Identifier: Apache-2.0
// The events and records of the common schema, and the names in them.
#include "record/event.h"

#include "base/clean_text.h"

#include <string.h>

const struct event_kind event_kinds[] = {
	{ "ple", 1, "KVM handles a pause-loop exit: the vCPU spins" },
	{ "hlt", 2, "KVM emulates a HLT: the vCPU has nothing to do" },
	{ "pv_yield", 4, "the guest asks KVM to give way to another vCPU" },
	{ 0 },
};
const size_t n_event_kinds = ARRAY_SIZE(event_kinds) - 1;

const char *const halt_names[HALT_KINDS] = { "none", "polled", "blocked" };

const char *const outcome_end_names[OUTCOME_ENDS] = { "run", "user", "gone", "unseen" };

unsigned int event_bit(const char *name)
{
	for (size_t i = 0; i < n_event_kinds; i++)
		if (*event_kinds[i].name == *name && !strcmp(event_kinds[i].name, name))
			return event_kinds[i].bit;
	return 0;
}

bool event_is_spin(unsigned int bit)
{
	return bit && bit != event_bit("hlt");
}

uint64_t json_count(json_t *object, const char *field)
{
	json_int_t n = json_integer_value(json_object_get(object, field));

	return n > 0 ? (uint64_t)n : 0;
}

json_t *strings_json(const struct strings *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->n; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

const char *guest_mode_name(const struct guest_place *g)
{
	return g->known & GUEST_KERNEL ? "kernel" : g->known & GUEST_MODE ? "user" : NULL;
}

const char *wait_comm(const struct wait_event *w, char clean[CLEAN_COMM_BYTES], size_t *ret_n)
{
	size_t n = strnlen(w->comm, COMM_BYTES);

	*ret_n = n;
	if (text_is_clean(w->comm, n))
		return w->comm;
	*ret_n = text_clean(w->comm, n, clean);
	return clean;
}

bool outcome_is_halt(const struct outcome_event *o)
{
	return event_bit(o->event) == event_bit("hlt") || (!*o->event && o->halt != HALT_NONE);
}
