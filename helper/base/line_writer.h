// SPDX-License-Identifier: Apache-2.0
// A line of output put together by hand and given to its file whole: printf() costs more than all else that is done
// to an event.
#ifndef KVMWAIT_BASE_LINE_WRITER_H
#define KVMWAIT_BASE_LINE_WRITER_H

#include "base/digits.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LINE_BYTES 1024u

/* A line may be longer: it goes in pieces then. */
struct line_writer {
	FILE *file;
	char *p;
	char bytes[LINE_BYTES];
};

static inline void line_begin(struct line_writer *l, FILE *file)
{
	l->file = file;
	l->p = l->bytes;
}

/* Gives what there is to the file; errors stay with that. */
static inline void line_end(struct line_writer *l)
{
	/* the function: what the macro does to few bytes is beyond gcc's analyzer */
	(fwrite_unlocked)(l->bytes, 1, (size_t)(l->p - l->bytes), l->file);
	l->p = l->bytes;
}

/* Makes room for n bytes, no more than LINE_BYTES. */
static inline void line_room(struct line_writer *l, size_t n)
{
	if ((size_t)(l->bytes + LINE_BYTES - l->p) < n)
		line_end(l);
}

static inline void line_char(struct line_writer *l, char c)
{
	line_room(l, 1);
	*l->p++ = c;
}

/* Longer than LINE_BYTES. */
void line_long(struct line_writer *l, const char *s, size_t n);

static inline void line_bytes(struct line_writer *l, const char *s, size_t n)
{
	if (n > LINE_BYTES) {
		line_long(l, s, n);
		return;
	}
	line_room(l, n);
	memcpy(l->p, s, n);
	l->p += n;
}

/* A literal, whose length the compiler knows. */
#define LINE_PUT(l, literal) line_bytes(l, literal, sizeof(literal) - 1)

static inline void line_text(struct line_writer *l, const char *s)
{
	line_bytes(l, s, strlen(s));
}

static inline void line_u64(struct line_writer *l, uint64_t value)
{
	line_room(l, DIGITS_MOST);
	l->p = digits_put(l->p, value);
}

static inline void line_i64(struct line_writer *l, int64_t value)
{
	line_room(l, DIGITS_MOST);
	l->p = digits_put_signed(l->p, value);
}

/* At least so wide, with spaces behind it. */
void line_u64_left(struct line_writer *l, uint64_t value, size_t width);
/* At least so wide, with what fills it in front. */
void line_u64_filled(struct line_writer *l, uint64_t value, size_t width, char fill);
/* Each of the two bytes in `escaped` gets `escape` in front. */
void line_escaped(struct line_writer *l, const char *s, size_t n, const char escaped[2], char escape);

#endif
