// SPDX-License-Identifier: Apache-2.0
// The list of tracepoints: what is refused, templates, conditions; the frames of lines.
#include "unit.h"

#include "record/trace_line.h"
#include "record/trace_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void is_refused(const char *text, const char *expected)
{
	struct trace_rules rules;
	char *error = NULL;

	CHECK_INT(trace_rules_parse(text, &rules, &error), -EINVAL);
	CHECK_STR(error, expected);
	free(error);
}

static void refuses_what_has_no_form(void)
{
	is_refused("x\n", "tracepoints.list, line 1: not TRACEPOINT | WHAT | ..., nor thread-name | TEMPLATE");
	is_refused("# x\n\nthread-name | {\n", "tracepoints.list, line 3: not TRACEPOINT | WHAT | ..., nor thread-name | TEMPLATE");
	is_refused("a | text | {x}{y}\n", "tracepoints.list, line 1: '{x}{y}' is no template");
	is_refused("a | text | {x\n", "tracepoints.list, line 1: '{x' is no template");
	is_refused("a | text | x}\n", "tracepoints.list, line 1: 'x}' is no template");
	is_refused("a | text | {x y}\n", "tracepoints.list, line 1: '{x y}' is no template");
	is_refused("a | fields | x\n", "tracepoints.list, line 1: 'x' is not NAME=FIELD");
	is_refused("a | fields | x=\n", "tracepoints.list, line 1: 'x=' is not NAME=FIELD");
	is_refused("a | jump | x=1\n", "tracepoints.list, line 1: 'jump' is neither text, fields, escaped, optional nor a step");
	is_refused("a | wait hlt\n", "tracepoints.list, line 1: 'wait hlt' is not 'wait EVENT SOURCE' or a step alone");
	is_refused("a | entry now\n", "tracepoints.list, line 1: 'entry now' is not 'wait EVENT SOURCE' or a step alone");
	is_refused("a | wait nap kvm | x=1 | y\n", "tracepoints.list, line 1: 'wait nap kvm' is no event with its source");
	is_refused("a | wait hlt kvm | x=1\n", "tracepoints.list, line 1: a wait has to say why it is inferred");
	is_refused("a | entry | x\n", "tracepoints.list, line 1: 'x' is not NAME[&MASK]=VALUE[,VALUE]...");
	is_refused("a | entry | x&z=1\n", "tracepoints.list, line 1: 'x&z=1' is not NAME[&MASK]=VALUE[,VALUE]...");
	is_refused("a | entry | x=\n", "tracepoints.list, line 1: 'x=' is not NAME[&MASK]=VALUE[,VALUE]...");
	is_refused("a | wait hlt kvm | x=1 | y | z\n", "tracepoints.list, line 1: it has too many columns");
}

static struct view piece(const char *text)
{
	return (struct view){ text, strlen(text) };
}

static const char *source_of(const struct trace_rules *rules, const char *text)
{
	const struct tracepoint *point = trace_rules_find(rules, piece("a"));
	struct trace_values values;
	const struct trace_rule *rule = trace_point_read(point, piece(text), &values) ? trace_point_rule(point, &values) : NULL;

	return rule ? rule->source : "none";
}

static void conditions_hold(void)
{
	struct trace_rules rules;
	char *error = NULL;

	CHECK_INT(trace_rules_parse("a | text | n {n} t {t} x\na | text | n {n}\n"
				    "a | wait hlt both | n&0xff=7 t=-,go | y\na | wait hlt word | t=stop,0x10 | y\n", &rules, &error), 0);
	CHECK_STR(source_of(&rules, "n 7 t go x y"), "both");
	CHECK_STR(source_of(&rules, "n 0x107 t go x"), "both");
	CHECK_STR(source_of(&rules, "n 7"), "both");
	CHECK_STR(source_of(&rules, "n 8"), "none");
	CHECK_STR(source_of(&rules, "n 8 t stop x"), "word");
	CHECK_STR(source_of(&rules, "n 7 t 16 x"), "word");
	CHECK_STR(source_of(&rules, "n 7 t sto x"), "none");
	CHECK_STR(source_of(&rules, "m 7"), "none");
	CHECK(!trace_rules_find(&rules, piece("b")));
	trace_rules_done(&rules);
}

