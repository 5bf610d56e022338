// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/table.c: what was added is found until it is removed, however the hashes fall.
#include "unit.h"

#include "base/memory.h"
#include "base/table.h"

#define ENTRIES 997u

struct number {
	uint32_t key, value;
};

static uint64_t hash_well(const void *entry)
{
	return table_hash_bytes(0, &((const struct number *)entry)->key, sizeof(uint32_t));
}

/* Four hashes for all: long runs, which wrap around. */
static uint64_t hash_badly(const void *entry)
{
	return UINT64_MAX - ((const struct number *)entry)->key % 4;
}

static bool is_same(const void *a, const void *b)
{
	return ((const struct number *)a)->key == ((const struct number *)b)->key;
}

static size_t walked(const struct table *t)
{
	size_t cursor = 0, n = 0;

	while (table_next(t, &cursor))
		n++;
	return n;
}

static void check_all(table_hash_fn *hash)
{
	static struct number numbers[ENTRIES];
	struct table t = { .hash = hash, .same = is_same };

	CHECK(!table_find(&t, &(struct number){ .key = 7 }));
	table_remove(&t, &(struct number){ .key = 7 });
	for (uint32_t i = 0; i < ENTRIES; i++) {
		numbers[i] = (struct number){ .key = i * 7919, .value = i };
		table_add(&t, &numbers[i]);
	}
	CHECK_U64(t.n, ENTRIES);
	CHECK_U64(walked(&t), ENTRIES);
	for (uint32_t i = 0; i < ENTRIES; i += 3)
		table_remove(&t, &(struct number){ .key = i * 7919 });
	for (uint32_t i = 0; i < ENTRIES; i++) {
		struct number *found = table_find(&t, &(struct number){ .key = i * 7919 });

		CHECK(found == (i % 3 ? &numbers[i] : NULL));
	}
	CHECK_U64(t.n, ENTRIES - (ENTRIES + 2) / 3);
	CHECK_U64(walked(&t), t.n);
	table_done(&t, NULL);
	CHECK_U64(t.n, 0);
	CHECK(!table_find(&t, &numbers[1]));
}

static void spread_hashes(void)
{
	check_all(hash_well);
}

static void equal_hashes(void)
{
	check_all(hash_badly);
}

static void entries_are_released(void)
{
	struct table t = { .hash = hash_well, .same = is_same };

	for (uint32_t i = 0; i < 100; i++) {
		struct number *n = xcalloc(1, sizeof(*n)); /* a leak is seen by ASan */

		n->key = i;
		table_add(&t, n);
	}
	CHECK_U64(t.n, 100);
	table_done(&t, free);
	CHECK_U64(t.room, 0);
}

static const struct unit_test tests[] = {
	{ "spread_hashes", spread_hashes },
	{ "equal_hashes", equal_hashes },
	{ "entries_are_released", entries_are_released },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
