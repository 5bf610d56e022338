// SPDX-License-Identifier: Apache-2.0
// The facts of one kernel, read below a root directory ("/" or a captured one). Knows no name by itself.
#include "plan/kernel.h"

#include "base/clean_text.h"
#include "base/file.h"
#include "base/text.h"
#include "plan/btf_check.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FACT_LIMIT_BYTES (64u << 20)
#define SYMBOLS_LIMIT_BYTES (256u << 20)
#define LINE_LIMIT_BYTES 4096u
#define LOAD_TRIES 8u
#define FORMAT_LIMIT_BYTES (256u << 10)

/* ---- files ---- */

/*
 * The running system's files are read as they are. A captured root may come from a stranger: it holds files and
 * directories, and what else there is in it is refused.
 */
static int read_below(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	CLEANUP_FREE char *full = xasprintf("%s%s", k->root, path);

	return *k->root ? file_read_below(k->root, path, limit_bytes, ret_text, ret_size)
			: file_read(full, limit_bytes, ret_text, ret_size);
}

/* 0 or -errno. */
static int find_below(const struct kernel *k, const char *path)
{
	CLEANUP_FD int fd = -1;

	if (!*k->root)
		return access(path, F_OK) ? -errno : 0;
	fd = file_open_below(k->root, path);
	return fd < 0 ? fd : 0;
}

static const char *file_why(int err)
{
	switch (err) {
	case -ELOOP:
		return "a link, which a captured root does not hold";
	case -ENODEV:
		return "neither a file nor a directory";
	case -EFBIG:
		return "larger than that of any kernel";
	default:
		return strerror(-err);
	}
}

static int complain(const struct kernel *k, const char *path, int err, char **ret_error)
{
	*ret_error = xasprintf("'%s%s': %s", k->root, path, file_why(err));
	return err;
}

/* A file that is not there, or not for us, is a fact; of the running system's it is whatever the error. */
static bool is_refused(const struct kernel *k, int err)
{
	return *k->root && err && err != -ENOENT && err != -ENOTDIR && err != -EACCES && err != -EPERM;
}

/* Reads a file that may be missing, or not for us: ret_text stays NULL then. */
static int read_fact(const struct kernel *k, const char *path, size_t limit_bytes, char **ret_text, size_t *ret_size,
		     char **ret_error)
{
	int err = read_below(k, path, limit_bytes, ret_text, ret_size);

	return is_refused(k, err) ? complain(k, path, err, ret_error) : 0;
}

/* ---- what is loaded ---- */

/* The first line of a small file, of printable characters as the kernel's own are. */
static int read_word(const struct kernel *k, const char *path, char **ret, char **ret_error)
{
	int err = read_fact(k, path, LINE_LIMIT_BYTES, ret, NULL, ret_error);

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
	int err = read_fact(k, "/proc/modules", FACT_LIMIT_BYTES, &text, NULL, ret_error);

	if (text)
		add_modules(text, &k->modules);
	return err;
}

static void load_tracefs(struct kernel *k)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < ARRAY_SIZE(places) && !k->tracefs; i++) {
		CLEANUP_FREE char *events = xasprintf("%s/events", places[i]);
		int err = find_below(k, events);

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

	r->err = read_fact(r->k, r->path, SYMBOLS_LIMIT_BYTES, &r->text, NULL, &r->error);
	return NULL;
}

