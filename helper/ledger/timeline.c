// SPDX-License-Identifier: Apache-2.0
// What the vCPUs of one recording did over time: sums, and pictures of a bounded number of stretches of time.
#include "ledger/timeline.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_WIDTH_NS 100000

const char *const timeline_state_names[TIMELINE_STATES] = {
	"between", "polled", "blocked", "unwaited", "yielding", "spinning", "ready", "unknown",
};

static int compare_vcpus(const void *a, const void *b)
{
	const struct timeline_vcpu *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return strcmp(x->vm, y->vm);
}

static bool same_vcpu(const void *a, const void *b)
{
	return !compare_vcpus(a, b);
}

static uint64_t hash_vcpu(const void *entry)
{
	const struct timeline_vcpu *v = entry;

	return table_hash_bytes(table_hash_bytes(v->pid + 1, &v->vcpu, sizeof(v->vcpu)), v->vm, strlen(v->vm));
}

struct timeline *timeline_new(size_t max_tracked)
{
	struct timeline *t = xcalloc(1, sizeof(*t));

	t->by_key = (struct table){ .hash = hash_vcpu, .same = same_vcpu };
	t->max_tracked = max_tracked;
	t->width_ns = FIRST_WIDTH_NS;
	return t;
}

void timeline_free(struct timeline *t)
{
	if (!t)
		return;
	table_done(&t->by_key, NULL);
	for (size_t i = 0; i < t->n_vcpus; i++) {
		free(t->vcpus[i]->vm);
		free(t->vcpus[i]->bins);
		free(t->vcpus[i]);
	}
	free(t->vcpus);
	free(t);
}

void timeline_add(struct timeline_sums *to, const struct timeline_sums *from)
{
	uint64_t *a = (uint64_t *)to, longest_ns = to->longest_halt_ns;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*a); i++)
		a[i] += b[i];
	to->longest_halt_ns = longest_ns > from->longest_halt_ns ? longest_ns : from->longest_halt_ns;
}

/* ---- bins ---- */

static void fold_bins(struct timeline_bins *bins)
{
	for (size_t i = 0; i < TIMELINE_BINS; i++) {
		bool in = 2 * i < TIMELINE_BINS;

		for (size_t s = 0; s < TIMELINE_STATES; s++)
			bins->ns[s][i] = in ? bins->ns[s][2 * i] + bins->ns[s][2 * i + 1] : 0;
		for (size_t e = 0; e < TIMELINE_EVENTS; e++)
			bins->waits[e][i] = in ? bins->waits[e][2 * i] + bins->waits[e][2 * i + 1] : 0;
	}
}

/* Two bins become one, until the time has a place. */
static void grow(struct timeline *t, uint64_t since_ns)
{
	while (since_ns / t->width_ns >= TIMELINE_BINS) {
		fold_bins(&t->bins);
		for (size_t i = 0; i < t->n_vcpus; i++)
			if (t->vcpus[i]->bins)
				fold_bins(t->vcpus[i]->bins);
		for (size_t i = 0; i < TIMELINE_BINS; i++)
			t->lost[i] = 2 * i < TIMELINE_BINS ? t->lost[2 * i] + t->lost[2 * i + 1] : 0;
		t->width_ns *= 2;
	}
}

/* An event may precede the snapshot of the clock by a hair, or come late. */
static uint64_t since_start(const struct timeline *t, uint64_t ts_ns)
{
	return ts_ns > t->start_ns ? ts_ns - t->start_ns : 0;
}

static size_t bin_of(struct timeline *t, uint64_t ts_ns)
{
	uint64_t since_ns = since_start(t, ts_ns);

	grow(t, since_ns);
	if (ts_ns > t->last_ns)
		t->last_ns = ts_ns;
	return since_ns / t->width_ns;
}

size_t timeline_n_bins(const struct timeline *t)
{
	return t->started ? since_start(t, t->last_ns) / t->width_ns + 1 : 0;
}

/* A time [from_ns, to_ns) in one state. */
static void put(struct timeline *t, struct timeline_vcpu *v, enum timeline_state state, uint64_t from_ns, uint64_t to_ns)
{
	size_t first, last;

	if (from_ns >= to_ns)
		return;
	t->sums.ns[state] += to_ns - from_ns;
	if (v)
		v->sums.ns[state] += to_ns - from_ns;
	last = bin_of(t, to_ns - 1);
	first = bin_of(t, from_ns);
	for (size_t i = first; i <= last; i++) {
		uint64_t begin_ns = t->start_ns + i * t->width_ns, end_ns = begin_ns + t->width_ns;
		uint64_t part_ns = (to_ns < end_ns ? to_ns : end_ns) - (from_ns > begin_ns || i == 0 ? from_ns : begin_ns);

		t->bins.ns[state][i] += part_ns;
		if (v && v->bins)
			v->bins->ns[state][i] += part_ns;
	}
}

