// SPDX-License-Identifier: Apache-2.0
// A stream of records as a trace of Perfetto (TrackEvent): VMs are processes with a track for each vCPU, waits are slices.
#include "perfetto.h"

#include "perfetto.pb-c.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCE 1u
#define STATE_CLEARED 1u
#define NEEDS_STATE 2u
#define BUILTIN_REALTIME 1u
#define BUILTIN_MONOTONIC 3u
#define BUILTIN_BOOTTIME 6u
#define CHILDREN_BY_RANK 3u
#define PACKET_TAG 0x0a /* field 1 of Trace, with a length */
#define HEADER_BYTES 11

/* Tracks and threads that are remembered; a record with more of them begins anew and describes its tracks again. */
#define REMEMBER_MAX 65536u
#define ANNOTATIONS_MAX 20

/* A track is told by the process and by a slot, so that it is the same whenever it is described. */
#define SLOT_VM 1u
#define SLOT_OTHER 2u /* for vCPU ids that no KVM gives */
#define SLOT_VCPU 3u
#define VCPU_MAX 0x7fffffff
#define UUID_KVMWAIT UINT64_C(0xf0000001) /* of no process; beyond the slots */
#define UUID_LOST UINT64_C(0xf0000002)

/* Names of annotations, interned: what a record refers to is their place here, from 1. */
enum note {
	NOTE_SOURCE, NOTE_TARGET, NOTE_CPU, NOTE_TID, NOTE_COMM, NOTE_CALLERS, NOTE_END, NOTE_HALT, NOTE_HALT_NS, NOTE_BOOSTED,
	NOTE_BOOSTED_TID, NOTE_NS, NOTE_OFF_NS, NOTE_READY_NS, NOTE_CPU_AFTER, NOTE_BY_VCPU, NOTE_BY_TID, NOTE_LOST, NOTE_VCPU,
	NOTES,
};
static const char *const note_names[NOTES] = {
	"source", "target", "cpu", "tid", "comm", "callers", "end", "halt", "halt_ns", "boosted", "boosted_tid", "ns", "off_ns",
	"ready_ns", "cpu_after", "by_vcpu", "by_tid", "lost", "vcpu",
};

struct track {
	uint64_t uuid;	 /* the key; first, so that a key alone can be looked up */
	uint64_t hash;	 /* of the name it was described with */
	uint64_t end_ns; /* of its last slice */
};

/* The last wait of a thread. */
struct thread {
	uint32_t tid; /* the key */
	bool waits;   /* it is still to be written */
	struct wait_event wait; /* nothing borrowed */
	char *callers;
};

struct perfetto {
	FILE *file;
	void *tracks, *threads; /* trees */
	size_t n_remembered;
	bool no_outcomes; /* the meta record says that none will come */
	uint64_t flows;
	uint8_t *buffer;
	size_t room;
};

/* An event with its annotations. */
struct event {
	Perfetto__TrackEvent event;
	Perfetto__DebugAnnotation notes[ANNOTATIONS_MAX], *pointers[ANNOTATIONS_MAX];
	char *category;
	uint64_t flow;
};

/* ---- packets ---- */

static size_t put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;

	for (; value > 0x7f; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

static void put_packet(struct perfetto *p, Perfetto__TracePacket *packet)
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

/* The names of annotations, and the clock of all times: CLOCK_BOOTTIME. */
static void put_first_packet(struct perfetto *p)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__TracePacketDefaults defaults = PERFETTO__TRACE_PACKET_DEFAULTS__INIT;
	Perfetto__InternedData interned = PERFETTO__INTERNED_DATA__INIT;
	Perfetto__DebugAnnotationName names[NOTES], *pointers[NOTES];

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
	put_packet(p, &packet);
}

static void put_event(struct perfetto *p, uint64_t ts_ns, uint64_t track, Perfetto__TrackEvent *event)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	packet.has_timestamp = event->has_type = event->has_track_uuid = true;
	packet.timestamp = ts_ns;
	event->track_uuid = track;
	packet.track_event = event;
	put_packet(p, &packet);
}

