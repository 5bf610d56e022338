// SPDX-License-Identifier: Apache-2.0
// Names are replaced in any text: none is left, JSON stays JSON, and whatever numbers it holds.
#include "fuzz.h"

#include "base/memory.h"
#include "bundle/redact.h"

#define NAMES_MAX 6
#define NAME_MAX_BYTES 24

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static bool is_word(const char *text, size_t n)
{
	static const char *const words[] = { "host", "vm", "user", "home", "ip", "mac", "wwn", "uuid", "iscsi", "nqn", "serial", "key", "localhost", "localdomain", "true", "false", "null",
					     "redacted", "sched_switch" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == n && !strncasecmp(text, words[i], n))
			return true;
	return false;
}

/* Looks for a name in the plainest way. A word of the vocabulary may hold one. */
static bool holds(const char *text, size_t n, const char *name)
{
	size_t length = strlen(name);

	for (size_t at = 0; at + length <= n; at++) {
		size_t i = 0, start = at, end = at + length;

		while (i < length && lower(text[at + i]) == lower(name[i]))
			i++;
		if (i < length)
			continue;
		if (length < 5 && ((at && is_alnum(text[at - 1])) || (end < n && is_alnum(text[end]))))
			continue;
		while (start && (is_alnum(text[start - 1]) || text[start - 1] == '_'))
			start--;
		while (end < n && (is_alnum(text[end]) || text[end] == '_'))
			end++;
		if (!is_word(text + start, end - start))
			return true;
	}
	return false;
}

static bool is_weak(const char *name)
{
	return strlen(name) < 3 || strspn(name, "0123456789.+-eE") == strlen(name) || is_word(name, strlen(name));
}

/* Every string in it, as it is read by whoever reads JSON; those that "vm" names are tokens. */
static void check_strings(const json_t *value, char *const *names, size_t n_names)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		for (i = 0; i < n_names; i++)
			MUST(is_weak(names[i]) || !holds(json_string_value(value), json_string_length(value), names[i]));
	if (json_is_array(value)) {
		json_array_foreach(value, i, item) {
			check_strings(item, names, n_names);
		}
	}
	if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, item) {
			for (i = 0; i < n_names; i++)
				MUST(is_weak(names[i]) || !holds(key, strlen(key), names[i]));
			check_strings(item, names, n_names);
		}
	}
}

/* Two keys that hold the same name in other cases become the same; that is no loss. */
#define FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static void check(struct redact *r, const char *text, size_t n, char *const *names, size_t n_names)
{
	bool binary = n && memchr(text, 0, n);
	char *out = NULL;
	size_t size = 0;
	json_t *before = json_loadb(text, n, FLAGS, NULL), *after;
	FILE *f = open_memstream(&out, &size);

	redact_learn(r, text, n);
	MUST(f && !redact_write(r, text, n, f) && !fclose(f));
	if (binary)
		MUST(size == n);
	for (size_t i = 0; i < n_names && !json_is_object(before) && !json_is_array(before); i++)
		MUST(is_weak(names[i]) || (binary && strspn(names[i], "xX") > 0) || !holds(out, size, names[i]) || strpbrk(names[i], "\n\"\\{}[]:, "));
	if (json_is_object(before) || json_is_array(before)) {
		after = json_loadb(out, size, FLAGS, NULL);
		MUST(after);
		check_strings(after, names, n_names);
		json_decref(after);
	}
	json_decref(before);
	free(out);
}

/* Names of printable ASCII, each behind its length; what follows is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redact *r = redact_new();
	char *names[NAMES_MAX], *plain;
	size_t n_names = 0, n;
	uint8_t length, kind;

	redact_vocabulary(r, "sched_switch");
	while (n_names < NAMES_MAX && fuzz_take(&data, &size, &length, 1) && (length %= NAME_MAX_BYTES + 1)) {
		char *name = xcalloc(length + 1u, 1);

		kind = length % 4;
		fuzz_take(&data, &size, name, length);
		for (char *p = name; *p; p++)
			if (*p < ' ' || *p > '~')
				*p = '_';
		redact_add(r, kind, name);
		names[n_names++] = name;
	}
	plain = redact_text(r, (const char *)data, size, &n);
	MUST(!redact_is_left(r, plain, n));
	for (size_t i = 0; i < n_names; i++)
		MUST(is_weak(names[i]) || !holds(plain, n, names[i]));
	free(plain);
	check(r, (const char *)data, size, names, n_names);
	for (size_t i = 0; i < n_names; i++)
		free(names[i]);
	redact_free(r);
	return 0;
}
