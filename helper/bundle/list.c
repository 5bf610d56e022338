// SPDX-License-Identifier: Apache-2.0
// The list of what goes into a bundle (share/bundle.list, which says its own format), read strictly.
#include "bundle/list.h"

#include "base/clean_text.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT_BYTES (1u << 20)
#define ITEM_END_BYTES (UINT64_C(1) << 40) /* far more than any bundle holds */
#define ITEMS_MAX 256
#define SECONDS_MAX 3600
#define NAME_MAX_BYTES 240
#define PARTS_MAX 16

const char *const bundle_kind_names[BUNDLE_KINDS] = {
	[BUNDLE_FILE] = "file", [BUNDLE_CGROUPS] = "cgroups", [BUNDLE_LINES] = "lines", [BUNDLE_RUN] = "run", [BUNDLE_TALK] = "talk", [BUNDLE_VMS] = "vms",
};

bool bundle_name_is_fine(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+:,=@-";
	size_t parts = 0;

	if (strlen(name) > NAME_MAX_BYTES)
		return false;
	do {
		size_t n = strspn(name, letters);

		if (!n || *name == '.' || (name[n] && name[n] != '/') || ++parts > PARTS_MAX)
			return false;
		name += n;
	} while (*name++);
	return true;
}

bool bundle_item_is_many(const struct bundle_item *item)
{
	return item->name[strlen(item->name) - 1] == '/';
}

bool bundle_item_copies(const struct bundle_item *item)
{
	return item->kind == BUNDLE_FILE || item->kind == BUNDLE_CGROUPS;
}

bool bundle_item_writes(const struct bundle_item *item)
{
	return strings_have(&item->words, "%out%");
}

/* "30", or "2d+30": and twice the duration. */
static bool parse_seconds(const char *text, struct bundle_item *item)
{
	const char *plus = strstr(text, "d+");
	uint64_t durations = 0, seconds;

	if (plus) {
		CLEANUP_FREE char *times = xstrndup(text, (size_t)(plus - text));

		if (parse_u64(*times ? times : "1", &durations) || !durations || durations > 4)
			return false;
		text = plus + 2;
	}
	if (parse_u64(text, &seconds) || !seconds || seconds > SECONDS_MAX)
		return false;
	item->seconds = (unsigned int)seconds;
	item->durations = (unsigned int)durations;
	return true;
}

static const char *check_program(const struct bundle_item *item)
{
	static const char *const placeholders[] = { "%out%", "%size%", "%duration%", "%kvmwait%", "%bpftrace%" };
	const char *program = item->words.n ? item->words.items[0] : "";

	if (*program != '/' && strcmp(program, "%kvmwait%") != 0 && strcmp(program, "%bpftrace%") != 0)
		return "the program is neither %kvmwait% nor %bpftrace% nor a path from /";
	for (size_t i = 0; i < item->words.n; i++) {
		bool known = !strchr(item->words.items[i], '%');

		for (size_t j = 0; j < ARRAY_SIZE(placeholders); j++)
			known |= !strcmp(item->words.items[i], placeholders[j]);
		if (!known)
			return "a word with % that is no placeholder";
	}
	if (bundle_item_is_many(item) && !bundle_item_writes(item))
		return "a name with / at its end needs %out%";
	return NULL;
}

static const char *check_files(const struct bundle_item *item)
{
	size_t n_paths = item->kind == BUNDLE_LINES ? 1 : item->words.n;

	if (item->words.n < (item->kind == BUNDLE_LINES ? 2u : 1u))
		return item->kind == BUNDLE_LINES ? "no words to look for" : "no path";
	for (size_t i = 0; i < n_paths; i++)
		if (*item->words.items[i] != '/' || strstr(item->words.items[i], ".."))
			return "a path that does not begin with / or has .. in it";
	if (item->kind == BUNDLE_FILE && !bundle_item_is_many(item) && (item->words.n > 1 || strpbrk(item->words.items[0], "*?[")))
		return "several files need a name with / at its end";
	if (item->kind == BUNDLE_LINES && bundle_item_is_many(item))
		return "lines make one file";
	return NULL;
}

static const char *check_cgroups(const struct bundle_item *item)
{
	if (!item->words.n || !bundle_item_is_many(item))
		return "cgroups takes names of files, and its own name has / at the end";
	for (size_t i = 0; i < item->words.n; i++)
		if (strchr(item->words.items[i], '/') || *item->words.items[i] == '.')
			return "the name of a file in a cgroup has no / in it and does not begin with a dot";
	return NULL;
}