/* ---- vCPUs ---- */

bool timeline_same_vm(const struct timeline_vcpu *a, const struct timeline_vcpu *b)
{
	return a->pid == b->pid && !strcmp(a->vm, b->vm);
}

static struct timeline_vcpu *add_vcpu(struct timeline *t, const struct timeline_vcpu *key)
{
	struct timeline_vcpu *v;

	if (t->n_vcpus == TIMELINE_VCPUS)
		return NULL;
	t->vcpus = xgrow(t->vcpus, t->n_vcpus, sizeof(struct timeline_vcpu *));
	v = xcalloc(1, sizeof(*v));
	v->vcpu = key->vcpu;
	v->pid = key->pid;
	v->vm = xstrdup(key->vm);
	if (t->n_tracked < t->max_tracked) {
		v->bins = xcalloc(1, sizeof(*v->bins));
		t->n_tracked++;
	}
	t->vcpus[t->n_vcpus++] = v;
	table_add(&t->by_key, v);
	return v;
}

static struct timeline_vcpu *vcpu_of(struct timeline *t, uint32_t pid, int64_t vcpu, const char *vm)
{
	struct timeline_vcpu key, *found; /* only what is its key is set: an entry is large */
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, pid);
	key.pid = pid;
	key.vcpu = vcpu;
	key.vm = (char *)(vm ? vm : number);
	found = table_find(&t->by_key, &key);
	return found ? found : add_vcpu(t, &key);
}

static void hear(struct timeline_vcpu *v, uint64_t ts_ns)
{
	if (!v->heard || ts_ns < v->first_ns)
		v->first_ns = ts_ns;
	if (!v->heard || ts_ns > v->last_ns)
		v->last_ns = ts_ns;
	v->heard = true;
}

/* What went on until a record told of something new. */
static void close_gap(struct timeline *t, struct timeline_vcpu *v, uint32_t tid, uint64_t ts_ns)
{
	if (v->heard)
		put(t, v, v->between && v->tid == tid ? TIME_BETWEEN : TIME_UNKNOWN, v->since_ns, ts_ns);
}

static void set_state(struct timeline_vcpu *v, uint32_t tid, uint64_t ts_ns, bool waiting, bool between)
{
	v->tid = tid;
	v->since_ns = ts_ns;
	v->waiting = waiting;
	v->between = between;
}

/* ---- records ---- */

static size_t event_index(const char *event)
{
	for (size_t i = 0; i < n_event_kinds; i++)
		if (!strcmp(event_kinds[i].name, event))
			return i;
	return TIMELINE_EVENTS - 1;
}

static void count_source(struct timeline *t, const struct wait_event *w)
{
	struct timeline_source *s;

	for (size_t i = 0; i < t->n_sources; i++) {
		s = &t->sources[i];
		if (!*s->event || (!strcmp(s->event, w->event) && !strcmp(s->source, w->source))) {
			s->waits++;
			return;
		}
	}
	s = &t->sources[t->n_sources++];
	s->waits = 1;
	if (t->n_sources == TIMELINE_SOURCES)
		return;
	memcpy(s->event, w->event, sizeof(s->event));
	memcpy(s->source, w->source, sizeof(s->source));
}

static void place_wait(struct timeline *t, const struct wait_event *w)
{
	struct timeline_vcpu *v = vcpu_of(t, w->pid, w->vcpu, w->vm);
	size_t event = event_index(w->event), bin = bin_of(t, w->ts_ns);

	t->sums.waits[event]++;
	t->bins.waits[event][bin]++;
	count_source(t, w);
	if (!v) {
		t->beyond++;
		return;
	}
	close_gap(t, v, w->tid, w->ts_ns);
	v->sums.waits[event]++;
	if (v->bins)
		v->bins->waits[event][bin]++;
	if (!v->heard || w->ts_ns >= v->since_ns)
		set_state(v, w->tid, w->ts_ns, true, false);
	hear(v, w->ts_ns);
}

/* The state of a wait while it is not runnable. */
static enum timeline_state state_of(const struct outcome_event *o)
{
	static const enum timeline_state halts[HALT_KINDS] = { TIME_UNWAITED, TIME_POLLED, TIME_BLOCKED };

	if (event_bit(o->event) == event_bit("hlt") || (!*o->event && o->halt != HALT_NONE))
		return halts[o->halt];
	if (event_bit(o->event) == event_bit("ple"))
		return TIME_SPINNING;
	return event_bit(o->event) == event_bit("pv_yield") ? TIME_YIELDING : TIME_UNKNOWN;
}

