// SPDX-License-Identifier: Apache-2.0
// Makes waits and their outcomes of the tracepoints in a trace of another tool, by the rules of scripts/tracepoints.list.
#include "record/trace_infer.h"

#include "base/clean_text.h"
#include "base/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VM_BYTES 24 /* "thread 4294967295" */

/* A thread that has run a vCPU, or may have. */
struct thread {
	uint32_t tid, pid;
	int64_t vcpu; /* -1: not known */
	char vm[VM_BYTES];
	bool waits;
	struct outcome_event open; /* of the wait that goes on */
	uint64_t away_ns, ready_since_ns; /* off the CPU since; runnable since; 0: not */
};

struct trace_infer {
	const struct trace_rules *rules;
	struct table threads;
	struct trace_survey survey;
	bool surveyed; /* events have been taken */
};

static uint64_t hash_tid(const void *entry)
{
	const struct thread *thread = entry;

	return table_hash_bytes(0, &thread->tid, sizeof(thread->tid));
}

static bool same_tid(const void *a, const void *b)
{
	const struct thread *x = a, *y = b;

	return x->tid == y->tid;
}

struct trace_infer *trace_infer_new(const struct trace_rules *rules)
{
	struct trace_infer *t = xcalloc(1, sizeof(*t));

	t->rules = rules;
	t->threads = (struct table){ .hash = hash_tid, .same = same_tid };
	t->survey.has = xcalloc(rules->n_points + 1, sizeof(*t->survey.has));
	return t;
}

void trace_infer_free(struct trace_infer *t)
{
	if (!t)
		return;
	table_done(&t->threads, free);
	free(t->survey.has);
	free(t);
}

const struct trace_survey *trace_infer_surveyed(const struct trace_infer *t)
{
	return &t->survey;
}

/* ---- threads ---- */

static struct thread *find_thread(const struct trace_infer *t, uint32_t tid)
{
	return table_find(&t->threads, &(struct thread){ .tid = tid });
}

/* Without a process each thread stands for itself: two VMs with the same vCPU must not become one. */
static struct thread *get_thread(struct trace_infer *t, const struct trace_event *e)
{
	struct thread *thread = find_thread(t, e->tid);

	if (!thread) {
		thread = xcalloc(1, sizeof(*thread));
		thread->tid = e->tid;
		thread->vcpu = -1;
		snprintf(thread->vm, sizeof(thread->vm), "thread %" PRIu32, e->tid);
		table_add(&t->threads, thread);
	}
	if (e->pid)
		thread->pid = e->pid;
	return thread;
}

static int64_t vcpu_of(const struct trace_values *values)
{
	uint64_t id;

	return trace_value_number(values, "vcpu", &id) && id <= INT32_MAX ? (int64_t)id : -1;
}

/* The vCPU that a thread has, by its own event or, where none says it, by the name of the thread. */
static void learn_vcpu(const struct trace_infer *t, struct thread *thread, const struct trace_event *e, const struct trace_values *values)
{
	struct trace_values of_name;
	int64_t id = vcpu_of(values);

	for (size_t i = 0; i < t->rules->threads.n && id < 0 && thread->vcpu < 0; i++)
		if (trace_template_read(t->rules->threads.items[i], e->comm, &of_name))
			id = vcpu_of(&of_name);
	if (id >= 0)
		thread->vcpu = id;
}

/* ---- reading an event ---- */

static bool read_values(const struct tracepoint *point, const struct trace_event *e, struct trace_values *ret)
{
	return e->fields ? trace_point_read_fields(point, e->text, ret) : trace_point_read(point, e->text, ret);
}

static bool is_of_scheduler(enum trace_step step)
{
	return step == TRACE_SWITCHED || step == TRACE_PREEMPTED || step == TRACE_WOKEN || step == TRACE_GONE;
}

static void note_point(struct trace_infer *t, const struct tracepoint *point)
{
	t->survey.has[point - t->rules->points] = true;
	for (size_t i = 0; i < point->n_rules; i++)
		t->survey.steps[point->rules[i].step] = true;
}

void trace_infer_survey_name(struct trace_infer *t, struct view name)
{
	const struct tracepoint *point = trace_rules_find(t->rules, name);

	if (point)
		note_point(t, point);
}

