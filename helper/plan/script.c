// SPDX-License-Identifier: Apache-2.0
// A bpftrace script, or a part that goes with one, and what its header says: which kernel it is for, what it
// needs, what it gives.
#include "plan/script.h"

#include "base/file.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "plan/mark.h"
#include "record/event.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER_MARK "//@ "
#define SCRIPT_LIMIT_BYTES (1u << 20)

const char *fidelity_name(enum fidelity f)
{
	static const char *const names[] = {
		[FIDELITY_ABSENT] = "absent", [FIDELITY_INFERRED] = "inferred", [FIDELITY_EXACT] = "exact",
	};

	return names[f];
}

const char *need_kind_name(enum need_kind kind)
{
	static const char *const names[] = {
		[NEED_FUNC] = "func", [NEED_NO_FUNC] = "no-func",
		[NEED_MEMBER] = "member", [NEED_TRACEPOINT] = "tracepoint",
	};

	return names[kind];
}

int version_parse(const char *text, struct version *ret)
{
	char *end;
	unsigned long major, minor = 0;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	major = strtoul(text, &end, 10);
	if (*end == '.' && isdigit((unsigned char)end[1]))
		minor = strtoul(end + 1, &end, 10);
	if (major > 9999 || minor > 9999)
		return -EINVAL;
	*ret = (struct version){ .major = (unsigned int)major, .minor = (unsigned int)minor };
	return 0;
}

int version_compare(struct version a, struct version b)
{
	if (a.major != b.major)
		return a.major < b.major ? -1 : 1;
	if (a.minor != b.minor)
		return a.minor < b.minor ? -1 : 1;
	return 0;
}

/* Names that may reach a bpftrace program or a path: a kernel's own identifiers and nothing else. */
static bool is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

/* Splits identifiers at single separators; false where there is anything else. */
static bool split_identifiers(struct strings *parts, const char *text, const char *separator)
{
	CLEANUP_FREE char *joined = NULL;

	strings_split(parts, text, separator);
	for (size_t i = 0; i < parts->n; i++)
		if (!is_identifier(parts->items[i]))
			return false;
	joined = strings_join(parts, separator);
	return parts->n && !strcmp(joined, text);
}

static int parse_text(char **field, const char *value)
{
	if (*field || !*value)
		return -EINVAL;
	*field = xstrdup(value);
	return 0;
}

static int parse_number(const char *value, uint64_t wanted)
{
	uint64_t number;

	if (parse_u64(value, &number))
		return -EINVAL;
	return number == wanted ? 0 : -ENOTSUP;
}

static int parse_range(struct script *s, const char *value)
{
	const char *dots = strstr(value, "..");
	CLEANUP_FREE char *from = NULL;

	if (!dots || strstr(dots + 2, "..") || value[strspn(value, "0123456789.")] || parse_text(&s->range, value))
		return -EINVAL;
	from = xstrndup(value, (size_t)(dots - value));
	if (version_parse(from, &s->from))
		return -EINVAL;
	s->has_until = dots[2] != '\0';
	if (!s->has_until)
		return 0;
	if (version_parse(dots + 2, &s->until))
		return -EINVAL;
	return version_compare(s->from, s->until) < 0 ? 0 : -EINVAL;
}

static int parse_archs(struct script *s, const char *value)
{
	if (s->archs.n)
		return -EINVAL;
	strings_split(&s->archs, value, " ");
	return s->archs.n ? 0 : -EINVAL;
}

