// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/symbols.c: functions and their clones from kallsyms, and which of them can be probed.
#include "unit.h"

#include "base/text.h"
#include "plan/symbols.h"

static const char kallsyms[] = "ffffffff81000000 T _stext\n"
			       "ffffffff81000010 t kvm_halt\n"
			       "0000000000000000 T kvm_zero\n"
			       "ffffffff81000020 T kvm_halt_more\n"
			       "ffffffff81000030 t kvm_hal\n"
			       "ffffffff81000040 d kvm_data\n"
			       "ffffffff81000050 D kvm_halt\n"
			       "ffffffff81000060 W kvm_weak\n"
			       "ffffffff81000068 w kvm_weaker\n"
			       "ffffffffc0000000 t kvm_spin\t[kvm]\n"
			       "ffffffffc0000010 t kvm_spin.isra.0\t[kvm]\n"
			       "ffffffffc0000020 t kvm_spin.constprop.0\t[kvm]\n"
			       "ffffffffc0000030 t kvm_spin.part.0\t[kvm]\n"
			       "ffffffffc0000040 t kvm_spin.cold\t[kvm]\n"
			       "ffffffffc0000050 t kvm_spin.isra.0.cold\t[kvm]\n"
			       "ffffffffc0000060 t kvm_spin.constprop.0.isra.0\t[kvm]\n"
			       "ffffffffc0000070 t kvm_spin.isra.0.part.12\t[kvm]\n"
			       "ffffffffc0000080 t kvm_spin.llvm.1234567890\t[kvm]\n"
			       "ffffffffc0000084 t kvm_spin.llvm.12.isra.0\t[kvm]\n"
			       "ffffffffc0000088 t kvm_spin.cfi_jt\t[kvm]\n"
			       "ffffffffc0000090 t kvm_spin_more.isra.0\t[kvm]\n"
			       "ffffffffc00000a0 t kvm_spin [other]\n"
			       "ffffffffc00000b0 t kvm_only.isra.3\t[kvm]\n"
			       "garbage\n"
			       "\n"
			       "ffffffff81000070 T\n"
			       "ffffffff81000070 T \n"
			       "ffffffff81000070 TT kvm_zero\n"
			       "ffffffff81000080 T kvm_last";

static const char traceable[] = "kvm_halt\n"
				"kvm_halt_more\n"
				"kvm_spin [kvm]\n"
				"kvm_spin.isra.0 [kvm]\n"
				"kvm_spin.part.0\t[kvm]\n"
				"kvm_only.isra.3 [kvm]\n"
				"kvm_weak [kvm]\n"
				"kvm_weakest\n"
				"kvm_last";

static void load(const char *list, const char *const *wanted, size_t n, struct symbols *ret)
{
	struct strings names = { 0 };

	for (size_t i = 0; i < n; i++)
		strings_add(&names, wanted[i]);
	CHECK_INT(symbols_load(kallsyms, list, &names, ret), 0);
	strings_done(&names);
}

static const struct symbol *find(const struct symbols *s, const char *name, const char *module)
{
	const struct symbol *found = NULL;

	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->items[i].name, name) || strcmp(s->items[i].module, module))
			continue;
		CHECK(!found);
		found = &s->items[i];
	}
	return found;
}

static void check_symbol(const struct symbols *s, const char *name, const char *module, const char *base, enum clone clone, bool is_traceable)
{
	const struct symbol *symbol = find(s, name, module);

	if (!symbol)
		unit_fail(__FILE__, __LINE__, "there is no %s [%s]", name, module);
	CHECK_STR(symbol->base, base);
	CHECK_INT(symbol->clone, clone);
	if (symbol->traceable != is_traceable)
		unit_fail(__FILE__, __LINE__, "%s [%s] is %straceable", name, module, is_traceable ? "not " : "");
}

