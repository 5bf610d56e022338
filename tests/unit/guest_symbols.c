// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/guest_symbols.c: addresses get the names of a guest's functions, and a hostile file is an error.
#include "unit.h"

#include "base/memory.h"
#include "live/guest_symbols.h"

#define KERNEL (GUEST_IP | GUEST_MODE | GUEST_KERNEL)

/* Opens "VM=FILE" + tail for a file of this text; what there is to say of it, or NULL. The caller frees. */
static char *open_text(struct guest_symbols *g, const char *vm, const char *text, size_t size, const char *tail)
{
	static unsigned int n;
	CLEANUP_FREE char *name = xasprintf("map%u", n++);
	CLEANUP_FREE char *path = unit_path(name);
	CLEANUP_FREE char *option = xasprintf("%s=%s%s", vm, path, tail);
	char *error = NULL;

	unit_write(unit_directory(), name, text, size);
	CHECK_INT(guest_symbols_open(g, option, &error), 0);
	return error;
}

static struct guest_symbols *symbols_of(const char *vm, const char *text, const char *tail)
{
	struct guest_symbols *g = guest_symbols_new();
	CLEANUP_FREE char *error = open_text(g, vm, text, strlen(text), tail);
	CLEANUP_FREE char *why = NULL;

	CHECK(!error);
	if (guest_symbols_read(g, false, &why))
		unit_fail(__FILE__, __LINE__, "%s", why);
	return g;
}

/* "function+0xoffset", or "-"; the caller frees. */
static char *named(struct guest_symbols *g, uint32_t pid, const char *vm, uint64_t ip, unsigned int known)
{
	struct guest_place place = { .ip = ip, .known = known };

	guest_symbols_name(g, pid, vm, &place);
	CHECK_U64(place.ip, ip);
	return place.symbol ? xasprintf("%s+0x%" PRIx64, place.symbol, place.offset) : xstrdup("-");
}

static void check_name(struct guest_symbols *g, uint64_t ip, unsigned int known, const char *expected)
{
	CLEANUP_FREE char *name = named(g, 11, "web", ip, known);

	CHECK_STR(name, expected);
}

/* Unsorted, with names of one address, data behind functions, and a module. */
static const char kallsyms[] =
	"ffffffff81002000 T behind\n"
	"0000000000000000 A fixed_percpu_data\n"
	"ffffffff81000000 T _text\n"
	"ffffffff81000000 T _stext\n"
	"ffffffff81001000 t spin.part.0\n"
	"ffffffff81003000 D data\n"
	"ffffffff81003000 T etext\n"
	"ffffffff81004000 D more_data\n"
	"ffffffffc0200000 t module_function\t[module]\n"
	"ffffffffc0200100 d key.<0>\t[module]\n";

static void names(void)
{
	static const struct {
		uint64_t ip;
		const char *name;
	} expected[] = {
		{ UINT64_C(0xffffffff81001000), "spin.part.0+0x0" },
		{ UINT64_C(0xffffffff8100101a), "spin.part.0+0x1a" },
		{ UINT64_C(0xffffffff81001fff), "spin.part.0+0xfff" },
		{ UINT64_C(0xffffffff81002000), "behind+0x0" },
		{ UINT64_C(0xffffffff81000001), "_text+0x1" },	/* the first of two names */
		{ UINT64_C(0xffffffff80ffffff), "-" },
		{ UINT64_C(0xffffffff81003001), "etext+0x1" },	/* a function before data of the same address */
		{ UINT64_C(0xffffffff81004001), "-" },		/* data */
		{ UINT64_C(0xffffffffc02000ff), "module_function+0xff" },
		{ UINT64_C(0xffffffffc0200100), "-" },
		{ 1, "-" },
		{ UINT64_MAX, "-" },
	};
	struct guest_symbols *g = symbols_of("web", kallsyms, "");

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		check_name(g, expected[i].ip, KERNEL, expected[i].name);
		check_name(g, expected[i].ip, GUEST_IP, expected[i].name);
		check_name(g, expected[i].ip, GUEST_IP | GUEST_MODE, "-"); /* in user mode */
		check_name(g, expected[i].ip, GUEST_MODE | GUEST_KERNEL, "-");
	}
	guest_symbols_free(g);
}

/* Behind the last function nothing says where it ends. */
static void last_function(void)
{
	struct guest_symbols *g = symbols_of("web", "1000 T f\n2000 W last\n", "");

	check_name(g, 0x2000 + 0xfffff, KERNEL, "last+0xfffff");
	check_name(g, 0x2000 + 0x100000, KERNEL, "-");
	guest_symbols_free(g);
}

static void offsets(void)
{
	struct guest_symbols *g = symbols_of("web", "ffffffff81000000 T f\nffffffff81000100 T g\n", "+0x1c000000");

	check_name(g, UINT64_C(0xffffffff9d000012), KERNEL, "f+0x12");
	check_name(g, UINT64_C(0xffffffff81000012), KERNEL, "-");
	guest_symbols_free(g);
}

