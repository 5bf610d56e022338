// SPDX-License-Identifier: Apache-2.0
// Joins outcomes to the waits they belong to, per thread, and reports each wait whose outcome was not seen.
#include "record/outcome_join.h"

#include "base/memory.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

struct outcomes {
	struct table pending;	  /* waits whose outcome is to come, at most one for a thread */
	struct wait_event **rest; /* at the end: all of them sorted, less those that were taken */
	size_t n_rest;		  /* 0 until then */
};

static uint64_t hash_tid(const void *wait)
{
	const struct wait_event *w = wait;

	return table_hash_bytes(0, &w->tid, sizeof(w->tid));
}

static bool same_tid(const void *a, const void *b)
{
	const struct wait_event *x = a, *y = b;

	return x->tid == y->tid;
}

struct outcomes *outcomes_new(void)
{
	struct outcomes *o = xcalloc(1, sizeof(*o));

	o->pending = (struct table){ .hash = hash_tid, .same = same_tid };
	return o;
}

void outcomes_free(struct outcomes *o)
{
	if (!o)
		return;
	table_done(&o->pending, free);
	free(o->rest);
	free(o);
}

static void forget(struct outcomes *o, struct wait_event *w)
{
	table_remove(&o->pending, w);
	free(w);
}

static void copy_wait(struct outcome_event *o, const struct wait_event *w)
{
	memcpy(o->event, w->event, sizeof(o->event));
	memcpy(o->source, w->source, sizeof(o->source));
	o->vm = w->vm;
}

static void make_unseen(const struct wait_event *w, uint64_t ts_ns, struct outcome_event *ret)
{
	*ret = (struct outcome_event){
		.ts_ns = ts_ns > w->ts_ns ? ts_ns : w->ts_ns, /* what tells it can be older: a record that came late */
		.wait_ns = w->ts_ns,
		.pid = w->pid,
		.tid = w->tid,
		.vcpu = w->vcpu,
		.boosted = -1,
		.end = OUTCOME_UNSEEN,
	};
	copy_wait(ret, w);
}

static bool open_wait(struct outcomes *o, const struct wait_event *w, struct outcome_event *ret_unseen)
{
	struct wait_event *pending = table_find(&o->pending, w);
	bool unseen = pending != NULL;

	if (unseen) {
		make_unseen(pending, w->ts_ns, ret_unseen);
		*pending = *w;
	} else {
		pending = xcalloc(1, sizeof(*pending));
		*pending = *w;
		table_add(&o->pending, pending);
	}
	return unseen;
}

static bool join_outcome(struct outcomes *o, struct outcome_event *outcome, struct outcome_event *ret_unseen)
{
	struct wait_event *pending = table_find(&o->pending, &(struct wait_event){ .tid = outcome->tid });
	bool unseen = pending && pending->ts_ns < outcome->wait_ns;

	if (!pending || pending->ts_ns > outcome->wait_ns)
		return false;
	if (unseen)
		make_unseen(pending, outcome->ts_ns, ret_unseen);
	else
		copy_wait(outcome, pending);
	forget(o, pending);
	return unseen;
}

bool outcomes_take(struct outcomes *o, struct record *r, struct outcome_event *ret_unseen)
{
	o->n_rest = 0; /* the sorted waits may be gone */
	return r->type == RECORD_OUTCOME ? join_outcome(o, &r->outcome, ret_unseen) : open_wait(o, &r->wait, ret_unseen);
}

/* The oldest last, so that they are taken from the end; those of one time by thread. */
static int compare_rest(const void *a, const void *b)
{
	const struct wait_event *x = *(struct wait_event *const *)a, *y = *(struct wait_event *const *)b;

	if (x->ts_ns != y->ts_ns)
		return x->ts_ns < y->ts_ns ? 1 : -1;
	return (x->tid < y->tid) - (x->tid > y->tid);
}

static void sort_rest(struct outcomes *o)
{
	size_t cursor = 0;

	o->rest = xrealloc(o->rest, o->pending.n, sizeof(*o->rest)); /* NOLINT(bugprone-sizeof-expression): an array of pointers */
	for (struct wait_event *w; (w = table_next(&o->pending, &cursor));)
		o->rest[o->n_rest++] = w;
	qsort(o->rest, o->n_rest, sizeof(*o->rest), compare_rest); /* NOLINT(bugprone-sizeof-expression): the same */
}

bool outcomes_take_rest(struct outcomes *o, uint64_t ts_ns, struct outcome_event *ret_unseen)
{
	struct wait_event *oldest;

	if (!o->pending.n)
		return false;
	if (!o->n_rest)
		sort_rest(o);
	oldest = o->rest[--o->n_rest];
	make_unseen(oldest, ts_ns, ret_unseen);
	forget(o, oldest);
	return true;
}
