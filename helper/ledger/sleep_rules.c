// SPDX-License-Identifier: Apache-2.0
// What a thread that blocks waits for, by the kernel functions on its stack (scripts/sleep.list).
#include "ledger/sleep_rules.h"

#include "base/file.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 65536u
#define NOTHING "-"

static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* NULL, or what is wrong with the line. */
static const char *parse_line(struct sleep_rules *rules, char *line)
{
	char *bar = strstr(line, " | "), *name = bar ? bar + strlen(" | ") : NULL, *end = name ? strstr(name, " | ") : NULL;
	struct sleep_rule *rule;

	if (!end || !*skip_space(end + strlen(" | ")))
		return "a line is PATTERN... | NAME | MEANING";
	*bar = *end = '\0';
	if (!is_name(name))
		return "a name has small letters, digits and '-'";
	rules->items = xgrow(rules->items, rules->n, sizeof(*rules->items));
	rule = &rules->items[rules->n++];
	*rule = (struct sleep_rule){ .name = strcmp(name, NOTHING) != 0 ? xstrdup(name) : NULL };
	strings_split(&rule->patterns, line, " ");
	return rule->patterns.n ? NULL : "there is no pattern";
}

int sleep_rules_parse(const char *text, struct sleep_rules *ret, char **ret_error)
{
	struct sleep_rules rules = { 0 };
	const char *next, *why = NULL;

	for (size_t number = 1; *text && !why; text = next, number++) {
		size_t n = strcspn(text, "\n");
		CLEANUP_FREE char *line = xstrndup(text, n);

		next = text + n + (text[n] == '\n');
		trim_end(line);
		if (*line && *line != '#')
			why = parse_line(&rules, line);
		if (why)
			*ret_error = xasprintf("line %zu: %s", number, why);
	}
	if (why) {
		sleep_rules_done(&rules);
		return -EINVAL;
	}
	*ret = rules;
	return 0;
}

int sleep_rules_load(const char *path, struct sleep_rules *ret, char **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *why = NULL;
	int err = file_read(path, LIST_BYTES, &text, NULL);

	if (err) {
		*ret_error = xasprintf("cannot read '%s': %s", path, strerror(-err));
		return err;
	}
	err = sleep_rules_parse(text, ret, &why);
	if (err)
		*ret_error = xasprintf("'%s': %s", path, why);
	return err;
}

void sleep_rules_done(struct sleep_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		strings_done(&rules->items[i].patterns);
		free(rules->items[i].name);
	}
	free(rules->items);
	*rules = (struct sleep_rules){ 0 };
}

static bool fits(const struct sleep_rule *rule, const char *function)
{
	for (size_t i = 0; i < rule->patterns.n; i++)
		if (!fnmatch(rule->patterns.items[i], function, 0))
			return true;
	return false;
}

/* Does a rule without a name fit? */
static bool says_nothing(const struct sleep_rules *rules, const char *function)
{
	for (size_t i = 0; i < rules->n; i++)
		if (!rules->items[i].name && fits(&rules->items[i], function))
			return true;
	return false;
}

const char *sleep_rules_name(const struct sleep_rules *rules, const struct strings *stack)
{
	for (size_t i = 0; i < rules->n; i++)
		for (size_t j = 0; rules->items[i].name && j < stack->n; j++)
			if (fits(&rules->items[i], stack->items[j]))
				return rules->items[i].name;
	for (size_t j = 0; j < stack->n; j++)
		if (!says_nothing(rules, stack->items[j]))
			return stack->items[j];
	return NULL;
}
