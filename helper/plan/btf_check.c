// SPDX-License-Identifier: Apache-2.0
// Whether BTF that came from a stranger is well-formed: libbpf reads it only then.
//
// libbpf is made for a kernel's own BTF, and versions of it have read beyond the end of other data (libbpf issue 390:
// 24 bytes crash btf__new()). What passes here holds all that its parser reads: no child process is needed around it.
#include "plan/btf_check.h"

#include "base/file.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What follows a type of each kind: a fixed part, and one for each of its vlen members. */
static const struct {
	unsigned char fixed, each;
} tails[] = {
	[BTF_KIND_INT] = { .fixed = sizeof(uint32_t) },
	[BTF_KIND_PTR] = { 0 },
	[BTF_KIND_ARRAY] = { .fixed = sizeof(struct btf_array) },
	[BTF_KIND_STRUCT] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { .each = sizeof(struct btf_enum) },
	[BTF_KIND_FUNC_PROTO] = { .each = sizeof(struct btf_param) },
	[BTF_KIND_VAR] = { .fixed = sizeof(struct btf_var) },
	[BTF_KIND_DATASEC] = { .each = sizeof(struct btf_var_secinfo) },
	[BTF_KIND_DECL_TAG] = { .fixed = sizeof(struct btf_decl_tag) },
	[BTF_KIND_ENUM64] = { .each = sizeof(struct btf_enum64) },
};

static const char unknown_kind[] = "a type of unknown kind";

static const char *check_types(const char *p, size_t left)
{
	while (left) {
		const struct btf_type *type = (const void *)p;
		uint32_t kind;
		size_t size;

		if (left < sizeof(*type))
			return "the last type is cut short";
		kind = BTF_INFO_KIND(type->info);
		if (kind == BTF_KIND_UNKN || kind >= ARRAY_SIZE(tails))
			return unknown_kind;
		size = sizeof(*type) + tails[kind].fixed + (size_t)tails[kind].each * BTF_INFO_VLEN(type->info);
		if (left < size)
			return "the last type is cut short";
		p += size;
		left -= size;
	}
	return NULL;
}

const char *btf_check(const void *data, size_t size)
{
	const struct btf_header *header = data;
	uint64_t types, strings; /* where they begin */

	if (size < sizeof(*header))
		return "the header is cut short";
	if (header->magic != BTF_MAGIC || header->version != BTF_VERSION)
		return "no BTF of this machine's byte order";
	if (header->hdr_len < sizeof(*header) || header->hdr_len % 4 || header->type_off % 4)
		return "a header of another form";
	types = (uint64_t)header->hdr_len + header->type_off;
	strings = (uint64_t)header->hdr_len + header->str_off;
	if (types + header->type_len > strings)
		return "types and strings overlap";
	if (strings + header->str_len > size)
		return "the file is cut short";
	if (!header->str_len || ((const char *)data)[strings + header->str_len - 1])
		return "the strings do not end";
	return check_types((const char *)data + types, header->type_len);
}

/* libbpf before 1.6 takes BTF of a module from a file and from nowhere else. */
static struct btf *parse_split(const void *data, size_t size, struct btf *base)
{
	CLEANUP_FD int fd = memfd_create("btf", MFD_CLOEXEC);
	char path[32];

	if (fd < 0 || file_write_all(fd, data, size, NULL))
		return NULL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return btf__parse_raw_split(path, base);
}

int btf_check_parse(const void *data, size_t size, struct btf *base, struct btf **ret, const char **ret_why)
{
	struct btf *btf;
	int err;

	*ret_why = btf_check(data, size);
	if (*ret_why)
		return *ret_why == unknown_kind ? -ENOTSUP : -EINVAL;
	errno = EINVAL;
	btf = base ? parse_split(data, size, base) : btf__new(data, (uint32_t)size);
	err = btf ? (int)libbpf_get_error(btf) : -errno;
	if (err) {
		*ret_why = strerror(-err);
		return err;
	}
	*ret = btf;
	return 0;
}
