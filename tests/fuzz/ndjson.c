// SPDX-License-Identifier: Apache-2.0
// A line of NDJSON. What is read, written and read again comes to the same text; the forms for people and
// spreadsheets stay one line of printable text, whatever a stranger's record holds.
#include "fuzz.h"
#include "ndjson.h"

/* Reads a line and writes it; NULL where it is no record. The caller frees. */
static char *rewritten(const char *line, size_t n, size_t *ret_size, bool forms)
{
	static const char *const names[] = { "table", "ftrace", "csv" };
	struct ndjson ndjson = { 0 };
	struct record r = { 0 };
	char *why = NULL, *text = NULL;

	if (ndjson_parse(&ndjson, line, n, &r, &why)) {
		MUST(why);
		fuzz_must_be_printable(why);
		free(why);
		ndjson_done(&ndjson);
		return NULL;
	}
	MUST(!why);
	text = fuzz_written(&r, "json", ret_size);
	for (size_t i = 0; i < ARRAY_SIZE(names) && forms; i++) {
		size_t size;
		char *form = fuzz_written(&r, names[i], &size);

		MUST(strlen(form) == size);
		for (char *p = form; (p = strchr(p, '\n')); p++)
			*p = ' ';
		fuzz_must_be_printable(form);
		free(form);
	}
	json_decref(r.object);
	ndjson_done(&ndjson);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n, again_n;
	char *text = rewritten((const char *)data, size, &n, true), *again;

	if (!text)
		return 0;
	MUST(n && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	again = rewritten(text, n - 1, &again_n, false);
	MUST(again && again_n == n && !memcmp(text, again, n));
	free(again);
	free(text);
	return 0;
}
