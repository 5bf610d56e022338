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

/*
 * One item of a QEMU option list: up to a comma, where a doubled comma is one of the item. Returns its length in
 * raw (cut at its size) and how much of the text it took.
 */
static size_t take_item(const char *text, size_t n, char *raw, size_t size, size_t *ret_taken)
{
	size_t length = 0, i = 0;

	while (i < n) {
		char c = text[i++];

		if (c == ',' && (i == n || text[i] != ','))
			break;
		i += c == ',';
		if (length < size)
			raw[length++] = c;
	}
	*ret_taken = i;
	return length;
}

/* "web", "web,debug-threads=on" or "debug-threads=on,guest=web". */
static char *name_of_options(const char *text, size_t n)
{
	static const char key[] = "guest=";
	char raw[sizeof(key) - 1 + NAME_LIMIT_BYTES];
	char *name = NULL;

	for (size_t at = 0, taken; at < n; at += taken) {
		size_t length = take_item(text + at, n - at, raw, sizeof(raw), &taken);
		bool keyed = length >= sizeof(key) - 1 && !memcmp(raw, key, sizeof(key) - 1);
		size_t skip = keyed ? sizeof(key) - 1 : 0;

		if (length == skip || (!keyed && (at || memchr(raw, '=', length))))
			continue;
		length = length - skip > NAME_LIMIT_BYTES ? NAME_LIMIT_BYTES : length - skip;
		free(name);
		name = xcalloc(4 * length + 1, 1);
		text_clean(raw + skip, length, name);
	}
	return name;
}

char *vmname_from_cmdline(const char *cmdline, size_t n)
{
	const char *end = cmdline + n, *name = NULL;

	for (const char *arg = cmdline; arg < end; arg += strnlen(arg, (size_t)(end - arg)) + 1) {
		const char *next = arg + strnlen(arg, (size_t)(end - arg)) + 1;

		if (next < end && (!strcmp(arg, "-name") || !strcmp(arg, "--name")))
			name = next;
	}
	return name ? name_of_options(name, strnlen(name, (size_t)(end - name))) : NULL;
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
