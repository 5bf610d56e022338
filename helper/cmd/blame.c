// SPDX-License-Identifier: Apache-2.0
// kvmwait blame: the culprits that occupied the CPUs of ready vCPUs.
#include "base/output.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/live_run.h"
#include "record/balance.h"
#include "show/blame_show.h"
#include "show/plan_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DURATION_NS UINT64_C(5000000000)

static const char *const format_names[] = { "table", "json", NULL };
static const struct choices formats = CHOICES(format_names);

struct settings {
	struct live_options live;
	const char *const *format;
	const char *output;
};

static const struct option_row options[] = {
	OPTION_DURATION,
	OPTION_PID,
	OPTION_VM,
	OPTION_VCPU,
	OPTION_SPIN,
	{ 'f', "format", "FORMAT", "output format (default: table)", TO_CHOICE(format, char *const, &formats) },
	OPTION_OUTPUT,
	OPTION_WAIT,
	OPTION_ATTACH_TIMEOUT,
	OPTION_BPFTRACE,
	OPTION_VERBOSE,
	{ 0 },
};

static bool is_json(const struct settings *s)
{
	return !strcmp(*s->format, "json");
}

/* What a trace gave. */
struct gathered {
	struct blame *blame;
	json_t *meta, *end;
};

static int take_record(void *context, const struct record *r)
{
	struct gathered *g = context;

	switch ((int)r->type) {
	case RECORD_META:
		g->meta = json_incref(r->object);
		break;
	case RECORD_END:
		g->end = json_incref(r->object);
		break;
	case RECORD_LOST: /* what it means for the figures shows where a line is missing */
		break;
	default:
		blame_take(g->blame, r);
		break;
	}
	return 0;
}

/* ---- what came of it ---- */

static void print_balance(FILE *f, const struct balance *b)
{
	CLEANUP_FREE char *text = balance_text(b);

	if (b->lost || b->late)
		fputs("records were lost or late: the spins among them are missing, and the time around them is of unknown cause\n", f);
	fprintf(f, "%s\n", text);
}

static void write_json(FILE *f, const struct gathered *g, json_t *record)
{
	json_t *document = json_pack("{s:i, s:O?, s:O, s:O, s:O, s:O, s:O?}", "kvmwait_blame", 1, "meta", g->meta, "vms",
				     json_object_get(record, "vms"), "vcpus", json_object_get(record, "vcpus"), "blame",
				     json_object_get(record, "rows"), "sleeps", json_object_get(record, "sleeps"), "end", g->end);

	json_dumpf(document, f, JSON_INDENT(2));
	putc('\n', f);
	json_decref(document);
}

static int print_result(const struct settings *s, const struct gathered *g, const struct session_result *result, FILE *f)
{
	json_t *record = blame_record_json(g->blame, SIZE_MAX);

	if (is_json(s)) {
		write_json(f, g, record);
	} else {
		blame_print(f, record);
		print_balance(f, &result->balance);
	}
	json_decref(record);
	return output_flush(f);
}

/* Without these sources of the part there is no account; without another one, a cause has no rows of its own. */
static int check_part(const struct plan *plan)
{
	static const char *const required[] = { "thread", "running", "ready" };
	const struct verdict *v = plan_find_part(plan, "blame");

	for (size_t i = 0; v && i < v->n_sources; i++)
		for (size_t j = 0; j < ARRAY_SIZE(required); j++)
			if (!strcmp(v->sources[i].event, required[j]) && v->sources[i].fidelity == FIDELITY_ABSENT)
				return fail(EXIT_NO_SCRIPT, "this kernel does not show which threads wait for a CPU: %s: %s", v->sources[i].event,
					    v->sources[i].why ? v->sources[i].why : "absent");
	return EXIT_OK;
}

static int measure(const struct settings *s, struct live_run *l)
{
	struct gathered g = { .blame = blame_new(blame_look_up, blame_look_up_cgroup, &l->sleep_rules, NULL) };
	int code;

	blame_filter(g.blame, &l->options.program.filter);
	l->options.take = take_record;
	l->options.context = &g;
	l->options.hold = SESSION_HOLD_ALWAYS;
	if (!is_json(s)) {
		plan_print_lines(l->file, l->options.plan, NULL);
		putc('\n', l->file);
	}
	fflush(l->file);
	code = live_trace(l);
	if (!code) {
		l->result.take_error = print_result(s, &g, &l->result, l->file);
		code = live_end_code(l);
	}
	blame_free(g.blame);
	json_decref(g.meta);
	json_decref(g.end);
	return code;
}

static int run(int argc, char **argv)
{
	static const char *const parts[] = { "blame" };
	struct settings s = { .format = format_names };
	CLEANUP_LIVE struct live_run l = { 0 };
	int code;

	if (!options_take(argc, argv, &command_blame, &s, &code))
		return code;
	if (!s.live.filter.events)
		s.live.filter.events = event_bit("ple") | event_bit("pv_yield");
	code = live_plan(&l, &s.live, argc, argv);
	if (!code)
		code = check_part(&l.loaded.plan);
	if (!code)
		code = live_prepare(&l, parts, ARRAY_SIZE(parts));
	if (!code)
		code = live_open(&l, s.output, NULL);
	if (code)
		return code;
	if (!l.options.duration_ns && !l.options.command)
		l.options.duration_ns = DEFAULT_DURATION_NS;
	return measure(&s, &l);
}

const struct command command_blame = {
	.name = "blame",
	.run = run,
	.arguments = "[OPTION]... [-- COMMAND [ARG]...]",
	.help = "show the culprits that occupy the CPUs of ready vCPUs",
	.options = options,
	.more = "Without -d and COMMAND it runs for 5 seconds. With COMMAND it runs as long as the command does; the\n"
		"command's output goes to standard error unless -o is given.",
	.runs_command = true,
};
