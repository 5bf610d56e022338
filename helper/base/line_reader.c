// SPDX-License-Identifier: Apache-2.0
// Reads lines from a pipe or a file, plain or compressed with zstd, in bounded memory.
#include "base/line_reader.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define BLOCK_BYTES (256u << 10)

static const char frame_magic[4] = { 0x28, (char)0xb5, 0x2f, (char)0xfd };

void line_reader_init(struct line_reader *r, int fd, size_t room, size_t limit)
{
	*r = (struct line_reader){ .fd = fd, .room = room < limit ? room : limit, .limit = limit };
	r->text = xcalloc(r->room + 1, 1);
}

/* A data frame or a skippable frame: RFC 8878, 3.1. */
static bool is_zstd(const char *p)
{
	return !memcmp(p, frame_magic, sizeof(frame_magic)) || ((p[0] & 0xf0) == 0x50 && !memcmp(p + 1, "\x2a\x4d\x18", 3));
}

/* What was read so far is compressed. */
static void begin_zstd(struct line_reader *r)
{
	r->zstd = ZSTD_createDCtx();
	if (!r->zstd)
		abort();
	r->state.compressed = true;
	r->raw = r->text;
	r->raw_used = r->used;
	r->raw_room = r->room;
	r->raw_ended = r->at_end;
	r->text = xcalloc(r->room + 1, 1);
	r->used = r->whole = 0;
	r->at_end = false;
}

int line_reader_open(struct line_reader *r, const char *path, size_t limit)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), more = 1;
	struct stat status;

	if (fd < 0)
		return -errno;
	line_reader_init(r, fd, BLOCK_BYTES, limit);
	r->owns_fd = !is_stdin;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode))
		r->state.size_bytes = (uint64_t)status.st_size;
	while (more > 0 && r->used < sizeof(frame_magic))
		more = line_reader_fill(r);
	if (more < 0)
		line_reader_done(r);
	else if (r->used >= sizeof(frame_magic) && is_zstd(r->text))
		begin_zstd(r);
	return more < 0 ? more : 0;
}

void line_reader_done(struct line_reader *r)
{
	if (r->owns_fd)
		close(r->fd);
	ZSTD_freeDCtx(r->zstd);
	free(r->raw);
	free(r->text);
	*r = (struct line_reader){ .fd = -1 };
}

/* ---- a block of text ---- */

/* Reads once, behind the *n bytes in `to`. 0 or -errno; *ret_ended also on an error. */
static int read_more(struct line_reader *r, char *to, size_t *n, size_t room, bool *ret_ended)
{
	ssize_t found;

	do
		found = read(r->fd, to + *n, room - *n);
	while (found < 0 && errno == EINTR);
	*ret_ended = found <= 0;
	if (found < 0)
		return -errno;
	*n += (size_t)found;
	r->state.read_bytes += (size_t)found;
	return 0;
}

static int read_raw(struct line_reader *r)
{
	r->raw_used -= r->raw_start;
	memmove(r->raw, r->raw + r->raw_start, r->raw_used);
	r->raw_start = 0;
	return read_more(r, r->raw, &r->raw_used, r->raw_room, &r->raw_ended);
}

/* Frames are independent of each other: reading goes on at the next one. */
static int find_frame(struct line_reader *r)
{
	int err = 0;

	if (!r->state.damages++)
		r->state.damage_bytes = r->state.read_bytes - (r->raw_used - r->raw_start);
	r->broken = true;
	r->frame_open = false;
	ZSTD_DCtx_reset(r->zstd, ZSTD_reset_session_only);
	while (!err) {
		size_t n = r->raw_used - r->raw_start;
		char *found = memmem(r->raw + r->raw_start, n, frame_magic, sizeof(frame_magic));

		if (found || r->raw_ended) {
			r->raw_start = found ? (size_t)(found - r->raw) : r->raw_used;
			return 0;
		}
		if (n >= sizeof(frame_magic)) /* its end may be the beginning of one */
			r->raw_start = r->raw_used - (sizeof(frame_magic) - 1);
		err = read_raw(r);
	}
	return err;
}

static int fill_zstd(struct line_reader *r)
{
	ZSTD_outBuffer out = { r->text, r->room, r->used };
	ZSTD_inBuffer raw = { r->raw, r->raw_used, r->raw_start };
	size_t left = ZSTD_decompressStream(r->zstd, &out, &raw);
	bool stands = out.pos == r->used && raw.pos == r->raw_start;

	r->frame_open |= raw.pos > r->raw_start;
	r->raw_start = raw.pos;
	r->used = out.pos;
	if (ZSTD_isError(left)) {
		r->raw_start += stands && raw.pos < r->raw_used; /* never the same frame again */
		return find_frame(r);
	}
	if (!left)
		r->frame_open = false;
	if (stands && !r->raw_ended)
		return read_raw(r);
	r->at_end = stands;
	r->state.frame_cut = stands && r->frame_open;
	return 0;
}

int line_reader_fill(struct line_reader *r)
{
	const char *newline;
	size_t before;
	int err;

	r->used -= r->start;
	r->scanned -= r->start;
	memmove(r->text, r->text + r->start, r->used);
	r->start = 0;
	if (r->used == r->room) {
		r->room = 2 * r->room < r->limit ? 2 * r->room : r->limit;
		r->text = xrealloc(r->text, r->room + 1, 1);
	}
	before = r->used;
	err = r->zstd ? fill_zstd(r) : read_more(r, r->text, &r->used, r->room, &r->at_end);
	newline = memrchr(r->text + before, '\n', r->used - before);
	r->whole = newline ? (size_t)(newline + 1 - r->text) : 0;
	r->at_end |= err != 0;
	return err ? err : !r->at_end;
}

/* ---- lines ---- */

enum line_found line_reader_take(struct line_reader *r, char **ret_line, size_t *ret_n)
{
	for (;;) {
		char *line = r->text + r->start;
		const char *newline = memchr(r->text + r->scanned, '\n', r->used - r->scanned);
		size_t n = newline ? (size_t)(newline - line) : r->used - r->start;
		bool ends = r->at_end || r->broken, skipped = r->skipping;

		r->scanned = r->used;
		if (!newline && !ends && !skipped && n < r->limit)
			return LINE_NONE;
		r->start = r->scanned = r->start + n + (newline != NULL);
		r->skipping = !newline && !ends;
		r->broken &= newline != NULL;
		if (!skipped && (newline || n)) {
			r->state.lines++;
			line[n] = '\0';
			*ret_line = line;
			*ret_n = n;
			return newline ? LINE_WHOLE : ends ? LINE_CUT : LINE_LONG;
		}
		if (!newline)
			return LINE_NONE;
	}
}

int line_reader_next(struct line_reader *r, char **ret_line, size_t *ret_n)
{
	for (;;) {
		enum line_found found = line_reader_take(r, ret_line, ret_n);
		int more;

		if (found || r->at_end)
			return (int)found;
		more = line_reader_fill(r);
		if (more < 0)
			return more;
	}
}

bool line_reader_has_line(const struct line_reader *r)
{
	return r->start < r->whole;
}