static void count_halt(struct timeline_sums *sums, const struct outcome_event *o)
{
	uint64_t ns = o->ts_ns - o->wait_ns;

	sums->halts[o->halt]++;
	sums->buckets[o->halt][counts_bucket(ns)]++;
	if (ns > sums->longest_halt_ns)
		sums->longest_halt_ns = ns;
}

static void count_outcome(struct timeline_sums *sums, const struct outcome_event *o)
{
	enum timeline_state state = state_of(o);

	sums->ends[o->end]++;
	if (o->end == OUTCOME_UNSEEN)
		return;
	sums->boosted += o->boosted >= 0 || o->boosted_tid;
	sums->contradictions += o->ready_ns > o->ts_ns - o->wait_ns;
	if (o->end != OUTCOME_GONE && (state == TIME_POLLED || state == TIME_BLOCKED || state == TIME_UNWAITED))
		count_halt(sums, o);
}

static void put_outcome(struct timeline *t, struct timeline_vcpu *v, const struct outcome_event *o)
{
	if (o->end == OUTCOME_UNSEEN || o->ready_ns > o->ts_ns - o->wait_ns) {
		put(t, v, TIME_UNKNOWN, o->wait_ns, o->ts_ns);
		return;
	}
	put(t, v, state_of(o), o->wait_ns, o->ts_ns - o->ready_ns);
	put(t, v, TIME_READY, o->ts_ns - o->ready_ns, o->ts_ns);
}

static void place_outcome(struct timeline *t, const struct outcome_event *o)
{
	struct timeline_vcpu *v = vcpu_of(t, o->pid, o->vcpu, o->vm);
	bool expected;

	t->has_outcomes = true;
	bin_of(t, o->ts_ns); /* that time has come, even where none of it is put anywhere */
	count_outcome(&t->sums, o);
	if (!v) {
		t->beyond++;
		put_outcome(t, NULL, o);
		return;
	}
	count_outcome(&v->sums, o);
	expected = v->waiting && v->tid == o->tid && v->since_ns == o->wait_ns;
	if (o->end == OUTCOME_UNSEEN && !expected)
		return; /* that of a wait which is over: its time is unknown already, or its wait was lost as well */
	if (!expected)
		close_gap(t, v, o->tid, o->wait_ns);
	put_outcome(t, v, o);
	if (!v->heard || o->ts_ns >= v->since_ns)
		set_state(v, o->tid, o->ts_ns, false, o->end == OUTCOME_RUN);
	hear(v, o->wait_ns);
	hear(v, o->ts_ns);
}

void timeline_start(struct timeline *t, uint64_t start_ns)
{
	if (t->started)
		return;
	t->started = true;
	t->start_ns = t->last_ns = start_ns;
}

void timeline_take(struct timeline *t, const struct record *r)
{
	if (r->type == RECORD_WAIT) {
		timeline_start(t, r->wait.ts_ns);
		place_wait(t, &r->wait);
	} else if (r->type == RECORD_OUTCOME) {
		timeline_start(t, r->outcome.wait_ns);
		place_outcome(t, &r->outcome);
	}
}

void timeline_lost(struct timeline *t, uint64_t ts_ns, uint64_t n)
{
	timeline_start(t, ts_ns);
	t->lost[bin_of(t, ts_ns)] += n;
}

void timeline_end(struct timeline *t, uint64_t end_ns)
{
	timeline_start(t, end_ns);
	bin_of(t, end_ns);
	for (size_t i = 0; i < t->n_vcpus; i++) {
		struct timeline_vcpu *v = t->vcpus[i];

		if (!v->waiting)
			continue;
		v->sums.open++;
		t->sums.open++;
		put(t, v, TIME_UNKNOWN, v->since_ns, end_ns);
		hear(v, end_ns > v->since_ns ? end_ns : v->since_ns);
		set_state(v, v->tid, v->last_ns, false, false);
	}
}

/* ---- pictures ---- */

static uint64_t badness(const struct timeline_vcpu *v)
{
	return v->sums.ns[TIME_SPINNING] + v->sums.ns[TIME_YIELDING] + v->sums.ns[TIME_READY];
}

static uint64_t all_waits(const struct timeline_vcpu *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TIMELINE_EVENTS; i++)
		n += v->sums.waits[i];
	return n;
}

static int compare_worst(const void *a, const void *b)
{
	const struct timeline_vcpu *x = *(const struct timeline_vcpu *const *)a, *y = *(const struct timeline_vcpu *const *)b;

	if (badness(x) != badness(y))
		return badness(x) > badness(y) ? -1 : 1;
	if (all_waits(x) != all_waits(y))
		return all_waits(x) > all_waits(y) ? -1 : 1;
	return compare_vcpus(x, y);
}

