// SPDX-License-Identifier: Apache-2.0
// Lines of a file or a pipe, a block at a time, from a buffer that is bounded whatever comes.
#include "base/reader.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void reader_init(struct reader *r, int fd, size_t room, size_t limit)
{
	*r = (struct reader){ .fd = fd, .room = room < limit ? room : limit, .limit = limit };
	r->buffer = xcalloc(r->room, 1);
}

void reader_done(struct reader *r)
{
	free(r->buffer);
	*r = (struct reader){ .fd = -1 };
}

/* What is left of the last block goes to the front. */
static void make_room(struct reader *r)
{
	r->used -= r->start;
	r->scanned -= r->start;
	memmove(r->buffer, r->buffer + r->start, r->used);
	r->start = 0;
	if (r->used < r->room)
		return;
	r->room = 2 * r->room < r->limit ? 2 * r->room : r->limit;
	r->buffer = xrealloc(r->buffer, r->room, 1);
}

long reader_fill(struct reader *r)
{
	ssize_t n;

	make_room(r);
	n = read(r->fd, r->buffer + r->used, r->room - r->used);
	if (n < 0)
		return -errno;
	r->used += (size_t)n;
	r->at_end = n == 0;
	return n;
}

static enum reader_found take_rest(struct reader *r, const char **ret_line, size_t *ret_n)
{
	size_t n = r->used - r->start;
	bool skipped = r->skipping;

	r->scanned = r->used;
	if (!n || (!skipped && !r->at_end && n < r->limit))
		return READER_NONE;
	*ret_line = r->buffer + r->start;
	*ret_n = n;
	r->start = r->used;
	r->skipping = !r->at_end;
	if (skipped)
		return READER_NONE;
	return r->at_end ? READER_CUT : READER_LONG;
}

enum reader_found reader_line(struct reader *r, const char **ret_line, size_t *ret_n)
{
	for (;;) {
		char *line = r->buffer + r->start;
		char *newline = memchr(r->buffer + r->scanned, '\n', r->used - r->scanned);
		bool skipped = r->skipping;

		if (!newline)
			return take_rest(r, ret_line, ret_n);
		r->start = r->scanned = (size_t)(newline + 1 - r->buffer);
		r->skipping = false;
		if (skipped)
			continue;
		*ret_line = line;
		*ret_n = (size_t)(newline - line);
		return READER_LINE;
	}
}
