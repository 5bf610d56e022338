// SPDX-License-Identifier: Apache-2.0
// Decimal numbers to text, two digits at a time.
#include "base/digits.h"

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
			    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static void put_pair(char *p, uint32_t value)
{
	memcpy(p, pairs + 2 * value, 2);
}

static void put_four(char *p, uint32_t value)
{
	put_pair(p, value / 100);
	put_pair(p + 2, value % 100);
}

/* Each half by itself: the CPU works at both at a time. */
static void put_eight(char *p, uint32_t value)
{
	put_four(p, value / 10000);
	put_four(p + 4, value % 10000);
}

/* Up to four digits, without zeros in front. */
static char *put_short(char *p, uint32_t value)
{
	if (value < 10) {
		*p = (char)('0' + value);
		return p + 1;
	}
	if (value < 100) {
		put_pair(p, value);
		return p + 2;
	}
	if (value < 1000) {
		*p = (char)('0' + value / 100);
		put_pair(p + 1, value % 100);
		return p + 3;
	}
	put_four(p, value);
	return p + 4;
}

char *digits_put(char *p, uint64_t value)
{
	if (value < 10000)
		return put_short(p, (uint32_t)value);
	if (value < 100000000) {
		p = put_short(p, (uint32_t)value / 10000);
		put_four(p, (uint32_t)value % 10000);
		return p + 4;
	}
	p = digits_put(p, value / 100000000);
	put_eight(p, (uint32_t)(value % 100000000));
	return p + 8;
}

char *digits_put_signed(char *p, int64_t value)
{
	if (value >= 0)
		return digits_put(p, (uint64_t)value);
	*p++ = '-';
	return digits_put(p, 0 - (uint64_t)value);
}

int digits_hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

const char *digits_take_hex(const char *p, const char *end, uint64_t *ret)
{
	const char *start = p;
	uint64_t value = 0;

	for (; p < end && digits_hex_value(*p) >= 0; p++)
		value = value << 4 | (uint64_t)digits_hex_value(*p);
	if (p == start || p - start > 16)
		return NULL;
	*ret = value;
	return p;
}
