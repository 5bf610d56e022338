// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/line_reader.c: the same lines however the bytes come, and never more than the limit.
#include "unit.h"

#include "base/line_reader.h"
#include "base/memory.h"

/* All that comes out of a text that is written to a pipe in pieces: "=LINE" whole, "+" too long, "-" cut short. */
static char *read_in_pieces(const char *text, size_t n, size_t piece, size_t room, size_t limit)
{
	char *all = NULL;
	size_t size, at = 0, line_n;
	FILE *f = open_memstream(&all, &size);
	struct line_reader r;
	enum line_found found;
	char *line;
	int fds[2];
	int got;

	CHECK(f && !pipe(fds));
	line_reader_init(&r, fds[0], room, limit);
	do {
		size_t next = n - at < piece ? n - at : piece;

		CHECK(!next || write(fds[1], text + at, next) == (ssize_t)next);
		at += next;
		if (at == n && fds[1] >= 0) {
			close(fds[1]);
			fds[1] = -1;
		}
		got = line_reader_fill(&r);
		CHECK(got >= 0);
		CHECK(r.room <= limit);
		while ((found = line_reader_take(&r, &line, &line_n)) != LINE_NONE) {
			fputc(found == LINE_WHOLE ? '=' : found == LINE_LONG ? '+' : '-', f);
			fwrite(line, 1, line_n, f);
		}
	} while (got);
	line_reader_done(&r);
	close(fds[0]);
	fclose(f);
	return all;
}

static void check_all(const char *text, const char *expected, size_t limit)
{
	for (size_t piece = 1; piece < 20; piece++)
		for (size_t room = 1; room <= limit; room++) {
			CLEANUP_FREE char *all = read_in_pieces(text, strlen(text), piece, room, limit);

			CHECK_STR(all, expected);
		}
}

static void pieces(void)
{
	check_all("", "", 8);
	check_all("\n", "=", 8);
	check_all("a\n\nbc\n", "=a==bc", 8);
	check_all("a\nbc", "=a-bc", 8);
	check_all("1234567\n12345\n", "=1234567=12345", 8);
}

/* The beginning is given once, the rest is passed over, and the next line is whole again. */
static void too_long(void)
{
	check_all("12345678\nab\n", "+12345678=ab", 8);
	check_all("x\n123456789012345678901234567\nab\n", "=x+12345678=ab", 8);
	check_all("1234567890123", "+12345678", 8);
	check_all("123456789\n123456789\nab", "+12345678+12345678-ab", 8);
}

static void no_file(void)
{
	struct line_reader r;

	line_reader_init(&r, -1, 8, 8);
	CHECK_INT(line_reader_fill(&r), -EBADF);
	line_reader_done(&r);
}

static const struct unit_test tests[] = {
	{ "pieces", pieces },
	{ "too_long", too_long },
	{ "no_file", no_file },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
