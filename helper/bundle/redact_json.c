// SPDX-License-Identifier: Apache-2.0
// Whole files without names: lines of JSON, JSON, text, or bytes. All but strings with names in them stays byte for byte.
#include "base/memory.h"
#include "bundle/redact.h"
#include "base/output.h"
#include "bundle/redact_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 32
#define JSON_ANY (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL)

static bool is_json(const char *data, size_t n)
{
	size_t space = 0;
	json_t *value;

	while (space < n && strchr(" \t\r\n", data[space]) && data[space])
		space++;
	if (space == n || (data[space] != '{' && data[space] != '['))
		return false;
	value = json_loadb(data, n, JSON_ANY, NULL);
	json_decref(value);
	return value;
}

/* The length of a string with its quotes, in valid JSON. */
static size_t string_length(const char *s, size_t n)
{
	size_t i = 1;

	while (i < n && s[i] != '"')
		i += s[i] == '\\' ? 2 : 1;
	return i < n ? i + 1 : n;
}

/* What a string with its quotes stands for. */
static json_t *string_load(const char *s, size_t n)
{
	return json_loadb(s, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* Bytes as a string with quotes; what is no UTF-8 any more was cut by a replacement, and goes as well. */
static void string_put(const char *bytes, size_t n, FILE *out)
{
	json_t *string = json_stringn(bytes, n);

	if (!string)
		string = json_string("redacted");
	json_dumpf(string, out, JSON_ENCODE_ANY);
	json_decref(string);
}

/* Calls for each string of valid JSON; `rest` for what stands between them. */
struct walk {
	void (*string)(struct walk *w, const char *s, size_t n, bool is_key);
	struct redact *r;
	FILE *out; /* or NULL */
	char key[KEY_BYTES];
};

static void walk_json(struct walk *w, const char *data, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *quote = memchr(data + i, '"', n - i);
		size_t before = quote ? (size_t)(quote - data) - i : n - i, length, after;

		if (w->out)
			fwrite(data + i, 1, before, w->out);
		i += before;
		if (!quote)
			break;
		length = string_length(quote, n - i);
		for (after = i + length; after < n && data[after] && strchr(" \t\r\n", data[after]);)
			after++;
		w->string(w, quote, length, after < n && data[after] == ':');
		i += length;
	}
}

static void replace_string(struct walk *w, const char *s, size_t n, bool is_key)
{
	json_t *string = string_load(s, n);
	const char *text = json_string_value(string);
	size_t length = json_string_length(string), n_out = 0;
	CLEANUP_FREE char *out = text ? redact_value(w->r, is_key ? "" : w->key, text, length, &n_out) : NULL;

	if (out)
		string_put(out, n_out, w->out);
	else
		fwrite(s, 1, n, w->out);
	if (is_key)
		snprintf(w->key, sizeof(w->key), "%s", text ? text : "");
	json_decref(string);
}

static void learn_string(struct walk *w, const char *s, size_t n, bool is_key)
{
	json_t *string = NULL;

	if (is_key) {
		snprintf(w->key, sizeof(w->key), "%.*s", n > 2 && n < KEY_BYTES ? (int)n - 2 : 0, s + 1);
		return;
	}
	if (strcmp(w->key, "vm") != 0)
		return;
	string = string_load(s, n);
	if (json_string_value(string) && strlen(json_string_value(string)) == json_string_length(string))
		redact_add(w->r, REDACT_VM, json_string_value(string));
	json_decref(string);
}

/* Lines, where a line is JSON or is not; what is JSON only as a whole is walked as a whole. */
static void each_line(struct walk *w, const char *data, size_t n)
{
	bool whole = is_json(data, n);

	for (size_t i = 0; i < n;) {
		const char *end = whole ? NULL : memchr(data + i, '\n', n - i);
		size_t length = end ? (size_t)(end - data) - i : n - i, n_out;

		*w->key = '\0';
		if (whole || is_json(data + i, length)) {
			walk_json(w, data + i, length);
		} else if (w->out) {
			CLEANUP_FREE char *text = redact_text(w->r, data + i, length, &n_out);

			fwrite(text, 1, n_out, w->out);
		}
		i += length;
		if (end && w->out)
			putc('\n', w->out);
		i += end != NULL;
	}
}

void redact_learn(struct redact *r, const char *data, size_t n)
{
	struct walk w = { .string = learn_string, .r = r };

	if (!memchr(data, '\0', n))
		each_line(&w, data, n);
}

int redact_write(struct redact *r, const char *data, size_t n, FILE *out)
{
	struct walk w = { .string = replace_string, .r = r, .out = out };

	if (n && memchr(data, '\0', n))
		redact_mask(r, data, n, out);
	else
		each_line(&w, data, n);
	return output_flush(out);
}
