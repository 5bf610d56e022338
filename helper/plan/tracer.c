// SPDX-License-Identifier: Apache-2.0
// What depends on the version of bpftrace, from scripts/bpftrace.list.
#include "plan/tracer.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_NAME "bpftrace.list"
#define NO_LIMIT "*"
#define OPTION_PREFIX "--"
#define VARIABLE_PREFIX "BPFTRACE_"
#define WORDS_MAX 4
#define N_FIELDS 4

struct property {
	const char *name;
	const char *words[WORDS_MAX]; /* the values there are; none: any text */
	bool is_name;		      /* the value is given to bpftrace: a variable of the environment or an option */
};

static const struct property properties[TRACER_PROPERTIES] = {
	[TRACER_SUPPORT] = { .name = "support" },
	[TRACER_DEMANDS] = { .name = "demands", .words = { "root", "capabilities" } },
	[TRACER_KERNEL_TYPES] = { .name = "kernel-types", .words = { "file", "id" } },
	[TRACER_RAW_TRACEPOINTS] = { .name = "raw-tracepoints", .words = { "no", "yes", "id" } },
	[TRACER_BUFFERS] = { .name = "buffers", .words = { "each-cpu", "shared" } },
	[TRACER_MAP_KEYS] = { .name = "map-keys", .is_name = true },
	[TRACER_FUNCTIONS] = { .name = "functions", .is_name = true },
	[TRACER_DENIED] = { .name = "denied" },
};

static bool is_limit(const char *text)
{
	struct version v;

	return !text[strspn(text, "0123456789.")] && !version_parse(text, &v);
}

/* Is the version older than that? Both are versions. */
static bool is_older(const char *version, const char *than)
{
	struct version v, limit;

	return !version_parse(version, &v) && !version_parse(than, &limit) && version_compare(v, limit) < 0;
}

static bool has_word(const struct property *p, const char *value)
{
	for (size_t i = 0; i < WORDS_MAX && p->words[i]; i++)
		if (!strcmp(p->words[i], value))
			return true;
	return !p->words[0];
}

/* A name that root may hand to bpftrace as it is. */
static bool is_name(const char *value)
{
	if (starts_with(value, OPTION_PREFIX))
		return !value[strspn(value, "abcdefghijklmnopqrstuvwxyz-")];
	return starts_with(value, VARIABLE_PREFIX) && !value[strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")];
}

/* The last row of a property so far, or NULL. */
static const struct tracer_row *last_row(const struct tracer_list *list, enum tracer_property property)
{
	for (size_t i = list->n_rows; i; i--)
		if (list->rows[i - 1].property == property)
			return &list->rows[i - 1];
	return NULL;
}

/* What is wrong with a row that is to follow those of the list; NULL: nothing. The caller frees. */
static char *row_fault(const struct tracer_list *list, const struct tracer_row *row)
{
	const struct property *p = &properties[row->property];
	const struct tracer_row *before = last_row(list, row->property);
	const char *expected = before ? before->below : NO_LIMIT;

	if (before && !strcmp(before->below, NO_LIMIT))
		return xasprintf("'%s' has reached the newest version before this line", p->name);
	if (strcmp(row->from, expected))
		return xasprintf("'%s' begins at '%s', not at '%s'", p->name, row->from, expected);
	if (strcmp(row->below, NO_LIMIT) && !is_limit(row->below))
		return xasprintf("'%s' is no version", row->below);
	if (is_limit(row->from) && is_limit(row->below) && !is_older(row->from, row->below))
		return xasprintf("'%s' is not later than '%s'", row->below, row->from);
	if (!*row->value)
		return xasprintf("'%s' has no value", p->name);
	if (!has_word(p, row->value))
		return xasprintf("'%s' cannot be '%s'", p->name, row->value);
	if (p->is_name && !is_name(row->value))
		return xasprintf("'%s' is neither a variable of bpftrace nor an option", row->value);
	return NULL;
}

/* Cuts a line at its bars, in place; false where they are not as many as there have to be. */
static bool split_line(char *line, const char *fields[N_FIELDS])
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		char *bar = strchr(line, '|'), *field = line;

		if (!bar != (i == N_FIELDS - 1))
			return false;
		if (bar) {
			*bar = '\0';
			line = bar + 1;
		}
		fields[i] = trim_end((char *)skip_space(field));
	}
	return true;
}

/* What is wrong with a line; NULL: it was added. The caller frees. */
static char *add_line(struct tracer_list *list, char *line)
{
	const char *fields[N_FIELDS];
	struct tracer_row row = { 0 };
	char *fault;

	if (!split_line(line, fields))
		return xstrdup("not PROPERTY | FROM | BELOW | VALUE");
	while (row.property < TRACER_PROPERTIES && strcmp(properties[row.property].name, fields[0]))
		row.property++;
	if (row.property == TRACER_PROPERTIES)
		return xasprintf("there is no property '%s'", fields[0]);
	row.from = xstrdup(fields[1]);
	row.below = xstrdup(fields[2]);
	row.value = xstrdup(fields[3]);
	fault = row_fault(list, &row);
	if (fault) {
		free(row.from);
		free(row.below);
		free(row.value);
		return fault;
	}
	list->rows = xrealloc(list->rows, list->n_rows + 1, sizeof(*list->rows));
	list->rows[list->n_rows++] = row;
	return NULL;
}

