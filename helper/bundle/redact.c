// SPDX-License-Identifier: Apache-2.0
// Stable tokens in the place of names and addresses.
#include "bundle/redact.h"

#include "base/clean_text.h"
#include "base/table.h"
#include "base/text.h"
#include "bundle/redact_find.h"
#include "bundle/redact_form.h"
#include "record/event.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 8
#define THREAD_NAME_BYTES (COMM_BYTES - 1)
#define CUT_NAME_BYTES 4 /* a cut name of fewer bytes than this could be anything */
#define TOKEN_TRIES 1000

static const char gone[] = "redacted"; /* where even tokens do not help */

/* A name or an address. */
struct name {
	enum redact_kind kind;
	size_t index;
	bool weak;
	char *name;
	char *token; /* NULL: it has not been needed */
};

struct redact {
	struct name **entries;
	size_t n;
	struct table by_name; /* the entries, by kind and name */
	struct redact_forms forms;
};

static uint64_t hash_name(const void *name)
{
	const struct name *n = name;

	return table_hash_bytes(table_hash_bytes(0, &n->kind, sizeof(n->kind)), n->name, strlen(n->name));
}

static bool same_name(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->kind == y->kind && !strcmp(x->name, y->name);
}

struct redact *redact_new(void)
{
	struct redact *r = xcalloc(1, sizeof(*r));

	r->by_name = (struct table){ .hash = hash_name, .same = same_name };
	for (size_t i = 0; i < REDACT_KINDS; i++)
		redact_vocabulary(r, redact_prefixes[i]);
	redact_vocabulary(r, "localhost localdomain true false null");
	redact_vocabulary(r, gone);
	return r;
}

void redact_free(struct redact *r)
{
	if (!r)
		return;
	table_done(&r->by_name, NULL);
	for (size_t i = 0; i < r->n; i++) {
		free(r->entries[i]->name);
		free(r->entries[i]->token);
		free(r->entries[i]);
	}
	free(r->entries);
	redact_forms_done(&r->forms);
	free(r);
}

void redact_vocabulary(struct redact *r, const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

	while (*(text += strcspn(text, letters))) {
		size_t n = strspn(text, letters);

		strings_add_n(&r->forms.words, text, n);
		for (char *p = r->forms.words.items[r->forms.words.n - 1]; *p; p++)
			if (*p >= 'A' && *p <= 'Z')
				*p = (char)(*p - 'A' + 'a');
		text += n;
	}
	r->forms.words_sorted = false;
}

/* Numbers and very short names are everywhere; so are words of the vocabulary. */
static bool is_weak(struct redact *r, const char *name)
{
	size_t n = strlen(name);

	return n < REDACT_NAME_BYTES || strspn(name, "0123456789.+-eE") == n || redact_is_word(&r->forms, name, n);
}

static struct name *entry_get(struct redact *r, enum redact_kind kind, const char *name, bool *ret_new)
{
	struct name key = { .kind = kind, .name = (char *)name }, *e = table_find(&r->by_name, &key);

	*ret_new = !e;
	if (e)
		return e;
	e = xcalloc(1, sizeof(*e));
	*e = (struct name){ .kind = kind, .index = r->n, .name = xstrdup(name) };
	r->entries = xrealloc(r->entries, r->n + 1, sizeof(*r->entries)); /* NOLINT(bugprone-sizeof-expression): an array of pointers */
	r->entries[r->n++] = e;
	table_add(&r->by_name, e);
	return e;
}

static void add_form(struct redact *r, const struct name *e, const char *text, size_t n)
{
	if (n >= REDACT_NAME_BYTES)
		redact_forms_add(&r->forms, text, n, e->index, n < REDACT_BOUNDED_BYTES);
}

