// SPDX-License-Identifier: Apache-2.0
// Who or what occupied the CPU that a runnable vCPU waited for, and which spins of its VM awaited it.
#include "ledger/blame.h"

#include "base/memory.h"
#include "ledger/blame_state.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CPUS 65536u

static uint64_t hash_id(const void *entry)
{
	return table_hash_bytes(0, entry, sizeof(uint32_t));
}

static bool same_id(const void *a, const void *b)
{
	return *(const uint32_t *)a == *(const uint32_t *)b;
}

static uint64_t hash_queue(const void *entry)
{
	return table_hash_bytes(0, entry, 2 * sizeof(uint64_t));
}

static bool same_queue(const void *a, const void *b)
{
	return !memcmp(a, b, 2 * sizeof(uint64_t));
}

struct blame *blame_new(blame_look look, blame_look_cgroup look_cgroup, const struct sleep_rules *rules, void *context)
{
	struct blame *b = xcalloc(1, sizeof(*b));

	b->threads = b->vms = (struct table){ .hash = hash_id, .same = same_id };
	b->queues = (struct table){ .hash = hash_queue, .same = same_queue };
	blame_rows_init(&b->rows, look, look_cgroup, context);
	blame_sleeps_init(&b->sleeps, rules);
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
	blame_sleeps_done(&b->sleeps);
	table_done(&b->threads, thread_free);
	table_done(&b->vms, vm_free);
	table_done(&b->queues, free);
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
	vm->seats[vm->n_seats] = (struct seat){ .vcpu = vcpu, .time = { .vm = &vm->v, .vcpu = vcpu } };
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
	c->switches += c->known && c->now != tid;
	c->known = true;
	c->now = tid;
}

static struct queue *get_queue(struct blame *b, uint64_t group, uint32_t cpu)
{
	const struct queue key = { .group = group, .cpu = cpu };
	struct queue *q = table_find(&b->queues, &key);

	if (q)
		return q;
	q = xcalloc(1, sizeof(*q));
	*q = key;
	table_add(&b->queues, q);
	return q;
}

/* ---- culprits ---- */

/* Who has the CPU of a thread that is ready, whoever spins. */
static struct culprit culprit_of(struct blame *b, const struct vcpu_thread *t)
{
	const struct cpu *c = get_cpu(b, t->cpu);
	struct culprit culprit = { .kind = CULPRIT_UNKNOWN, .vcpu = -1 };
	const struct vcpu_thread *other;

	if (t->held) {
		culprit.kind = CULPRIT_THROTTLED;
		culprit.quota = get_queue(b, t->group, t->cpu)->quota;
		return culprit;
	}
	if (!c || !c->known || c->now == t->tid)
		return culprit;
	culprit.tid = c->now;
	other = table_find(&b->threads, &c->now);
	if (!c->now) {
		bool woke_it = c->switches == t->cpu_switches; /* idle since it became ready */

		if (t->core && (!woke_it || t->other_cookie))
			culprit.kind = CULPRIT_FORCED_IDLE;
		else
			culprit.kind = woke_it ? CULPRIT_WAKEUP : CULPRIT_IDLE;
	} else if (other && other->vm) {
		culprit.kind = other->vm == t->vm ? CULPRIT_SIBLING : CULPRIT_VCPU;
		culprit.vm = &other->vm->v;
		culprit.vcpu = other->vcpu;
	} else {
		culprit.kind = CULPRIT_HOST;
	}
	return culprit;
}

static struct culprit seen_by(struct culprit c, uint32_t spinner)
{
	if (c.kind == CULPRIT_SIBLING && c.tid == spinner)
		c.kind = CULPRIT_SELF;
	return c;
}

/* ---- the time off the CPU ---- */