/* Of several places where a name could end, the last is the one from which the rest fits. */
static void names_hold_anything(void)
{
	const char *template = "comm={*} pid={thread} prio=";
	struct trace_values values;
	uint64_t tid = 0;

	CHECK(trace_template_read(template, piece("comm=a pid=1 prio=2 pid=34 prio=120"), &values));
	CHECK(trace_value_number(&values, "thread", &tid));
	CHECK_U64(tid, 34);
	CHECK(trace_template_read(template, piece("comm= pid=5 prio="), &values));
	CHECK(!trace_template_read(template, piece("comm=a pid=5"), &values));
	CHECK(!trace_value_number(&values, "cpu", &tid));
}

static void numbers_are_strict(void)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} rows[] = {
		{ "18446744073709551615", true, UINT64_MAX }, { "18446744073709551616", false, 0 }, { "-1", true, UINT64_MAX },
		{ "0xffffffffffffffff", true, UINT64_MAX },   { "0x10000000000000000", false, 0 }, { "0x", false, 0 },
		{ "0xg", false, 0 },			      { "9007199254740993", true, UINT64_C(9007199254740993) }, { "7x", false, 0 },
	};
	struct trace_values values;
	uint64_t value;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK(trace_template_read("{n}", piece(rows[i].text), &values));
		CHECK(trace_value_number(&values, "n", &value) == rows[i].good);
		if (rows[i].good)
			CHECK_U64(value, rows[i].value);
	}
}

static void frames_are_read(void)
{
	static const struct {
		const char *line;
		enum trace_line_kind kind;
		uint64_t number; /* ts or how many were lost */
	} rows[] = {
		{ "  a b-7 [001] d..1. 1.000002: e: x", TRACE_LINE_EVENT, 1000002000 },
		{ "  a b 7 [001] 1.000000002: s:e: x", TRACE_LINE_EVENT, 1000000002 },
		{ "  a-7 (-----) [001] .... 1.000002: e: x", TRACE_LINE_EVENT, 1000002000 },
		{ "  a-7 [001] 1.000002: e:", TRACE_LINE_EVENT, 1000002000 },
		{ "  a-7 [001] 1.00002: e: x", TRACE_LINE_OTHER, 0 },
		{ "  a-7 [001] 9223372036854775808.000002: e: x", TRACE_LINE_OTHER, 0 },
		{ "  a-4294967296 [001] 1.000002: e: x", TRACE_LINE_OTHER, 0 },
		{ "  a-7 [001 1.000002: e: x", TRACE_LINE_OTHER, 0 },
		{ "  a-7 [001] 1.000002: e", TRACE_LINE_OTHER, 0 },
		{ "CPU:1 [LOST 42 EVENTS]", TRACE_LINE_LOST, 42 },
		{ "CPU:1 [42 EVENTS DROPPED]", TRACE_LINE_LOST, 42 },
		{ "CPU:1 [EVENTS DROPPED]", TRACE_LINE_LOST, 0 },
		{ "# lost 42 events", TRACE_LINE_LOST, 42 },
		{ "# entries-in-buffer/entries-written: 8/50   #P:1", TRACE_LINE_LOST, 42 },
		{ "# entries-in-buffer/entries-written: 50/50   #P:1", TRACE_LINE_OTHER, 0 },
		{ "", TRACE_LINE_OTHER, 0 },
		{ "-", TRACE_LINE_OTHER, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trace_event e;
		uint64_t lost = 0;

		CHECK_INT(trace_line_read(rows[i].line, strlen(rows[i].line), &e, &lost), rows[i].kind);
		if (rows[i].kind == TRACE_LINE_LOST)
			CHECK_U64(lost, rows[i].number);
		if (rows[i].kind == TRACE_LINE_EVENT)
			CHECK_U64(e.ts_ns, rows[i].number);
	}
}

static void reads_its_own_list(void)
{
	struct trace_rules rules = { 0 };
	char *error = NULL;

	CHECK_INT(trace_rules_load("scripts", &rules, &error), 0);
	CHECK(rules.n_points >= 10 && rules.threads.n >= 3);
	trace_rules_done(&rules);
	CHECK_INT(trace_rules_load("nowhere", &rules, &error), -ENOENT);
	CHECK_HAS(error, "cannot read 'nowhere/tracepoints.list'");
	free(error);
}

static const struct unit_test tests[] = {
	{ "refuses_what_has_no_form", refuses_what_has_no_form },
	{ "conditions_hold", conditions_hold },
	{ "names_hold_anything", names_hold_anything },
	{ "numbers_are_strict", numbers_are_strict },
	{ "frames_are_read", frames_are_read },
	{ "reads_its_own_list", reads_its_own_list },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
