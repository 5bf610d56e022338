// SPDX-License-Identifier: Apache-2.0
// What tables call a VM: its name, and its process id too where another VM has the same name.
#include "show/vm_label.h"

#include "base/memory.h"
#include "base/table.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_NAMES 65536u /* a stream from a stranger can hold any number of them */

/* A name, and the first process that had it. */
struct vm_name {
	char *name;
	uint32_t pid;
	bool shared;
};

struct vm_labels {
	struct table names;
	char *text; /* of the last label that has a process id */
};

static uint64_t hash_name(const void *entry)
{
	const struct vm_name *n = entry;

	return table_hash_bytes(0, n->name, strlen(n->name));
}

static bool same_name(const void *a, const void *b)
{
	const struct vm_name *x = a, *y = b;

	return !strcmp(x->name, y->name);
}

static void name_free(void *entry)
{
	struct vm_name *n = entry;

	free(n->name);
	free(n);
}

struct vm_labels *vm_labels_new(void)
{
	struct vm_labels *labels = xcalloc(1, sizeof(*labels));

	labels->names = (struct table){ .hash = hash_name, .same = same_name };
	return labels;
}

void vm_labels_free(struct vm_labels *labels)
{
	if (!labels)
		return;
	table_done(&labels->names, name_free);
	free(labels->text);
	free(labels);
}

/* Is it the only process of that name so far? Not known of a name that there was no room for. */
static bool is_unique(struct vm_labels *labels, const char *name, uint32_t pid)
{
	struct vm_name *n = table_find(&labels->names, &(struct vm_name){ .name = (char *)(uintptr_t)name });

	if (!n && labels->names.n == MAX_NAMES)
		return false;
	if (!n) {
		n = xcalloc(1, sizeof(*n));
		*n = (struct vm_name){ .name = xstrdup(name), .pid = pid };
		table_add(&labels->names, n);
	}
	n->shared = n->shared || n->pid != pid;
	return !n->shared;
}

const char *vm_label(struct vm_labels *labels, const char *name, uint32_t pid)
{
	char number[16];

	snprintf(number, sizeof(number), "%" PRIu32, pid);
	if (is_unique(labels, name ? name : number, pid) && name)
		return name;
	free(labels->text);
	/* a process without a name needs its id only once, even if another VM is called so */
	labels->text = name && strcmp(name, number) != 0 ? xasprintf("%s (%s)", name, number) : xstrdup(number);
	return labels->text;
}
