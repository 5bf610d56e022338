// SPDX-License-Identifier: Apache-2.0
// The BTF of a kernel and of its modules: loading it, argument types of functions, offsets of members.
#include "plan/kernel_btf.h"

#include "base/clean_text.h"
#include "base/text.h"
#include "plan/btf_check.h"
#include "plan/kernel_file.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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
		if (err && !kernel_file_read(k, path, KERNEL_FILE_LIMIT_BYTES, &data, &size) && btf_check_parse(data, size, base, ret, &why) == -ENOTSUP)
			err = -ENOTSUP;
	} else {
		err = kernel_file_read(k, path, KERNEL_FILE_LIMIT_BYTES, &data, &size);
		if (err)
			return kernel_file_error(k, path, err, ret_error);
		err = btf_check_parse(data, size, base, ret, &why);
	}
	if (err)
		*ret_error = xasprintf("'%s': no valid BTF: %s", full, why);
	return err;
}

/* Adds one BTF file; a file that is not there is no error, nor is one that only a newer libbpf can read: the plan goes without. */
static int load_one(struct kernel *k, const char *name, char **ret_error)
{
	CLEANUP_FREE char *path = xasprintf("/sys/kernel/btf/%s", name);
	struct btf *base = k->n_btfs ? k->btfs[0].btf : NULL;
	struct btf *btf;
	int err = kernel_file_find(k, path);

	if (err && !kernel_file_is_refused(k, err))
		return 0;
	err = err ? kernel_file_error(k, path, err, ret_error) : parse_btf(k, path, base, &btf, ret_error);
	if (err == -ENOTSUP) {
		k->btf_is_newer = true;
		free(*ret_error);
		*ret_error = NULL;
		return 0;
	}
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

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int kernel_btf_load(struct kernel *k, const struct script *scripts, size_t n_scripts, char **ret_error)
{
	struct strings modules = { 0 };
	int err;

	libbpf_set_print(silent); /* its errors come back as codes */
	err = load_one(k, "vmlinux", ret_error);
	for (size_t i = 0; i < n_scripts; i++)
		if (!strings_have(&modules, scripts[i].module))
			strings_add(&modules, scripts[i].module);
	for (size_t i = 0; i < modules.n && !err && k->n_btfs; i++)
		err = load_one(k, modules.items[i], ret_error);
	strings_done(&modules);
	return err;
}

void kernel_btf_done(struct kernel *k)
{
	while (k->n_btfs) {
		struct kernel_btf *last = &k->btfs[--k->n_btfs];

		btf__free(last->btf);
		free(last->name);
	}
	free(k->btfs);
	k->btfs = NULL;
}

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

bool kernel_btf_covers(const struct kernel *k, const char *module)
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

char *kernel_btf_arguments(const struct kernel *k, const char *module, const char *function)
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
		*ret_why = xstrdup(k->btf_is_newer ? "the kernel's BTF has types of a kind that this kvmwait does not know" : "the kernel has no BTF");
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

int kernel_btf_member(const struct kernel *k, const char *module, const char *path, unsigned int *ret_offset_bytes, char **ret_why)
{
	struct strings parts = { 0 };
	int err;

	*ret_why = NULL;
	strings_split(&parts, path, ".");
	err = member_of(k, module, &parts, ret_offset_bytes, ret_why);
	strings_done(&parts);
	return err;
}
