// SPDX-License-Identifier: Apache-2.0
// A line of NDJSON. What is read, written and read again comes to the same text; the forms for people and
// spreadsheets stay one line of printable text, whatever a stranger's record holds.
#include "fuzz.h"

#include "base/memory.h"
#include "record/ndjson.h"

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

/* The short way for kvmwait's own lines comes to the same as jansson: verdict, words and record. */
static void check_ways(const char *line, size_t n)
{
	struct ndjson a = { 0 }, b = { 0 };
	struct record x = { 0 }, y = { 0 };
	char *x_why = NULL, *y_why = NULL;
	int x_err = ndjson_parse(&a, line, n, &x, &x_why), y_err = ndjson_parse_any(&b, line, n, &y, &y_why);

	MUST(x_err == y_err && !x_why == !y_why && (!x_why || !strcmp(x_why, y_why)));
	if (!x_err) {
		size_t x_n, y_n;
		char *x_text = fuzz_written(&x, "json", &x_n), *y_text = fuzz_written(&y, "json", &y_n);

		MUST(x.type == y.type && x_n == y_n && !memcmp(x_text, y_text, x_n));
		if (x.type == RECORD_OUTCOME) { /* what JSON leaves out where it says nothing */
			MUST(x.outcome.boosted == y.outcome.boosted && x.outcome.halt == y.outcome.halt && x.outcome.cpu == y.outcome.cpu);
			MUST(x.outcome.halt_ns == y.outcome.halt_ns && x.outcome.boosted_tid == y.outcome.boosted_tid);
		}
		free(x_text);
		free(y_text);
	}
	json_decref(x.object);
	json_decref(y.object);
	free(x_why);
	free(y_why);
	ndjson_done(&a);
	ndjson_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n, again_n;
	char *text, *again;

	check_ways((const char *)data, size);
	text = rewritten((const char *)data, size, &n, true);
	if (!text)
		return 0;
	MUST(n && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	again = rewritten(text, n - 1, &again_n, false);
	MUST(again && again_n == n && !memcmp(text, again, n));
	free(again);
	free(text);
	return 0;
}
