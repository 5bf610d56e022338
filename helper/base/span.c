// SPDX-License-Identifier: Apache-2.0
// Pieces of text with a length, for input without a NUL at its end.
#include "base/span.h"

#include <string.h>

bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

bool span_is_any(struct span s, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(s, texts[i]))
			return true;
	return false;
}

struct span span_from(struct span s, size_t skip)
{
	return (struct span){ s.at + skip, s.n - skip };
}

bool span_cut_start(struct span *s, const char *prefix)
{
	size_t length = strlen(prefix);

	if (s->n < length || memcmp(s->at, prefix, length))
		return false;
	*s = span_from(*s, length);
	return true;
}

bool span_cut_end(struct span *s, const char *suffix)
{
	size_t length = strlen(suffix);

	if (s->n < length || memcmp(s->at + s->n - length, suffix, length))
		return false;
	s->n -= length;
	return true;
}

bool span_next(struct span *rest, char separator, struct span *ret)
{
	const char *end = rest->n ? memchr(rest->at, separator, rest->n) : NULL;

	if (!rest->n)
		return false;
	*ret = (struct span){ rest->at, end ? (size_t)(end - rest->at) : rest->n };
	*rest = span_from(*rest, ret->n + !!end);
	return true;
}

struct span span_last_part(struct span *path)
{
	const char *slash;
	struct span part;

	while (path->n && path->at[path->n - 1] == '/')
		path->n--;
	slash = path->n ? memrchr(path->at, '/', path->n) : NULL;
	part = slash ? span_from(*path, (size_t)(slash - path->at) + 1) : *path;
	path->n -= part.n;
	return part;
}
