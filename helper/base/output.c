// SPDX-License-Identifier: Apache-2.0
// Output streams that keep the cause of their first failed write.
#include "base/output.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct output {
	FILE *file;
	int fd, error;
	struct output *next;
};

static struct output *outputs; /* all that are open, at most a few */

static ssize_t output_write(void *cookie, const char *data, size_t n)
{
	struct output *o = cookie;
	size_t written = 0;

	if (!o->error)
		o->error = file_write_all(o->fd, data, n, &written);
	errno = -o->error;
	return (ssize_t)written;
}

static int output_close(void *cookie)
{
	struct output *o = cookie, **link = &outputs;
	int err = o->fd > STDERR_FILENO && close(o->fd) ? errno : 0;

	while (*link != o)
		link = &(*link)->next;
	*link = o->next;
	free(o);
	errno = err;
	return err ? EOF : 0;
}

FILE *output_stream(int fd)
{
	struct output *o = xcalloc(1, sizeof(*o));

	*o = (struct output){ .fd = fd, .next = outputs };
	o->file = fopencookie(o, "w", (cookie_io_functions_t){ .write = output_write, .close = output_close });
	if (!o->file)
		abort();
	if (isatty(fd))
		setvbuf(o->file, NULL, _IOLBF, 0);
	outputs = o;
	return o->file;
}

static const struct output *find_output(FILE *file)
{
	const struct output *o = outputs;

	while (o && o->file != file)
		o = o->next;
	return o;
}

int output_flush(FILE *file)
{
	int err = fflush(file) ? -errno : ferror(file) ? -EIO : 0;
	const struct output *o = find_output(file);

	return o && o->error ? o->error : err;
}

int output_fd(FILE *file)
{
	const struct output *o = find_output(file);

	return o ? o->fd : fileno(file);
}