/* ---- events ---- */

static void event_init(struct event *e, Perfetto__TrackEvent__Type type, const char *name)
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

static void note_text(struct event *e, enum note note, const char *text)
{
	annotate(e, note)->string_value = (char *)text;
}

static void note_number(struct event *e, enum note note, uint64_t value)
{
	Perfetto__DebugAnnotation *a = annotate(e, note);

	a->has_uint_value = true;
	a->uint_value = value;
}

static void note_signed(struct event *e, enum note note, int64_t value)
{
	Perfetto__DebugAnnotation *a = annotate(e, note);

	a->has_int_value = true;
	a->int_value = value;
}

static void set_category(struct event *e, const char *category)
{
	e->category = (char *)category;
	e->event.n_categories = *category != '\0';
	e->event.categories = &e->category;
}

/* ---- tracks ---- */

static int compare_uuids(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int compare_tids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t hash_text(const char *s)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *s; s++)
		hash = (hash ^ (uint8_t)*s) * UINT64_C(1099511628211);
	return hash;
}

/* The track; one that is new, or has got another name, is described. */
static struct track *get_track(struct perfetto *p, Perfetto__TrackDescriptor *descriptor, const char *name)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	struct track **found = tfind(&descriptor->uuid, &p->tracks, compare_uuids), *t = found ? *found : NULL;
	uint64_t hash = hash_text(name);

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->uuid = descriptor->uuid;
		tsearch(t, &p->tracks, compare_uuids);
		p->n_remembered++;
	} else if (t->hash == hash) {
		return t;
	}
	t->hash = hash;
	descriptor->has_uuid = true;
	packet.track_descriptor = descriptor;
	put_packet(p, &packet);
	return t;
}

static struct track *vm_track(struct perfetto *p, uint32_t pid, const char *vm)
{
	Perfetto__TrackDescriptor descriptor = PERFETTO__TRACK_DESCRIPTOR__INIT;
	Perfetto__ProcessDescriptor process = PERFETTO__PROCESS_DESCRIPTOR__INIT;
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, pid);
	process.has_pid = true;
	process.pid = (int32_t)pid;
	process.process_name = vm ? (char *)vm : number;
	descriptor.uuid = (uint64_t)pid << 32 | SLOT_VM;
	descriptor.process = &process;
	descriptor.has_child_ordering = true;
	descriptor.child_ordering = CHILDREN_BY_RANK;
	return get_track(p, &descriptor, process.process_name);
}

/* The track of a vCPU of a VM that has one. */
static struct track *vcpu_track(struct perfetto *p, uint32_t pid, int64_t vcpu)
{
	Perfetto__TrackDescriptor descriptor = PERFETTO__TRACK_DESCRIPTOR__INIT;
	bool other = vcpu < 0 || vcpu > VCPU_MAX;
	char name[32] = "other vCPUs";

	if (!other)
		snprintf(name, sizeof(name), "vCPU %" PRId64, vcpu);
	descriptor.uuid = (uint64_t)pid << 32 | (other ? SLOT_OTHER : SLOT_VCPU + (uint64_t)vcpu);
	descriptor.has_parent_uuid = descriptor.has_sibling_order_rank = true;
	descriptor.parent_uuid = (uint64_t)pid << 32 | SLOT_VM;
	descriptor.sibling_order_rank = other ? INT32_MAX : (int32_t)vcpu;
	descriptor.name = name;
	return get_track(p, &descriptor, name);
}

static uint64_t own_track(struct perfetto *p, uint64_t uuid, const char *name)
{
	Perfetto__TrackDescriptor descriptor = PERFETTO__TRACK_DESCRIPTOR__INIT;

	descriptor.uuid = uuid;
	descriptor.name = (char *)name;
	get_track(p, &descriptor, name);
	return uuid;
}

/* ---- waits and outcomes ---- */

