// SPDX-License-Identifier: Apache-2.0
// Characters without a locale, for redact_*.c: ASCII alone has cases and digits here.
#ifndef KVMWAIT_BUNDLE_REDACT_CHARS_H
#define KVMWAIT_BUNDLE_REDACT_CHARS_H

#include <stdbool.h>

static inline char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_alnum(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z');
}

/* The value of a hex digit, or -1. */
static inline int hex_digit(char c)
{
	c = lower(c);
	return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#endif
