// SPDX-License-Identifier: Apache-2.0
// Hands records to a thread that writes them, so that reading goes on meanwhile: a ring of batches.
#include "relay.h"

#include <pthread.h>
#include <stdlib.h>

#define BATCHES 4u
#define BATCH_RECORDS 1024u

struct batch {
	struct record records[BATCH_RECORDS];
	size_t n;
};

struct relay {
	struct output *output;
	pthread_t thread;
	struct batch batches[BATCHES];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	unsigned int filled, written; /* batches, since the beginning */
	bool ended;
	int error;
};

/* Waits for a batch that is filled; NULL at the end of all. */
static struct batch *next_filled(struct relay *r)
{
	struct batch *batch = NULL;

	pthread_mutex_lock(&r->lock);
	while (r->written == r->filled && !r->ended)
		pthread_cond_wait(&r->changed, &r->lock);
	if (r->written != r->filled)
		batch = &r->batches[r->written % BATCHES];
	pthread_mutex_unlock(&r->lock);
	return batch;
}

/* Is there nothing more to write for now? Then nobody should wait for what is written. */
static bool finish(struct relay *r, struct batch *batch)
{
	bool idle;

	batch->n = 0;
	pthread_mutex_lock(&r->lock);
	r->written++;
	idle = r->written == r->filled;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return idle;
}

static void *write_batches(void *relay)
{
	struct relay *r = relay;
	struct batch *batch;

	while ((batch = next_filled(r))) {
		int error;

		for (size_t i = 0; i < batch->n; i++)
			output_write(r->output, &batch->records[i]);
		if (!finish(r, batch))
			continue;
		error = output_flush(r->output);
		pthread_mutex_lock(&r->lock);
		if (!r->error)
			r->error = error;
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

struct relay *relay_start(struct output *output)
{
	struct relay *r = xcalloc(1, sizeof(*r));

	r->output = output;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	if (!pthread_create(&r->thread, NULL, write_batches, r))
		return r;
	free(r);
	return NULL;
}

/* The batch that is being filled belongs to whoever fills it. */
static struct batch *current(struct relay *r)
{
	return &r->batches[r->filled % BATCHES];
}

struct record *relay_room(struct relay *r)
{
	struct batch *batch = current(r);

	return &batch->records[batch->n];
}

/* The batch goes to the thread; waits until the next one is free. */
static int hand_over(struct relay *r, bool at_end)
{
	int error;

	pthread_mutex_lock(&r->lock);
	if (current(r)->n) {
		r->filled++;
		while (r->filled - r->written == BATCHES)
			pthread_cond_wait(&r->changed, &r->lock);
	}
	r->ended = at_end;
	error = r->error;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return error;
}

void relay_push(struct relay *r)
{
	if (++current(r)->n == BATCH_RECORDS)
		hand_over(r, false);
}

int relay_flush(struct relay *r)
{
	return hand_over(r, false);
}

int relay_end(struct relay *r)
{
	int error;

	if (!r)
		return 0;
	hand_over(r, true);
	pthread_join(r->thread, NULL);
	error = r->error;
	free(r);
	return error;
}