static void whole_names(void)
{
	static const char *const wanted[] = { "kvm_zero", "kvm_halt", "kvm_data", "kvm_none", "kvm_last" };
	struct symbols s;

	load(traceable, wanted, ARRAY_SIZE(wanted), &s);
	CHECK_INT(s.n, 3);
	CHECK(s.have_traceable);
	check_symbol(&s, "kvm_halt", "", "kvm_halt", CLONE_NONE, true);
	check_symbol(&s, "kvm_zero", "", "kvm_zero", CLONE_NONE, false); /* addresses are hidden from users: no matter */
	check_symbol(&s, "kvm_last", "", "kvm_last", CLONE_NONE, true); /* no newline behind it */
	symbols_done(&s);
	CHECK(!s.n && !s.items);
	symbols_done(&s);
}

/* A name that begins another is not the other, whichever is wanted. */
static void prefixes(void)
{
	static const char *const longer[] = { "kvm_halt_more" }, *const shorter[] = { "kvm_hal" };
	struct symbols s;

	load(traceable, longer, 1, &s);
	CHECK_INT(s.n, 1);
	check_symbol(&s, "kvm_halt_more", "", "kvm_halt_more", CLONE_NONE, true);
	symbols_done(&s);
	load(traceable, shorter, 1, &s);
	CHECK_INT(s.n, 1);
	check_symbol(&s, "kvm_hal", "", "kvm_hal", CLONE_NONE, false);
	symbols_done(&s);
}

static void weak_symbols(void)
{
	static const char *const wanted[] = { "kvm_weak", "kvm_weaker" };
	struct symbols s;

	load(traceable, wanted, 2, &s);
	CHECK_INT(s.n, 2);
	check_symbol(&s, "kvm_weak", "", "kvm_weak", CLONE_NONE, false); /* listed for another module */
	check_symbol(&s, "kvm_weaker", "", "kvm_weaker", CLONE_NONE, false);
	symbols_done(&s);
}

static void clones(void)
{
	static const char *const wanted[] = { "kvm_spin", "kvm_only" };
	struct symbols s;

	load(traceable, wanted, 2, &s);
	check_symbol(&s, "kvm_spin", "kvm", "kvm_spin", CLONE_NONE, true);
	check_symbol(&s, "kvm_spin", "other", "kvm_spin", CLONE_NONE, false);
	check_symbol(&s, "kvm_spin.isra.0", "kvm", "kvm_spin", CLONE_ISRA, true);
	check_symbol(&s, "kvm_spin.constprop.0", "kvm", "kvm_spin", CLONE_OTHER, false);
	check_symbol(&s, "kvm_spin.constprop.0.isra.0", "kvm", "kvm_spin", CLONE_OTHER, false);
	check_symbol(&s, "kvm_spin.part.0", "kvm", "kvm_spin", CLONE_PART, true);
	check_symbol(&s, "kvm_spin.isra.0.part.12", "kvm", "kvm_spin", CLONE_PART, false);
	check_symbol(&s, "kvm_spin.llvm.1234567890", "kvm", "kvm_spin", CLONE_RENAMED, false);
	check_symbol(&s, "kvm_spin.llvm.12.isra.0", "kvm", "kvm_spin", CLONE_OTHER, false);
	check_symbol(&s, "kvm_only.isra.3", "kvm", "kvm_only", CLONE_ISRA, true);
	CHECK(!find(&s, "kvm_spin.cold", "kvm"));
	CHECK(!find(&s, "kvm_spin.cfi_jt", "kvm"));
	CHECK(!find(&s, "kvm_spin.isra.0.cold", "kvm"));
	CHECK_INT(s.n, 10);
	symbols_done(&s);
}

/* Where the list cannot be read nothing is known against a function. */
static void no_list(void)
{
	static const char *const wanted[] = { "kvm_zero", "kvm_spin" };
	static const char *const lists[] = { NULL, "" };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct symbols s;

		load(lists[i], wanted, 2, &s);
		CHECK(!s.have_traceable);
		CHECK_INT(s.n, 10);
		for (size_t k = 0; k < s.n; k++)
			CHECK(s.items[k].traceable);
		symbols_done(&s);
	}
}

