// SPDX-License-Identifier: Apache-2.0
// Text that others chose: cleaned it is printable, and nothing of it is lost.
#include "fuzz.h"

#include "base/clean_text.h"
#include "base/memory.h"

/* Cleans bytes and takes them back; the cleaned text, which the caller frees. */
static char *check_clean(const char *bytes, size_t n)
{
	char *clean = xcalloc(4 * n + 1, 1), *back = xcalloc(n + 1, 1);
	size_t length = text_clean(bytes, n, clean);

	MUST(length == strlen(clean) && length <= 4 * n);
	fuzz_must_be_printable(clean);
	MUST(text_restore(clean, back, n + 1) == (int)n && !memcmp(back, bytes, n));
	if (n)
		MUST(text_restore(clean, back, n) < 0);
	free(back);
	return clean;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup((const char *)data, size), *raw = xcalloc(size + 1, 1);
	int n;

	free(check_clean((const char *)data, size));
	n = text_restore(text, raw, size + 1);
	MUST(n >= 0 ? (size_t)n <= size : n == -22); /* -EINVAL */
	if (n >= 0)
		free(check_clean(raw, (size_t)n));
	free(raw);
	free(text);
	return 0;
}
