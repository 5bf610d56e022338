// SPDX-License-Identifier: Apache-2.0
// Packets of a Perfetto trace, and events with their annotations; shared by what writes them.
#ifndef KVMWAIT_SHOW_PERFETTO_PACKET_H
#define KVMWAIT_SHOW_PERFETTO_PACKET_H

#include "record/event.h"
#include "show/perfetto.pb-c.h"

#define ANNOTATIONS_MAX 24

struct packets {
	FILE *file; /* borrowed */
	uint8_t *buffer;
	size_t room;
};
/* The first packet: the names of annotations, and the clock of all times, CLOCK_BOOTTIME. */
void packets_begin(struct packets *p, FILE *file);
void packets_put(struct packets *p, Perfetto__TracePacket *packet);
/* Type, name and so on are there; time and track are added. */
void packets_put_event(struct packets *p, uint64_t ts_ns, uint64_t track, Perfetto__TrackEvent *event);
void packets_done(struct packets *p);

/* Names of annotations, interned: what a record refers to is their place here, from 1. */
enum note {
	NOTE_SOURCE, NOTE_TARGET, NOTE_CPU, NOTE_TID, NOTE_COMM, NOTE_CALLERS, NOTE_GUEST_IP, NOTE_GUEST_MODE, NOTE_GUEST_SYMBOL,
	NOTE_END, NOTE_HALT, NOTE_HALT_NS, NOTE_BOOSTED, NOTE_BOOSTED_TID, NOTE_NS, NOTE_OFF_NS, NOTE_READY_NS, NOTE_CPU_AFTER,
	NOTE_BY_VCPU, NOTE_BY_TID, NOTE_LOST, NOTE_VCPU,
	NOTES,
};

/* An event with its annotations. */
struct event {
	Perfetto__TrackEvent event;
	Perfetto__DebugAnnotation notes[ANNOTATIONS_MAX], *pointers[ANNOTATIONS_MAX];
	char *category;
	uint64_t flow;
};

/* Texts are borrowed until the event is put. */
void event_init(struct event *e, Perfetto__TrackEvent__Type type, const char *name);
void event_note_text(struct event *e, enum note note, const char *text);
void event_note_number(struct event *e, enum note note, uint64_t value);
void event_note_signed(struct event *e, enum note note, int64_t value);
void event_set_category(struct event *e, const char *category);

#endif
