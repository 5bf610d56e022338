// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/event.c: text made fit to print and back, the table of events, the JSON Schema.
#include "unit.h"

#include "base/clean_text.h"
#include "base/memory.h"
#include "record/event.h"
#include "record/schema.h"

/* Cleans bytes that nothing stands behind, into a buffer of exactly the promised size; the caller frees. */
static char *clean(const void *text, size_t n)
{
	CLEANUP_FREE char *exact = unit_exact(text, n);
	char *out = xcalloc(4 * n + 1, 1);
	size_t length = text_clean(exact, n, out);

	CHECK(length <= 4 * n);
	CHECK_INT(strlen(out), length);
	return out;
}

static void check_round(const void *text, size_t n)
{
	CLEANUP_FREE char *cleaned = clean(text, n);
	CLEANUP_FREE char *back = xcalloc(n + 1, 1);

	CHECK_INT(text_restore(cleaned, back, n + 1), n);
	CHECK(!memcmp(back, text, n) && !back[n]);
	if (n)
		CHECK_INT(text_restore(cleaned, back, n), -EINVAL);
}

static void check_clean(const char *text, size_t n, const char *expected)
{
	CLEANUP_FREE char *cleaned = clean(text, n);

	CHECK_STR(cleaned, expected);
	check_round(text, n);
}

static void single_bytes(void)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		char text = (char)byte, expected[5];

		if (byte == '\\')
			strcpy(expected, "\\\\");
		else if (byte >= 0x20 && byte <= 0x7e)
			snprintf(expected, sizeof(expected), "%c", byte);
		else
			snprintf(expected, sizeof(expected), "\\x%02x", byte);
		check_clean(&text, 1, expected);
	}
	check_clean("", 0, "");
}

/* No two byte strings may come out alike: pairs stand for them. */
static void byte_pairs(void)
{
	for (unsigned int a = 0; a < 256; a++) {
		for (unsigned int b = 0; b < 256; b++) {
			char text[2] = { (char)a, (char)b };

			check_round(text, 2);
		}
	}
}

static void random_bytes(void)
{
	/* what makes and breaks characters more often than chance does */
	static const unsigned char telling[] = { '\\', 'x', '0', 'e', 0xe2, 0x80, 0xae, 0xc2, 0x85, 0xf0, 0x9f, 0xed, 0xa0, 0xff, 0x00, 0x41 };

	unit_random_seed(1);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned char text[40];
		size_t n = unit_random(sizeof(text) + 1);
		bool telling_ones = unit_random(2);

		for (size_t k = 0; k < n; k++)
			text[k] = telling_ones ? telling[unit_random(sizeof(telling))] : (unsigned char)unit_random(256);
		check_round(text, n);
	}
}

/* What comes out holds no control, no invalid byte, and stays as it is when it is printed again unescaped. */
static void only_printable(void)
{
	unit_random_seed(2);
	for (unsigned int i = 0; i < 2000; i++) {
		unsigned char text[24];
		CLEANUP_FREE char *out = NULL;
		json_t *checked;

		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (unsigned char)unit_random(256);
		out = clean(text, sizeof(text));
		for (const unsigned char *p = (unsigned char *)out; *p; p++)
			CHECK(*p >= 0x20 && *p != 0x7f);
		checked = json_string(out); /* NULL where it is no valid UTF-8 */
		CHECK(checked != NULL);
		json_decref(checked);
	}
}

static void utf8_stays(void)
{
	static const char *const kept[] = {
		"web01", "M\xc3\xbcller", "\xc2\xa0", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xe2\x82\xac",
		"\xf0\x90\x80\x80", "\xf0\x9f\x98\x80", "\xf3\xa0\x80\xa1", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xe2\x80\xa7", "\xe2\x80\xaf",
		"\"quoted\" 'too' <b> $(x) %s",
	};

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		check_clean(kept[i], strlen(kept[i]), kept[i]);
}

