// SPDX-License-Identifier: Apache-2.0
// Decimal numbers to and from text, for the places where millions of them pass; nothing here is terminated by a NUL.
#ifndef KVMWAIT_BASE_DIGITS_H
#define KVMWAIT_BASE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIGITS_MOST 20u /* of a 64-bit number, with its sign */

/* The value of eight digits. False where one of the bytes is none. */
static inline bool digits_take_eight(const char *p, uint64_t *ret)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	/* '0' to '9' have 3 in the upper half, and still have it when 6 is added */
	if (((v & 0xf0f0f0f0f0f0f0f0u) | ((v + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) >> 4) != 0x3333333333333333u)
		return false;
	v -= 0x3030303030303030u;
	/* pairs, then fours, then all: the first digit is the lowest byte, and counts most */
	v = v * 10 + (v >> 8);
	v = (v & 0x000000ff000000ffu) * (100 + (UINT64_C(1000000) << 32)) + ((v >> 16) & 0x000000ff000000ffu) * (1 + (UINT64_C(10000) << 32));
	*ret = v >> 32;
	return true;
#else
	(void)p;
	(void)ret;
	return false;
#endif
}

/*
 * Reads digits up to the first byte that is none, or to end. Returns where it stopped; NULL where there is no digit,
 * or the number does not fit.
 */
static inline const char *digits_take(const char *p, const char *end, uint64_t *ret)
{
	const char *start = p, *fits;
	uint64_t value = 0;

	if (end - p >= 8 && digits_take_eight(p, &value))
		p += 8;
	fits = end - start > 19 ? start + 19 : end; /* so many always fit */
	for (; p < fits && (unsigned char)(*p - '0') <= 9; p++)
		value = value * 10 + (uint64_t)(*p - '0');
	for (; p < end && (unsigned char)(*p - '0') <= 9; p++)
		if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return NULL;
	if (p == start)
		return NULL;
	*ret = value;
	return p;
}

/* The value of a hexadecimal digit, in upper or lower case; -1: it is none. */
int digits_hex_value(char c);
/* digits_take() of hexadecimal digits, in upper or lower case, 16 at most. */
const char *digits_take_hex(const char *p, const char *end, uint64_t *ret);

/* Writes a number; returns its end. There must be room for DIGITS_MOST. */
char *digits_put(char *p, uint64_t value);
char *digits_put_signed(char *p, int64_t value);

#endif
