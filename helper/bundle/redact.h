// SPDX-License-Identifier: Apache-2.0
// Stable tokens in the place of names, addresses and identifiers: host-1, vm-3, ip-7, uuid-4. Reads nothing but its arguments.
#ifndef KVMWAIT_BUNDLE_REDACT_H
#define KVMWAIT_BUNDLE_REDACT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum redact_kind {
	REDACT_HOST,
	REDACT_VM,
	REDACT_USER,
	REDACT_HOME,
	REDACT_IP,
	REDACT_MAC,
	REDACT_WWN,
	REDACT_UUID,
	REDACT_ISCSI,
	REDACT_NQN,
	REDACT_SERIAL,
	REDACT_KEY,
	REDACT_KINDS,
};

/*
 * A name is found in any case, wherever it stands: from 5 bytes on inside of other words as well, a shorter one where no
 * letter or digit is next to it; also cut to the 15 bytes of a thread's name, in hex, and behind %XX, \xXX, \uXXXX.
 * Addresses and identifiers are found by their form (redact_form.h); kvmwait-bundle(1) has the table.
 *
 * Two sorts of names cannot be told from other text: numbers and those below 3 bytes, and words of the vocabulary
 * (of the records, of the scripts). These are weak: they are replaced where a record names its VM, and told as kept.
 * A word of the vocabulary as a whole stays as well where only a part of it is a name ("wait" in "wait_ts").
 */
struct redact;
struct redact *redact_new(void);
void redact_free(struct redact *r);

/* Adds the words of a text (letters, digits and _) to the vocabulary. Before the first name. */
void redact_vocabulary(struct redact *r, const char *text);

/* Adds a name, as text_clean() left it or as it is; one that is there already is left alone. Before the first text. */
void redact_add(struct redact *r, enum redact_kind kind, const char *name);
/* Adds an address that is known, so that its forms without separators are found as well. */
void redact_add_mac(struct redact *r, const uint8_t mac[6]);
void redact_add_ipv4(struct redact *r, const uint8_t ip[4]);
/* Adds the VMs that records name: the values of "vm" in NDJSON or JSON. */
void redact_learn(struct redact *r, const char *data, size_t n);

/* The token of a name, whatever it looks like; borrowed. */
const char *redact_token(struct redact *r, enum redact_kind kind, const char *name);

/* A text without the names; the caller frees. */
char *redact_text(struct redact *r, const char *text, size_t n, size_t *ret_n);

/*
 * The whole of a file without the names: lines of JSON, JSON or text stay what they are. In a file with a NUL in it names
 * are overwritten with as many x, so that it stays readable by who reads its kind. 0 or -errno of the output.
 */
int redact_write(struct redact *r, const char *data, size_t n, FILE *out);

/* Is any name left that is not weak, or any address? Looks at the bytes as they are, and behind escapes. */
bool redact_is_left(struct redact *r, const char *data, size_t n);

/* {"tokens": {TOKEN: NAME}, "kept": [NAME]}; the caller owns it. */
json_t *redact_map(const struct redact *r);

/* For redact_json.c. What the value of a key becomes: the caller frees; NULL: as it was. */
char *redact_value(struct redact *r, const char *key, const char *value, size_t n, size_t *ret_n);
/* Bytes with names overwritten. */
void redact_mask(struct redact *r, const char *data, size_t n, FILE *out);

#endif
