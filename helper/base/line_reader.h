// SPDX-License-Identifier: Apache-2.0
// Reads lines from a pipe or a file, plain or compressed with zstd, in bounded memory.
#ifndef KVMWAIT_BASE_LINE_READER_H
#define KVMWAIT_BASE_LINE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_found {
	LINE_NONE,  /* no line is left in the buffer */
	LINE_WHOLE, /* a line, without its newline */
	LINE_LONG,  /* the beginning of a line of the limit or more; the rest of it is skipped */
	LINE_CUT,   /* text without a newline, at the end or before a place that cannot be decompressed */
};

struct line_reader_state {
	uint64_t size_bytes; /* of the file on disk; 0: unknown */
	uint64_t read_bytes; /* of those */
	uint64_t lines;	     /* given so far, whole or not: the number of the last one */
	bool compressed;
	bool frame_cut;	       /* at the end: the last zstd frame is incomplete */
	uint64_t damages;      /* places that could not be decompressed; reading went on at the next frame */
	uint64_t damage_bytes; /* where in the file the first of them was noticed */
};

struct line_reader {
	int fd;
	bool owns_fd;
	char *text; /* room + 1 bytes */
	size_t room, limit;
	size_t start, used; /* the part of the text that is still to be given */
	size_t scanned;	    /* no newline from the start up to here */
	size_t whole;	    /* whole lines up to here */
	bool at_end;
	bool skipping; /* the rest of a line that is too long */
	bool broken;   /* the next block does not continue the text up to `used` */
	/* compressed: */
	struct ZSTD_DCtx_s *zstd; /* NULL: plain */
	char *raw;
	size_t raw_start, raw_used, raw_room;
	bool raw_ended;
	bool frame_open; /* a frame was read in part */
	struct line_reader_state state;
};

/* Reads from a pipe or file that stays the caller's, plain. The buffer of `room` bytes grows up to `limit`. */
void line_reader_init(struct line_reader *r, int fd, size_t room, size_t limit);
/* Opens a file ("-": standard input), compressed where its first bytes say so. 0 or -errno; then nothing is to be freed. */
int line_reader_open(struct line_reader *r, const char *path, size_t limit);
void line_reader_done(struct line_reader *r);

/*
 * Reads a block, for which it may wait, once line_reader_take() found LINE_NONE. 1; 0 at the end; or -errno. At the end and
 * after an error the rest of the text is LINE_CUT.
 */
int line_reader_fill(struct line_reader *r);
/* The next line in the buffer, NUL-terminated; borrowed until the next call of this or of the other two. */
enum line_found line_reader_take(struct line_reader *r, char **ret_line, size_t *ret_n);
/* The same, and reads on where it has to: LINE_NONE at the end, or -errno. */
int line_reader_next(struct line_reader *r, char **ret_line, size_t *ret_n);
/* Is there a whole line in the buffer? */
bool line_reader_has_line(const struct line_reader *r);

#endif
