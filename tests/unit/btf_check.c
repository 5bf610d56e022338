// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/btf_check.c, and that what passes it and is strange nevertheless does no harm in helper/plan/kernel.c.
#include "unit.h"

#include "base/text.h"
#include "plan/btf_check.h"
#include "plan/kernel.h"
#include "plan/kernel_btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* BTF with a type of nearly every kind; the caller frees. */
static char *make_btf(size_t *ret_size)
{
	struct btf *btf = btf__new_empty();
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), proto;
	const void *data;
	uint32_t size;
	char *copy;

	CHECK(number > 0);
	CHECK(btf__add_array(btf, number, number, 3) > 0);
	CHECK(btf__add_struct(btf, "s", 8) > 0);
	CHECK_INT(btf__add_field(btf, "a", number, 0, 0), 0);
	CHECK_INT(btf__add_field(btf, "b", number, 32, 0), 0);
	CHECK(btf__add_union(btf, "u", 4) > 0);
	CHECK_INT(btf__add_field(btf, "a", number, 0, 0), 0);
	CHECK(btf__add_enum(btf, "e", 4) > 0);
	CHECK_INT(btf__add_enum_value(btf, "E", 1), 0);
	CHECK(btf__add_enum64(btf, "e64", 8, false) > 0);
	CHECK_INT(btf__add_enum64_value(btf, "E64", 1), 0);
	proto = btf__add_func_proto(btf, 0);
	CHECK_INT(btf__add_func_param(btf, "x", number), 0);
	CHECK(btf__add_func(btf, "f", BTF_FUNC_GLOBAL, proto) > 0);
	CHECK(btf__add_var(btf, "v", BTF_VAR_STATIC, number) > 0);
	CHECK(btf__add_datasec(btf, ".data", 4) > 0);
	CHECK_INT(btf__add_datasec_var_info(btf, number, 0, 4), 0);
	CHECK(btf__add_decl_tag(btf, "tag", number, -1) > 0);
	CHECK(btf__add_type_tag(btf, "user", number) > 0);
	CHECK(btf__add_float(btf, "double", 8) > 0);
	data = btf__raw_data(btf, &size);
	CHECK(data != NULL);
	copy = unit_exact(data, size);
	*ret_size = size;
	btf__free(btf);
	return copy;
}

static void whole(void)
{
	size_t size;
	CLEANUP_FREE char *data = make_btf(&size);

	CHECK_STR(btf_check(data, size), NULL);
}

/* Cut anywhere it is not whole. */
static void cut(void)
{
	size_t size;
	CLEANUP_FREE char *data = make_btf(&size);

	for (size_t n = 0; n < size; n++) {
		CLEANUP_FREE char *part = unit_exact(data, n);

		if (!btf_check(part, n))
			unit_fail(__FILE__, __LINE__, "whole with %zu of %zu bytes", n, size);
	}
}

static void check_header(size_t field, uint32_t value, const char *why)
{
	size_t size;
	CLEANUP_FREE char *data = make_btf(&size);

	memcpy(data + field, &value, sizeof(value));
	CHECK_STR(btf_check(data, size), why);
}

static void headers(void)
{
	struct btf_header h;
	size_t size;
	CLEANUP_FREE char *data = make_btf(&size);

	memcpy(&h, data, sizeof(h));
	check_header(0, 0x00019feb, "no BTF of this machine's byte order");
	check_header(0, 0x0002eb9f, "no BTF of this machine's byte order");
	check_header(offsetof(struct btf_header, hdr_len), 20, "a header of another form");
	check_header(offsetof(struct btf_header, hdr_len), 26, "a header of another form");
	check_header(offsetof(struct btf_header, hdr_len), 0x7ffffff0, "the file is cut short");
	check_header(offsetof(struct btf_header, hdr_len), (uint32_t)size & ~3u, "the file is cut short");
	check_header(offsetof(struct btf_header, type_off), 2, "a header of another form");
	check_header(offsetof(struct btf_header, type_off), 4, "types and strings overlap");
	check_header(offsetof(struct btf_header, type_len), h.type_len + 1, "types and strings overlap");
	check_header(offsetof(struct btf_header, type_len), 0xffffffff, "types and strings overlap");
	check_header(offsetof(struct btf_header, type_len), h.type_len - 4, "the last type is cut short");
	check_header(offsetof(struct btf_header, str_off), 0xffffffff, "the file is cut short");
	check_header(offsetof(struct btf_header, str_len), 0, "the strings do not end");
	check_header(offsetof(struct btf_header, str_len), h.str_len - 1, "the strings do not end");
	check_header(offsetof(struct btf_header, str_len), h.str_len + 1, "the file is cut short");
	check_header(sizeof(h) + 4, 31u << 24, "a type of unknown kind");
	check_header(sizeof(h) + 4, 0, "a type of unknown kind");
	check_header(sizeof(h) + 4, BTF_KIND_STRUCT << 24 | 0xffff, "the last type is cut short");
}