void trace_infer_survey(struct trace_infer *t, const struct trace_event *e)
{
	const struct tracepoint *point = trace_rules_find(t->rules, e->name);
	struct trace_values values;

	t->survey.have_pid |= e->pid != 0;
	t->survey.whole_time |= e->whole_time;
	t->survey.of_perf |= e->of_perf;
	if (!point)
		return;
	note_point(t, point);
	if (read_values(point, e, &values) && vcpu_of(&values) >= 0)
		get_thread(t, e)->vcpu = vcpu_of(&values);
}

/* ---- what the steps do ---- */

static void set_comm(const struct tracepoint *point, struct view comm, char ret[COMM_BYTES + 1])
{
	char text[4 * COMM_BYTES + 1];
	size_t n = comm.n < sizeof(text) - 1 ? comm.n : sizeof(text) - 1;

	memset(ret, 0, COMM_BYTES + 1);
	memcpy(text, comm.at, n);
	text[n] = '\0';
	if (point->escaped && text_restore(text, ret, COMM_BYTES + 1) >= 0)
		return;
	memcpy(ret, text, n < COMM_BYTES ? n : COMM_BYTES);
}

static const char *vm_of(const struct thread *thread)
{
	return thread->pid ? NULL : thread->vm; /* NULL: the process stands for it */
}

static void make_wait(struct thread *thread, const struct tracepoint *point, const struct trace_rule *rule, const struct trace_event *e,
		      const struct trace_values *values, struct record *ret)
{
	struct wait_event *w = &ret->wait;
	uint64_t target = UINT64_MAX;

	*ret = (struct record){ .type = RECORD_WAIT };
	trace_value_number(values, "target", &target);
	w->ts_ns = e->ts_ns;
	w->cpu = e->cpu;
	w->pid = thread->pid;
	w->tid = e->tid;
	w->vcpu = thread->vcpu;
	w->target = (int64_t)target;
	w->vm = vm_of(thread);
	memcpy(w->event, rule->event, sizeof(w->event));
	memcpy(w->source, rule->source, sizeof(w->source));
	set_comm(point, e->comm, w->comm);
	thread->waits = true;
	thread->away_ns = thread->ready_since_ns = 0;
	thread->open = (struct outcome_event){ .wait_ns = w->ts_ns, .vcpu = w->vcpu, .boosted = -1, .pid = w->pid, .tid = w->tid,
					       .cpu_before = w->cpu, .vm = w->vm };
	memcpy(thread->open.event, w->event, sizeof(w->event));
	memcpy(thread->open.source, w->source, sizeof(w->source));
}

static void make_outcome(struct thread *thread, enum outcome_end end, const struct trace_event *e, struct record *ret)
{
	*ret = (struct record){ .type = RECORD_OUTCOME };
	ret->outcome = thread->open;
	ret->outcome.ts_ns = e->ts_ns > thread->open.wait_ns ? e->ts_ns : thread->open.wait_ns;
	ret->outcome.cpu = e->cpu;
	ret->outcome.end = end;
	thread->waits = false;
}

/* A thread that is off the CPU is on it again. */
static void come_back(struct thread *thread, uint64_t now_ns)
{
	if (thread->away_ns && now_ns > thread->away_ns)
		thread->open.off_ns += now_ns - thread->away_ns;
	if (thread->ready_since_ns && now_ns > thread->ready_since_ns)
		thread->open.ready_ns += now_ns - thread->ready_since_ns;
	thread->away_ns = thread->ready_since_ns = 0;
}

static struct thread *named_thread(const struct trace_infer *t, const struct trace_values *values, const char *name)
{
	uint64_t tid;

	return trace_value_number(values, name, &tid) && tid <= UINT32_MAX ? find_thread(t, (uint32_t)tid) : NULL;
}

static void schedule(const struct trace_infer *t, enum trace_step step, const struct trace_event *e, const struct trace_values *values)
{
	struct thread *thread = named_thread(t, values, "thread");
	struct thread *next = step == TRACE_WOKEN ? NULL : named_thread(t, values, "next");

	if (thread && thread->waits && step == TRACE_WOKEN && thread->away_ns && !thread->ready_since_ns)
		thread->ready_since_ns = e->ts_ns;
	if (thread && thread->waits && step != TRACE_WOKEN) {
		thread->away_ns = e->ts_ns;
		thread->ready_since_ns = step == TRACE_PREEMPTED ? e->ts_ns : 0;
	}
	if (next && next->waits)
		come_back(next, e->ts_ns);
}

