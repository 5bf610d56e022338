// SPDX-License-Identifier: Apache-2.0
// Tests of helper/plan/script.c: headers of scripts, and each way in which one can be wrong.
#include "unit.h"

#include "base/text.h"
#include "plan/script.h"
#include "record/event.h"

/* A whole header, one key a line. Tests take it as it is, or with a line set otherwise. */
static const char *const header[] = {
	"#!/usr/bin/env bpftrace",
	"// SPDX-License-Identifier: Apache-2.0",
	"//",
	"// Where vCPUs wait, on a made-up kernel.",
	"// A second line.",
	"//@ format: 2",
	"//@ arch: x86_64",
	"//@ range: 5.17..6.8",
	"//@ module: kvm",
	"//@ vendor svm: kvm_amd",
	"//@ vendor vmx: kvm_intel",
	"//@ need vcpu: member kvm_vcpu.stat.exits",
	"//@ need halt: func kvm_emulate_halt|kvm_halt(kvm_vcpu *, bool)",
	"//@ need xen: func kvm_xen_hypercall(kvm_vcpu *) if kvm_xen_hvm_set_attr",
	"//@ need any: func kvm_any",
	"//@ need older: no-func kvm_emulate_halt_noskip",
	"//@ need exit: tracepoint kvm:kvm_exit exit_reason vcpu_id",
	"//@ need gone: tracepoint sched:sched_process_exit",
	"//@ exact ple svm,vmx: any vcpu",
	"//@ exact hlt kvm: halt vcpu older",
	"//@ inferred hlt kvm: exit | exits of a nested guest, too",
	"//@ exact pv_yield xen: xen gone | resting on two",
	"//@ cost: one kprobe an event",
	"BEGIN",
	"{",
	"}",
};

/*
 * The header with the one line that begins with `start` replaced (left out where the replacement is NULL; put at
 * the end where start is NULL). The caller frees.
 */
static char *text_with(const char *start, const char *replacement)
{
	struct strings lines = { 0 };
	size_t n_hits = 0;
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(header); i++) {
		bool hit = start && starts_with(header[i], start);

		n_hits += hit;
		if (!hit)
			strings_add(&lines, header[i]);
		else if (replacement)
			strings_add(&lines, replacement);
	}
	if (!start)
		strings_add(&lines, replacement);
	else
		CHECK_INT(n_hits, 1);
	strings_add(&lines, "");
	text = strings_join(&lines, "\n");
	strings_done(&lines);
	return text;
}

static int parse(const char *text, size_t size, struct script *ret, char **ret_error)
{
	CLEANUP_FREE char *exact = unit_exact(text, size);

	*ret_error = NULL;
	return script_parse("made-up.bt", exact, size, ret, ret_error);
}

static void check_error(int line, const char *start, const char *replacement, const char *part)
{
	CLEANUP_FREE char *text = text_with(start, replacement);
	CLEANUP_FREE char *error = NULL;
	struct script s = { 0 };
	int err = parse(text, strlen(text), &s, &error);

	if (err >= 0)
		unit_fail(__FILE__, line, "taken: <%s>", replacement ? replacement : start);
	CHECK_HAS(error, "made-up.bt");
	if (!strstr(error, part))
		unit_fail(__FILE__, line, "<%s> has no <%s>", error, part);
	CHECK(!s.name); /* untouched on failure */
}
#define CHECK_ERROR(start, replacement, part) check_error(__LINE__, start, replacement, part)

static void check_good(int line, const char *start, const char *replacement, struct script *ret)
{
	CLEANUP_FREE char *text = text_with(start, replacement);
	CLEANUP_FREE char *error = NULL;

	if (parse(text, strlen(text), ret, &error))
		unit_fail(__FILE__, line, "not taken: %s", error);
}
#define CHECK_GOOD(start, replacement, ret) check_good(__LINE__, start, replacement, ret)

static void check_list(const struct strings *list, const char *expected)
{
	CLEANUP_FREE char *all = strings_join(list, " ");

	CHECK_STR(all, expected);
}

static void check_need(const struct script *s, size_t i, const char *id, enum need_kind kind, const char *names, const char *args,
		       const char *marker, const char *fields)
{
	CHECK(i < s->n_needs);
	CHECK_STR(s->needs[i].id, id);
	CHECK_INT(s->needs[i].kind, kind);
	check_list(&s->needs[i].names, names);
	CHECK_STR(s->needs[i].args, args);
	CHECK_STR(s->needs[i].marker, marker);
	check_list(&s->needs[i].fields, fields);
}

