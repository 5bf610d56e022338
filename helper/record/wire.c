// SPDX-License-Identifier: Apache-2.0
// The lines that every script prints, and bpftrace's own among them.
#include "record/wire.h"

#include "base/cursor.h"
#include "base/memory.h"

#include <string.h>

#define BEGIN_MARK "kvmwait-wire "
#define PART_MARK "kvmwait-part "
#define COUNTED_MARK "@counted: "

/* The one space behind a number, or the end of the line. */
static inline bool take_gap(struct cursor *c)
{
	return c->p == c->end || *c->p++ == ' ';
}

static inline bool take_u64(struct cursor *c, uint64_t *ret)
{
	return cursor_take_u64(c, ret) && take_gap(c);
}

static bool take_u32(struct cursor *c, uint32_t *ret)
{
	uint64_t value;

	if (!take_u64(c, &value) || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

static bool take_i64(struct cursor *c, int64_t *ret)
{
	return cursor_take_i64(c, ret) && take_gap(c);
}

/* A byte of a name: small letters, digits, underscores. */
static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* An event's or a source's name. */
static bool take_name(struct cursor *c, char *ret)
{
	size_t n = 0;

	memset(ret, 0, NAME_BYTES);
	while (c->p < c->end && *c->p != ' ') {
		if (n + 1 >= NAME_BYTES || !is_name_byte(*c->p))
			return false;
		ret[n++] = *c->p++;
	}
	return n && c->p++ < c->end;
}

/* The value of a hex digit and 1; 0 of any other byte. */
static const int8_t hex_values[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

static int hex_value(char c)
{
	return hex_values[(unsigned char)c] - 1;
}

/* COMM_BYTES bytes in hex with a space between them, as bpftrace prints them. */
static bool take_comm_spaced(const char *p, char *ret)
{
	int bad = 0;

	for (size_t i = 0; i < COMM_BYTES; i++) {
		int high = hex_value(p[3 * i]), low = hex_value(p[3 * i + 1]);

		bad |= high | low | -(i + 1 < COMM_BYTES && p[3 * i + 2] != ' ');
		ret[i] = (char)((unsigned int)high << 4 | (unsigned int)low); /* -1 does no harm: it is told at the end */
	}
	ret[COMM_BYTES] = '\0';
	return bad >= 0;
}

/* A number of 64 bits in hex up to `end`: eight bytes as they lie in memory of little-endian machines. */
static bool take_comm_number(const char *p, const char *end, char *ret)
{
	uint64_t value = 0;
	int bad = 0;

	if (p == end || end - p > 16)
		return false;
	for (; p < end; p++) {
		bad |= hex_value(*p);
		value = value << 4 | ((unsigned int)hex_value(*p) & 15);
	}
	for (size_t i = 0; i < 8; i++)
		ret[i] = (char)(value >> 8 * i);
	return bad >= 0;
}

/* COMM_BYTES bytes as two numbers, "HEX:HEX.", or in hex, with or without a space between them; nothing may follow. */
static bool take_comm(struct cursor *c, char *ret)
{
	/* numbers end with a dot, which shows that no digit is missing */
	bool numbers = c->p < c->end && c->end[-1] == '.';
	const char *colon = numbers ? memchr(c->p, ':', (size_t)(c->end - c->p)) : NULL;

	if (colon) {
		ret[COMM_BYTES] = '\0';
		return take_comm_number(c->p, colon, ret) && take_comm_number(colon + 1, c->end - 1, ret + 8);
	}
	if (c->end - c->p == 3 * COMM_BYTES - 1)
		return take_comm_spaced(c->p, ret);
	for (size_t i = 0; i < COMM_BYTES; i++) {
		int high, low;

		if (i && c->p < c->end && *c->p == ' ')
			c->p++;
		if (c->end - c->p < 2)
			return false;
		high = hex_value(*c->p++);
		low = hex_value(*c->p++);
		if (high < 0 || low < 0)
			return false;
		ret[i] = (char)(high << 4 | low);
	}
	ret[COMM_BYTES] = '\0';
	return c->p == c->end;
}

static bool take_when(struct cursor *c, struct wait_event *w)
{
	return take_u64(c, &w->ts_ns) && take_u32(c, &w->cpu) && w->ts_ns <= INT64_MAX;
}

static bool take_who(struct cursor *c, struct wait_event *w)
{
	return take_u32(c, &w->pid) && take_u32(c, &w->tid) && take_i64(c, &w->vcpu) && take_name(c, w->event) &&
	       take_name(c, w->source) && event_bit(w->event) && w->vcpu >= 0;
}

/* "@IP:WHAT@" at the end of the line of a spin, where the part guest_ip is there: IP in hex, WHAT as enum guest_known. */
static bool take_guest(struct cursor *c, struct guest_place *g)
{
	const char *at;

	*g = (struct guest_place){ 0 };
	if (c->p == c->end || c->end[-1] != '@')
		return true;
	at = memrchr(c->p, '@', (size_t)(c->end - 1 - c->p));
	if (!at || c->end - at < 5 || c->end - at > 20 || c->end[-3] != ':' || c->end[-2] < '0' || c->end[-2] > '7')
		return false;
	g->known = (unsigned int)(c->end[-2] - '0');
	if (digits_take_hex(at + 1, c->end - 3, &g->ip) != c->end - 3)
		return false;
	c->end = at;
	return !(g->known & GUEST_KERNEL) || (g->known & GUEST_MODE);
}

static bool parse_wait(struct cursor *c, struct wait_event *w)
{
	w->vm = NULL;
	w->callers = NULL;
	return take_when(c, w) && take_who(c, w) && take_i64(c, &w->target) && take_guest(c, &w->guest) && take_comm(c, w->comm);
}

/* How a wait ended; only the ends that a script can see. */
static bool take_end(struct cursor *c, enum outcome_end *ret)
{
	char name[NAME_BYTES];

	if (!take_name(c, name))
		return false;
	for (int i = 0; i < OUTCOME_UNSEEN; i++) {
		if (strcmp(outcome_end_names[i], name))
			continue;
		*ret = (enum outcome_end)i;
		return true;
	}
	return false;
}

static bool parse_outcome(struct cursor *c, struct outcome_event *o)
{
	uint32_t halt;

	*o = (struct outcome_event){ 0 };
	if (!take_u64(c, &o->ts_ns) || !take_u64(c, &o->wait_ns) || !take_u32(c, &o->cpu) || !take_u32(c, &o->pid) ||
	    !take_u32(c, &o->tid) || !take_i64(c, &o->vcpu) || !take_end(c, &o->end) || !take_u32(c, &halt) ||
	    !take_u64(c, &o->halt_ns) || !take_i64(c, &o->boosted) || !take_u32(c, &o->boosted_tid) || !take_u64(c, &o->off_ns) ||
	    !take_u64(c, &o->ready_ns) || !take_u32(c, &o->cpu_before) || c->p != c->end || c->end[-1] == ' ' || halt >= HALT_KINDS)
		return false;
	o->halt = (enum halt_kind)halt;
	return o->vcpu >= 0 && o->boosted >= -1 && o->ts_ns <= INT64_MAX && o->wait_ns <= o->ts_ns && o->halt_ns <= INT64_MAX &&
	       o->off_ns <= INT64_MAX && o->ready_ns <= INT64_MAX;
}

static bool is_time(uint64_t ts_ns)
{
	return ts_ns <= INT64_MAX;
}

/* What all of them begin with. */
static bool take_sched_head(struct cursor *c, enum sched_kind kind, struct sched_event *s)
{
	*s = (struct sched_event){ .kind = kind };
	return take_u64(c, &s->ts_ns) && take_u64(c, &s->seq) && take_u32(c, &s->cpu) && is_time(s->ts_ns);
}

static bool take_sched_vcpu(struct cursor *c, struct sched_event *s)
{
	return take_sched_head(c, SCHED_VCPU, s) && take_u32(c, &s->pid) && take_u32(c, &s->tid) && take_i64(c, &s->vcpu) &&
	       take_u32(c, &s->vcpus) && take_comm(c, s->comm) && s->vcpu >= 0;
}

/* What the bits of a state or of LIVE say of a vCPU's thread that is runnable. */
static void read_queue(uint64_t bits, struct sched_event *s)
{
	s->levels = bits >> 8 & 0x3f;
	s->core = bits & 0x4000;
	s->held = bits & 0x8000;
	s->group = bits >> 16;
}

static bool take_sched_switch(struct cursor *c, struct sched_event *s)
{
	uint64_t state;

	if (!take_sched_head(c, SCHED_SWITCH, s) || !take_u32(c, &s->pid) || !take_u32(c, &s->tid) || !take_u64(c, &state) ||
	    !take_u32(c, &s->next) || !take_comm(c, s->comm))
		return false;
	s->runnable = !(state & 0xff);
	if (s->runnable) {
		read_queue(state, s);
		return true;
	}
	s->halted = state & 0x100;
	s->has_stack = state & 0x200;
	return true;
}

/* The thread that has a CPU, plus 1, and whether the CPU was watched, which is the lowest bit of what is returned. */
static bool take_now(struct cursor *c, struct sched_event *s, uint64_t *ret_live)
{
	uint64_t now;

	if (!take_u64(c, &now) || !take_u64(c, ret_live) || now > UINT32_MAX)
		return false;
	s->now_known = now != 0;
	s->now = now ? (uint32_t)now - 1 : 0;
	s->live = *ret_live & 1;
	return true;
}

static bool take_sched_ready(struct cursor *c, struct sched_event *s)
{
	uint64_t live;

	if (!take_sched_head(c, SCHED_READY, s) || !take_u32(c, &s->tid) || !take_u32(c, &s->at) || !take_now(c, s, &live) ||
	    c->p != c->end || c->end[-1] == ' ' || (live & 0xff) > 3)
		return false;
	s->other_cookie = live & 2;
	read_queue(live, s);
	return true;
}

static bool take_sched_quota(struct cursor *c, struct sched_event *s)
{
	uint64_t live;
	uint32_t change;

	if (!take_sched_head(c, SCHED_QUOTA, s) || !take_u32(c, &s->at) || !take_now(c, s, &live) || !take_u64(c, &s->group) ||
	    !take_u32(c, &change) || !take_u64(c, &s->quota.cgroup) || !take_u64(c, &s->quota.quota_ns) ||
	    !take_u64(c, &s->quota.period_ns) || c->p != c->end || c->end[-1] == ' ' || live > 1 || change >= QUOTA_CHANGES)
		return false;
	s->change = (enum quota_change)change;
	return true;
}

static bool take_sched_gone(struct cursor *c, struct sched_event *s)
{
	return take_sched_head(c, SCHED_GONE, s) && take_u32(c, &s->pid) && take_u32(c, &s->tid) && c->p == c->end && c->end[-1] != ' ';
}

/* The rest of the line. */
static bool take_rest(struct cursor *c, char *ret, size_t size)
{
	size_t n = (size_t)(c->end - c->p);

	if (!n || n >= size || memchr(c->p, '\0', n))
		return false;
	memcpy(ret, c->p, n);
	ret[n] = '\0';
	return true;
}

static bool take_begin(struct cursor *c, char *script, size_t size)
{
	uint64_t wire;

	return take_u64(c, &wire) && wire == 1 && take_rest(c, script, size);
}

/* The number and nothing behind it; less the first line, which is counted as well. */
static bool take_counted(struct cursor *c, uint64_t *ret)
{
	uint64_t counted;

	if (!take_u64(c, &counted) || c->p != c->end || c->end[-1] == ' ' || !counted)
		return false;
	*ret = counted - 1;
	return true;
}

/* "Lost 42 events", in whatever words a version of bpftrace puts around it. */
static bool take_lost(struct cursor *c, uint64_t *ret)
{
	cursor_take_text(c, "WARNING: "); /* from 0.24 on */
	return cursor_take_text(c, "Lost ") && take_u64(c, ret) && cursor_take_text(c, "events");
}

/* The name in "NAME+OFFSET", which bpftrace adds behind an address; where it knows none, it writes the address again. */
static void take_frame_name(struct cursor *c, char *ret, size_t size)
{
	size_t n = 0;

	while (c->p < c->end && *c->p == ' ')
		c->p++;
	if (c->p < c->end && *c->p == '0')
		c->p = c->end;
	while (c->p < c->end && *c->p != '+' && *c->p != ' ' && *c->p && n + 1 < size)
		ret[n++] = *c->p++;
	ret[n] = '\0';
}

/* An address in hex, and its name. */
static bool take_frame(struct cursor *c, uint64_t *ret, char *ret_name, size_t name_size)
{
	const char *start;
	uint64_t address = 0;

	while (c->p < c->end && (*c->p == '\t' || *c->p == ' '))
		c->p++;
	for (start = c->p; c->p < c->end && hex_value(*c->p) >= 0; c->p++) {
		if (c->p - start == 16)
			return false;
		address = address << 4 | (uint64_t)hex_value(*c->p);
	}
	*ret = address;
	if (c->p - start < 8 || (c->p < c->end && *c->p != ' '))
		return false;
	take_frame_name(c, ret_name, name_size);
	return true;
}

/* The lines of what the scheduler did, by their first letter. */
static const struct {
	char letter;
	bool (*take)(struct cursor *c, struct sched_event *s);
} sched_lines[] = {
	{ 'u', take_sched_vcpu },
	{ 's', take_sched_switch },
	{ 'r', take_sched_ready },
	{ 'g', take_sched_gone },
	{ 'q', take_sched_quota },
};

/* True where it is one of these, whole or not. */
static bool take_sched(struct cursor *c, struct wire_line *ret)
{
	if (c->end - c->p < 2 || c->p[1] != ' ')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(sched_lines); i++) {
		if (*c->p != sched_lines[i].letter)
			continue;
		c->p += 2;
		ret->record.type = RECORD_SCHED;
		ret->kind = sched_lines[i].take(c, &ret->record.sched) ? WIRE_SCHED : WIRE_MALFORMED;
		return true;
	}
	return false;
}

/* "TS PID VCPUS VALUE...": one counter at least, nothing behind the last. */
static bool take_audit(struct cursor *c, struct wire_audit *a)
{
	*a = (struct wire_audit){ 0 };
	if (!take_u64(c, &a->ts_ns) || !take_u32(c, &a->pid) || !take_u32(c, &a->n_vcpus) || !is_time(a->ts_ns))
		return false;
	while (c->p < c->end && a->n_values < WIRE_AUDIT_VALUES)
		if (!take_u64(c, &a->values[a->n_values++]))
			return false;
	return a->n_values && c->p == c->end && c->end[-1] != ' ';
}

bool wire_is_counted(const char *line, size_t n)
{
	return n >= 2 && *line && line[1] == ' ' && strchr("wousrgqa", *line);
}

void wire_parse(const char *line, size_t n, struct wire_line *ret)
{
	struct cursor c = { line, line + n };

	ret->kind = WIRE_NOTHING;
	ret->record.object = NULL;
	if (cursor_take_text(&c, "w ")) {
		ret->record.type = RECORD_WAIT;
		ret->kind = parse_wait(&c, &ret->record.wait) ? WIRE_WAIT : WIRE_MALFORMED;
	} else if (cursor_take_text(&c, "o ")) {
		ret->record.type = RECORD_OUTCOME;
		ret->kind = parse_outcome(&c, &ret->record.outcome) ? WIRE_OUTCOME : WIRE_MALFORMED;
	} else if (n && *line == '\t') {
		ret->kind = take_frame(&c, &ret->number, ret->name, sizeof(ret->name)) ? WIRE_FRAME : WIRE_NOTHING;
	} else if (cursor_take_text(&c, "a ")) {
		ret->kind = take_audit(&c, &ret->audit) ? WIRE_AUDIT : WIRE_MALFORMED;
	} else if (take_sched(&c, ret)) {
		return;
	} else if (cursor_take_text(&c, BEGIN_MARK)) {
		ret->kind = take_begin(&c, ret->name, sizeof(ret->name)) ? WIRE_BEGIN : WIRE_MALFORMED;
	} else if (cursor_take_text(&c, PART_MARK)) {
		ret->kind = take_rest(&c, ret->name, sizeof(ret->name)) ? WIRE_PART : WIRE_MALFORMED;
	} else if (cursor_take_text(&c, COUNTED_MARK)) {
		ret->kind = take_counted(&c, &ret->number) ? WIRE_COUNTED : WIRE_MALFORMED;
	} else if (take_lost(&c, &ret->number)) {
		ret->kind = WIRE_LOST;
	}
}
