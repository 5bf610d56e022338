// SPDX-License-Identifier: Apache-2.0
// Reads a trace of another tool, line by line: looks at its first lines to know what it has, then makes records of all.
#include "record/trace_read.h"

#include "base/clean_text.h"
#include "record/trace_dat.h"
#include "record/trace_infer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The lines that the survey looks at; a busy host has all of its tracepoints in far fewer. */
#define SURVEY_LINES 8192u
#define SURVEY_BYTES (8u << 20)
#define BOOT_CLOCK "boot"

struct held_line {
	char *text;
	size_t n;
	uint64_t number;
};

struct trace_read {
	struct trace_rules rules;
	char *rules_error; /* the list cannot be read; or NULL */
	struct trace_infer *infer;
	bool used; /* there is a trace */
	/* the survey */
	struct held_line *held;
	size_t n_held, next_held, held_bytes;
	bool surveyed, have_meta;
	/* trace.dat */
	bool is_dat, dat_ended;
	pid_t child; /* 0: none, or it has ended */
	char *failure;
	char *clock, *kernel, *arch; /* or NULL */
	char comm[COMM_BYTES + 1];
	/* what is missing */
	uint64_t lost, unknown_losses, no_vcpu, late;
};

struct trace_read *trace_read_new(const char *scripts)
{
	struct trace_read *t = xcalloc(1, sizeof(*t));

	trace_rules_load(scripts, &t->rules, &t->rules_error);
	t->infer = trace_infer_new(&t->rules);
	return t;
}

void trace_read_free(struct trace_read *t)
{
	if (!t)
		return;
	if (t->child)
		free(trace_dat_end(t->child));
	for (size_t i = t->next_held; i < t->n_held; i++)
		free(t->held[i].text);
	free(t->held);
	trace_infer_free(t->infer);
	trace_rules_done(&t->rules);
	free(t->rules_error);
	free(t->failure);
	free(t->clock);
	free(t->kernel);
	free(t->arch);
	free(t);
}

bool trace_read_is_dat(const char *bytes, size_t n)
{
	return trace_dat_is_one(bytes, n);
}

int trace_read_begin_dat(struct trace_read *t, struct line_reader *reader)
{
	int fd, err;

	t->used = t->is_dat = true;
	if (reader->state.compressed)
		t->failure = xstrdup("trace.dat has to be decompressed first");
	else if (lseek(reader->fd, 0, SEEK_SET))
		t->failure = xstrdup("trace.dat cannot be read from a pipe: name the file");
	if (t->rules_error || t->failure) { /* nothing more of it is a line */
		line_reader_done(reader);
		return line_reader_open(reader, "/dev/null", 1);
	}
	err = trace_dat_begin(&t->rules, reader->fd, &t->child, &fd);
	if (err)
		return err;
	line_reader_done(reader);
	line_reader_init(reader, fd, 65536, 65536);
	reader->owns_fd = true;
	return 0;
}

/* ---- the survey ---- */

bool trace_read_is_line(const char *line, size_t n)
{
	struct trace_event e;
	uint64_t lost;

	return trace_line_read(line, n, &e, &lost) != TRACE_LINE_OTHER;
}

static void hold(struct trace_read *t, const char *line, size_t n, uint64_t number)
{
	t->held = xgrow(t->held, t->n_held, sizeof(*t->held));
	t->held[t->n_held++] = (struct held_line){ xstrndup(line, n), n, number };
	t->held_bytes += n;
	t->surveyed = t->n_held == SURVEY_LINES || t->held_bytes > SURVEY_BYTES;
}

/* The system as trace-cmd writes it: its name, that of the host, the release, the machine. */
static void take_system(struct trace_read *t, struct view text)
{
	CLEANUP_FREE char *copy = xstrndup(text.at, text.n);
	CLEANUP_FREE char *clean = text_cleaned(copy);
	struct strings words = { 0 };

	strings_split(&words, clean, " ");
	if (words.n == 4 && !t->kernel) {
		t->kernel = xstrdup(words.items[2]);
		t->arch = xstrdup(words.items[3]);
	}
	strings_done(&words);
}

