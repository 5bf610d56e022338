// SPDX-License-Identifier: Apache-2.0
// What the tracepoints in a trace of another tool mean, from scripts/tracepoints.list.
#include "record/trace_rules.h"

#include "base/digits.h"
#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_COLUMNS 4
#define LIST_BYTES 65536u
#define STAR_BYTES 64u /* of {*}: the name of a thread, or a number */
#define NO_VALUE "-"

static const char *const step_names[TRACE_STEPS] = {
	[TRACE_WAIT] = "wait",		 [TRACE_ENTRY] = "entry",	  [TRACE_USER] = "user",
	[TRACE_POLLED] = "polled",	 [TRACE_BLOCKED] = "blocked",	  [TRACE_SWITCHED] = "switched",
	[TRACE_PREEMPTED] = "preempted", [TRACE_WOKEN] = "woken",	  [TRACE_GONE] = "gone",
};

/* ---- values ---- */

static const struct view *find_value(const struct trace_values *values, const char *name)
{
	for (size_t i = 0; i < values->n; i++)
		if (view_is(values->items[i].name, name))
			return &values->items[i].value;
	return NULL;
}

static bool add_value(struct trace_values *values, struct view name, struct view value)
{
	if (values->n == TRACE_VALUES_MAX)
		return false;
	values->items[values->n].name = name;
	values->items[values->n++].value = value;
	return true;
}

static bool take_number(struct view text, uint64_t *ret)
{
	char digits[24];
	int64_t negative;

	if (view_cut_start(&text, "0x"))
		return digits_take_hex(text.at, text.at + text.n, ret) == text.at + text.n;
	if (!text.n || text.n >= sizeof(digits))
		return false;
	memcpy(digits, text.at, text.n);
	digits[text.n] = '\0';
	if (*digits != '-')
		return !parse_u64(digits, ret);
	if (parse_i64(digits, &negative))
		return false;
	*ret = (uint64_t)negative;
	return true;
}

bool trace_value_number(const struct trace_values *values, const char *name, uint64_t *ret)
{
	const struct view *value = find_value(values, name);

	return value && take_number(*value, ret);
}

/* ---- templates ---- */

/* The text behind the literal `literal` of n bytes at p, or NULL. */
static const char *behind(const char *p, const char *end, const char *literal, size_t n)
{
	return (size_t)(end - p) >= n && !memcmp(p, literal, n) ? p + n : NULL;
}

/*
 * {NAME} is one word, {*} anything up to the last place from which the rest fits: the name of a thread can hold what the rest
 * begins with. What follows the end of the template is not looked at.
 */
static bool match(const char *template, const char *p, const char *end, struct trace_values *ret)
{
	size_t n = strcspn(template, "{"), length, most;
	const char *close;

	p = behind(p, end, template, n);
	template += n;
	if (!p || !*template)
		return p != NULL;
	close = strchr(template, '}');
	length = (size_t)(close - template - 1);
	if (length == 1 && template[1] == '*') {
		most = (size_t)(end - p) < STAR_BYTES ? (size_t)(end - p) : STAR_BYTES;
		for (size_t i = most + 1; i; i--) {
			size_t had = ret->n;

			if (match(close + 1, p + i - 1, end, ret))
				return true;
			ret->n = had;
		}
		return false;
	}
	for (most = 0; p + most < end && p[most] != ' ' && p[most] != close[1]; most++)
		;
	return most && add_value(ret, (struct view){ template + 1, length }, (struct view){ p, most }) &&
	       match(close + 1, p + most, end, ret);
}

bool trace_template_read(const char *template, struct view text, struct trace_values *ret)
{
	ret->n = 0;
	return match(template, text.at, text.at + text.n, ret);
}

bool trace_point_read(const struct tracepoint *point, struct view text, struct trace_values *ret)
{
	for (size_t i = 0; i < point->texts.n; i++)
		if (trace_template_read(point->texts.items[i], text, ret))
			return true;
	ret->n = 0;
	return false;
}

/* The name that the list gives to a field; an empty one: it has no use for it. */
static struct view name_of_field(const struct tracepoint *point, struct view field)
{
	for (size_t i = 0; i < point->fields.n; i++) {
		const char *equals = strchr(point->fields.items[i], '=');

		if (view_is(field, equals + 1))
			return (struct view){ point->fields.items[i], (size_t)(equals - point->fields.items[i]) };
	}
	return (struct view){ "", 0 };
}

bool trace_point_read_fields(const struct tracepoint *point, struct view text, struct trace_values *ret)
{
	const char *p = text.at, *end = text.at + text.n;

	ret->n = 0;
	while (p < end) {
		const char *equals = memchr(p, '=', (size_t)(end - p)), *space;
		struct view name;

		if (!equals)
			break;
		space = memchr(equals, ' ', (size_t)(end - equals));
		if (!space)
			space = end;
		name = name_of_field(point, (struct view){ p, (size_t)(equals - p) });
		if (name.n && !add_value(ret, name, (struct view){ equals + 1, (size_t)(space - equals - 1) }))
			return false;
		p = space < end ? space + 1 : end;
	}
	return ret->n > 0 || !point->fields.n;
}

