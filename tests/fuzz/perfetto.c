// SPDX-License-Identifier: Apache-2.0
// Lines of NDJSON as a trace of Perfetto. Whatever they hold, each packet can be read back, its text is printable UTF-8,
// every event has a track that was described, and slices of a track follow one another.
#include "fuzz.h"

#include "record/ndjson.h"
#include "show/perfetto.pb-c.h"

#define MAX_TRACKS 4096

struct seen {
	uint64_t uuids[MAX_TRACKS], begins[MAX_TRACKS], ends_ns[MAX_TRACKS]; /* begin: ts + 1 of an open slice */
	size_t n;
	uint64_t waits, drawn;
};

static size_t find(const struct seen *s, uint64_t uuid)
{
	size_t i;

	for (i = 0; i < s->n && s->uuids[i] != uuid;)
		i++;
	return i;
}

static void check_event(struct seen *s, const Perfetto__TracePacket *packet)
{
	const Perfetto__TrackEvent *e = packet->track_event;
	size_t i = find(s, e->track_uuid);

	MUST(i < s->n && packet->has_timestamp);
	fuzz_must_be_printable(e->name);
	for (size_t k = 0; k < e->n_debug_annotations; k++)
		fuzz_must_be_printable(e->debug_annotations[k]->string_value);
	s->drawn += e->n_categories && e->type != PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END;
	if (e->type == PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN) {
		MUST(!s->begins[i] && packet->timestamp >= s->ends_ns[i]);
		s->begins[i] = packet->timestamp + 1;
	} else if (e->type == PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END) {
		MUST(s->begins[i] && packet->timestamp + 1 >= s->begins[i]);
		s->ends_ns[i] = packet->timestamp;
		s->begins[i] = 0;
	}
}

static void check_packet(struct seen *s, const Perfetto__TracePacket *packet)
{
	const Perfetto__TrackDescriptor *d = packet->track_descriptor;

	for (size_t i = 0; packet->trace_attributes && i < packet->trace_attributes->n_attribute; i++) {
		fuzz_must_be_printable(packet->trace_attributes->attribute[i]->key);
		fuzz_must_be_printable(packet->trace_attributes->attribute[i]->string_value);
	}
	if (d) {
		fuzz_must_be_printable(d->name);
		fuzz_must_be_printable(d->process ? d->process->process_name : NULL);
		MUST(d->uuid && (!d->has_parent_uuid || find(s, d->parent_uuid) < s->n));
		if (find(s, d->uuid) == s->n && s->n < MAX_TRACKS)
			s->uuids[s->n++] = d->uuid;
	}
	if (packet->track_event)
		check_event(s, packet);
}

/* Returns whether any line was a record. */
static bool write_all(struct stream *o, const char *text, size_t size, struct seen *seen)
{
	struct ndjson ndjson = { 0 };
	bool any = false;

	while (size) {
		const char *newline = memchr(text, '\n', size);
		size_t n = newline ? (size_t)(newline - text) : size;
		struct record r = { 0 };
		char *why = NULL;

		if (!ndjson_parse(&ndjson, text, n, &r, &why)) {
			stream_write(o, &r);
			seen->waits += r.type == RECORD_WAIT;
			any = true;
		}
		json_decref(r.object);
		free(why);
		text += newline ? n + 1 : n;
		size -= newline ? n + 1 : n;
	}
	ndjson_done(&ndjson);
	return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream output;
	struct seen seen = { 0 };
	char *text = NULL;
	size_t text_size;
	FILE *f = open_memstream(&text, &text_size);
	Perfetto__Trace *trace;

	MUST(f);
	stream_init(&output, stream_format_find("perfetto"), f);
	if (!write_all(&output, (const char *)data, size, &seen))
		stream_begin(&output);
	stream_end(&output);
	fclose(f);
	trace = perfetto__trace__unpack(NULL, text_size, (const uint8_t *)text);
	MUST(trace && trace->n_packet);
	for (size_t i = 0; i < trace->n_packet; i++)
		check_packet(&seen, trace->packet[i]);
	MUST(seen.drawn >= seen.waits);
	perfetto__trace__free_unpacked(trace, NULL);
	free(text);
	return 0;
}