static void utf8_invalid(void)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "\xc0\x80", "\\xc0\\x80" }, /* overlong */
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xc1\xbf", "\\xc1\\xbf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
		{ "\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* surrogates */
		{ "\xed\xbf\xbf", "\\xed\\xbf\\xbf" },
		{ "\xed\xa0\xbd\xed\xb8\x80", "\\xed\\xa0\\xbd\\xed\\xb8\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
		{ "\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80" },
		{ "\xf8\x88\x80\x80\x80", "\\xf8\\x88\\x80\\x80\\x80" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\x80", "\\x80" }, /* continuation alone */
		{ "a\xbfz", "a\\xbfz" },
		{ "\xc3", "\\xc3" }, /* cut off */
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
		{ "\xc3(", "\\xc3(" },
		{ "\xe2\x28\xa1", "\\xe2(\\xa1" },
		{ "\xe2\x82\x28", "\\xe2\\x82(" },
		{ "\xe2\xc3\xbc", "\\xe2\xc3\xbc" },
		{ "\xf0\x9f\x98\xc3\xbc", "\\xf0\\x9f\\x98\xc3\xbc" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_clean(cases[i].text, strlen(cases[i].text), cases[i].expected);
	check_clean("\xe2\x82\xac", 2, "\\xe2\\x82"); /* the rest is there, behind the end */
}

/* Controls of the terminal and marks that turn the direction of text, in UTF-8. */
static void utf8_controls(void)
{
	static const struct {
		unsigned int first, last;
	} ranges[] = {
		{ 0x80, 0x9f },	    /* C1 */
		{ 0x61c, 0x61c },   /* Arabic letter mark */
		{ 0x200e, 0x200f }, /* LRM, RLM */
		{ 0x2028, 0x202e }, /* line and paragraph separator; embeddings and overrides */
		{ 0x2066, 0x2069 }, /* isolates */
		{ 0xfeff, 0xfeff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		for (unsigned int code = ranges[i].first; code <= ranges[i].last; code++) {
			unsigned char text[3];
			char expected[13];
			size_t n = code < 0x800 ? 2 : 3;

			text[0] = (unsigned char)(n == 2 ? 0xc0 | code >> 6 : 0xe0 | code >> 12);
			text[1] = (unsigned char)(0x80 | ((n == 2 ? code : code >> 6) & 0x3f));
			text[2] = (unsigned char)(0x80 | (code & 0x3f));
			for (size_t k = 0; k < n; k++)
				snprintf(expected + 4 * k, 5, "\\x%02x", text[k]);
			check_clean((char *)text, n, expected);
		}
	}
}

static void backslashes(void)
{
	check_clean("a\\b", 3, "a\\\\b");
	check_clean("\\x41", 4, "\\\\x41");
	check_clean("\\\\", 2, "\\\\\\\\");
	check_clean("\n\\n", 3, "\\x0a\\\\n");
	check_clean("\x1b[31mred", 8, "\\x1b[31mred");
	check_clean("a\0b", 3, "a\\x00b");
}

static void restore_rejects(void)
{
	static const char *const bad[] = { "\\", "a\\", "\\x", "\\x4", "\\xg0", "\\x0g", "\\n", "\\X41", "\\x4 1", "\\xAB", "\\u0041", "\\ ",
					   "\\\\\\", "\\x-1", "\\x+1" };
	char out[16];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *exact = unit_exact(bad[i], strlen(bad[i]) + 1);

		if (text_restore(exact, out, sizeof(out)) != -EINVAL)
			unit_fail(__FILE__, __LINE__, "not rejected: <%s>", bad[i]);
	}
	CHECK_INT(text_restore("", out, 1), 0);
	CHECK_STR(out, "");
	CHECK_INT(text_restore("abc", out, 4), 3);
	CHECK_INT(text_restore("abc", out, 3), -EINVAL);
	CHECK_INT(text_restore("\\x61\\\\", out, 3), 2);
	CHECK_STR(out, "a\\");
	CHECK_INT(text_restore("\\x61\\\\", out, 2), -EINVAL);
}

static void bits(void)
{
	CHECK_INT(n_event_kinds, 3);
	CHECK_INT(event_bit("ple"), 1);
	CHECK_INT(event_bit("hlt"), 2);
	CHECK_INT(event_bit("pv_yield"), 4);
	CHECK_INT(event_bit(""), 0);
	CHECK_INT(event_bit("PLE"), 0);
	CHECK_INT(event_bit("hlt "), 0);
	CHECK_INT(event_bit("pv_yiel"), 0);
	for (size_t i = 0; i < n_event_kinds; i++)
		CHECK(strlen(event_kinds[i].name) < NAME_BYTES);
}

/* ---- the schema ---- */

static bool list_has(json_t *list, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!strcmp(json_string_value(item), text))
			return true;
	return false;
}

static const char *type_of(json_t *s)
{
	return json_string_value(json_object_get(s, "type"));
}

/* Compares an object of the schema with a table of fields, and those below. */
static void check_object(json_t *s, const struct field *fields, size_t n_more)
{
	json_t *properties = json_object_get(s, "properties"), *required = json_object_get(s, "required");
	size_t n = n_more, n_required = n_more;

	CHECK_STR(type_of(s), "object");
	CHECK(json_is_false(json_object_get(s, "additionalProperties")));
	for (const struct field *f = fields; f->name; f++, n++) {
		json_t *p = json_object_get(properties, f->name), *items = json_object_get(p, "items");
		const char *help = json_string_value(json_object_get(p, "description"));

		CHECK_HAS(help, f->help);
		if (f->unit)
			CHECK_HAS(help, f->unit);
		CHECK_INT(list_has(required, f->name), !f->optional);
		n_required += !f->optional;
		switch (f->type) {
		case FIELD_STRING:
			CHECK_STR(type_of(p), "string");
			break;
		case FIELD_INTEGER:
			CHECK_STR(type_of(p), "integer");
			break;
		case FIELD_BOOLEAN:
			CHECK_STR(type_of(p), "boolean");
			break;
		case FIELD_INTEGERS:
			CHECK_STR(type_of(p), "array");
			CHECK_STR(type_of(items), "integer");
			break;
		case FIELD_STRINGS:
			CHECK_STR(type_of(p), "array");
			CHECK_STR(type_of(items), "string");
			break;
		case FIELD_OBJECT:
			check_object(p, f->fields, 0);
			break;
		case FIELD_OBJECTS:
			CHECK_STR(type_of(p), "array");
			check_object(items, f->fields, 0);
			break;
		}
	}
	CHECK_INT(json_object_size(properties), n);
	CHECK_INT(json_array_size(required), n_required);
}

static json_t *schema_of(json_t *schema, const char *type)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(schema, "oneOf"), i, one)
	{
		json_t *t = json_object_get(json_object_get(one, "properties"), "type");

		if (!strcmp(json_string_value(json_object_get(t, "const")), type))
			return one;
	}
	return NULL;
}