static void check_claim(const struct script *s, size_t i, enum fidelity fidelity, const char *event, const char *sources,
			const char *needs, const char *note)
{
	struct strings ids = { 0 };

	CHECK(i < s->n_claims);
	for (size_t k = 0; k < s->claims[i].n_needs; k++)
		strings_add(&ids, s->needs[s->claims[i].needs[k]].id);
	CHECK_INT(s->claims[i].fidelity, fidelity);
	CHECK_STR(s->claims[i].event, event);
	check_list(&s->claims[i].sources, sources);
	check_list(&ids, needs);
	CHECK_STR(s->claims[i].note, note);
	strings_done(&ids);
}

static void good_header(void)
{
	CLEANUP_FREE char *text = text_with("//@ format", "//@ format: 2");
	struct script s;

	CHECK_GOOD("//@ format", "//@ format: 2", &s);
	CHECK_STR(s.name, "made-up.bt");
	CHECK_STR(s.text, text);
	CHECK_INT(s.size, strlen(text));
	CHECK_STR(s.purpose, "Where vCPUs wait, on a made-up kernel.");
	CHECK_INT(s.archs.n, 1);
	CHECK_STR(s.archs.items[0], "x86_64");
	CHECK_STR(s.range, "5.17..6.8");
	CHECK(s.from.major == 5 && s.from.minor == 17 && s.has_until && s.until.major == 6 && s.until.minor == 8);
	CHECK_STR(s.module, "kvm");
	CHECK_STR(s.cost, "one kprobe an event");
	CHECK_INT(s.n_vendors, 2);
	CHECK_STR(s.vendors[0].source, "svm");
	CHECK_STR(s.vendors[0].module, "kvm_amd");
	CHECK_STR(s.vendors[1].source, "vmx");
	CHECK_STR(s.vendors[1].module, "kvm_intel");
	CHECK_INT(s.n_needs, 7);
	check_need(&s, 0, "vcpu", NEED_MEMBER, "kvm_vcpu.stat.exits", NULL, NULL, "");
	check_need(&s, 1, "halt", NEED_FUNC, "kvm_emulate_halt kvm_halt", "kvm_vcpu *, bool", NULL, "");
	check_need(&s, 2, "xen", NEED_FUNC, "kvm_xen_hypercall", "kvm_vcpu *", "kvm_xen_hvm_set_attr", "");
	check_need(&s, 3, "any", NEED_FUNC, "kvm_any", NULL, NULL, "");
	check_need(&s, 4, "older", NEED_NO_FUNC, "kvm_emulate_halt_noskip", NULL, NULL, "");
	check_need(&s, 5, "exit", NEED_TRACEPOINT, "kvm:kvm_exit", NULL, NULL, "exit_reason vcpu_id");
	check_need(&s, 6, "gone", NEED_TRACEPOINT, "sched:sched_process_exit", NULL, NULL, "");
	CHECK_INT(s.n_claims, 4);
	check_claim(&s, 0, FIDELITY_EXACT, "ple", "svm vmx", "any vcpu", NULL);
	check_claim(&s, 1, FIDELITY_EXACT, "hlt", "kvm", "halt vcpu older", NULL);
	check_claim(&s, 2, FIDELITY_INFERRED, "hlt", "kvm", "exit", "exits of a nested guest, too");
	check_claim(&s, 3, FIDELITY_EXACT, "pv_yield", "xen", "xen gone", "resting on two");
	script_done(&s);
	script_done(&s); /* twice is fine */
}

/* The hash is of the bytes; this one was made with sha256sum. */
static void hash(void)
{
	static const char text[] = "//@ format: 2\n//@ arch: x\n//@ range: 1.0..\n//@ module: m\n//@ need a: func f\n"
				   "//@ exact hlt kvm: a\n//@ cost: none\n";
	CLEANUP_FREE char *error = NULL;
	struct script s;

	CHECK_INT(parse(text, strlen(text), &s, &error), 0);
	CHECK_STR(s.sha256, "3939a8372bda2e36e869d943c8b24be262f82c133780dc4e1b5a282891fdf726");
	CHECK(!s.has_until && s.from.major == 1 && s.from.minor == 0);
	CHECK(!s.purpose && !s.n_vendors);
	script_done(&s);
	CHECK_INT(parse(text, strlen(text) - 1, &s, &error), 0); /* no newline at the end */
	CHECK_STR(s.cost, "none");
	script_done(&s);
}

