// SPDX-License-Identifier: Apache-2.0
// Names of VMs, from the command line of their process; read in user space, never in a probe.
#include "vmname.h"

#include "event.h"

#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#define CMDLINE_LIMIT_BYTES (256u << 10)
#define NAME_LIMIT_BYTES 128u

struct vm_entry {
	uint32_t tgid;
	char *name;
};

struct vmnames {
	void *tree;
	const struct vm_entry *last; /* most events come in runs of one VM */
};

struct vmnames *vmnames_new(void)
{
	return xcalloc(1, sizeof(struct vmnames));
}

static void entry_free(void *p)
{
	struct vm_entry *e = p;

	free(e->name);
	free(e);
}

void vmnames_free(struct vmnames *names)
{
	if (!names)
		return;
	tdestroy(names->tree, entry_free);
	free(names);
}

static int compare_entries(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

/* The first value of a QEMU option list: up to a comma, where a doubled comma is one of the name. */
static char *option_value(const char *text, size_t n)
{
	char raw[NAME_LIMIT_BYTES], *clean;
	size_t length = 0;

	for (size_t i = 0; i < n && text[i] && length < sizeof(raw); i++) {
		if (text[i] == ',' && (i + 1 == n || text[++i] != ','))
			break;
		raw[length++] = text[i];
	}
	if (!length)
		return NULL;
	clean = xcalloc(4 * length + 1, 1);
	text_clean(raw, length, clean);
	return clean;
}

char *vmname_from_cmdline(const char *cmdline, size_t n)
{
	const char *end = cmdline + n, *name = NULL;

	for (const char *arg = cmdline; arg < end; arg += strnlen(arg, (size_t)(end - arg)) + 1) {
		const char *next = arg + strnlen(arg, (size_t)(end - arg)) + 1;

		if (next < end && !strcmp(arg, "-name"))
			name = next;
	}
	if (!name)
		return NULL;
	if ((size_t)(end - name) >= strlen("guest=") && starts_with(name, "guest="))
		name += strlen("guest=");
	return option_value(name, (size_t)(end - name));
}

const char *vmnames_get(struct vmnames *names, uint32_t tgid)
{
	struct vm_entry key = { .tgid = tgid }, **found, *entry;
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FREE char *cmdline = NULL;
	size_t n;

	if (names->last && names->last->tgid == tgid)
		return names->last->name;
	found = tfind(&key, &names->tree, compare_entries);
	if (found) {
		names->last = *found;
		return names->last->name;
	}
	entry = xcalloc(1, sizeof(*entry));
	entry->tgid = tgid;
	path = xasprintf("/proc/%" PRIu32 "/cmdline", tgid);
	if (!file_read(path, CMDLINE_LIMIT_BYTES, &cmdline, &n))
		entry->name = vmname_from_cmdline(cmdline, n);
	tsearch(entry, &names->tree, compare_entries);
	names->last = entry;
	return entry->name;
}
