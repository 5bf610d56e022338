// SPDX-License-Identifier: Apache-2.0
// What keeps probes on functions from firing although they attach.
#include "plan/obstacle.h"

#include "base/directory.h"
#include "base/file.h"
#include "base/text.h"
#include "plan/kernel_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define FTRACE_SWITCH "/proc/sys/kernel/ftrace_enabled"
#define KPROBES_SWITCH "/sys/kernel/debug/kprobes/enabled"
#define BLACKLIST "/sys/kernel/debug/kprobes/blacklist"
#define LIVE_PATCHES "/sys/kernel/livepatch"
#define BLACKLIST_LIMIT_BYTES (4u << 20)

static void add(struct obstacles *o, char *what, char *next)
{
	o->items = xrealloc(o->items, o->n + 1, sizeof(*o->items));
	o->items[o->n++] = (struct obstacle){ .what = what, .next = next };
}

/* The functions that a program probes: "kprobe:NAME" at the beginning of a line, up to a comma or the end. */
static void add_functions(const char *program, struct strings *ret)
{
	static const char *const types[] = { "kprobe:", "kretprobe:" };

	for (const char *p = program; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
			CLEANUP_FREE char *name = NULL;

			if (!starts_with(p, types[i]))
				continue;
			name = xstrndup(p + strlen(types[i]), strcspn(p + strlen(types[i]), ",\n "));
			if (!strings_have(ret, name))
				strings_add(ret, name);
		}
	}
}

/* The whole of a file below the root, or NULL; the caller frees. */
static char *read_fact(const struct kernel *k, const char *path, size_t limit_bytes)
{
	char *text = NULL;

	return kernel_file_read(k, path, limit_bytes, &text, NULL) ? NULL : text;
}

/* Is the file a switch that stands at 0? */
static bool is_off(const struct kernel *k, const char *path)
{
	CLEANUP_FREE char *value = read_fact(k, path, 64);

	return value && !strcmp(trim_end(value), "0");
}

/*
 * On x86 a kprobe at the entry of a function is an ftrace callback (kprobe_ftrace_handler()), which ftrace_enabled silences.
 * arm64 patches in a breakpoint, whatever ftrace does.
 */
static bool kprobes_rest_on_ftrace(const struct kernel *k)
{
	return !strcmp(k->arch, "x86_64");
}

static void find_switches(const struct kernel *k, struct obstacles *o)
{
	if (is_off(k, FTRACE_SWITCH) && kprobes_rest_on_ftrace(k))
		add(o, xstrdup("ftrace is switched off (kernel.ftrace_enabled is 0): probes on functions attach, and never fire"),
		    xstrdup("sysctl kernel.ftrace_enabled=1"));
	if (is_off(k, KPROBES_SWITCH))
		add(o, xstrdup("kprobes are switched off ('" KPROBES_SWITCH "' is 0): probes on functions attach, and never fire"),
		    xstrdup("echo 1 >" KPROBES_SWITCH));
}

/* Lines "0xFIRST-0xLAST<tab>NAME". */
static void find_blacklisted(const struct kernel *k, const struct strings *functions, struct obstacles *o)
{
	CLEANUP_FREE char *text = read_fact(k, BLACKLIST, BLACKLIST_LIMIT_BYTES);

	for (const char *p = text; p && *p; p += *p == '\n') {
		size_t n = strcspn(p, "\n"), address = strcspn(p, "\t\n");

		if (address < n) {
			CLEANUP_FREE char *name = xstrndup(p + address + 1, n - address - 1);

			if (strings_have(functions, trim_end(name)))
				add(o, xasprintf("the kernel forbids probes on '%s' ('" BLACKLIST "')", name),
				    xstrdup("boot a kernel that allows it"));
		}
		p += n;
	}
}

/* Adds the names in a directory below the root, if there is one. */
static void add_names(const struct kernel *k, const char *path, struct strings *ret)
{
	CLEANUP_FD int fd = *k->root ? file_open_below(k->root, path) : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		directory_list_open(fd, ret);
}

/* The functions that a patch replaces in one object (vmlinux or a module) are directories "NAME,NUMBER". */
static void find_patched(const struct kernel *k, const char *patch, const char *object, const struct strings *functions, struct obstacles *o)
{
	struct strings names = { 0 };

	add_names(k, object, &names);
	for (size_t i = 0; i < names.n; i++) {
		char *comma = strrchr(names.items[i], ',');

		if (!comma)
			continue;
		*comma = '\0';
		if (strings_have(functions, names.items[i]))
			add(o, xasprintf("the live patch '%s' replaces '%s': what the scripts know of this function does not hold for it", patch,
					 names.items[i]),
			    xasprintf("echo 0 >" LIVE_PATCHES "/%s/enabled, for the time of the trace", patch));
	}
	strings_done(&names);
}

static void find_live_patches(const struct kernel *k, const struct strings *functions, struct obstacles *o)
{
	struct strings patches = { 0 };

	add_names(k, LIVE_PATCHES, &patches);
	for (size_t i = 0; i < patches.n; i++) {
		CLEANUP_FREE char *patch = xasprintf(LIVE_PATCHES "/%s", patches.items[i]);
		CLEANUP_FREE char *enabled = xasprintf(LIVE_PATCHES "/%s/enabled", patches.items[i]);
		struct strings objects = { 0 };

		if (!is_off(k, enabled))
			add_names(k, patch, &objects);
		for (size_t j = 0; j < objects.n; j++) {
			CLEANUP_FREE char *object = xasprintf("%s/%s", patch, objects.items[j]);

			find_patched(k, patches.items[i], object, functions, o);
		}
		strings_done(&objects);
	}
	strings_done(&patches);
}

void obstacles_find(const struct kernel *k, const char *program, struct obstacles *ret)
{
	struct strings functions = { 0 };

	*ret = (struct obstacles){ 0 };
	add_functions(program, &functions);
	if (functions.n) {
		find_switches(k, ret);
		find_blacklisted(k, &functions, ret);
		find_live_patches(k, &functions, ret);
	}
	strings_done(&functions);
}

void obstacles_done(struct obstacles *o)
{
	for (size_t i = 0; i < o->n; i++) {
		free(o->items[i].what);
		free(o->items[i].next);
	}
	free(o->items);
	*o = (struct obstacles){ 0 };
}
