// SPDX-License-Identifier: Apache-2.0
// Finding names and addresses in a text: the part of redact.c that only looks.
#ifndef KVMWAIT_BUNDLE_REDACT_FIND_H
#define KVMWAIT_BUNDLE_REDACT_FIND_H

#include "base/text.h"
#include "bundle/redact.h"

#define REDACT_BOUNDED_BYTES 5 /* names below this are found only between other characters than letters and digits */
#define REDACT_NAME_BYTES 3
#define REDACT_CANONICAL_BYTES 256 /* an NQN has 223 at most (NVM Express base specification, 4.7), an iSCSI name as well (RFC 3720) */

/* One way to write a name. */
struct redact_form {
	char *text; /* lower case */
	size_t n;
	size_t entry; /* of whose name it is */
	bool bounded;
};

/* Forms by their first two bytes, the longest first; and words that stay. */
struct redact_forms {
	struct redact_form *items;
	size_t n;
	bool sorted;
	uint32_t first[65536]; /* where those of two bytes begin, + 1; 0: none */
	struct strings words;  /* the vocabulary, lower case, sorted */
	bool words_sorted;
	unsigned int last[REDACT_KINDS]; /* the numbers of the newest tokens */
};

/* What tokens begin with: "ip" of ip-7. */
extern const char *const redact_prefixes[REDACT_KINDS];
/* The length of a token that was given out, at the beginning of a text; 0: there is none. */
size_t redact_token_length(const struct redact_forms *f, const char *s, size_t n);

void redact_forms_add(struct redact_forms *f, const char *text, size_t n, size_t entry, bool bounded);
void redact_forms_done(struct redact_forms *f);
bool redact_is_word(struct redact_forms *f, const char *text, size_t n);

/* What was found: a name's entry, or something with a form of its own: its kind, and one notation for all that it has. */
struct redact_match {
	size_t start, n;
	bool is_name;
	size_t entry;
	enum redact_kind kind;
	char canonical[REDACT_CANONICAL_BYTES];
};

/* The first at or behind `from`. With_words: words of the vocabulary are no match. */
bool redact_find(struct redact_forms *f, const char *text, size_t n, size_t from, bool with_words, struct redact_match *ret);

/*
 * Undoes %XX, \xXX, \uXXXX, \\ and \": the text into `out` (n bytes of room), and where each of its bytes begins in the
 * original into `at` (n + 1 numbers). Returns the length, which is n where there was nothing to undo.
 */
size_t redact_decode(const char *text, size_t n, char *out, size_t *at);

#endif
