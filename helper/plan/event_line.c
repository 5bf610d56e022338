// SPDX-License-Identifier: Apache-2.0
// The lines of a script that print an event: what they are about, and bytes that are printed as numbers. Pure.
#include "plan/event_line.h"

#include <stdio.h>
#include <string.h>

#define BYTES_MARK "%rh"
#define QUICK_FORMAT "%llx:%llx."

/* The word at p; returns where the next one begins. */
static const char *take_word(const char *p, char *word)
{
	size_t n = strcspn(p, " ");

	snprintf(word, NAME_BYTES, "%.*s", (int)n, p);
	return p + n + (p[n] == ' ');
}

void event_line_read(const char *p, struct wait_name *ret)
{
	const char *word = p + strlen(EVENT_LINE);
	char skipped[NAME_BYTES];

	for (int i = 0; i < 5; i++) /* TS CPU PID TID VCPU */
		word = take_word(word, skipped);
	take_word(take_word(word, ret->event), ret->source);
}

/* The text with the first `from` replaced; the caller frees. NULL where it has none. */
static char *replaced(const char *text, const char *from, const char *to)
{
	const char *found = strstr(text, from);

	return found ? xasprintf("%.*s%s%s", (int)(found - text), text, to, found + strlen(from)) : NULL;
}

char *event_line_quick(const struct verdict *v, const char *p, size_t n)
{
	const struct quick *q = &v->script->quick;
	CLEANUP_FREE char *line = NULL, *numbers = NULL, *format = NULL;
	unsigned int at;

	if (!q->expression || v->needs[q->need].state != NEED_MET)
		return NULL;
	line = xstrndup(p, n);
	at = v->needs[q->need].offset_bytes;
	numbers = xasprintf("*(uint64 *)((uint64)%s + %u), *(uint64 *)((uint64)%s + %u)", q->base, at, q->base, at + 8);
	format = strstr(line, q->expression) ? replaced(line, BYTES_MARK, QUICK_FORMAT) : NULL;
	return format ? replaced(format, q->expression, numbers) : NULL;
}
