// SPDX-License-Identifier: Apache-2.0
// Lines of a file or a pipe, plain or compressed with zstd (known by its first bytes), in bounded memory.
#include "base/input.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define RAW_BYTES (128u << 10)
#define TEXT_BYTES (256u << 10) /* grows up to a line of the limit */

static const unsigned char frame_magic[4] = { 0x28, 0xb5, 0x2f, 0xfd };

struct input {
	int fd;
	ZSTD_DCtx *zstd; /* NULL: plain */
	unsigned char *raw;
	size_t raw_at, raw_n;
	bool raw_ended;
	bool frame_open; /* something of a frame was read, but not all */
	char *text;	 /* as it is read out */
	size_t at, n, room, limit;
	size_t searched; /* from `at` on: holds no newline */
	size_t whole;	 /* up to here there are whole lines */
	bool text_ended;
	bool skipping; /* the rest of a line that is too long */
	bool broken;   /* what stands before `n` is not followed by what comes next */
	struct input_state state;
};

/* As much as there is, which may be little from a pipe, behind the n bytes in `to`. 0 or -errno. */
static int read_more(struct input *in, void *to, size_t *n, size_t room)
{
	ssize_t found;

	do
		found = read(in->fd, (char *)to + *n, room - *n);
	while (found < 0 && errno == EINTR);
	if (found < 0)
		return -errno;
	in->raw_ended = !found;
	*n += (size_t)found;
	in->state.read_bytes += (size_t)found;
	return 0;
}

static int read_raw(struct input *in)
{
	memmove(in->raw, in->raw + in->raw_at, in->raw_n - in->raw_at);
	in->raw_n -= in->raw_at;
	in->raw_at = 0;
	return read_more(in, in->raw, &in->raw_n, RAW_BYTES);
}