/* ---- rules ---- */

static bool is_value(const struct view *value, uint64_t mask, const char *wanted)
{
	struct view text = { wanted, strlen(wanted) };
	uint64_t number, expected;

	if (!value)
		return !strcmp(wanted, NO_VALUE);
	if (take_number(text, &expected))
		return take_number(*value, &number) && (number & mask) == expected;
	return view_is(*value, wanted);
}

static bool holds(const struct trace_condition *c, const struct trace_values *values)
{
	const struct view *value = find_value(values, c->name);

	for (size_t i = 0; i < c->values.n; i++)
		if (is_value(value, c->mask, c->values.items[i]))
			return true;
	return false;
}

const struct trace_rule *trace_point_rule(const struct tracepoint *point, const struct trace_values *values)
{
	for (size_t i = 0; i < point->n_rules; i++) {
		const struct trace_rule *rule = &point->rules[i];
		size_t n = 0;

		while (n < rule->n_conditions && holds(&rule->conditions[n], values))
			n++;
		if (n == rule->n_conditions)
			return rule;
	}
	return NULL;
}

const struct tracepoint *trace_rules_find(const struct trace_rules *rules, struct view name)
{
	for (size_t i = 0; i < rules->n_points; i++)
		if (view_is(name, rules->points[i].name))
			return &rules->points[i];
	return NULL;
}

/* ---- reading the list ---- */

