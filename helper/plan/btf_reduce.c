// SPDX-License-Identifier: Apache-2.0
// A small BTF out of a large one: what the scripts ask about, and what that is made of.
//
// A module's BTF builds on the kernel's, whose types have to be complete before the first type of a module is
// added. So everything is walked twice: once to copy the kernel's types, once for each module to copy its own.
#include "plan/btf_reduce.h"

#include "base/text.h"
#include "plan/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reducer {
	const struct btf *from;
	unsigned int first; /* ids from here on are the module's own; of the kernel: all are copied */
	struct btf *base;   /* takes ids below first; NULL in the second walk */
	struct btf *own;    /* takes ids from first on; NULL in the first walk */
	int *by_value, *by_reference; /* new id of an old one, 0: none yet */
	bool *walking;
	int error;
};

static int copy(struct reducer *r, unsigned int id, bool reference);

/* The BTF that an id goes to; NULL: it is only walked through. */
static struct btf *target(const struct reducer *r, unsigned int id)
{
	return id < r->first ? r->base : r->own;
}

static const char *name_of(const struct reducer *r, const struct btf_type *t)
{
	const char *name = btf__name_by_offset(r->from, t->name_off);

	return name ? name : "";
}

static int keep(struct reducer *r, int id)
{
	if (id < 0 && !r->error)
		r->error = id;
	return id < 0 ? 0 : id;
}

static int copy_composite(struct reducer *r, struct btf *to, unsigned int id, const struct btf_type *t)
{
	unsigned int n = btf_vlen(t);
	CLEANUP_FREE int *types = xcalloc(n, sizeof(*types));
	int new;

	if (r->walking[id]) /* a struct cannot hold itself */
		return keep(r, -EINVAL);
	r->walking[id] = true;
	for (unsigned int i = 0; i < n; i++)
		types[i] = copy(r, btf_members(t)[i].type, false);
	r->walking[id] = false;
	if (!to)
		return 0;
	new = btf_is_struct(t) ? btf__add_struct(to, name_of(r, t), t->size) : btf__add_union(to, name_of(r, t), t->size);
	for (unsigned int i = 0; i < n && new > 0; i++) {
		const char *member = btf__name_by_offset(r->from, btf_members(t)[i].name_off);

		keep(r, btf__add_field(to, member, types[i], btf_member_bit_offset(t, i), btf_member_bitfield_size(t, i)));
	}
	return keep(r, new);
}

static int copy_prototype(struct reducer *r, struct btf *to, const struct btf_type *t)
{
	unsigned int n = btf_vlen(t);
	CLEANUP_FREE int *types = xcalloc(n, sizeof(*types));
	int result = copy(r, t->type, true), new;

	for (unsigned int i = 0; i < n; i++)
		types[i] = copy(r, btf_params(t)[i].type, true);
	if (!to)
		return 0;
	new = btf__add_func_proto(to, result);
	for (unsigned int i = 0; i < n && new > 0; i++)
		keep(r, btf__add_func_param(to, btf__name_by_offset(r->from, btf_params(t)[i].name_off), types[i]));
	return keep(r, new);
}

static int copy_simple(struct reducer *r, struct btf *to, const struct btf_type *t, bool reference)
{
	int inner;

	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		return to ? keep(r, btf__add_int(to, name_of(r, t), t->size, btf_int_encoding(t))) : 0;
	case BTF_KIND_FLOAT:
		return to ? keep(r, btf__add_float(to, name_of(r, t), t->size)) : 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64: /* the values are of no interest */
		return to ? keep(r, btf__add_enum(to, name_of(r, t), t->size)) : 0;
	case BTF_KIND_FWD:
		return to ? keep(r, btf__add_fwd(to, name_of(r, t), btf_kflag(t) ? BTF_FWD_UNION : BTF_FWD_STRUCT)) : 0;
	case BTF_KIND_PTR:
		inner = copy(r, t->type, true);
		return to ? keep(r, btf__add_ptr(to, inner)) : 0;
	case BTF_KIND_TYPEDEF:
		inner = copy(r, t->type, reference);
		return to ? keep(r, btf__add_typedef(to, name_of(r, t), inner)) : 0;
	case BTF_KIND_CONST:
		inner = copy(r, t->type, reference);
		return to ? keep(r, btf__add_const(to, inner)) : 0;
	case BTF_KIND_VOLATILE:
		inner = copy(r, t->type, reference);
		return to ? keep(r, btf__add_volatile(to, inner)) : 0;
	case BTF_KIND_RESTRICT:
		inner = copy(r, t->type, reference);
		return to ? keep(r, btf__add_restrict(to, inner)) : 0;
	case BTF_KIND_TYPE_TAG:
		return copy(r, t->type, reference);
	case BTF_KIND_ARRAY: {
		int index = copy(r, btf_array(t)->index_type, false);

		inner = copy(r, btf_array(t)->type, reference);
		return to ? keep(r, btf__add_array(to, index, inner, btf_array(t)->nelems)) : 0;
	}
	case BTF_KIND_FUNC_PROTO:
		return copy_prototype(r, to, t);
	case BTF_KIND_FUNC:
		inner = copy(r, t->type, true);
		return to ? keep(r, btf__add_func(to, name_of(r, t), (enum btf_func_linkage)btf_vlen(t), inner)) : 0;
	default:
		return 0;
	}
}