/* ---- what passes, and leads in circles ---- */

/* A kernel with this BTF and no other. */
static struct kernel_btf made;
static struct kernel kernel_of(struct btf *btf)
{
	made = (struct kernel_btf){ .name = (char *)"vmlinux", .btf = btf, .first = 1 };
	return (struct kernel){ .btfs = &made, .n_btfs = 1 };
}

/* BTF made of types that are given as they stand: btf__add_*() would not take them. */
static struct btf *raw_btf(const uint32_t *types, size_t n, const char *strings, size_t n_strings)
{
	struct btf_header h = { .magic = 0xeb9f, .version = 1, .hdr_len = sizeof(h), .type_len = (uint32_t)(n * 4),
				.str_off = (uint32_t)(n * 4), .str_len = (uint32_t)n_strings };
	size_t size = sizeof(h) + n * 4 + n_strings;
	CLEANUP_FREE char *data = xcalloc(size, 1);
	const char *why = NULL;
	struct btf *btf = NULL;

	memcpy(data, &h, sizeof(h));
	memcpy(data + sizeof(h), types, n * 4);
	memcpy(data + sizeof(h) + n * 4, strings, n_strings);
	CHECK_INT(btf_check_parse(data, size, NULL, &btf, &why), 0);
	return btf;
}

#define INFO(kind, vlen) ((uint32_t)(kind) << 24 | (vlen))

static void circles(void)
{
	static const char strings[] = "\0s\0f\0g";
	static const uint32_t types[] = {
		0, INFO(BTF_KIND_PTR, 0), 1,		  /* 1: a pointer to itself */
		0, INFO(BTF_KIND_CONST, 0), 2,		  /* 2: a const of itself */
		0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 0, 1, /* 3 */
		3, INFO(BTF_KIND_FUNC, 1), 3,		  /* 4: f(1) */
		0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 0, 2, /* 5 */
		5, INFO(BTF_KIND_FUNC, 1), 5,		  /* 6: g(2) */
		/* 7: struct s, which holds itself without a name three times, a const of itself, and what is not there */
		1, INFO(BTF_KIND_STRUCT, 5), 8, 0, 7, 0, 0, 7, 0, 0, 7, 0, 0, 2, 0, 0, 9999, 0,
	};
	struct btf *btf = raw_btf(types, ARRAY_SIZE(types), strings, sizeof(strings));
	struct kernel k = kernel_of(btf);
	CLEANUP_FREE char *f = kernel_btf_arguments(&k, "kvm", "f");
	CLEANUP_FREE char *g = kernel_btf_arguments(&k, "kvm", "g");
	CLEANUP_FREE char *why = NULL;
	unsigned int offset;

	CHECK(starts_with(f, " * * *"));
	CHECK_STR(g, "");
	CHECK_INT(kernel_btf_member(&k, "kvm", "s.none", &offset, &why), -ENOENT);
	CHECK_STR(why, "struct s has no such member");
	btf__free(btf);
}

/* Names that others chose come out fit to print, and not without end. */
static void names(void)
{
	static const char strings[] = "\0t\033[2J\0f";
	static const uint32_t types[] = {
		1, INFO(BTF_KIND_INT, 0), 4, 32, 0, INFO(BTF_KIND_FUNC_PROTO, 1), 0, 0, 1, 7, INFO(BTF_KIND_FUNC, 1), 2,
	};
	struct btf *btf = raw_btf(types, ARRAY_SIZE(types), strings, sizeof(strings));
	struct kernel k = kernel_of(btf);
	CLEANUP_FREE char *f = kernel_btf_arguments(&k, "kvm", "f");

	CHECK_STR(f, "t\\x1b[2J");
	btf__free(btf);
}

static const struct unit_test tests[] = {
	{ "whole", whole },
	{ "cut", cut },
	{ "headers", headers },
	{ "circles", circles },
	{ "names", names },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
