// SPDX-License-Identifier: Apache-2.0
// Functions of a kernel by name, with the clones that compilers make of them (.isra, .constprop, .part, .cold).
#include "plan/symbols.h"

#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of the names that are wanted a kernel has some tens; everything below is made for that. */
#define SYMBOLS_MAX 1024u

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char **sorted_copy(const struct strings *list)
{
	char **sorted = xcalloc(list->n, sizeof(*sorted));

	if (list->n)
		memcpy(sorted, list->items, list->n * sizeof(*sorted));
	qsort(sorted, list->n, sizeof(*sorted), compare_names);
	return sorted;
}

/* Compares a text of n bytes with a name. */
static int compare_prefix(const char *text, size_t n, const char *name)
{
	int order = strncmp(text, name, n);

	return order ? order : name[n] ? -1 : 0;
}

static const char *find_base(char **sorted, size_t n_sorted, const char *text, size_t n)
{
	size_t low = 0, high = n_sorted;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare_prefix(text, n, sorted[middle]);

		if (!order)
			return sorted[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

bool symbol_is_whole(const struct symbol *s)
{
	return s->clone == CLONE_NONE || s->clone == CLONE_RENAMED;
}

static bool is_thinlto(const char *suffix)
{
	static const char mark[] = ".llvm.";
	const char *number = suffix + strlen(mark);

	return starts_with(suffix, mark) && *number && !number[strspn(number, "0123456789")];
}

/* What the suffixes of a clone say of it; false where it is no place that a call enters. */
static bool clone_kind(const char *suffix, enum clone *ret)
{
	if (strstr(suffix, ".cold") || strstr(suffix, ".cfi_jt")) /* the latter only jumps to the function */
		return false;
	*ret = !*suffix			    ? CLONE_NONE
	       : is_thinlto(suffix)	    ? CLONE_RENAMED
	       : strstr(suffix, ".part")    ? CLONE_PART
	       : starts_with(suffix, ".isra") ? CLONE_ISRA
					    : CLONE_OTHER;
	return true;
}

/* Splits "NAME" and "[MODULE]" off a line; returns the name's length. */
static size_t name_and_module(const char *text, size_t n, const char **ret_module, size_t *ret_module_n)
{
	size_t name_n = 0;
	const char *open = memchr(text, '[', n), *close = memchr(text, ']', n);

	while (name_n < n && text[name_n] != ' ' && text[name_n] != '\t')
		name_n++;
	*ret_module = "";
	*ret_module_n = 0;
	if (open && close && close > open) {
		*ret_module = open + 1;
		*ret_module_n = (size_t)(close - open - 1);
	}
	return name_n;
}

/* A name may reach a program: what compilers put into names, and nothing else. */
static bool is_symbol_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr("_.$", text[i]))
			return false;
	return true;
}

static void take_symbol(struct symbols *s, char **sorted, size_t n_sorted, const char *text, size_t n)
{
	const char *module, *base;
	size_t module_n, name_n = name_and_module(text, n, &module, &module_n);
	const char *dot = memchr(text, '.', name_n);
	CLEANUP_FREE char *suffix = NULL;
	enum clone clone;

	base = find_base(sorted, n_sorted, text, dot ? (size_t)(dot - text) : name_n);
	if (!base || !is_symbol_name(text, name_n) || !is_symbol_name(module, module_n))
		return;
	suffix = xstrndup(dot ? dot : "", dot ? name_n - (size_t)(dot - text) : 0);
	if (!clone_kind(suffix, &clone))
		return;
	s->items = xrealloc(s->items, s->n + 1, sizeof(*s->items));
	s->items[s->n++] = (struct symbol){
		.base = xstrdup(base),
		.name = xstrndup(text, name_n),
		.module = xstrndup(module, module_n),
		.clone = clone,
	};
}

/* A line of kallsyms: address, type, name, and the module in brackets. */
static void take_kallsyms_line(struct symbols *s, char **sorted, size_t n_sorted, const char *line, size_t n)
{
	const char *type = memchr(line, ' ', n);
	size_t left;

	if (!type)
		return;
	left = n - (size_t)(type - line);
	if (left < 4 || !strchr("tTwW", type[1]) || type[2] != ' ')
		return;
	take_symbol(s, sorted, n_sorted, type + 3, left - 3);
}

/* A line of available_filter_functions: name, and the module in brackets. */
static void mark_traceable(struct symbols *s, const char *line, size_t n)
{
	const char *module;
	size_t module_n, name_n = name_and_module(line, n, &module, &module_n);

	for (size_t i = 0; i < s->n; i++) {
		struct symbol *symbol = &s->items[i];

		if (!compare_prefix(line, name_n, symbol->name) && !compare_prefix(module, module_n, symbol->module))
			symbol->traceable = true;
	}
}

int symbols_load(const char *kallsyms, const char *traceable, const struct strings *wanted, struct symbols *ret)
{
	CLEANUP_FREE char **sorted = sorted_copy(wanted);
	const char *list = traceable ? traceable : "";
	struct symbols s = { .have_traceable = *list != '\0' };

	for (const char *p = kallsyms; *p;) {
		size_t n = strcspn(p, "\n");

		take_kallsyms_line(&s, sorted, wanted->n, p, n);
		p += n + (p[n] == '\n');
		if (s.n > SYMBOLS_MAX) {
			symbols_done(&s);
			return -E2BIG;
		}
	}
	for (size_t i = 0; i < s.n; i++)
		s.items[i].traceable = !s.have_traceable;
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, "\n");
		const char *end = memchr(p, '.', n);
		size_t name_n = end ? (size_t)(end - p) : strcspn(p, " \t\n");

		if (find_base(sorted, wanted->n, p, name_n < n ? name_n : n))
			mark_traceable(&s, p, n);
		p += n + (p[n] == '\n');
	}
	*ret = s;
	return 0;
}

char *symbols_traceable(const struct symbols *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = s->have_traceable ? open_memstream(&text, &size) : NULL;

	for (size_t i = 0; f && i < s->n; i++) {
		const char *module = s->items[i].module;

		if (s->items[i].traceable)
			fprintf(f, *module ? "%s [%s]\n" : "%s\n", s->items[i].name, module);
	}
	if (f)
		fclose(f);
	return text;
}

void symbols_done(struct symbols *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->items[i].base);
		free(s->items[i].name);
		free(s->items[i].module);
	}
	free(s->items);
	*s = (struct symbols){ 0 };
}
