// SPDX-License-Identifier: Apache-2.0
// One line of a trace as text: what trace-cmd report, perf script and the files of tracefs have in common.
//
//   COMM-TID  (TGID) [CPU] FLAGS SECONDS.FRACTION: EVENT: TEXT         tracefs; trace-cmd report without FLAGS
//   COMM  PID/TID [CPU] SECONDS.FRACTION: SYSTEM:EVENT: TEXT           perf script
#include "record/trace_line.h"

#include "base/clock.h"
#include "base/cursor.h"

#include <string.h>

#define COMM_MOST 15u	       /* of the kernel, without its NUL */
#define ESCAPED_COMM_MOST 60u /* as kvmwait writes it */
#define FLAGS_MOST 9u
#define PERF_LOST ": PERF_RECORD_LOST lost "
#define PERF_UNPARSED "[FAILED TO PARSE] " /* perf knows the fields of the event, but not how to print them */

static void skip_spaces(struct cursor *c)
{
	while (c->p < c->end && *c->p == ' ')
		c->p++;
}

static bool take_char(struct cursor *c, char byte)
{
	if (c->p == c->end || *c->p != byte)
		return false;
	c->p++;
	return true;
}

static bool take_u32(struct cursor *c, uint32_t *ret)
{
	uint64_t value;

	if (!cursor_take_u64(c, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* "SECONDS.FRACTION:", or a number without a dot where the clock is a counter. */
static bool take_time(struct cursor *c, struct trace_event *e)
{
	uint64_t seconds, fraction;
	const char *start;

	if (!cursor_take_u64(c, &seconds))
		return false;
	e->have_time = take_char(c, '.');
	if (!e->have_time)
		return take_char(c, ':');
	start = c->p;
	if (!cursor_take_u64(c, &fraction) || (c->p - start != 6 && c->p - start != 9))
		return false;
	e->whole_time = c->p - start == 9;
	if (seconds > INT64_MAX / NS_PER_S - 1)
		return false;
	e->ts_ns = seconds * NS_PER_S + (e->whole_time ? fraction : fraction * 1000);
	return take_char(c, ':');
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* "EVENT:", or "SYSTEM:EVENT:". */
static bool take_event(struct cursor *c, struct trace_event *e)
{
	for (int i = 0; i < 2; i++) {
		e->name.at = c->p;
		while (c->p < c->end && is_name_byte(*c->p))
			c->p++;
		e->name.n = (size_t)(c->p - e->name.at);
		if (!e->name.n || !take_char(c, ':'))
			return false;
		e->of_perf = i;
		if (c->p == c->end || *c->p == ' ')
			return true;
	}
	return false;
}

/* What follows the name of the thread and what parts it from its number. */
static bool take_frame(struct cursor *c, struct trace_event *e)
{
	struct cursor before;
	const char *start;

	if (!take_u32(c, &e->tid))
		return false;
	e->pid = 0;
	if (take_char(c, '/')) { /* perf script has the process first */
		e->pid = e->tid;
		if (!take_u32(c, &e->tid))
			return false;
	}
	skip_spaces(c);
	if (take_char(c, '(')) { /* tracefs with record-tgid; dashes where it does not know */
		skip_spaces(c);
		if (!take_u32(c, &e->pid))
			while (take_char(c, '-'))
				;
		if (!take_char(c, ')'))
			return false;
		skip_spaces(c);
	}
	if (!take_char(c, '[') || !take_u32(c, &e->cpu) || !take_char(c, ']'))
		return false;
	skip_spaces(c);
	before = *c;
	if (!take_time(c, e)) {
		*c = before;
		for (start = c->p; c->p < c->end && *c->p != ' ' && c->p - start < (ptrdiff_t)FLAGS_MOST; c->p++)
			;
		if (!take_char(c, ' '))
			return false;
		skip_spaces(c);
		if (!take_time(c, e))
			return false;
	}
	skip_spaces(c);
	return take_event(c, e);
}

/*
 * The name of the thread can hold anything, even what follows it: the longest name after which the rest fits is the one, as
 * the frame behind it is too long to be part of it.
 */
static bool take_head(struct cursor *c, size_t most, struct trace_event *e)
{
	size_t left = (size_t)(c->end - c->p);

	for (size_t n = left < most ? left : most; n; n--) {
		struct cursor at = { c->p + n, c->end };

		if (at.p == at.end || (*at.p != '-' && *at.p != ' '))
			continue;
		if (*at.p++ == ' ')
			skip_spaces(&at);
		if (!take_frame(&at, e))
			continue;
		e->comm = (struct view){ c->p, n };
		while (e->comm.n && e->comm.at[e->comm.n - 1] == ' ')
			e->comm.n--;
		*c = at;
		return true;
	}
	return false;
}

/* "CPU:1 [LOST 42 EVENTS]" of tracefs, "CPU:1 [42 EVENTS DROPPED]" of trace-cmd, either without the number. */
static bool take_lost(struct cursor *c, uint64_t *ret)
{
	uint64_t cpu;

	*ret = 0;
	if (!cursor_take_text(c, "CPU:") || !cursor_take_u64(c, &cpu) || !cursor_take_text(c, " ["))
		return false;
	if (cursor_take_text(c, "LOST "))
		return (cursor_take_u64(c, ret) ? take_char(c, ' ') : true) && cursor_take_text(c, "EVENTS]");
	return (cursor_take_u64(c, ret) ? take_char(c, ' ') : true) && cursor_take_text(c, "EVENTS DROPPED]");
}

/* "# entries-in-buffer/entries-written: 10/52   #P:1": what was overwritten is lost. */
static bool take_overwritten(struct cursor *c, uint64_t *ret)
{
	uint64_t there, written;

	if (!cursor_take_text(c, "# entries-in-buffer/entries-written: ") || !cursor_take_u64(c, &there) || !take_char(c, '/') ||
	    !cursor_take_u64(c, &written) || written <= there)
		return false;
	*ret = written - there;
	return true;
}

/* "# lost 42 events", as kvmwait writes it. */
static bool take_own_lost(struct cursor *c, uint64_t *ret)
{
	return cursor_take_text(c, "# lost ") && cursor_take_u64(c, ret) && cursor_take_text(c, " events");
}

/* " COMM  TID [CPU] SECONDS.FRACTION: PERF_RECORD_LOST lost 42" of 'perf script --show-lost-events', which is longer than any name. */
static bool take_perf_lost(const struct cursor *c, uint64_t *ret)
{
	const char *found = memmem(c->p, (size_t)(c->end - c->p), PERF_LOST, strlen(PERF_LOST));
	struct cursor number = { found ? found + strlen(PERF_LOST) : c->end, c->end };

	return cursor_take_u64(&number, ret) && number.p == number.end;
}

enum trace_line_kind trace_line_read(const char *line, size_t n, struct trace_event *ret_event, uint64_t *ret_lost)
{
	static bool (*const losses[])(struct cursor *c, uint64_t *ret) = { take_overwritten, take_own_lost, take_lost };
	struct cursor c = { line, line + n };

	for (size_t i = 0; n && (*line == '#' || *line == 'C') && i < ARRAY_SIZE(losses); i++) {
		struct cursor start = c;

		if (losses[i](&start, ret_lost))
			return TRACE_LINE_LOST;
	}
	*ret_event = (struct trace_event){ 0 };
	skip_spaces(&c);
	if (!take_head(&c, COMM_MOST, ret_event) && !take_head(&c, ESCAPED_COMM_MOST, ret_event))
		return take_perf_lost(&c, ret_lost) ? TRACE_LINE_LOST : TRACE_LINE_OTHER;
	skip_spaces(&c);
	ret_event->fields = cursor_take_text(&c, PERF_UNPARSED);
	ret_event->text = (struct view){ c.p, (size_t)(c.end - c.p) };
	return TRACE_LINE_EVENT;
}
