// SPDX-License-Identifier: Apache-2.0
// Joins outcomes to the waits they belong to, per thread, and tells of each wait whose outcome was not seen.
#include "record/outcome_join.h"

#include "base/memory.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* A wait whose outcome is to come. */
struct pending {
	uint32_t tid; /* the key; first, so that a key alone can be looked up */
	struct wait_event wait;
};

struct outcomes {
	void *tree;
	size_t n;
	struct pending **rest; /* in the end: all of them in order, as far as they have not been taken */
	size_t n_rest;	       /* 0 until then */
};

struct outcomes *outcomes_new(void)
{
	return xcalloc(1, sizeof(struct outcomes));
}

void outcomes_free(struct outcomes *o)
{
	if (!o)
		return;
	tdestroy(o->tree, free);
	free(o->rest);
	free(o);
}

static int compare_tids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct pending *find(struct outcomes *o, uint32_t tid)
{
	struct pending **found = tfind(&tid, &o->tree, compare_tids);

	return found ? *found : NULL;
}

static void forget(struct outcomes *o, struct pending *p)
{
	tdelete(p, &o->tree, compare_tids);
	free(p);
	o->n--;
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
	struct pending *p = find(o, w->tid);
	bool unseen = p != NULL;

	if (unseen) {
		make_unseen(&p->wait, w->ts_ns, ret_unseen);
	} else {
		p = xcalloc(1, sizeof(*p));
		p->tid = w->tid;
		tsearch(p, &o->tree, compare_tids);
		o->n++;
	}
	p->wait = *w;
	return unseen;
}

static bool join_outcome(struct outcomes *o, struct outcome_event *outcome, struct outcome_event *ret_unseen)
{
	struct pending *p = find(o, outcome->tid);
	bool unseen = p && p->wait.ts_ns < outcome->wait_ns;

	if (!p || p->wait.ts_ns > outcome->wait_ns)
		return false;
	if (unseen)
		make_unseen(&p->wait, outcome->ts_ns, ret_unseen);
	else
		copy_wait(outcome, &p->wait);
	forget(o, p);
	return unseen;
}

bool outcomes_take(struct outcomes *o, struct record *r, struct outcome_event *ret_unseen)
{
	o->n_rest = 0; /* what was in order may be no longer there */
	return r->type == RECORD_OUTCOME ? join_outcome(o, &r->outcome, ret_unseen) : open_wait(o, &r->wait, ret_unseen);
}

static void note_rest(const void *node, VISIT visit, void *closure)
{
	struct outcomes *o = closure;

	if (visit == postorder || visit == leaf)
		o->rest[o->n_rest++] = *(struct pending *const *)node;
}

/* The oldest last, so that they are taken from the end; those of one time by thread. */
static int compare_rest(const void *a, const void *b)
{
	const struct pending *x = *(struct pending *const *)a, *y = *(struct pending *const *)b;

	if (x->wait.ts_ns != y->wait.ts_ns)
		return x->wait.ts_ns < y->wait.ts_ns ? 1 : -1;
	return compare_tids(y, x);
}

static void sort_rest(struct outcomes *o)
{
	o->rest = xrealloc(o->rest, o->n, sizeof(*o->rest)); /* NOLINT(bugprone-sizeof-expression): an array of pointers */
	o->n_rest = 0;
	twalk_r(o->tree, note_rest, o);
	qsort(o->rest, o->n_rest, sizeof(*o->rest), compare_rest); /* NOLINT(bugprone-sizeof-expression): the same */
}

bool outcomes_take_rest(struct outcomes *o, uint64_t ts_ns, struct outcome_event *ret_unseen)
{
	struct pending *oldest;

	if (!o->n)
		return false;
	if (o->n_rest != o->n)
		sort_rest(o);
	oldest = o->rest[--o->n_rest];
	make_unseen(&oldest->wait, ts_ns, ret_unseen);
	forget(o, oldest);
	return true;
}
