// SPDX-License-Identifier: Apache-2.0
// What a Perfetto trace says of itself: clocks, system, script, fidelity, balance.
#include "show/perfetto_facts.h"

#include "base/clean_text.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define BUILTIN_REALTIME 1u
#define BUILTIN_MONOTONIC 3u
#define BUILTIN_BOOTTIME 6u

/* What is said of the trace: as attributes, and for viewers that do not show these as annotations of an instant. */
struct facts {
	Perfetto__TraceAttributes__Attribute *attributes, **pointers;
	Perfetto__DebugAnnotation *notes, **note_pointers;
	size_t n;
};

static void add_fact(struct facts *f, const char *key, json_t *value)
{
	Perfetto__TraceAttributes__Attribute *a;
	Perfetto__DebugAnnotation *note;

	if (!json_is_string(value) && !json_is_integer(value))
		return;
	f->attributes = xrealloc(f->attributes, f->n + 1, sizeof(*f->attributes));
	f->notes = xrealloc(f->notes, f->n + 1, sizeof(*f->notes));
	a = &f->attributes[f->n];
	note = &f->notes[f->n++];
	*a = (Perfetto__TraceAttributes__Attribute)PERFETTO__TRACE_ATTRIBUTES__ATTRIBUTE__INIT;
	*note = (Perfetto__DebugAnnotation)PERFETTO__DEBUG_ANNOTATION__INIT;
	a->key = xasprintf("kvmwait.%s", key);
	note->name = a->key + strlen("kvmwait.");
	if (json_is_integer(value)) {
		a->has_long_value = note->has_int_value = true;
		a->long_value = note->int_value = json_integer_value(value);
		return;
	}
	a->string_value = xcalloc(4 * json_string_length(value) + 1, 1); /* a record can come from anywhere */
	text_clean(json_string_value(value), json_string_length(value), a->string_value);
	note->string_value = a->string_value;
}

static void add_probe(struct facts *f, json_t *probe)
{
	const char *event = json_string_value(json_object_get(probe, "event"));
	const char *source = json_string_value(json_object_get(probe, "source"));
	const char *fidelity = json_string_value(json_object_get(probe, "fidelity"));
	const char *why = json_string_value(json_object_get(probe, "why"));
	CLEANUP_FREE char *key = NULL, *value = NULL;
	json_t *string;

	if (!event || !source || !fidelity || !event_bit(event))
		return;
	key = xasprintf("%s.%s", event, source);
	value = xasprintf("%s%s%s", fidelity, why ? ": " : "", why ? why : "");
	string = json_string(value);
	for (char *c = key; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789_.", *c))
			*c = '_';
	add_fact(f, key, string);
	json_decref(string);
}

static void put_facts(struct packets *p, struct facts *f, const char *name, uint64_t track, uint64_t ts_ns)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__TraceAttributes attributes = PERFETTO__TRACE_ATTRIBUTES__INIT;
	Perfetto__TrackEvent event = PERFETTO__TRACK_EVENT__INIT;

	f->pointers = xcalloc(f->n + 1, sizeof(Perfetto__TraceAttributes__Attribute *));
	f->note_pointers = xcalloc(f->n + 1, sizeof(Perfetto__DebugAnnotation *));
	for (size_t i = 0; i < f->n; i++) {
		f->pointers[i] = &f->attributes[i];
		f->note_pointers[i] = &f->notes[i];
	}
	attributes.n_attribute = event.n_debug_annotations = f->n;
	attributes.attribute = f->pointers;
	event.debug_annotations = f->note_pointers;
	packet.trace_attributes = &attributes;
	packets_put(p, &packet);
	if (track) {
		event.type = PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT;
		event.name = (char *)name;
		packets_put_event(p, ts_ns, track, &event);
	}
	for (size_t i = 0; i < f->n; i++) {
		free(f->attributes[i].key);
		free(f->attributes[i].string_value);
	}
	free(f->attributes);
	free(f->pointers);
	free(f->notes);
	free(f->note_pointers);
}

bool facts_time(json_t *object, const char *field, uint64_t *ret_ns)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret_ns = (uint64_t)json_integer_value(value);
	return true;
}

bool facts_put_clocks(struct packets *p, json_t *record, uint64_t *ret_boottime_ns)
{
	static const struct {
		const char *name;
		uint32_t id;
	} builtin[] = { { "boottime", BUILTIN_BOOTTIME }, { "monotonic", BUILTIN_MONOTONIC }, { "realtime", BUILTIN_REALTIME } };
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__ClockSnapshot snapshot = PERFETTO__CLOCK_SNAPSHOT__INIT;
	Perfetto__ClockSnapshot__Clock clocks[ARRAY_SIZE(builtin)], *pointers[ARRAY_SIZE(builtin)];
	json_t *clock = json_object_get(record, "clock");

	if (!facts_time(clock, "boottime", ret_boottime_ns))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++) {
		Perfetto__ClockSnapshot__Clock *c = &clocks[snapshot.n_clocks];

		*c = (Perfetto__ClockSnapshot__Clock)PERFETTO__CLOCK_SNAPSHOT__CLOCK__INIT;
		c->has_clock_id = c->has_timestamp = true;
		c->clock_id = builtin[i].id;
		if (facts_time(clock, builtin[i].name, &c->timestamp))
			pointers[snapshot.n_clocks++] = c;
	}
	snapshot.clocks = pointers;
	snapshot.has_primary_trace_clock = true;
	snapshot.primary_trace_clock = BUILTIN_BOOTTIME;
	packet.clock_snapshot = &snapshot;
	packets_put(p, &packet);
	return true;
}

static void put_system(struct packets *p, json_t *meta)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__SystemInfo system = PERFETTO__SYSTEM_INFO__INIT;
	Perfetto__Utsname utsname = PERFETTO__UTSNAME__INIT;
	const char *kernel = json_string_value(json_object_get(meta, "kernel"));
	const char *arch = json_string_value(json_object_get(meta, "arch"));
	CLEANUP_FREE char *release = xcalloc(4 * strlen(kernel ? kernel : "") + 1, 1);
	CLEANUP_FREE char *machine = xcalloc(4 * strlen(arch ? arch : "") + 1, 1);

	text_clean(kernel ? kernel : "", strlen(kernel ? kernel : ""), release);
	text_clean(arch ? arch : "", strlen(arch ? arch : ""), machine);
	utsname.sysname = (char *)"Linux";
	utsname.release = release;
	utsname.machine = machine;
	system.utsname = &utsname;
	packet.system_info = &system;
	packets_put(p, &packet);
}

void facts_put_meta(struct packets *p, json_t *meta, uint64_t track, uint64_t ts_ns)
{
	static const char *const keys[] = { "kernel", "arch", "vendor", "script", "script_sha256", "bpftrace" };
	json_t *probes = json_object_get(meta, "probes");
	struct facts facts = { 0 };

	put_system(p, meta);
	add_fact(&facts, "version", json_object_get(meta, "kvmwait"));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_fact(&facts, keys[i], json_object_get(meta, keys[i]));
	for (size_t i = 0; i < json_array_size(probes); i++)
		add_probe(&facts, json_array_get(probes, i));
	put_facts(p, &facts, "trace begins", track, ts_ns);
}

void facts_put_end(struct packets *p, json_t *end, uint64_t track, uint64_t ts_ns)
{
	static const char *const keys[] = { "why", "counted", "received", "lost", "unreported", "malformed", "late", "unbalanced" };
	struct facts facts = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_fact(&facts, keys[i], json_object_get(end, keys[i]));
	put_facts(p, &facts, "trace ends", track, ts_ns);
}
