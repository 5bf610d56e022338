// SPDX-License-Identifier: Apache-2.0
// Decimal numbers to text, two digits at a time.
#include "digits.h"

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
			    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

static unsigned int count_digits(uint64_t value)
{
	unsigned int n = 1;

	for (; value >= 10000; value /= 10000)
		n += 4;
	return n + (value >= 10) + (value >= 100) + (value >= 1000);
}

char *digits_put_padded(char *p, uint64_t value, unsigned int n)
{
	char *end = p + n;

	for (; n >= 2; n -= 2) {
		memcpy(p + n - 2, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (n)
		*p = (char)('0' + value % 10);
	return end;
}

char *digits_put(char *p, uint64_t value)
{
	if (value < 10) {
		*p = (char)('0' + value);
		return p + 1;
	}
	return digits_put_padded(p, value, count_digits(value));
}

char *digits_put_signed(char *p, int64_t value)
{
	if (value >= 0)
		return digits_put(p, (uint64_t)value);
	*p++ = '-';
	return digits_put(p, 0 - (uint64_t)value);
}
