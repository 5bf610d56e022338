// SPDX-License-Identifier: Apache-2.0
// Finding names and addresses in a text: the part of redact.c that only looks.
#include "bundle/redact_find.h"

#include "base/text.h"
#include "bundle/redact_chars.h"
#include "bundle/redact_form.h"

#include <stdlib.h>
#include <string.h>

static bool is_word_character(char c)
{
	return is_alnum(c) || c == '_';
}

/* ---- forms and words ---- */

static unsigned int key_of(const char *s)
{
	return (unsigned int)(unsigned char)lower(s[0]) << 8 | (unsigned char)lower(s[1]);
}

void redact_forms_add(struct redact_forms *f, const char *text, size_t n, size_t entry, bool bounded)
{
	struct redact_form form = { .text = xcalloc(n + 1, 1), .n = n, .entry = entry, .bounded = bounded };

	for (size_t i = 0; i < n; i++)
		form.text[i] = lower(text[i]);
	f->items = xrealloc(f->items, f->n + 1, sizeof(*f->items));
	f->items[f->n++] = form;
	f->sorted = false;
}

void redact_forms_done(struct redact_forms *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->items[i].text);
	free(f->items);
	strings_done(&f->words);
	f->items = NULL;
	f->n = 0;
}

static int compare_forms(const void *a, const void *b)
{
	const struct redact_form *x = a, *y = b;
	unsigned int left = key_of(x->text), right = key_of(y->text);

	if (left != right)
		return left < right ? -1 : 1;
	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return (x->entry > y->entry) - (x->entry < y->entry); /* of two with the same name the first decides */
}

