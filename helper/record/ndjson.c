// SPDX-License-Identifier: Apache-2.0
// Reads records back from NDJSON: what kvmwait wrote the short way, any other JSON by jansson.
#include "record/ndjson.h"

#include "base/clean_text.h"
#include "base/digits.h"
#include "base/text.h"
#include "record/ndjson_fast.h"
#include "record/schema.h"

#include <errno.h>
#include <string.h>

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
	memset(out, 0, size);
	memcpy(out, json_string_value(value), json_string_length(value));
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
	char raw[4 * NDJSON_VM_BYTES + 1], restored[NDJSON_VM_BYTES + 1];
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

/* What compilers make names of functions of; other bytes would break the table. */
static bool is_symbol(const char *s, size_t n)
{
	return n && n <= SYMBOL_BYTES &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$") >= n;
}

/* "kernel" or "user". */
static int get_guest_mode(json_t *object, struct guest_place *g, char **ret_error)
{
	char mode[NAME_BYTES];
	int err = get_string(object, "guest_mode", mode, sizeof(mode), ret_error);

	if (err)
		return err;
	if (strcmp(mode, "kernel") != 0 && strcmp(mode, "user") != 0)
		return complain(ret_error, "unknown value", "guest_mode");
	g->known |= *mode == 'k' ? GUEST_MODE | GUEST_KERNEL : GUEST_MODE;
	return 0;
}

/* "FUNCTION+0xOFFSET" */
static int get_guest_symbol(struct ndjson *n, json_t *object, struct guest_place *g, char **ret_error)
{
	char text[SYMBOL_BYTES + 24];
	int err = get_string(object, "guest_symbol", text, sizeof(text), ret_error);
	const char *plus = err ? NULL : strstr(text, "+0x"), *end;

	if (err)
		return err;
	end = plus ? digits_take_hex(plus + 3, text + strlen(text), &g->offset) : NULL;
	if (!end || *end || !is_symbol(text, (size_t)(plus - text)))
		return complain(ret_error, "no function and offset", "guest_symbol");
	memcpy(n->symbol, text, (size_t)(plus - text));
	n->symbol[plus - text] = '\0';
	g->symbol = n->symbol;
	return 0;
}

/* Where the guest was; each field is there as far as it is known. */
static int get_guest(struct ndjson *n, json_t *object, struct guest_place *g, char **ret_error)
{
	json_int_t ip;
	int err = 0;

	*g = (struct guest_place){ 0 };
	if (json_object_get(object, "guest_ip")) {
		err = get_integer(object, "guest_ip", INT64_MIN, INT64_MAX, &ip, ret_error);
		g->ip = err ? 0 : (uint64_t)ip;
		g->known |= err ? 0 : GUEST_IP;
	}
	if (!err && json_object_get(object, "guest_mode"))
		err = get_guest_mode(object, g, ret_error);
	if (!err && (g->known & GUEST_IP) && json_object_get(object, "guest_symbol"))
		err = get_guest_symbol(n, object, g, ret_error);
	return err;
}

/* Names of functions, or addresses. */
static int get_callers(struct ndjson *n, json_t *list, char **ret_error)
{
	json_t *name;
	size_t i;

	strings_done(&n->callers);
	if (!json_is_array(list) || json_array_size(list) > CALLERS_MAX)
		return complain(ret_error, "no list of callers", "callers");
	json_array_foreach(list, i, name) {
		const char *s = json_string_value(name);

		if (!s || !*s || strlen(s) != json_string_length(name) || !is_symbol(s, strlen(s)))
			return complain(ret_error, "no function", "callers");
		strings_add(&n->callers, s);
	}
	return 0;
}

static int convert_wait(struct ndjson *n, json_t *object, struct wait_event *w, char **ret_error)
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
	if (!err)
		err = get_guest(n, object, &w->guest, ret_error);
	if (err)
		return err;
	if (text_restore(comm, w->comm, COMM_BYTES + 1) < 0)
		return complain(ret_error, "not in the form of this schema", "comm");
	w->ts_ns = (uint64_t)ts;
	w->vcpu = vcpu;
	w->target = target;
	w->vm = n->vm;
	w->callers = NULL;
	if (!json_object_get(object, "callers"))
		return 0;
	w->callers = &n->callers;
	return get_callers(n, json_object_get(object, "callers"), ret_error);
}

/* A field that only some outcomes have; 0 where it is missing. */
static int get_optional(json_t *object, const char *field, json_int_t low, json_int_t high, json_int_t *ret, char **ret_error)
{
	*ret = 0;
	return json_object_get(object, field) ? get_integer(object, field, low, high, ret, ret_error) : 0;
}

