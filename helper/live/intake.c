// SPDX-License-Identifier: Apache-2.0
// Turns the lines that bpftrace prints into records in time order, and keeps the balance of them.
#include "live/intake.h"

#include "live/session_record.h"
#include "record/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CPUS_MAX 65536u

struct intake_cpu {
	uint64_t seq, ts_ns;
};

/* ---- records out ---- */

static void give(struct intake *in, const struct record *r)
{
	if (!in->error)
		in->error = in->options->take(in->options->context, r);
}

void intake_give(struct intake *in, enum record_type type, json_t *object)
{
	give(in, &(struct record){ .type = type, .object = object });
	json_decref(object);
}

void intake_flush(struct intake *in)
{
	if (!in->error && in->options->flush)
		in->error = in->options->flush(in->options->context);
}

static void give_outcome(struct intake *in, const struct outcome_event *e)
{
	give(in, &(struct record){ .type = RECORD_OUTCOME, .outcome = *e });
}

static void release(struct intake *in, uint64_t before_ns)
{
	struct outcome_event unseen;
	struct record r;

	while (order_pop(&in->order, before_ns, &r)) {
		if (in->outcomes && r.type != RECORD_SCHED && outcomes_take(in->outcomes, &r, &unseen))
			give_outcome(in, &unseen);
		give(in, &r);
	}
}

void intake_release(struct intake *in, uint64_t now_ns)
{
	/* bpftrace may lag behind the clock, so the clock decides only when no record arrives. */
	release(in, !in->holds && now_ns - in->record_ns > ORDER_WINDOW_NS ? UINT64_MAX : 0);
	intake_flush(in);
}

/* ---- lines in ---- */

/* All callers of the held record have arrived. */
static void push_held(struct intake *in)
{
	if (in->held.type == RECORD_META)
		return;
	if (in->held.type == RECORD_WAIT)
		in->held.wait.callers = symbolize_chain(in->symbolizer, in->callers, in->n_callers);
	else
		in->held.sched.stack = stacks_get(in->stacks, in->callers, (const char (*)[FRAME_NAME_BYTES])in->caller_names, in->n_callers);
	order_push(&in->order, &in->held);
	in->held.type = RECORD_META;
	in->n_callers = 0;
}

static void push_mark(struct intake *in, enum sched_kind kind, uint32_t cpu, uint64_t ts_ns)
{
	order_push(&in->order, &(struct record){ .type = RECORD_SCHED, .sched = { .kind = kind, .cpu = cpu, .ts_ns = ts_ns } });
}

/* Each CPU numbers its lines, and they arrive in their order: a missing number is a lost line. */
static void mark_gap(struct intake *in, const struct sched_event *s)
{
	struct intake_cpu *last;

	if (s->cpu >= CPUS_MAX)
		return;
	if (s->cpu >= in->n_cpus) {
		in->cpus = xrealloc(in->cpus, s->cpu + 1, sizeof(*in->cpus));
		memset(in->cpus + in->n_cpus, 0, (s->cpu + 1 - in->n_cpus) * sizeof(*in->cpus));
		in->n_cpus = s->cpu + 1;
	}
	last = &in->cpus[s->cpu];
	if (s->seq != last->seq + 1) {
		push_mark(in, SCHED_BLIND, s->cpu, last->ts_ns);
		push_mark(in, SCHED_SIGHT, s->cpu, s->ts_ns);
	}
	*last = (struct intake_cpu){ s->seq, s->ts_ns };
}

static void name_vm(struct intake *in, struct record *r)
{
	if (r->type == RECORD_WAIT)
		r->wait.vm = vmnames_get(in->names, r->wait.pid);
	else if (r->type == RECORD_OUTCOME)
		r->outcome.vm = vmnames_get(in->names, r->outcome.pid);
	else if (r->sched.kind == SCHED_VCPU)
		r->sched.vm = vmnames_get(in->names, r->sched.pid);
}

static void take_record(struct intake *in, struct record *r, uint64_t now_ns)
{
	in->balance.received++;
	in->balance.outcomes += r->type == RECORD_OUTCOME;
	in->record_ns = now_ns;
	name_vm(in, r);
	if (r->type == RECORD_SCHED)
		mark_gap(in, &r->sched);
	if (r->type == RECORD_WAIT)
		kept_counters_wait(in->kept, &r->wait);
	if ((r->type == RECORD_WAIT && in->symbolizer) || (r->type == RECORD_SCHED && r->sched.has_stack))
		in->held = *r;
	else
		order_push(&in->order, r);
}