static void nothing(void)
{
	struct strings names = { 0 };
	struct symbols s;

	load(traceable, NULL, 0, &s);
	CHECK_INT(s.n, 0);
	symbols_done(&s);
	strings_add(&names, "kvm_halt");
	CHECK_INT(symbols_load("", NULL, &names, &s), 0);
	CHECK_INT(s.n, 0);
	symbols_done(&s);
	strings_done(&names);
}

/* Each of many names is found, sorted or not. */
static void many(void)
{
	CLEANUP_FREE char *text = NULL;
	struct strings lines = { 0 }, names = { 0 };
	struct symbols s;

	for (unsigned int i = 0; i < 2000; i++) {
		CLEANUP_FREE char *line = xasprintf("ffffffff81000000 t f%u_%u", i * 7919 % 2000, i);
		CLEANUP_FREE char *name = xasprintf("f%u_%u", i * 7919 % 2000, i);

		strings_add(&lines, line);
		if (i % 13 == 0)
			strings_add(&names, name);
	}
	text = strings_join(&lines, "\n");
	CHECK_INT(symbols_load(text, NULL, &names, &s), 0);
	CHECK_INT(s.n, names.n);
	for (size_t i = 0; i < names.n; i++)
		CHECK(find(&s, names.items[i], ""));
	symbols_done(&s);
	strings_done(&lines);
	strings_done(&names);
}

/* A file that names one function over and over is refused before it costs anything. */
static void too_many(void)
{
	struct strings names = { 0 };
	struct symbols s;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f);
	for (unsigned int i = 0; i < 1025; i++)
		fputs("ffffffff81000000 t kvm_halt\n", f);
	fclose(f);
	strings_add(&names, "kvm_halt");
	CHECK_INT(symbols_load(text, text, &names, &s), -E2BIG);
	text[size - 28] = '\0';
	CHECK_INT(symbols_load(text, text, &names, &s), 0);
	CHECK_INT(s.n, 1024);
	symbols_done(&s);
	strings_done(&names);
	free(text);
}

/* Names of modules end up in reasons: what is none is not taken for one. */
static void strange_modules(void)
{
	struct strings names = { 0 };
	struct symbols s;

	strings_add(&names, "kvm_halt");
	CHECK_INT(symbols_load("0 t kvm_halt\t[kv\033[2Jm]\n0 t kvm_halt\t[k\xffm]\n0 t kvm_halt\t[__builtin__x]\n", NULL, &names, &s), 0);
	CHECK_INT(s.n, 1);
	CHECK_STR(s.items[0].module, "__builtin__x");
	symbols_done(&s);
	strings_done(&names);
}

/* The same lines, for who would read the whole list otherwise. */
static void traceable_lines(void)
{
	static const char *const wanted[] = { "kvm_spin", "kvm_halt", "kvm_zero" };
	CLEANUP_FREE char *lines = NULL;
	struct symbols s;

	load(traceable, wanted, ARRAY_SIZE(wanted), &s);
	lines = symbols_traceable(&s);
	CHECK_STR(lines, "kvm_halt\nkvm_spin [kvm]\nkvm_spin.isra.0 [kvm]\nkvm_spin.part.0 [kvm]\n");
	symbols_done(&s);
	load(NULL, wanted, ARRAY_SIZE(wanted), &s);
	CHECK(!symbols_traceable(&s)); /* nothing is known */
	symbols_done(&s);
}

static const struct unit_test tests[] = {
	{ "whole_names", whole_names },
	{ "prefixes", prefixes },
	{ "weak_symbols", weak_symbols },
	{ "clones", clones },
	{ "traceable_lines", traceable_lines },
	{ "no_list", no_list },
	{ "nothing", nothing },
	{ "too_many", too_many },
	{ "strange_modules", strange_modules },
	{ "many", many },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
