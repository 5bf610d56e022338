// SPDX-License-Identifier: Apache-2.0
// Tests of helper/relay.c: what is handed to the thread comes out whole and in order, and its errors come back.
#include "unit.h"

#include "relay.h"

static void push(struct relay *r, uint64_t i)
{
	*relay_room(r) = (struct record){
		.type = RECORD_WAIT, .wait = { .ts_ns = i, .tid = (uint32_t)(i % 100), .target = -1, .event = "hlt", .source = "kvm" }
	};
	relay_push(r);
}

static void check_stream(uint64_t n, uint64_t flush_each)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct output output;
	struct relay *r;
	const char *p;

	CHECK(f != NULL);
	output_init(&output, output_format_find("csv"), f);
	r = relay_start(&output);
	CHECK(r != NULL);
	for (uint64_t i = 0; i < n; i++) {
		push(r, i);
		if (i % flush_each == 0)
			CHECK_INT(relay_flush(r), 0);
	}
	CHECK_INT(relay_end(r), 0);
	CHECK_INT(output_flush(&output), 0);
	p = n ? strchr(text, '\n') + 1 : text;
	for (uint64_t i = 0; i < n; i++, p = strchr(p, '\n') + 1)
		CHECK_U64(strtoull(p, NULL, 10), i);
	CHECK(!n || !*p);
	fclose(f);
	free(text);
}

static void streams(void)
{
	check_stream(0, 1);
	check_stream(1, 1);
	check_stream(1023, 5000);
	check_stream(1024, 5000);
	check_stream(1025, 7);
	check_stream(50000, 999999);
	check_stream(50000, 3000);
}

static void error(void)
{
	struct output output;
	struct relay *r;
	FILE *f = access("/dev/full", W_OK) ? NULL : fopen("/dev/full", "w");

	CHECK(relay_end(NULL) == 0);
	if (!f)
		return;
	output_init(&output, output_format_find("json"), f);
	r = relay_start(&output);
	CHECK(r != NULL);
	for (uint64_t i = 0; i < 5000; i++)
		push(r, i);
	CHECK_INT(relay_end(r), -ENOSPC);
	fclose(f);
}

static const struct unit_test tests[] = {
	{ "streams", streams },
	{ "error", error },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
