// SPDX-License-Identifier: Apache-2.0
// The rules of kvmwait why (share/why.list, which describes its own format), read strictly.
#include "ledger/rules.h"

#include "base/file.h"
#include "base/memory.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define RULES_LIMIT_BYTES (1u << 20)
#define PERCENT UINT64_C(100) /* hundredths in one */

const char *const rule_scope_names[RULE_SCOPES] = { "culprit", "vcpu", "vm", "run" };

int parse_percent(const char *text, uint64_t *ret_hundredths)
{
	size_t whole = strspn(text, "0123456789"), decimals = 0;
	uint64_t value = 0;

	if (!whole || whole > 4)
		return -EINVAL;
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	value *= PERCENT;
	if (text[whole] == '.') {
		decimals = strspn(text + whole + 1, "0123456789");
		if (!decimals || decimals > 2)
			return -EINVAL;
		value += (uint64_t)(text[whole + 1] - '0') * 10 + (decimals > 1 ? (uint64_t)(text[whole + 2] - '0') : 0);
		decimals++;
	}
	if (text[whole + decimals])
		return -EINVAL;
	*ret_hundredths = value;
	return 0;
}

void rule_text_fields(const char *text, struct strings *fields)
{
	for (const char *open; (open = strchr(text, '{')); text = open + 1) {
		size_t n = strcspn(open + 1, "}");

		strings_add_n(fields, open + 1, n);
	}
}

static bool is_field(const char *text)
{
	return islower((unsigned char)*text) && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(text);
}

static void condition_done(struct rule_condition *c)
{
	free(c->field);
	free(c->of);
	free(c->word);
}

/* NULL, or what is wrong with it. */
static const char *parse_condition(const char *text, struct rule_condition *ret)
{
	static const struct {
		const char *text;
		enum rule_operator operator;
	} operators[] = { { "=", RULE_IS }, { "!=", RULE_IS_NOT }, { ">=", RULE_AT_LEAST }, { "<", RULE_BELOW } };
	struct strings words = { 0 };
	const char *error = "a condition is FIELD = WORD, FIELD >= NUMBER or FIELD >= NUMBER % of FIELD, with =, !=, >= or <";
	struct rule_condition c = { 0 };
	size_t i = 0;

	strings_split(&words, text, " \t");
	if (words.n == 3 || (words.n == 6 && !strcmp(words.items[3], "%") && !strcmp(words.items[4], "of")))
		while (i < ARRAY_SIZE(operators) && strcmp(words.items[1], operators[i].text) != 0)
			i++;
	else
		i = ARRAY_SIZE(operators);
	if (i < ARRAY_SIZE(operators) && is_field(words.items[0]) && (words.n == 3 || is_field(words.items[5]))) {
		c.operator = operators[i].operator;
		c.field = xstrdup(words.items[0]);
		if (c.operator == RULE_IS || c.operator == RULE_IS_NOT) {
			c.word = xstrdup(words.items[2]);
			error = words.n == 3 ? NULL : error;
		} else if (words.n == 3) {
			error = parse_u64(words.items[2], &c.number) ? "the number of a condition is invalid" : NULL;
		} else {
			c.of = xstrdup(words.items[5]);
			error = parse_percent(words.items[2], &c.number) ? "a percentage has at most 4 digits and 2 decimals" : NULL;
		}
	}
	strings_done(&words);
	if (error)
		condition_done(&c);
	else
		*ret = c;
	return error;
}

static const char *parse_conditions(const char *text, struct rule *rule)
{
	struct strings parts = { 0 };
	const char *error = NULL;

	strings_split(&parts, text, ",");
	for (size_t i = 0; i < parts.n && !error; i++) {
		rule->conditions = xgrow(rule->conditions, rule->n_conditions, sizeof(*rule->conditions));
		error = parse_condition(parts.items[i], &rule->conditions[rule->n_conditions]);
		rule->n_conditions += !error;
	}
	strings_done(&parts);
	return error;
}

static const char *parse_threshold(const char *text, struct rule *rule)
{
	const char *error = parse_condition(text, &rule->threshold);

	if (!error && (!rule->threshold.of || rule->threshold.operator != RULE_AT_LEAST)) {
		condition_done(&rule->threshold);
		rule->threshold = (struct rule_condition){ 0 };
		error = "a threshold is FIELD >= NUMBER % of FIELD";
	}
	return error;
}

static const char *parse_scope(const char *text, struct rule *rule)
{
	for (size_t i = 0; i < RULE_SCOPES; i++) {
		if (!strcmp(text, rule_scope_names[i])) {
			rule->scope = (enum rule_scope)i;
			return NULL;
		}
	}
	return "the scope is one of culprit, vcpu, vm, run";
}

static const char *parse_needs(const char *text, struct rule *rule)
{
	strings_split(&rule->needs, text, " ,");
	return NULL;
}

static const char *parse_symptom(const char *text, struct rule *rule)
{
	rule->symptom = !strcmp(text, "yes");
	return rule->symptom || !strcmp(text, "no") ? NULL : "the value is yes or no";
}

static const char *check_text(const char *text)
{
	for (const char *p = text; (p = strchr(p, '{')); p++)
		if (strcspn(p, "}") == strlen(p) || strcspn(p + 1, "{") < strcspn(p + 1, "}"))
			return "a brace is not closed";
	return NULL;
}

