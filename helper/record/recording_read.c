// SPDX-License-Identifier: Apache-2.0
// Reads a recording back: NDJSON of the schema, plain or compressed, record by record, in bounded memory.
#include "record/recording_read.h"

#include "base/memory.h"
#include "record/ndjson.h"

#include <inttypes.h>
#include <stdlib.h>

struct recording {
	struct line_reader reader;
	struct ndjson ndjson;
	json_t *object; /* of the record that was given last */
	bool ended;	/* the last record was an end record */
	struct recording_state state;
};

int recording_open(const char *path, struct recording **ret)
{
	struct recording *r = xcalloc(1, sizeof(*r));
	int err = line_reader_open(&r->reader, path, RECORDING_LINE_BYTES);

	if (err) {
		free(r);
		return err;
	}
	r->state.input = &r->reader.state;
	*ret = r;
	return 0;
}

void recording_close(struct recording *r)
{
	if (!r)
		return;
	json_decref(r->object);
	ndjson_done(&r->ndjson);
	line_reader_done(&r->reader);
	free(r->state.first_error);
	free(r);
}

const struct recording_state *recording_state(const struct recording *r)
{
	return &r->state;
}

static void complain(struct recording *r, const char *why)
{
	if (!r->state.malformed++)
		r->state.first_error = xasprintf("line %" PRIu64 ": %s", r->state.input->lines, why);
}

static void note_time(struct recording_state *s, const struct record *r)
{
	if (r->type != RECORD_WAIT && r->type != RECORD_OUTCOME)
		return;
	if (!s->first_ns || r->ts_ns < s->first_ns)
		s->first_ns = r->ts_ns;
	if (r->ts_ns > s->last_ns)
		s->last_ns = r->ts_ns;
}

/* Is the line a record? */
static bool take_line(struct recording *r, const char *line, size_t n, struct record *ret)
{
	CLEANUP_FREE char *why = NULL;
	struct record record = { 0 };

	if (ndjson_parse(&r->ndjson, line, n, &record, &why)) {
		complain(r, why);
		return false;
	}
	r->object = record.object;
	r->ended = record.type == RECORD_END;
	r->state.records++;
	r->state.tail_bytes = 0;
	note_time(&r->state, &record);
	*ret = record;
	return true;
}

int recording_next(struct recording *r, struct record *ret)
{
	char *line;
	size_t n;
	int kind;

	json_decref(r->object);
	r->object = NULL;
	while ((kind = line_reader_next(&r->reader, &line, &n)) > 0) {
		if (kind == LINE_WHOLE && take_line(r, line, n, ret))
			return 1;
		if (kind == LINE_LONG)
			complain(r, "it is too long");
		if (kind == LINE_CUT)
			r->state.tail_bytes = n;
	}
	if (!kind)
		r->state.cut_short = !r->ended;
	return kind;
}
