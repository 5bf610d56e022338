// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/ndjson.c: a record that was written comes back as it was, and nothing malformed does.
#include "unit.h"

#include "base/text.h"
#include "live/vmm.h"
#include "record/ndjson.h"
#include "show/stream.h"

/* The line that the json writer makes of a wait, without its newline; the caller frees. */
static char *written(const struct wait_event *w)
{
	struct record r = { .type = RECORD_WAIT, .wait = *w };
	struct stream o;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	stream_init(&o, stream_format_find("json"), f);
	stream_write(&o, &r);
	CHECK_INT(stream_flush(&o), 0);
	fclose(f);
	CHECK(size && text[size - 1] == '\n' && strchr(text, '\n') == text + size - 1);
	text[size - 1] = '\0';
	return text;
}

static int parse(struct ndjson *n, const char *line, size_t size, struct record *ret)
{
	CLEANUP_FREE char *exact = unit_exact(line, size);
	CLEANUP_FREE char *error = NULL;
	int err = ndjson_parse(n, exact, size, ret, &error);

	CHECK_INT(err, error ? -EINVAL : 0);
	CHECK(!error || *error);
	return err;
}

static void check_round(const struct wait_event *w, const char *vm)
{
	CLEANUP_FREE char *line = written(w);
	CLEANUP_FREE char *again = NULL;
	struct ndjson n;
	struct record r = { 0 };

	if (parse(&n, line, strlen(line), &r))
		unit_fail(__FILE__, __LINE__, "not read back: <%s>", line);
	CHECK_INT(r.type, RECORD_WAIT);
	CHECK(!r.object);
	CHECK_U64(r.wait.ts_ns, w->ts_ns);
	CHECK_U64(r.wait.cpu, w->cpu);
	CHECK_U64(r.wait.pid, w->pid);
	CHECK_U64(r.wait.tid, w->tid);
	CHECK_INT(r.wait.vcpu, w->vcpu);
	CHECK_INT(r.wait.target, w->target);
	CHECK_STR(r.wait.event, w->event);
	CHECK_STR(r.wait.source, w->source);
	CHECK_STR(r.wait.comm, w->comm);
	CHECK_STR(r.wait.vm, vm);
	again = written(&r.wait);
	CHECK_STR(again, line);
}

static const struct wait_event some_wait = {
	.ts_ns = 1,
	.cpu = 2,
	.pid = 3,
	.tid = 4,
	.vcpu = 5,
	.target = -1,
	.comm = "CPU 5/KVM",
	.event = "hlt",
	.source = "kvm",
};

/* Where the guest was comes back as it was, the short way and by jansson. */
static void guest(void)
{
	static const struct guest_place places[] = {
		{ .ip = UINT64_C(0xffffffff8100123a), .known = GUEST_IP | GUEST_MODE | GUEST_KERNEL },
		{ .ip = UINT64_C(0xffffffff8100123a), .known = GUEST_IP | GUEST_MODE | GUEST_KERNEL, .symbol = "f.part.0", .offset = 0x1a },
		{ .ip = 4097, .known = GUEST_IP | GUEST_MODE, .symbol = "g", .offset = UINT64_MAX },
		{ .ip = INT64_MAX, .known = GUEST_IP },
		{ .known = GUEST_MODE | GUEST_KERNEL },
		{ .known = GUEST_MODE },
		{ .known = 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct wait_event w = some_wait;
		CLEANUP_FREE char *line = NULL;
		CLEANUP_FREE char *why = NULL;

		w.guest = places[i];
		check_round(&w, "3");
		line = written(&w);
		for (int way = 0; way < 2; way++) {
			struct ndjson n = { 0 };
			struct record r = { 0 };

			CHECK_INT((way ? ndjson_parse_any : ndjson_parse)(&n, line, strlen(line), &r, &why), 0);
			CHECK_U64(r.wait.guest.ip, places[i].ip);
			CHECK_U64(r.wait.guest.known, places[i].known);
			CHECK_STR(r.wait.guest.symbol, places[i].symbol);
			CHECK_U64(r.wait.guest.offset, places[i].symbol ? places[i].offset : 0);
			ndjson_done(&n);
		}
	}
}

static void bad_guest(void)
{
	static const char *const bad[] = {
		"\"guest_ip\":\"1\"", "\"guest_ip\":1.5", "\"guest_ip\":9223372036854775808", "\"guest_mode\":\"\"", "\"guest_mode\":\"KERNEL\"",
		"\"guest_mode\":1", "\"guest_ip\":1,\"guest_symbol\":\"f\"", "\"guest_ip\":1,\"guest_symbol\":\"f+1\"",
		"\"guest_ip\":1,\"guest_symbol\":\"+0x1\"", "\"guest_ip\":1,\"guest_symbol\":\"f+0x\"", "\"guest_ip\":1,\"guest_symbol\":\"f+0x1 \"",
		"\"guest_ip\":1,\"guest_symbol\":\"a b+0x1\"", "\"guest_ip\":1,\"guest_symbol\":\"\\u001b+0x1\"",
		"\"guest_ip\":1,\"guest_symbol\":\"f+0x11111111111111111\"",
	};
	CLEANUP_FREE char *line = written(&some_wait);

	line[strlen(line) - 1] = '\0'; /* the brace */
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *text = xasprintf("%s,%s}", line, bad[i]);
		struct ndjson n = { 0 };
		struct record r = { 0 };

		CHECK_INT(parse(&n, text, strlen(text), &r), -EINVAL);
		ndjson_done(&n);
	}
}

