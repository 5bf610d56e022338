// SPDX-License-Identifier: Apache-2.0
// A stream of records as a trace of Perfetto (TrackEvent): VMs are processes with a track for each vCPU, waits are slices.
#include "show/perfetto.h"

#include "base/clean_text.h"
#include "base/table.h"
#include "base/text.h"
#include "show/perfetto_facts.h"
#include "show/perfetto_packet.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHILDREN_BY_RANK 3u

/* Tracks and threads that are remembered; a record with more of them begins anew and describes its tracks again. */
#define REMEMBER_MAX 65536u

/* A track is told by the process and by a slot, so that it is the same whenever it is described. */
#define SLOT_VM 1u
#define SLOT_OTHER 2u /* for vCPU ids that no KVM gives */
#define SLOT_VCPU 3u
#define VCPU_MAX 0x7fffffff
#define UUID_KVMWAIT UINT64_C(0xf0000001) /* of no process; beyond the slots */
#define UUID_LOST UINT64_C(0xf0000002)

struct track {
	uint64_t uuid;	 /* the key; first, so that a key alone can be looked up */
	uint64_t hash;	 /* of the name it was described with */
	uint64_t end_ns; /* of its last slice */
};

/* The last wait of a thread. */
struct last_wait {
	uint32_t tid; /* the key */
	bool waits;   /* it is still to be written */
	struct wait_event wait; /* nothing borrowed */
	char *callers, *guest_symbol;
};

struct perfetto {
	struct packets packets;
	struct table tracks, threads;
	size_t n_remembered;
	bool no_outcomes; /* the meta record says that none will come */
	uint64_t flows;
};

/* ---- tracks ---- */

static uint64_t hash_track(const void *entry)
{
	return table_hash_bytes(0, entry, sizeof(uint64_t));
}

static bool same_track(const void *a, const void *b)
{
	return *(const uint64_t *)a == *(const uint64_t *)b;
}

static uint64_t hash_thread(const void *entry)
{
	return table_hash_bytes(0, entry, sizeof(uint32_t));
}

static bool same_thread(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

/* The track; one that is new, or has got another name, is described. */
static struct track *get_track(struct perfetto *p, Perfetto__TrackDescriptor *descriptor, const char *name)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	struct track *t = table_find(&p->tracks, &descriptor->uuid);
	uint64_t hash = table_hash_bytes(0, name, strlen(name));

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->uuid = descriptor->uuid;
		table_add(&p->tracks, t);
		p->n_remembered++;
	} else if (t->hash == hash) {
		return t;
	}
	t->hash = hash;
	descriptor->has_uuid = true;
	packet.track_descriptor = descriptor;
	packets_put(&p->packets, &packet);
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
	event_set_category(e, w->source);
	event_note_text(e, NOTE_SOURCE, w->source);
	event_note_signed(e, NOTE_TARGET, w->target);
	event_note_signed(e, NOTE_VCPU, w->vcpu);
	event_note_number(e, NOTE_CPU, w->cpu);
	event_note_number(e, NOTE_TID, w->tid);
	event_note_text(e, NOTE_COMM, comm);
	if (callers)
		event_note_text(e, NOTE_CALLERS, callers);
}

static void note_guest(struct event *e, const struct guest_place *g, const char *symbol)
{
	if (g->known & GUEST_IP)
		event_note_signed(e, NOTE_GUEST_IP, (int64_t)g->ip);
	if (guest_mode_name(g))
		event_note_text(e, NOTE_GUEST_MODE, guest_mode_name(g));
	if (symbol)
		event_note_text(e, NOTE_GUEST_SYMBOL, symbol);
}

static void note_outcome(struct event *e, const struct outcome_event *o)
{
	event_note_text(e, NOTE_END, outcome_end_names[o->end]);
	if (o->end == OUTCOME_UNSEEN)
		return;
	if (o->halt != HALT_NONE || event_bit(o->event) == event_bit("hlt")) {
		event_note_text(e, NOTE_HALT, halt_names[o->halt]);
		event_note_number(e, NOTE_HALT_NS, o->halt_ns);
	} else {
		event_note_signed(e, NOTE_BOOSTED, o->boosted);
		event_note_number(e, NOTE_BOOSTED_TID, o->boosted_tid);
	}
	event_note_number(e, NOTE_NS, o->ts_ns - o->wait_ns);
	event_note_number(e, NOTE_OFF_NS, o->off_ns);
	event_note_number(e, NOTE_READY_NS, o->ready_ns);
	event_note_number(e, NOTE_CPU_AFTER, o->cpu);
}

/* Which vCPU of the same VM was boosted; false where that is not known. */
static bool boosted_vcpu(struct perfetto *p, const struct outcome_event *o, int64_t *ret)
{
	const struct last_wait *t = o->boosted < 0 && o->boosted_tid ? table_find(&p->threads, &o->boosted_tid) : NULL;

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
	event_note_signed(&e, NOTE_BY_VCPU, o->vcpu);
	event_note_number(&e, NOTE_BY_TID, o->tid);
	packets_put_event(&p->packets, o->wait_ns, vcpu_track(p, o->pid, vcpu)->uuid, &e.event);
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
	packets_put_event(&p->packets, o->wait_ns, track->uuid, &e->event);
	if (e->event.n_flow_ids)
		put_boost(p, o, boosted, flow);
	if (!slice)
		return;
	track->end_ns = o->ts_ns;
	event_init(e, PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END, NULL);
	packets_put_event(&p->packets, o->ts_ns, track->uuid, &e->event);
}

