// SPDX-License-Identifier: Apache-2.0
// The cgroups that limit the CPU time of the VMs: for every thread of a VM, from its own cgroup up to the root.
#include "live/cgroups.h"

#include "base/directory.h"
#include "base/file.h"
#include "base/table.h"
#include "live/root_helper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MOUNTINFO_LIMIT_BYTES (4u << 20)
#define CGROUP_LIMIT_BYTES (1u << 16)

/* A mounted hierarchy that has CPU settings. */
struct hierarchy {
	char *point, *top;	    /* where it is mounted, and which of its cgroups is mounted there */
	struct strings controllers; /* of v1; none: v2 */
};

struct hierarchies {
	struct hierarchy *items;
	size_t n;
};

struct climb {
	const struct hierarchies *mounted;
	const char *root;
	struct table seen; /* of directories, as in ret */
	struct strings *ret;
};

static uint64_t hash_text(const void *entry)
{
	return table_hash_bytes(0, entry, strlen(entry));
}

static bool same_text(const void *a, const void *b)
{
	return !strcmp(a, b);
}

/* ---- mounts ---- */

static bool limits_cpu(const struct strings *controllers)
{
	return strings_have(controllers, "cpu") || strings_have(controllers, "cpuacct") || strings_have(controllers, "cpuset");
}

/* A line of mountinfo: ID PARENT MAJOR:MINOR TOP POINT OPTIONS [FIELD]... - TYPE SOURCE OPTIONS (proc_pid_mountinfo(5)). */
static void add_hierarchy(struct hierarchies *list, const char *line)
{
	struct strings words = {0}, controllers = {0};
	size_t dash = 6;

	strings_split(&words, line, " ");
	while (dash < words.n && strcmp(words.items[dash], "-") != 0)
		dash++;
	if (dash + 3 < words.n) {
		const char *type = words.items[dash + 1];

		if (!strcmp(type, "cgroup"))
			strings_split(&controllers, words.items[dash + 3], ",");
		if (!strcmp(type, "cgroup2") || limits_cpu(&controllers)) {
			list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
			list->items[list->n++] = (struct hierarchy){
			    .point = xstrdup(words.items[4]), .top = xstrdup(words.items[3]), .controllers = controllers};
			controllers = (struct strings){0};
		}
	}
	strings_done(&controllers);
	strings_done(&words);
}

static int read_hierarchies(const char *root, struct hierarchies *ret)
{
	CLEANUP_FREE char *path = xasprintf("%s/proc/self/mountinfo", root);
	CLEANUP_FREE char *text = NULL;
	struct strings lines = {0};
	int err = file_read(path, MOUNTINFO_LIMIT_BYTES, &text, NULL);

	if (err)
		return err;
	strings_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		add_hierarchy(ret, lines.items[i]);
	strings_done(&lines);
	return 0;
}

static void hierarchies_done(struct hierarchies *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].point);
		free(list->items[i].top);
		strings_done(&list->items[i].controllers);
	}
	free(list->items);
}

/* ---- from a thread to the root ---- */

static void climb(struct climb *c, const struct hierarchy *h, const char *cgroup)
{
	size_t n_top = strcmp(h->top, "/") != 0 ? strlen(h->top) : 0;
	CLEANUP_FREE char *below = NULL;

	if (strstr(cgroup, "/..") || !starts_with(cgroup, n_top ? h->top : "/"))
		return;
	below = xstrdup(cgroup + n_top);
	for (char *slash = below + strlen(below); slash; slash = strrchr(below, '/')) {
		char *directory;

		*slash = '\0';
		if (slash > below && slash[-1] == '/') /* "/" is the root, which has the name of the mount point alone */
			continue;
		directory = xasprintf("%s%s%s", c->root, h->point, below);
		if (table_find(&c->seen, directory)) { /* and so are those above it */
			free(directory);
			return;
		}
		strings_add(c->ret, directory);
		table_add(&c->seen, directory);
	}
}

/* A line of /proc/TGID/task/TID/cgroup: ID:CONTROLLERS:CGROUP, of v2 "0::CGROUP" (cgroups(7)). */
static void climb_line(struct climb *c, const char *line)
{
	const char *names = strchr(line, ':');
	const char *cgroup = names ? strchr(names + 1, ':') : NULL;
	CLEANUP_FREE char *list = cgroup ? xstrndup(names + 1, (size_t)(cgroup - names - 1)) : NULL;
	struct strings controllers = {0};

	if (!cgroup)
		return;
	strings_split(&controllers, list, ",");
	for (size_t i = 0; i < c->mounted->n; i++) {
		const struct hierarchy *h = &c->mounted->items[i];
		bool is_it = !controllers.n && !h->controllers.n;

		for (size_t j = 0; j < controllers.n; j++)
			is_it |= strings_have(&h->controllers, controllers.items[j]);
		if (is_it)
			climb(c, h, cgroup + 1);
	}
	strings_done(&controllers);
}

static void climb_process(struct climb *c, uint32_t tgid)
{
	CLEANUP_FREE char *path = xasprintf("%s/proc/%" PRIu32 "/task", c->root, tgid);
	CLEANUP_FREE char *last = xstrdup("");
	struct strings tasks = { 0 };

	directory_list(path, &tasks);
	for (size_t t = 0; t < tasks.n; t++) {
		CLEANUP_FREE char *file = xasprintf("%s/%s/cgroup", path, tasks.items[t]);
		struct strings lines = {0};
		char *text;

		if (file_read(file, CGROUP_LIMIT_BYTES, &text, NULL))
			continue;
		if (strcmp(text, last) != 0) /* most threads share one */
			strings_split(&lines, text, "\n");
		for (size_t i = 0; i < lines.n; i++)
			climb_line(c, lines.items[i]);
		strings_done(&lines);
		free(last);
		last = text;
	}
	strings_done(&tasks);
}

int cgroups_of_vms(const char *root, const struct vmlist *vms, struct strings *ret)
{
	struct hierarchies mounted = {0};
	struct climb c = {.mounted = &mounted, .root = root, .seen = {.hash = hash_text, .same = same_text}, .ret = ret};
	int err = read_hierarchies(root, &mounted);

	for (size_t i = 0; i < vms->n && !err; i++)
		climb_process(&c, vms->items[i].tgid);
	table_done(&c.seen, free);
	hierarchies_done(&mounted);
	return err;
}

char *cgroup_by_inode(uint32_t tid, uint64_t inode)
{
	struct hierarchies mounted = { 0 };
	struct strings directories = { 0 }, lines = { 0 };
	struct climb c = { .mounted = &mounted, .root = "", .seen = { .hash = hash_text, .same = same_text }, .ret = &directories };
	CLEANUP_FREE char *text = NULL;
	char *found = NULL;

	if (!read_hierarchies("", &mounted) && !root_helper_read(tid, ROOT_HELPER_CGROUP, CGROUP_LIMIT_BYTES, &text, NULL))
		strings_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++)
		climb_line(&c, lines.items[i]);
	for (size_t i = 0; i < directories.n && !found; i++) {
		struct stat st;

		if (!stat(directories.items[i], &st) && st.st_ino == inode)
			found = xstrdup(directories.items[i]);
	}
	table_done(&c.seen, free);
	strings_done(&lines);
	strings_done(&directories);
	hierarchies_done(&mounted);
	return found;
}