static void missing_keys(void)
{
	static const char no_claim[] = "//@ format: 2\n//@ arch: x\n//@ range: 1.0..\n//@ module: m\n//@ cost: none\n";
	CLEANUP_FREE char *error = NULL;
	struct script s;

	CHECK_ERROR("//@ format", NULL, "'format'");
	CHECK_ERROR("//@ arch", NULL, "'arch'");
	CHECK_ERROR("//@ range", NULL, "'range'");
	CHECK_ERROR("//@ module", NULL, "'module'");
	CHECK_ERROR("//@ cost", NULL, "'cost'");
	CHECK(parse("", 0, &s, &error) < 0);
	free(error);
	CHECK(parse(no_claim, strlen(no_claim), &s, &error) < 0);
	CHECK_HAS(error, "exact or inferred");
	CHECK_GOOD("//@ vendor svm", NULL, &s); /* no vendors: not every machine has two */
	script_done(&s);
}

static void unknown_keys(void)
{
	CHECK_ERROR(NULL, "//@ author: me", "line 27: unknown header key");
	CHECK_ERROR("//@ cost", "//@ costs: none", "unknown header key");
	CHECK_ERROR("//@ cost", "//@ Cost: none", "unknown header key");
	CHECK_ERROR(NULL, "//@ needs a: func f", "unknown header key");
	CHECK_ERROR(NULL, "//@ missing hlt kvm: any", "unknown header key");
	CHECK_ERROR(NULL, "//@ arch x: x86_64", "unknown header key");
	CHECK_ERROR(NULL, "//@ : x", "unknown header key");
}

static void malformed_lines(void)
{
	static const char *const lines[] = { "//@ ", "//@ format", "//@ cost:", "//@ cost: ", "//@ cost:none", "//@ need", "//@ exact", "//@ what?" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		CHECK_ERROR(NULL, lines[i], "malformed header line");
	CHECK_ERROR("//@ arch", "//@ arch:", "line 7: malformed header line: '//@ arch:'");
}

/* Sources that another script may not give, and a script that gives what others lack. */
static void fallbacks(void)
{
	struct script s;

	CHECK_ERROR(NULL, "//@ absent hlt kvm: halt", "malformed"); /* why is not said */
	CHECK_ERROR(NULL, "//@ absent hlt kvm: | they come as ple", "malformed");
	CHECK_ERROR(NULL, "//@ absent hlt kvm: what | they come as ple", "names a need that no line above declares");
	CHECK_GOOD(NULL, "//@ absent hlt kvm: halt | they come as ple", &s);
	CHECK_INT(s.claims[s.n_claims - 1].fidelity, FIDELITY_ABSENT);
	CHECK_STR(s.claims[s.n_claims - 1].note, "they come as ple");
	CHECK(!s.fallback);
	script_done(&s);
	CHECK_ERROR(NULL, "//@ fallback: no", "malformed");
	CHECK_ERROR(NULL, "//@ fallback yes: yes", "unknown header key");
	CHECK_ERROR(NULL, "//@ part: more\n//@ fallback: yes", "malformed");
	CHECK_GOOD(NULL, "//@ fallback: yes", &s);
	CHECK(s.fallback);
	script_done(&s);
}

/* What is costly to print as bytes, and where it lies. */
static void events(void)
{
	static const char *const bad[] = {
		"event", "event hlt", "event hlt ", "event hlt  kvm", "event halt kvm", "event hlt kvm,", "event hlt ,kvm", "event hlt kvm, svm",
		"event hlt KVM", "event hlt kvm;", "event hlt 0123456789abcdef", "event hlt a,b,c,d,e", "event hlt kvm\n\t//@ event hlt kvm",
		"event hlt kvm\n\t//@ filter", "event hlt kvm\n}",
	};
	struct script s;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *lines = xasprintf("\t//@ %s", bad[i]);

		CHECK_ERROR(NULL, lines, "malformed event");
	}
	CHECK_GOOD(NULL, "\t//@ event hlt kvm\n\t//@ end\n\t//@ event hlt a,b,c,d (int64)arg1\n\t//@ end\n\t//@ event pv_yield kvm a, b\n\t//@ end", &s);
	script_done(&s);
	CHECK_ERROR(NULL, "//@ event hlt kvm", "malformed header line"); /* in the first column */
	CHECK_ERROR(NULL, "//@ append: %llx | $ip", "malformed");     /* of parts alone */
	CHECK_ERROR(NULL, "//@ append spin: %llx | $ip", "malformed");
	CHECK_ERROR(NULL, "//@ quick buf(x, 16): here lies", "unknown header key");
}