/* Writes the wait of a thread: with its outcome, or NULL where none is known. */
static void put_wait(struct perfetto *p, const struct last_wait *t, const struct outcome_event *o)
{
	const struct wait_event *w = &t->wait;
	char comm[4 * COMM_BYTES + 1];
	struct event e;

	text_clean(w->comm, strnlen(w->comm, COMM_BYTES), comm);
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, w->event);
	note_wait(&e, w, comm, t->callers);
	note_guest(&e, &w->guest, t->guest_symbol);
	if (o)
		put_followed(p, &e, o);
	else
		packets_put_event(&p->packets, w->ts_ns, vcpu_track(p, w->pid, w->vcpu)->uuid, &e.event);
}

static void let_go(struct perfetto *p, struct last_wait *t, const struct outcome_event *o)
{
	if (t->waits)
		put_wait(p, t, o);
	t->waits = false;
	free(t->callers);
	free(t->guest_symbol);
	t->callers = t->guest_symbol = NULL;
}

static void hold_wait(struct perfetto *p, const struct wait_event *w)
{
	struct last_wait *t = table_find(&p->threads, &w->tid);

	vm_track(p, w->pid, w->vm);
	if (!t) {
		t = xcalloc(1, sizeof(*t));
		t->tid = w->tid;
		table_add(&p->threads, t);
		p->n_remembered++;
	}
	let_go(p, t, NULL);
	t->wait = *w;
	t->wait.vm = NULL;
	t->wait.callers = NULL;
	t->wait.guest.symbol = NULL;
	t->guest_symbol = w->guest.symbol ? xasprintf("%s+0x%" PRIx64, w->guest.symbol, w->guest.offset) : NULL;
	t->callers = w->callers && w->callers->n ? strings_join(w->callers, " <- ") : NULL;
	t->waits = true;
	if (p->no_outcomes)
		let_go(p, t, NULL);
}

/* What followed a wait that was lost tells where the vCPU was all the same. */
static void join_outcome(struct perfetto *p, const struct outcome_event *o)
{
	struct last_wait *t = table_find(&p->threads, &o->tid);
	struct event e;

	vm_track(p, o->pid, o->vm);
	if (t && t->waits && t->wait.ts_ns == o->wait_ns && t->wait.pid == o->pid && t->wait.vcpu == o->vcpu) {
		let_go(p, t, o);
		return;
	}
	if (o->end == OUTCOME_UNSEEN)
		return;
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, *o->event ? o->event : "lost wait");
	event_set_category(&e, o->source);
	event_note_number(&e, NOTE_TID, o->tid);
	put_followed(p, &e, o);
}

/* ---- the trace as a whole ---- */

/* The track for the trace itself, at the time of this record's clock; 0 where it has none. */
static uint64_t take_clocks(struct perfetto *p, json_t *record, uint64_t *ret_ns)
{
	return facts_put_clocks(&p->packets, record, ret_ns) ? own_track(p, UUID_KVMWAIT, "kvmwait") : 0;
}

static void take_meta(struct perfetto *p, json_t *meta)
{
	json_t *parts = json_object_get(meta, "parts");
	uint64_t ts_ns = 0, track;

	p->no_outcomes = true;
	for (size_t i = 0; i < json_array_size(parts); i++) {
		const char *script = json_string_value(json_object_get(json_array_get(parts, i), "script"));

		p->no_outcomes = p->no_outcomes && !(script && starts_with(script, "outcome"));
	}
	track = take_clocks(p, meta, &ts_ns);
	facts_put_meta(&p->packets, meta, track, ts_ns);
}

static void take_lost(struct perfetto *p, json_t *lost)
{
	struct event e;
	uint64_t ts_ns;

	if (!facts_time(lost, "ts", &ts_ns))
		return;
	event_init(&e, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT, "lost");
	event_note_signed(&e, NOTE_LOST, json_integer_value(json_object_get(lost, "lost")));
	packets_put_event(&p->packets, ts_ns, own_track(p, UUID_LOST, "kvmwait: lost events"), &e.event);
}

static void free_thread(void *thread)
{
	free(((struct last_wait *)thread)->callers);
	free(((struct last_wait *)thread)->guest_symbol);
	free(thread);
}

static int compare_tids(const void *a, const void *b)
{
	const struct last_wait *x = *(struct last_wait *const *)a, *y = *(struct last_wait *const *)b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Writes the waits that are held, in the order of thread ids. */
static void let_all_go(struct perfetto *p)
{
	CLEANUP_FREE struct last_wait **list = xcalloc(p->threads.n + 1, sizeof(struct last_wait *));
	size_t n = 0, cursor = 0;

	while ((list[n] = table_next(&p->threads, &cursor)))
		n++;
	qsort(list, n, sizeof(struct last_wait *), compare_tids);
	for (size_t i = 0; i < n; i++)
		let_go(p, list[i], NULL);
}

/* Writes what is held, and remembers nothing. */
static void begin_anew(struct perfetto *p)
{
	let_all_go(p);
	table_done(&p->threads, free_thread);
	table_done(&p->tracks, free);
	p->n_remembered = 0;
}

static void take_end(struct perfetto *p, json_t *end)
{
	uint64_t ts_ns = 0, track;

	let_all_go(p);
	track = take_clocks(p, end, &ts_ns);
	facts_put_end(&p->packets, end, track, ts_ns);
}

struct perfetto *perfetto_new(FILE *file)
{
	struct perfetto *p = xcalloc(1, sizeof(*p));

	p->tracks = (struct table){ .hash = hash_track, .same = same_track };
	p->threads = (struct table){ .hash = hash_thread, .same = same_thread };
	packets_begin(&p->packets, file);
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
		hold_wait(p, &r->wait);
		break;
	case RECORD_OUTCOME:
		join_outcome(p, &r->outcome);
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
	packets_done(&p->packets);
	free(p);
}
