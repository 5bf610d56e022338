// SPDX-License-Identifier: Apache-2.0
// What the threads of vCPUs sleep in outside of HLTs: for each vCPU and kind of sleep a row.
#include "ledger/blame_sleep.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define UNKNOWN "unknown"

/* What a stack means, so that the rules are asked once for each. Stacks are kept once: their addresses tell them apart. */
struct kind {
	const struct strings *stack; /* the key */
	const char *name;
};

static uint64_t hash_kind(const void *entry)
{
	const struct kind *k = entry;

	return table_hash_bytes(0, &k->stack, sizeof(k->stack));
}

static bool same_kind(const void *a, const void *b)
{
	return ((const struct kind *)a)->stack == ((const struct kind *)b)->stack;
}

static uint64_t hash_row(const void *entry)
{
	const struct blame_sleep *row = entry;
	const int64_t key[] = { row->vm->tgid, row->vcpu };

	return table_hash_bytes(table_hash_bytes(0, key, sizeof(key)), row->name, strlen(row->name));
}

static int compare_rows(const struct blame_sleep *x, const struct blame_sleep *y)
{
	if (x->vm->tgid != y->vm->tgid)
		return x->vm->tgid < y->vm->tgid ? -1 : 1;
	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool same_row(const void *a, const void *b)
{
	return !compare_rows(a, b);
}

void blame_sleeps_init(struct blame_sleeps *s, const struct sleep_rules *rules)
{
	*s = (struct blame_sleeps){
		.rows = { .hash = hash_row, .same = same_row },
		.kinds = { .hash = hash_kind, .same = same_kind },
		.rules = rules,
	};
}

void blame_sleeps_done(struct blame_sleeps *s)
{
	table_done(&s->rows, free);
	table_done(&s->kinds, free);
}

static const char *name_of(struct blame_sleeps *s, const struct strings *stack)
{
	struct kind *kind;
	const char *name;

	if (!stack || !s->rules)
		return UNKNOWN;
	kind = table_find(&s->kinds, &(struct kind){ .stack = stack });
	if (kind)
		return kind->name;
	name = sleep_rules_name(s->rules, stack);
	kind = xcalloc(1, sizeof(*kind));
	*kind = (struct kind){ .stack = stack, .name = name ? name : UNKNOWN };
	table_add(&s->kinds, kind);
	return kind->name;
}

struct blame_sleep *blame_sleeps_get(struct blame_sleeps *s, const struct blame_vm *vm, int64_t vcpu, const struct strings *stack)
{
	struct blame_sleep key = { .vm = vm, .vcpu = vcpu }, *row;

	snprintf(key.name, sizeof(key.name), "%s", name_of(s, stack));
	row = table_find(&s->rows, &key);
	if (row)
		return row;
	row = xcalloc(1, sizeof(*row));
	*row = key;
	table_add(&s->rows, row);
	return row;
}

static int compare_longest(const void *a, const void *b)
{
	const struct blame_sleep *x = *(const struct blame_sleep *const *)a, *y = *(const struct blame_sleep *const *)b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return compare_rows(x, y);
}

size_t blame_sleeps_list(const struct blame_sleeps *s, const struct blame_sleep ***ret)
{
	const struct blame_sleep **list = xcalloc(s->rows.n + 1, sizeof(struct blame_sleep *)), *row;
	size_t n = 0, cursor = 0;

	while ((row = table_next(&s->rows, &cursor)))
		if (row->ns)
			list[n++] = row;
	qsort(list, n, sizeof(struct blame_sleep *), compare_longest);
	*ret = list;
	return n;
}
