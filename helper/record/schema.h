// SPDX-License-Identifier: Apache-2.0
// The common schema, version 1, as tables: names, types, units and help of all fields.
#ifndef KVMWAIT_RECORD_SCHEMA_H
#define KVMWAIT_RECORD_SCHEMA_H

#include "record/event.h"

#define SCHEMA_VERSION 1

enum field_type {
	FIELD_STRING,
	FIELD_INTEGER,
	FIELD_BOOLEAN,
	FIELD_INTEGERS, /* a list */
	FIELD_STRINGS,
	FIELD_OBJECT, /* with fields of its own */
	FIELD_OBJECTS,
};

struct field {
	const char *name;
	enum field_type type;
	const char *unit; /* or NULL */
	const char *help;
	bool optional;
	const struct field *fields; /* of an object; ends with a nameless one */
};

struct record_schema {
	const char *name;
	const char *help;
	const struct field *fields; /* ends with a nameless one */
};
extern const struct record_schema record_schemas[RECORD_TYPES];

/* The JSON Schema (draft 2020-12) of one record, any type; the caller drops the reference. */
json_t *schema_json(void);

#endif
