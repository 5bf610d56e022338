// SPDX-License-Identifier: Apache-2.0
// Strings: lists of them, strict decimal numbers, white space.
#ifndef KVMWAIT_BASE_TEXT_H
#define KVMWAIT_BASE_TEXT_H

#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

/* A list of strings that it owns. */
struct strings {
	char **items;
	size_t n;
};
void strings_add(struct strings *list, const char *s);
void strings_add_n(struct strings *list, const char *s, size_t n);
/* Adds a text that is made as printf() makes it. */
void strings_add_format(struct strings *list, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool strings_have(const struct strings *list, const char *s);
void strings_done(struct strings *list);
/* Adds the words of `text` that any character of `separators` parts; empty words are left out. */
void strings_split(struct strings *list, const char *text, const char *separators);
/* The items with `separator` between them; the caller frees. */
char *strings_join(const struct strings *list, const char *separator);

/* Strict decimal numbers: the whole text, nothing else. 0, -EINVAL or -ERANGE; ret_value untouched on failure. */
int parse_u64(const char *text, uint64_t *ret_value);
int parse_i64(const char *text, int64_t *ret_value);
/* A size in bytes of at least 1, with K, M, G or T behind it for powers of 1024: "64M". Fails as the others do. */
int parse_size(const char *text, uint64_t *ret_bytes);

/* Skips white space. */
const char *skip_space(const char *s);
/* Cuts white space off the end of a text, in place. */
char *trim_end(char *s);
bool starts_with(const char *s, const char *prefix);

#endif
