// SPDX-License-Identifier: Apache-2.0
// Reads a recording, record by record, in bounded memory, whatever form it is in.
#include "record/recording_read.h"

#include "base/memory.h"
#include "record/csv_read.h"
#include "record/ndjson.h"
#include "record/order.h"
#include "record/outcome_join.h"
#include "record/trace_read.h"
#include "record/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct recording {
	struct recording_settings settings;
	struct line_reader reader;
	struct ndjson ndjson;
	struct trace_read *trace; /* NULL: it is no trace, or none is read */
	struct order order;
	struct outcomes *outcomes; /* NULL where there are none */
	json_t *object; /* of the record that was given last */
	struct record ready[TRACE_READ_MOST]; /* records that need not be ordered */
	size_t n_ready, next_ready;
	struct record waiting; /* behind an outcome that was not seen */
	bool have_waiting;
	bool ended;   /* the last record was an end record */
	bool planned; /* a plan record makes it a recording, of which stat records are a part */
	bool at_end;  /* of the file */
	bool closed;  /* the end record was made */
	uint64_t undecided;	 /* lines before the kind was known */
	char *undecided_error; /* of the first of them, as NDJSON */
	struct recording_state state;
};

static void decide(struct recording *r, enum recording_kind kind);

static int begin_trace(struct recording *r)
{
	r->trace = trace_read_new(r->settings.scripts);
	while (r->reader.state.compressed && r->reader.used < TRACE_READ_MAGIC_BYTES && line_reader_fill(&r->reader) > 0)
		; /* a compressed file has nothing to look at when it has been opened */
	if (!trace_read_is_dat(r->reader.text, r->reader.used))
		return 0;
	decide(r, RECORDING_TRACE_DAT);
	return trace_read_begin_dat(r->trace, &r->reader);
}

int recording_open(const char *path, const struct recording_settings *settings, struct recording **ret)
{
	struct recording *r = xcalloc(1, sizeof(*r));
	int err = line_reader_open(&r->reader, path, RECORDING_LINE_BYTES);

	if (err) {
		free(r);
		return err;
	}
	r->state.input = &r->reader.state;
	order_init(&r->order);
	if (settings)
		r->settings = *settings;
	if (r->settings.scripts)
		err = begin_trace(r);
	if (err) {
		recording_close(r);
		return err;
	}
	*ret = r;
	return 0;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	json_decref(r->object);
	for (size_t i = r->next_ready; i < r->n_ready; i++)
		json_decref(r->ready[i].object);
	ndjson_done(&r->ndjson);
	line_reader_done(&r->reader);
	order_done(&r->order);
	outcomes_free(r->outcomes);
	trace_read_free(r->trace);
	free(r->undecided_error);
	free(r->state.first_error);
	free(r->state.failure);
	strings_done(&r->state.notes);
	strings_done(&r->state.problems);
	free(r);
}

const struct recording_state *recording_state(const struct recording *r)
{
	return &r->state;
}

static void say(struct recording *r, uint64_t line, const char *why)
{
	r->state.balance.malformed++;
	if (r->settings.complain)
		r->settings.complain(r->settings.data, line, why);
}

static void complain_of(struct recording *r, uint64_t line, const char *why)
{
	if (!r->state.malformed++)
		r->state.first_error = xasprintf("line %" PRIu64 ": %s", line, why);
	say(r, line, why);
}

static void complain(struct recording *r, const char *why)
{
	complain_of(r, r->state.input->lines, why);
}

/* ---- records that leave ---- */

static void give(struct recording *r, const struct record *record)
{
	r->ready[r->n_ready++] = *record;
}

/* A record whose place in time is to be found, unless nobody asks for that. */
static void give_in_order(struct recording *r, const struct record *record)
{
	r->state.balance.received++;
	r->state.balance.outcomes += record->type == RECORD_OUTCOME;
	if (r->settings.unordered)
		give(r, record);
	else
		order_push(&r->order, record);
}

/* The next one in time, behind an outcome that was not seen where its thread had one open. */
static bool take_ordered(struct recording *r, struct record *ret)
{
	struct outcome_event unseen;
	struct record record;

	if (r->have_waiting) {
		r->have_waiting = false;
		*ret = r->waiting;
		return true;
	}
	if (order_pop(&r->order, r->at_end ? UINT64_MAX : 0, &record)) {
		if (!r->outcomes || !outcomes_take(r->outcomes, &record, &unseen)) {
			*ret = record;
			return true;
		}
		r->waiting = record;
		r->have_waiting = true;
	} else if (!r->at_end || !r->outcomes || !outcomes_take_rest(r->outcomes, r->order.newest_ns, &unseen)) {
		return false;
	}
	*ret = (struct record){ .type = RECORD_OUTCOME, .outcome = unseen };
	return true;
}