static void other_formats(void)
{
	CHECK_ERROR("//@ format", "//@ format: 1", "another kvmwait");
	CHECK_ERROR("//@ format", "//@ format: 0", "another kvmwait");
	CHECK_ERROR(NULL, "//@ wire: 1", "unknown header key");
	CHECK_ERROR("//@ format", "//@ format: 2.0", "malformed");
	CHECK_ERROR("//@ format", "//@ format: one", "malformed");
	CHECK_ERROR("//@ format", "//@ format: -1", "malformed");
	CHECK_ERROR("//@ format", "//@ format: 18446744073709551618", "malformed");
}

static void twice(void)
{
	CHECK_ERROR(NULL, "//@ arch: x86_64", "malformed");
	CHECK_ERROR(NULL, "//@ range: 5.17..", "malformed");
	CHECK_ERROR(NULL, "//@ module: kvm", "malformed");
	CHECK_ERROR(NULL, "//@ cost: none", "malformed");
	CHECK_ERROR(NULL, "//@ need halt: func other", "malformed");
	CHECK_ERROR(NULL, "//@ need gone: member a.b", "malformed");
}

static void ranges(void)
{
	static const char *const bad[] = { "5.17", "..", "..6.8", "5.17.6.8", "5.17...6.8", "a..b", "5.17..b", "-5..6", "6.8..5.17", "5.17..5.17",
					   "5.17 .. 6.8", "10000.1..", "5.99999..", "5.17..6.8..7.0", "v5.17..", "5.17..6.8x", "5.17-rc1.." };
	static const struct {
		const char *text;
		unsigned int major, minor;
	} good[] = { { "5.3..5.14", 5, 3 }, { "6..", 6, 0 }, { "10.0..", 10, 0 }, { "5.9..5.10", 5, 9 } };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *line = xasprintf("//@ range: %s", bad[i]);

		CHECK_ERROR("//@ range", line, "malformed");
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP_FREE char *line = xasprintf("//@ range: %s", good[i].text);
		struct script s;

		CHECK_GOOD("//@ range", line, &s);
		CHECK_STR(s.range, good[i].text);
		CHECK(s.from.major == good[i].major && s.from.minor == good[i].minor);
		script_done(&s);
	}
}