static void halt(struct thread *thread, enum trace_step step, const struct trace_values *values)
{
	uint64_t ns = 0;

	if (!thread || !thread->waits)
		return;
	if (trace_value_number(values, "ns", &ns) && ns <= INT64_MAX && thread->open.halt_ns <= INT64_MAX - ns)
		thread->open.halt_ns += ns;
	if (step == TRACE_BLOCKED || thread->open.halt == HALT_NONE)
		thread->open.halt = step == TRACE_BLOCKED ? HALT_BLOCKED : HALT_POLLED;
}

static enum trace_found take_wait(struct trace_infer *t, const struct tracepoint *point, const struct trace_rule *rule,
				  const struct trace_event *e, const struct trace_values *values, struct record ret[2], size_t *ret_n)
{
	struct thread *thread = get_thread(t, e);

	learn_vcpu(t, thread, e, values);
	if (thread->vcpu < 0)
		return TRACE_FOUND_NO_VCPU;
	make_wait(thread, point, rule, e, values, &ret[(*ret_n)++]);
	return TRACE_FOUND_RECORDS;
}

enum trace_found trace_infer_take(struct trace_infer *t, const struct trace_event *e, struct record ret[2], size_t *ret_n)
{
	const struct tracepoint *point = trace_rules_find(t->rules, e->name);
	const struct trace_rule *rule;
	struct trace_values values;
	struct thread *thread;

	*ret_n = 0;
	if (!point)
		return TRACE_FOUND_NOTHING;
	if (!read_values(point, e, &values) || !e->have_time)
		return TRACE_FOUND_UNREADABLE;
	rule = trace_point_rule(point, &values);
	if (vcpu_of(&values) >= 0)
		learn_vcpu(t, get_thread(t, e), e, &values);
	if (!rule)
		return TRACE_FOUND_NOTHING;
	if (rule->step == TRACE_WAIT)
		return take_wait(t, point, rule, e, &values, ret, ret_n);
	if (!t->survey.steps[rule->step])
		return TRACE_FOUND_LATE; /* the meta record says that it is absent */
	thread = is_of_scheduler(rule->step) ? NULL : find_thread(t, e->tid);
	if (rule->step == TRACE_GONE)
		thread = named_thread(t, &values, "thread");
	else if (is_of_scheduler(rule->step))
		schedule(t, rule->step, e, &values);
	if (rule->step == TRACE_POLLED || rule->step == TRACE_BLOCKED)
		halt(thread, rule->step, &values);
	else if (thread && thread->waits && t->survey.steps[TRACE_ENTRY])
		make_outcome(thread, rule->step == TRACE_ENTRY ? OUTCOME_RUN : rule->step == TRACE_USER ? OUTCOME_USER : OUTCOME_GONE, e,
			     &ret[(*ret_n)++]);
	return *ret_n ? TRACE_FOUND_RECORDS : TRACE_FOUND_NOTHING;
}

/* ---- the meta record ---- */

static json_t *find_probe(json_t *probes, const struct trace_rule *rule)
{
	json_t *probe;
	size_t i;

	json_array_foreach(probes, i, probe)
		if (!strcmp(json_string_value(json_object_get(probe, "event")), rule->event) &&
		    !strcmp(json_string_value(json_object_get(probe, "source")), rule->source))
			return probe;
	return NULL;
}

static json_t *make_probe(const char *event, const char *source, bool there, const char *why)
{
	json_t *probe = json_pack("{s:s, s:s, s:s, s:[]}", "event", event, "source", source, "fidelity", there ? "inferred" : "absent",
				  "functions");

	json_object_set_new(probe, "why", there ? json_string(why) : json_sprintf("the trace has no %s", why));
	return probe;
}

/* Is the event one of an optional tracepoint that the trace has? Then it is no loss that others are missing. */
static bool has_optional(const struct trace_infer *t, const char *event)
{
	for (size_t i = 0; i < t->rules->n_points; i++)
		for (size_t j = 0; t->survey.has[i] && t->rules->points[i].optional && j < t->rules->points[i].n_rules; j++)
			if (!strcmp(t->rules->points[i].rules[j].event, event))
				return true;
	return false;
}