/* One of some names. */
static int get_choice(json_t *object, const char *field, const char *const *names, int n, int *ret, char **ret_error)
{
	char name[NAME_BYTES];
	int err = get_name(object, field, name, ret_error);

	for (int i = 0; i < n && !err; i++) {
		if (strcmp(names[i], name))
			continue;
		*ret = i;
		return 0;
	}
	return err ? err : complain(ret_error, "unknown value", field);
}

static int convert_outcome(struct ndjson *n, json_t *object, struct outcome_event *o, char **ret_error)
{
	static const struct {
		const char *name;
		json_int_t low, high;
		bool optional;
	} fields[] = {
		{ "ts", 0, INT64_MAX, false },	       { "wait_ts", 0, INT64_MAX, false },
		{ "vcpu", 0, INT64_MAX, false },       { "pid", 0, UINT32_MAX, false },
		{ "tid", 0, UINT32_MAX, false },       { "halt_ns", 0, INT64_MAX, true },
		{ "off_ns", 0, INT64_MAX, true },      { "ready_ns", 0, INT64_MAX, true },
		{ "boosted_tid", 0, UINT32_MAX, true }, { "cpu_before", 0, UINT32_MAX, true },
		{ "cpu", 0, UINT32_MAX, true },	       { "boosted", -1, INT64_MAX, true },
	};
	json_int_t v[ARRAY_SIZE(fields)];
	int end = 0, halt = HALT_NONE, err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields) && !err; i++)
		err = (fields[i].optional ? get_optional : get_integer)(object, fields[i].name, fields[i].low, fields[i].high, &v[i],
									ret_error);
	if (!err)
		err = get_choice(object, "end", outcome_end_names, OUTCOME_ENDS, &end, ret_error);
	if (!err && json_object_get(object, "halt"))
		err = get_choice(object, "halt", halt_names, HALT_KINDS, &halt, ret_error);
	if (!err)
		err = get_vm(n, object, ret_error);
	if (err)
		return err;
	*o = (struct outcome_event){
		.ts_ns = (uint64_t)v[0], .wait_ns = (uint64_t)v[1], .vcpu = v[2], .pid = (uint32_t)v[3], .tid = (uint32_t)v[4],
		.halt_ns = (uint64_t)v[5], .off_ns = (uint64_t)v[6], .ready_ns = (uint64_t)v[7], .boosted_tid = (uint32_t)v[8],
		.cpu_before = (uint32_t)v[9], .cpu = (uint32_t)v[10], .boosted = json_object_get(object, "boosted") ? v[11] : -1,
		.end = (enum outcome_end)end, .halt = (enum halt_kind)halt, .vm = n->vm,
	};
	if (o->wait_ns > o->ts_ns)
		return complain(ret_error, "later than ts", "wait_ts");
	if (!json_object_get(object, "event"))
		return 0;
	err = get_name(object, "event", o->event, ret_error);
	return err ? err : get_name(object, "source", o->source, ret_error);
}

static bool has_type(json_t *value, enum field_type type)
{
	switch (type) {
	case FIELD_STRING:
		return json_is_string(value);
	case FIELD_INTEGER:
		return json_is_integer(value);
	case FIELD_BOOLEAN:
		return json_is_boolean(value);
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
			return convert_wait(n, object, &ret->wait, ret_error);
		if (i == RECORD_OUTCOME)
			return convert_outcome(n, object, &ret->outcome, ret_error);
		if (check_fields(object, record_schemas[i].fields, ret_error))
			return -EINVAL;
		ret->object = json_incref(object);
		return 0;
	}
	*ret_error = xstrdup("unknown type of record");
	return -EINVAL;
}

void ndjson_done(struct ndjson *n)
{
	strings_done(&n->callers);
}

/* What jansson says holds a piece of the line, whatever bytes that has. */
static char *no_json(const char *why)
{
	char clean[4 * JSON_ERROR_TEXT_LENGTH + 1];

	text_clean(why, strlen(why), clean);
	return xasprintf("no valid JSON: %s", clean);
}

int ndjson_parse_any(struct ndjson *n, const char *line, size_t length, struct record *ret, char **ret_error)
{
	json_error_t error;
	json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	int err;

	ret->object = NULL;
	if (!json_is_object(object)) {
		*ret_error = object ? xstrdup("no JSON object") : no_json(error.text);
		json_decref(object);
		return -EINVAL;
	}
	err = take_object(n, object, ret, ret_error);
	json_decref(object);
	return err;
}

int ndjson_parse(struct ndjson *n, const char *line, size_t length, struct record *ret, char **ret_error)
{
	return ndjson_own(n, line, length, ret) ? 0 : ndjson_parse_any(n, line, length, ret, ret_error);
}