static void numbers(void)
{
	static const int64_t targets[] = { -1, 0, 255, INT64_MIN, INT64_MAX, INT64_C(9007199254740993), INT64_C(-9007199254740993) };
	struct wait_event w = some_wait;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		w.target = targets[i];
		check_round(&w, "3");
	}
	w = some_wait;
	w.ts_ns = INT64_C(9007199254740993); /* 104 days up */
	w.cpu = UINT32_MAX;
	w.pid = UINT32_MAX;
	w.tid = UINT32_MAX;
	w.vcpu = INT64_C(9007199254740993);
	check_round(&w, "4294967295");
	w.ts_ns = INT64_MAX;
	w.vcpu = INT64_MAX;
	check_round(&w, "4294967295");
	w.ts_ns = 0;
	w.vcpu = 0;
	check_round(&w, "4294967295");
}

static void comm_bytes(void)
{
	struct wait_event w = some_wait;

	for (unsigned int byte = 1; byte < 256; byte++) {
		for (size_t i = 0; i < COMM_BYTES; i++)
			w.comm[i] = (char)byte;
		check_round(&w, "3");
		w.comm[0] = 'a';
		w.comm[5] = '\0';
		check_round(&w, "3");
		memset(w.comm, 0, sizeof(w.comm));
	}
	check_round(&w, "3"); /* none at all */
	unit_random_seed(6);
	for (unsigned int i = 0; i < 3000; i++) {
		for (size_t k = 0; k < COMM_BYTES; k++)
			w.comm[k] = (char)unit_random(256);
		check_round(&w, "3");
	}
}

/* Names of VMs in the form in which vmname hands them on. */
static void vm_names(void)
{
	static const char *const vms[] = { "web01", "", "\"quoted\"", "a\\\\b", "\\x0a\\x1b[31m", "M\xc3\xbcller", "a,b;c=d", "-1" };
	struct wait_event w = some_wait;
	char cmdline[17 + 4096];
	CLEANUP_FREE char *longest = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(vms); i++) {
		w.vm = vms[i];
		check_round(&w, vms[i]);
	}
	memcpy(cmdline, "qemu\0-name\0guest=", 17);
	memset(cmdline + 17, '\n', 4096); /* each byte becomes four */
	longest = vmm_name((struct view){ "", 0 }, (struct view){ cmdline, sizeof(cmdline) });
	w.vm = longest;
	check_round(&w, longest);
}

/* A name that somebody else wrote is cleaned. */
static void vm_cleaned(void)
{
	static const char line[] = "{\"type\":\"wait\",\"ts\":1,\"cpu\":2,\"pid\":3,\"tid\":4,\"comm\":\"x\",\"vm\":\"a\\nb\\u202e\",\"vcpu\":5,"
				   "\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}";
	struct ndjson n;
	struct record r;

	CHECK_INT(parse(&n, line, strlen(line), &r), 0);
	CHECK_STR(r.wait.vm, "a\\x0ab\\xe2\\x80\\xae");
}

/* A line of a wait with one field set otherwise, or left out where it is NULL; the caller frees. */
static char *line_with(const char *field, const char *value)
{
	static const char *const fields[][2] = {
		{ "type", "\"wait\"" }, { "ts", "1" },	  { "cpu", "2" },	  { "pid", "3" },	  { "tid", "4" },    { "comm", "\"x\"" },
		{ "vm", "\"v\"" },	{ "vcpu", "5" }, { "event", "\"hlt\"" }, { "source", "\"kvm\"" }, { "target", "-1" },
	};
	struct strings parts = { 0 };
	CLEANUP_FREE char *all = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		CLEANUP_FREE char *part = NULL;
		const char *v = strcmp(fields[i][0], field) ? fields[i][1] : value;

		if (!v)
			continue;
		part = xasprintf("\"%s\":%s", fields[i][0], v);
		strings_add(&parts, part);
	}
	all = strings_join(&parts, ",");
	strings_done(&parts);
	return xasprintf("{%s}", all);
}

