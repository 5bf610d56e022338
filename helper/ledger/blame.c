// SPDX-License-Identifier: Apache-2.0
// Who had the CPU of a vCPU that could have run while a sibling of it spun: lock-holder preemption, counted.
#include "ledger/blame.h"

#include "base/memory.h"
#include "base/table.h"
#include "ledger/blame_rows.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 65536u

enum thread_state {
	THREAD_UNKNOWN,
	THREAD_RUNNING,
	THREAD_READY, /* runnable, off its CPU */
	THREAD_BLOCKED,
};

/* Time after the last spin, which counts if there is another one within the span. */
struct pending {
	struct culprit culprit;
	uint64_t ns;
};

/* The thread of a vCPU. */
struct vcpu_thread {
	uint32_t tid; /* the key; first, so that a key alone can be looked up */
	struct vm_seats *vm;
	int64_t vcpu;
	enum thread_state state;
	uint32_t cpu;
	struct vcpu_thread *next_ready; /* on this CPU */
	bool spun;		   /* since it is ready there was a spin */
	uint64_t charged_ns;	   /* up to here its time off the CPU is in rows or pending */
	struct pending *pending;
	size_t n_pending, room;
};

struct vm_seats {
	struct blame_vm v; /* first: the key is its TGID */
	/* Each vCPU that was seen, with its thread or NULL where that has ended. */
	struct seat {
		int64_t vcpu;
		struct vcpu_thread *thread;
	} *seats;
	size_t n_seats;
};

struct cpu {
	bool known;
	uint32_t now;
	struct vcpu_thread *ready;
};

struct blame {
	struct table threads, vms; /* by the id that an entry begins with */
	struct blame_rows rows;
	struct cpu *cpus;
	size_t n_cpus;
	unsigned int blind; /* CPUs of which lines are missing now */
	uint64_t now_ns;
};

static uint64_t hash_id(const void *entry)
{
	return table_hash_bytes(0, entry, sizeof(uint32_t));
}

