// SPDX-License-Identifier: Apache-2.0
// The facts of one kernel, read below a root directory ("/" or a captured one). Names come from the scripts alone.
#include "plan/kernel.h"

#include "base/file.h"
#include "base/text.h"
#include "plan/kernel_btf.h"
#include "plan/kernel_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SYMBOLS_LIMIT_BYTES (256u << 20)
#define LINE_LIMIT_BYTES 4096u
#define FORMAT_LIMIT_BYTES (256u << 10)

/* The first line of a small file, of printable characters as the kernel's own are. */
static int read_word(const struct kernel *k, const char *path, char **ret, char **ret_error)
{
	int err = kernel_file_read_optional(k, path, LINE_LIMIT_BYTES, ret, NULL, ret_error);

	if (err || !*ret)
		return err;
	(*ret)[strcspn(*ret, "\n")] = '\0';
	for (const char *p = *ret; *p; p++) {
		if (*p > ' ' && *p <= '~')
			continue;
		*ret_error = xasprintf("'%s%s': holds what is not printable", k->root, path);
		return -EINVAL;
	}
	return 0;
}

static int load_identity(struct kernel *k, char **ret_error)
{
	static const char release_path[] = "/proc/sys/kernel/osrelease", arch_path[] = "/proc/sys/kernel/arch";
	struct utsname name;
	int err = read_word(k, release_path, &k->release, ret_error);

	if (!err)
		err = read_word(k, arch_path, &k->arch, ret_error); /* there since 6.1, and in every captured root */
	if (err)
		return err;
	if (!k->arch && !*k->root && !uname(&name))
		k->arch = xstrdup(name.machine);
	if (!k->release || !k->arch) {
		*ret_error = xasprintf("'%s%s': missing; is this a captured root?", k->root, k->release ? arch_path : release_path);
		return -ENOENT;
	}
	if (version_parse(k->release, &k->version)) {
		*ret_error = xasprintf("'%s%s': no kernel release: '%s'", k->root, release_path, k->release);
		return -EINVAL;
	}
	return 0;
}

/* "NAME SIZE USERS USED-BY STATE ADDRESS": those that are neither on their way in nor out. */
static void add_modules(const char *text, struct strings *ret)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		if (!memmem(p, n, " Loading ", 9) && !memmem(p, n, " Unloading ", 11))
			strings_add_n(ret, p, strcspn(p, " \n"));
		p += n + (p[n] == '\n');
	}
}

static int load_modules(struct kernel *k, char **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	int err = kernel_file_read_optional(k, "/proc/modules", KERNEL_FILE_LIMIT_BYTES, &text, NULL, ret_error);

	if (text)
		add_modules(text, &k->modules);
	return err;
}

/* "flags : fpu vme ..." of the first CPU, where no vendor of the scripts has a module. */
static int load_cpu_flags(struct kernel *k, const struct script *scripts, size_t n_scripts, char **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	const char *flags;
	int err;

	for (size_t i = 0; i < n_scripts; i++)
		for (size_t j = 0; j < scripts[i].n_vendors; j++)
			if (kernel_has_module(k, scripts[i].vendors[j].module))
				return 0;
	err = kernel_file_read_optional(k, "/proc/cpuinfo", KERNEL_FILE_LIMIT_BYTES, &text, NULL, ret_error);
	flags = text ? strstr(text, "\nflags\t\t: ") : NULL;
	if (flags) {
		CLEANUP_FREE char *line = xstrndup(flags + 1, strcspn(flags + 1, "\n"));

		strings_split(&k->cpu_flags, line, " ");
	}
	return err;
}

static void load_tracefs(struct kernel *k)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < ARRAY_SIZE(places) && !k->tracefs; i++) {
		CLEANUP_FREE char *events = xasprintf("%s/events", places[i]);
		int err = kernel_file_find(k, events);

		if (err && err != -EACCES)
			continue;
		k->tracefs = xasprintf("%s%s", k->root, places[i]);
		k->tracefs_readable = !err && (*k->root || !access(events, R_OK | X_OK));
	}
}

/* A file that is read meanwhile: a kernel takes long to print either of its lists. */
struct reading {
	const struct kernel *k;
	char *path; /* NULL: none */
	char *text; /* NULL where it is missing, or not for us */
	char *error;
	int err;
	pthread_t thread;
};

static void *read_meanwhile(void *arg)
{
	struct reading *r = arg;

	r->err = kernel_file_read_optional(r->k, r->path, SYMBOLS_LIMIT_BYTES, &r->text, NULL, &r->error);
	return NULL;
}

/* Reads both lists, the second one where there is a tracefs. */
static int read_lists(const struct kernel *k, const char *kallsyms_path, char **ret_kallsyms, char **ret_list, char **ret_error)
{
	CLEANUP_FREE char *path = k->tracefs ? xasprintf("%s/available_filter_functions", k->tracefs + strlen(k->root)) : NULL;
	struct reading list = { .k = k, .path = path };
	bool apart = path && !pthread_create(&list.thread, NULL, read_meanwhile, &list);
	int err = kernel_file_read(k, kallsyms_path, SYMBOLS_LIMIT_BYTES, ret_kallsyms, NULL);

	if (apart)
		pthread_join(list.thread, NULL);
	else if (path)
		read_meanwhile(&list);
	*ret_list = list.text;
	if (!err) {
		*ret_error = list.error;
		return list.err;
	}
	free(list.error);
	return kernel_file_error(k, kallsyms_path, err, ret_error);
}