static void sort_forms(struct redact_forms *f)
{
	if (f->sorted)
		return;
	if (f->n)
		qsort(f->items, f->n, sizeof(*f->items), compare_forms);
	memset(f->first, 0, sizeof(f->first));
	for (size_t i = f->n; i--;)
		f->first[key_of(f->items[i].text)] = (uint32_t)i + 1;
	f->sorted = true;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool redact_is_word(struct redact_forms *f, const char *text, size_t n)
{
	char word[64], *key = word;

	if (n >= sizeof(word))
		return false;
	if (!f->words_sorted && f->words.n)
		qsort(f->words.items, f->words.n, sizeof(*f->words.items), compare_strings);
	f->words_sorted = true;
	for (size_t i = 0; i < n; i++)
		word[i] = lower(text[i]);
	word[n] = '\0';
	return f->words.n && bsearch(&key, f->words.items, f->words.n, sizeof(*f->words.items), compare_strings);
}

/* Is what stands there a part of a word that stays? */
static bool is_in_word(struct redact_forms *f, const char *text, size_t n, size_t start, size_t length)
{
	size_t end = start + length;

	while (start && is_word_character(text[start - 1]))
		start--;
	while (end < n && is_word_character(text[end]))
		end++;
	return redact_is_word(f, text + start, end - start);
}

static bool form_is_at(const struct redact_form *form, const char *text, size_t n, size_t at)
{
	if (form->n > n - at)
		return false;
	for (size_t i = 2; i < form->n; i++)
		if (lower(text[at + i]) != form->text[i])
			return false;
	return !form->bounded || !((at && is_alnum(text[at - 1])) || (at + form->n < n && is_alnum(text[at + form->n])));
}

static const struct redact_form *find_form(struct redact_forms *f, const char *text, size_t n, size_t at, bool with_words)
{
	unsigned int key;

	if (n - at < 2)
		return NULL;
	key = key_of(text + at);
	for (size_t i = f->first[key]; i && i <= f->n && key_of(f->items[i - 1].text) == key; i++) {
		const struct redact_form *form = &f->items[i - 1];

		if (form_is_at(form, text, n, at) && (!with_words || !is_in_word(f, text, n, at, form->n)))
			return form;
	}
	return NULL;
}

/* ---- tokens ---- */

const char *const redact_prefixes[REDACT_KINDS] = {
	[REDACT_HOST] = "host", [REDACT_VM] = "vm",   [REDACT_USER] = "user",	[REDACT_HOME] = "home", [REDACT_IP] = "ip",	    [REDACT_MAC] = "mac",
	[REDACT_WWN] = "wwn",	[REDACT_UUID] = "uuid", [REDACT_ISCSI] = "iscsi", [REDACT_NQN] = "nqn",	[REDACT_SERIAL] = "serial", [REDACT_KEY] = "key",
};

size_t redact_token_length(const struct redact_forms *f, const char *s, size_t n)
{
	for (size_t kind = 0; kind < REDACT_KINDS; kind++) {
		size_t length = strlen(redact_prefixes[kind]);
		uint64_t number = 0;

		if (n < length + 2 || memcmp(s, redact_prefixes[kind], length) != 0 || s[length++] != '-')
			continue;
		while (length < n && is_digit(s[length]) && number <= f->last[kind])
			number = number * 10 + (uint64_t)(s[length++] - '0');
		return number && number <= f->last[kind] && (length == n || !is_alnum(s[length])) ? length : 0;
	}
	return 0;
}

bool redact_find(struct redact_forms *f, const char *text, size_t n, size_t from, bool with_words, struct redact_match *ret)
{
	sort_forms(f);
	for (size_t at = from; at < n; at++) {
		const struct redact_form *form = find_form(f, text, n, at, with_words);

		if (form) {
			*ret = (struct redact_match){ .start = at, .n = form->n, .is_name = true, .entry = form->entry };
			return true;
		}
		if (redact_identifier_at(f, text, n, at, ret) || redact_address_at(f, text, n, at, ret))
			return true;
	}
	return false;
}

/* ---- escapes ---- */

/* The code point behind `digits` hex digits, or -1. */
static long hex_number(const char *s, size_t n, size_t digits)
{
	long value = 0;

	if (n < digits)
		return -1;
	for (size_t i = 0; i < digits; i++) {
		int digit = hex_digit(s[i]);

		if (digit < 0)
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

/* Writes a code point below 0x110000 as UTF-8; returns how many bytes, 4 at most. */
static size_t put_utf8(long point, char *out)
{
	size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	if (n == 1) {
		*out = (char)point;
		return 1;
	}
	for (size_t i = n; --i; point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	out[0] = (char)((0xf00 >> n) | point);
	return n;
}

/* One escape at s: how long it is and what it stands for; 0 where there is none. */
static size_t decode_one(const char *s, size_t n, char *out, size_t *ret_n)
{
	long point;

	*ret_n = 1;
	if (*s == '%' && (point = hex_number(s + 1, n - 1, 2)) >= 0) {
		*out = (char)point;
		return 3;
	}
	if (*s != '\\' || n < 2)
		return 0;
	if ((s[1] == 'x' || s[1] == 'X') && (point = hex_number(s + 2, n - 2, 2)) >= 0) {
		*out = (char)point;
		return 4;
	}
	if (s[1] == 'u' && (point = hex_number(s + 2, n - 2, 4)) >= 0) {
		long low = point >= 0xd800 && point < 0xdc00 && n > 8 && s[6] == '\\' && s[7] == 'u' ? hex_number(s + 8, n - 8, 4) : -1;
		bool pair = low >= 0xdc00 && low < 0xe000;

		*ret_n = put_utf8(pair ? 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00) : point, out);
		return pair ? 12 : 6;
	}
	if (s[1] == '\\' || s[1] == '"' || s[1] == '/' || s[1] == '\'' || s[1] == ' ') {
		*out = s[1];
		return 2;
	}
	return 0;
}

size_t redact_decode(const char *text, size_t n, char *out, size_t *at)
{
	size_t used = 0;

	for (size_t i = 0; i < n;) {
		char bytes[4] = { text[i] };
		size_t length = 1, escape = decode_one(text + i, n - i, bytes, &length);

		for (size_t j = 0; j < length; j++) {
			at[used] = i;
			out[used++] = bytes[j];
		}
		i += escape ? escape : 1;
	}
	at[used] = n;
	return used;
}