/* The new id of a type. By reference a named struct or union shrinks to its name. */
static int copy(struct reducer *r, unsigned int id, bool reference)
{
	const struct btf_type *t = btf__type_by_id(r->from, id);
	int *known = reference ? &r->by_reference[id] : &r->by_value[id];
	struct btf *to = target(r, id);

	if (!id || !t || r->error)
		return 0;
	if (*known)
		return *known; /* below, copying has changed it */
	if (btf_is_composite(t) && reference && *name_of(r, t))
		*known = to ? keep(r, btf__add_fwd(to, name_of(r, t), btf_is_union(t) ? BTF_FWD_UNION : BTF_FWD_STRUCT)) : 0;
	else if (btf_is_composite(t))
		*known = copy_composite(r, to, id, t);
	else
		*known = copy_simple(r, to, t, reference);
	return *known;
}

/* Copies what is wanted of one BTF: its own types that are named, and all functions of a module. */
static void copy_wanted(struct reducer *r, unsigned int begin, bool is_module, const struct strings *structs,
			const struct strings *functions)
{
	for (unsigned int id = begin; id < btf__type_cnt(r->from) && !r->error; id++) {
		const struct btf_type *t = btf__type_by_id(r->from, id);
		const char *name = name_of(r, t);

		if (btf_is_struct(t) ? strings_have(structs, name)
				     : btf_is_func(t) && (is_module || strings_have(functions, name)))
			copy(r, id, false);
	}
}

static int take_image(const struct btf *btf, struct btf_image *ret)
{
	uint32_t size;
	const void *data = btf__raw_data(btf, &size);

	if (!data)
		return -ENOMEM;
	ret->data = xcalloc(size, 1);
	memcpy(ret->data, data, size);
	ret->size = size;
	return 0;
}

static void reducer_init(struct reducer *r, const struct kernel_btf *kb, unsigned int n_base)
{
	size_t n = btf__type_cnt(kb->btf);

	*r = (struct reducer){ .from = kb->btf, .first = n_base };
	r->by_value = xcalloc(n, sizeof(*r->by_value));
	r->by_reference = xcalloc(n, sizeof(*r->by_reference));
	r->walking = xcalloc(n, sizeof(*r->walking));
}

static void reducer_done(struct reducer *r)
{
	free(r->by_value);
	free(r->by_reference);
	free(r->walking);
}

int btf_reduce(const struct kernel *k, const struct strings *structs, const struct strings *functions,
	       struct btf_image *ret_images)
{
	unsigned int n_base = k->n_btfs ? btf__type_cnt(k->btfs[0].btf) : 0;
	CLEANUP_FREE int *by_value = xcalloc(n_base, sizeof(int));
	CLEANUP_FREE int *by_reference = xcalloc(n_base, sizeof(int));
	struct btf *base = btf__new_empty();
	int err = base ? 0 : -ENOMEM;

	for (size_t i = 0; i < k->n_btfs && !err; i++) { /* the kernel's types, the modules' needs of them included */
		struct reducer r;

		reducer_init(&r, &k->btfs[i], n_base);
		r.base = base;
		memcpy(r.by_value, by_value, n_base * sizeof(int));
		memcpy(r.by_reference, by_reference, n_base * sizeof(int));
		copy_wanted(&r, k->btfs[i].first, i > 0, structs, functions);
		memcpy(by_value, r.by_value, n_base * sizeof(int));
		memcpy(by_reference, r.by_reference, n_base * sizeof(int));
		err = r.error;
		reducer_done(&r);
	}
	if (!err && k->n_btfs)
		err = take_image(base, &ret_images[0]);
	for (size_t i = 1; i < k->n_btfs && !err; i++) {
		struct reducer r;
		struct btf *own = btf__new_empty_split(base);

		reducer_init(&r, &k->btfs[i], n_base);
		r.own = own;
		memcpy(r.by_value, by_value, n_base * sizeof(int));
		memcpy(r.by_reference, by_reference, n_base * sizeof(int));
		if (own)
			copy_wanted(&r, k->btfs[i].first, true, structs, functions);
		err = own ? r.error : -ENOMEM;
		if (!err)
			err = take_image(own, &ret_images[i]);
		btf__free(own);
		reducer_done(&r);
	}
	btf__free(base);
	return err;
}