static void schema(void)
{
	json_t *s = schema_json();
	size_t n = 0;

	CHECK_STR(json_string_value(json_object_get(s, "$schema")), "https://json-schema.org/draft/2020-12/schema");
	for (size_t i = 0; i < RECORD_TYPES; i++) {
		json_t *one = schema_of(s, record_schemas[i].name);

		if (!record_schemas[i].fields->name) { /* nothing is said of a record that is not written */
			CHECK(!one);
			continue;
		}
		n++;
		CHECK(one);
		CHECK(list_has(json_object_get(one, "required"), "type"));
		CHECK_STR(json_string_value(json_object_get(one, "description")), record_schemas[i].help);
		check_object(one, record_schemas[i].fields, 1);
	}
	CHECK_INT(json_array_size(json_object_get(s, "oneOf")), n);
	json_decref(s);
}

static const struct field *find_field(const struct field *fields, const char *name)
{
	for (const struct field *f = fields; f->name; f++)
		if (!strcmp(f->name, name))
			return f;
	return NULL;
}

/* What the schema of version 1 promises, whatever the tables grow by. */
static void schema_promises(void)
{
	static const struct {
		enum record_type record;
		const char *name;
		enum field_type type;
	} fields[] = {
		{ RECORD_META, "schema", FIELD_INTEGER },    { RECORD_META, "kernel", FIELD_STRING },
		{ RECORD_META, "arch", FIELD_STRING },	     { RECORD_META, "vendor", FIELD_STRING },
		{ RECORD_META, "script", FIELD_STRING },     { RECORD_META, "script_sha256", FIELD_STRING },
		{ RECORD_META, "bpftrace", FIELD_STRING },   { RECORD_META, "probes", FIELD_OBJECTS },
		{ RECORD_META, "filters", FIELD_OBJECT },    { RECORD_META, "clock", FIELD_OBJECT },
		{ RECORD_WAIT, "ts", FIELD_INTEGER },	     { RECORD_WAIT, "cpu", FIELD_INTEGER },
		{ RECORD_WAIT, "pid", FIELD_INTEGER },	     { RECORD_WAIT, "tid", FIELD_INTEGER },
		{ RECORD_WAIT, "comm", FIELD_STRING },	     { RECORD_WAIT, "vm", FIELD_STRING },
		{ RECORD_WAIT, "vcpu", FIELD_INTEGER },	     { RECORD_WAIT, "event", FIELD_STRING },
		{ RECORD_WAIT, "source", FIELD_STRING },     { RECORD_WAIT, "target", FIELD_INTEGER },
		{ RECORD_LOST, "lost", FIELD_INTEGER },	     { RECORD_END, "counted", FIELD_INTEGER },
		{ RECORD_END, "received", FIELD_INTEGER },   { RECORD_END, "lost", FIELD_INTEGER },
		{ RECORD_END, "unbalanced", FIELD_INTEGER }, { RECORD_END, "clock", FIELD_OBJECT },
		{ RECORD_END, "why", FIELD_STRING },
	};
	static const char *const names[] = { "meta", "wait", "outcome", "lost", "end", "stat", "plan", "blame" };
	static const char *const clocks[] = { "boottime", "monotonic", "realtime" };

	CHECK_INT(RECORD_TYPES, ARRAY_SIZE(names));
	for (size_t i = 0; i < RECORD_TYPES; i++)
		CHECK_STR(record_schemas[i].name, names[i]);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *f = find_field(record_schemas[fields[i].record].fields, fields[i].name);

		if (!f || f->type != fields[i].type)
			unit_fail(__FILE__, __LINE__, "%s has no %s of that type", names[fields[i].record], fields[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
		CHECK(find_field(find_field(record_schemas[RECORD_META].fields, "clock")->fields, clocks[i]));
		CHECK(find_field(find_field(record_schemas[RECORD_END].fields, "clock")->fields, clocks[i]));
	}
	for (const struct field *f = record_schemas[RECORD_WAIT].fields; f->name; f++)
		CHECK(!f->optional || !strcmp(f->name, "callers") || starts_with(f->name, "guest_"));
}

static const struct unit_test tests[] = {
	{ "single_bytes", single_bytes },
	{ "byte_pairs", byte_pairs },
	{ "random_bytes", random_bytes },
	{ "only_printable", only_printable },
	{ "utf8_stays", utf8_stays },
	{ "utf8_invalid", utf8_invalid },
	{ "utf8_controls", utf8_controls },
	{ "backslashes", backslashes },
	{ "restore_rejects", restore_rejects },
	{ "bits", bits },
	{ "schema", schema },
	{ "schema_promises", schema_promises },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
