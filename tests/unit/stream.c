// SPDX-License-Identifier: Apache-2.0
// Tests of helper/show/stream.c: the exact lines of each format.
#include "unit.h"

#include "base/output.h"
#include "base/text.h"
#include "record/schema.h"
#include "show/stream.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>

static const struct wait_event yield = {
	.ts_ns = UINT64_C(100000001234567),
	.cpu = 3,
	.pid = 4321,
	.tid = 4325,
	.vcpu = 7,
	.target = 2,
	.comm = "CPU 7/KVM",
	.event = "pv_yield",
	.source = "kvm",
	.vm = "web01",
};

static const struct wait_event halt = {
	.ts_ns = UINT64_C(100000000000999),
	.cpu = 0,
	.pid = 4321,
	.tid = 4324,
	.vcpu = 0,
	.target = -1,
	.comm = "CPU 0/KVM",
	.event = "hlt",
	.source = "kvm",
};

struct sink {
	struct stream o;
	FILE *f;
	char *text;
	size_t size, seen;
};

static void open_sink(struct sink *s, const char *format)
{
	memset(s, 0, sizeof(*s));
	s->f = open_memstream(&s->text, &s->size);
	CHECK(s->f != NULL);
	CHECK(stream_format_find(format) != NULL);
	stream_init(&s->o, stream_format_find(format), s->f);
}

static void put_wait(struct sink *s, const struct wait_event *w)
{
	struct record r = { .type = RECORD_WAIT, .wait = *w };

	stream_write(&s->o, &r);
}

static void put(struct sink *s, enum record_type type, const char *json)
{
	struct record r = { .type = type, .object = json_loads(json, 0, NULL) };

	CHECK(r.object != NULL);
	stream_write(&s->o, &r);
	json_decref(r.object);
}

/* What was written since the last look. */
static const char *news(struct sink *s)
{
	const char *text;

	CHECK_INT(stream_flush(&s->o), 0);
	text = s->text + s->seen;
	s->seen = s->size;
	return text;
}

static void check_text(struct sink *s, const char *expected)
{
	CHECK_STR(news(s), expected);
}

static void close_sink(struct sink *s)
{
	stream_end(&s->o);
	fclose(s->f);
	free(s->text);
}

#define META "{\"type\":\"meta\",\"schema\":1,\"clock\":{\"boottime\":100000000000000,\"monotonic\":1,\"realtime\":2}}"
#define LOST "{\"type\":\"lost\",\"lost\":42,\"ts\":5}"
#define END_EVEN "{\"type\":\"end\",\"counted\":44,\"received\":2,\"lost\":42,\"unbalanced\":0,\"why\":\"duration\"}"
#define END_ODD "{\"type\":\"end\",\"counted\":45,\"received\":2,\"lost\":42,\"unbalanced\":1,\"why\":\"duration\"}"
#define END_BLIND "{\"type\":\"end\",\"received\":2,\"lost\":42,\"why\":\"killed\"}"