/* What a line of the child says of the file. */
static void take_fact(struct trace_read *t, enum trace_dat_kind kind, struct view text)
{
	CLEANUP_FREE char *copy = xstrndup(text.at, text.n);

	if (kind == TRACE_DAT_HAS)
		trace_infer_survey_name(t->infer, text);
	else if (kind == TRACE_DAT_SYSTEM)
		take_system(t, text);
	else if (kind == TRACE_DAT_CLOCK && !t->clock)
		t->clock = text_cleaned(copy);
	else if (kind == TRACE_DAT_FAILED && !t->failure)
		t->failure = text_cleaned(copy);
}

/* Reads a line. True: it is an event. */
static bool read_line(struct trace_read *t, const char *line, size_t n, struct trace_event *e, bool *ret_other)
{
	struct view text = { line, 0 };
	uint64_t lost = 0;
	bool is_lost;

	*ret_other = false;
	if (t->is_dat) {
		enum trace_dat_kind kind = trace_dat_line_read(line, n, e, t->comm, &lost, &text);

		if (kind == TRACE_DAT_EVENT)
			return true;
		is_lost = kind == TRACE_DAT_LOST;
		t->dat_ended |= kind == TRACE_DAT_END;
		if (!is_lost)
			take_fact(t, kind, text);
	} else {
		enum trace_line_kind kind = trace_line_read(line, n, e, &lost);

		if (kind == TRACE_LINE_EVENT)
			return true;
		is_lost = kind == TRACE_LINE_LOST;
		*ret_other = !is_lost;
	}
	t->lost += is_lost ? lost : 0;
	t->unknown_losses += is_lost && !lost;
	return false;
}

/* Does a line that has not the form of an event name a tracepoint that matters? */
static bool names_tracepoint(const struct trace_read *t, const char *line, size_t n)
{
	for (size_t i = 0; i < t->rules.n_points; i++) {
		const char *name = t->rules.points[i].name;
		const char *found = memmem(line, n, name, strlen(name));

		if (found && found + strlen(name) < line + n && found[strlen(name)] == ':')
			return true;
	}
	return false;
}

static void take_event(struct trace_read *t, const struct trace_event *e, struct record ret[TRACE_READ_MOST], size_t *ret_n,
		       const char **ret_why)
{
	switch (trace_infer_take(t->infer, e, ret, ret_n)) {
	case TRACE_FOUND_UNREADABLE:
		*ret_why = e->have_time ? "the text of its tracepoint has an unknown form" :
					  "its time has no fraction: the clock is a counter, or trace-cmd does not know it (convert the trace.dat itself)";
		break;
	case TRACE_FOUND_NO_VCPU:
		t->no_vcpu++;
		break;
	case TRACE_FOUND_LATE:
		t->late++;
		break;
	case TRACE_FOUND_NOTHING:
	case TRACE_FOUND_RECORDS:
		break;
	}
}

/* ---- the meta record ---- */

void trace_read_notes(const struct trace_read *t, struct strings *notes)
{
	trace_infer_notes(t->infer, notes);
	if (!t->clock)
		strings_add(notes, "the trace does not name the clock of 'ts'");
	else if (strcmp(t->clock, BOOT_CLOCK))
		strings_add_format(notes, "'ts' is of the trace's clock '%s', not CLOCK_BOOTTIME", t->clock);
}

static json_t *make_meta(const struct trace_read *t)
{
	struct strings notes = { 0 };
	json_t *meta;

	trace_read_notes(t, &notes);
	meta = trace_infer_meta(t->infer, t->is_dat ? "trace.dat" : "text", t->clock, t->kernel, t->arch, &notes);
	strings_done(&notes);
	return meta;
}

