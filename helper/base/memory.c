// SPDX-License-Identifier: Apache-2.0
// Allocation that never fails, and cleanup attributes.
#include "base/memory.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void out_of_memory(void)
{
	static const char message[] = "kvmwait: out of memory\n";

	if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
		_exit(1);
	_exit(1);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *old, size_t n, size_t size)
{
	void *p = reallocarray(old, n ? n : 1, size ? size : 1);

	if (!p)
		out_of_memory();
	return p;
}

void *xgrow(void *old, size_t n, size_t size)
{
	return n & (n - 1) ? old : xrealloc(old, n ? 2 * n : 1, size);
}

char *xstrndup(const char *s, size_t n)
{
	char *p = strndup(s, n);

	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xasprintf(const char *format, ...)
{
	va_list args;
	char *p = NULL;

	va_start(args, format);
	if (vasprintf(&p, format, args) < 0)
		out_of_memory();
	va_end(args);
	return p;
}

void cleanup_free(void *p)
{
	free(*(void **)p);
}

void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

void cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