/* What is not NDJSON has no end record of its own. */
static bool make_end(struct recording *r, struct record *ret)
{
	enum recording_kind kind = r->state.kind;

	r->state.balance.late = r->order.late;
	if (r->closed || kind == RECORDING_NDJSON || kind == RECORDING_UNKNOWN)
		return false;
	r->closed = true;
	balance_settle(&r->state.balance);
	*ret = (struct record){ .type = RECORD_END,
				.object = balance_json(&r->state.balance, kind == RECORDING_LINES ? "the lines ended" : "the trace ended") };
	return true;
}

static void note_given(struct recording *r, const struct record *record)
{
	struct recording_state *s = &r->state;

	r->object = record->object;
	r->ended = record->type == RECORD_END;
	s->records++;
	s->tail_bytes = 0;
	if (record->type != RECORD_WAIT && record->type != RECORD_OUTCOME)
		return;
	if (!s->first_ns || record->ts_ns < s->first_ns)
		s->first_ns = record->ts_ns;
	if (record->ts_ns > s->last_ns)
		s->last_ns = record->ts_ns;
}

static bool take_ready(struct recording *r, struct record *ret)
{
	uint64_t tail_bytes = r->state.tail_bytes;
	bool found = r->next_ready < r->n_ready;

	if (found) {
		*ret = r->ready[r->next_ready++];
		if (r->next_ready == r->n_ready)
			r->next_ready = r->n_ready = 0;
	} else {
		found = take_ordered(r, ret) || (r->at_end && make_end(r, ret));
	}
	if (!found)
		return false;
	note_given(r, ret);
	if (r->at_end)
		r->state.tail_bytes = tail_bytes; /* of the file, not of what was held back */
	return true;
}

/* ---- lines that come ---- */

/* The counts of an end record, to be held against what is there. */
static void take_end(struct recording *r, json_t *end)
{
	struct balance *b = &r->state.balance;
	json_t *counted = json_object_get(end, "counted");

	b->have_counted = json_is_integer(counted);
	b->counted = (uint64_t)json_integer_value(counted);
	b->lost = (uint64_t)json_integer_value(json_object_get(end, "lost"));
	b->unreported = (uint64_t)json_integer_value(json_object_get(end, "unreported"));
	if (r->state.of_counts) /* no record for each event: what the rows had stands in the end record */
		b->received = (uint64_t)json_integer_value(json_object_get(end, "received"));
	else /* the blame record stands for these */
		b->received += (uint64_t)json_integer_value(json_object_get(end, "sched"));
}

/* A saved stream is in order already: it passes straight on. */
static void take_json(struct recording *r, const char *line, size_t n)
{
	CLEANUP_FREE char *why = NULL;
	struct record record = { 0 };

	if (ndjson_parse(&r->ndjson, line, n, &record, &why)) {
		complain(r, why);
		return;
	}
	r->planned |= record.type == RECORD_PLAN;
	r->state.of_counts |= record.type == RECORD_STAT && !r->planned;
	r->state.balance.received += record.type == RECORD_WAIT ||
				     (record.type == RECORD_OUTCOME && record.outcome.end != OUTCOME_UNSEEN);
	if (record.type == RECORD_META)
		r->state.uncounted = json_object_get(record.object, "input") != NULL;
	if (record.type == RECORD_END)
		take_end(r, record.object);
	give(r, &record);
}

static void take_csv(struct recording *r, const char *line, size_t n)
{
	CLEANUP_FREE char *json = csv_as_json(line, n);

	if (json)
		take_json(r, json, strlen(json));
	else
		complain(r, "it has not the cells of a wait");
}

static void take_wire(struct recording *r, struct wire_line *wire)
{
	switch (wire->kind) {
	case WIRE_WAIT:
	case WIRE_OUTCOME:
		give_in_order(r, &wire->record);
		break;
	case WIRE_COUNTED:
		r->state.balance.have_counted = true;
		r->state.balance.counted = wire->number;
		break;
	case WIRE_LOST:
		r->state.balance.lost += wire->number;
		break;
	case WIRE_MALFORMED:
		complain(r, "no whole line of a script");
		break;
	case WIRE_AUDIT: /* counted, but no record */
	case WIRE_SCHED: /* counted, but nothing that any form has */
		r->state.balance.received++;
		break;
	case WIRE_PART:
		if (!strcmp(wire->name, "outcome") && !r->outcomes)
			r->outcomes = outcomes_new();
		break;
	case WIRE_NOTHING:
	case WIRE_FRAME: /* an address of a kernel that may be gone: nothing can be said of it */
	case WIRE_BEGIN:
		break;
	}
}

