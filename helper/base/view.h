// SPDX-License-Identifier: Apache-2.0
// Pieces of text with a length, for input without a NUL at its end.
#ifndef KVMWAIT_BASE_VIEW_H
#define KVMWAIT_BASE_VIEW_H

#include <stdbool.h>
#include <stddef.h>

/* Borrows the bytes; n can be 0, and then `at` is not read. */
struct view {
	const char *at;
	size_t n;
};

bool view_is(struct view s, const char *text);
bool view_is_any(struct view s, const char *const *texts, size_t n);
/* Without the first `skip` bytes; there must be as many. */
struct view view_from(struct view s, size_t skip);
/* Removes `prefix` or `suffix` if it is there. Returns whether it was. */
bool view_cut_start(struct view *s, const char *prefix);
bool view_cut_end(struct view *s, const char *suffix);
/* Moves the text before the first `separator`, or all of it, from `rest` to ret; drops the separator. False at the end. */
bool view_next(struct view *rest, char separator, struct view *ret);
/* Removes the last component of a path, without slashes at its end, and returns it. */
struct view view_last_part(struct view *path);

#endif
