// SPDX-License-Identifier: Apache-2.0
// Tests of helper/show/counts_show.c: each form of a report, and the program that makes one.
#include "fake.h"

#include "base/file.h"
#include "ledger/counts.h"
#include "show/counts_show.h"

#include <jansson.h>

#define S UINT64_C(1000000000)

/* What a report has, from a kernel with the real scripts; no process has the pids of its rows. */
struct fixture {
	struct made made;
	struct wait_name *waits;
	struct counts *counts;
	struct origin origin;
	struct counts_rows rows;
	struct counts_report report;
};

static const int64_t key_a = (INT64_C(4194001) << 38) | (INT64_C(4194000) << 16), key_b = key_a + (INT64_C(1) << 38) + 1;

__attribute__((format(printf, 2, 3))) static void feed(struct fixture *f, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		abort();
	va_end(args);
	CHECK(counts_take_line(f->counts, line, strlen(line)) != COUNTS_MALFORMED);
	free(line);
}

static int line_of(const struct fixture *f, size_t n, const char *event, const char *source)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(f->waits[i].event, event) && !strcmp(f->waits[i].source, source))
			return (int)i;
	unit_fail(__FILE__, __LINE__, "the script has no %s %s", event, source);
}

/* Two vCPUs over two seconds: one spins, one halts and is halted now. */
static void fixture_make(struct fixture *f)
{
	struct fake fake = fake_standard();
	size_t n;

	*f = (struct fixture){ 0 };
	made_plan(&fake, &f->made);
	CHECK(f->made.plan.chosen != NULL);
	n = program_waits(f->made.plan.chosen, &f->waits);
	f->counts = counts_new(f->waits, n);
	feed(f, "maps %" PRIu64, 10 * S);
	feed(f, "maps end");
	feed(f, "maps %" PRIu64, 12 * S);
	feed(f, "@s_n[%" PRId64 ", %d]: 24862", key_a, line_of(f, n, "ple", "svm"));
	feed(f, "@s_boost[%" PRId64 ", %d]: 771", key_a, line_of(f, n, "ple", "svm"));
	feed(f, "@s_time[1]: (%" PRId64 ", 0, 11500000000, 13000000000, 1250000000, 0, 0, 0, 250000000, 0, 0)", key_a);
	feed(f, "@s_n[%" PRId64 ", %d]: 7", key_b, line_of(f, n, "hlt", "kvm"));
	feed(f, "@s_n[%" PRId64 ", %d]: 3", key_b, line_of(f, n, "pv_yield", "kvm"));
	feed(f, "@s_hist[%" PRId64 ", 9]: 4", key_b);
	feed(f, "@s_hist[%" PRId64 ", 20]: 2", key_b);
	feed(f, "@s_halt[%" PRId64 "]: (11000000000, 0, 2000000, 0, 4, 2, 0)", key_b);
	feed(f, "@s_time[2]: (%" PRId64 ", 3, 11000000000, 13000000000, 992000000, 1000000, 7000000, 0, 0, 0, 3000000)", key_b);
	feed(f, "maps end");
	origin_of_plan(&f->made.plan, &f->origin);
	f->report = (struct counts_report){
		.origin = &f->origin,
		.names = vmnames_new("/nonexistent"),
		.labels = vm_labels_new(),
		.rows = &f->rows,
		.by = COUNTS_BY_VM | COUNTS_BY_VCPU,
	};
}

static void fixture_done(struct fixture *f)
{
	vmnames_free(f->report.names);
	vm_labels_free(f->report.labels);
	origin_done(&f->origin);
	counts_rows_done(&f->rows);
	counts_free(f->counts);
	free(f->waits);
	made_done(&f->made);
}

/* The text of a form; the caller frees. */
static char *written(struct fixture *f, const char *format)
{
	const struct counts_format *form = counts_format_find(format);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	counts_rows_done(&f->rows);
	if (form->counters)
		counts_cumulative(f->counts, f->report.by, &f->rows);
	else
		counts_interval(f->counts, f->report.by, &f->rows);
	if (form->begin)
		form->begin(out, &f->report);
	form->write(out, &f->report);
	fclose(out);
	return text;
}