static void whose(void)
{
	struct guest_symbols *g = guest_symbols_new();
	static const struct {
		uint32_t pid;
		const char *vm, *name;
	} expected[] = {
		{ 11, "web", "of_web+0x1" },	{ 12, "web", "of_web+0x1" }, { 13, "db", "-" }, { 14, NULL, "of_14+0x1" },
		{ 15, "14", "of_14+0x1" }, /* a name before a TGID */
		{ 16, NULL, "-" },
	};
	CLEANUP_FREE char *why = NULL;

	CHECK(!open_text(g, "web", "1000 T of_web\n", 14, ""));
	CHECK(!open_text(g, "14", "1000 T of_14\n", 13, ""));
	CHECK_INT(guest_symbols_read(g, false, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		CLEANUP_FREE char *name = named(g, expected[i].pid, expected[i].vm, 0x1001, KERNEL);

		CHECK_STR(name, expected[i].name);
	}
	guest_symbols_meet(g, 17, "web");
	guest_symbols_free(g);
}

/* No file was given. */
static void none(void)
{
	struct guest_place place = { .ip = 1, .known = KERNEL };
	CLEANUP_FREE char *why = NULL;

	guest_symbols_name(NULL, 1, "web", &place);
	guest_symbols_meet(NULL, 1, "web");
	CHECK(!place.symbol);
	CHECK_INT(guest_symbols_read(NULL, true, &why), 0);
	guest_symbols_free(NULL);
}

static void check_bad(const char *text, size_t size, const char *why)
{
	struct guest_symbols *g = guest_symbols_new();
	CLEANUP_FREE char *error = open_text(g, "web", text, size, "");
	CLEANUP_FREE char *said = NULL;

	CHECK(!error);
	CHECK_INT(guest_symbols_read(g, false, &said), -EBADMSG);
	CHECK_HAS(said, why);
	for (const char *p = said; *p; p++)
		CHECK(*p >= ' ' && *p <= '~');
	guest_symbols_free(g);
}
#define CHECK_BAD(text, why) check_bad(text, sizeof(text) - 1, why)

static void bad_files(void)
{
	static char long_line[5000] = "1000 T ", big_name[800] = "1000 T ";

	memset(long_line + 7, 'x', sizeof(long_line) - 8);
	memset(big_name + 7, 'x', sizeof(big_name) - 8);
	CHECK_BAD("", "it has no functions");
	CHECK_BAD("1000 D data\n", "it has no functions");
	CHECK_BAD("0000000000000000 T f\n0000000000000000 T g\n", "kptr_restrict");
	CHECK_BAD("1000 T f\nhello\n", "line 2: not of the form");
	CHECK_BAD("1000 T f\n\n1000\n", "line 3: not of the form");
	CHECK_BAD("1000 T\n", "line 1: not of the form");
	CHECK_BAD("1000 T \n", "line 1: ");
	CHECK_BAD("1000  T f\n", "line 1: not of the form");
	CHECK_BAD("1000 TT f\n", "line 1: not of the form");
	CHECK_BAD("11111111111111111 T f\n", "line 1: not of the form");
	CHECK_BAD("-1000 T f\n", "line 1: not of the form");
	CHECK_BAD("1000 T f [module\n", "line 1: not of the form 'ADDRESS TYPE NAME [MODULE]'");
	CHECK_BAD("1000 T f g\n", "line 1: not of the form");
	CHECK_BAD("1000 T f\033[2J\n", "line 1: a name with other than letters");
	CHECK_BAD("1000 T f\0g\n", "line 1: a name with other than letters");
	CHECK_BAD("1000 T f\r\n", "line 1: a name with other than letters");
	CHECK_BAD("1000 T \"f\n", "line 1: a name with other than letters");
	CHECK_BAD("1000 T f\xc3\xa4\n", "line 1: a name with other than letters");
	check_bad(long_line, strlen(long_line), "line 1: too long");
	check_bad(big_name, strlen(big_name), "line 1: a name with other than letters");
}

static void too_many(void)
{
	const size_t n = 1000001;
	char *text = xcalloc(n, 9), *p = text;

	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%zx T f\n", i % 16);
	check_bad(text, (size_t)(p - text), "line 1000001: too many symbols");
	free(text);
}

static void bad_options(void)
{
	static const char *const bad[] = { "", "=", "web", "web=", "=file" };
	struct guest_symbols *g = guest_symbols_new();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *error = NULL;

		CHECK_INT(guest_symbols_open(g, bad[i], &error), -EINVAL);
		CHECK_STR(error, "must be VM=FILE or VM=FILE+0xOFFSET");
	}
	for (int i = 0; i < 2; i++) {
		CLEANUP_FREE char *path = unit_path("missing");
		CLEANUP_FREE char *option = xasprintf("web=%s%s", path, i ? "+0x10" : "");
		CLEANUP_FREE char *wanted = xasprintf("'%s': No such file or directory", path);
		CLEANUP_FREE char *error = NULL;

		CHECK_INT(guest_symbols_open(g, option, &error), -ENOENT);
		CHECK_STR(error, wanted);
	}
	guest_symbols_free(g);
}

static const struct unit_test tests[] = {
	{ "names", names }, { "last_function", last_function }, { "offsets", offsets },	    { "whose", whose },
	{ "none", none },   { "bad_files", bad_files },		{ "too_many", too_many }, { "bad_options", bad_options },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
