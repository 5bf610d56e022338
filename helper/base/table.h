// SPDX-License-Identifier: Apache-2.0
// A hash table of pointers to entries that hold their own keys. It grows; entries stay where the caller put them.
#ifndef KVMWAIT_BASE_TABLE_H
#define KVMWAIT_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Hash and comparison look only at the fields of an entry that are its key. */
typedef uint64_t table_hash_fn(const void *entry);
typedef bool table_same_fn(const void *a, const void *b);

/* {.hash = ..., .same = ...} is an empty table. */
struct table {
	table_hash_fn *hash;
	table_same_fn *same;
	void **slots; /* open addressing, linear probing */
	size_t n, room;
};

/* The entry with the key of `key`, an entry of which only the key is set; or NULL. */
void *table_find(const struct table *t, const void *key);
/* Adds an entry whose key the table does not have. */
void table_add(struct table *t, void *entry);
/* Takes an entry out, if it is in. The caller frees it. */
void table_remove(struct table *t, const void *entry);
/* Each entry once, in no order: start with *cursor 0; NULL at the end. No entry may be added or removed meanwhile. */
void *table_next(const struct table *t, size_t *cursor);
/* Frees the table, and each entry with `release` (NULL: entries stay the caller's). The table is empty then. */
void table_done(struct table *t, void (*release)(void *entry));

/* A hash of bytes (FNV-1a); `seed` is 0, or the hash of what goes before. */
uint64_t table_hash_bytes(uint64_t seed, const void *bytes, size_t n);

#endif
