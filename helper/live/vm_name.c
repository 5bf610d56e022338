// SPDX-License-Identifier: Apache-2.0
// Names of VMs: read from the processes that run them, and remembered by TGID.
#include "live/vm_name.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "live/root_helper.h"
#include "live/vmm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CMDLINE_LIMIT_BYTES (256u << 10)
#define CGROUP_LIMIT_BYTES (64u << 10)
#define STAT_LIMIT_BYTES (16u << 10)
#define CHECK_INTERVAL_NS NS_PER_S

/* ---- a process ---- */

/* A file of a process: of this system by the root helper, since most are not ours; of a captured root as it lies there. */
static int read_of(const char *root, uint32_t tgid, enum root_helper_file file, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	static const char *const names[] = { [ROOT_HELPER_CMDLINE] = "cmdline", [ROOT_HELPER_CGROUP] = "cgroup", [ROOT_HELPER_STAT] = "stat" };
	CLEANUP_FREE char *path = NULL;

	if (!*root)
		return root_helper_read(tgid, file, limit_bytes, ret_text, ret_size);
	path = xasprintf("%s/proc/%" PRIu32 "/%s", root, tgid, names[file]);
	return file_read(path, limit_bytes, ret_text, ret_size);
}

/* The path of the program, in `exe`; empty where it cannot be read. */
static struct view read_exe(const char *root, uint32_t tgid, char exe[PATH_MAX])
{
	CLEANUP_FD int fd = *root ? -1 : root_helper_open(tgid, ROOT_HELPER_EXE);
	CLEANUP_FREE char *path = *root ? xasprintf("%s/proc/%" PRIu32 "/exe", root, tgid) : xasprintf("/proc/self/fd/%d", fd);
	ssize_t length = readlink(path, exe, PATH_MAX);

	return (struct view){ exe, length > 0 ? (size_t)length : 0 };
}

char *vmname_of_process(const char *root, uint32_t tgid)
{
	CLEANUP_FREE char *cmdline = NULL;
	CLEANUP_FREE char *cgroup = NULL;
	char exe[PATH_MAX], *name = NULL;
	struct view program = read_exe(root, tgid, exe);
	size_t n;

	if (!read_of(root, tgid, ROOT_HELPER_CMDLINE, CMDLINE_LIMIT_BYTES, &cmdline, &n))
		name = vmm_name(program, (struct view){ cmdline, n });
	if (!name && !read_of(root, tgid, ROOT_HELPER_CGROUP, CGROUP_LIMIT_BYTES, &cgroup, &n))
		name = vmm_name_of_cgroup((struct view){ cgroup, n });
	return name;
}

void vmname_ids_of_process(const char *root, uint32_t tgid, struct strings *ids)
{
	CLEANUP_FREE char *cmdline = NULL;
	char exe[PATH_MAX];
	struct view program = read_exe(root, tgid, exe);
	size_t n;

	if (!read_of(root, tgid, ROOT_HELPER_CMDLINE, CMDLINE_LIMIT_BYTES, &cmdline, &n))
		vmm_ids(program, (struct view){ cmdline, n }, ids);
}

/* Field 22 of stat, in ticks. The name of the process, field 2, may hold anything, but ends with the last ')'. */
static int process_start(const char *root, uint32_t tgid, uint64_t *ret_ticks)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *number = NULL;
	const char *field;
	size_t n;
	int err = read_of(root, tgid, ROOT_HELPER_STAT, STAT_LIMIT_BYTES, &text, &n);

	if (err)
		return err;
	field = memrchr(text, ')', n);
	for (int i = 2; i < 22 && field; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -EINVAL;
	number = xstrndup(field + 1, strcspn(field + 1, " \n"));
	return parse_u64(number, ret_ticks);
}

/* ---- names that were read before ---- */

struct vm_entry {
	uint32_t tgid;
	bool known; /* start_ticks and name are those of one process */
	uint64_t start_ticks, checked_ns;
	char *name;
};

struct vmnames {
	char *root;
	struct table entries;  /* by process */
	struct vm_entry *last; /* most events come in runs of one VM */
	struct strings gone;   /* events that are still held have them */
};

static uint64_t hash_tgid(const void *entry)
{
	const struct vm_entry *e = entry;

	return table_hash_bytes(0, &e->tgid, sizeof(e->tgid));
}

static bool same_tgid(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	return x->tgid == y->tgid;
}

struct vmnames *vmnames_new(const char *root)
{
	struct vmnames *names = xcalloc(1, sizeof(*names));

	names->entries = (struct table){ .hash = hash_tgid, .same = same_tgid };
	names->root = xstrdup(root);
	return names;
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
	table_done(&names->entries, entry_free);
	strings_done(&names->gone);
	free(names->root);
	free(names);
}

static void replace_name(struct vmnames *names, struct vm_entry *e, char *name)
{
	if (e->name && name && !strcmp(e->name, name)) {
		free(name);
		return;
	}
	if (e->name) {
		names->gone.items = xrealloc(names->gone.items, names->gone.n + 1, sizeof(*names->gone.items));
		names->gone.items[names->gone.n++] = e->name;
	}
	e->name = name;
}

static void look(struct vmnames *names, struct vm_entry *e)
{
	uint64_t before, after;
	char *name;

	if (process_start(names->root, e->tgid, &before) || (e->known && e->start_ticks == before))
		return;
	name = vmname_of_process(names->root, e->tgid);
	e->known = !process_start(names->root, e->tgid, &after) && after == before;
	e->start_ticks = before;
	if (e->known)
		replace_name(names, e, name);
	else
		free(name);
}

static struct vm_entry *find_entry(struct vmnames *names, uint32_t tgid)
{
	struct vm_entry *entry = table_find(&names->entries, &(struct vm_entry){ .tgid = tgid });

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->tgid = tgid;
		table_add(&names->entries, entry);
	}
	return entry;
}

const char *vmnames_get(struct vmnames *names, uint32_t tgid)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC_COARSE); /* it costs a fourth: this is asked for each event */

	if (!names->last || names->last->tgid != tgid)
		names->last = find_entry(names, tgid);
	if (!names->last->checked_ns || now_ns - names->last->checked_ns >= CHECK_INTERVAL_NS) {
		names->last->checked_ns = now_ns;
		look(names, names->last);
	}
	return names->last->name;
}