/* Nothing but a kernel's identifiers may come through: these names end up in a program or in a path. */
static void injections(void)
{
	static const char *const needs[] = {
		"func kprobe:foo { system(\"id\") }",
		"func foo { system(\"id\") }",
		"func foo{system(\"id\")}",
		"func foo(kvm_vcpu *) { system(\"id\") }",
		"func foo,kprobe:bar",
		"func foo/1/",
		"func foo;bar",
		"func foo$(id)",
		"func foo`id`",
		"func foo\tbar",
		"func foo bar",
		"func foo bar(kvm_vcpu *)",
		"func foo system(\"id\")",
		"func *",
		"func kvm_*",
		"func kvm_xen_hypercal?",
		"func foo.isra.0",
		"func 1foo",
		"func foo-bar",
		"func ../foo",
		"func f\xc3\xb6o",
		"func foo|bar{}",
		"func |",
		"func (kvm_vcpu *)",
		"func foo(kvm_vcpu *",
		"func foo)kvm_vcpu *(",
		"func foo(kvm_vcpu *))",
		"func foo() if",
		"func foo() if bar baz",
		"func foo() if bar{}",
		"func foo() if 1",
		"func foo() unless bar",
		"func foo() if bar|baz",
		"no-func foo { system(\"id\") }",
		"no-func kprobe:foo",
		"no-func foo|bar",
		"no-func foo(kvm_vcpu *)",
		"no-func foo if bar",
		"no-func",
		"func",
		"member kvm_vcpu",
		"member kvm_vcpu.",
		"member .vcpu_id",
		"member kvm_vcpu..vcpu_id",
		"member kvm_vcpu.vcpu_id.",
		"member kvm_vcpu->vcpu_id",
		"member struct kvm_vcpu.vcpu_id",
		"member kvm_vcpu.regs[0]",
		"member",
		"tracepoint",
		"tracepoint kvm_exit",
		"tracepoint kvm:",
		"tracepoint :kvm_exit",
		"tracepoint kvm::kvm_exit",
		"tracepoint kvm:kvm_exit:x",
		"tracepoint kvm/../../x:y",
		"tracepoint ../kvm:kvm_exit",
		"tracepoint kvm:*",
		"tracepoint kvm:kvm_exit { system(\"id\") }",
		"tracepoint kvm:kvm_exit exit-reason",
		"tracepoint kvm:kvm_exit a,b",
		"kprobe foo",
		"function foo",
		"fun foo",
		"Func foo",
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		CLEANUP_FREE char *line = xasprintf("//@ need new: %s", needs[i]);

		CHECK_ERROR(NULL, line, "malformed");
	}
	CHECK_ERROR(NULL, "//@ need : func foo", "malformed");
	CHECK_ERROR(NULL, "//@ need a-b: func foo", "malformed");
	CHECK_ERROR(NULL, "//@ need a b: func foo", "malformed");
	CHECK_ERROR(NULL, "//@ need: func foo", "unknown header key");
	CHECK_ERROR("//@ module", "//@ module: ../kvm", "malformed");
	CHECK_ERROR("//@ module", "//@ module: kvm intel", "malformed");
	CHECK_ERROR("//@ vendor svm", "//@ vendor svm: kvm-amd", "malformed");
	CHECK_ERROR("//@ vendor svm", "//@ vendor s/m: kvm_amd", "malformed");
	CHECK_ERROR("//@ vendor svm", "//@ vendor svm: ../kvm_amd", "malformed");
}

static void claims(void)
{
	struct script s;

	CHECK_ERROR(NULL, "//@ exact hlt kvm: halt nothing", "names a need that no line above declares");
	CHECK_ERROR(NULL, "//@ inferred hlt kvm: nothing | x", "names a need that no line above declares");
	CHECK_ERROR("//@ need any", NULL, "line 18: names a need that no line above declares"); /* 20, less the one left out */
	CHECK_ERROR(NULL, "//@ inferred hlt kvm: halt", "malformed");
	CHECK_ERROR(NULL, "//@ inferred hlt kvm: halt |", "malformed");
	CHECK_ERROR(NULL, "//@ inferred hlt kvm: halt |  ", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt kvm: | note", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt kvm more: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt ,: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact h-t kvm: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt kv/m: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact hlt kvm,x-y: halt", "malformed");
	CHECK_ERROR(NULL, "//@ exact halt kvm: halt", "malformed"); /* no such event */
	CHECK_ERROR(NULL, "//@ exact: halt", "unknown header key");
	CHECK_ERROR(NULL, "//@ raw: nothing", "names a need that no line above declares");
	CHECK_GOOD(NULL, "//@ raw: xen", &s);
	script_done(&s);
}

static void nul_byte(void)
{
	CLEANUP_FREE char *text = text_with(NULL, "// end");
	CLEANUP_FREE char *error = NULL;
	size_t n = strlen(text);
	struct script s = { 0 };

	text[n - 3] = '\0'; /* all keys stand before it */
	CHECK_INT(parse(text, n, &s, &error), -EINVAL);
	CHECK_HAS(error, "NUL");
	CHECK(!s.name);
	free(error);
	text[n - 3] = 'x';
	CHECK_INT(parse(text, n + 1, &s, &error), -EINVAL); /* as the last byte */
	CHECK_HAS(error, "NUL");
}

/* A header that was cut off is no script, or a whole one whose program was cut. */
static void truncated(void)
{
	CLEANUP_FREE char *text = text_with("//@ format", "//@ format: 2");
	size_t program = (size_t)(strstr(text, "//@ cost: o") + strlen("//@ cost: o") - text);

	for (size_t i = 0; i < strlen(text); i++) {
		CLEANUP_FREE char *error = NULL;
		struct script s = { 0 };
		int err = parse(text, i, &s, &error);

		CHECK_INT(err < 0, i < program);
		CHECK_INT(error != NULL, err < 0);
		script_done(&s);
	}
}

