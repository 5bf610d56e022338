// SPDX-License-Identifier: Apache-2.0
// Writes a recording: NDJSON of the schema into a file, plain or in zstd's seekable format.
//
// The format: frames that stand alone, then a frame to be skipped with the sizes of all of them (facebook/zstd,
// contrib/seekable_format). Frames begin and end between records.
#include "record/recording_write.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "record/ndjson_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define FRAME_BYTES (4u << 20) /* of records in a frame */
#define LEVEL 3
#define BATCH_BYTES (256u << 10)
#define SMALL_BYTES (64u << 10) /* too little to be compressed for its own sake */
#define FLUSH_NS NS_PER_S
#define NEAR_BYTES (4u << 20)
#define TABLE_FIXED_BYTES 17u
#define TABLE_ENTRY_BYTES 8u
#define SKIPPABLE_MAGIC 0x184d2a5eu
#define SEEKABLE_MAGIC 0x8f92eab1u

struct frame {
	uint32_t packed_bytes, bytes;
};

struct recorder {
	struct recorder_settings settings;
	int fd;
	FILE *text; /* ends in take_text() */
	char *batch; /* whole records that are on their way, and behind them the one that is being made */
	size_t batch_n, record_n, batch_room;
	ZSTD_CCtx *zstd; /* NULL: plain */
	char *packed;	 /* what the compressor gave */
	size_t packed_room;
	uint64_t written_bytes; /* of the file */
	uint64_t whole_bytes;	/* up to the last newline of a plain file */
	uint64_t held_bytes;	/* gone into the compressor since it was flushed */
	struct frame frame, *frames;
	size_t n_frames;
	uint64_t flushed_ns;
	int error;
};

/* ---- bytes out ---- */

/* Leaves no part of a record at the end of a file that anybody reads line by line. */
static void cut_back(struct recorder *r)
{
	if (!r->zstd && strcmp(r->settings.path, "-") && !ftruncate(r->fd, (off_t)r->whole_bytes))
		r->written_bytes = r->whole_bytes;
}

static void put_bytes(struct recorder *r, const char *data, size_t n)
{
	const char *newline;
	size_t written;

	if (r->error)
		return;
	r->error = file_write_all(r->fd, data, n, &written);
	newline = memrchr(data, '\n', written);
	if (newline)
		r->whole_bytes = r->written_bytes + (uint64_t)(newline - data) + 1;
	r->written_bytes += written;
	if (r->error)
		cut_back(r);
}

/* Compresses, and writes what comes of it. */
static void pack(struct recorder *r, const char *data, size_t n, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { data, n, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { r->packed, r->packed_room, 0 };

		left = ZSTD_compressStream2(r->zstd, &out, &in, how);
		if (ZSTD_isError(left)) {
			r->error = r->error ? r->error : -EIO;
			return;
		}
		r->frame.packed_bytes += (uint32_t)out.pos;
		put_bytes(r, r->packed, out.pos);
	} while (!r->error && (how == ZSTD_e_continue ? in.pos < in.size : left));
}

/* A piece of the record that is being made. */
static ssize_t take_text(void *cookie, const char *data, size_t n)
{
	struct recorder *r = cookie;
	size_t used = r->batch_n + r->record_n;

	if (used + n > r->batch_room) {
		r->batch_room = 2 * (used + n);
		r->batch = xrealloc(r->batch, r->batch_room, 1);
	}
	memcpy(r->batch + used, data, n);
	r->record_n += n;
	return (ssize_t)n;
}

static void end_frame(struct recorder *r)
{
	if (!r->frame.bytes || r->error)
		return;
	pack(r, NULL, 0, ZSTD_e_end);
	r->held_bytes = 0;
	r->frames = xrealloc(r->frames, r->n_frames + 1, sizeof(*r->frames));
	r->frames[r->n_frames++] = r->frame;
	r->frame = (struct frame){ 0 };
}

/* All whole records go into the compressor, or the file. */
static void drain(struct recorder *r)
{
	if (!r->error && r->zstd) {
		pack(r, r->batch, r->batch_n, ZSTD_e_continue);
		r->frame.bytes += (uint32_t)r->batch_n;
		r->held_bytes += r->batch_n;
		if (r->frame.bytes >= FRAME_BYTES)
			end_frame(r);
	} else if (!r->error) {
		put_bytes(r, r->batch, r->batch_n);
	}
	memmove(r->batch, r->batch + r->batch_n, r->record_n);
	r->batch_n = 0;
}

/* And into the file. */
static void hand_on(struct recorder *r)
{
	drain(r);
	if (r->zstd && !r->error && r->held_bytes)
		pack(r, NULL, 0, ZSTD_e_flush);
	r->held_bytes = 0;
	r->flushed_ns = monotonic_ns();
}

/* ---- from start to end ---- */

static int complain(char **ret_error, int err, const char *path, const char *why)
{
	*ret_error = xasprintf("'%s': %s", path, why);
	return err;
}

