// SPDX-License-Identifier: Apache-2.0
// Counts as json and as csv.
#include "base/memory.h"
#include "show/counts_show.h"
#include "show/guest_ips_show.h"
#include "show/stream.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- json ---- */

static void put_json_hist(FILE *f, const struct counts_row *row)
{
	const char *comma = "";

	fputs(",\"hist\":[", f);
	for (size_t i = 0; i < COUNTS_BUCKETS; i++) {
		if (!row->halts.buckets[i])
			continue;
		fprintf(f, "%s{\"from_ns\":%" PRIu64 ",\"count\":%" PRIu64 "}", comma, i ? UINT64_C(1) << (i + COUNTS_LOG2_FIRST) : 0,
			row->halts.buckets[i]);
		comma = ",";
	}
	putc(']', f);
}

static void put_json_row(FILE *f, const struct counts_report *r, const struct counts_row *row)
{
	const char *comma = "";
	char number[16];

	putc('{', f);
	if (r->by & COUNTS_BY_VM) {
		fputs("\"vm\":", f);
		stream_quoted(f, counts_report_vm(r, row, number, sizeof(number)));
		fprintf(f, ",\"pid\":%" PRIu32, row->pid);
		comma = ",";
	}
	if (r->by & COUNTS_BY_VCPU) {
		fprintf(f, "%s\"vcpu\":%" PRId64, comma, row->vcpu);
		comma = ",";
	}
	if (r->by & COUNTS_BY_EVENT) {
		fprintf(f, "%s\"event\":\"%s\"", comma, row->event);
		comma = ",";
	}
	if (r->by & COUNTS_BY_SOURCE) {
		fprintf(f, "%s\"source\":\"%s\"", comma, row->source);
		comma = ",";
	}
	for (const struct counts_number *n = counts_numbers; n->name; n++) {
		if (!counts_report_has(r, n))
			continue;
		fprintf(f, "%s\"%s\":%" PRIu64, comma, n->name, n->get(row));
		comma = ",";
	}
	if (r->hist && !counts_report_of_events(r) && !r->no_outcomes)
		put_json_hist(f, row);
	putc('}', f);
}

void counts_write_json(FILE *f, const struct counts_report *r)
{
	const char *comma = "";

	fprintf(f, "{\"type\":\"stat\",\"ts\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"total\":%s,\"full\":%s,%s\"by\":[",
		r->rows->until_ns, r->rows->until_ns - r->rows->from_ns, r->total ? "true" : "false", r->full ? "true" : "false",
		r->recorded && !r->has_account ? "\"recorded\":true," : "");
	for (unsigned int i = 0; counts_by_names[i]; i++) {
		if (!(r->by >> i & 1))
			continue;
		fprintf(f, "%s\"%s\"", comma, counts_by_names[i]);
		comma = ",";
	}
	fputs("],\"rows\":[", f);
	for (size_t i = 0; i < r->rows->n; i++) {
		if (i)
			putc(',', f);
		put_json_row(f, r, &r->rows->items[i]);
	}
	putc(']', f);
	if (r->guests) {
		fputs(",\"guests\":", f);
		guest_ips_write_json(f, r->guests, r->n_guests);
	}
	fputs("}\n", f);
}

json_t *counts_report_json(const struct counts_report *r)
{
	CLEANUP_FREE char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	counts_write_json(f, r);
	fclose(f);
	return json_loadb(text, size, 0, NULL);
}

/* ---- csv ---- */

void counts_begin_csv(FILE *f, const struct counts_report *r)
{
	fputs(r->file ? "host,file,ts,ns,total" : "ts,ns,total", f);
	if (r->by & COUNTS_BY_VM)
		fputs(",vm,pid", f);
	for (unsigned int i = 1; counts_by_names[i]; i++)
		if (r->by >> i & 1 && 1u << i != COUNTS_BY_HOST)
			fprintf(f, ",%s", counts_by_names[i]);
	for (const struct counts_number *n = counts_numbers; n->name; n++)
		if (n->of_event || !counts_report_of_events(r))
			fprintf(f, ",%s", n->name);
	putc('\n', f);
}

void counts_write_csv(FILE *f, const struct counts_report *r)
{
	char number[16];

	for (size_t i = 0; i < r->rows->n; i++) {
		const struct counts_row *row = &r->rows->items[i];

		if (r->file) {
			stream_csv_text(f, r->host);
			putc(',', f);
			stream_csv_text(f, r->file);
			putc(',', f);
		}
		fprintf(f, "%" PRIu64 ",%" PRIu64 ",%d", r->rows->until_ns, r->rows->until_ns - r->rows->from_ns, r->total);
		if (r->by & COUNTS_BY_VM) {
			putc(',', f);
			stream_csv_text(f, counts_report_vm(r, row, number, sizeof(number)));
			fprintf(f, ",%" PRIu32, row->pid);
		}
		if (r->by & COUNTS_BY_VCPU)
			fprintf(f, ",%" PRId64, row->vcpu);
		if (r->by & COUNTS_BY_EVENT)
			fprintf(f, ",%s", row->event);
		if (r->by & COUNTS_BY_SOURCE)
			fprintf(f, ",%s", row->source);
		for (const struct counts_number *n = counts_numbers; n->name; n++)
			if (counts_report_has(r, n))
				fprintf(f, ",%" PRIu64, n->get(row));
			else if (n->of_event || !counts_report_of_events(r))
				putc(',', f); /* not known */
		putc('\n', f);
	}
}
