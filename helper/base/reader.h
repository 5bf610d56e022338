// SPDX-License-Identifier: Apache-2.0
// Lines of a file or a pipe, a block at a time, from a buffer that is bounded whatever comes.
#ifndef KVMWAIT_BASE_READER_H
#define KVMWAIT_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>

/* At first there is room for so much, and a line has at most `limit` bytes. */
struct reader {
	int fd;
	char *buffer;
	size_t room, limit;
	size_t start, used; /* what is still to be given */
	size_t scanned;	    /* up to here there is no newline */
	bool at_end, skipping;
};

enum reader_found {
	READER_NONE, /* no whole line: the next block is wanted, or it was the last */
	READER_LINE,
	READER_LONG, /* the beginning of a line that is too long; its rest is skipped */
	READER_CUT,  /* at the end: a line without its newline */
};

/* The file stays the caller's. */
void reader_init(struct reader *r, int fd, size_t room, size_t limit);
void reader_done(struct reader *r);
/* Reads a block: its size, 0 at the end, or -errno. Before, all lines of the last one have to be taken. */
long reader_fill(struct reader *r);
/* The next line of what was read, without its newline. Borrowed until the next reader_fill(). */
enum reader_found reader_line(struct reader *r, const char **ret_line, size_t *ret_n);

#endif