static void take_lost(struct intake *in, uint64_t lost)
{
	in->balance.lost += lost;
	intake_give(in, RECORD_LOST, session_record_lost(lost));
}

enum intake_line intake_take(struct intake *in, const char *line, size_t n, bool from_stdout, uint64_t now_ns)
{
	struct wire_line wire;

	wire_parse(line, n, &wire);
	/* Scripts print to standard output. On standard error only bpftrace's reports of losses count. */
	if (!from_stdout && wire.kind != WIRE_LOST)
		wire.kind = WIRE_NOTHING;
	if (wire.kind != WIRE_FRAME && from_stdout)
		push_held(in);
	switch (wire.kind) {
	case WIRE_WAIT:
	case WIRE_OUTCOME:
	case WIRE_SCHED:
		take_record(in, &wire.record, now_ns);
		return INTAKE_TAKEN;
	case WIRE_AUDIT:
		kept_counters_vcpu_ended(in->kept, &wire.audit);
		return INTAKE_TAKEN;
	case WIRE_FRAME:
		if (in->held.type != RECORD_META && in->n_callers < CALLERS_MAX) {
			memcpy(in->caller_names[in->n_callers], wire.name, FRAME_NAME_BYTES);
			in->callers[in->n_callers++] = wire.number;
		}
		return INTAKE_TAKEN;
	case WIRE_COUNTED:
		in->balance.counted = wire.number;
		in->balance.have_counted = true;
		return INTAKE_TAKEN;
	case WIRE_LOST:
		take_lost(in, wire.number);
		return INTAKE_TAKEN;
	case WIRE_MALFORMED:
		in->balance.malformed++;
		return INTAKE_MESSAGE;
	case WIRE_BEGIN:
		return INTAKE_SCRIPT_BEGINS;
	case WIRE_PART:
		return INTAKE_TAKEN;
	case WIRE_NOTHING:
		break;
	}
	if (from_stdout && kept_counters_take_line(in->kept, line, n))
		return INTAKE_TAKEN;
	if (from_stdout && in->options->take_line && in->options->take_line(in->options->context, line, n))
		return INTAKE_TAKEN;
	return n && *line != '#' ? INTAKE_MESSAGE : INTAKE_TAKEN;
}

void intake_take_part(struct intake *in, const char *line, size_t n, bool from_stdout)
{
	if (from_stdout && wire_is_counted(line, n))
		in->balance.malformed++;
}

void intake_finish(struct intake *in)
{
	struct outcome_event unseen;

	push_held(in);
	release(in, UINT64_MAX);
	while (in->outcomes && outcomes_take_rest(in->outcomes, in->order.newest_ns, &unseen))
		give_outcome(in, &unseen);
	in->balance.late = in->order.late;
	/* lines of the audit are counted, so that a lost one is noticed, but they are no records */
	if (in->balance.counted >= kept_counters_lines(in->kept))
		in->balance.counted -= kept_counters_lines(in->kept);
	if (!in->balance.malformed)
		balance_settle(&in->balance);
	if (in->balance.unreported)
		intake_give(in, RECORD_LOST, session_record_lost(in->balance.unreported));
}

int intake_init(struct intake *in, const struct session_options *options, bool holds, char **ret_error)
{
	*in = (struct intake){ .options = options, .holds = holds, .names = vmnames_new("") };
	order_init(&in->order);
	if (holds)
		order_hold(&in->order);
	in->stacks = stacks_new();
	in->kept = kept_counters_open(&options->program);
	if (program_has_part(&options->program, "outcome"))
		in->outcomes = outcomes_new();
	if (program_has_part(&options->program, "callers")) {
		in->symbolizer = symbolize_new(ret_error);
		if (!in->symbolizer)
			return -ELIBACC;
	}
	return 0;
}

void intake_done(struct intake *in)
{
	order_done(&in->order);
	free(in->cpus);
	outcomes_free(in->outcomes);
	symbolize_free(in->symbolizer);
	stacks_free(in->stacks);
	vmnames_free(in->names);
	kept_counters_free(in->kept);
}
