// SPDX-License-Identifier: Apache-2.0
// Reads the waits and outcomes that kvmwait itself wrote, letter by letter as it writes them; no other JSON.
#include "record/ndjson_fast.h"

#include "base/cursor.h"

#define TAKE(c, literal) cursor_take_bytes(c, literal, sizeof(literal) - 1)

/* As JSON has it: no zero in front. */
static bool take_integer(struct cursor *c, uint64_t high, uint64_t *ret)
{
	const char *start = c->p, *end = digits_take(start, c->end, ret);

	if (!end || (*start == '0' && end - start > 1) || *ret > high)
		return false;
	c->p = end;
	return true;
}

static bool take_u32(struct cursor *c, uint32_t *ret)
{
	uint64_t value;

	if (!take_integer(c, UINT32_MAX, &value))
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* From 0 on. */
static bool take_positive(struct cursor *c, int64_t *ret)
{
	uint64_t value;

	if (!take_integer(c, INT64_MAX, &value))
		return false;
	*ret = (int64_t)value;
	return true;
}

static bool take_i64(struct cursor *c, int64_t *ret)
{
	uint64_t value;

	if (!TAKE(c, "-"))
		return take_positive(c, ret);
	if (!take_integer(c, (uint64_t)INT64_MAX + 1, &value) || !value)
		return false;
	*ret = (int64_t)(0 - value);
	return true;
}

/* Up to the quote and with it, no more than `most` bytes that stand for themselves. */
static bool take_text(struct cursor *c, char *out, size_t most)
{
	size_t n = 0;

	for (; c->p < c->end && *c->p != '"'; c->p++) {
		if (n == most || *c->p < ' ' || *c->p > '~' || *c->p == '\\')
			return false;
		out[n++] = *c->p;
	}
	out[n] = '\0';
	return TAKE(c, "\"");
}

/* The same of a name; the bytes behind it are 0. */
static bool take_name(struct cursor *c, char *out)
{
	size_t n = 0;

	memset(out, 0, NAME_BYTES);
	for (; c->p < c->end && *c->p != '"'; c->p++) {
		char b = *c->p;

		if (n == NAME_BYTES - 1 || !((b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '_'))
			return false;
		out[n++] = b;
	}
	return n && TAKE(c, "\"");
}

static bool take_choice(struct cursor *c, const char *const *names, int n, int *ret)
{
	char name[NAME_BYTES];

	if (!take_name(c, name))
		return false;
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], name))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* The name of a VM that is so short needs not be cleaned again. */
static bool take_vm(struct cursor *c, struct ndjson *n)
{
	return TAKE(c, ",\"vm\":\"") && take_text(c, n->vm, NDJSON_VM_BYTES);
}

/* Where the guest was, as far as that is known; without the name of a function, which is left to jansson. */
static bool take_guest(struct cursor *c, struct guest_place *g)
{
	int64_t ip = 0;
	bool known = TAKE(c, ",\"guest_ip\":");

	*g = (struct guest_place){ 0 };
	if (known && !take_i64(c, &ip))
		return false;
	g->ip = (uint64_t)ip;
	g->known = known ? GUEST_IP : 0;
	if (TAKE(c, ",\"guest_mode\":\"kernel\""))
		g->known |= GUEST_MODE | GUEST_KERNEL;
	else if (TAKE(c, ",\"guest_mode\":\"user\""))
		g->known |= GUEST_MODE;
	return true;
}

static bool scan_wait(struct cursor *c, struct ndjson *n, struct wait_event *w)
{
	w->vm = n->vm;
	w->callers = NULL;
	memset(w->comm, 0, sizeof(w->comm));
	return take_integer(c, INT64_MAX, &w->ts_ns) && TAKE(c, ",\"cpu\":") && take_u32(c, &w->cpu) && TAKE(c, ",\"pid\":") &&
	       take_u32(c, &w->pid) && TAKE(c, ",\"tid\":") && take_u32(c, &w->tid) && TAKE(c, ",\"comm\":\"") &&
	       take_text(c, w->comm, COMM_BYTES) && take_vm(c, n) && TAKE(c, ",\"vcpu\":") && take_positive(c, &w->vcpu) &&
	       TAKE(c, ",\"event\":\"") && take_name(c, w->event) && TAKE(c, ",\"source\":\"") && take_name(c, w->source) &&
	       TAKE(c, ",\"target\":") && take_i64(c, &w->target) && take_guest(c, &w->guest) && TAKE(c, "}") && c->p == c->end;
}

/* What only a HLT has, or only the others. */
static bool take_halt_or_boost(struct cursor *c, struct outcome_event *o)
{
	int halt = HALT_NONE;

	if (TAKE(c, ",\"boosted\":"))
		return take_i64(c, &o->boosted) && o->boosted >= -1 && TAKE(c, ",\"boosted_tid\":") && take_u32(c, &o->boosted_tid);
	if (!TAKE(c, ",\"halt\":\"") || !take_choice(c, halt_names, HALT_KINDS, &halt))
		return false;
	o->halt = (enum halt_kind)halt;
	return TAKE(c, ",\"halt_ns\":") && take_integer(c, INT64_MAX, &o->halt_ns) &&
	       (TAKE(c, ",\"woken\":true") || TAKE(c, ",\"woken\":false"));
}

static bool scan_outcome(struct cursor *c, struct ndjson *n, struct outcome_event *o)
{
	uint64_t ns; /* follows from the times */
	int end;

	*o = (struct outcome_event){ .boosted = -1, .vm = n->vm };
	if (!take_integer(c, INT64_MAX, &o->ts_ns) || !TAKE(c, ",\"wait_ts\":") || !take_integer(c, o->ts_ns, &o->wait_ns) ||
	    !TAKE(c, ",\"pid\":") || !take_u32(c, &o->pid) || !TAKE(c, ",\"tid\":") || !take_u32(c, &o->tid) || !take_vm(c, n) ||
	    !TAKE(c, ",\"vcpu\":") || !take_positive(c, &o->vcpu))
		return false;
	if (TAKE(c, ",\"event\":\"") && (!take_name(c, o->event) || !TAKE(c, ",\"source\":\"") || !take_name(c, o->source)))
		return false;
	if (!TAKE(c, ",\"end\":\"") || !take_choice(c, outcome_end_names, OUTCOME_ENDS, &end))
		return false;
	o->end = (enum outcome_end)end;
	if (TAKE(c, "}"))
		return c->p == c->end;
	return take_halt_or_boost(c, o) && TAKE(c, ",\"ns\":") && take_integer(c, INT64_MAX, &ns) && TAKE(c, ",\"off_ns\":") &&
	       take_integer(c, INT64_MAX, &o->off_ns) && TAKE(c, ",\"ready_ns\":") && take_integer(c, INT64_MAX, &o->ready_ns) &&
	       TAKE(c, ",\"cpu_before\":") && take_u32(c, &o->cpu_before) && TAKE(c, ",\"cpu\":") && take_u32(c, &o->cpu) &&
	       TAKE(c, "}") && c->p == c->end;
}

bool ndjson_own(struct ndjson *n, const char *line, size_t length, struct record *ret)
{
	struct cursor c = { line, line + length };

	ret->object = NULL;
	if (TAKE(&c, "{\"type\":\"wait\",\"ts\":")) {
		ret->type = RECORD_WAIT;
		return scan_wait(&c, n, &ret->wait);
	}
	if (TAKE(&c, "{\"type\":\"outcome\",\"ts\":")) {
		ret->type = RECORD_OUTCOME;
		return scan_outcome(&c, n, &ret->outcome);
	}
	return false;
}
