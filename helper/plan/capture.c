// SPDX-License-Identifier: Apache-2.0
// Saves the facts that a plan needs of this kernel as a small directory, which kernel_load() reads as a root.
#include "plan/capture.h"

#include "base/directory.h"
#include "base/file.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "plan/btf_reduce.h"
#include "plan/kernel_btf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPTURE_LIMIT_BYTES (256u << 20)
#define KPROBE_TYPE "/sys/bus/event_source/devices/kprobe/type"

struct capture {
	int directory_fd;
	const struct kernel *kernel;
	const struct script *scripts;
	size_t n_scripts;
	struct strings modules;	  /* those the scripts are about */
	struct strings functions; /* names without suffixes */
	struct strings structs;
	char *error; /* the first */
};

static void add_once(struct strings *list, const char *s)
{
	if (!strings_have(list, s))
		strings_add(list, s);
}

/* Collects what all scripts ask about, of every range: a later choice can be another script. */
static void collect(struct capture *c)
{
	for (size_t i = 0; i < c->n_scripts; i++) {
		const struct script *s = &c->scripts[i];

		add_once(&c->modules, s->module);
		for (size_t j = 0; j < s->n_vendors; j++)
			add_once(&c->modules, s->vendors[j].module);
		for (size_t j = 0; j < s->n_needs; j++) {
			const struct need *need = &s->needs[j];

			for (size_t m = 0; m < need->names.n; m++) {
				CLEANUP_FREE char *head = xstrndup(need->names.items[m], strcspn(need->names.items[m], "."));

				if (need->kind != NEED_TRACEPOINT)
					add_once(need->kind == NEED_MEMBER ? &c->structs : &c->functions, head);
			}
			if (need->marker)
				add_once(&c->functions, need->marker);
		}
	}
}

static void save(struct capture *c, const char *path, const void *data, size_t size)
{
	int err = output_write_below(c->directory_fd, path, data, size);

	if (err && !c->error)
		c->error = xasprintf("'%s': %s", path, strerror(-err));
}

static void save_text(struct capture *c, const char *path, const char *text)
{
	save(c, path, text, strlen(text));
}

/* Copies a file. One that is missing or unreadable is left out: the capture then shows the same. */
static void save_copy(struct capture *c, const char *from, const char *to)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;

	if (!file_read(from, CAPTURE_LIMIT_BYTES, &text, &size))
		save(c, to, text, size);
}

static void save_identity(struct capture *c)
{
	const struct kernel *k = c->kernel;
	CLEANUP_FREE char *release = xasprintf("%s\n", k->release);
	CLEANUP_FREE char *arch = xasprintf("%s\n", k->arch);
	char *modules = NULL;
	size_t size;
	FILE *f = open_memstream(&modules, &size);

	save_text(c, "/proc/sys/kernel/osrelease", release);
	save_text(c, "/proc/sys/kernel/arch", arch);
	for (size_t i = 0; i < c->modules.n && f; i++)
		if (kernel_has_module(k, c->modules.items[i]))
			fprintf(f, "%s 0 0 - Live 0x0\n", c->modules.items[i]);
	if (f)
		fclose(f);
	save_text(c, "/proc/modules", modules ? modules : "");
	free(modules);
	if (k->have_kprobes)
		save_copy(c, KPROBE_TYPE, KPROBE_TYPE);
}

/* Does a script ask about this function, or is it in a module of one? */
static bool is_wanted(const struct capture *c, const char *name, size_t name_n, const char *module, size_t module_n)
{
	const char *dot = memchr(name, '.', name_n);
	CLEANUP_FREE char *base = xstrndup(name, dot ? (size_t)(dot - name) : name_n);
	CLEANUP_FREE char *owner = xstrndup(module, module_n);

	return (module_n && strings_have(&c->modules, owner)) || strings_have(&c->functions, base);
}