static void versions(void)
{
	static const struct {
		const char *text;
		int err;
		unsigned int major, minor;
	} cases[] = {
		{ "6.12", 0, 6, 12 },
		{ "6.12.107+deb13-amd64", 0, 6, 12 },
		{ "5.10.0-32-cloud-amd64", 0, 5, 10 },
		{ "7.3-rc1", 0, 7, 3 },
		{ "10.0", 0, 10, 0 },
		{ "6", 0, 6, 0 },
		{ "6.x", 0, 6, 0 },
		{ "6.12+", 0, 6, 12 },
		{ "9999.9999", 0, 9999, 9999 },
		{ "10000.1", -EINVAL, 0, 0 },
		{ "6.10000", -EINVAL, 0, 0 },
		{ "99999999999999999999999.1", -EINVAL, 0, 0 },
		{ "x", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ ".6", -EINVAL, 0, 0 },
		{ "-6.1", -EINVAL, 0, 0 },
		{ "+6.1", -EINVAL, 0, 0 },
		{ " 6.1", -EINVAL, 0, 0 },
		{ "v6.1", -EINVAL, 0, 0 },
	};
	static const char *const ascending[] = { "2.6", "3.0", "5.3", "5.9", "5.10", "5.14", "5.17", "6.0", "6.1", "6.12", "7.0", "10.0" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct version v = { 77, 78 };

		CHECK_INT(version_parse(cases[i].text, &v), cases[i].err);
		CHECK_INT(v.major, cases[i].err ? 77 : cases[i].major);
		CHECK_INT(v.minor, cases[i].err ? 78 : cases[i].minor);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++) {
			struct version a, b;

			CHECK_INT(version_parse(ascending[i], &a), 0);
			CHECK_INT(version_parse(ascending[k], &b), 0);
			CHECK_INT((version_compare(a, b) > 0) - (version_compare(a, b) < 0), (i > k) - (i < k));
		}
	}
}

static void names(void)
{
	CHECK_STR(fidelity_name(FIDELITY_ABSENT), "absent");
	CHECK_STR(fidelity_name(FIDELITY_INFERRED), "inferred");
	CHECK_STR(fidelity_name(FIDELITY_EXACT), "exact");
	CHECK_STR(need_kind_name(NEED_FUNC), "func");
	CHECK_STR(need_kind_name(NEED_NO_FUNC), "no-func");
	CHECK_STR(need_kind_name(NEED_MEMBER), "member");
	CHECK_STR(need_kind_name(NEED_TRACEPOINT), "tracepoint");
}

static void directories(void)
{
	CLEANUP_FREE char *text = text_with("//@ format", "//@ format: 2");
	CLEANUP_FREE char *empty = unit_path("empty"), *good = unit_path("good"), *bad = unit_path("bad"), *missing = unit_path("missing");
	CLEANUP_FREE char *error = NULL;
	struct script *scripts;
	size_t n;

	unit_write_text(empty, "README", "no script");
	unit_write_text(good, "b.bt", text);
	unit_write_text(good, "a.bt", text);
	unit_write_text(good, ".hidden.bt", "no script");
	unit_write_text(good, "a.bt~", "no script");
	unit_write_text(good, ".bt", "no script");
	unit_write_text(bad, "a.bt", text);
	unit_write_text(bad, "b.bt", "BEGIN {}");
	CHECK_INT(scripts_load(good, &scripts, &n, &error), 0);
	CHECK_INT(n, 2);
	CHECK_STR(scripts[0].name, "a.bt");
	CHECK_STR(scripts[1].name, "b.bt");
	scripts_free(scripts, n);
	CHECK(!error);
	CHECK(scripts_load(bad, &scripts, &n, &error) < 0);
	CHECK_HAS(error, "b.bt");
	free(error);
	error = NULL;
	CHECK_INT(scripts_load(missing, &scripts, &n, &error), -ENOENT);
	CHECK_HAS(error, missing);
	free(error);
	error = NULL;
	CHECK_INT(scripts_load(empty, &scripts, &n, &error), -ENOENT);
	CHECK_HAS(error, empty);
}