static const struct rule_key {
	const char *name;
	const char *(*parse)(const char *text, struct rule *rule);
	size_t text; /* offset of the text, where there is no parse() */
	bool optional;
} keys[] = {
	{ .name = "scope", .parse = parse_scope },
	{ .name = "needs", .parse = parse_needs, .optional = true },
	{ .name = "when", .parse = parse_conditions, .optional = true },
	{ .name = "symptom", .parse = parse_symptom, .optional = true },
	{ .name = "threshold", .parse = parse_threshold },
	{ .name = "source", .text = offsetof(struct rule, source) },
	{ .name = "say", .text = offsetof(struct rule, say) },
	{ .name = "next", .text = offsetof(struct rule, next) },
	{ .name = "see", .text = offsetof(struct rule, see), .optional = true },
};

/* The file while it is read. */
struct rules_parser {
	struct rules rules;
	bool seen[ARRAY_SIZE(keys)]; /* of the last rule */
};

/* What is missing in the last rule; the caller frees. NULL: nothing. */
static char *check_rule(const struct rules_parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys) && p->rules.n; i++)
		if (!p->seen[i] && !keys[i].optional)
			return xasprintf("the rule '%s' has no '%s'", p->rules.items[p->rules.n - 1].name, keys[i].name);
	return NULL;
}

static const char *begin_rule(struct rules_parser *p, const char *name, unsigned int line)
{
	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz-") != strlen(name))
		return "the name of a rule is made of small letters and '-'";
	for (size_t i = 0; i < p->rules.n; i++)
		if (!strcmp(p->rules.items[i].name, name))
			return "a rule of this name stands above";
	p->rules.items = xgrow(p->rules.items, p->rules.n, sizeof(*p->rules.items));
	p->rules.items[p->rules.n++] = (struct rule){ .line = line, .name = xstrdup(name) };
	memset(p->seen, 0, sizeof(p->seen));
	return NULL;
}

static const char *take_key(struct rules_parser *p, const char *name, const char *value)
{
	struct rule *rule = p->rules.n ? &p->rules.items[p->rules.n - 1] : NULL;
	size_t i = 0;
	char **text;

	while (i < ARRAY_SIZE(keys) && strcmp(keys[i].name, name) != 0)
		i++;
	if (i == ARRAY_SIZE(keys))
		return "unknown key";
	if (!rule)
		return "the file begins with 'rule: NAME'";
	if (p->seen[i])
		return "the key stands twice in one rule";
	if (!*value)
		return "the value is missing";
	p->seen[i] = true;
	if (keys[i].parse)
		return keys[i].parse(value, rule);
	text = (char **)((char *)rule + keys[i].text);
	*text = xstrdup(value);
	return check_text(value);
}

/* Takes "KEY: VALUE". Returns what is wrong; the caller frees. */
static char *take_line(struct rules_parser *p, char *line, unsigned int number)
{
	char *colon = strchr(line, ':');
	const char *error;

	trim_end(line);
	if (!*skip_space(line) || *line == '#')
		return NULL;
	if (!colon)
		return xasprintf("line %u: no 'KEY: VALUE'", number);
	*colon = '\0';
	if (!strcmp(line, "rule")) {
		char *missing = check_rule(p);

		if (missing)
			return missing;
		error = begin_rule(p, skip_space(colon + 1), number);
	} else {
		error = take_key(p, line, skip_space(colon + 1));
	}
	return error ? xasprintf("line %u: '%s': %s", number, line, error) : NULL;
}

int rules_parse(const char *text, struct rules *ret, char **ret_error)
{
	struct rules_parser p = { 0 };
	unsigned int number = 0;
	char *error = NULL;

	while (*text && !error) {
		size_t n = strcspn(text, "\n");
		CLEANUP_FREE char *line = xstrndup(text, n);

		error = take_line(&p, line, ++number);
		text += n + (text[n] == '\n');
	}
	if (!error)
		error = check_rule(&p);
	if (error) {
		rules_done(&p.rules);
		*ret_error = error;
		return -EINVAL;
	}
	*ret = p.rules;
	return 0;
}

int rules_load(const char *path, struct rules *ret, char **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *why = NULL;
	int err = file_read(path, RULES_LIMIT_BYTES, &text, NULL);

	if (err)
		*ret_error = xasprintf("cannot read the rules: '%s': %s", path, strerror(-err));
	else if ((err = rules_parse(text, ret, &why)))
		*ret_error = xasprintf("'%s': %s", path, why);
	return err;
}

void rules_done(struct rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct rule *r = &rules->items[i];

		for (size_t j = 0; j < r->n_conditions; j++)
			condition_done(&r->conditions[j]);
		free(r->conditions);
		condition_done(&r->threshold);
		strings_done(&r->needs);
		free(r->name);
		free(r->source);
		free(r->say);
		free(r->next);
		free(r->see);
	}
	free(rules->items);
	*rules = (struct rules){ 0 };
}

int rules_set_threshold(struct rules *rules, const char *text, char **ret_error)
{
	size_t n = strcspn(text, "=");
	CLEANUP_FREE char *name = xstrndup(text, n);
	uint64_t number;

	if (!text[n] || parse_percent(text + n + 1, &number)) {
		*ret_error = xasprintf("'%s' is not RULE=PERCENT", text);
		return -EINVAL;
	}
	for (size_t i = 0; i < rules->n; i++) {
		if (!strcmp(rules->items[i].name, name)) {
			rules->items[i].threshold.number = number;
			return 0;
		}
	}
	*ret_error = xasprintf("there is no rule '%s'; 'kvmwait why --list' shows all", name);
	return -EINVAL;
}