/* A frame of data, or one to be skipped over: zstd's own manual has both. */
static bool is_zstd(const unsigned char *p)
{
	return !memcmp(p, frame_magic, sizeof(frame_magic)) || ((p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18);
}

int input_open(const char *path, size_t limit_bytes, struct input **ret)
{
	struct input *in = xcalloc(1, sizeof(*in));
	struct stat status;
	int err = 0;

	in->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	if (in->fd < 0)
		err = -errno;
	if (!err && !fstat(in->fd, &status) && S_ISREG(status.st_mode))
		in->state.size_bytes = (uint64_t)status.st_size;
	in->raw = xcalloc(RAW_BYTES, 1);
	while (!err && !in->raw_ended && in->raw_n < sizeof(frame_magic))
		err = read_raw(in);
	if (err) {
		input_close(in);
		return err;
	}
	in->limit = limit_bytes;
	in->room = TEXT_BYTES;
	in->text = xcalloc(in->room + 1, 1);
	in->state.compressed = in->raw_n >= sizeof(frame_magic) && is_zstd(in->raw);
	if (in->state.compressed) {
		in->zstd = ZSTD_createDCtx();
		if (!in->zstd)
			abort();
	}
	*ret = in;
	return 0;
}

void input_close(struct input *in)
{
	if (!in)
		return;
	if (in->fd > STDIN_FILENO)
		close(in->fd);
	ZSTD_freeDCtx(in->zstd);
	free(in->raw);
	free(in->text);
	free(in);
}

const struct input_state *input_state(const struct input *in)
{
	return &in->state;
}

bool input_has_line(const struct input *in)
{
	return in->at < in->whole;
}

/* ---- text ---- */

/* What it was known by is text as well. */
static int fill_plain(struct input *in)
{
	size_t n = in->raw_n - in->raw_at;
	int err = 0;

	if (n) {
		memcpy(in->text + in->n, in->raw + in->raw_at, n);
		in->raw_at = in->raw_n;
		in->n += n;
	} else {
		err = read_more(in, in->text, &in->n, in->room);
	}
	in->text_ended = in->raw_ended;
	return err;
}

/* Frames stand alone: reading goes on where the next one begins. */
static int find_frame(struct input *in)
{
	int err = 0;

	if (!in->state.damages++)
		in->state.damage_bytes = in->state.read_bytes - (in->raw_n - in->raw_at);
	in->broken = true;
	in->frame_open = false;
	ZSTD_DCtx_reset(in->zstd, ZSTD_reset_session_only);
	while (!err) {
		size_t n = in->raw_n - in->raw_at;
		unsigned char *found = memmem(in->raw + in->raw_at, n, frame_magic, sizeof(frame_magic));

		if (found) {
			in->raw_at = (size_t)(found - in->raw);
			return 0;
		}
		if (n >= sizeof(frame_magic))
			in->raw_at = in->raw_n - (sizeof(frame_magic) - 1);
		if (in->raw_ended) {
			in->raw_at = in->raw_n;
			return 0;
		}
		err = read_raw(in);
	}
	return err;
}

static int fill_zstd(struct input *in)
{
	ZSTD_outBuffer out = { in->text, in->room, in->n };
	ZSTD_inBuffer raw = { in->raw, in->raw_n, in->raw_at };
	size_t left = ZSTD_decompressStream(in->zstd, &out, &raw);
	bool stands = out.pos == in->n && raw.pos == in->raw_at;

	in->frame_open |= raw.pos > in->raw_at;
	in->raw_at = raw.pos;
	in->n = out.pos;
	if (ZSTD_isError(left)) {
		in->raw_at += stands && raw.pos < in->raw_n; /* never the same frame again */
		return find_frame(in);
	}
	if (!left)
		in->frame_open = false;
	if (!stands)
		return 0;
	if (in->raw_ended) {
		in->text_ended = true;
		in->state.frame_cut = in->frame_open;
		return 0;
	}
	return read_raw(in);
}

/* Makes room, and reads on. 0 or -errno. */
static int fill(struct input *in)
{
	const char *newline;
	size_t before;
	int err;

	memmove(in->text, in->text + in->at, in->n - in->at);
	in->n -= in->at;
	in->at = 0;
	if (in->n == in->room) {
		in->room *= 2;
		in->text = xrealloc(in->text, in->room + 1, 1);
	}
	before = in->n;
	err = in->zstd ? fill_zstd(in) : fill_plain(in);
	newline = memrchr(in->text + before, '\n', in->n - before);
	in->whole = newline ? (size_t)(newline + 1 - in->text) : 0;
	return err;
}

/* ---- lines ---- */

static enum input_line give(struct input *in, size_t n, enum input_line kind, char **ret_line, size_t *ret_n)
{
	in->state.lines++;
	*ret_line = in->text + in->at;
	*ret_n = n;
	(*ret_line)[n] = '\0';
	in->at += n + (kind == INPUT_LINE);
	in->searched = 0;
	return kind;
}

/* What stands before the end, or before a place where something is missing. */
static enum input_line give_rest(struct input *in, char **ret_line, size_t *ret_n)
{
	bool skipping = in->skipping;

	in->broken = false;
	in->skipping = false;
	if (in->at == in->n || skipping) {
		in->at = in->n;
		in->searched = 0;
		return INPUT_END;
	}
	return give(in, in->n - in->at, INPUT_CUT, ret_line, ret_n);
}

static enum input_line skip_line(struct input *in, size_t *ret_n)
{
	in->skipping = true;
	in->at = in->n;
	in->searched = 0;
	in->state.lines++;
	*ret_n = 0;
	return INPUT_LONG;
}

int input_line(struct input *in, char **ret_line, size_t *ret_n)
{
	for (;;) {
		char *start = in->text + in->at;
		char *newline = memchr(start + in->searched, '\n', in->n - in->at - in->searched);
		enum input_line kind;
		int err;

		if (newline && !in->skipping)
			return give(in, (size_t)(newline - start), INPUT_LINE, ret_line, ret_n);
		if (newline) {
			in->skipping = false;
			in->at += (size_t)(newline - start) + 1;
			in->searched = 0;
			continue;
		}
		in->searched = in->n - in->at;
		if (in->text_ended || in->broken) {
			kind = give_rest(in, ret_line, ret_n);
			if (kind != INPUT_END || in->text_ended)
				return kind;
			continue;
		}
		if (in->skipping) {
			in->at = in->n;
			in->searched = 0;
		} else if (in->n - in->at >= in->limit) {
			return skip_line(in, ret_n);
		}
		err = fill(in);
		if (err)
			return err;
	}
}