/* The scripts of the tree: whole, and of nothing but the known events and, on x86, their sources. */
static void real_scripts(void)
{
	static const char *const sources[][2] = {
		{ "ple", "svm" }, { "ple", "vmx" }, { "hlt", "kvm" }, { "pv_yield", "kvm" }, { "pv_yield", "hyperv" }, { "pv_yield", "xen" },
	};
	CLEANUP_FREE char *error = NULL;
	struct script *scripts;
	size_t n;

	if (scripts_load("scripts", &scripts, &n, &error))
		unit_fail(__FILE__, __LINE__, "%s", error);
	CHECK(n >= 4);
	for (size_t i = 0; i < n; i++) {
		const struct script *s = &scripts[i];

		CHECK(s->purpose && *s->purpose);
		for (size_t k = 0; k < s->n_claims; k++) {
			CHECK(s->part || event_bit(s->claims[k].event));
			for (size_t m = 0; m < s->claims[k].sources.n; m++) {
				bool known = !strings_have(&s->archs, "x86_64") || s->part;

				for (size_t j = 0; j < ARRAY_SIZE(sources); j++)
					known |= !strcmp(sources[j][0], s->claims[k].event) &&
						 !strcmp(sources[j][1], s->claims[k].sources.items[m]);
				if (!known)
					unit_fail(__FILE__, __LINE__, "%s claims %s %s", s->name, s->claims[k].event,
						  s->claims[k].sources.items[m]);
			}
		}
		for (size_t k = 0; k < s->n_needs; k++) { /* no need is declared in vain */
			bool used = !strcmp(s->needs[k].id, "comm"); /* of the lines of events */

			for (size_t m = 0; m < s->n_claims; m++)
				for (size_t j = 0; j < s->claims[m].n_needs; j++)
					used |= s->claims[m].needs[j] == k;
			if (!used)
				unit_fail(__FILE__, __LINE__, "%s: no claim has the need %s", s->name, s->needs[k].id);
		}
	}
	scripts_free(scripts, n);
}

/* Counters that KVM keeps stand in parts alone, each for one event and source. */
static void counters(void)
{
	static const char head[] = "//@ format: 2\n//@ part: audit\n//@ arch: x86_64\n//@ range: 5.3..\n//@ module: kvm\n"
				   "//@ need any: func f\n//@ exact audit kvm: any\n//@ cost: none\n";
	static const char *const bad[] = {
		"counter hlt: n", "counter hlt kvm more: n", "counter halt kvm: n", "counter hlt kvm: a b c",
		"counter hlt kvm: a/b",	  "counter hlt kvm: ../a", "counter hlt kvm: ", "counter: n",
	};
	CLEANUP_FREE char *text = xasprintf("%s//@ counter hlt kvm: halts\n//@ counter pv_yield kvm: yields kicks\n", head);
	CLEANUP_FREE char *error = NULL;
	struct script s = { 0 };

	if (script_parse("a.part", text, strlen(text), &s, &error))
		unit_fail(__FILE__, __LINE__, "not taken: %s", error);
	CHECK_U64(s.n_counters, 2);
	CHECK_STR(s.counters[0].event, "hlt");
	CHECK_STR(s.counters[0].source, "kvm");
	CHECK_STR(s.counters[0].name, "halts");
	CHECK_STR(s.counters[0].map, NULL);
	CHECK_STR(s.counters[1].name, "yields");
	CHECK_STR(s.counters[1].map, "kicks");
	script_done(&s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *wrong = xasprintf("%s//@ %s\n", head, bad[i]);
		CLEANUP_FREE char *why = NULL;

		if (!script_parse("a.part", wrong, strlen(wrong), &s, &why))
			unit_fail(__FILE__, __LINE__, "taken: %s", bad[i]);
		CHECK_HAS(why, "a.part");
	}
	CHECK_ERROR(NULL, "//@ counter hlt kvm: halts", "malformed");
}

static const struct unit_test tests[] = {
	{ "counters", counters },
	{ "good_header", good_header },
	{ "hash", hash },
	{ "missing_keys", missing_keys },
	{ "unknown_keys", unknown_keys },
	{ "malformed_lines", malformed_lines },
	{ "fallbacks", fallbacks },
	{ "events", events },
	{ "other_formats", other_formats },
	{ "twice", twice },
	{ "ranges", ranges },
	{ "injections", injections },
	{ "claims", claims },
	{ "nul_byte", nul_byte },
	{ "truncated", truncated },
	{ "versions", versions },
	{ "names", names },
	{ "directories", directories },
	{ "real_scripts", real_scripts },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
