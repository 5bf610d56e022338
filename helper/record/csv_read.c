// SPDX-License-Identifier: Apache-2.0
// Reads csv as kvmwait writes it: the waits, each as a record of NDJSON.
#include "record/csv_read.h"

#include "record/schema.h"

#include <stdlib.h>
#include <string.h>

/* The columns are the fields that every wait has. */
static const struct field *first_column(void)
{
	return record_schemas[RECORD_WAIT].fields;
}

bool csv_is_heading(const char *line, size_t n)
{
	const char *p = line, *end = line + n;

	for (const struct field *f = first_column(); f->name && !f->optional; f++) {
		size_t length = strlen(f->name);

		if (p > line && (p == end || *p++ != ','))
			return false;
		if ((size_t)(end - p) < length || memcmp(p, f->name, length))
			return false;
		p += length;
	}
	return p > line && p == end;
}

/* A cell in quotes; a quote is doubled. An apostrophe before a sign was put there for spreadsheets. */
static const char *put_quoted(FILE *f, const char *p, const char *end)
{
	p++;
	if (end - p >= 2 && *p == '\'' && strchr("=+-@", p[1]))
		p++;
	putc('"', f);
	for (; p < end; p++) {
		if (*p == '"' && (p + 1 == end || p[1] != '"'))
			break;
		if (*p == '"')
			p++;
		if (*p == '"' || *p == '\\')
			putc('\\', f);
		putc(*p, f);
	}
	putc('"', f);
	return p < end ? p + 1 : NULL;
}

static const char *put_cell(FILE *f, const struct field *field, const char *p, const char *end)
{
	const char *comma = memchr(p, ',', (size_t)(end - p));

	if (p < end && *p == '"')
		return put_quoted(f, p, end);
	if (!comma)
		comma = end;
	if (field->type == FIELD_STRING)
		putc('"', f);
	fwrite(p, 1, (size_t)(comma - p), f);
	if (field->type == FIELD_STRING)
		putc('"', f);
	return comma;
}

char *csv_as_json(const char *line, size_t n)
{
	const char *p = line, *end = line + n;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	fputs("{\"type\":\"wait\"", f);
	for (const struct field *field = first_column(); field->name && !field->optional && p; field++) {
		if (field != first_column())
			p = p < end && *p == ',' ? p + 1 : NULL;
		if (!p)
			break;
		fprintf(f, ",\"%s\":", field->name);
		p = put_cell(f, field, p, end);
	}
	putc('}', f);
	fclose(f);
	if (p == end)
		return text;
	free(text);
	return NULL;
}