static void note_wait(struct event *e, const struct wait_event *w, const char *comm, const char *callers)
{
	set_category(e, w->source);
	note_text(e, NOTE_SOURCE, w->source);
	note_signed(e, NOTE_TARGET, w->target);
	note_signed(e, NOTE_VCPU, w->vcpu);
	note_number(e, NOTE_CPU, w->cpu);
	note_number(e, NOTE_TID, w->tid);
	note_text(e, NOTE_COMM, comm);
	if (callers)
		note_text(e, NOTE_CALLERS, callers);
}

static void note_outcome(struct event *e, const struct outcome_event *o)
{
	note_text(e, NOTE_END, outcome_end_names[o->end]);
	if (o->end == OUTCOME_UNSEEN)
		return;
	if (o->halt != HALT_NONE || event_bit(o->event) == event_bit("hlt")) {
		note_text(e, NOTE_HALT, halt_names[o->halt]);
		note_number(e, NOTE_HALT_NS, o->halt_ns);
	} else {
		note_signed(e, NOTE_BOOSTED, o->boosted);
		note_number(e, NOTE_BOOSTED_TID, o->boosted_tid);
	}
	note_number(e, NOTE_NS, o->ts_ns - o->wait_ns);
	note_number(e, NOTE_OFF_NS, o->off_ns);
	note_number(e, NOTE_READY_NS, o->ready_ns);
	note_number(e, NOTE_CPU_AFTER, o->cpu);
}

static struct thread *find_thread(struct perfetto *p, uint32_t tid)
{
	struct thread **found = tfind(&tid, &p->threads, compare_tids);

	return found ? *found : NULL;
}

/* Which vCPU of the same VM was boosted; false where that is not known. */
static bool boosted_vcpu(struct perfetto *p, const struct outcome_event *o, int64_t *ret)
{
	const struct thread *t = o->boosted < 0 && o->boosted_tid ? find_thread(p, o->boosted_tid) : NULL;

	if (o->end == OUTCOME_UNSEEN || (o->boosted < 0 && (!t || t->wait.pid != o->pid)))
		return false;
	*ret = t ? t->wait.vcpu : o->boosted;
	return true;
}

/* The other end of a flow: on the track of the vCPU that was given the CPU. */
static void put_boost(struct perfetto *p, const struct outcome_event *o, int64_t vcpu, uint64_t flow)
{
	struct event e;

	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, "boosted");
	e.event.n_terminating_flow_ids = 1;
	e.event.terminating_flow_ids = &flow;
	note_signed(&e, NOTE_BY_VCPU, o->vcpu);
	note_number(&e, NOTE_BY_TID, o->tid);
	put_event(p, o->wait_ns, vcpu_track(p, o->pid, vcpu)->uuid, &e.event);
}

/*
 * One slice of a track ends before the next begins: a vCPU waits for one thing at a time. A record that says otherwise
 * (a late one, or made by somebody else) is an instant, since slices that cross cannot be drawn.
 */
static void put_followed(struct perfetto *p, struct event *e, const struct outcome_event *o)
{
	struct track *track = vcpu_track(p, o->pid, o->vcpu);
	bool slice = o->end != OUTCOME_UNSEEN && o->wait_ns >= track->end_ns;
	uint64_t flow = p->flows + 1;
	int64_t boosted = -1;

	if (slice)
		e->event.type = PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN;
	note_outcome(e, o);
	if (boosted_vcpu(p, o, &boosted)) {
		p->flows = flow;
		e->event.n_flow_ids = 1;
		e->event.flow_ids = &flow;
	}
	put_event(p, o->wait_ns, track->uuid, &e->event);
	if (e->event.n_flow_ids)
		put_boost(p, o, boosted, flow);
	if (!slice)
		return;
	track->end_ns = o->ts_ns;
	event_init(e, PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END, NULL);
	put_event(p, o->ts_ns, track->uuid, &e->event);
}