static void formats(void)
{
	static const char *const names[] = { "table", "json", "ftrace", "csv", "perfetto" };
	size_t n = 0;

	while (stream_formats[n].name)
		n++;
	CHECK_INT(n, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		CHECK_STR(stream_format_find(names[i])->name, names[i]);
	CHECK(!stream_format_find(""));
	CHECK(!stream_format_find("jso"));
	CHECK(!stream_format_find("jsonl"));
	CHECK(!stream_format_find("JSON"));
}

static void json(void)
{
	struct sink s;
	struct wait_event w = yield;

	open_sink(&s, "json");
	put(&s, RECORD_META, META);
	check_text(&s, META "\n");
	put_wait(&s, &yield);
	check_text(&s, "{\"type\":\"wait\",\"ts\":100000001234567,\"cpu\":3,\"pid\":4321,\"tid\":4325,\"comm\":\"CPU 7/KVM\",\"vm\":\"web01\","
		       "\"vcpu\":7,\"event\":\"pv_yield\",\"source\":\"kvm\",\"target\":2}\n");
	put_wait(&s, &halt); /* its TGID for a name */
	check_text(&s, "{\"type\":\"wait\",\"ts\":100000000000999,\"cpu\":0,\"pid\":4321,\"tid\":4324,\"comm\":\"CPU 0/KVM\",\"vm\":\"4321\","
		       "\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}\n");
	w.target = INT64_MIN;
	w.vm = "say \"hi\"\\\\";
	memcpy(w.comm, "a\"b\\c\nd\x7f\xff\xc3\xbc", 12);
	put_wait(&s, &w);
	check_text(&s, "{\"type\":\"wait\",\"ts\":100000001234567,\"cpu\":3,\"pid\":4321,\"tid\":4325,"
		       "\"comm\":\"a\\\"b\\\\\\\\c\\\\x0ad\\\\x7f\\\\xff\xc3\xbc\",\"vm\":\"say \\\"hi\\\"\\\\\\\\\","
		       "\"vcpu\":7,\"event\":\"pv_yield\",\"source\":\"kvm\",\"target\":-9223372036854775808}\n");
	put(&s, RECORD_LOST, LOST);
	check_text(&s, LOST "\n");
	put(&s, RECORD_END, END_EVEN);
	check_text(&s, END_EVEN "\n");
	close_sink(&s);
}

/* Any comm makes a line that a JSON reader takes. */
static void json_any_comm(void)
{
	unit_random_seed(7);
	for (unsigned int i = 0; i < 2000; i++) {
		struct wait_event w = yield;
		struct sink s;
		json_t *object;

		for (size_t k = 0; k < COMM_BYTES; k++)
			w.comm[k] = (char)unit_random(256);
		open_sink(&s, "json");
		put_wait(&s, &w);
		CHECK_INT(stream_flush(&s.o), 0);
		object = json_loadb(s.text, s.size, JSON_REJECT_DUPLICATES, NULL);
		CHECK(object != NULL);
		CHECK_INT(json_object_size(object), 11);
		json_decref(object);
		close_sink(&s);
	}
}

#define IN_KERNEL \
	{ .ip = UINT64_C(0xffffffff8100123a), .symbol = "spin.part.0", .offset = 0x1a, .known = GUEST_IP | GUEST_MODE | GUEST_KERNEL }

/* Where guests spin: in the forms that have it, where it was asked for; ftrace stays as it is. */
static void guests(void)
{
	static const struct {
		struct guest_place place;
		const char *table, *csv, *json;
	} places[] = {
		{ { 0 }, "", ",,,", "" },
		{ IN_KERNEL, "  kernel ffffffff8100123a spin.part.0+0x1a", ",-2130701766,kernel,spin.part.0+0x1a",
		  ",\"guest_ip\":-2130701766,\"guest_mode\":\"kernel\",\"guest_symbol\":\"spin.part.0+0x1a\"" },
		{ { .ip = 0x8044, .known = GUEST_IP | GUEST_MODE }, "  user   0000000000008044", ",32836,user,",
		  ",\"guest_ip\":32836,\"guest_mode\":\"user\"" },
		{ { .ip = 0x8044, .known = GUEST_IP }, "  -      0000000000008044", ",32836,,", ",\"guest_ip\":32836" },
		{ { .known = GUEST_MODE | GUEST_KERNEL }, "  kernel -", ",,kernel,", ",\"guest_mode\":\"kernel\"" },
	};
	static const char *const formats[] = { "table", "csv", "json", "ftrace" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *const ends[] = { places[i].table, places[i].csv, places[i].json, "" };
		struct wait_event w = yield;

		w.guest = places[i].place;
		for (size_t j = 0; j < ARRAY_SIZE(formats); j++) {
			struct sink without, with;
			CLEANUP_FREE char *plain = NULL;
			CLEANUP_FREE char *wanted = NULL;
			bool json = !strcmp(formats[j], "json");

			open_sink(&without, formats[j]);
			put_wait(&without, &yield);
			news(&without);
			put_wait(&without, &yield);
			plain = xstrdup(news(&without));
			plain[strlen(plain) - (json ? 2 : 1)] = '\0'; /* the newline, and the brace */
			wanted = xasprintf("%s%s%s\n", plain, ends[j], json ? "}" : "");
			open_sink(&with, formats[j]);
			with.o.guest = true;
			put_wait(&with, &yield);
			news(&with);
			put_wait(&with, &w);
			CHECK_STR(news(&with), wanted);
			close_sink(&without);
			close_sink(&with);
		}
	}
}

/* The headings of table and csv name them where they were asked for. */
static void guest_headings(void)
{
	struct sink s;

	open_sink(&s, "table");
	s.o.guest = true;
	put_wait(&s, &halt);
	CHECK_HAS(news(&s), " TARGET  MODE   ADDRESS\n");
	close_sink(&s);
	open_sink(&s, "csv");
	s.o.guest = true;
	put(&s, RECORD_LOST, LOST);
	check_text(&s, "ts,cpu,pid,tid,comm,vm,vcpu,event,source,target,guest_ip,guest_mode,guest_symbol\n");
	put_wait(&s, &halt);
	check_text(&s, "100000000000999,0,4321,4324,\"CPU 0/KVM\",\"4321\",0,hlt,kvm,-1,,,\n");
	close_sink(&s);
}

/* The fields of the wait record come in the order of the schema's table. */
static void json_field_order(void)
{
	struct strings callers = { 0 };
	struct wait_event all = yield;
	struct sink s;
	const char *p;

	all.callers = &callers;
	all.guest = (struct guest_place)IN_KERNEL;
	open_sink(&s, "json");
	put_wait(&s, &all);
	CHECK_INT(stream_flush(&s.o), 0);
	p = s.text;
	for (const struct field *f = record_schemas[RECORD_WAIT].fields; f->name; f++) {
		CLEANUP_FREE char *key = xasprintf(",\"%s\":", f->name);

		p = strstr(p, key);
		CHECK(p != NULL);
	}
	close_sink(&s);
}

#define HEADING "TIME(s)      CPU  VM               VCPU  EVENT     SOURCE  TARGET\n"

static void table(void)
{
	struct sink s;
	struct wait_event w = yield;

	open_sink(&s, "table");
	put(&s, RECORD_META, META);
	check_text(&s, HEADING);
	put_wait(&s, &halt);
	check_text(&s, "   0.000000    0  4321                0  hlt       kvm          -\n");
	put_wait(&s, &yield);
	check_text(&s, "   0.001234    3  web01               7  pv_yield  kvm          2\n");
	w.ts_ns += UINT64_C(12345000000000);
	w.cpu = 1023;
	w.vm = "a-rather-long-name-of-a-vm";
	w.vcpu = 12345;
	w.target = INT64_MIN;
	memcpy(w.source, "hyperv", 7);
	put_wait(&s, &w);
	check_text(&s, "12345.001234 1023  a-rather-long-name-of-a-vm 12345  pv_yield  hyperv  -9223372036854775808\n");
	w = halt;
	w.ts_ns = UINT64_C(99999999999999); /* a hair before the clocks were read */
	memcpy(w.event, "ple", 4);
	memcpy(w.source, "vmx", 4);
	put_wait(&s, &w);
	check_text(&s, "   0.000000    0  4321                0  ple       vmx          -\n");
	w = yield;
	w.pid = 4322; /* a second VM of that name: both have their process id from here on */
	put_wait(&s, &w);
	check_text(&s, "   0.001234    3  web01 (4322)        7  pv_yield  kvm          2\n");
	put_wait(&s, &yield);
	check_text(&s, "   0.001234    3  web01 (4321)        7  pv_yield  kvm          2\n");
	put(&s, RECORD_LOST, LOST);
	check_text(&s, "lost 42 events\n");
	put(&s, RECORD_END, END_EVEN);
	check_text(&s, "received 2 + lost 42 = counted 44\n");
	put(&s, RECORD_END, END_ODD);
	check_text(&s, "received 2 + lost 42 does not make counted 45\n");
	put(&s, RECORD_END, END_BLIND);
	check_text(&s, "received 2, lost 42: the kernel's count is not known (killed)\n");
	put(&s, RECORD_END, "{\"type\":\"end\",\"received\":2,\"lost\":42,\"why\":\"\\u001b[2J\\u202e\"}");
	check_text(&s, "received 2, lost 42: the kernel's count is not known (\\x1b[2J\\xe2\\x80\\xae)\n");
	close_sink(&s);
}

/* Without a meta record time counts from the first event. */
static void table_headless(void)
{
	struct sink s;

	open_sink(&s, "table");
	put_wait(&s, &halt);
	put_wait(&s, &yield);
	check_text(&s, HEADING "   0.000000    0  4321                0  hlt       kvm          -\n"
			       "   0.001233    3  web01               7  pv_yield  kvm          2\n");
	close_sink(&s);
}

/* Lines of a reader's eye: after the heading, which says what the flags are that are not known here. */
static void ftrace(void)
{
	struct sink s;
	struct wait_event w = yield;
	const char *line;

	open_sink(&s, "ftrace");
	put(&s, RECORD_META, META);
	line = news(&s);
	CHECK(starts_with(line, "# tracer: nop\n"));
	for (; *line; line = strchr(line, '\n') + 1)
		CHECK(*line == '#');

	/* "%16s-%-7d [%03d] ", the flags, " %5lu.%06lu: " with microseconds rounded by ns2usecs() */
	put_wait(&s, &yield);
	check_text(&s, "       CPU 7/KVM-4325    [003] ..... 100000.001235: kvm_sched_event: vcpu 7 event pv_yield target 2\n");
	put_wait(&s, &halt);
	check_text(&s, "       CPU 0/KVM-4324    [000] ..... 100000.000001: kvm_sched_event: vcpu 0 event hlt target -1\n");
	w.ts_ns = UINT64_C(1999999500);
	w.cpu = 1023;
	w.tid = 4194304;
	w.vcpu = UINT32_MAX;
	w.target = INT64_MIN;
	memcpy(w.event, "ple", 4);
	memcpy(w.comm, "0123456789abcde", 16);
	put_wait(&s, &w);
	check_text(&s, " 0123456789abcde-4194304 [1023] .....     2.000000: kvm_sched_event: vcpu 4294967295 event ple target "
		       "-9223372036854775808\n");
	w.ts_ns = UINT64_C(1999999499);
	w.target = INT64_MAX;
	w.vcpu = 0;
	memcpy(w.comm, "\n", 2); /* no line of its own */
	put_wait(&s, &w);
	check_text(&s, "            \\x0a-4194304 [1023] .....     1.999999: kvm_sched_event: vcpu 0 event ple target "
		       "9223372036854775807\n");
	put(&s, RECORD_LOST, LOST);
	check_text(&s, "# lost 42 events\n");
	put(&s, RECORD_END, END_EVEN);
	check_text(&s, "");
	close_sink(&s);
}

static void csv(void)
{
	static const struct {
		const char *vm, *cell;
	} cells[] = {
		{ "", "\"\"" },
		{ "a\"b", "\"a\"\"b\"" },
		{ "\"", "\"\"\"\"" },
		{ "a,b;c", "\"a,b;c\"" },
		{ "=1+1", "\"'=1+1\"" },
		{ "+1", "\"'+1\"" },
		{ "-1", "\"'-1\"" },
		{ "@SUM(A1)", "\"'@SUM(A1)\"" },
		{ "1=1", "\"1=1\"" },
		{ "=\"x\"", "\"'=\"\"x\"\"\"" },
		{ "\\x0a", "\"\\x0a\"" },
	};
	struct sink s;
	struct wait_event w = halt;

	open_sink(&s, "csv");
	put(&s, RECORD_META, META);
	check_text(&s, "ts,cpu,pid,tid,comm,vm,vcpu,event,source,target\n");
	put_wait(&s, &yield);
	check_text(&s, "100000001234567,3,4321,4325,\"CPU 7/KVM\",\"web01\",7,pv_yield,kvm,2\n");
	put_wait(&s, &halt);
	check_text(&s, "100000000000999,0,4321,4324,\"CPU 0/KVM\",\"4321\",0,hlt,kvm,-1\n");
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		CLEANUP_FREE char *expected = xasprintf("100000000000999,0,4321,4324,\"CPU 0/KVM\",%s,0,hlt,kvm,-1\n", cells[i].cell);

		w.vm = cells[i].vm;
		put_wait(&s, &w);
		check_text(&s, expected);
	}
	w.vm = "v";
	memcpy(w.comm, "=cmd|'/c \"x\n", 13);
	put_wait(&s, &w);
	check_text(&s, "100000000000999,0,4321,4324,\"'=cmd|'/c \"\"x\\x0a\",\"v\",0,hlt,kvm,-1\n");
	put(&s, RECORD_LOST, LOST);
	put(&s, RECORD_END, END_EVEN);
	check_text(&s, "");
	close_sink(&s);
}