/* Reads both lists, the second one where there is a tracefs. */
static int read_lists(const struct kernel *k, const char *kallsyms_path, char **ret_kallsyms, char **ret_list, char **ret_error)
{
	CLEANUP_FREE char *path = k->tracefs ? xasprintf("%s/available_filter_functions", k->tracefs + strlen(k->root)) : NULL;
	struct reading list = { .k = k, .path = path };
	bool apart = path && !pthread_create(&list.thread, NULL, read_meanwhile, &list);
	int err = read_below(k, kallsyms_path, SYMBOLS_LIMIT_BYTES, ret_kallsyms, NULL);

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
	return complain(k, kallsyms_path, err, ret_error);
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

/* The running kernel has checked its own BTF; that of a captured root is bounded and checked before libbpf reads it. */
static int parse_btf(const struct kernel *k, const char *path, struct btf *base, struct btf **ret, char **ret_error)
{
	CLEANUP_FREE char *full = xasprintf("%s%s", k->root, path);
	CLEANUP_FREE char *data = NULL;
	const char *why;
	size_t size;
	int err;

	if (!*k->root) {
		*ret = base ? btf__parse_raw_split(path, base) : btf__parse_raw(path);
		err = (int)libbpf_get_error(*ret);
		why = strerror(-err);
	} else {
		err = read_below(k, path, FACT_LIMIT_BYTES, &data, &size);
		if (err)
			return complain(k, path, err, ret_error);
		err = btf_check_parse(data, size, base, ret, &why);
	}
	if (err)
		*ret_error = xasprintf("'%s': no valid BTF: %s", full, why);
	return err;
}

/* Adds one BTF file; a file that is not there is no error. */
static int load_btf(struct kernel *k, const char *name, char **ret_error)
{
	CLEANUP_FREE char *path = xasprintf("/sys/kernel/btf/%s", name);
	struct btf *base = k->n_btfs ? k->btfs[0].btf : NULL;
	struct btf *btf;
	int err = find_below(k, path);

	if (err && !is_refused(k, err))
		return 0;
	err = err ? complain(k, path, err, ret_error) : parse_btf(k, path, base, &btf, ret_error);
	if (err)
		return err;
	k->btfs = xrealloc(k->btfs, k->n_btfs + 1, sizeof(*k->btfs));
	k->btfs[k->n_btfs++] = (struct kernel_btf){
		.name = xstrdup(name),
		.btf = btf,
		.first = base ? btf__type_cnt(base) : 1,
	};
	return 0;
}

static int load_btfs(struct kernel *k, const struct script *scripts, size_t n_scripts, char **ret_error)
{
	int err = load_btf(k, "vmlinux", ret_error);
	struct strings modules = { 0 };

	for (size_t i = 0; i < n_scripts; i++)
		if (!strings_have(&modules, scripts[i].module))
			strings_add(&modules, scripts[i].module);
	for (size_t i = 0; i < modules.n && !err && k->n_btfs; i++)
		err = load_btf(k, modules.items[i], ret_error);
	strings_done(&modules);
	return err;
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

static int load_once(const char *root, const struct script *scripts, size_t n_scripts, struct kernel *ret, char **ret_error)
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
	if (!err) {
		load_tracefs(&k);
		k.have_kprobes = !find_below(&k, "/sys/bus/event_source/devices/kprobe");
		err = load_symbols(&k, scripts, n_scripts, ret_error);
	}
	if (!err)
		err = load_btfs(&k, scripts, n_scripts, ret_error);
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

	if (!file_read("/proc/modules", FACT_LIMIT_BYTES, &text, NULL))
		add_modules(text, &modules);
	return modules;
}

/* Has a module that a script names come or gone since? Then the facts are in part of before, in part of after. */
static bool modules_changed(const struct kernel *k, const struct script *scripts, size_t n_scripts)
{
	struct strings now = live_modules();
	bool changed = false;

	for (size_t i = 0; i < n_scripts; i++) {
		changed |= kernel_has_module(k, scripts[i].module) != strings_have(&now, scripts[i].module);
		for (size_t j = 0; j < scripts[i].n_vendors; j++)
			changed |= kernel_has_module(k, scripts[i].vendors[j].module) != strings_have(&now, scripts[i].vendors[j].module);
	}
	strings_done(&now);
	return changed;
}

int kernel_load(const char *root, const struct script *scripts, size_t n_scripts, struct kernel *ret, char **ret_error)
{
	int err;

	libbpf_set_print(silent); /* its errors come back as codes, and are told with the file's name */
	for (unsigned int tries = 1;; tries++) {
		err = load_once(root, scripts, n_scripts, ret, ret_error);
		if (err || *ret->root || tries == LOAD_TRIES || !modules_changed(ret, scripts, n_scripts))
			return err;
		kernel_done(ret);
	}
}

void kernel_done(struct kernel *k)
{
	while (k->n_btfs) {
		struct kernel_btf *last = &k->btfs[--k->n_btfs];

		btf__free(last->btf);
		free(last->name);
	}
	free(k->btfs);
	symbols_done(&k->symbols);
	strings_done(&k->modules);
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

/* ---- BTF ---- */

static const struct kernel_btf *btf_of(const struct kernel *k, const char *module)
{
	for (size_t i = 0; i < k->n_btfs; i++)
		if (!strcmp(k->btfs[i].name, module))
			return &k->btfs[i];
	return NULL;
}

/* Functions of a module that is built in are in the kernel's BTF. */
static const struct kernel_btf *btf_of_functions(const struct kernel *k, const char *module)
{
	return btf_of(k, kernel_has_module(k, module) ? module : "vmlinux");
}

bool kernel_has_btf_of(const struct kernel *k, const char *module)
{
	return btf_of_functions(k, module) != NULL;
}

static const char *type_name(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	return name ? name : "";
}

/* Finds a type of one kind among the own types of a BTF; 0 where there is none. */
static unsigned int find_own(const struct kernel_btf *kb, const char *name, unsigned int kind)
{
	unsigned int end = btf__type_cnt(kb->btf);

	for (unsigned int id = kb->first; id < end; id++) {
		const struct btf_type *type = btf__type_by_id(kb->btf, id);

		if (btf_kind(type) == kind && !strcmp(type_name(kb->btf, type), name))
			return id;
	}
	return 0;
}

/* What BTF of a stranger may make of references and nesting; real ones are far below. */
#define CHAIN_LIMIT 32u
#define ARGUMENTS_LIMIT 64u
#define NESTING_LIMIT 16
#define MEMBERS_LIMIT 8192u

/* Writes a type as a header does: without struct and qualifiers, "foo *", "unsigned long", "bool". */
static void print_type(FILE *f, const struct btf *btf, unsigned int id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	unsigned int stars = 0;

	for (unsigned int i = 0; i < CHAIN_LIMIT && type; i++) {
		if (!btf_is_const(type) && !btf_is_volatile(type) && !btf_is_restrict(type) && !btf_is_ptr(type))
			break;
		stars += btf_is_ptr(type);
		type = btf__type_by_id(btf, type->type);
	}
	if (!type || btf_is_void(type)) {
		fprintf(f, "void");
	} else {
		const char *name = type_name(btf, type);

		/* DWARF's base name on one side, C's on the other */
		fprintf(f, "%.512s", !strcmp(name, "_Bool") ? "bool" : !strcmp(name, "long unsigned int") ? "unsigned long" : name);
	}
	while (stars--)
		fprintf(f, " *");
}

char *kernel_arguments(const struct kernel *k, const char *module, const char *function)
{
	const struct kernel_btf *kb = btf_of_functions(k, module);
	unsigned int id = kb ? find_own(kb, function, BTF_KIND_FUNC) : 0;
	const struct btf_type *proto;
	CLEANUP_FREE char *text = NULL;
	char *clean;
	size_t size;
	FILE *f;

	if (!id)
		return NULL;
	proto = btf__type_by_id(kb->btf, btf__type_by_id(kb->btf, id)->type);
	if (!proto || !btf_is_func_proto(proto))
		return NULL;
	f = open_memstream(&text, &size);
	if (!f)
		return NULL;
	for (unsigned int i = 0; i < btf_vlen(proto) && i < ARGUMENTS_LIMIT; i++) {
		if (i)
			fprintf(f, ", ");
		print_type(f, kb->btf, btf_params(proto)[i].type);
	}
	fclose(f);
	clean = xcalloc(4 * size + 1, 1);
	text_clean(text, size, clean);
	return clean;
}

static unsigned int skip_modifiers(const struct btf *btf, unsigned int id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (unsigned int i = 0; i < CHAIN_LIMIT && type && (btf_is_mod(type) || btf_is_typedef(type)); i++) {
		id = type->type;
		type = btf__type_by_id(btf, id);
	}
	return id;
}

/* Finds a member, also in anonymous structs and unions; adds its offset in bits. *left members may be looked at. */
static bool find_member(const struct btf *btf, unsigned int id, const char *name, int depth, unsigned int *left,
			unsigned int *ret_type, unsigned int *offset_bits)
{
	const struct btf_type *type = btf__type_by_id(btf, skip_modifiers(btf, id));

	if (!type || !btf_is_composite(type) || depth > NESTING_LIMIT)
		return false;
	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *member_name = btf__name_by_offset(btf, member->name_off);
		unsigned int at = *offset_bits + btf_member_bit_offset(type, i);

		if (!*left)
			return false;
		--*left;
		if (member_name && !strcmp(member_name, name)) {
			*ret_type = member->type;
			*offset_bits = at;
			return true;
		}
		if (member_name && *member_name)
			continue;
		if (find_member(btf, member->type, name, depth + 1, left, ret_type, &at)) {
			*offset_bits = at;
			return true;
		}
	}
	return false;
}

static bool find_path(const struct btf *btf, unsigned int id, const struct strings *path, unsigned int *left,
		      unsigned int *ret_offset_bits)
{
	unsigned int offset_bits = 0;

	for (size_t i = 1; i < path->n; i++)
		if (!find_member(btf, id, path->items[i], 0, left, &id, &offset_bits))
			return false;
	*ret_offset_bits = offset_bits;
	return true;
}

static int member_of(const struct kernel *k, const char *module, const struct strings *path, unsigned int *ret_offset_bytes,
		     char **ret_why)
{
	const struct kernel_btf *own = btf_of(k, "vmlinux"), *other = btf_of(k, module);
	unsigned int id = own ? find_own(own, path->items[0], BTF_KIND_STRUCT) : 0;
	unsigned int offset_bits = 0, other_bits = 0, left = MEMBERS_LIMIT;

	if (!own)
		*ret_why = xstrdup("the kernel has no BTF");
	else if (!id)
		*ret_why = xasprintf("the kernel's BTF has no struct %s", path->items[0]);
	else if (!find_path(own->btf, id, path, &left, &offset_bits))
		*ret_why = xasprintf("struct %s has no such member", path->items[0]);
	if (*ret_why)
		return -ENOENT;
	/* A module can hold copies of a struct of its own; a probe reads by the kernel's. */
	for (unsigned int i = other ? other->first : 1; other && i < btf__type_cnt(other->btf); i++) {
		const struct btf_type *type = btf__type_by_id(other->btf, i);

		if (!btf_is_struct(type) || strcmp(type_name(other->btf, type), path->items[0]))
			continue;
		if (!find_path(other->btf, i, path, &left, &other_bits) || other_bits != offset_bits) {
			*ret_why = xasprintf("struct %s is laid out otherwise in module %s", path->items[0], module);
			return -ENOENT;
		}
	}
	*ret_offset_bytes = offset_bits / 8;
	return 0;
}

int kernel_member(const struct kernel *k, const char *module, const char *path, unsigned int *ret_offset_bytes, char **ret_why)
{
	struct strings parts = { 0 };
	int err;

	*ret_why = NULL;
	strings_split(&parts, path, ".");
	err = member_of(k, module, &parts, ret_offset_bytes, ret_why);
	strings_done(&parts);
	return err;
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
	err = read_below(k, path, FORMAT_LIMIT_BYTES, &format, NULL);
	if (err) {
		*ret_why = xstrdup(err == -ENOENT ? "the kernel has no such tracepoint" : file_why(err));
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