/* What is wrong with an item, or NULL. */
static const char *check_item(const struct bundle_item *item)
{
	size_t n = strlen(item->name);
	CLEANUP_FREE char *bare = xstrndup(item->name, n - (n && item->name[n - 1] == '/'));

	if (!bundle_name_is_fine(bare))
		return "not a name for a member";
	if (item->kind == BUNDLE_FILE || item->kind == BUNDLE_LINES)
		return check_files(item);
	if (item->kind == BUNDLE_CGROUPS)
		return check_cgroups(item);
	if (item->kind == BUNDLE_RUN || item->kind == BUNDLE_TALK)
		return check_program(item);
	return item->words.n || bundle_item_is_many(item) ? "vms takes no word and makes one file" : NULL;
}

static const char *parse_item(const struct strings *words, struct bundle_item *item)
{
	if (words->n < 4)
		return "not NAME SECONDS SIZE KIND [WORD]...";
	item->name = xstrdup(words->items[0]);
	if (!parse_seconds(words->items[1], item))
		return "no number of seconds";
	if (parse_size(words->items[2], &item->size_bytes) || item->size_bytes >= ITEM_END_BYTES)
		return "no size";
	while (item->kind < BUNDLE_KINDS && strcmp(words->items[3], bundle_kind_names[item->kind]) != 0)
		item->kind++;
	if (item->kind == BUNDLE_KINDS)
		return "no such kind";
	for (size_t i = 4; i < words->n; i++)
		strings_add(&item->words, words->items[i]);
	return check_item(item);
}

static void item_done(struct bundle_item *item)
{
	free(item->name);
	strings_done(&item->words);
}

/* Two items never make the same member: a name comes once, and no name is the directory of another. */
static const char *check_against(const struct bundle_list *list, const struct bundle_item *item)
{
	if (list->n == ITEMS_MAX)
		return "too many items";
	for (size_t i = 0; i < list->n; i++) {
		const char *other = list->items[i].name;

		if (!strcmp(other, item->name))
			return "the same name again";
		if (bundle_item_is_many(item) ? starts_with(other, item->name) : bundle_item_is_many(&list->items[i]) && starts_with(item->name, other))
			return "a name below that of another item";
	}
	return NULL;
}

static int parse_line(char *line, unsigned int number, struct bundle_list *list, char **ret_error)
{
	struct bundle_item item = { .line = number };
	struct strings words = { 0 };
	const char *wrong = NULL;

	for (const char *p = line; *p && !wrong; p++)
		if ((*p < ' ' && *p != '\t') || *p > '~')
			wrong = "a character that is not printable ASCII";
	strings_split(&words, line, " \t");
	if (!wrong && words.n && *words.items[0] != '#') {
		wrong = parse_item(&words, &item);
		if (!wrong)
			wrong = check_against(list, &item);
		if (!wrong) {
			list->items = xrealloc(list->items, list->n + 1, sizeof(*list->items));
			list->items[list->n++] = item;
			item = (struct bundle_item){ 0 };
		}
	}
	if (wrong) {
		CLEANUP_FREE char *clean = xcalloc(4 * strlen(line) + 1, 1);

		text_clean(line, strlen(line), clean);
		*ret_error = xasprintf("line %u: %s: '%s'", number, wrong, clean);
	}
	item_done(&item);
	strings_done(&words);
	return wrong ? -EINVAL : 0;
}

int bundle_list_parse(const char *text, struct bundle_list *ret, char **ret_error)
{
	struct bundle_list list = { 0 };
	unsigned int number = 0;
	int err = 0;

	while (*text && !err) {
		size_t n = strcspn(text, "\n");
		CLEANUP_FREE char *line = xstrndup(text, n);

		err = parse_line(line, ++number, &list, ret_error);
		text += n + (text[n] == '\n');
	}
	if (!err && !list.n) {
		*ret_error = xstrdup("it names nothing");
		err = -EINVAL;
	}
	if (err)
		bundle_list_done(&list);
	else
		*ret = list;
	return err;
}

int bundle_list_load(const char *path, struct bundle_list *ret, char **ret_error)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int err = file_read(path, LIST_LIMIT_BYTES, &text, &size);

	if (err)
		*ret_error = xstrdup(strerror(-err));
	else if (strlen(text) != size)
		*ret_error = xstrdup("it holds a NUL");
	else
		return bundle_list_parse(text, ret, ret_error);
	return err ? err : -EINVAL;
}

void bundle_list_done(struct bundle_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		item_done(&list->items[i]);
	free(list->items);
	*list = (struct bundle_list){ 0 };
}