/* The time of the thread up to now goes to the account of its vCPU, and to what it waited for. */
static void account(struct blame *b, struct vcpu_thread *t, uint64_t ts_ns)
{
	uint64_t ns = ts_ns > t->since_ns ? ts_ns - t->since_ns : 0;
	struct culprit culprit;
	struct blame_vcpu *time;

	if (!ns || !t->vm)
		return;
	time = &t->vm->seats[t->seat].time;
	t->since_ns = ts_ns;
	if (b->blind || t->state == THREAD_UNKNOWN) {
		time->unknown_ns += ns;
	} else if (t->state == THREAD_RUNNING) {
		time->run_ns += ns;
	} else if (t->state == THREAD_BLOCKED) {
		time->blocked_ns += ns;
		time->halt_ns += t->halted ? ns : 0;
		time->host_ns += t->sleep ? ns : 0;
		if (t->sleep)
			t->sleep->ns += ns;
	} else {
		time->ready_ns += ns;
		culprit = culprit_of(b, t);
		blame_rows_get(&b->rows, &t->vm->v, t->vcpu, t->tid, &culprit)->ready_ns += ns;
	}
}

static void account_all(struct blame *b, uint64_t ts_ns)
{
	struct vcpu_thread *t;
	size_t cursor = 0;

	while ((t = table_next(&b->threads, &cursor)))
		account(b, t, ts_ns);
}

/* Time up to now goes to whoever has the CPU, if another spin follows. */
static void put_off(struct blame *b, struct vcpu_thread *t, uint64_t ts_ns)
{
	struct culprit culprit;

	account(b, t, ts_ns);
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
		struct culprit culprit = seen_by(t->pending[i].culprit, spinner);
		struct blame_row *row = blame_rows_get(&b->rows, &t->vm->v, t->vcpu, t->tid, &culprit);

		row->spun_ns += t->pending[i].ns;
		if (culprit.kind == t->pending[i].culprit.kind)
			continue;
		/* account() did not know who would spin */
		row->ready_ns += t->pending[i].ns;
		blame_rows_get(&b->rows, &t->vm->v, t->vcpu, t->tid, &t->pending[i].culprit)->ready_ns -= t->pending[i].ns;
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
	t->halted = false;
	t->sleep = NULL;
	if (state != THREAD_READY) {
		t->spun = false;
		t->n_pending = 0;
		t->held = t->core = t->other_cookie = false;
	}
	t->state = c ? state : THREAD_UNKNOWN;
	t->cpu = cpu;
	if (t->state == THREAD_READY) {
		t->next_ready = c->ready;
		c->ready = t;
		t->cpu_switches = c->switches;
	}
}

static void unseat(struct vcpu_thread *t)
{
	for (size_t i = 0; t->vm && i < t->vm->n_seats; i++)
		if (t->vm->seats[i].thread == t)
			t->vm->seats[i].thread = NULL;
}

static void forget_thread(struct blame *b, struct vcpu_thread *t, uint64_t ts_ns)
{
	account(b, t, ts_ns);
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
	account(b, t, ts_ns);
	if (t->vm != vm || t->vcpu != vcpu) {
		unseat(t);
		t->since_ns = ts_ns;
	}
	t->vm = vm;
	t->vcpu = vcpu;
	s = get_seat(vm, vcpu);
	if (s->thread && s->thread != t) /* it no longer runs this one, and it is not known to run another */
		forget_thread(b, s->thread, ts_ns);
	s->thread = t;
	t->seat = (size_t)(s - vm->seats);
	if (t->state != THREAD_RUNNING || t->cpu != cpu)
		set_state(b, t, THREAD_RUNNING, cpu);
	set_now(b, cpu, tid);
	return t;
}

/* What a quota or core scheduling does with a thread that is ready. */
static void set_held(struct blame *b, struct vcpu_thread *t, const struct sched_event *s)
{
	struct queue *q;

	t->group = s->group;
	t->core = s->core;
	t->other_cookie = s->other_cookie;
	if (!s->group) {
		t->held = false;
		return;
	}
	q = get_queue(b, s->group, t->cpu);
	if (s->levels == SCHED_LEVELS_UNKNOWN) {
		t->held = q->levels && (q->stops_all || t->held);
		return;
	}
	q->levels = s->levels;
	t->held = s->held;
	if (!q->levels)
		q->quota = (struct quota){ 0 };
}