static void take_trace(struct recording *r, const char *line, size_t n)
{
	struct record records[TRACE_READ_MOST];
	size_t n_records = 0;
	uint64_t number = r->state.input->lines;
	const char *why = NULL;

	trace_read_line(r->trace, line, n, &number, records, &n_records, &why);
	if (why)
		complain_of(r, number, why);
	for (size_t i = 0; i < n_records; i++) {
		if (records[i].type == RECORD_META) {
			give(r, &records[i]);
			trace_read_notes(r->trace, &r->state.notes);
			if (trace_read_has_outcomes(r->trace))
				r->outcomes = outcomes_new();
		} else {
			give_in_order(r, &records[i]);
		}
	}
}

/* A line of a file that has shown nothing of its kind so far. */
static enum recording_kind kind_of(struct recording *r, const char *line, size_t n)
{
	struct wire_line wire;

	if (n && *line == '{')
		return RECORDING_NDJSON;
	wire_parse(line, n, &wire);
	if (wire.kind != WIRE_NOTHING && wire.kind != WIRE_FRAME)
		return RECORDING_LINES;
	if (csv_is_heading(line, n))
		return RECORDING_CSV;
	if (r->trace && trace_read_is_line(line, n))
		return RECORDING_TRACE;
	return RECORDING_UNKNOWN;
}

/* What came before the first line of a kind is no record where records are expected, else a heading. */
static void decide(struct recording *r, enum recording_kind kind)
{
	r->state.kind = kind;
	r->state.uncounted = kind == RECORDING_CSV || kind == RECORDING_TRACE || kind == RECORDING_TRACE_DAT;
	if (kind == RECORDING_CSV)
		give(r, &(struct record){ .type = RECORD_META, .object = trace_read_csv_meta(&r->state.notes) });
	if (kind > RECORDING_NDJSON || !r->undecided)
		return;
	r->state.malformed += r->undecided;
	r->state.balance.malformed += r->undecided;
	free(r->state.first_error);
	r->state.first_error = r->undecided_error;
	r->undecided_error = NULL;
}

static void take_undecided(struct recording *r, const char *line, size_t n)
{
	CLEANUP_FREE char *why = NULL;
	struct record record = { 0 };

	if (!r->undecided++ && ndjson_parse(&r->ndjson, line, n, &record, &why))
		r->undecided_error = xasprintf("line %" PRIu64 ": %s", r->state.input->lines, why);
	json_decref(record.object);
}

static void take_line(struct recording *r, const char *line, size_t n)
{
	struct wire_line wire;

	if (r->state.kind == RECORDING_UNKNOWN) {
		enum recording_kind kind = kind_of(r, line, n);

		if (kind)
			decide(r, kind);
		else
			take_undecided(r, line, n);
		if (!kind || kind == RECORDING_CSV) /* the heading */
			return;
	}
	switch (r->state.kind) {
	case RECORDING_NDJSON:
		take_json(r, line, n);
		break;
	case RECORDING_CSV:
		take_csv(r, line, n);
		break;
	case RECORDING_TRACE:
	case RECORDING_TRACE_DAT:
		take_trace(r, line, n);
		break;
	default:
		wire_parse(line, n, &wire);
		take_wire(r, &wire);
	}
}

/* Reads a line, and what comes of it is ready. 1; 0 at the end; -errno. */
static int read_line(struct recording *r)
{
	char *line;
	size_t n;
	int found = line_reader_next(&r->reader, &line, &n);

	switch (found) {
	case LINE_WHOLE:
		take_line(r, line, n);
		return 1;
	case LINE_LONG:
		complain(r, "it is too long");
		return 1;
	case LINE_CUT:
		r->state.tail_bytes = n;
		say(r, r->state.input->lines, "it is cut short");
		return 1;
	default:
		return found;
	}
}

/* What could be read stands, with what is missing; a trace of which nothing could be read is a failure. */
static int finish(struct recording *r)
{
	char *failure = NULL;

	r->at_end = true;
	if (r->trace)
		r->state.balance.lost += trace_read_end(r->trace, &r->state.problems, &failure);
	if (r->state.kind == RECORDING_UNKNOWN)
		decide(r, RECORDING_UNKNOWN);
	if (!failure)
		return 0;
	if (!r->state.balance.received) {
		r->state.failure = failure;
		return -EBADMSG;
	}
	strings_add(&r->state.problems, failure);
	free(failure);
	return 0;
}

int recording_next(struct recording *r, struct record *ret)
{
	json_decref(r->object);
	r->object = NULL;
	while (!take_ready(r, ret)) {
		int more = 1;

		if (r->trace && trace_read_is_held(r->trace)) {
			take_trace(r, NULL, 0);
			continue;
		}
		if (r->at_end) {
			r->state.cut_short = !r->ended;
			return 0;
		}
		more = read_line(r);
		if (!more && !(r->trace && trace_read_close_survey(r->trace)))
			more = finish(r);
		if (more < 0)
			return more;
	}
	return 1;
}

bool recording_is_ready(const struct recording *r)
{
	return r->n_ready || r->have_waiting || line_reader_has_line(&r->reader) || (r->trace && trace_read_is_held(r->trace));
}
