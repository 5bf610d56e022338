// SPDX-License-Identifier: Apache-2.0
// Kernel stacks as bpftrace printed them: the same few come again and again, and each is kept once.
#include "live/stacks.h"

#include "base/memory.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#define STACKS_MAX 16384u

struct stack {
	size_t n;
	uint64_t addresses[CALLERS_MAX];
	struct strings names;
};

struct stacks {
	struct table table;
};

static uint64_t hash_stack(const void *entry)
{
	const struct stack *s = entry;

	return table_hash_bytes(0, s->addresses, s->n * sizeof(*s->addresses));
}

static bool same_stack(const void *a, const void *b)
{
	const struct stack *x = a, *y = b;

	return x->n == y->n && !memcmp(x->addresses, y->addresses, x->n * sizeof(*x->addresses));
}

struct stacks *stacks_new(void)
{
	struct stacks *s = xcalloc(1, sizeof(*s));

	s->table = (struct table){ .hash = hash_stack, .same = same_stack };
	return s;
}

static void stack_free(void *p)
{
	struct stack *stack = p;

	strings_done(&stack->names);
	free(stack);
}

void stacks_free(struct stacks *s)
{
	if (!s)
		return;
	table_done(&s->table, stack_free);
	free(s);
}

const struct strings *stacks_get(struct stacks *s, const uint64_t *addresses, const char (*names)[FRAME_NAME_BYTES], size_t n)
{
	struct stack key = { .n = n < CALLERS_MAX ? n : CALLERS_MAX }, *stack;

	memcpy(key.addresses, addresses, key.n * sizeof(*addresses));
	stack = table_find(&s->table, &key);
	if (!stack && s->table.n < STACKS_MAX) {
		stack = xcalloc(1, sizeof(*stack));
		*stack = key;
		for (size_t i = 0; i < key.n; i++)
			if (*names[i])
				strings_add(&stack->names, names[i]);
		table_add(&s->table, stack);
	}
	return stack && stack->names.n ? &stack->names : NULL;
}