json_t *trace_read_csv_meta(struct strings *notes)
{
	strings_add(notes, "csv holds waits only: their fidelity and what was lost are unknown");
	return trace_infer_meta(NULL, "csv", BOOT_CLOCK, NULL, NULL, notes);
}

bool trace_read_has_outcomes(const struct trace_read *t)
{
	return trace_infer_surveyed(t->infer)->steps[TRACE_ENTRY];
}

/* ---- lines ---- */

static void take_line(struct trace_read *t, const char *line, size_t n, bool again, struct record ret[TRACE_READ_MOST], size_t *ret_n,
		      const char **ret_why)
{
	uint64_t lost = t->lost, unknown = t->unknown_losses;
	struct trace_event e;
	bool other;

	if (read_line(t, line, n, &e, &other))
		take_event(t, &e, ret, ret_n, ret_why);
	else if (other && names_tracepoint(t, line, n))
		*ret_why = "it names a tracepoint but has not the form of an event";
	if (!again)
		return;
	t->lost = lost; /* the survey has counted them */
	t->unknown_losses = unknown;
}

void trace_read_line(struct trace_read *t, const char *line, size_t n, uint64_t *number, struct record ret[TRACE_READ_MOST], size_t *ret_n,
		     const char **ret_why)
{
	struct trace_event e;
	bool other;

	*ret_n = 0;
	*ret_why = NULL;
	t->used = true;
	if (line && t->surveyed) {
		take_line(t, line, n, false, ret, ret_n, ret_why);
	} else if (line) {
		if (read_line(t, line, n, &e, &other))
			trace_infer_survey(t->infer, &e);
		if (!t->failure)
			hold(t, line, n, *number);
	} else if (!t->have_meta) {
		t->have_meta = true;
		ret[(*ret_n)++] = (struct record){ .type = RECORD_META, .object = make_meta(t) };
	} else {
		struct held_line *held = &t->held[t->next_held++];

		*number = held->number;
		take_line(t, held->text, held->n, true, ret, ret_n, ret_why);
		free(held->text);
	}
}

bool trace_read_is_held(const struct trace_read *t)
{
	return t->surveyed && (!t->have_meta || t->next_held < t->n_held);
}

/* The pipe has been read to its end: the child has ended, or ends now. */
static void collect(struct trace_read *t)
{
	char *why;

	if (!t->child)
		return;
	why = trace_dat_end(t->child);
	t->child = 0;
	if (!t->failure && why)
		t->failure = why;
	else
		free(why);
	if (!t->failure && !t->dat_ended)
		t->failure = xstrdup("its reader ended before the end of the file");
}

bool trace_read_close_survey(struct trace_read *t)
{
	if (!t->used || t->surveyed)
		return false;
	collect(t);
	if (t->rules_error || (t->failure && !t->n_held))
		return false;
	t->surveyed = true;
	return true;
}

uint64_t trace_read_end(struct trace_read *t, struct strings *problems, char **ret_failure)
{
	if (!t->used)
		return 0;
	collect(t);
	if (t->lost)
		strings_add_format(problems, "the tracer lost %" PRIu64 " events, of any kind", t->lost);
	if (t->unknown_losses)
		strings_add_format(problems, "the tracer lost events in %" PRIu64 " places, an unknown number of them", t->unknown_losses);
	if (t->no_vcpu)
		strings_add_format(problems, "%" PRIu64 " waits are left out: neither the trace nor the name of the thread gives the vCPU",
						t->no_vcpu);
	if (t->late)
		strings_add_format(problems, "%" PRIu64 " events are of a tracepoint that is missing from the first %u lines: outcomes ignore "
						"them", t->late, SURVEY_LINES);
	if (t->rules_error)
		*ret_failure = xstrdup(t->rules_error);
	else if (t->failure)
		*ret_failure = xstrdup(t->failure);
	return t->lost;
}
