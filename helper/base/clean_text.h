// SPDX-License-Identifier: Apache-2.0
// Text that a guest or a user chose, made printable, and back.
#ifndef KVMWAIT_BASE_CLEAN_TEXT_H
#define KVMWAIT_BASE_CLEAN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Text that a guest or a user chose, made fit to print: printable UTF-8 stays, a backslash is doubled, any
 * other byte becomes \xNN. Nothing is lost. out must hold 4 * n + 1. Returns the length.
 */
size_t text_clean(const char *text, size_t n, char *out);
/* Undoes it. Returns the length, or -EINVAL where the text is not of that form or does not fit. */
int text_restore(const char *clean, char *out, size_t out_size);
/* The cleaned text; NULL is "". The caller frees. */
char *text_cleaned(const char *text);
/* The same of a text from an untrusted file that should be clean already: what is clean stays as it is. */
char *text_recleaned(const char *text);
/* Does text_clean() leave the text as it is? Most names are clean. */
bool text_is_clean(const char *text, size_t n);

#endif
