// SPDX-License-Identifier: Apache-2.0
// Pieces of text with a length, for input without a NUL at its end.
#include "base/view.h"

#include <string.h>

bool view_is(struct view s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

bool view_is_any(struct view s, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (view_is(s, texts[i]))
			return true;
	return false;
}

struct view view_from(struct view s, size_t skip)
{
	return (struct view){ s.at + skip, s.n - skip };
}

bool view_cut_start(struct view *s, const char *prefix)
{
	size_t length = strlen(prefix);

	if (s->n < length || memcmp(s->at, prefix, length))
		return false;
	*s = view_from(*s, length);
	return true;
}

bool view_cut_end(struct view *s, const char *suffix)
{
	size_t length = strlen(suffix);

	if (s->n < length || memcmp(s->at + s->n - length, suffix, length))
		return false;
	s->n -= length;
	return true;
}

bool view_next(struct view *rest, char separator, struct view *ret)
{
	const char *end = rest->n ? memchr(rest->at, separator, rest->n) : NULL;

	if (!rest->n)
		return false;
	*ret = (struct view){ rest->at, end ? (size_t)(end - rest->at) : rest->n };
	*rest = view_from(*rest, ret->n + !!end);
	return true;
}

struct view view_last_part(struct view *path)
{
	const char *slash;
	struct view part;

	while (path->n && path->at[path->n - 1] == '/')
		path->n--;
	slash = path->n ? memrchr(path->at, '/', path->n) : NULL;
	part = slash ? view_from(*path, (size_t)(slash - path->at) + 1) : *path;
	path->n -= part.n;
	return part;
}
