// SPDX-License-Identifier: Apache-2.0
// BTF of a kernel and of a module: what passes the check is safe with libbpf and with what reads it here.
// The first byte says whether the two parts are whole BTF files, or types and strings that get a header here.
#include "fuzz.h"

#include "base/memory.h"
#include "plan/btf_check.h"
#include "plan/kernel.h"
#include "plan/kernel_btf.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#define WITH_HEADER 1
#define WITH_MODULE 2

struct part {
	char *data;
	size_t size;
};

/* Takes a part off the input: two bytes that say how long it is, and it; the last one is all that is left. */
static struct part take_part(const uint8_t **data, size_t *size, bool last)
{
	uint16_t wanted = 0;
	struct part p;

	if (!last)
		fuzz_take(data, size, &wanted, sizeof(wanted));
	p.size = last || wanted > *size ? *size : wanted;
	p.data = xcalloc(p.size, 1);
	fuzz_take(data, size, p.data, p.size);
	return p;
}

/* The first two bytes say how long the types are; the strings follow. */
static void add_header(struct part *p)
{
	uint16_t n_types = 0;
	struct btf_header header = { .magic = 0xeb9f, .version = 1, .hdr_len = sizeof(header) };
	const uint8_t *from = (const uint8_t *)p->data;
	size_t left = p->size, n = sizeof(header);
	char *whole = xcalloc(p->size + sizeof(header) + 2, 1);

	fuzz_take(&from, &left, &n_types, sizeof(n_types));
	header.type_len = n_types > left ? (uint32_t)left & ~3u : n_types & ~3u;
	n += fuzz_take(&from, &left, whole + n, header.type_len);
	header.str_off = header.type_len;
	header.str_len = (uint32_t)left + 2;
	fuzz_take(&from, &left, whole + n + 1, left);
	memcpy(whole, &header, sizeof(header));
	free(p->data);
	*p = (struct part){ .data = xcalloc(n + header.str_len, 1), .size = n + header.str_len };
	memcpy(p->data, whole, p->size);
	free(whole);
}

static void add_btf(struct kernel *k, char *name, const struct part *p)
{
	struct btf *base = k->n_btfs ? k->btfs[0].btf : NULL;
	struct btf *btf;
	const char *why;

	if (btf_check_parse(p->data, p->size, base, &btf, &why))
		return;
	k->btfs[k->n_btfs++] = (struct kernel_btf){ .name = name, .btf = btf, .first = base ? btf__type_cnt(base) : 1 };
}

static void ask(const struct kernel *k)
{
	static const char *const functions[] = { "f", "kvm_vcpu_on_spin", "kvm_emulate_halt" };
	static const char *const members[] = { "s.a", "s.a.b", "kvm_vcpu.vcpu_id", "kvm_vcpu.arch.regs" };
	static const char *const modules[] = { "vmlinux", "kvm" };

	for (size_t m = 0; m < ARRAY_SIZE(modules); m++) {
		for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
			char *text = kernel_btf_arguments(k, modules[m], functions[i]);

			fuzz_must_be_printable(text);
			free(text);
		}
		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			char *why = NULL;
			unsigned int offset;
			int err = kernel_btf_member(k, modules[m], members[i], &offset, &why);

			MUST(err ? why != NULL : why == NULL);
			fuzz_must_be_printable(why);
			free(why);
		}
	}
}

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *loaded[] = { "kvm" };
	struct kernel_btf btfs[2];
	struct kernel k = { .btfs = btfs, .modules = { .items = loaded, .n = 1 } };
	uint8_t kind = 0;
	struct part base, module = { 0 };

	libbpf_set_print(silent);
	fuzz_take(&data, &size, &kind, 1);
	base = take_part(&data, &size, !(kind & WITH_MODULE));
	if (kind & WITH_MODULE)
		module = take_part(&data, &size, true);
	if (kind & WITH_HEADER) {
		add_header(&base);
		if (module.data)
			add_header(&module);
	}
	add_btf(&k, "vmlinux", &base);
	if (k.n_btfs && module.data)
		add_btf(&k, "kvm", &module);
	ask(&k);
	while (k.n_btfs)
		btf__free(k.btfs[--k.n_btfs].btf);
	free(base.data);
	free(module.data);
	return 0;
}