/* "counter EVENT SOURCE: NAME [MAP]"; the id holds both words. */
static int parse_counter(struct script *s, const char *id, const char *value)
{
	struct strings what = { 0 }, names = { 0 };
	bool good = id && s->part && split_identifiers(&what, id, " ") && what.n == 2 && split_identifiers(&names, value, " ") &&
		    names.n <= 2 && event_bit(what.items[0]) && s->n_counters < SCRIPT_COUNTERS;

	if (good) {
		s->counters = xrealloc(s->counters, s->n_counters + 1, sizeof(*s->counters));
		s->counters[s->n_counters++] = (struct counter){
			.event = xstrdup(what.items[0]),
			.source = xstrdup(what.items[1]),
			.name = xstrdup(names.items[0]),
			.map = names.n > 1 ? xstrdup(names.items[1]) : NULL,
		};
	}
	strings_done(&what);
	strings_done(&names);
	return good ? 0 : -EINVAL;
}

static int parse_vendor(struct script *s, const char *id, const char *value)
{
	if (!id || !is_identifier(id) || !is_identifier(value))
		return -EINVAL;
	s->vendors = xrealloc(s->vendors, s->n_vendors + 1, sizeof(*s->vendors));
	s->vendors[s->n_vendors++] = (struct vendor){ .source = xstrdup(id), .module = xstrdup(value) };
	return 0;
}

/* name|alternative(arguments) in vmlinux if marker */
static int parse_func(struct need *need, char *value)
{
	char *open = strchr(value, '('), *close = strchr(value, ')');
	char *rest = value + strcspn(value, "( ");

	if (open) {
		if (!close || close < open || rest != open)
			return -EINVAL;
		need->args = xstrndup(open + 1, (size_t)(close - open - 1));
		rest = close + 1;
	}
	if (starts_with(skip_space(rest), "in vmlinux")) {
		rest = strstr(rest, "vmlinux") + strlen("vmlinux");
		if (*rest && *rest != ' ')
			return -EINVAL;
		need->in_kernel = true;
	}
	if (*rest) {
		const char *marker = skip_space(rest);

		if (!starts_with(marker, "if ") || !is_identifier(marker + 3))
			return -EINVAL;
		need->marker = xstrdup(marker + 3);
	}
	value[strcspn(value, "( ")] = '\0';
	return split_identifiers(&need->names, value, "|") ? 0 : -EINVAL;
}

/* struct.member.member */
static int parse_member(struct need *need, const char *value)
{
	struct strings parts = { 0 };
	int err = split_identifiers(&parts, value, ".") && parts.n >= 2 ? 0 : -EINVAL;

	strings_done(&parts);
	strings_add(&need->names, value);
	return err;
}

/* system:event field field */
static int parse_tracepoint(struct need *need, const char *value)
{
	struct strings words = { 0 }, parts = { 0 };
	int err = -EINVAL;

	strings_split(&words, value, " ");
	if (words.n && split_identifiers(&parts, words.items[0], ":") && parts.n == 2) {
		strings_add(&need->names, words.items[0]);
		err = 0;
	}
	for (size_t i = 1; i < words.n; i++) {
		if (!is_identifier(words.items[i]))
			err = -EINVAL;
		strings_add(&need->fields, words.items[i]);
	}
	strings_done(&parts);
	strings_done(&words);
	return err;
}

static const struct need *find_need(const struct script *s, const char *id)
{
	for (size_t i = 0; i < s->n_needs; i++)
		if (!strcmp(s->needs[i].id, id))
			return &s->needs[i];
	return NULL;
}

static int parse_need(struct script *s, const char *id, const char *value)
{
	CLEANUP_FREE char *rest = NULL;
	size_t n = strcspn(value, " ");
	struct need *need;

	if (!id || !is_identifier(id) || find_need(s, id))
		return -EINVAL;
	s->needs = xrealloc(s->needs, s->n_needs + 1, sizeof(*s->needs));
	need = &s->needs[s->n_needs++];
	*need = (struct need){ .id = xstrdup(id) };
	rest = xstrdup(skip_space(value + n));
	for (enum need_kind kind = NEED_FUNC; kind <= NEED_TRACEPOINT; kind++) {
		const char *name = need_kind_name(kind);

		if (strlen(name) != n || strncmp(name, value, n))
			continue;
		need->kind = kind;
		switch (kind) {
		case NEED_FUNC:
			return parse_func(need, rest);
		case NEED_NO_FUNC:
			if (!is_identifier(rest))
				return -EINVAL;
			strings_add(&need->names, rest);
			return 0;
		case NEED_MEMBER:
			return parse_member(need, rest);
		case NEED_TRACEPOINT:
			return parse_tracepoint(need, rest);
		}
	}
	return -EINVAL;
}