/* The heading comes once, and with the first record whichever it is. */
static void csv_headless(void)
{
	struct sink s;

	open_sink(&s, "csv");
	check_text(&s, "");
	put(&s, RECORD_LOST, LOST);
	check_text(&s, "ts,cpu,pid,tid,comm,vm,vcpu,event,source,target\n");
	put(&s, RECORD_END, END_EVEN);
	check_text(&s, "");
	close_sink(&s);
}

static void errors(void)
{
	struct record r = { .type = RECORD_WAIT, .wait = yield };
	struct stream o;
	int ends[2];
	FILE *f;

	if (!access("/dev/full", W_OK)) {
		f = fopen("/dev/full", "w");
		CHECK(f != NULL);
		stream_init(&o, stream_format_find("json"), f);
		stream_write(&o, &r);
		CHECK_INT(stream_flush(&o), -ENOSPC);
		fclose(f);
	}
	CHECK_INT(pipe(ends), 0);
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	f = fdopen(ends[1], "w");
	CHECK(f != NULL);
	stream_init(&o, stream_format_find("csv"), f);
	stream_write(&o, &r);
	CHECK_INT(stream_flush(&o), -EPIPE);
	fclose(f);
}

/* An error that came with a full buffer, before the flush, is not forgotten. */
static void early_error(void)
{
	struct record r = { .type = RECORD_WAIT, .wait = yield };
	struct stream o;
	FILE *f;

	CHECK(true);
	if (access("/dev/full", W_OK))
		return;
	f = output_stream(open("/dev/full", O_WRONLY | O_CLOEXEC));
	setvbuf(f, NULL, _IOFBF, 256);
	stream_init(&o, stream_format_find("json"), f);
	for (unsigned int i = 0; i < 100; i++)
		stream_write(&o, &r);
	CHECK_INT(stream_flush(&o), -ENOSPC);
	fclose(f);
}