/* Both VMs called web have their process id, also in a later report that has only one of them. */
static void shared_names(void)
{
	struct counts_row items[] = {
		{ .pid = 101, .vm = "web", .event = "", .source = "", .waits = 1, .ple = 1, .n_vcpus = 1 },
		{ .pid = 102, .vm = "web", .event = "", .source = "", .waits = 1, .ple = 1, .n_vcpus = 1 },
		{ .pid = 103, .vm = "db", .event = "", .source = "", .waits = 1, .ple = 1, .n_vcpus = 1 },
	};
	struct counts_rows rows = { .items = items, .n = ARRAY_SIZE(items), .from_ns = S, .until_ns = 2 * S };
	CLEANUP_FREE char *text = NULL;
	struct fixture f;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fixture_make(&f);
	f.report.rows = &rows;
	f.report.by = COUNTS_BY_VM;
	counts_format_find("table")->write(out, &f.report);
	rows.n = 1;
	counts_format_find("table")->write(out, &f.report);
	f.report.by = COUNTS_BY_EVENT;
	counts_format_find("json")->write(out, &f.report);
	f.report.by = COUNTS_BY_VM;
	counts_format_find("json")->write(out, &f.report);
	fclose(out);
	CHECK_HAS(text, "\nweb (101)   ");
	CHECK_HAS(text, "\nweb (102)   ");
	CHECK_HAS(text, "\ndb          ");
	CHECK_HAS(strstr(text, "\ndb "), "\nweb (101)   ");
	CHECK_HAS(text, "\"vm\":\"web\",\"pid\":101");
	CHECK(!strstr(text, "\nweb  "));
	fixture_done(&f);
}

static void table(void)
{
	struct fixture f;
	CLEANUP_FREE char *plain = NULL, *account = NULL, *host = NULL, *small = NULL, *events = NULL, *narrow = NULL;

	fixture_make(&f);
	plain = written(&f, "table");
	CHECK_HAS(plain, "  2.0 s  lost 0\n");
	CHECK_HAS(plain, "\n4194000             0    12 431     3.1         0      -     0.0         -         -         -         0       -   12.5\n");
	CHECK_HAS(plain, "\n4194000             1         0       -       3.5   66.7    50.0         1     1 762     2 000       1.5     0.0    0.0\n");
	f.report.has_account = true;
	account = written(&f, "table");
	CHECK_HAS(account, " run%  spin%  poll%  halt% ready%  host%     ple/s ");
	CHECK_HAS(account, "\n4194000             0   87.5    0.0    0.0    0.0   12.5    0.0    12 431     3.1         0       -    0.0 ");
	CHECK_HAS(account, "\n4194000             1   49.6    0.1    0.3   50.0    0.0    0.0         0       -       3.5    66.7    0.2 ");
	f.report.by = COUNTS_BY_HOST;
	host = written(&f, "table");
	CHECK_HAS(host, "\nHOST   run% ");
	CHECK_HAS(host, "\nall    68.6 "); /* 68.55 and 0.025 and 0.175 and 25 and 6.25 */
	f.report.has_account = false;
	f.report.by = COUNTS_BY_EVENT | COUNTS_BY_SOURCE;
	events = written(&f, "table");
	CHECK_HAS(events, "\nEVENT    SOURCE         COUNT     RATE/s  boost%\n");
	CHECK_HAS(events, "\nple      svm           24 862     12 431     3.1\n");
	f.report.by = COUNTS_BY_VM | COUNTS_BY_VCPU;
	f.report.max_lines = 4;
	small = written(&f, "table");
	CHECK_HAS(small, "\n... 2 more\n");
	f.report.max_lines = 24;
	f.report.max_columns = 20;
	narrow = written(&f, "table");
	for (const char *p = narrow; *p; p += strcspn(p, "\n") + 1)
		CHECK(strcspn(p, "\n") <= 20);
	fixture_done(&f);
}

