// SPDX-License-Identifier: Apache-2.0
// Reads records back from NDJSON; the JSON itself is jansson's.
#include "ndjson.h"

#include <errno.h>
#include <string.h>

#define VM_BYTES 128 /* of a name before it is cleaned, as vmname takes it */

static int complain(char **ret_error, const char *what, const char *field)
{
	*ret_error = xasprintf("%s: '%s'", what, field);
	return -EINVAL;
}

static int get_integer(json_t *object, const char *field, json_int_t low, json_int_t high, json_int_t *ret, char **ret_error)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_integer(value))
		return complain(ret_error, value ? "not an integer" : "missing", field);
	if (json_integer_value(value) < low || json_integer_value(value) > high)
		return complain(ret_error, "out of range", field);
	*ret = json_integer_value(value);
	return 0;
}

static int get_u32(json_t *object, const char *field, uint32_t *ret, char **ret_error)
{
	json_int_t value;
	int err = get_integer(object, field, 0, UINT32_MAX, &value, ret_error);

	if (!err)
		*ret = (uint32_t)value;
	return err;
}

static int get_string(json_t *object, const char *field, char *out, size_t size, char **ret_error)
{
	json_t *value = json_object_get(object, field);

	if (!json_is_string(value))
		return complain(ret_error, value ? "not a string" : "missing", field);
	if (json_string_length(value) >= size || strlen(json_string_value(value)) != json_string_length(value))
		return complain(ret_error, "too long, or holds a NUL", field);
	memcpy(out, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

/* A name as a script prints it; anything else would break the other forms. */
static int get_name(json_t *object, const char *field, char *out, char **ret_error)
{
	int err = get_string(object, field, out, NAME_BYTES, ret_error);

	if (!err && (!*out || out[strspn(out, "abcdefghijklmnopqrstuvwxyz0123456789_")]))
		return complain(ret_error, "no name", field);
	return err;
}

/* A saved name of a VM has been cleaned; it is cleaned again in case somebody else wrote it. */
static int get_vm(struct ndjson *n, json_t *object, char **ret_error)
{
	char raw[4 * VM_BYTES + 1], restored[VM_BYTES + 1];
	int err = get_string(object, "vm", raw, sizeof(raw), ret_error);
	int length;

	if (err)
		return err;
	length = text_restore(raw, restored, sizeof(restored));
	if (length < 0)
		return complain(ret_error, "not in the form of this schema", "vm");
	text_clean(restored, (size_t)length, n->vm);
	return 0;
}

static int take_wait(struct ndjson *n, json_t *object, struct wait_event *w, char **ret_error)
{
	char comm[4 * COMM_BYTES + 1];
	json_int_t ts = 0, vcpu = 0, target = 0;
	int err = get_integer(object, "ts", 0, INT64_MAX, &ts, ret_error);

	if (!err)
		err = get_integer(object, "vcpu", 0, INT64_MAX, &vcpu, ret_error);
	if (!err)
		err = get_integer(object, "target", INT64_MIN, INT64_MAX, &target, ret_error);
	if (!err)
		err = get_u32(object, "cpu", &w->cpu, ret_error);
	if (!err)
		err = get_u32(object, "pid", &w->pid, ret_error);
	if (!err)
		err = get_u32(object, "tid", &w->tid, ret_error);
	if (!err)
		err = get_name(object, "event", w->event, ret_error);
	if (!err)
		err = get_name(object, "source", w->source, ret_error);
	if (!err)
		err = get_string(object, "comm", comm, sizeof(comm), ret_error);
	if (!err)
		err = get_vm(n, object, ret_error);
	if (err)
		return err;
	if (text_restore(comm, w->comm, COMM_BYTES + 1) < 0)
		return complain(ret_error, "not in the form of this schema", "comm");
	w->ts_ns = (uint64_t)ts;
	w->vcpu = vcpu;
	w->target = target;
	w->vm = n->vm;
	return 0;
}

static bool has_type(json_t *value, enum field_type type)
{
	switch (type) {
	case FIELD_STRING:
		return json_is_string(value);
	case FIELD_INTEGER:
		return json_is_integer(value);
	case FIELD_OBJECT:
		return json_is_object(value);
	default:
		return json_is_array(value);
	}
}

/* The fields of a record that passes on as it is: all there, and of their types. */
static int check_fields(json_t *object, const struct field *fields, char **ret_error)
{
	for (const struct field *f = fields; f->name; f++) {
		json_t *value = json_object_get(object, f->name);

		if (value ? !has_type(value, f->type) : !f->optional)
			return complain(ret_error, value ? "not of its type" : "missing", f->name);
	}
	return 0;
}

static int take_object(struct ndjson *n, json_t *object, struct record *ret, char **ret_error)
{
	const char *type = json_string_value(json_object_get(object, "type"));

	if (!type)
		return complain(ret_error, "missing, or not a string", "type");
	for (size_t i = 0; i < RECORD_TYPES; i++) {
		if (strcmp(record_schemas[i].name, type))
			continue;
		ret->type = (enum record_type)i;
		if (i == RECORD_WAIT)
			return take_wait(n, object, &ret->wait, ret_error);
		if (check_fields(object, record_schemas[i].fields, ret_error))
			return -EINVAL;
		ret->object = json_incref(object);
		return 0;
	}
	*ret_error = xstrdup("unknown type of record");
	return -EINVAL;
}

int ndjson_parse(struct ndjson *n, const char *line, size_t length, struct record *ret, char **ret_error)
{
	json_error_t error;
	json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	int err;

	ret->object = NULL;
	if (!json_is_object(object)) {
		*ret_error = object ? xstrdup("no JSON object") : xasprintf("no valid JSON: %s", error.text);
		json_decref(object);
		return -EINVAL;
	}
	err = take_object(n, object, ret, ret_error);
	json_decref(object);
	return err;
}
