// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/output.c: the cause of the first failed write stays known, whatever happens after it.
#include "unit.h"

#include "base/memory.h"
#include "base/output.h"

#include <fcntl.h>
#include <sys/resource.h>

#define TEXT_BYTES 100000 /* many buffers full */

static FILE *open_stream(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	FILE *f;

	CHECK(fd >= 0);
	f = output_stream(fd);
	CHECK_INT(output_fd(f), fd);
	return f;
}

/* In small pieces: stdio flushes inside a write. */
static void overflow(FILE *f)
{
	for (int i = 0; i < TEXT_BYTES / 16; i++)
		fputs("0123456789abcdef", f);
}

static void whole(void)
{
	CLEANUP_FREE char *path = unit_path("out");
	CLEANUP_FREE char *text = NULL;
	FILE *f = open_stream(path);
	size_t size;

	overflow(f);
	CHECK_INT(output_flush(f), 0);
	fputs("more", f);
	CHECK_INT(fclose(f), 0);
	CHECK_INT(file_read(path, 1 << 20, &text, &size), 0);
	CHECK_U64(size, TEXT_BYTES + 4);
	CHECK(!strncmp(text + size - 8, "cdefmore", 8));
}

/* The device is full while the buffer overflows. Later writes would succeed, and errno is another's. */
static void full_for_a_while(void)
{
	CLEANUP_FREE char *path = unit_path("gap");
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FD int other = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	FILE *f;
	size_t size;

	CHECK(other >= 0);
	if (access("/dev/full", W_OK))
		return;
	f = open_stream("/dev/full");
	overflow(f);
	CHECK(dup2(other, output_fd(f)) >= 0);
	fputs("a piece behind a gap", f);
	errno = ENOENT;
	CHECK_INT(output_flush(f), -ENOSPC);
	CHECK_INT(output_flush(f), -ENOSPC);
	fclose(f);
	CHECK_INT(file_read(path, 1 << 20, &text, &size), 0);
	CHECK_U64(size, 0);
}

/* A limit that is hit in the middle of a write, and is gone when the stream is flushed. */
static void limit(void)
{
	CLEANUP_FREE char *path = unit_path("limited");
	FILE *f = open_stream(path);
	struct rlimit old;

	CHECK(!getrlimit(RLIMIT_FSIZE, &old));
	signal(SIGXFSZ, SIG_IGN);
	CHECK(!setrlimit(RLIMIT_FSIZE, &(struct rlimit){ TEXT_BYTES / 2 + 10, old.rlim_max }));
	overflow(f);
	CHECK(!setrlimit(RLIMIT_FSIZE, &old));
	errno = 0;
	CHECK_INT(output_flush(f), -EFBIG);
	fclose(f);
}

/* Each stream has its own error, and the flush itself can be what fails. */
static void several(void)
{
	CLEANUP_FREE char *path = unit_path("several");
	FILE *fine = open_stream(path), *full;
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	CHECK(!pipe(ends));
	full = output_stream(ends[1]);
	close(ends[0]);
	fputs("x", full);
	fputs("y", fine);
	CHECK_INT(output_flush(full), -EPIPE);
	CHECK_INT(output_flush(fine), 0);
	fclose(full);
	CHECK_INT(output_flush(fine), 0);
	CHECK_INT(fclose(fine), 0);
}

static const struct unit_test tests[] = {
	{ "whole", whole },
	{ "full for a while", full_for_a_while },
	{ "limit", limit },
	{ "several", several },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