/* "exact EVENT SOURCE,SOURCE: need need | note" */
static int parse_claim(struct script *s, enum fidelity fidelity, const char *what, const char *value)
{
	struct strings words = { 0 }, ids = { 0 };
	struct claim *claim;
	const char *bar = strchr(value, '|');
	CLEANUP_FREE char *list = xstrndup(value, bar ? (size_t)(bar - value) : strlen(value));
	int err = 0;

	s->claims = xrealloc(s->claims, s->n_claims + 1, sizeof(*s->claims));
	claim = &s->claims[s->n_claims++];
	*claim = (struct claim){ .fidelity = fidelity, .event = xstrdup("") };
	strings_split(&words, what, " ");
	if (words.n == 2) {
		free(claim->event);
		claim->event = xstrdup(words.items[0]);
		strings_split(&claim->sources, words.items[1], ",");
	}
	strings_split(&ids, list, " ");
	for (size_t i = 0; i < ids.n; i++) {
		const struct need *need = find_need(s, ids.items[i]);

		if (!need) {
			err = -ENOENT;
			break;
		}
		claim->needs = xrealloc(claim->needs, claim->n_needs + 1, sizeof(*claim->needs));
		claim->needs[claim->n_needs++] = (size_t)(need - s->needs);
	}
	if (bar && *skip_space(bar + 1))
		claim->note = xstrdup(skip_space(bar + 1));
	if (!err && (!claim->sources.n || !claim->n_needs || !is_identifier(claim->event)))
		err = -EINVAL;
	for (size_t i = 0; i < claim->sources.n; i++)
		if (!is_identifier(claim->sources.items[i]))
			err = -EINVAL;
	if (fidelity != FIDELITY_EXACT && !claim->note)
		err = -EINVAL;
	if (!err && !s->part && !event_bit(claim->event))
		err = -EINVAL;
	strings_done(&ids);
	strings_done(&words);
	return err;
}

/* "append: FORMAT | EXPRESSION, EXPRESSION", or "append spin: ..." */
static int parse_append(struct script *s, const char *what, const char *value)
{
	struct append *append = what ? &s->spin : &s->append;
	const char *bar = strstr(value, " | ");

	if (!s->part || (what && strcmp(what, "spin")) || append->format || !bar || bar == value || strpbrk(value, "\"\\") || !bar[3])
		return -EINVAL;
	append->format = xstrndup(value, (size_t)(bar - value));
	append->values = xstrdup(bar + 3);
	return 0;
}