/* Who has a CPU: its switches say it better than the line of another thread, if they were printed. */
static void note_now(struct blame *b, struct cpu *c, const struct sched_event *s)
{
	if (s->live && c->known)
		return;
	put_off_all(b, s->at, s->ts_ns);
	c->known = s->now_known;
	c->now = s->now;
}

/* Where the trace began while the quota throttled, its end is the first that is heard of it. */
static void take_quota(struct blame *b, const struct sched_event *s)
{
	struct cpu *c = get_cpu(b, s->at);
	struct queue *q;

	if (!c)
		return;
	q = get_queue(b, s->group, s->at);
	if (!q->quota.cgroup)
		q->quota = s->quota;
	put_off_all(b, s->at, s->ts_ns);
	note_now(b, c, s);
	if (s->change == QUOTA_ENDS) {
		q->levels -= q->levels > 0;
		if (!q->levels || q->quota.cgroup == s->quota.cgroup)
			q->quota = (struct quota){ 0 };
	} else {
		q->levels++;
		q->stops_all = s->change == QUOTA_STOPS_ALL;
	}
	for (struct vcpu_thread *t = c->ready; t; t = t->next_ready) {
		bool held = q->levels && (q->stops_all || t->held);

		if (t->group != s->group)
			continue;
		if (t->held && !held) /* as if it were woken */
			t->cpu_switches = c->switches;
		t->held = held;
	}
}

static void set_blocked(struct blame *b, struct vcpu_thread *t, const struct sched_event *s)
{
	set_state(b, t, THREAD_BLOCKED, s->cpu);
	if (s->runnable || !t->vm)
		return;
	t->halted = s->halted;
	if (!s->has_stack)
		return;
	t->sleep = blame_sleeps_get(&b->sleeps, &t->vm->v, t->vcpu, s->stack);
	t->sleep->times++;
}

static void take_switch(struct blame *b, const struct sched_event *s)
{
	struct vcpu_thread *prev = table_find(&b->threads, &s->tid), *next = table_find(&b->threads, &s->next);

	had_cpu(b, s->cpu, s->tid, s->ts_ns);
	blame_rows_note_task(&b->rows, s->tid, s->pid, s->comm);
	if (prev)
		account(b, prev, s->ts_ns);
	if (next)
		account(b, next, s->ts_ns);
	if (prev)
		set_blocked(b, prev, s); /* which ends what was thought of it */
	if (prev && s->runnable) {
		set_state(b, prev, THREAD_READY, s->cpu);
		set_held(b, prev, s);
	}
	set_now(b, s->cpu, s->next);
	if (next)
		set_state(b, next, THREAD_RUNNING, s->cpu);
}

static void take_ready(struct blame *b, const struct sched_event *s)
{
	struct vcpu_thread *t = table_find(&b->threads, &s->tid);
	struct cpu *c = get_cpu(b, s->at);

	if (!t || !c)
		return;
	note_now(b, c, s);
	put_off(b, t, s->ts_ns);
	set_state(b, t, THREAD_READY, s->at);
	set_held(b, t, s);
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
		if (t) {
			put_off_all(b, t->cpu, s->ts_ns);
			forget_thread(b, t, s->ts_ns);
		}
		break;
	case SCHED_QUOTA:
		take_quota(b, s);
		break;
	case SCHED_BLIND:
		account_all(b, s->ts_ns);
		b->blind++;
		break;
	case SCHED_SIGHT:
		account_all(b, s->ts_ns);
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
	struct culprit culprit = seen_by(culprit_of(b, sibling), w->tid);
	struct blame_row *row;

	charge(b, sibling, w->ts_ns, w->tid);
	row = blame_rows_get(&b->rows, &sibling->vm->v, sibling->vcpu, sibling->tid, &culprit);
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

void blame_end(struct blame *b)
{
	account_all(b, b->now_ns);
}
