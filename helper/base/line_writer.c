// SPDX-License-Identifier: Apache-2.0
// A line of output put together by hand and given to its file whole.
#include "base/line_writer.h"

#include <stdint.h>

void line_long(struct line_writer *l, const char *s, size_t n)
{
	line_end(l);
	fwrite_unlocked(s, 1, n, l->file);
}

void line_u64_left(struct line_writer *l, uint64_t value, size_t width)
{
	char digits[DIGITS_MOST];
	size_t n = (size_t)(digits_put(digits, value) - digits);

	line_bytes(l, digits, n);
	for (; n < width; n++)
		line_char(l, ' ');
}

void line_u64_filled(struct line_writer *l, uint64_t value, size_t width, char fill)
{
	char digits[DIGITS_MOST];
	size_t n = (size_t)(digits_put(digits, value) - digits);

	for (; n < width; width--)
		line_char(l, fill);
	line_bytes(l, digits, n);
}

void line_escaped(struct line_writer *l, const char *s, size_t n, const char escaped[2], char escape)
{
	if (!memchr(s, escaped[0], n) && !memchr(s, escaped[1], n)) {
		line_bytes(l, s, n);
		return;
	}
	for (const char *end = s + n; s < end; s++) {
		if (*s == escaped[0] || *s == escaped[1])
			line_char(l, escape);
		line_char(l, *s);
	}
}
