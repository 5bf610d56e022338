// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/rules.c: the format of share/why.list, and that file held against the schema.
#include "unit.h"

#include "ledger/rules.h"
#include "record/schema.h"

#define RULE(name)                                                                                                               \
	"rule: " name "\nscope: vcpu\nneeds: hlt\nthreshold: ready_ns >= 5 % of wall_ns\nsource: somewhere\nsay: {vcpus}\nnext: nothing\n"

static void what_a_rule_holds(void)
{
	static const char text[] = "# a remark\n\n" RULE("a") "when: culprit.kind = host, hlt >= 7, polled < 12.5 % of hlt\n"
				   "rule: b-c\nscope: run\nneeds: ple, hlt\nthreshold: lost >= 0.01 % of counted\nsource: s\n"
				   "say: {a % of b} and {c}\nnext: n\nsee: DOC.md\n";
	struct rules rules = { 0 };
	struct strings fields = { 0 };
	char *error = NULL;

	CHECK_INT(rules_parse(text, &rules, &error), 0);
	CHECK_U64(rules.n, 2);
	CHECK_STR(rules.items[0].name, "a");
	CHECK_INT(rules.items[0].scope, RULE_VCPU);
	CHECK_U64(rules.items[0].line, 3);
	CHECK_U64(rules.items[0].n_conditions, 3);
	CHECK_STR(rules.items[0].conditions[0].word, "host");
	CHECK_INT(rules.items[0].conditions[0].operator, RULE_IS);
	CHECK_U64(rules.items[0].conditions[1].number, 7);
	CHECK_INT(rules.items[0].conditions[1].operator, RULE_AT_LEAST);
	CHECK(!rules.items[0].conditions[1].of);
	CHECK_U64(rules.items[0].conditions[2].number, 1250);
	CHECK_STR(rules.items[0].conditions[2].of, "hlt");
	CHECK_INT(rules.items[0].conditions[2].operator, RULE_BELOW);
	CHECK(!rules.items[0].see);
	CHECK_INT(rules.items[1].scope, RULE_RUN);
	CHECK_U64(rules.items[1].needs.n, 2);
	CHECK_U64(rules.items[1].threshold.number, 1);
	CHECK_STR(rules.items[1].see, "DOC.md");
	rule_text_fields(rules.items[1].say, &fields);
	CHECK_U64(fields.n, 2);
	CHECK_STR(fields.items[0], "a % of b");
	CHECK_STR(fields.items[1], "c");
	strings_done(&fields);
	rules_done(&rules);
}

static void what_is_refused(void)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "scope: vm\n", "line 1: 'scope': the file begins with 'rule: NAME'" },
		{ "nonsense\n", "line 1: no 'KEY: VALUE'" },
		{ "rule: A\n", "line 1: 'rule': the name of a rule is made of small letters and '-'" },
		{ "rule: \n", "line 1: 'rule': the name of a rule is made of small letters and '-'" },
		{ RULE("a") RULE("a"), "line 8: 'rule': a rule of this name stands above" },
		{ "rule: a\nscope: vm\nrule: b\n", "the rule 'a' has no 'threshold'" },
		{ "rule: a\nscope: vm\n", "the rule 'a' has no 'threshold'" },
		{ "rule: a\nscope: thread\n", "line 2: 'scope': the scope is one of culprit, vcpu, vm, run" },
		{ "rule: a\nscope: vm\nscope: vm\n", "line 3: 'scope': the key stands twice in one rule" },
		{ "rule: a\ncolour: red\n", "line 2: 'colour': unknown key" },
		{ "rule: a\nsay:\n", "line 2: 'say': the value is missing" },
		{ "rule: a\nsay: {hlt\n", "line 2: 'say': a brace is not closed" },
		{ "rule: a\nsay: {hlt {ple}\n", "line 2: 'say': a brace is not closed" },
		{ "rule: a\nthreshold: hlt >= 5\n", "line 2: 'threshold': a threshold is FIELD >= NUMBER % of FIELD" },
		{ "rule: a\nthreshold: hlt < 5 % of ple\n", "line 2: 'threshold': a threshold is FIELD >= NUMBER % of FIELD" },
		{ "rule: a\nwhen: hlt >= -5\n", "line 2: 'when': the number of a condition is invalid" },
		{ "rule: a\nwhen: hlt >= 5.123 % of ple\n", "line 2: 'when': a percentage has at most 4 digits and 2 decimals" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rules rules = { 0 };
		char *error = NULL;

		CHECK_INT(rules_parse(cases[i].text, &rules, &error), -EINVAL);
		CHECK_STR(error, cases[i].error);
		free(error);
	}
}

static void conditions_of_other_forms(void)
{
	static const char *const bad[] = { "hlt", "hlt >= ", "hlt > 5", "Hlt >= 5", "hlt >= 5 of ple", "hlt >= 5 % of", "hlt = a % of b",
					   "hlt >= 5 % of 7", "hlt >= 5 % of ple x" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *text = xasprintf("rule: a\nwhen: %s\n", bad[i]);
		struct rules rules = { 0 };
		char *error = NULL;

		CHECK_INT(rules_parse(text, &rules, &error), -EINVAL);
		CHECK_HAS(error, "line 2: 'when'");
		free(error);
	}
}

