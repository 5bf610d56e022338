// SPDX-License-Identifier: Apache-2.0
// What the tracepoints in a trace of another tool mean, from scripts/tracepoints.list; kvmwait-scripts(5) has its grammar.
#ifndef KVMWAIT_RECORD_TRACE_RULES_H
#define KVMWAIT_RECORD_TRACE_RULES_H

#include "base/view.h"
#include "record/event.h"

#define TRACE_RULES_FILE "tracepoints.list"
#define TRACE_VALUES_MAX 16

/* The values of one tracepoint event, by the names that the list gives them; borrowed from the list and the line. */
struct trace_values {
	struct {
		struct view name, value;
	} items[TRACE_VALUES_MAX];
	size_t n;
};

enum trace_step {
	TRACE_WAIT,	 /* a wait begins */
	TRACE_ENTRY,	 /* the thread enters the guest */
	TRACE_USER,	 /* user space gets the vCPU */
	TRACE_POLLED,	 /* KVM polled for `ns` */
	TRACE_BLOCKED,	 /* KVM blocked, `ns` in all */
	TRACE_SWITCHED,	 /* `thread` leaves the CPU to `next` */
	TRACE_PREEMPTED, /* the same, and it could run on */
	TRACE_WOKEN,	 /* `thread` is runnable */
	TRACE_GONE,	 /* the thread ends */
	TRACE_STEPS,
};

struct trace_condition {
	char *name;
	uint64_t mask; /* of a number */
	struct strings values; /* any of these; "-": there is no such value */
};

struct trace_rule {
	enum trace_step step;
	char event[NAME_BYTES], source[NAME_BYTES]; /* of a wait */
	char *why; /* of a wait: why it is inferred */
	struct trace_condition *conditions; /* all of them */
	size_t n_conditions;
};

struct tracepoint {
	char *name;
	struct strings texts;  /* templates of its text */
	struct strings fields; /* "NAME=FIELD": the values in its binary fields */
	struct trace_rule *rules; /* the first that holds is the one */
	size_t n_rules;
	bool optional; /* not reported as absent */
	bool escaped; /* the names of threads are escaped */
};

struct trace_rules {
	struct tracepoint *points;
	size_t n_points;
	struct strings threads; /* templates of names of threads */
};

/* Reads the list's text. 0, or -EINVAL with ret_error (the caller frees). */
int trace_rules_parse(const char *text, struct trace_rules *ret, char **ret_error);
/* Reads DIRECTORY/tracepoints.list. 0, or -errno with ret_error (the caller frees). */
int trace_rules_load(const char *directory, struct trace_rules *ret, char **ret_error);
void trace_rules_done(struct trace_rules *rules);

/* The tracepoint of that name, or NULL. */
const struct tracepoint *trace_rules_find(const struct trace_rules *rules, struct view name);
/* The names of all tracepoints are those of what follows the text "EVENT: ". True where the text has the form of a template. */
bool trace_point_read(const struct tracepoint *point, struct view text, struct trace_values *ret);
/* The values of "NAME=VALUE NAME=VALUE ...", where the names are those of binary fields. */
bool trace_point_read_fields(const struct tracepoint *point, struct view text, struct trace_values *ret);
/* The first rule that holds, or NULL. */
const struct trace_rule *trace_point_rule(const struct tracepoint *point, const struct trace_values *values);
/* Does the text have the form of the template? */
bool trace_template_read(const char *template, struct view text, struct trace_values *ret);

/* A value that is a number, decimal or hexadecimal with 0x, of up to 64 bits with or without a sign. */
bool trace_value_number(const struct trace_values *values, const char *name, uint64_t *ret);

#endif