/* Writes the wait of a thread: with its outcome, or NULL where none is known. */
static void put_wait(struct perfetto *p, const struct wait_event *w, const char *callers, const struct outcome_event *o)
{
	char comm[4 * COMM_BYTES + 1];
	struct event e;

	text_clean(w->comm, strnlen(w->comm, COMM_BYTES), comm);
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, w->event);
	note_wait(&e, w, comm, callers);
	if (o)
		put_followed(p, &e, o);
	else
		put_event(p, w->ts_ns, vcpu_track(p, w->pid, w->vcpu)->uuid, &e.event);
}

static void let_go(struct perfetto *p, struct thread *t, const struct outcome_event *o)
{
	if (t->waits)
		put_wait(p, &t->wait, t->callers, o);
	t->waits = false;
	free(t->callers);
	t->callers = NULL;
}

static void take_wait(struct perfetto *p, const struct wait_event *w)
{
	struct thread *t = find_thread(p, w->tid);

	vm_track(p, w->pid, w->vm);
	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->tid = w->tid;
		tsearch(t, &p->threads, compare_tids);
		p->n_remembered++;
	}
	let_go(p, t, NULL);
	t->wait = *w;
	t->wait.vm = NULL;
	t->wait.callers = NULL;
	t->callers = w->callers && w->callers->n ? strings_join(w->callers, " <- ") : NULL;
	t->waits = true;
	if (p->no_outcomes)
		let_go(p, t, NULL);
}

/* What followed a wait that was lost tells where the vCPU was all the same. */
static void take_outcome(struct perfetto *p, const struct outcome_event *o)
{
	struct thread *t = find_thread(p, o->tid);
	struct event e;

	vm_track(p, o->pid, o->vm);
	if (t && t->waits && t->wait.ts_ns == o->wait_ns && t->wait.pid == o->pid && t->wait.vcpu == o->vcpu) {
		let_go(p, t, o);
		return;
	}
	if (o->end == OUTCOME_UNSEEN)
		return;
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, *o->event ? o->event : "lost wait");
	set_category(&e, o->source);
	note_number(&e, NOTE_TID, o->tid);
	put_followed(p, &e, o);
}

/* ---- the trace as a whole ---- */

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

static void put_facts(struct perfetto *p, struct facts *f, const char *name, bool have_ts, uint64_t ts_ns)
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
	put_packet(p, &packet);
	if (have_ts) {
		event.type = PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT;
		event.name = (char *)name;
		put_event(p, ts_ns, own_track(p, UUID_KVMWAIT, "kvmwait"), &event);
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

static bool get_time(json_t *object, const char *field, uint64_t *ret)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* Returns whether the clock of the trace is there. */
static bool put_clocks(struct perfetto *p, json_t *record, uint64_t *ret_boottime_ns)
{
	static const struct {
		const char *name;
		uint32_t id;
	} builtin[] = { { "boottime", BUILTIN_BOOTTIME }, { "monotonic", BUILTIN_MONOTONIC }, { "realtime", BUILTIN_REALTIME } };
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__ClockSnapshot snapshot = PERFETTO__CLOCK_SNAPSHOT__INIT;
	Perfetto__ClockSnapshot__Clock clocks[ARRAY_SIZE(builtin)], *pointers[ARRAY_SIZE(builtin)];
	json_t *clock = json_object_get(record, "clock");

	if (!get_time(clock, "boottime", ret_boottime_ns))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(builtin); i++) {
		Perfetto__ClockSnapshot__Clock *c = &clocks[snapshot.n_clocks];

		*c = (Perfetto__ClockSnapshot__Clock)PERFETTO__CLOCK_SNAPSHOT__CLOCK__INIT;
		c->has_clock_id = c->has_timestamp = true;
		c->clock_id = builtin[i].id;
		if (get_time(clock, builtin[i].name, &c->timestamp))
			pointers[snapshot.n_clocks++] = c;
	}
	snapshot.clocks = pointers;
	snapshot.has_primary_trace_clock = true;
	snapshot.primary_trace_clock = BUILTIN_BOOTTIME;
	packet.clock_snapshot = &snapshot;
	put_packet(p, &packet);
	return true;
}

