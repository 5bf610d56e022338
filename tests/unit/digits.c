// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/digits.c: every length of number, both ways, held against printf() and the edges of 64 bits.
#include "unit.h"

#include "base/digits.h"
#include "base/memory.h"

static void check_put(uint64_t value)
{
	char expected[32], actual[32] = { 0 };

	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	*digits_put(actual, value) = '\0';
	CHECK_STR(actual, expected);
	snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)value);
	*digits_put_signed(actual, (int64_t)value) = '\0';
	CHECK_STR(actual, expected);
}

static void check_take(uint64_t value)
{
	char text[32];
	uint64_t back = 1;

	for (size_t zeros = 0; zeros < 3; zeros++) {
		size_t n = (size_t)snprintf(text, sizeof(text), "%0*" PRIu64, (int)zeros * 7, value);
		CLEANUP_FREE char *exact = unit_exact(text, n);

		CHECK(digits_take(exact, exact + n, &back) == exact + n);
		CHECK_U64(back, value);
	}
}

static void every_length(void)
{
	uint64_t power = 1;

	for (int i = 0; i < 20; i++, power *= 10)
		for (uint64_t by = 0; by < 3; by++) {
			check_put(power - by);
			check_take(power - by);
			check_put(power + by);
			check_take(power + by);
		}
	check_put(UINT64_MAX);
	check_take(UINT64_MAX);
	check_put((uint64_t)INT64_MIN);
	unit_random_seed(6);
	for (int i = 0; i < 20000; i++) {
		uint64_t value = unit_random(UINT64_MAX) >> unit_random(64);

		check_put(value);
		check_take(value);
	}
}

static void too_large(void)
{
	static const char *const texts[] = { "18446744073709551616", "18446744073709551620", "99999999999999999999", "118446744073709551615" };
	uint64_t value = 5;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		CHECK(!digits_take(texts[i], texts[i] + strlen(texts[i]), &value));
	CHECK_U64(value, 5);
}

/* It ends at the first byte that is no digit, wherever among eight that stands; any byte. */
static void every_end(void)
{
	for (int byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 18; at++) {
			char text[19] = "123456789012345678";
			uint64_t value = 5, expected = 0;
			size_t end = byte >= '0' && byte <= '9' ? 18 : at;
			const char *stop;

			text[at] = (char)byte;
			for (size_t i = 0; i < end; i++)
				expected = expected * 10 + (uint64_t)(text[i] - '0');
			stop = digits_take(text, text + 18, &value);
			CHECK(stop == (end ? text + end : NULL));
			CHECK_U64(value, end ? expected : 5);
		}
}

static const struct unit_test tests[] = {
	{ "every_length", every_length },
	{ "too_large", too_large },
	{ "every_end", every_end },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