static void put_outcome(struct sink *s, const struct outcome_event *e)
{
	struct record r = { .type = RECORD_OUTCOME, .outcome = *e };

	stream_write(&s->o, &r);
}

/* What followed, as a person reads it: no word of what was not there. */
static void table_outcomes(void)
{
	struct sink s;
	struct outcome_event e = { .ts_ns = 1000180200, .wait_ns = 1000000000, .vcpu = 3, .boosted = -1, .off_ns = 170000,
				   .ready_ns = 4100, .cpu = 5, .cpu_before = 3, .pid = 77, .halt = HALT_BLOCKED, .event = "hlt" };

	open_sink(&s, "table");
	s.o.start_ns = 1;
	put_outcome(&s, &e);
	e = (struct outcome_event){ .ts_ns = 1000000100, .wait_ns = 1000000000, .boosted = 2, .boosted_tid = 9, .event = "ple", .vm = "web" };
	put_outcome(&s, &e);
	e.boosted = -1;
	e.end = OUTCOME_USER;
	put_outcome(&s, &e);
	e.end = OUTCOME_UNSEEN;
	put_outcome(&s, &e);
	e.event[0] = '\0';
	e.boosted_tid = 0;
	e.end = OUTCOME_GONE;
	put_outcome(&s, &e);
	check_text(&s, "TIME(s)      CPU  VM               VCPU  EVENT     SOURCE  TARGET\n"
		       "   1.000180    5  77                  3  -> hlt blocked, ran again after 180.2 us, off CPU 170.0 us, ready 4.1 us, CPU 3 to 5\n"
		       "   1.000000    0  web                 0  -> ple, ran again after 0.1 us, off CPU 0.0 us, ready 0.0 us, boosted vCPU 2\n"
		       "   1.000000    0  web                 0  -> ple, went to user space after 0.1 us, off CPU 0.0 us, ready 0.0 us, boosted thread 9\n"
		       "   1.000000    0  web                 0  -> ple, not seen what followed\n"
		       "   1.000000    0  web                 0  -> (lost wait), its thread ended after 0.1 us, off CPU 0.0 us, ready 0.0 us\n");
	close_sink(&s);
}

/* The other forms hold waits alone. */
static void no_outcomes(void)
{
	struct outcome_event e = { .ts_ns = 9, .wait_ns = 8, .event = "hlt" };
	struct sink s;

	open_sink(&s, "csv");
	put_outcome(&s, &e);
	check_text(&s, "ts,cpu,pid,tid,comm,vm,vcpu,event,source,target\n");
	close_sink(&s);
}

static const struct unit_test tests[] = {
	{ "guests", guests },
	{ "guest_headings", guest_headings },
	{ "table_outcomes", table_outcomes },
	{ "no_outcomes", no_outcomes },
	{ "formats", formats },
	{ "json", json },
	{ "json_any_comm", json_any_comm },
	{ "json_field_order", json_field_order },
	{ "table", table },
	{ "table_headless", table_headless },
	{ "ftrace", ftrace },
	{ "csv", csv },
	{ "csv_headless", csv_headless },
	{ "errors", errors },
	{ "early_error", early_error },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