static void put_system(struct perfetto *p, json_t *meta)
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
	put_packet(p, &packet);
}

static void take_meta(struct perfetto *p, json_t *meta)
{
	static const char *const keys[] = { "kernel", "arch", "vendor", "script", "script_sha256", "bpftrace" };
	json_t *parts = json_object_get(meta, "parts"), *probes = json_object_get(meta, "probes");
	struct facts facts = { 0 };
	uint64_t ts_ns = 0;
	bool have_ts;
	size_t i;

	p->no_outcomes = true;
	for (i = 0; i < json_array_size(parts); i++) {
		const char *script = json_string_value(json_object_get(json_array_get(parts, i), "script"));

		p->no_outcomes = p->no_outcomes && !(script && starts_with(script, "outcome"));
	}
	have_ts = put_clocks(p, meta, &ts_ns);
	put_system(p, meta);
	add_fact(&facts, "version", json_object_get(meta, "kvmwait"));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		add_fact(&facts, keys[i], json_object_get(meta, keys[i]));
	for (i = 0; i < json_array_size(probes); i++)
		add_probe(&facts, json_array_get(probes, i));
	put_facts(p, &facts, "trace begins", have_ts, ts_ns);
}

static void take_lost(struct perfetto *p, json_t *lost)
{
	struct event e;
	uint64_t ts_ns;

	if (!get_time(lost, "ts", &ts_ns))
		return;
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, "lost");
	note_signed(&e, NOTE_LOST, json_integer_value(json_object_get(lost, "lost")));
	put_event(p, ts_ns, own_track(p, UUID_LOST, "kvmwait: lost events"), &e.event);
}

static void let_go_of(const void *node, VISIT visit, void *closure)
{
	if (visit == postorder || visit == leaf)
		let_go(closure, *(struct thread *const *)node, NULL);
}

static void free_thread(void *thread)
{
	free(((struct thread *)thread)->callers);
	free(thread);
}

/* Writes what is held, and remembers nothing. */
static void begin_anew(struct perfetto *p)
{
	twalk_r(p->threads, let_go_of, p);
	tdestroy(p->threads, free_thread);
	tdestroy(p->tracks, free);
	p->threads = p->tracks = NULL;
	p->n_remembered = 0;
}

static void take_end(struct perfetto *p, json_t *end)
{
	static const char *const keys[] = { "why", "counted", "received", "lost", "unreported", "malformed", "late", "unbalanced" };
	struct facts facts = { 0 };
	uint64_t ts_ns = 0;
	bool have_ts;

	twalk_r(p->threads, let_go_of, p);
	have_ts = put_clocks(p, end, &ts_ns);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_fact(&facts, keys[i], json_object_get(end, keys[i]));
	put_facts(p, &facts, "trace ends", have_ts, ts_ns);
}

struct perfetto *perfetto_new(FILE *file)
{
	struct perfetto *p = xcalloc(1, sizeof(*p));

	p->file = file;
	put_first_packet(p);
	return p;
}

void perfetto_write(struct perfetto *p, const struct record *r)
{
	if (p->n_remembered >= REMEMBER_MAX)
		begin_anew(p);
	switch (r->type) {
	case RECORD_META:
		take_meta(p, r->object);
		break;
	case RECORD_WAIT:
		take_wait(p, &r->wait);
		break;
	case RECORD_OUTCOME:
		take_outcome(p, &r->outcome);
		break;
	case RECORD_LOST:
		take_lost(p, r->object);
		break;
	case RECORD_END:
		take_end(p, r->object);
		break;
	default:
		break;
	}
}

void perfetto_free(struct perfetto *p)
{
	if (!p)
		return;
	begin_anew(p);
	free(p->buffer);
	free(p);
}
