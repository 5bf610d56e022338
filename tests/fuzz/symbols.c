// SPDX-License-Identifier: Apache-2.0
// kallsyms and the list of traceable functions, with a NUL between them.
#include "fuzz.h"

#include "base/text.h"
#include "plan/symbols.h"

static void check_symbol(const struct symbol *s, const struct strings *wanted)
{
	MUST(strings_have(wanted, s->base) && starts_with(s->name, s->base));
	MUST(!s->name[strlen(s->base)] || s->name[strlen(s->base)] == '.');
	MUST(!strstr(s->name, ".cold") && (s->clone == CLONE_NONE) == !strcmp(s->name, s->base));
	fuzz_must_be_printable(s->name);
	fuzz_must_be_printable(s->module);
	MUST(!s->name[strcspn(s->name, " \t\n;:,{}()\"'\\/*")] && !s->module[strcspn(s->module, " \t\n;:,{}()\"'\\/*")]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char *names[] = { "kvm_vcpu_halt", "f", "kvm_emulate_halt", "kvm_vcpu_on_spin", "ab" };
	const struct strings wanted = { .items = names, .n = ARRAY_SIZE(names) };
	char *kallsyms = xstrndup((const char *)data, size), *list = NULL;
	size_t n = strlen(kallsyms);
	struct symbols s;

	if (n < size)
		list = xstrndup((const char *)data + n + 1, size - n - 1);
	if (symbols_load(kallsyms, list, &wanted, &s)) {
		free(kallsyms);
		free(list);
		return 0;
	}
	for (size_t i = 0; i < s.n; i++) {
		check_symbol(&s.items[i], &wanted);
		MUST(s.have_traceable || s.items[i].traceable);
	}
	symbols_done(&s);
	free(kallsyms);
	free(list);
	return 0;
}
