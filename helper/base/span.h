// SPDX-License-Identifier: Apache-2.0
// Pieces of text with a length, for input without a NUL at its end.
#ifndef KVMWAIT_BASE_SPAN_H
#define KVMWAIT_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* Borrows the bytes; n can be 0, and then `at` is not read. */
struct span {
	const char *at;
	size_t n;
};

bool span_is(struct span s, const char *text);
bool span_is_any(struct span s, const char *const *texts, size_t n);
/* Without the first `skip` bytes; there must be as many. */
struct span span_from(struct span s, size_t skip);
/* Removes `prefix` or `suffix` if it is there. Returns whether it was. */
bool span_cut_start(struct span *s, const char *prefix);
bool span_cut_end(struct span *s, const char *suffix);
/* Moves the text before the first `separator`, or all of it, from `rest` to ret; drops the separator. False at the end. */
bool span_next(struct span *rest, char separator, struct span *ret);
/* Removes the last component of a path, without slashes at its end, and returns it. */
struct span span_last_part(struct span *path);

#endif