static void add_waits(const struct trace_infer *t, json_t *probes)
{
	for (size_t i = 0; i < t->rules->n_points; i++) {
		const struct tracepoint *point = &t->rules->points[i];
		bool there = t->survey.has[i];

		for (size_t j = 0; j < point->n_rules; j++) {
			const struct trace_rule *rule = &point->rules[j];
			json_t *probe;

			if (rule->step != TRACE_WAIT || find_probe(probes, rule) ||
			    (!there && (point->optional || has_optional(t, rule->event))))
				continue;
			probe = make_probe(rule->event, rule->source, there, there ? rule->why : point->name);
			if (there)
				json_array_append_new(json_object_get(probe, "functions"), json_string(point->name));
			json_array_append_new(probes, probe);
		}
	}
}

/* The name of the first tracepoint that can be this step. */
static const char *step_point(const struct trace_rules *rules, enum trace_step step)
{
	for (size_t i = 0; i < rules->n_points; i++)
		for (size_t j = 0; j < rules->points[i].n_rules; j++)
			if (rules->points[i].rules[j].step == step)
				return rules->points[i].name;
	return "such tracepoint";
}

static void add_measures(const struct trace_infer *t, json_t *probes)
{
	static const struct {
		const char *event, *source, *why;
		enum trace_step step;
	} measures[] = {
		{ "halt", "kvm", "from the trace's own events", TRACE_BLOCKED },
		{ "off", "sched", "from the trace's own events", TRACE_SWITCHED },
		{ "ready", "sched", "from the trace's own events", TRACE_WOKEN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(measures); i++) {
		bool ends = t->survey.steps[TRACE_ENTRY], there = ends && t->survey.steps[measures[i].step];
		const char *point = step_point(t->rules, ends ? measures[i].step : TRACE_ENTRY);
		json_t *probe = make_probe(measures[i].event, measures[i].source, there, there ? measures[i].why : point);

		if (there)
			json_array_append_new(json_object_get(probe, "functions"), json_string(point));
		json_array_append_new(probes, probe);
	}
	json_array_append_new(probes, make_probe("boost", "kvm", false, "event for it"));
}

void trace_infer_notes(const struct trace_infer *t, struct strings *notes)
{
	const bool *steps = t->survey.steps;
	CLEANUP_FREE char *text = NULL;

	strings_add(notes, "all events are inferred from tracepoints: 'probes' of the meta record says what each one can miss or include");
	if (!t->survey.have_pid)
		strings_add(notes, "the trace does not name processes: pid is 0, and each thread stands for a VM of its own");
	if (!steps[TRACE_ENTRY])
		text = xasprintf("the trace has no %s: there are no outcomes", step_point(t->rules, TRACE_ENTRY));
	else if (!steps[TRACE_SWITCHED])
		text = xasprintf("the trace has no %s: off_ns and ready_ns are 0, since they are not known", step_point(t->rules, TRACE_SWITCHED));
	else if (!steps[TRACE_WOKEN])
		text = xasprintf("the trace has no %s: ready_ns lacks the time after a wake-up", step_point(t->rules, TRACE_WOKEN));
	if (text)
		strings_add(notes, text);
	if (!t->survey.whole_time)
		strings_add(notes, "times are whole microseconds");
	if (t->survey.of_perf)
		strings_add(notes, "'perf script' prints lost events only with --show-lost-events, and not those after the last event");
}

json_t *trace_infer_meta(const struct trace_infer *t, const char *format, const char *clock, const char *kernel, const char *arch,
			 const struct strings *notes)
{
	json_t *meta = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "type", "meta", "schema", 1, "kvmwait", KVMWAIT_VERSION,
				 "kernel", kernel ? kernel : "unknown", "arch", arch ? arch : "unknown", "script", TRACE_RULES_FILE,
				 "script_sha256", "", "bpftrace", "none");
	json_t *probes = json_array();

	if (t) {
		add_waits(t, probes);
		add_measures(t, probes);
	}
	json_object_set_new(meta, "probes", probes);
	json_object_set_new(meta, "filters", json_pack("{s:[], s:[], s:[]}", "events", "tgids", "vcpus"));
	json_object_set_new(meta, "input", json_pack("{s:s, s:s, s:o}", "format", format, "clock", clock ? clock : "unknown", "notes",
						     strings_json(notes)));
	return meta;
}