static const struct timeline_vcpu **sorted(const struct timeline *t)
{
	const struct timeline_vcpu **list = xcalloc(t->n_vcpus + 1, sizeof(struct timeline_vcpu *));

	for (size_t i = 0; i < t->n_vcpus; i++)
		list[i] = t->vcpus[i];
	qsort(list, t->n_vcpus, sizeof(struct timeline_vcpu *), compare_worst);
	return list;
}

/* With what is left over of the host's bins. */
static void move_bins(struct timeline_bins *left, const struct timeline_bins *bins, struct timeline_bins *to)
{
	for (size_t i = 0; i < TIMELINE_BINS; i++) {
		for (size_t s = 0; s < TIMELINE_STATES; s++) {
			left->ns[s][i] -= bins->ns[s][i];
			if (to)
				to->ns[s][i] += bins->ns[s][i];
		}
		for (size_t e = 0; e < TIMELINE_EVENTS; e++) {
			left->waits[e][i] -= bins->waits[e][i];
			if (to)
				to->waits[e][i] += bins->waits[e][i];
		}
	}
}

/* The vCPUs of list[from] and of its VM behind it, if all of them are tracked; they are taken off the list. */
static bool take_vm(const struct timeline_vcpu **list, size_t n, size_t from, struct timeline_bins *left, struct timeline_line *ret)
{
	*ret = (struct timeline_line){ .vcpu = list[from] };
	for (size_t i = from; i < n; i++)
		if (list[i] && timeline_same_vm(list[i], ret->vcpu) && !list[i]->bins)
			return false;
	ret->bins = xcalloc(1, sizeof(*ret->bins));
	for (size_t i = from; i < n; i++) {
		if (!list[i] || !timeline_same_vm(list[i], ret->vcpu))
			continue;
		move_bins(left, list[i]->bins, ret->bins);
		ret->n_vcpus++;
		list[i] = NULL;
	}
	return true;
}

size_t timeline_lines(const struct timeline *t, size_t max, size_t max_vms, struct timeline_line **ret)
{
	CLEANUP_FREE const struct timeline_vcpu **list = sorted(t);
	struct timeline_line *lines = xcalloc(max + max_vms + 1, sizeof(*lines));
	struct timeline_bins *left = xcalloc(1, sizeof(*left));
	size_t n = 0, n_left = 0;

	*left = t->bins;
	for (size_t i = 0; i < t->n_vcpus && n < max; i++) {
		if (!list[i]->bins)
			continue;
		lines[n++] = (struct timeline_line){ .vcpu = list[i], .n_vcpus = 1, .bins = list[i]->bins };
		move_bins(left, list[i]->bins, NULL);
		list[i] = NULL;
	}
	max = n;
	for (size_t i = 0; i < t->n_vcpus && n < max + max_vms; i++)
		if (list[i] && take_vm(list, t->n_vcpus, i, left, &lines[n]))
			n++;
	for (size_t i = 0; i < t->n_vcpus; i++)
		n_left += list[i] != NULL;
	if (n_left || t->beyond)
		lines[n++] = (struct timeline_line){ .n_vcpus = n_left, .bins = left };
	else
		free(left);
	*ret = lines;
	return n;
}

void timeline_lines_free(struct timeline_line *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!lines[i].vcpu || lines[i].bins != lines[i].vcpu->bins)
			free(lines[i].bins);
	free(lines);
}

static int compare_by_id(const void *a, const void *b)
{
	return compare_vcpus(*(const struct timeline_vcpu *const *)a, *(const struct timeline_vcpu *const *)b);
}

/* Stable by hand: each VM is moved up as a whole, in the order in which its worst vCPU comes. */
void timeline_by_vm(const struct timeline *t, const struct timeline_vcpu ***ret)
{
	CLEANUP_FREE const struct timeline_vcpu **worst = sorted(t);
	const struct timeline_vcpu **list = xcalloc(t->n_vcpus + 1, sizeof(struct timeline_vcpu *));
	size_t n = 0;

	for (size_t i = 0; i < t->n_vcpus; i++) {
		const struct timeline_vcpu *first = worst[i];
		size_t from = n;

		if (!first)
			continue;
		for (size_t j = i; j < t->n_vcpus; j++) {
			if (!worst[j] || !timeline_same_vm(worst[j], first))
				continue;
			list[n++] = worst[j];
			worst[j] = NULL;
		}
		qsort(list + from, n - from, sizeof(struct timeline_vcpu *), compare_by_id);
	}
	*ret = list;
}