static void json(void)
{
	struct fixture f;
	CLEANUP_FREE char *text = NULL, *events = NULL;
	json_t *object, *rows, *row;

	fixture_make(&f);
	f.report.hist = true;
	f.report.has_account = true;
	text = written(&f, "json");
	object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	CHECK_INT(json_integer_value(json_object_get(object, "ns")), 2 * S);
	CHECK(json_is_false(json_object_get(object, "total")));
	rows = json_object_get(object, "rows");
	CHECK_INT(json_array_size(rows), 2);
	row = json_array_get(rows, 1);
	CHECK_STR(json_string_value(json_object_get(row, "vm")), "4194000");
	CHECK_INT(json_integer_value(json_object_get(row, "vcpu")), 1);
	CHECK_INT(json_integer_value(json_object_get(row, "halted_ns")), S);
	CHECK_INT(json_integer_value(json_object_get(row, "polled")), 4);
	CHECK_INT(json_array_size(json_object_get(row, "hist")), 2);
	CHECK_INT(json_integer_value(json_object_get(row, "poll_ns")), 7000000);
	CHECK_INT(json_integer_value(json_object_get(row, "poll_paid_ns")), 3000000);
	CHECK_INT(json_integer_value(json_object_get(row, "poll_wasted_ns")), 4000000);
	CHECK_INT(json_integer_value(json_object_get(row, "halt_ns")), S);
	CHECK_INT(json_integer_value(json_object_get(row, "wall_ns")), 2 * S);
	CHECK_INT(json_integer_value(json_object_get(json_array_get(json_object_get(row, "hist"), 1), "from_ns")), 1048576);
	json_decref(object);
	f.report.by = COUNTS_BY_SOURCE;
	events = written(&f, "json");
	CHECK_HAS(events, "\"by\":[\"source\"],\"rows\":[{\"source\":\"kvm\",\"waits\":10,\"boosted\":0},{\"source\":\"svm\",\"waits\":24862,\"boosted\":771}]}\n");
	fixture_done(&f);
}

static void csv(void)
{
	struct fixture f;
	CLEANUP_FREE char *text = NULL, *events = NULL;

	fixture_make(&f);
	text = written(&f, "csv");
	CHECK_HAS(text, "ts,ns,total,vm,pid,vcpu,waits,boosted,ple,");
	CHECK_HAS(text, "\n12000000000,2000000000,0,\"4194000\",4194000,0,24862,771,24862,771,0,0,0,");
	f.report.by = COUNTS_BY_VCPU | COUNTS_BY_EVENT;
	events = written(&f, "csv");
	CHECK_HAS(events, "ts,ns,total,vcpu,event,waits,boosted\n12000000000,2000000000,0,0,ple,24862,771\n");
	fixture_done(&f);
}