static bool is_name(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

/* Every brace is that of a value, and something stands between two values. */
static bool is_template(const char *text)
{
	if (!*text)
		return false;
	for (const char *p = text; (p = strpbrk(p, "{}")); p++) {
		const char *close = strchr(p, '}');
		CLEANUP_FREE char *name = NULL;

		if (*p == '}' || !close || close[1] == '{')
			return false;
		name = xstrndup(p + 1, (size_t)(close - p - 1));
		if (strcmp(name, "*") && !is_name(name))
			return false;
		p = close;
	}
	return true;
}

/* "NAME[&MASK]=VALUE[,VALUE]..." What is wrong with it, or NULL: it was added. The caller frees. */
static char *add_condition(struct trace_rule *rule, const char *text)
{
	struct trace_condition c = { .mask = UINT64_MAX };
	const char *equals = strchr(text, '='), *mask = strchr(text, '&');
	size_t n = equals ? (size_t)((mask && mask < equals ? mask : equals) - text) : 0;

	c.name = xstrndup(text, n);
	if (equals && mask && mask < equals && !take_number((struct view){ mask + 1, (size_t)(equals - mask - 1) }, &c.mask))
		n = 0;
	if (n)
		strings_split(&c.values, equals + 1, ",");
	if (!n || !is_name(c.name) || !c.values.n) {
		free(c.name);
		strings_done(&c.values);
		return xasprintf("'%s' is not NAME[&MASK]=VALUE[,VALUE]...", text);
	}
	rule->conditions = xrealloc(rule->conditions, rule->n_conditions + 1, sizeof(*rule->conditions));
	rule->conditions[rule->n_conditions++] = c;
	return NULL;
}

static void free_rule(struct trace_rule *rule)
{
	for (size_t i = 0; i < rule->n_conditions; i++) {
		free(rule->conditions[i].name);
		strings_done(&rule->conditions[i].values);
	}
	free(rule->conditions);
	free(rule->why);
}

/* "wait EVENT SOURCE", or the name of another step. */
static char *take_step(struct trace_rule *rule, const char *text)
{
	struct strings words = { 0 };
	char *fault = NULL;

	strings_split(&words, text, " ");
	while (rule->step < TRACE_STEPS && (!words.n || strcmp(step_names[rule->step], words.items[0])))
		rule->step++;
	if (rule->step == TRACE_STEPS)
		fault = xasprintf("'%s' is neither text, fields, escaped, optional nor a step", text);
	else if (words.n != (rule->step == TRACE_WAIT ? 3 : 1))
		fault = xasprintf("'%s' is not 'wait EVENT SOURCE' or a step alone", text);
	else if (rule->step == TRACE_WAIT &&
		 (!event_bit(words.items[1]) || !is_name(words.items[2]) || strlen(words.items[2]) >= NAME_BYTES))
		fault = xasprintf("'%s' is no event with its source", text);
	if (!fault && rule->step == TRACE_WAIT) {
		strcpy(rule->event, words.items[1]);
		strcpy(rule->source, words.items[2]);
	}
	strings_done(&words);
	return fault;
}

static char *add_rule(struct tracepoint *point, char *const *columns, size_t n)
{
	struct trace_rule rule = { 0 };
	struct strings conditions = { 0 };
	char *fault = take_step(&rule, columns[1]);

	if (!fault && rule.step == TRACE_WAIT && (n != 4 || !*columns[3]))
		fault = xstrdup("a wait has to say why it is inferred");
	if (!fault && n > 2)
		strings_split(&conditions, columns[2], " ");
	for (size_t i = 0; i < conditions.n && !fault; i++)
		fault = add_condition(&rule, conditions.items[i]);
	strings_done(&conditions);
	if (fault) {
		free_rule(&rule);
		return fault;
	}
	rule.why = n > 3 ? xstrdup(columns[3]) : NULL;
	point->rules = xrealloc(point->rules, point->n_rules + 1, sizeof(*point->rules));
	point->rules[point->n_rules++] = rule;
	return NULL;
}

static char *add_fields(struct tracepoint *point, const char *text)
{
	struct strings pairs = { 0 };
	char *fault = NULL;

	strings_split(&pairs, text, " ");
	for (size_t i = 0; i < pairs.n && !fault; i++) {
		char *equals = strchr(pairs.items[i], '=');
		CLEANUP_FREE char *name = equals ? xstrndup(pairs.items[i], (size_t)(equals - pairs.items[i])) : NULL;

		if (!equals || !is_name(name) || !is_name(equals + 1))
			fault = xasprintf("'%s' is not NAME=FIELD", pairs.items[i]);
		else
			strings_add(&point->fields, pairs.items[i]);
	}
	strings_done(&pairs);
	return fault;
}

static struct tracepoint *get_point(struct trace_rules *rules, const char *name)
{
	struct tracepoint *point = (struct tracepoint *)trace_rules_find(rules, (struct view){ name, strlen(name) });

	if (point)
		return point;
	rules->points = xrealloc(rules->points, rules->n_points + 1, sizeof(*rules->points));
	point = &rules->points[rules->n_points++];
	*point = (struct tracepoint){ .name = xstrdup(name) };
	return point;
}

/* What is wrong with a line; NULL: it was added. The caller frees. */
static char *add_line(struct trace_rules *rules, char *const *columns, size_t n)
{
	bool is_text = n == 3 && !strcmp(columns[1], "text");
	struct tracepoint *point;

	if (n == 2 && !strcmp(columns[0], "thread-name") && is_template(columns[1])) {
		strings_add(&rules->threads, columns[1]);
		return NULL;
	}
	if (n < 2 || !is_name(columns[0]))
		return xstrdup("not TRACEPOINT | WHAT | ..., nor thread-name | TEMPLATE");
	point = get_point(rules, columns[0]);
	if (is_text && !is_template(columns[2]))
		return xasprintf("'%s' is no template", columns[2]);
	if (is_text)
		strings_add(&point->texts, columns[2]);
	else if (n == 3 && !strcmp(columns[1], "fields"))
		return add_fields(point, columns[2]);
	else if (n == 2 && !strcmp(columns[1], "escaped"))
		point->escaped = true;
	else if (n == 2 && !strcmp(columns[1], "optional"))
		point->optional = true;
	else
		return add_rule(point, columns, n);
	return NULL;
}

/* Cuts a line at its bars, in place. How many columns there are; 0: too many. */
static size_t split_line(char *line, char *columns[N_COLUMNS])
{
	size_t n = 0;

	while (line) {
		char *bar = strstr(line, " | ");

		if (n == N_COLUMNS)
			return 0;
		if (bar)
			*bar = '\0';
		columns[n++] = trim_end((char *)skip_space(line));
		line = bar ? bar + 3 : NULL;
	}
	return n;
}

int trace_rules_parse(const char *text, struct trace_rules *ret, char **ret_error)
{
	struct trace_rules rules = { 0 };
	size_t number = 0;
	char *fault = NULL;

	for (const char *p = text; *p && !fault;) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);
		char *columns[N_COLUMNS] = { 0 };

		number++;
		if (*skip_space(line) && *line != '#') {
			size_t n_columns = split_line(line, columns);

			fault = n_columns ? add_line(&rules, columns, n_columns) : xstrdup("it has too many columns");
		}
		p += n + (p[n] == '\n');
	}
	if (fault) {
		*ret_error = xasprintf(TRACE_RULES_FILE ", line %zu: %s", number, fault);
		free(fault);
		trace_rules_done(&rules);
		return -EINVAL;
	}
	*ret = rules;
	return 0;
}

int trace_rules_load(const char *directory, struct trace_rules *ret, char **ret_error)
{
	CLEANUP_FREE char *path = xasprintf("%s/" TRACE_RULES_FILE, directory);
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int err = file_read(path, LIST_BYTES, &text, &size);

	if (!err)
		return trace_rules_parse(text, ret, ret_error);
	*ret_error = xasprintf("cannot read '%s': %s", path, strerror(-err));
	return err;
}

void trace_rules_done(struct trace_rules *rules)
{
	for (size_t i = 0; i < rules->n_points; i++) {
		struct tracepoint *point = &rules->points[i];

		for (size_t j = 0; j < point->n_rules; j++)
			free_rule(&point->rules[j]);
		free(point->rules);
		free(point->name);
		strings_done(&point->texts);
		strings_done(&point->fields);
	}
	free(rules->points);
	strings_done(&rules->threads);
	*rules = (struct trace_rules){ 0 };
}
