// SPDX-License-Identifier: Apache-2.0
// What every unit test needs: checks, a table of tests to run, a directory that goes away, random numbers that repeat.
#ifndef KVMWAIT_UNIT_H
#define KVMWAIT_UNIT_H

#include "base/file.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* A failed check ends its test, from any depth; what the test holds is lost then. */
static jmp_buf unit_end;
static const char *unit_name;
static size_t unit_checks;

__attribute__((noreturn, format(printf, 3, 4))) static inline void unit_fail(const char *file, int line, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	printf("FAIL %s: %s:%d: ", unit_name, file, line);
	for (const char *p = text; *p; p++) /* one line, whatever bytes the test is about */
		printf(*p >= ' ' && *p <= '~' ? "%c" : "\\x%02x", (unsigned char)*p);
	putchar('\n');
	free(text);
	longjmp(unit_end, 1);
}

#define CHECK(condition)                                                                                                         \
	do {                                                                                                                     \
		unit_checks++;                                                                                                   \
		if (!(condition))                                                                                                \
			unit_fail(__FILE__, __LINE__, "%s", #condition);                                                         \
	} while (0)

static inline void unit_check_int(const char *file, int line, const char *what, intmax_t actual, intmax_t expected)
{
	unit_checks++;
	if (actual != expected)
		unit_fail(file, line, "%s is %jd, not %jd", what, actual, expected);
}
#define CHECK_INT(actual, expected) unit_check_int(__FILE__, __LINE__, #actual, (intmax_t)(actual), (intmax_t)(expected))

static inline void unit_check_u64(const char *file, int line, const char *what, uint64_t actual, uint64_t expected)
{
	unit_checks++;
	if (actual != expected)
		unit_fail(file, line, "%s is %" PRIu64 ", not %" PRIu64, what, actual, expected);
}
#define CHECK_U64(actual, expected) unit_check_u64(__FILE__, __LINE__, #actual, actual, expected)

static inline void unit_check_str(const char *file, int line, const char *what, const char *actual, const char *expected)
{
	unit_checks++;
	if (!actual || !expected ? actual != expected : strcmp(actual, expected) != 0)
		unit_fail(file, line, "%s is <%s>, not <%s>", what, actual ? actual : "NULL", expected ? expected : "NULL");
}
#define CHECK_STR(actual, expected) unit_check_str(__FILE__, __LINE__, #actual, actual, expected)

/* The text holds the part. */
static inline void unit_check_has(const char *file, int line, const char *what, const char *text, const char *part)
{
	unit_checks++;
	if (!text || !strstr(text, part))
		unit_fail(file, line, "%s has no <%s>: <%s>", what, part, text ? text : "NULL");
}
#define CHECK_HAS(text, part) unit_check_has(__FILE__, __LINE__, #text, text, part)

/* A test that does not end is a failure as well. */
#define UNIT_LIMIT_SECONDS 60

static inline void unit_too_long(int signal_number)
{
	static const char head[] = "FAIL ", tail[] = ": it does not end\n";

	(void)signal_number;
	if (write(STDOUT_FILENO, head, sizeof(head) - 1) > 0 && write(STDOUT_FILENO, unit_name, strlen(unit_name)) > 0)
		_exit(write(STDOUT_FILENO, tail, sizeof(tail) - 1) > 0 ? 1 : 2);
	_exit(2);
}

/* Runs a table of tests; what main() returns. */
static inline int unit_run(const struct unit_test *tests, size_t n)
{
	volatile size_t passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, unit_too_long);
	alarm(UNIT_LIMIT_SECONDS);
	for (volatile size_t i = 0; i < n; i++) {
		unit_name = tests[i].name;
		unit_checks = 0;
		if (setjmp(unit_end)) {
			failed++;
			continue;
		}
		tests[i].run();
		if (!unit_checks)
			unit_fail(__FILE__, __LINE__, "it checks nothing");
		printf("ok %s\n", unit_name);
		passed++;
	}
	printf("%zu passed, %zu failed, 0 skipped\n", passed, failed);
	return failed ? 1 : 0;
}

/* ---- files ---- */

static inline int unit_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void unit_remove(const char *path)
{
	nftw(path, unit_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static char unit_directory_path[512];

static inline void unit_remove_directory(void)
{
	unit_remove(unit_directory_path);
}

/* A directory of this program's own, removed when it ends. */
static inline const char *unit_directory(void)
{
	const char *parent = getenv("TMPDIR");

	if (*unit_directory_path)
		return unit_directory_path;
	snprintf(unit_directory_path, sizeof(unit_directory_path), "%s/kvmwait-unit.XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(unit_directory_path)) {
		perror(unit_directory_path);
		exit(1);
	}
	atexit(unit_remove_directory);
	return unit_directory_path;
}

/* A path in it; the caller frees. */
static inline char *unit_path(const char *name)
{
	return xasprintf("%s/%s", unit_directory(), name);
}

/* Writes a file below a directory, with the directories above it. */
static inline void unit_write(const char *directory, const char *name, const void *data, size_t size)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s", directory, name);
	CLEANUP_FREE char *parent = xstrndup(path, (size_t)(strrchr(path, '/') - path));

	CHECK_INT(directory_make(parent), 0);
	CHECK_INT(file_write(path, data, size), 0);
}

static inline void unit_write_text(const char *directory, const char *name, const char *text)
{
	unit_write(directory, name, text, strlen(text));
}

/* A copy with nothing behind it, so that a look beyond the end is seen by a checker; the caller frees. */
static inline char *unit_exact(const void *data, size_t size)
{
	char *copy = xcalloc(size, 1);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

/* ---- random numbers: xorshift64, the same in every run ---- */

static uint64_t unit_random_state = UINT64_C(0x9e3779b97f4a7c15);

static inline void unit_random_seed(uint64_t seed)
{
	unit_random_state = seed * UINT64_C(2654435761) + 1;
}

static inline uint64_t unit_random(uint64_t below)
{
	uint64_t x = unit_random_state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	unit_random_state = x;
	return x % below;
}

#endif