/* One line of the header: "key: value" or "key what: value". */
static int parse_line(struct script *s, char *line)
{
	char *colon = strstr(line, ": ");
	char *what;
	const char *value;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	value = skip_space(colon + 2);
	what = strchr(line, ' ');
	if (what) {
		*what++ = '\0';
		if (!strcmp(line, "need"))
			return parse_need(s, what, value);
		if (!strcmp(line, "vendor"))
			return parse_vendor(s, what, value);
		if (!strcmp(line, "counter"))
			return parse_counter(s, what, value);
		if (!strcmp(line, "append"))
			return parse_append(s, what, value);
		for (enum fidelity f = FIDELITY_ABSENT; f <= FIDELITY_EXACT; f++)
			if (!strcmp(line, fidelity_name(f)))
				return parse_claim(s, f, what, value);
		return -EBADMSG;
	}
	if (!strcmp(line, "format"))
		return parse_number(value, SCRIPT_FORMAT);
	if (!strcmp(line, "arch"))
		return parse_archs(s, value);
	if (!strcmp(line, "part"))
		return is_identifier(value) && !s->n_claims ? parse_text(&s->part, value) : -EINVAL;
	if (!strcmp(line, "append"))
		return parse_append(s, NULL, value);
	if (!strcmp(line, "without"))
		return s->part ? -EINVAL : (strings_split(&s->without, value, " "), 0);
	if (!strcmp(line, "fallback"))
		return !s->part && !strcmp(value, "yes") ? (s->fallback = true, 0) : -EINVAL;
	if (!strcmp(line, "lines"))
		return s->part && !strcmp(value, "none") ? (s->lines_none = true, 0) : -EINVAL;
	if (!strcmp(line, "range"))
		return parse_range(s, value);
	if (!strcmp(line, "module"))
		return is_identifier(value) ? parse_text(&s->module, value) : -EINVAL;
	if (!strcmp(line, "cost"))
		return parse_text(&s->cost, value);
	if (!strcmp(line, "raw")) /* beside a clause: see render.c */
		return find_need(s, value) ? 0 : -ENOENT;
	return -EBADMSG;
}

static const char *header_why(int err)
{
	switch (err) {
	case -EBADMSG:
		return "unknown header key";
	case -ENOTSUP:
		return "made for another kvmwait: this one reads format 2";
	case -ENOENT:
		return "names a need that no line above declares";
	default:
		return "malformed header line";
	}
}

/* The first sentence of prose in the script says what it is for. */
static void note_purpose(struct script *s, const char *line)
{
	if (s->purpose || !starts_with(line, "// ") || starts_with(line, "// SPDX"))
		return;
	s->purpose = xstrdup(line + 3);
}

static int check_complete(const struct script *s, char **ret_error)
{
	const char *missing = !s->archs.n  ? "arch"
			      : !s->range  ? "range"
			      : !s->module ? "module"
			      : !s->cost   ? "cost"
			      : !s->n_claims ? "exact or inferred"
					     : NULL;

	const char *suffix = strrchr(s->name, '.');
	bool is_part = suffix && !strcmp(suffix, ".part");

	if (missing)
		*ret_error = xasprintf("'%s': the header has no key '%s'", s->name, missing);
	else if (is_part != (s->part != NULL))
		*ret_error = xasprintf("'%s': a file *.part has the key 'part', and no other file has", s->name);
	return *ret_error ? -EINVAL : 0;
}

int script_parse(const char *name, const char *text, size_t size, struct script *ret, char **ret_error)
{
	struct script s = { .name = xstrdup(name), .text = xstrndup(text, size), .size = size };
	unsigned int number = 0;
	bool format = false, in_event = false;
	int err = 0;

	SHA256Data((const uint8_t *)text, size, s.sha256);
	if (memchr(text, '\0', size)) {
		*ret_error = xasprintf("'%s': holds a NUL byte", name);
		script_done(&s);
		return -EINVAL;
	}
	for (const char *p = s.text; *p && !err;) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);

		number++;
		note_purpose(&s, line);
		if (starts_with(line, "//@")) {
			CLEANUP_FREE char *copy = xstrdup(starts_with(line, HEADER_MARK) ? line + strlen(HEADER_MARK) : "");

			format |= starts_with(copy, "format:");
			err = parse_line(&s, trim_end(copy));
			if (err)
				*ret_error = xasprintf("'%s' line %u: %s: '%s'", name, number, header_why(err), line);
		} else if (!mark_is_good(line, &in_event)) {
			err = -EINVAL;
			*ret_error = xasprintf("'%s' line %u: malformed event: '%s'", name, number, line);
		}
		p += n + (p[n] == '\n');
	}
	if (!err && in_event) {
		*ret_error = xasprintf("'%s': the last event has no end", name);
		err = -EINVAL;
	}
	if (!err && !format) {
		*ret_error = xasprintf("'%s': the header has no key 'format'", name);
		err = -EINVAL;
	}
	if (!err)
		err = check_complete(&s, ret_error);
	if (err) {
		script_done(&s);
		return err;
	}
	*ret = s;
	return 0;
}