/* Saves the wanted lines of a list of functions; those of kallsyms lose their addresses. */
static void save_functions(struct capture *c, const char *from, const char *path, bool kallsyms)
{
	CLEANUP_FREE char *text = NULL;
	char *kept = NULL;
	size_t size;
	FILE *f;

	if (file_read(from, CAPTURE_LIMIT_BYTES, &text, NULL))
		return;
	f = open_memstream(&kept, &size);
	for (const char *p = text; *p && f;) {
		size_t n = strcspn(p, "\n");
		const char *type = kallsyms ? memchr(p, ' ', n) : NULL;
		const char *name = kallsyms ? (type ? type + 3 : p + n) : p;
		size_t name_n = strcspn(name, " \t\n");
		const char *open = memchr(name, '[', (size_t)(p + n - name));
		size_t module_n = open ? strcspn(open + 1, "]\n") : 0;

		if (name < p + n && (!kallsyms || strchr("tTwW", type[1])) && is_wanted(c, name, name_n, open ? open + 1 : "", module_n))
			fprintf(f, "%s%.*s\n", kallsyms ? "0000000000000000" : "", (int)(p + n - (kallsyms ? type : p)),
				kallsyms ? type : p);
		p += n + (p[n] == '\n');
	}
	if (f)
		fclose(f);
	save(c, path, kept ? kept : "", kept ? size : 0);
	free(kept);
}

static void save_tracepoint(struct capture *c, const char *system, const char *event)
{
	CLEANUP_FREE char *from = xasprintf("%s/events/%s/%s/format", c->kernel->tracefs, system, event);
	CLEANUP_FREE char *to = xasprintf("/sys/kernel/tracing/events/%s/%s/format", system, event);

	save_copy(c, from, to);
}

/* All tracepoints of the modules, and the others that scripts name. */
static void save_tracepoints(struct capture *c)
{
	const struct kernel *k = c->kernel;

	if (!k->tracefs || !k->tracefs_readable)
		return;
	for (size_t i = 0; i < c->modules.n; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/events/%s", k->tracefs, c->modules.items[i]);
		struct strings events = { 0 };

		directory_list(path, &events);
		for (size_t j = 0; j < events.n; j++)
			save_tracepoint(c, c->modules.items[i], events.items[j]);
		strings_done(&events);
	}
	for (size_t i = 0; i < c->n_scripts; i++) {
		for (size_t j = 0; j < c->scripts[i].n_needs; j++) {
			const struct need *need = &c->scripts[i].needs[j];
			CLEANUP_FREE char *system = xstrndup(need->names.items[0], strcspn(need->names.items[0], ":"));

			if (need->kind == NEED_TRACEPOINT)
				save_tracepoint(c, system, need->names.items[0] + strlen(system) + 1);
		}
	}
}

static void save_btf(struct capture *c)
{
	const struct kernel *k = c->kernel;
	struct btf_image *images = xcalloc(k->n_btfs, sizeof(*images));
	int err = btf_reduce(k, &c->structs, &c->functions, images);

	if (err && !c->error)
		c->error = xasprintf("the BTF cannot be reduced: %s", strerror(-err));
	for (size_t i = 0; i < k->n_btfs; i++) {
		CLEANUP_FREE char *path = xasprintf("/sys/kernel/btf/%s", k->btfs[i].name);

		if (!err)
			save(c, path, images[i].data, images[i].size);
		free(images[i].data);
	}
	free(images);
}

char *capture_write(int directory_fd, const struct kernel *kernel, const struct script *scripts, size_t n_scripts)
{
	struct capture c = { .directory_fd = directory_fd, .kernel = kernel, .scripts = scripts, .n_scripts = n_scripts };

	collect(&c);
	save_identity(&c);
	save_functions(&c, "/proc/kallsyms", "/proc/kallsyms", true);
	if (kernel->tracefs_readable) {
		CLEANUP_FREE char *traceable = xasprintf("%s/available_filter_functions", kernel->tracefs);

		save_functions(&c, traceable, "/sys/kernel/tracing/available_filter_functions", false);
	}
	save_tracepoints(&c);
	save_btf(&c);
	strings_done(&c.modules);
	strings_done(&c.functions);
	strings_done(&c.structs);
	return c.error;
}
