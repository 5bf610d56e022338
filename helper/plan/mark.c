// SPDX-License-Identifier: Apache-2.0
// The marks inside the clauses of scripts and parts, lines of the form "//@ NAME ...".
#include "plan/mark.h"

#include "base/memory.h"

#include <string.h>

#define MARK "//@ "

struct mark mark_read(const char *line, size_t n)
{
	static const char *const names[MARK_KINDS] = {
		[MARK_EVENT] = "event", [MARK_FILTER] = "filter", [MARK_STOP] = "stop",
		[MARK_HAVE] = "have", [MARK_ELSE] = "else", [MARK_END] = "end",
	};
	const char *p = line, *end = line + n;

	while (p < end && *p == '\t')
		p++;
	if (p == line || (size_t)(end - p) < strlen(MARK) || memcmp(p, MARK, strlen(MARK)))
		return (struct mark){ 0 };
	p += strlen(MARK);
	while (end > p && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	for (enum mark_kind kind = MARK_NONE + 1; kind < MARK_KINDS; kind++) {
		size_t length = strlen(names[kind]);
		const char *rest = p + length;

		if ((size_t)(end - p) < length || memcmp(p, names[kind], length) || (rest < end && *rest != ' '))
			continue;
		rest += rest < end;
		return (struct mark){ .kind = kind, .rest = rest, .n = (size_t)(end - rest) };
	}
	return (struct mark){ 0 };
}

/* A name of small letters, digits and underscores up to one of the bytes in `until` or the end. NULL where there is none. */
static const char *take_name(const char *p, const char *end, const char *until, char *ret)
{
	size_t n = 0;

	memset(ret, 0, NAME_BYTES);
	for (; p < end && !strchr(until, *p); p++) {
		if (n + 1 == NAME_BYTES || !((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_'))
			return NULL;
		ret[n++] = *p;
	}
	return n ? p : NULL;
}

bool event_mark_read(const struct mark *mark, struct event_mark *ret)
{
	const char *p = mark->rest, *end = p + mark->n;
	bool more = true;

	*ret = (struct event_mark){ 0 };
	p = take_name(p, end, " ", ret->event);
	if (!p || p == end || !event_bit(ret->event))
		return false;
	while (more) {
		if (ret->n_sources == MARK_SOURCES)
			return false;
		p = take_name(p + 1, end, " ,", ret->sources[ret->n_sources++]);
		if (!p)
			return false;
		more = p < end && *p == ',';
	}
	ret->target = p < end ? p + 1 : p;
	ret->target_n = (size_t)(end - ret->target);
	return p == end || ret->target_n;
}

bool mark_is_good(const char *line, bool *in_event)
{
	struct mark mark = mark_read(line, strlen(line));
	struct event_mark event;

	if (mark.kind == MARK_EVENT) {
		if (*in_event || !event_mark_read(&mark, &event))
			return false;
		*in_event = true;
	} else if (mark.kind == MARK_END) {
		*in_event = false;
	} else if (*line == '}' || (mark.kind && *in_event)) {
		return !*in_event;
	}
	return true;
}
