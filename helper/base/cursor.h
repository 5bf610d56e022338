// SPDX-License-Identifier: Apache-2.0
// A place in a line that is read from left to right: what fits is taken, and the place moves behind it.
#ifndef KVMWAIT_BASE_CURSOR_H
#define KVMWAIT_BASE_CURSOR_H

#include "base/digits.h"

#include <stddef.h>

struct cursor {
	const char *p, *end;
};

static inline bool cursor_take_bytes(struct cursor *c, const char *bytes, size_t n)
{
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, bytes, n))
		return false;
	c->p += n;
	return true;
}

static inline bool cursor_take_text(struct cursor *c, const char *text)
{
	return cursor_take_bytes(c, text, strlen(text));
}

/* Digits, as digits_take() reads them. */
static inline bool cursor_take_u64(struct cursor *c, uint64_t *ret)
{
	const char *p = digits_take(c->p, c->end, ret);

	if (!p)
		return false;
	c->p = p;
	return true;
}

/* Digits with or without a minus before them. */
static inline bool cursor_take_i64(struct cursor *c, int64_t *ret)
{
	bool negative = cursor_take_text(c, "-");
	uint64_t magnitude;

	if (!cursor_take_u64(c, &magnitude) || magnitude > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

#endif
