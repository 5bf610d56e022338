// SPDX-License-Identifier: Apache-2.0
// Strings: lists of them, strict decimal numbers, white space.
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strings_add_n(struct strings *list, const char *s, size_t n)
{
	list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
	list->items[list->n++] = xstrndup(s, n);
}

void strings_add(struct strings *list, const char *s)
{
	strings_add_n(list, s, strlen(s));
}

void strings_add_format(struct strings *list, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		abort();
	va_end(args);
	strings_add(list, text);
	free(text);
}

bool strings_have(const struct strings *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], s))
			return true;
	return false;
}

void strings_done(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strings){ 0 };
}

void strings_split(struct strings *list, const char *text, const char *separators)
{
	while (*text) {
		size_t n = strcspn(text, separators);

		if (n)
			strings_add_n(list, text, n);
		text += n;
		text += strspn(text, separators);
	}
}

char *strings_join(const struct strings *list, const char *separator)
{
	size_t n = 0, gap = strlen(separator);
	char *all, *p;

	for (size_t i = 0; i < list->n; i++)
		n += gap + strlen(list->items[i]);
	p = all = xcalloc(n + 1, 1);
	for (size_t i = 0; i < list->n; i++) {
		if (i)
			p = mempcpy(p, separator, gap);
		p = mempcpy(p, list->items[i], strlen(list->items[i]));
	}
	return all;
}

int parse_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		unsigned int digit = (unsigned int)(*text - '0');

		if (digit > 9)
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, digit, &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

int parse_i64(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t magnitude;
	int err = parse_u64(text + negative, &magnitude);

	if (err)
		return err;
	if (magnitude > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	size_t n = strspn(text, "0123456789");
	const char *unit = text[n] ? strchr(units, text[n]) : NULL;
	CLEANUP_FREE char *digits = xstrndup(text, n);
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t value;
	int err = text[n] && (!unit || text[n + 1]) ? -EINVAL : parse_u64(digits, &value);

	if (err)
		return err;
	if (!value)
		return -EINVAL;
	if (value > UINT64_MAX / 2 >> shift)
		return -ERANGE;
	*ret_bytes = value << shift;
	return 0;
}

const char *skip_space(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

char *trim_end(char *s)
{
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}
