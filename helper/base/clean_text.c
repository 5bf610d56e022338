// SPDX-License-Identifier: Apache-2.0
// Text that a guest or a user chose, made printable, and back.
#include "base/clean_text.h"

#include "base/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The length of the valid, printable UTF-8 character at s, or 0. */
static size_t printable_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t code;

	if (length == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] < 0xc2 || s[0] > 0xf4 || length > n)
		return 0;
	code = s[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if ((length == 3 && code < 0x800) || (length == 4 && (code < 0x10000 || code > 0x10ffff)))
		return 0;
	/* surrogates, C1 controls, line separators, and marks that turn the direction of text */
	if ((code >= 0xd800 && code < 0xe000) || code < 0xa0 || code == 0x61c || (code >= 0x2028 && code <= 0x202e) ||
	    (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0xfeff)
		return 0;
	return length;
}

size_t text_clean(const char *text, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)text;
	char *start = out;

	while (n) {
		size_t length = printable_length(s, n);

		if (*s == '\\') {
			*out++ = '\\';
			*out++ = '\\';
			length = 1;
		} else if (length) {
			memcpy(out, s, length);
			out += length;
		} else {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = digits[*s >> 4];
			*out++ = digits[*s & 15];
			length = 1;
		}
		s += length;
		n -= length;
	}
	*out = '\0';
	return (size_t)(out - start);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int text_restore(const char *clean, char *out, size_t out_size)
{
	size_t n = 0;

	while (*clean) {
		char c = *clean++;

		if (c == '\\' && *clean == '\\') {
			clean++;
		} else if (c == '\\') {
			int high = *clean == 'x' ? hex_digit(clean[1]) : -1;
			int low = high < 0 ? -1 : hex_digit(clean[2]);

			if (low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			clean += 3;
		}
		if (n + 1 >= out_size)
			return -EINVAL;
		out[n++] = c;
	}
	out[n] = '\0';
	return (int)n;
}

char *text_cleaned(const char *text)
{
	size_t n = text ? strlen(text) : 0;
	char *clean = xcalloc(4 * n + 1, 1);

	text_clean(text ? text : "", n, clean);
	return clean;
}

char *text_recleaned(const char *text)
{
	size_t size = (text ? strlen(text) : 0) + 1;
	CLEANUP_FREE char *raw = xcalloc(size, 1);

	return text_cleaned(text && text_restore(text, raw, size) >= 0 ? raw : text);
}

bool text_is_clean(const char *s, size_t n)
{
	unsigned int odd = 0;

	for (size_t i = 0; i < n; i++)
		odd |= (unsigned int)((unsigned char)(s[i] - ' ') > '~' - ' ') | (s[i] == '\\');
	return !odd;
}