static bool takes(const char *field, const char *value)
{
	CLEANUP_FREE char *line = line_with(field, value);
	struct ndjson n;
	struct record r;
	int err = parse(&n, line, strlen(line), &r);

	CHECK(!r.object || !err);
	if (!err)
		json_decref(r.object);
	return !err;
}

static void field_limits(void)
{
	static const struct {
		const char *field, *value;
		bool good;
	} cases[] = {
		{ "", "", true }, /* as it stands */
		{ "type", NULL, false },
		{ "type", "1", false },
		{ "type", "\"WAIT\"", false },
		{ "type", "\"wai\"", false },
		{ "type", "null", false },
		{ "ts", NULL, false },
		{ "ts", "-1", false },
		{ "ts", "9223372036854775807", true },
		{ "ts", "9223372036854775808", false },
		{ "ts", "1.0", false },
		{ "ts", "1e3", false },
		{ "ts", "\"1\"", false },
		{ "ts", "null", false },
		{ "ts", "[1]", false },
		{ "cpu", NULL, false },
		{ "cpu", "4294967295", true },
		{ "cpu", "4294967296", false },
		{ "cpu", "-1", false },
		{ "pid", NULL, false },
		{ "pid", "4294967295", true },
		{ "pid", "4294967296", false },
		{ "pid", "true", false },
		{ "tid", NULL, false },
		{ "tid", "4294967295", true },
		{ "tid", "4294967296", false },
		{ "vcpu", NULL, false },
		{ "vcpu", "9223372036854775807", true },
		{ "vcpu", "-1", false },
		{ "target", NULL, false },
		{ "target", "-9223372036854775808", true },
		{ "target", "-9223372036854775809", false },
		{ "target", "9223372036854775807", true },
		{ "target", "9223372036854775808", false },
		{ "target", "-1.0", false },
		{ "target", "\"-1\"", false },
		{ "event", NULL, false },
		{ "event", "\"\"", false },
		{ "event", "1", false },
		{ "event", "\"hlt \"", false },
		{ "event", "\"HLT\"", false },
		{ "event", "\"hlt\\n\"", false },
		{ "event", "\"hlt\\u0000\"", false },
		{ "event", "\"a,b\"", false },
		{ "event", "\"abcdefghijklmno\"", true },
		{ "event", "\"abcdefghijklmnop\"", false },
		{ "source", NULL, false },
		{ "source", "\"\"", false },
		{ "source", "\"k\\\"vm\"", false },
		{ "source", "\"abcdefghijklmnop\"", false },
		{ "comm", NULL, false },
		{ "comm", "1", false },
		{ "comm", "\"\"", true },
		{ "comm", "\"0123456789abcdef\"", true },
		{ "comm", "\"0123456789abcdefg\"", false },
		{ "comm", "\"\\\\x41\"", true },
		{ "comm", "\"\\\\x4\"", false },
		{ "comm", "\"\\\\\"", false },
		{ "comm", "\"\\\\n\"", false },
		{ "comm", "\"a\\u0000b\"", false },
		{ "comm", "\"\xff\"", false },
		{ "vm", NULL, false },
		{ "vm", "3", false },
		{ "vm", "\"\\\\\"", false },
		{ "vm", "\"a\\u0000b\"", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (takes(cases[i].field, cases[i].value) != cases[i].good)
			unit_fail(__FILE__, __LINE__, "%s %s: %s", cases[i].field, cases[i].value ? cases[i].value : "(missing)",
				  cases[i].good ? "not taken" : "taken");
}

static void long_vm(void)
{
	char name[132] = "\"";

	memset(name + 1, 'x', 128);
	strcpy(name + 129, "\"");
	CHECK(takes("vm", name));
	strcpy(name + 129, "x\"");
	CHECK(!takes("vm", name));
}

static void no_records(void)
{
	static const char *const lines[] = {
		"", " ", "\n", "x", "{", "}", "[]", "1", "\"wait\"", "null", "{}", "{\"type\":\"wait\"}", "{\"type\":\"other\"}", "{\"type\":[]}",
		"{\"type\":\"lost\"} x", "{\"type\":\"lost\"}{\"type\":\"lost\"}", "{\"type\":\"lost\",\"type\":\"lost\"}", "{'type':'lost'}",
		"{\"type\":\"lost\",}", "\xff", "{\"type\":\"lost\",\"x\":1e999}", "w 1 2 3",
	};
	struct ndjson n;
	struct record r;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (!parse(&n, lines[i], strlen(lines[i]), &r))
			unit_fail(__FILE__, __LINE__, "taken: <%s>", lines[i]);
}

/* What is said of a line that is no JSON holds a piece of it, and goes to a terminal. */
static void printable_errors(void)
{
	struct ndjson n = { 0 };
	struct record r;
	char *why = NULL;

	CHECK_INT(ndjson_parse(&n, "{\"type\":\033[2J}", 13, &r, &why), -EINVAL);
	CHECK_HAS(why, "no valid JSON: ");
	CHECK_HAS(why, "\\x1b");
	CHECK(!strchr(why, '\033'));
	free(why);
	ndjson_done(&n);
}

/* A line that was cut off is no record, wherever. */
static void truncated(void)
{
	CLEANUP_FREE char *line = line_with("", "");
	struct ndjson n;
	struct record r;

	for (size_t i = 0; i < strlen(line); i++)
		CHECK_INT(parse(&n, line, i, &r), -EINVAL);
	CHECK_INT(parse(&n, line, strlen(line), &r), 0);
	CHECK_INT(parse(&n, line, strlen(line) + 1, &r), -EINVAL); /* its NUL */
}

static void other_records(void)
{
	static const struct {
		const char *line;
		enum record_type type;
	} cases[] = {
		{ "{\"type\":\"lost\",\"lost\":9007199254740993,\"ts\":5}", RECORD_LOST },
		{ " { \"type\" : \"end\" , \"received\":1,\"lost\":0,\"unreported\":0,\"malformed\":0,\"late\":0,\"why\":\"\" }\r\n",
		  RECORD_END },
	};
	struct ndjson n;
	struct record r;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_INT(parse(&n, cases[i].line, strlen(cases[i].line), &r), 0);
		CHECK_INT(r.type, cases[i].type);
		CHECK(json_is_object(r.object));
		if (r.type == RECORD_LOST)
			CHECK_INT(json_integer_value(json_object_get(r.object, "lost")), INT64_C(9007199254740993));
		json_decref(r.object);
	}
}

/* A record that passes on as it is has to be whole. */
static void other_records_incomplete(void)
{
	static const char *const lines[] = {
		"{\"type\":\"meta\",\"schema\":1}",
		"{\"type\":\"lost\",\"lost\":1}",
		"{\"type\":\"lost\",\"lost\":1.5,\"ts\":5}",
		"{\"type\":\"end\",\"received\":1}",
		"{\"type\":\"end\",\"received\":\"1\",\"lost\":0,\"unreported\":0,\"malformed\":0,\"late\":0,\"why\":\"\"}",
		"{\"type\":\"end\",\"received\":1,\"lost\":0,\"unreported\":0,\"malformed\":0,\"late\":0,\"why\":\"\",\"clock\":1}",
	};
	struct ndjson n;
	struct record r;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		CHECK_INT(parse(&n, lines[i], strlen(lines[i]), &r), -EINVAL);
}

/* A record as the json writer has it, without its newline; the caller frees. */
static char *written_record(const struct record *r)
{
	struct stream o;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	stream_init(&o, stream_format_find("json"), f);
	stream_write(&o, r);
	fclose(f);
	CHECK(size && text[size - 1] == '\n');
	text[size - 1] = '\0';
	return text;
}

static void outcomes(void)
{
	static const struct outcome_event list[] = {
		{ .ts_ns = 900, .wait_ns = 100, .vcpu = 3, .boosted = -1, .halt_ns = 700, .off_ns = 600, .ready_ns = 50, .cpu = 4,
		  .cpu_before = 5, .pid = 6, .tid = 7, .halt = HALT_BLOCKED, .end = OUTCOME_RUN, .event = "hlt", .source = "kvm", .vm = "w" },
		{ .ts_ns = 900, .wait_ns = 900, .boosted = -1, .pid = 6, .end = OUTCOME_USER, .event = "hlt", .source = "kvm", .vm = "w" },
		{ .ts_ns = INT64_MAX, .wait_ns = 0, .vcpu = INT64_MAX, .boosted = INT64_MAX, .off_ns = INT64_MAX, .ready_ns = INT64_MAX,
		  .boosted_tid = UINT32_MAX, .cpu = UINT32_MAX, .pid = UINT32_MAX, .tid = UINT32_MAX, .cpu_before = UINT32_MAX,
		  .end = OUTCOME_GONE, .event = "pv_yield", .source = "hyperv", .vm = "a\\x0ab" },
		{ .ts_ns = 9, .wait_ns = 8, .boosted = -1, .end = OUTCOME_UNSEEN, .event = "ple", .source = "svm", .vm = "w" },
		{ .ts_ns = 9, .wait_ns = 8, .boosted = 2, .boosted_tid = 5, .end = OUTCOME_RUN, .vm = "w" }, /* the wait was lost */
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		struct record r = { .type = RECORD_OUTCOME, .outcome = list[i] }, back = { 0 };
		CLEANUP_FREE char *line = written_record(&r);
		CLEANUP_FREE char *again = NULL;
		struct ndjson n = { 0 };

		CHECK_INT(parse(&n, line, strlen(line), &back), 0);
		CHECK_INT(back.type, RECORD_OUTCOME);
		CHECK_U64(back.outcome.wait_ns, list[i].wait_ns);
		CHECK_INT(back.outcome.end, list[i].end);
		CHECK_INT(back.outcome.halt, list[i].halt);
		CHECK_INT(back.outcome.boosted, list[i].boosted);
		CHECK_U64(back.outcome.ready_ns, list[i].ready_ns);
		again = written_record(&back);
		CHECK_STR(again, line);
		for (size_t k = 0; k < strlen(line); k++) { /* cut short anywhere it is none */
			CHECK_INT(parse(&n, line, k, &back), -EINVAL);
			json_decref(back.object);
		}
	}
}

static void malformed_outcomes(void)
{
	static const char *const lines[] = {
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":10,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0,\"end\":\"run\"}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0,\"end\":\"ran\"}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":-1,\"end\":\"run\"}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0,\"end\":\"run\",\"halt\":\"no\"}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0,\"end\":\"run\",\"off_ns\":1.5}",
		"{\"type\":\"outcome\",\"ts\":9,\"wait_ts\":1,\"pid\":1,\"tid\":1,\"vm\":\"w\",\"vcpu\":0,\"end\":\"run\",\"event\":\"hlt\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct record back = { 0 };
		struct ndjson n = { 0 };

		CHECK_INT(parse(&n, lines[i], strlen(lines[i]), &back), -EINVAL);
	}
}

static void callers(void)
{
	struct strings names = { 0 };
	struct record r = { .type = RECORD_WAIT, .wait = { .event = "hlt", .source = "kvm", .vm = "w", .callers = &names } }, back = { 0 };
	CLEANUP_FREE char *none = written_record(&r);
	CLEANUP_FREE char *line = NULL;
	CLEANUP_FREE char *again = NULL;
	struct ndjson n = { 0 };

	CHECK_HAS(none, ",\"callers\":[]}");
	CHECK_INT(parse(&n, none, strlen(none), &back), 0);
	CHECK(back.wait.callers && back.wait.callers->n == 0);
	strings_add(&names, "kvm_vcpu_on_spin");
	strings_add(&names, "svm.isra.0");
	strings_add(&names, "0xffffffffc0a1b2c3");
	line = written_record(&r);
	CHECK_HAS(line, "\"callers\":[\"kvm_vcpu_on_spin\",\"svm.isra.0\",\"0xffffffffc0a1b2c3\"]}");
	CHECK_INT(parse(&n, line, strlen(line), &back), 0);
	again = written_record(&back);
	CHECK_STR(again, line);
	/* a record without callers is not given those of the record before */
	r.wait.callers = NULL;
	free(again);
	again = written_record(&r);
	CHECK_INT(parse(&n, again, strlen(again), &back), 0);
	CHECK(!back.wait.callers);
	CHECK_INT(parse(&n, "{\"type\":\"wait\",\"ts\":1,\"cpu\":1,\"pid\":1,\"tid\":1,\"comm\":\"\",\"vm\":\"w\",\"vcpu\":1,"
			    "\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"callers\":[\"a\\u001b[31m\"]}", 136, &back), -EINVAL);
	strings_done(&names);
	ndjson_done(&n);
}

static const struct unit_test tests[] = {
	{ "guest", guest },
	{ "bad_guest", bad_guest },
	{ "outcomes", outcomes },
	{ "malformed_outcomes", malformed_outcomes },
	{ "callers", callers },
	{ "numbers", numbers },
	{ "comm_bytes", comm_bytes },
	{ "vm_names", vm_names },
	{ "vm_cleaned", vm_cleaned },
	{ "field_limits", field_limits },
	{ "long_vm", long_vm },
	{ "no_records", no_records },
	{ "printable_errors", printable_errors },
	{ "truncated", truncated },
	{ "other_records", other_records },
	{ "other_records_incomplete", other_records_incomplete },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