static int open_file(const char *path, int *ret_fd, char **ret_error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	const char *why = NULL;
	struct stat status;
	int err;

	if (fd < 0)
		return complain(ret_error, -errno, path, errno == ELOOP ? "it is a link, which is not followed: name the file itself" :
							 errno == ENXIO ? "it is no regular file" : strerror(errno));
	if (fstat(fd, &status))
		why = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		why = "it is no regular file";
	else if (status.st_uid != geteuid())
		why = "it belongs to somebody else: name another, or remove it first";
	else if (status.st_nlink > 1)
		why = "it has other names (hard links): name another, or remove it first";
	else if (fchmod(fd, 0600) || ftruncate(fd, 0))
		why = strerror(errno);
	if (!why) {
		*ret_fd = fd;
		return 0;
	}
	err = complain(ret_error, -EPERM, path, why);
	close(fd);
	return err;
}

int recorder_open(const struct recorder_settings *settings, struct recorder **ret, char **ret_error)
{
	static const cookie_io_functions_t functions = { .write = take_text };
	bool to_stdout = !strcmp(settings->path, "-");
	struct recorder *r;
	int fd = STDOUT_FILENO, err = to_stdout ? 0 : open_file(settings->path, &fd, ret_error);

	if (err)
		return err;
	if (to_stdout && isatty(fd))
		return complain(ret_error, -EPERM, "standard output", "a recording is not for a terminal: name a file, or use 'kvmwait trace'");
	r = xcalloc(1, sizeof(*r));
	r->settings = *settings;
	r->fd = fd;
	if (settings->compress) {
		r->zstd = ZSTD_createCCtx();
		if (!r->zstd)
			abort();
		ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(r->zstd, ZSTD_c_checksumFlag, 1);
		r->packed_room = ZSTD_CStreamOutSize();
		r->packed = xcalloc(r->packed_room, 1);
	}
	r->text = fopencookie(r, "w", functions);
	if (!r->text)
		abort();
	r->batch_room = 2 * BATCH_BYTES;
	r->batch = xcalloc(r->batch_room, 1);
	r->flushed_ns = monotonic_ns();
	*ret = r;
	return 0;
}

/* At the most, if all is closed now: what is not compressed yet may not get smaller, and grows by a header a block. */
uint64_t recorder_bytes(const struct recorder *r)
{
	uint64_t pending = r->batch_n + r->held_bytes;

	if (!r->zstd)
		return r->written_bytes + pending;
	return r->written_bytes + pending + pending / 256 + 64 + TABLE_FIXED_BYTES + TABLE_ENTRY_BYTES * (r->n_frames + 1);
}

/* Is there room for so many bytes more? Where what is not compressed yet stands in the way, it is. */
static bool has_room(struct recorder *r, uint64_t bytes)
{
	if (!r->settings.max_bytes || recorder_bytes(r) + bytes <= r->settings.max_bytes)
		return true;
	if (!r->zstd || r->batch_n + r->held_bytes < SMALL_BYTES)
		return false;
	hand_on(r);
	return recorder_bytes(r) + bytes <= r->settings.max_bytes;
}

bool recorder_is_nearly_full(struct recorder *r)
{
	uint64_t near = r->settings.max_bytes / 16;

	return !has_room(r, r->settings.keep_bytes + (near < NEAR_BYTES ? near : NEAR_BYTES));
}

int recorder_write(struct recorder *r, const struct record *record, bool last)
{
	if (r->error)
		return r->error;
	r->record_n = 0;
	ndjson_write(r->text, record);
	if (fflush(r->text))
		return r->error = -EIO;
	if (!has_room(r, r->record_n + (last ? 0 : r->settings.keep_bytes)))
		return r->error ? r->error : -ENOBUFS;
	r->batch_n += r->record_n;
	r->record_n = 0;
	if (r->batch_n >= BATCH_BYTES)
		drain(r);
	return r->error;
}

int recorder_flush(struct recorder *r)
{
	if (!r->error && monotonic_ns() - r->flushed_ns >= FLUSH_NS)
		hand_on(r);
	return r->error;
}

static char *put_u32(char *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		*p++ = (char)(value >> 8 * i);
	return p;
}

/* Sizes of all frames, then how many, a byte of flags (none: no checksums) and a magic number. */
static void put_seek_table(struct recorder *r)
{
	size_t size = 8 + TABLE_ENTRY_BYTES * r->n_frames + 9;
	CLEANUP_FREE char *table = xcalloc(size, 1);
	char *p = put_u32(put_u32(table, SKIPPABLE_MAGIC), (uint32_t)(size - 8));

	for (size_t i = 0; i < r->n_frames; i++)
		p = put_u32(put_u32(p, r->frames[i].packed_bytes), r->frames[i].bytes);
	p = put_u32(p, (uint32_t)r->n_frames);
	put_u32(p + 1, SEEKABLE_MAGIC);
	put_bytes(r, table, size);
}

int recorder_finish(struct recorder *r)
{
	hand_on(r);
	end_frame(r);
	if (r->zstd && !r->error)
		put_seek_table(r);
	/* a disk that fills up, or fails, may say so only here */
	if (!r->error && strcmp(r->settings.path, "-") && fsync(r->fd) && errno != EINVAL)
		r->error = -errno;
	return r->error;
}

void recorder_close(struct recorder *r)
{
	if (!r)
		return;
	fclose(r->text);
	ZSTD_freeCCtx(r->zstd);
	if (r->fd > STDERR_FILENO)
		close(r->fd);
	free(r->batch);
	free(r->packed);
	free(r->frames);
	free(r);
}