static void thresholds_are_replaced(void)
{
	static const char *const bad[] = { "a", "a=", "a=5%", "a=x", "b=5", "=5", "a=99999" };
	struct rules rules = { 0 };
	char *error = NULL;

	CHECK_INT(rules_parse(RULE("a"), &rules, &error), 0);
	CHECK_INT(rules_set_threshold(&rules, "a=0.5", &error), 0);
	CHECK_U64(rules.items[0].threshold.number, 50);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_INT(rules_set_threshold(&rules, bad[i], &error), -EINVAL);
		free(error);
		CHECK_U64(rules.items[0].threshold.number, 50);
	}
	rules_done(&rules);
}

/* ---- the list that is shipped ---- */

static const struct field *find_field(const struct field *fields, const char *path)
{
	size_t n = strcspn(path, ".");

	for (; fields && fields->name; fields++)
		if (strlen(fields->name) == n && !memcmp(fields->name, path, n))
			return path[n] ? find_field(fields->fields, path + n + 1) : fields;
	return NULL;
}

static const struct field *fields_of(enum record_type type, const char *list)
{
	return list ? find_field(record_schemas[type].fields, list)->fields : record_schemas[type].fields;
}

/* Is it a field of the rows that the rule is asked about? */
static bool is_known(enum rule_scope scope, const char *field)
{
	switch (scope) {
	case RULE_CULPRIT:
		return find_field(fields_of(RECORD_BLAME, "rows"), field) || !strcmp(field, "wall_ns");
	case RULE_VCPU:
		return find_field(fields_of(RECORD_STAT, "rows"), field);
	case RULE_VM:
		return find_field(fields_of(RECORD_STAT, "rows"), field) || find_field(fields_of(RECORD_BLAME, "vms"), field);
	default:
		return find_field(fields_of(RECORD_END, NULL), field);
	}
}

static void check_condition(const struct rule *rule, const struct rule_condition *c)
{
	if (!is_known(rule->scope, c->field) || (c->of && !is_known(rule->scope, c->of)))
		unit_fail(__FILE__, __LINE__, "rule %s: no field '%s' or '%s'", rule->name, c->field, c->of ? c->of : "");
}

static void check_text(const struct rule *rule, const char *text)
{
	struct strings fields = { 0 };

	if (text)
		rule_text_fields(text, &fields);
	for (size_t i = 0; i < fields.n; i++) {
		const char *of = strstr(fields.items[i], " % of ");
		CLEANUP_FREE char *part = xstrndup(fields.items[i], of ? (size_t)(of - fields.items[i]) : strlen(fields.items[i]));
		bool own = !strcmp(part, "share") || (!strcmp(part, "vcpus") && rule->scope != RULE_RUN) ||
			   (!strcmp(part, "culprit") && rule->scope == RULE_CULPRIT);

		if ((!own && !is_known(rule->scope, part)) || (of && !is_known(rule->scope, of + strlen(" % of "))))
			unit_fail(__FILE__, __LINE__, "rule %s: no field '%s'", rule->name, fields.items[i]);
	}
	strings_done(&fields);
}

/* Is it an event, or does a part claim it? */
static bool is_measured(const char *need)
{
	static const char *const parts[] = { "scripts/stat.part", "scripts/blame.part" };
	CLEANUP_FREE char *exact = xasprintf("\n//@ exact %s ", need);
	CLEANUP_FREE char *inferred = xasprintf("\n//@ inferred %s ", need);
	bool found = event_bit(need);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		CLEANUP_FREE char *text = NULL;

		CHECK_INT(file_read(parts[i], 1 << 20, &text, NULL), 0);
		found = found || strstr(text, exact) || strstr(text, inferred);
	}
	return found;
}

static void the_list_that_is_shipped(void)
{
	struct rules rules = { 0 };
	char *error = NULL;

	if (rules_load("share/why.list", &rules, &error) && error)
		unit_fail(__FILE__, __LINE__, "%s", error);
	CHECK(rules.n >= 12);
	for (size_t i = 0; i < rules.n; i++) {
		const struct rule *rule = &rules.items[i];
		CLEANUP_FREE char *document = rule->see ? xasprintf("share/doc/%s", rule->see) : NULL;

		for (size_t j = 0; j < rule->n_conditions; j++)
			check_condition(rule, &rule->conditions[j]);
		check_condition(rule, &rule->threshold);
		check_text(rule, rule->say);
		check_text(rule, rule->next);
		CHECK(!document || !access(document, R_OK));
		for (size_t j = 0; j < rule->needs.n; j++)
			if (!is_measured(rule->needs.items[j]))
				unit_fail(__FILE__, __LINE__, "rule %s: nothing measures '%s'", rule->name, rule->needs.items[j]);
	}
	rules_done(&rules);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "what a rule holds", what_a_rule_holds },
		{ "what is refused", what_is_refused },
		{ "conditions of other forms are refused", conditions_of_other_forms },
		{ "thresholds are replaced", thresholds_are_replaced },
		{ "the list that is shipped: fields, needs and documents exist", the_list_that_is_shipped },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
