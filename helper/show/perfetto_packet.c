// SPDX-License-Identifier: Apache-2.0
// Packets of a Perfetto trace, and events with their annotations; shared by what writes them.
#include "show/perfetto_packet.h"

#include "base/memory.h"

#include <stdlib.h>

#define SEQUENCE 1u
#define STATE_CLEARED 1u
#define NEEDS_STATE 2u
#define BUILTIN_BOOTTIME 6u
#define PACKET_TAG 0x0a /* field 1 of Trace, with a length */
#define HEADER_BYTES 11

static const char *const note_names[NOTES] = {
	"source", "target", "cpu", "tid", "comm", "callers", "guest_ip", "guest_mode", "guest_symbol", "end", "halt", "halt_ns", "boosted",
	"boosted_tid", "ns", "off_ns", "ready_ns", "cpu_after", "by_vcpu", "by_tid", "lost", "vcpu",
};

static size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

void packets_put(struct packets *p, Perfetto__TracePacket *packet)
{
	uint8_t header[HEADER_BYTES] = { PACKET_TAG };
	size_t size;

	packet->has_trusted_packet_sequence_id = packet->has_sequence_flags = true;
	packet->trusted_packet_sequence_id = SEQUENCE;
	if (!packet->sequence_flags)
		packet->sequence_flags = NEEDS_STATE;
	size = perfetto__trace_packet__get_packed_size(packet);
	if (size > p->room) {
		p->room = 2 * size;
		p->buffer = xrealloc(p->buffer, p->room, 1);
	}
	perfetto__trace_packet__pack(packet, p->buffer);
	fwrite(header, 1, 1 + put_varint(header + 1, size), p->file);
	fwrite(p->buffer, 1, size, p->file);
}

void packets_begin(struct packets *p, FILE *file)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__TracePacketDefaults defaults = PERFETTO__TRACE_PACKET_DEFAULTS__INIT;
	Perfetto__InternedData interned = PERFETTO__INTERNED_DATA__INIT;
	Perfetto__DebugAnnotationName names[NOTES], *pointers[NOTES];

	*p = (struct packets){ .file = file };
	for (size_t i = 0; i < NOTES; i++) {
		names[i] = (Perfetto__DebugAnnotationName)PERFETTO__DEBUG_ANNOTATION_NAME__INIT;
		names[i].has_iid = true;
		names[i].iid = i + 1;
		names[i].name = (char *)note_names[i];
		pointers[i] = &names[i];
	}
	interned.n_debug_annotation_names = NOTES;
	interned.debug_annotation_names = pointers;
	defaults.has_timestamp_clock_id = true;
	defaults.timestamp_clock_id = BUILTIN_BOOTTIME;
	packet.sequence_flags = STATE_CLEARED;
	packet.has_first_packet_on_sequence = packet.first_packet_on_sequence = true;
	packet.interned_data = &interned;
	packet.trace_packet_defaults = &defaults;
	packets_put(p, &packet);
}

void packets_put_event(struct packets *p, uint64_t ts_ns, uint64_t track, Perfetto__TrackEvent *event)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	packet.has_timestamp = event->has_type = event->has_track_uuid = true;
	packet.timestamp = ts_ns;
	event->track_uuid = track;
	packet.track_event = event;
	packets_put(p, &packet);
}

void packets_done(struct packets *p)
{
	free(p->buffer);
}

void event_init(struct event *e, Perfetto__TrackEvent__Type type, const char *name)
{
	e->event = (Perfetto__TrackEvent)PERFETTO__TRACK_EVENT__INIT;
	e->event.type = type;
	e->event.name = (char *)name;
	e->event.debug_annotations = e->pointers;
}

static Perfetto__DebugAnnotation *annotate(struct event *e, enum note note)
{
	size_t i = e->event.n_debug_annotations++;

	e->notes[i] = (Perfetto__DebugAnnotation)PERFETTO__DEBUG_ANNOTATION__INIT;
	e->pointers[i] = &e->notes[i];
	e->notes[i].has_name_iid = true;
	e->notes[i].name_iid = note + 1;
	return &e->notes[i];
}

void event_note_text(struct event *e, enum note note, const char *text)
{
	annotate(e, note)->string_value = (char *)text;
}

void event_note_number(struct event *e, enum note note, uint64_t value)
{
	Perfetto__DebugAnnotation *a = annotate(e, note);

	a->has_uint_value = true;
	a->uint_value = value;
}

void event_note_signed(struct event *e, enum note note, int64_t value)
{
	Perfetto__DebugAnnotation *a = annotate(e, note);

	a->has_int_value = true;
	a->int_value = value;
}

void event_set_category(struct event *e, const char *category)
{
	e->category = (char *)category;
	e->event.n_categories = *category != '\0';
	e->event.categories = &e->category;
}