void script_done(struct script *s)
{
	for (size_t i = 0; i < s->n_vendors; i++) {
		free(s->vendors[i].source);
		free(s->vendors[i].module);
	}
	for (size_t i = 0; i < s->n_needs; i++) {
		free(s->needs[i].id);
		free(s->needs[i].args);
		free(s->needs[i].marker);
		strings_done(&s->needs[i].names);
		strings_done(&s->needs[i].fields);
	}
	for (size_t i = 0; i < s->n_claims; i++) {
		free(s->claims[i].event);
		free(s->claims[i].needs);
		free(s->claims[i].note);
		strings_done(&s->claims[i].sources);
	}
	for (size_t i = 0; i < s->n_counters; i++) {
		free(s->counters[i].event);
		free(s->counters[i].source);
		free(s->counters[i].name);
		free(s->counters[i].map);
	}
	free(s->counters);
	free(s->vendors);
	free(s->needs);
	free(s->claims);
	free(s->name);
	free(s->text);
	free(s->purpose);
	free(s->untrusted);
	free(s->part);
	free(s->append.format);
	free(s->append.values);
	free(s->spin.format);
	free(s->spin.values);
	strings_done(&s->without);
	strings_done(&s->archs);
	free(s->range);
	free(s->module);
	free(s->cost);
	*s = (struct script){ 0 };
}

static int is_script(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return suffix && suffix != entry->d_name && *entry->d_name != '.' && (!strcmp(suffix, ".bt") || !strcmp(suffix, ".part"));
}

int script_read(const char *path, char **ret_text, size_t *ret_size, char **ret_untrusted)
{
	char *why = NULL;
	CLEANUP_FD int fd = geteuid() ? -1 : trusted_open(path, O_RDONLY, &why);
	int err = fd < 0 ? file_read(path, SCRIPT_LIMIT_BYTES, ret_text, ret_size)
			 : file_read_open(fd, SCRIPT_LIMIT_BYTES, ret_text, ret_size);

	if (err)
		free(why);
	else
		*ret_untrusted = why;
	return err;
}

int scripts_load(const char *directory, struct script **ret_scripts, size_t *ret_n, char **ret_error)
{
	struct dirent **entries;
	struct script *scripts = NULL;
	size_t n_scripts = 0;
	int n = scandir(directory, &entries, is_script, alphasort), err = 0;

	if (n < 0) {
		err = -errno;
		*ret_error = xasprintf("'%s': %s", directory, strerror(-err));
		return err;
	}
	scripts = xcalloc((size_t)n, sizeof(*scripts));
	for (int i = 0; i < n; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", directory, entries[i]->d_name);
		CLEANUP_FREE char *text = NULL;
		char *untrusted = NULL;
		size_t size;

		if (!err) {
			err = script_read(path, &text, &size, &untrusted);
			if (err)
				*ret_error = xasprintf("'%s': %s", path, strerror(-err));
			else
				err = script_parse(entries[i]->d_name, text, size, &scripts[n_scripts], ret_error);
			if (!err)
				scripts[n_scripts++].untrusted = untrusted;
			else
				free(untrusted);
		}
		free(entries[i]);
	}
	free(entries);
	if (!err && !n_scripts) {
		*ret_error = xasprintf("'%s': no *.bt in it", directory);
		err = -ENOENT;
	}
	if (err) {
		scripts_free(scripts, n_scripts);
		return err;
	}
	*ret_scripts = scripts;
	*ret_n = n_scripts;
	return 0;
}

void scripts_free(struct script *scripts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		script_done(&scripts[i]);
	free(scripts);
}
