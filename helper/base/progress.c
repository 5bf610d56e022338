// SPDX-License-Identifier: Apache-2.0
// One line on a terminal that says how far something is that takes longer than a moment.
#include "base/progress.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define FIRST_NS (2 * NS_PER_S)
#define NEXT_NS (NS_PER_S / 4)

void progress_start(struct progress *p)
{
	uint64_t started_ns = monotonic_ns();

	*p = (struct progress){ .shows = isatty(STDERR_FILENO), .started_ns = started_ns, .due_ns = started_ns + FIRST_NS };
}

static bool is_due(struct progress *p, uint64_t *ret_now_ns)
{
	if (!p->shows)
		return false;
	*ret_now_ns = monotonic_ns();
	if (*ret_now_ns < p->due_ns)
		return false;
	p->due_ns = *ret_now_ns + NEXT_NS;
	p->line_open = true;
	return true;
}

void progress_show(struct progress *p, const char *format, ...)
{
	uint64_t now;
	va_list args;

	if (!is_due(p, &now))
		return;
	fputs("\r\033[Kkvmwait: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fflush(stderr);
}

void progress_share(struct progress *p, const char *what, uint64_t done, uint64_t whole)
{
	uint64_t now, left_s;

	if (!whole || !done || !is_due(p, &now))
		return;
	left_s = (uint64_t)((double)(now - p->started_ns) * ((double)whole - (double)done) / (double)done / (double)NS_PER_S);
	fprintf(stderr, "\r\033[Kkvmwait: %s  %" PRIu64 " %%, %" PRIu64 " s left", what, (uint64_t)((double)done * 100 / (double)whole), left_s);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->line_open)
		fputs("\r\033[K", stderr);
	p->line_open = false;
}
