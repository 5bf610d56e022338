// SPDX-License-Identifier: Apache-2.0
// A trace of a stranger's as text: whatever it holds, its records can be written in every form, and be read again.
#include "fuzz.h"

#include "record/ndjson.h"
#include "record/trace_read.h"

static void check_record(const struct record *r)
{
	struct ndjson ndjson = { 0 };
	struct record again = { 0 };
	size_t size;
	char *text = fuzz_written(r, "json", &size), *why = NULL;

	MUST(size && text[size - 1] == '\n');
	text[size - 1] = '\0';
	fuzz_must_be_printable(text);
	MUST(!ndjson_parse(&ndjson, text, size - 1, &again, &why));
	MUST(again.type == r->type);
	if (r->type == RECORD_WAIT)
		MUST(again.ts_ns == r->ts_ns && again.wait.target == r->wait.target && !strcmp(again.wait.comm, r->wait.comm));
	json_decref(again.object);
	ndjson_done(&ndjson);
	free(text);
}

static void take(struct trace_read *t, const char *line, size_t n)
{
	struct record records[TRACE_READ_MOST];
	const char *why;
	size_t n_records;
	uint64_t number = 1;

	trace_read_line(t, line, n, &number, records, &n_records, &why);
	MUST(n_records <= TRACE_READ_MOST);
	for (size_t i = 0; i < n_records; i++) {
		check_record(&records[i]);
		if (records[i].type == RECORD_META)
			json_decref(records[i].object);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strings problems = { 0 };
	struct trace_read *t;
	char *failure = NULL;

	t = trace_read_new("scripts");
	while (size) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t n = newline ? (size_t)(newline - data) : size;
		char *line = xstrndup((const char *)data, n);

		take(t, line, strlen(line));
		while (trace_read_is_held(t))
			take(t, NULL, 0);
		free(line);
		data += n + (newline != NULL);
		size -= n + (newline != NULL);
	}
	trace_read_close_survey(t);
	while (trace_read_is_held(t))
		take(t, NULL, 0);
	trace_read_end(t, &problems, &failure);
	MUST(!failure);
	strings_done(&problems);
	trace_read_free(t);
	return 0;
}