static void openmetrics(void)
{
	struct fixture f;
	CLEANUP_FREE char *text = NULL, *plain = NULL, *events = NULL, *alone = NULL;

	fixture_make(&f);
	f.report.no_outcomes = true;
	alone = written(&f, "openmetrics");
	CHECK(!strstr(alone, "halt") && !strstr(alone, "ready") && !strstr(alone, "boost"));
	CHECK_HAS(alone, "# EOF\n");
	f.report.no_outcomes = false;
	f.report.hist = true;
	f.report.has_account = true;
	text = written(&f, "openmetrics");
	CHECK_HAS(text, "# TYPE kvmwait_state_seconds counter\n");
	CHECK_HAS(text, "\nkvmwait_state_seconds_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"0\",state=\"ready\"} 0.250000000\n");
	CHECK_HAS(text, "\nkvmwait_polled_seconds_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"1\",result=\"wasted\"} 0.004000000\n");
	CHECK_HAS(text, "# TYPE kvmwait_halted_seconds counter\n# UNIT kvmwait_halted_seconds seconds\n");
	CHECK(!strstr(text, "TYPE kvmwait_halted_seconds_total"));
	CHECK_HAS(text, "\nkvmwait_halted_seconds_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"1\"} 1.000000000\n");
	CHECK_HAS(text, "\nkvmwait_halt_seconds_bucket{vm=\"4194000\",pid=\"4194000\",vcpu=\"1\",le=\"0.000001024\"} 4\n");
	CHECK_HAS(text, ",vcpu=\"1\",le=\"+Inf\"} 6\n");
	CHECK(strlen(text) > 6 && !strcmp(text + strlen(text) - 6, "# EOF\n"));
	plain = written(&f, "prometheus");
	CHECK_HAS(plain, "# TYPE kvmwait_halted_seconds_total counter\n");
	CHECK_HAS(plain, "# HELP kvmwait_halted_seconds_total Time halted.\n");
	CHECK_HAS(plain, "\nkvmwait_halted_seconds_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"1\"} 1.000000000\n");
	CHECK(!strstr(plain, "# UNIT"));
	f.report.by |= COUNTS_BY_EVENT | COUNTS_BY_SOURCE;
	events = written(&f, "openmetrics");
	CHECK_HAS(events, "\nkvmwait_waits_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"0\",event=\"ple\",source=\"svm\"} 24862\n");
	CHECK(!strstr(events, "boosts_total{vm=\"4194000\",pid=\"4194000\",vcpu=\"1\",event=\"hlt\""));
	fixture_done(&f);
}

static void sorted(void)
{
	struct fixture f;

	fixture_make(&f);
	counts_interval(f.counts, f.report.by, &f.rows);
	counts_rows_sort(&f.rows, counts_column_find("halted"));
	CHECK_INT(f.rows.items[0].vcpu, 1);
	counts_rows_sort(&f.rows, counts_column_find("ready"));
	CHECK_INT(f.rows.items[0].vcpu, 0);
	CHECK(!counts_column_find("none") && !counts_format_find("perfetto"));
	CHECK_INT(counts_by_bit("source"), COUNTS_BY_SOURCE);
	CHECK_INT(counts_by_bit(""), 0);
	fixture_done(&f);
}

/* The marks of the part are all replaced, and the clause that waits for an interval comes and goes. */
static void program(void)
{
	struct fixture f;
	struct script script;
	struct verdict part = { .script = &script };
	struct program p;
	CLEANUP_FREE char *without = NULL, *with = NULL, *text = NULL, *error = NULL;
	size_t size;

	fixture_make(&f);
	CHECK_INT(file_read("scripts/stat.part", 1 << 20, &text, &size), 0);
	CHECK_INT(script_parse("stat.part", text, size, &script, &error), 0);
	part.needs = xcalloc(script.n_needs, sizeof(*part.needs));
	p = (struct program){ .script = f.made.plan.chosen, .parts = { &part }, .n_parts = 1 };
	without = program_render(&p);
	CHECK(!strstr(without, "printf(\"w ") && !strstr(without, "interval:ms:") && !strstr(without, "WAIT\n"));
	CHECK_HAS(without, "$line = (int64)0;\n\t$event = (int64)2;\n"); /* the first event is a hlt, whose bit is 2 */
	CHECK_HAS(without, "$line = (int64)3;\n\t\t$event = (int64)1;\n");
	CHECK_HAS(without, "\t$f = $f | (($line + 1) << 16);\n");
	CHECK(!strstr(without, "\tMOVE\n") && !strstr(without, "\nMOVE\n"));
	p.interval_ms = 250;
	with = program_render(&p);
	CHECK_HAS(with, "\ninterval:ms:31\n{\n\t$now = (int64)nsecs;\n");
	CHECK_HAS(with, "/ (uint64)250000000;\n");
	CHECK_HAS(with, "\n\t\tprint(@s_time);\n");
	free(part.needs);
	script_done(&script);
	fixture_done(&f);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "table", table },	  { "shared_names", shared_names },
			  { "json", json },	{ "csv", csv }, { "openmetrics", openmetrics },
		{ "sorted rows", sorted }, { "the program", program },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
