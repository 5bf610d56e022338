// SPDX-License-Identifier: Apache-2.0
// A hash table of pointers to entries that hold their own keys.
#include "base/table.h"

#include "base/memory.h"

#include <stdlib.h>

#define FIRST_ROOM 16u

/* The slot of an entry with this key, or the free slot where it would be put. The room is a power of two. */
static size_t find_slot(const struct table *t, const void *key)
{
	uint64_t h = t->hash(key);
	size_t at = (size_t)(h ^ h >> 32) & (t->room - 1);

	while (t->slots[at] && !t->same(t->slots[at], key))
		at = (at + 1) & (t->room - 1);
	return at;
}

void *table_find(const struct table *t, const void *key)
{
	return t->room ? t->slots[find_slot(t, key)] : NULL;
}

static void grow(struct table *t)
{
	void **old = t->slots;
	size_t old_room = t->room;

	t->room = old_room ? 2 * old_room : FIRST_ROOM;
	t->slots = xcalloc(t->room, sizeof(*t->slots));
	for (size_t i = 0; i < old_room; i++)
		if (old[i])
			t->slots[find_slot(t, old[i])] = old[i];
	free(old);
}

void table_add(struct table *t, void *entry)
{
	if (4 * (t->n + 1) > 3 * t->room)
		grow(t);
	t->slots[find_slot(t, entry)] = entry;
	t->n++;
}

void table_remove(struct table *t, const void *entry)
{
	size_t at = t->room ? find_slot(t, entry) : 0;

	if (!t->room || !t->slots[at])
		return;
	t->slots[at] = NULL;
	t->n--;
	/* what follows without a gap may have been pushed on by the one that is gone */
	for (at = (at + 1) & (t->room - 1); t->slots[at]; at = (at + 1) & (t->room - 1)) {
		void *moved = t->slots[at];

		t->slots[at] = NULL;
		t->slots[find_slot(t, moved)] = moved;
	}
}

void *table_next(const struct table *t, size_t *cursor)
{
	while (*cursor < t->room) {
		void *entry = t->slots[(*cursor)++];

		if (entry)
			return entry;
	}
	return NULL;
}

void table_done(struct table *t, void (*release)(void *entry))
{
	for (size_t i = 0; release && i < t->room; i++)
		if (t->slots[i])
			release(t->slots[i]);
	free(t->slots);
	t->slots = NULL;
	t->n = t->room = 0;
}

uint64_t table_hash_bytes(uint64_t seed, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ? seed : UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}