static bool same_id(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

struct blame *blame_new(blame_look look, void *context)
{
	struct blame *b = xcalloc(1, sizeof(*b));

	b->threads = b->vms = (struct table){ .hash = hash_id, .same = same_id };
	blame_rows_init(&b->rows, look, context);
	return b;
}

static void thread_free(void *p)
{
	struct vcpu_thread *t = p;

	free(t->pending);
	free(t);
}

static void vm_free(void *p)
{
	struct vm_seats *vm = p;

	free(vm->v.name);
	free(vm->seats);
	free(vm);
}

void blame_free(struct blame *b)
{
	if (!b)
		return;
	blame_rows_done(&b->rows);
	table_done(&b->threads, thread_free);
	table_done(&b->vms, vm_free);
	free(b->cpus);
	free(b);
}

/* ---- what is known ---- */

/* The entry of that id, which begins with it; made where there is none. */
static void *get(struct table *table, uint32_t id, size_t size)
{
	void *entry = table_find(table, &id);

	if (!entry) {
		entry = xcalloc(1, size);
		memcpy(entry, &id, sizeof(id));
		table_add(table, entry);
	}
	return entry;
}

static struct vm_seats *get_vm(struct blame *b, uint32_t tgid, const char *name)
{
	struct vm_seats *vm = get(&b->vms, tgid, sizeof(*vm));

	if (name && (!vm->v.name || strcmp(vm->v.name, name))) {
		free(vm->v.name);
		vm->v.name = xstrdup(name);
	}
	return vm;
}

static struct seat *get_seat(struct vm_seats *vm, int64_t vcpu)
{
	for (size_t i = 0; i < vm->n_seats; i++)
		if (vm->seats[i].vcpu == vcpu)
			return &vm->seats[i];
	vm->seats = xrealloc(vm->seats, vm->n_seats + 1, sizeof(*vm->seats));
	vm->seats[vm->n_seats] = (struct seat){ .vcpu = vcpu };
	return &vm->seats[vm->n_seats++];
}

/* NULL where no such CPU can be. */
static struct cpu *get_cpu(struct blame *b, uint32_t cpu)
{
	if (cpu >= MAX_CPUS)
		return NULL;
	if (cpu >= b->n_cpus) {
		b->cpus = xrealloc(b->cpus, cpu + 1, sizeof(*b->cpus));
		memset(b->cpus + b->n_cpus, 0, (cpu + 1 - b->n_cpus) * sizeof(*b->cpus));
		b->n_cpus = cpu + 1;
	}
	return &b->cpus[cpu];
}

static void set_now(struct blame *b, uint32_t cpu, uint32_t tid)
{
	struct cpu *c = get_cpu(b, cpu);

	if (!c)
		return;
	c->known = true;
	c->now = tid;
}

/* ---- culprits ---- */

/* Who has the CPU of a thread that is ready, whoever spins. */
static struct culprit culprit_of(struct blame *b, const struct vcpu_thread *t)
{
	const struct cpu *c = get_cpu(b, t->cpu);
	struct culprit culprit = { .kind = CULPRIT_UNKNOWN, .vcpu = -1 };
	const struct vcpu_thread *other;

	if (!c || !c->known || c->now == t->tid)
		return culprit;
	culprit.tid = c->now;
	other = table_find(&b->threads, &c->now);
	if (!c->now) {
		culprit.kind = CULPRIT_IDLE;
	} else if (other && other->vm) {
		culprit.kind = other->vm == t->vm ? CULPRIT_SIBLING : CULPRIT_VCPU;
		culprit.vm = &other->vm->v;
		culprit.vcpu = other->vcpu;
	} else {
		culprit.kind = CULPRIT_HOST;
	}
	return culprit;
}

static struct culprit seen_by(const struct culprit *culprit, uint32_t spinner)
{
	struct culprit c = *culprit;

	if (c.kind == CULPRIT_SIBLING && c.tid == spinner)
		c.kind = CULPRIT_SELF;
	return c;
}

/* ---- the time off the CPU ---- */

/* Time up to now goes to whoever has the CPU, if another spin follows. */
static void put_off(struct blame *b, struct vcpu_thread *t, uint64_t ts_ns)
{
	struct culprit culprit;

	if (!t->spun || ts_ns <= t->charged_ns)
		return;
	culprit = culprit_of(b, t);
	if (t->n_pending && !memcmp(&t->pending[t->n_pending - 1].culprit, &culprit, sizeof(culprit))) {
		t->pending[t->n_pending - 1].ns += ts_ns - t->charged_ns;
	} else {
		if (t->n_pending == t->room) {
			t->room = t->room ? 2 * t->room : 8;
			t->pending = xrealloc(t->pending, t->room, sizeof(*t->pending));
		}
		t->pending[t->n_pending++] = (struct pending){ .culprit = culprit, .ns = ts_ns - t->charged_ns };
	}
	t->charged_ns = ts_ns;
}

/* A spin: what was put off counts. */
static void charge(struct blame *b, struct vcpu_thread *t, uint64_t ts_ns, uint32_t spinner)
{
	put_off(b, t, ts_ns);
	for (size_t i = 0; i < t->n_pending; i++) {
		struct culprit culprit = seen_by(&t->pending[i].culprit, spinner);

		blame_rows_get(&b->rows, &t->vm->v, t->vcpu, &culprit)->ns += t->pending[i].ns;
	}
	t->n_pending = 0;
	t->charged_ns = ts_ns;
	t->spun = true;
}

static void put_off_all(struct blame *b, uint32_t cpu, uint64_t ts_ns)
{
	struct cpu *c = get_cpu(b, cpu);

	for (struct vcpu_thread *t = c ? c->ready : NULL; t; t = t->next_ready)
		put_off(b, t, ts_ns);
}

/* The thread has had this CPU until now: to be called before that changes. */
static void had_cpu(struct blame *b, uint32_t cpu, uint32_t tid, uint64_t ts_ns)
{
	struct cpu *c = get_cpu(b, cpu);

	/* Where another one was known to have it a switch was missed, and since when is not known. */
	if (c && c->known && c->now != tid)
		c->known = false;
	put_off_all(b, cpu, ts_ns);
}

/* ---- what threads do ---- */

static void leave_queue(struct blame *b, struct vcpu_thread *t)
{
	struct cpu *c = get_cpu(b, t->cpu);
	struct vcpu_thread **p = c ? &c->ready : NULL;

	while (p && *p && *p != t)
		p = &(*p)->next_ready;
	if (p && *p)
		*p = t->next_ready;
	t->next_ready = NULL;
}

static void set_state(struct blame *b, struct vcpu_thread *t, enum thread_state state, uint32_t cpu)
{
	struct cpu *c = get_cpu(b, cpu);

	if (t->state == THREAD_READY)
		leave_queue(b, t);
	if (state != THREAD_READY) {
		t->spun = false;
		t->n_pending = 0;
	}
	t->state = c ? state : THREAD_UNKNOWN;
	t->cpu = cpu;
	if (t->state == THREAD_READY) {
		t->next_ready = c->ready;
		c->ready = t;
	}
}

static void unseat(struct vcpu_thread *t)
{
	for (size_t i = 0; t->vm && i < t->vm->n_seats; i++)
		if (t->vm->seats[i].thread == t)
			t->vm->seats[i].thread = NULL;
}

static void forget_thread(struct blame *b, struct vcpu_thread *t)
{
	set_state(b, t, THREAD_UNKNOWN, t->cpu);
	unseat(t);
	table_remove(&b->threads, t);
	thread_free(t);
}

/* The thread runs this vCPU, on this CPU. */
static struct vcpu_thread *seat(struct blame *b, uint32_t tid, struct vm_seats *vm, int64_t vcpu, uint32_t cpu, uint64_t ts_ns)
{
	struct vcpu_thread *t;
	struct seat *s;

	had_cpu(b, cpu, tid, ts_ns);
	t = get(&b->threads, tid, sizeof(*t));
	if (t->vm != vm || t->vcpu != vcpu)
		unseat(t);
	t->vm = vm;
	t->vcpu = vcpu;
	s = get_seat(vm, vcpu);
	if (s->thread && s->thread != t) /* it no longer runs this one, and it is not known to run another */
		forget_thread(b, s->thread);
	s->thread = t;
	if (t->state != THREAD_RUNNING || t->cpu != cpu)
		set_state(b, t, THREAD_RUNNING, cpu);
	set_now(b, cpu, tid);
	return t;
}

static void take_switch(struct blame *b, const struct sched_event *s)
{
	struct vcpu_thread *prev = table_find(&b->threads, &s->tid), *next = table_find(&b->threads, &s->next);

	had_cpu(b, s->cpu, s->tid, s->ts_ns);
	blame_rows_note_task(&b->rows, s->tid, s->pid, s->comm);
	set_now(b, s->cpu, s->next);
	if (prev)
		set_state(b, prev, THREAD_BLOCKED, s->cpu); /* which ends what was thought of it */
	if (prev && s->runnable)
		set_state(b, prev, THREAD_READY, s->cpu);
	if (next)
		set_state(b, next, THREAD_RUNNING, s->cpu);
}

static void take_ready(struct blame *b, const struct sched_event *s)
{
	struct vcpu_thread *t = table_find(&b->threads, &s->tid);
	struct cpu *c = get_cpu(b, s->at);

	if (!t || !c)
		return;
	if (!s->live || !c->known) {
		put_off_all(b, s->at, s->ts_ns);
		c->known = s->now_known;
		c->now = s->now;
	}
	if (t->state == THREAD_READY)
		put_off(b, t, s->ts_ns);
	set_state(b, t, THREAD_READY, s->at);
}

/* What is known of threads and CPUs no longer holds. */
static void forget_states(struct blame *b)
{
	struct vcpu_thread *t;
	size_t cursor = 0;

	while ((t = table_next(&b->threads, &cursor)))
		set_state(b, t, THREAD_UNKNOWN, t->cpu);
	for (size_t i = 0; i < b->n_cpus; i++)
		b->cpus[i].known = false;
}

static void take_sched(struct blame *b, const struct sched_event *s)
{
	struct vcpu_thread *t;
	struct vm_seats *vm;

	switch (s->kind) {
	case SCHED_VCPU:
		vm = get_vm(b, s->pid, s->vm);
		if (s->vcpus > vm->v.vcpus)
			vm->v.vcpus = s->vcpus;
		blame_rows_note_task(&b->rows, s->tid, s->pid, s->comm);
		seat(b, s->tid, vm, s->vcpu, s->cpu, s->ts_ns);
		break;
	case SCHED_SWITCH:
		take_switch(b, s);
		break;
	case SCHED_READY:
		take_ready(b, s);
		break;
	case SCHED_GONE:
		t = table_find(&b->threads, &s->tid);
		if (t)
			forget_thread(b, t);
		break;
	case SCHED_BLIND:
		b->blind++;
		break;
	case SCHED_SIGHT:
		b->blind -= b->blind > 0;
		forget_states(b);
		break;
	default:
		break;
	}
}

/* One sibling at one spin. */
static void blame_sibling(struct blame *b, struct vcpu_thread *sibling, const struct wait_event *w)
{
	struct culprit culprit = culprit_of(b, sibling);
	struct blame_row *row;

	culprit = seen_by(&culprit, w->tid);
	charge(b, sibling, w->ts_ns, w->tid);
	row = blame_rows_get(&b->rows, &sibling->vm->v, sibling->vcpu, &culprit);
	row->spins++;
	row->targeted += w->target == sibling->vcpu;
}

static void take_spin(struct blame *b, const struct wait_event *w)
{
	struct vm_seats *vm = get_vm(b, w->pid, w->vm);
	struct vcpu_thread *spinner = seat(b, w->tid, vm, w->vcpu, w->cpu, w->ts_ns);
	bool blamed = false, unknown = vm->v.vcpus > vm->n_seats;

	for (size_t i = 0; i < vm->n_seats; i++) {
		struct vcpu_thread *t = vm->seats[i].thread;

		if (!t || t == spinner)
			continue;
		unknown |= t->state == THREAD_UNKNOWN;
		if (t->state != THREAD_READY)
			continue;
		blame_sibling(b, t, w);
		blamed = true;
	}
	vm->v.spins++;
	vm->v.blamed += blamed;
	vm->v.unblamed += !blamed && !unknown;
	vm->v.unknown += !blamed && unknown;
}

/* A spin of which nothing can be said but that it was. */
static void take_late_spin(struct blame *b, const struct wait_event *w)
{
	struct vm_seats *vm = get_vm(b, w->pid, w->vm);

	vm->v.spins++;
	vm->v.unknown++;
}

void blame_take(struct blame *b, const struct record *r)
{
	bool spin = r->type == RECORD_WAIT && event_bit(r->wait.event) != event_bit("hlt");
	bool late = r->ts_ns < b->now_ns;

	if (!spin && r->type != RECORD_SCHED)
		return;
	if (late)
		forget_states(b);
	else
		b->now_ns = r->ts_ns;
	if (spin && (late || b->blind))
		take_late_spin(b, &r->wait);
	else if (spin)
		take_spin(b, &r->wait);
	else if (!late || r->sched.kind == SCHED_BLIND || r->sched.kind == SCHED_SIGHT)
		take_sched(b, &r->sched);
}

/* ---- what came of it ---- */

static int compare_vms(const void *a, const void *b)
{
	const struct blame_vm *x = *(const struct blame_vm *const *)a, *y = *(const struct blame_vm *const *)b;

	if (x->spins != y->spins)
		return x->spins > y->spins ? -1 : 1;
	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

size_t blame_vms(const struct blame *b, const struct blame_vm ***ret)
{
	const struct blame_vm **list = xcalloc(b->vms.n + 1, sizeof(struct blame_vm *));
	size_t n = 0, cursor = 0;
	struct vm_seats *vm;

	while ((vm = table_next(&b->vms, &cursor))) {
		if (!vm->v.spins)
			continue;
		vm->v.unseen = vm->v.vcpus > vm->n_seats ? vm->v.vcpus - (uint32_t)vm->n_seats : 0;
		list[n++] = &vm->v;
	}
	qsort(list, n, sizeof(struct blame_vm *), compare_vms);
	*ret = list;
	return n;
}

size_t blame_list(struct blame *b, const struct blame_row ***ret)
{
	return blame_rows_list(&b->rows, ret);
}
