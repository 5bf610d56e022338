// SPDX-License-Identifier: Apache-2.0
// A line of a script. One that is an event is the same after it was written as JSON and read back.
#include "fuzz.h"

#include "record/ndjson.h"
#include "record/wire.h"

static void check_wait(const struct wait_event *a, const struct wait_event *b)
{
	char number[16];

	MUST(a->ts_ns == b->ts_ns && a->cpu == b->cpu && a->pid == b->pid && a->tid == b->tid);
	MUST(a->vcpu == b->vcpu && a->target == b->target);
	MUST(!strcmp(a->event, b->event) && !strcmp(a->source, b->source) && !strcmp(a->comm, b->comm));
	snprintf(number, sizeof(number), "%u", a->pid);
	MUST(!strcmp(b->vm, number));
}

/* Without its wait an outcome tells either of a HLT or of a boost. */
static void check_outcome(const struct outcome_event *a, const struct outcome_event *b)
{
	MUST(a->ts_ns == b->ts_ns && a->wait_ns == b->wait_ns && a->cpu == b->cpu && a->cpu_before == b->cpu_before);
	MUST(a->pid == b->pid && a->tid == b->tid && a->vcpu == b->vcpu && a->end == b->end && a->halt == b->halt);
	MUST(a->off_ns == b->off_ns && a->ready_ns == b->ready_ns && !*b->event);
	MUST(a->halt == HALT_NONE ? a->boosted == b->boosted && a->boosted_tid == b->boosted_tid : a->halt_ns == b->halt_ns);
}

/* Reading a line leaves nothing behind: the second time gives the same. */
static void check_again(const char *text, size_t n, const struct wire_line *first)
{
	struct wire_line again;

	wire_parse(text, n, &again);
	MUST(again.kind == first->kind);
	if (again.kind == WIRE_WAIT) {
		const struct wait_event *a = &first->record.wait, *b = &again.record.wait;

		MUST(a->ts_ns == b->ts_ns && a->cpu == b->cpu && a->pid == b->pid && a->tid == b->tid);
		MUST(a->vcpu == b->vcpu && a->target == b->target && !a->vm && !b->vm && !a->callers && !b->callers);
		MUST(!strcmp(a->event, b->event) && !strcmp(a->source, b->source) && !memcmp(a->comm, b->comm, sizeof(a->comm)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_line line;
	struct record back = { 0 };
	struct ndjson ndjson = { 0 };
	char *text, *why = NULL;
	size_t n;

	wire_parse((const char *)data, size, &line);
	check_again((const char *)data, size, &line);
	if (line.kind == WIRE_BEGIN || line.kind == WIRE_PART)
		MUST(*line.name && strlen(line.name) < sizeof(line.name));
	if (line.kind != WIRE_WAIT && line.kind != WIRE_OUTCOME)
		return 0;
	text = fuzz_written(&line.record, "json", &n);
	MUST(n && text[n - 1] == '\n' && !memchr(text, '\n', n - 1));
	MUST(!ndjson_parse(&ndjson, text, n - 1, &back, &why));
	MUST(back.type == line.record.type && !back.object);
	if (back.type == RECORD_WAIT)
		check_wait(&line.record.wait, &back.wait);
	else
		check_outcome(&line.record.outcome, &back.outcome);
	ndjson_done(&ndjson);
	free(text);
	return 0;
}
