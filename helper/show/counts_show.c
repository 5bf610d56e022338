// SPDX-License-Identifier: Apache-2.0
// The forms in which counts leave: table, json, csv, openmetrics, prometheus.
#include "show/counts_show.h"

#include <inttypes.h>
#include <string.h>

bool counts_report_of_events(const struct counts_report *r)
{
	return r->by & (COUNTS_BY_EVENT | COUNTS_BY_SOURCE);
}

const char *counts_report_vm(const struct counts_report *r, const struct counts_row *row, char *number, size_t size)
{
	const char *name = row->vm ? row->vm : r->names ? vmnames_get(r->names, row->pid) : NULL;

	if (name)
		return name;
	snprintf(number, size, "%" PRIu32, row->pid);
	return number;
}

const struct counts_format counts_formats[] = {
	{ "table", "columns for a person", NULL, counts_write_table, false },
	{ "json", "one object for each report", NULL, counts_write_json, false },
	{ "csv", "one line for each row, with a heading", counts_begin_csv, counts_write_csv, false },
	{ "openmetrics", "cumulative counters as OpenMetrics 1.0", NULL, counts_write_openmetrics, true },
	{ "prometheus", "the same as Prometheus text format 0.0.4, for node_exporter", NULL, counts_write_prometheus, true },
	{ 0 },
};

const struct counts_format *counts_format_find(const char *name)
{
	for (const struct counts_format *f = counts_formats; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}