static int load_symbols(struct kernel *k, const struct script *scripts, size_t n_scripts, char **ret_error)
{
	static const char kallsyms_path[] = "/proc/kallsyms";
	CLEANUP_FREE char *kallsyms = NULL;
	CLEANUP_FREE char *list = NULL;
	struct strings wanted = { 0 };
	int err = read_lists(k, kallsyms_path, &kallsyms, &list, ret_error);

	if (err)
		return err;
	for (size_t i = 0; i < n_scripts; i++) {
		for (size_t j = 0; j < scripts[i].n_needs; j++) {
			const struct need *need = &scripts[i].needs[j];

			if (need->kind != NEED_FUNC && need->kind != NEED_NO_FUNC)
				continue;
			for (size_t m = 0; m < need->names.n; m++)
				if (!strings_have(&wanted, need->names.items[m]))
					strings_add(&wanted, need->names.items[m]);
			if (need->marker && !strings_have(&wanted, need->marker))
				strings_add(&wanted, need->marker);
		}
	}
	err = symbols_load(kallsyms, list, &wanted, &k->symbols);
	strings_done(&wanted);
	if (err)
		*ret_error = xasprintf("'%s%s': more functions of the same names than any kernel has", k->root, kallsyms_path);
	return err;
}

int kernel_load(const char *root, const struct script *scripts, size_t n_scripts, struct kernel *ret, char **ret_error)
{
	struct kernel k = { 0 };
	size_t n = strlen(root);
	int err;

	while (n && root[n - 1] == '/')
		n--;
	k.root = xstrndup(root, n);
	err = load_identity(&k, ret_error);
	if (!err)
		err = load_modules(&k, ret_error);
	if (!err)
		err = load_cpu_flags(&k, scripts, n_scripts, ret_error);
	if (!err) {
		load_tracefs(&k);
		k.have_kprobes = !kernel_file_find(&k, "/sys/bus/event_source/devices/kprobe");
		err = load_symbols(&k, scripts, n_scripts, ret_error);
	}
	if (!err)
		err = kernel_btf_load(&k, scripts, n_scripts, ret_error);
	if (err) {
		kernel_done(&k);
		return err;
	}
	*ret = k;
	return 0;
}

/* Those of the running system by now. */
static struct strings live_modules(void)
{
	CLEANUP_FREE char *text = NULL;
	struct strings modules = { 0 };

	if (!file_read("/proc/modules", KERNEL_FILE_LIMIT_BYTES, &text, NULL))
		add_modules(text, &modules);
	return modules;
}

bool kernel_modules_changed(const struct kernel *k, const struct script *scripts, size_t n_scripts)
{
	struct strings now = { 0 };
	bool changed = false;

	if (*k->root)
		return false;
	now = live_modules();
	for (size_t i = 0; i < n_scripts; i++) {
		changed |= kernel_has_module(k, scripts[i].module) != strings_have(&now, scripts[i].module);
		for (size_t j = 0; j < scripts[i].n_vendors; j++)
			changed |= kernel_has_module(k, scripts[i].vendors[j].module) != strings_have(&now, scripts[i].vendors[j].module);
	}
	strings_done(&now);
	return changed;
}

void kernel_done(struct kernel *k)
{
	kernel_btf_done(k);
	symbols_done(&k->symbols);
	strings_done(&k->modules);
	strings_done(&k->cpu_flags);
	free(k->tracefs);
	free(k->release);
	free(k->arch);
	free(k->root);
	*k = (struct kernel){ 0 };
}

bool kernel_has_module(const struct kernel *k, const char *module)
{
	return strings_have(&k->modules, module);
}

bool kernel_module_is_live(const char *module)
{
	struct strings modules = live_modules();
	bool is_live = strings_have(&modules, module);

	strings_done(&modules);
	return is_live;
}

/* ---- tracepoints ---- */

/* Does a format file list the field? Its lines read "field:unsigned int vcpu_id; offset:...". */
static bool format_has_field(const char *format, const char *field)
{
	size_t n = strlen(field);

	for (const char *p = strstr(format, "field:"); p; p = strstr(p + 1, "field:")) {
		const char *end = strchr(p, ';'), *start;

		if (!end)
			return false;
		if (end[-1] == ']')
			while (end > p && *end != '[')
				end--;
		if ((size_t)(end - p) <= n)
			continue;
		start = end - n;
		if (!strncmp(start, field, n) && (start[-1] == ' ' || start[-1] == '*'))
			return true;
	}
	return false;
}

int kernel_tracepoint(const struct kernel *k, const char *tracepoint, const struct strings *fields, char **ret_why)
{
	size_t n = strcspn(tracepoint, ":");
	CLEANUP_FREE char *path = xasprintf("%s/events/%.*s/%s/format", k->tracefs ? k->tracefs + strlen(k->root) : "", (int)n,
					    tracepoint, tracepoint + n + 1);
	CLEANUP_FREE char *format = NULL;
	int err;

	if (!k->tracefs) {
		*ret_why = xstrdup("tracefs is not mounted");
		return -ENOENT;
	}
	if (!k->tracefs_readable) /* nothing is known; whoever may attach may look as well */
		return 0;
	err = kernel_file_read(k, path, FORMAT_LIMIT_BYTES, &format, NULL);
	if (err) {
		*ret_why = xstrdup(err == -ENOENT ? "the kernel has no such tracepoint" : kernel_file_why(err));
		return -ENOENT;
	}
	for (size_t i = 0; i < fields->n; i++) {
		if (format_has_field(format, fields->items[i]))
			continue;
		*ret_why = xasprintf("it has no field %s", fields->items[i]);
		return -ENOENT;
	}
	return 0;
}