static char *missing_rows(const struct tracer_list *list)
{
	for (enum tracer_property p = 0; p < TRACER_PROPERTIES; p++) {
		const struct tracer_row *last = last_row(list, p);

		if (!last)
			return xasprintf("'%s' is missing", properties[p].name);
		if (strcmp(last->below, NO_LIMIT))
			return xasprintf("'%s' ends at '%s', before the newest version", properties[p].name, last->below);
	}
	return NULL;
}

int tracer_list_parse(const char *text, struct tracer_list *ret, char **ret_error)
{
	struct tracer_list list = { 0 };
	size_t number = 1;
	char *fault = NULL;

	for (const char *p = text; *p && !fault; number++) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);

		if (*skip_space(line) && *line != '#')
			fault = add_line(&list, line);
		p += n + (p[n] == '\n');
	}
	if (fault) {
		*ret_error = xasprintf(LIST_NAME ", line %zu: %s", number - 1, fault);
		free(fault);
	} else if ((fault = missing_rows(&list))) {
		*ret_error = xasprintf(LIST_NAME ": %s", fault);
		free(fault);
	} else {
		*ret = list;
		return 0;
	}
	tracer_list_done(&list);
	return -EINVAL;
}

int tracer_list_load(const char *directory, struct tracer_list *ret, char **ret_error)
{
	CLEANUP_FREE char *path = xasprintf("%s/" LIST_NAME, directory);
	CLEANUP_FREE char *text = NULL;
	char *untrusted = NULL;
	size_t size;
	int err = script_read(path, &text, &size, &untrusted);

	if (err)
		*ret_error = xasprintf("'%s': %s", path, strerror(-err));
	else
		err = tracer_list_parse(text, ret, ret_error);
	if (err)
		free(untrusted);
	else
		ret->untrusted = untrusted;
	return err;
}

void tracer_list_done(struct tracer_list *list)
{
	for (size_t i = 0; i < list->n_rows; i++) {
		free(list->rows[i].from);
		free(list->rows[i].below);
		free(list->rows[i].value);
	}
	free(list->rows);
	free(list->untrusted);
	*list = (struct tracer_list){ 0 };
}

const char *tracer_since(const struct tracer_list *list, enum tracer_property property, const char *value)
{
	for (size_t i = 0; i < list->n_rows; i++)
		if (list->rows[i].property == property && !strcmp(list->rows[i].value, value))
			return is_limit(list->rows[i].from) ? list->rows[i].from : NULL;
	return NULL;
}

/* The rows of a property have no gap: the first that ends later has it. */
static const char *value_of(const struct tracer_list *list, enum tracer_property property, const char *version)
{
	for (size_t i = 0; i < list->n_rows; i++) {
		const struct tracer_row *row = &list->rows[i];

		if (row->property == property && (!is_limit(row->below) || is_older(version, row->below)))
			return row->value;
	}
	return "";
}

int tracer_of(const struct tracer_list *list, const char *version, struct tracer *ret)
{
	const char *support = value_of(list, TRACER_SUPPORT, version), *raw = value_of(list, TRACER_RAW_TRACEPOINTS, version);

	if (!is_limit(version))
		return -EINVAL;
	*ret = (struct tracer){
		.why_not = strcmp(support, "yes") ? support : NULL,
		.demands_root = !strcmp(value_of(list, TRACER_DEMANDS, version), "root"),
		.types_by_id = !strcmp(value_of(list, TRACER_KERNEL_TYPES, version), "id"),
		.raw_tracepoints = !strcmp(raw, "no") ? TRACER_RAW_NO : !strcmp(raw, "yes") ? TRACER_RAW_YES : TRACER_RAW_BY_ID,
		.buffers_each_cpu = !strcmp(value_of(list, TRACER_BUFFERS, version), "each-cpu"),
		.map_keys = value_of(list, TRACER_MAP_KEYS, version),
		.functions = value_of(list, TRACER_FUNCTIONS, version),
		.denied = value_of(list, TRACER_DENIED, version),
	};
	return 0;
}

bool tracer_is_denied(const struct tracer *tracer, const char *text)
{
	struct strings parts = { 0 };
	bool found = false;

	strings_split(&parts, tracer->denied, ";");
	for (size_t i = 0; i < parts.n && !found; i++) {
		const char *part = trim_end((char *)skip_space(parts.items[i]));

		found = *part && strstr(text, part);
	}
	strings_done(&parts);
	return found;
}