static void add_hex(struct redact *r, const struct name *e, const uint8_t *bytes, size_t n)
{
	CLEANUP_FREE char *hex = xcalloc(2 * n + 1, 1);

	for (size_t i = 0; i < n; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	add_form(r, e, hex, 2 * n);
}

/* All that a text of the name may look like. */
static void add_forms(struct redact *r, const struct name *e, const char *text, size_t n)
{
	add_form(r, e, text, n);
	if (n > THREAD_NAME_BYTES)
		add_form(r, e, text, THREAD_NAME_BYTES);
	if (n >= CUT_NAME_BYTES)
		add_hex(r, e, (const uint8_t *)text, n);
}

void redact_add(struct redact *r, enum redact_kind kind, const char *name)
{
	CLEANUP_FREE char *raw = xcalloc(strlen(name) + 1, 1);
	int n_raw = text_restore(name, raw, strlen(name) + 1);
	bool new;
	struct name *e;

	if (!*name)
		return;
	e = entry_get(r, kind, name, &new);
	if (!new)
		return;
	e->weak = is_weak(r, name);
	if (e->weak)
		return;
	add_forms(r, e, name, strlen(name));
	if (n_raw > 0 && ((size_t)n_raw != strlen(name) || memcmp(raw, name, (size_t)n_raw) != 0))
		add_forms(r, e, raw, (size_t)n_raw);
}

void redact_add_mac(struct redact *r, const uint8_t mac[6])
{
	CLEANUP_FREE char *name = xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	bool new;
	const struct name *e = entry_get(r, REDACT_MAC, name, &new);

	if (new && memcmp(mac, "\0\0\0\0\0", 6) != 0) /* twelve zeros are a number */
		add_hex(r, e, mac, 6);
}

void redact_add_ipv4(struct redact *r, const uint8_t ip[4])
{
	const uint8_t turned[4] = { ip[3], ip[2], ip[1], ip[0] };
	char name[INET_ADDRSTRLEN];
	bool new;
	const struct name *e;

	inet_ntop(AF_INET, ip, name, sizeof(name));
	e = entry_get(r, REDACT_IP, name, &new);
	if (!new || ip[0] == 127 || !ip[0])
		return;
	/* As /proc/net has them; 8 digits may be a part of a longer number, so only between other characters. */
	for (int i = 0; i < 2; i++) {
		const uint8_t *b = i ? turned : ip;
		CLEANUP_FREE char *hex = xasprintf("%02x%02x%02x%02x", b[0], b[1], b[2], b[3]);

		redact_forms_add(&r->forms, hex, 8, e->index, true);
	}
}

/* ---- tokens ---- */

/* A token holds no name itself, and is not one that another has. */
static char *make_token(struct redact *r, enum redact_kind kind)
{
	static const char *const styles[] = { "%s-%u", "%s%u", "%s.%u", "x%.0s%u", "-%.0s%u-" };

	for (size_t style = 0; style < ARRAY_SIZE(styles); style++) {
		for (unsigned int i = 0; i < TOKEN_TRIES; i++) {
			struct redact_match match;
			char token[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(token, sizeof(token), styles[style], redact_prefixes[kind], ++r->forms.last[kind]);
#pragma GCC diagnostic pop
			if (!redact_find(&r->forms, token, strlen(token), 0, false, &match))
				return xstrdup(token);
		}
	}
	return xstrdup(gone);
}

static const char *token_of(struct redact *r, struct name *e)
{
	if (!e->token)
		e->token = make_token(r, e->kind);
	return e->token;
}

const char *redact_token(struct redact *r, enum redact_kind kind, const char *name)
{
	bool new;

	return token_of(r, entry_get(r, kind, name, &new));
}

static const char *token_of_match(struct redact *r, const struct redact_match *m)
{
	return m->is_name ? token_of(r, r->entries[m->entry]) : redact_token(r, m->kind, m->canonical);
}

/* ---- texts ---- */

/*
 * One round: what is found in `seen` is replaced in `text`; byte i of seen begins at text[at[i]], at NULL: they are the
 * same. NULL where nothing was found; the caller frees.
 */
static char *replace(struct redact *r, const char *text, size_t n, const char *seen, size_t n_seen, const size_t *at, size_t *ret_n)
{
	struct redact_match m;
	char *out = NULL;
	size_t done = 0, from = 0;
	FILE *f;

	if (!redact_find(&r->forms, seen, n_seen, 0, true, &m))
		return NULL;
	f = open_memstream(&out, ret_n);
	if (!f)
		abort();
	do {
		size_t start = at ? at[m.start] : m.start, end = at ? at[m.start + m.n] : m.start + m.n;

		/* Of a character that is one escape, a part may have been meant. */
		if (start > done)
			fwrite(text + done, 1, start - done, f);
		fputs(token_of_match(r, &m), f);
		done = end > done ? end : done;
		from = m.start + m.n;
	} while (redact_find(&r->forms, seen, n_seen, from, true, &m));
	fwrite(text + done, 1, n - done, f);
	if (fclose(f))
		abort();
	return out;
}

/* A round on what stands behind the escapes, and on what stands behind those. */
static char *replace_decoded(struct redact *r, const char *text, size_t n, size_t *ret_n)
{
	CLEANUP_FREE char *seen = NULL;
	CLEANUP_FREE size_t *at = NULL;
	char *out = NULL;

	if (!memchr(text, '%', n) && !memchr(text, '\\', n))
		return NULL;
	seen = xcalloc(n + 1, 1);
	at = xcalloc(n + 2, sizeof(*at));
	for (size_t n_seen = n, depth = 0; depth < 3 && !out; depth++) {
		CLEANUP_FREE char *deeper = xcalloc(n_seen + 1, 1);
		CLEANUP_FREE size_t *deeper_at = xcalloc(n_seen + 2, sizeof(*at));
		size_t n_deeper = redact_decode(depth ? seen : text, n_seen, deeper, deeper_at);

		if (n_deeper == n_seen)
			break;
		for (size_t i = 0; i <= n_deeper && depth; i++)
			deeper_at[i] = at[deeper_at[i]];
		memcpy(at, deeper_at, (n_deeper + 1) * sizeof(*at));
		memcpy(seen, deeper, n_deeper);
		n_seen = n_deeper;
		out = replace(r, text, n, seen, n_seen, at, ret_n);
	}
	return out;
}

char *redact_text(struct redact *r, const char *text, size_t n, size_t *ret_n)
{
	char *now = xcalloc(n + 1, 1);

	memcpy(now, text, n);
	*ret_n = n;
	for (unsigned int round = 0; round < ROUNDS_MAX; round++) {
		size_t n_next = 0;
		char *next = replace(r, now, *ret_n, now, *ret_n, NULL, &n_next);

		if (!next)
			next = replace_decoded(r, now, *ret_n, &n_next);
		if (!next)
			return now;
		free(now);
		now = next;
		*ret_n = n_next;
	}
	/* Tokens and what stands beside them make up names again and again. */
	if (redact_is_left(r, now, *ret_n)) {
		free(now);
		now = xstrdup(gone);
		*ret_n = strlen(gone);
	}
	return now;
}

bool redact_is_left(struct redact *r, const char *data, size_t n)
{
	struct redact_match m;
	CLEANUP_FREE char *decoded = NULL;
	size_t n_decoded = 0;

	if (redact_find(&r->forms, data, n, 0, true, &m))
		return true;
	decoded = replace_decoded(r, data, n, &n_decoded);
	return decoded;
}

void redact_mask(struct redact *r, const char *data, size_t n, FILE *out)
{
	CLEANUP_FREE char *now = xcalloc(n, 1);
	bool found = true;

	memcpy(now, data, n);
	for (unsigned int round = 0; found && round < ROUNDS_MAX; round++) { /* an x may make a name of what is beside it */
		struct redact_match m = { 0 };

		found = false;
		for (size_t from = 0; redact_find(&r->forms, now, n, from, true, &m); from = m.start + m.n) {
			memset(now + m.start, 'x', m.n);
			found = true;
		}
	}
	fwrite(now, 1, n, out);
}

/* ---- values of records ---- */

/* The name of a thread may end with a VM's name, cut by the room there is. */
static char *redact_cut_name(struct redact *r, const char *comm, size_t n, size_t *ret_n)
{
	if (n != THREAD_NAME_BYTES)
		return NULL;
	for (size_t start = 0; start + CUT_NAME_BYTES <= n; start++) {
		for (size_t i = 0; i < r->n; i++) {
			const struct name *e = r->entries[i];
			CLEANUP_FREE char *all = NULL;

			if (e->kind != REDACT_VM || e->weak || strlen(e->name) <= n - start || strncasecmp(e->name, comm + start, n - start) != 0)
				continue;
			all = xasprintf("%.*s%s", (int)start, comm, token_of(r, r->entries[i]));
			return redact_text(r, all, strlen(all), ret_n);
		}
	}
	return NULL;
}

/* The value of a key like "serial" is an identifier in "serial=VALUE" alone. */
static char *redact_named(struct redact *r, const char *key, const char *value, size_t *ret_n)
{
	size_t n, n_key = strlen(key) + 1;
	CLEANUP_FREE char *both = NULL;
	CLEANUP_FREE char *out = NULL;

	if (!redact_is_context(key))
		return NULL;
	both = xasprintf("%s=%s", key, value);
	out = redact_text(r, both, strlen(both), &n);
	if (strncmp(out, both, n_key) != 0)
		return NULL;
	*ret_n = n - n_key;
	return xstrdup(out + n_key);
}

char *redact_value(struct redact *r, const char *key, const char *value, size_t n, size_t *ret_n)
{
	char *out = NULL;

	if (strlen(value) != n)
		; /* a NUL inside: no name */
	else if (!strcmp(key, "vm") && n) {
		out = xstrdup(redact_token(r, REDACT_VM, value));
		*ret_n = strlen(out);
	} else if (strstr(key, "comm")) {
		CLEANUP_FREE char *raw = xcalloc(n + 1, 1);
		int n_raw = text_restore(value, raw, n + 1);

		out = redact_cut_name(r, n_raw > 0 ? raw : value, n_raw > 0 ? (size_t)n_raw : n, ret_n);
	}
	if (!out && strlen(value) == n)
		out = redact_named(r, key, value, ret_n);
	if (!out)
		out = redact_text(r, value, n, ret_n);
	if (*ret_n == n && !memcmp(out, value, n)) {
		free(out);
		return NULL;
	}
	return out;
}

json_t *redact_map(const struct redact *r)
{
	json_t *tokens = json_object(), *kept = json_array();

	for (size_t i = 0; i < r->n; i++) {
		const struct name *e = r->entries[i];

		if (e->token)
			json_object_set_new(tokens, e->token, json_string(e->name));
		if (e->weak)
			json_array_append_new(kept, json_string(e->name));
	}
	return json_pack("{s:o, s:o}", "tokens", tokens, "kept", kept);
}
