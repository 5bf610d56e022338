// SPDX-License-Identifier: Apache-2.0
// A trace from start to end: bpftrace runs the plan, its lines become records in order, the balance closes it.
#include "live/session.h"

#include "base/clock.h"
#include "base/progress.h"
#include "base/reader.h"
#include "base/text.h"
#include "live/child.h"
#include "live/root_helper.h"
#include "live/symbolize.h"
#include "live/vm_name.h"
#include "record/order.h"
#include "record/outcome_join.h"
#include "record/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_LINE "kvmwait-ready"
#define LINE_LIMIT_BYTES 65536u
#define TAIL_LINES 12u
#define ERROR_MARK "ERROR: "
/* bpftrace drains its buffers after the end. When nothing has come for so long it is asked by a signal, then killed. */
#define STOP_PATIENCE_NS (60 * NS_PER_S)
#define INT_PATIENCE_NS (10 * NS_PER_S)
#define ATTACH_PATIENCE_NS (300 * NS_PER_S)
/* Before all is attached there is nothing to drain. */
#define ATTACH_STOP_PATIENCE_NS (3 * NS_PER_S)
#define MODULE_CHECK_NS (NS_PER_S / 2)
#define POLL_MS 100
#define CPUS_MAX 65536u

enum state {
	STATE_ATTACHING,
	STATE_RUNNING,
	STATE_STOPPING,
};

struct line_reader {
	int *fd; /* -1 at the end */
	struct reader reader;
};

/* The last numbered line of a CPU. */
struct last_line {
	uint64_t seq, ts_ns;
};

struct trace {
	const struct trace_options *options;
	struct trace_result result;
	enum state state;
	struct child bpftrace, stopper, command;
	struct child launcher; /* of the command, until it runs */
	bool bpftrace_gone, command_gone;
	struct line_reader out, err;
	struct order order;
	struct outcomes *outcomes; /* NULL: not asked for */
	struct callers *callers;   /* NULL: not asked for */
	struct record held;	   /* an event whose callers are being read */
	uint64_t frames[CALLERS_MAX];
	size_t n_frames;
	struct last_line *lasts; /* by CPU */
	size_t n_lasts;
	struct vmnames *names;
	char *version;
	char *tail[TAIL_LINES]; /* what bpftrace said last */
	size_t n_tail;
	char *error; /* the first line that is one, and which it is */
	size_t error_at;
	uint64_t attach_ns; /* how long that may take */
	uint64_t started_ns, running_ns, stopping_ns;
	uint64_t wait_ns; /* when the last event arrived */
	uint64_t read_ns; /* when bpftrace last said anything */
	ino_t module_inode; /* 0: built in, or sysfs does not say */
	uint64_t module_due_ns; /* when to look next whether it is still there */
	bool attach_timed_out;
	bool holds; /* records wait for their turn, see trace_hold */
	int stop_signals;
	struct progress progress; /* of attaching */
};

/* The clocks of this moment as the schema has them. */
static json_t *clock_json(void)
{
	return json_pack("{s:I, s:I, s:I}", "boottime", (json_int_t)clock_ns(CLOCK_BOOTTIME), "monotonic",
			 (json_int_t)monotonic_ns(), "realtime", (json_int_t)clock_ns(CLOCK_REALTIME));
}

bool trace_balances(const struct trace_result *r)
{
	return r->balance.have_counted && !balance_off(&r->balance) && !r->balance.malformed;
}

/* ---- records out ---- */

static void give(struct trace *t, const struct record *r)
{
	int err = t->result.take_error ? 0 : t->options->take(t->options->context, r);

	if (err)
		t->result.take_error = err;
}

static void give_object(struct trace *t, enum record_type type, json_t *object)
{
	struct record r = { .type = type, .object = object };

	give(t, &r);
	json_decref(object);
}

static void flush(struct trace *t)
{
	int err = t->result.take_error || !t->options->flush ? 0 : t->options->flush(t->options->context);

	if (err)
		t->result.take_error = err;
}

static void give_outcome(struct trace *t, const struct outcome_event *e)
{
	give(t, &(struct record){ .type = RECORD_OUTCOME, .outcome = *e });
}

static void release(struct trace *t, uint64_t before_ns)
{
	struct outcome_event unseen;
	struct record r;

	while (order_pop(&t->order, before_ns, &r)) {
		if (t->outcomes && r.type != RECORD_SCHED && outcomes_take(t->outcomes, &r, &unseen))
			give_outcome(t, &unseen);
		give(t, &r);
	}
}

/* At the end: waits whose outcome never came. */
static void give_rest(struct trace *t)
{
	struct outcome_event unseen;

	while (t->outcomes && outcomes_take_rest(t->outcomes, t->order.newest_ns, &unseen))
		give_outcome(t, &unseen);
}

static void add_probes(json_t *probes, const struct verdict *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		const struct source_result *s = &v->sources[i];
		json_t *probe = json_pack("{s:s, s:s, s:s, s:o}", "event", s->event, "source", s->source, "fidelity",
					  fidelity_name(s->fidelity), "functions", strings_json(&s->functions));

		if (s->why)
			json_object_set_new(probe, "why", json_string(s->why));
		if (s->not_applicable)
			json_object_set_new(probe, "not_applicable", json_true());
		json_array_append_new(probes, probe);
	}
}

static json_t *probes_json(const struct program *program)
{
	json_t *probes = json_array();

	add_probes(probes, program->script);
	for (size_t i = 0; i < program->n_parts; i++)
		add_probes(probes, program->parts[i]);
	return probes;
}

static json_t *parts_json(const struct program *program)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < program->n_parts; i++)
		json_array_append_new(parts, json_pack("{s:s, s:s}", "script", program->parts[i]->script->name, "sha256",
						       program->parts[i]->script->sha256));
	return parts;
}

static json_t *filters_json(const struct filter *f)
{
	json_t *events = json_array(), *tgids = json_array(), *vcpus = json_array();

	for (size_t i = 0; i < n_event_kinds; i++)
		if (f->events & event_kinds[i].bit)
			json_array_append_new(events, json_string(event_kinds[i].name));
	for (size_t i = 0; i < f->n_tgids; i++)
		json_array_append_new(tgids, json_integer(f->tgids[i]));
	for (uint32_t i = 0; i < PROGRAM_VCPU_SPAN; i++)
		if (f->vcpu_mask >> i & 1)
			json_array_append_new(vcpus, json_integer((json_int_t)f->vcpu_base + i));
	return json_pack("{s:o, s:o, s:o}", "events", events, "tgids", tgids, "vcpus", vcpus);
}

/* Of this host, fit to print; the caller frees. */
static char *host_name(void)
{
	struct utsname names;
	char clean[4 * sizeof(names.nodename) + 1];

	if (uname(&names))
		return xstrdup("?");
	text_clean(names.nodename, strnlen(names.nodename, sizeof(names.nodename)), clean);
	return xstrdup(clean);
}

static void give_meta(struct trace *t)
{
	const struct plan *plan = t->options->plan;
	const struct script *script = t->options->program.script->script;
	CLEANUP_FREE char *host = host_name();
	json_t *meta = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "type", "meta", "schema", SCHEMA_VERSION, "kvmwait",
				 KVMWAIT_VERSION, "host", host, "kernel", plan->kernel->release, "arch", plan->kernel->arch);

	if (plan->vendor)
		json_object_set_new(meta, "vendor", json_string(plan->vendor));
	json_object_set_new(meta, "script", json_string(script->name));
	json_object_set_new(meta, "script_sha256", json_string(script->sha256));
	if (t->options->program.n_parts)
		json_object_set_new(meta, "parts", parts_json(&t->options->program));
	json_object_set_new(meta, "bpftrace", json_string(t->version));
	json_object_set_new(meta, "probes", probes_json(&t->options->program));
	json_object_set_new(meta, "filters", filters_json(&t->options->program.filter));
	json_object_set_new(meta, "clock", clock_json());
	give_object(t, RECORD_META, meta);
}

static void give_lost(struct trace *t, uint64_t lost)
{
	give_object(t, RECORD_LOST, json_pack("{s:s, s:I, s:I}", "type", "lost", "lost", (json_int_t)lost, "ts",
					      (json_int_t)clock_ns(CLOCK_BOOTTIME)));
}

static void give_end(struct trace *t)
{
	struct trace_result *r = &t->result;
	json_t *end;

	r->balance.late = t->order.late;
	if (!r->balance.malformed)
		balance_settle(&r->balance);
	if (r->balance.unreported)
		give_lost(t, r->balance.unreported);
	end = balance_json(&r->balance, r->why);
	if (r->bpftrace_status)
		json_object_set_new(end, "bpftrace_status", json_integer(r->bpftrace_status));
	if (r->command_status >= 0)
		json_object_set_new(end, "command_status", json_integer(r->command_status));
	if (r->missed)
		json_object_set_new(end, "missed", json_integer((json_int_t)r->missed));
	json_object_set_new(end, "clock", clock_json());
	give_object(t, RECORD_END, end);
}

/* ---- lines in ---- */

static void remember(struct trace *t, const char *line, size_t n)
{
	size_t slot = t->n_tail++ % TAIL_LINES;

	/* It may quote what a guest or a stranger wrote, and it is shown. */
	free(t->tail[slot]);
	t->tail[slot] = xcalloc(n, 4 + 1);
	text_clean(line, n, t->tail[slot]);
	if (!t->error && strstr(t->tail[slot], ERROR_MARK)) {
		t->error = xstrdup(t->tail[slot]);
		t->error_at = t->n_tail - 1;
	}
	if (t->options->verbose)
		fprintf(stderr, "bpftrace: %s\n", t->tail[slot]);
}

/* That of a module of the same name which is loaded again is another. */
static ino_t module_inode(const struct trace *t)
{
	CLEANUP_FREE char *path = xasprintf("/sys/module/%s", t->options->program.script->script->module);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* All of bpftrace: the program it runs as well, and what it may be wrapped in. */
static void kill_bpftrace(const struct trace *t)
{
	if (!t->bpftrace_gone)
		kill(-t->bpftrace.pid, SIGKILL);
}

static void stop(struct trace *t, const char *why)
{
	t->result.unloaded |= t->state != STATE_STOPPING && t->module_inode && module_inode(t) != t->module_inode;
	if (!t->result.why)
		t->result.why = t->result.unloaded ? "the module was unloaded" : why;
	if (t->state == STATE_STOPPING)
		return;
	t->state = STATE_STOPPING;
	t->stopping_ns = monotonic_ns();
	/* A storm can outrun bpftrace for ever: first the kernel stops reporting, then bpftrace is to end. */
	child_hang_up(&t->stopper);
	if (t->options->reads_maps && !t->bpftrace_gone)
		t->result.missed = keeper_missed(t->bpftrace.pid);
	child_hang_up(&t->bpftrace);
	if (t->command.pid && !t->command_gone)
		kill(t->command.pid, SIGTERM);
}

static void begin_running(struct trace *t)
{
	t->running_ns = monotonic_ns();
	give_meta(t);
	flush(t);
	if (t->state == STATE_STOPPING)
		return;
	t->state = STATE_RUNNING;
	if (t->options->command) {
		int err = command_start(&t->launcher);

		t->command = t->launcher;
		t->launcher = (struct child){ .in_fd = -1, .out_fd = -1, .err_fd = -1 };
		if (err) {
			fprintf(stderr, "kvmwait: the command could not be run: '%s': %s\n", t->options->command[0], strerror(-err));
			t->result.command_status = 127;
			stop(t, "the command could not be run");
		}
	}
	if (!t->options->reads_maps)
		child_wait_turns(0);
}

/* All callers of the event that is held are there: it goes on its way. */
static void let_go(struct trace *t)
{
	if (t->held.type != RECORD_WAIT)
		return;
	t->held.wait.callers = callers_chain(t->callers, t->frames, t->n_frames);
	order_push(&t->order, &t->held);
	t->held.type = RECORD_META;
	t->n_frames = 0;
}

static void push_mark(struct trace *t, enum sched_kind kind, uint32_t cpu, uint64_t ts_ns)
{
	order_push(&t->order, &(struct record){ .type = RECORD_SCHED, .sched = { .kind = kind, .cpu = cpu, .ts_ns = ts_ns } });
}

/* Each CPU numbers its lines, and they arrive in their order: where a number is missing a line was lost. */
static void note_gap(struct trace *t, const struct sched_event *s)
{
	struct last_line *last;

	if (s->cpu >= CPUS_MAX)
		return;
	if (s->cpu >= t->n_lasts) {
		t->lasts = xrealloc(t->lasts, s->cpu + 1, sizeof(*t->lasts));
		memset(t->lasts + t->n_lasts, 0, (s->cpu + 1 - t->n_lasts) * sizeof(*t->lasts));
		t->n_lasts = s->cpu + 1;
	}
	last = &t->lasts[s->cpu];
	if (s->seq != last->seq + 1) {
		push_mark(t, SCHED_BLIND, s->cpu, last->ts_ns);
		push_mark(t, SCHED_SIGHT, s->cpu, s->ts_ns);
	}
	*last = (struct last_line){ s->seq, s->ts_ns };
}

static void name_vm(struct trace *t, struct record *r)
{
	if (r->type == RECORD_WAIT)
		r->wait.vm = vmnames_get(t->names, r->wait.pid);
	else if (r->type == RECORD_OUTCOME)
		r->outcome.vm = vmnames_get(t->names, r->outcome.pid);
	else if (r->sched.kind == SCHED_VCPU)
		r->sched.vm = vmnames_get(t->names, r->sched.pid);
}

static void take_record(struct trace *t, struct record *r)
{
	t->result.balance.received++;
	t->result.balance.outcomes += r->type == RECORD_OUTCOME;
	t->wait_ns = t->read_ns;
	name_vm(t, r);
	if (r->type == RECORD_SCHED)
		note_gap(t, &r->sched);
	if (r->type == RECORD_WAIT && t->callers)
		t->held = *r;
	else
		order_push(&t->order, r);
}

static void take_line(struct trace *t, const char *line, size_t n, bool from_stdout)
{
	struct wire_line wire;

	if (from_stdout && !t->running_ns && n == strlen(READY_LINE) && !memcmp(line, READY_LINE, n)) {
		begin_running(t);
		return;
	}
	wire_parse(line, n, &wire);
	/* Scripts print on standard output; beside it only the losses are told. */
	if (!from_stdout && wire.kind != WIRE_LOST)
		wire.kind = WIRE_NOTHING;
	if (wire.kind != WIRE_FRAME && from_stdout)
		let_go(t);
	switch (wire.kind) {
	case WIRE_WAIT:
	case WIRE_OUTCOME:
	case WIRE_SCHED:
		take_record(t, &wire.record);
		return;
	case WIRE_FRAME:
		if (t->n_frames < CALLERS_MAX)
			t->frames[t->n_frames++] = wire.number;
		return;
	case WIRE_COUNTED:
		t->result.balance.counted = wire.number;
		t->result.balance.have_counted = true;
		return;
	case WIRE_LOST:
		t->result.balance.lost += wire.number;
		give_lost(t, wire.number);
		return;
	case WIRE_MALFORMED:
		t->result.balance.malformed++;
		remember(t, line, n);
		return;
	case WIRE_BEGIN:
		if (t->options->reads_maps)
			t->result.priority_error = keeper_go_first(t->bpftrace.pid);
		else
			keeper_wait_turns(t->bpftrace.pid);
		return;
	case WIRE_PART:
		return;
	case WIRE_NOTHING:
		if (from_stdout && t->options->take_line && t->options->take_line(t->options->context, line, n))
			return;
		break;
	}
	if (n && *line != '#')
		remember(t, line, n);
}

static void take_lines(struct trace *t, struct line_reader *r)
{
	enum reader_found found;
	const char *line;
	size_t n;

	while ((found = reader_line(&r->reader, &line, &n)) != READER_NONE) {
		if (found == READER_LINE) {
			take_line(t, line, n, r == &t->out);
			continue;
		}
		/* cut short, or no line of ours */
		if (r == &t->out && wire_is_counted(line, n))
			t->result.balance.malformed++;
		remember(t, line, n < 200 ? n : 200);
	}
}

static void read_lines(struct trace *t, struct line_reader *r)
{
	long n;

	r->reader.fd = *r->fd;
	n = reader_fill(&r->reader);
	if (n == -EINTR)
		return;
	r->reader.at_end = n <= 0;
	t->read_ns = monotonic_ns();
	take_lines(t, r);
	if (n <= 0) {
		close(*r->fd);
		*r->fd = -1;
	}
}

/* ---- signals and time ---- */

static int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void note_end(struct trace *t, int status)
{
	t->bpftrace_gone = true;
	t->result.bpftrace_status = exit_status(status);
	stop(t, WIFSIGNALED(status) ? "bpftrace was killed" : "bpftrace ended");
}

static void reap(struct trace *t)
{
	int status;

	if (t->command.pid && !t->command_gone && waitpid(t->command.pid, &status, WNOHANG) == t->command.pid) {
		t->command_gone = true;
		t->result.command_status = exit_status(status);
		stop(t, "the command ended");
	}
	if (!t->bpftrace_gone && waitpid(t->bpftrace.pid, &status, WNOHANG) == t->bpftrace.pid)
		note_end(t, status);
}

static void take_signal(struct trace *t, int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		reap(t);
		return;
	}
	stop(t, info.ssi_signo == SIGINT ? "interrupted" : "terminated");
	if (++t->stop_signals > 1)
		kill_bpftrace(t);
}

/* bpftrace is ending; is it still at it? */
static void watch_stopping(struct trace *t, uint64_t now_ns)
{
	uint64_t last_ns = t->read_ns > t->stopping_ns ? t->read_ns : t->stopping_ns;

	if (now_ns < last_ns)
		return;
	if (t->bpftrace_gone && now_ns - last_ns > INT_PATIENCE_NS)
		child_close_outputs(&t->bpftrace); /* whoever else holds the pipes has nothing to say */
	else if (!t->running_ns && now_ns - t->stopping_ns > ATTACH_STOP_PATIENCE_NS)
		kill_bpftrace(t);
	else if (now_ns - last_ns > STOP_PATIENCE_NS + INT_PATIENCE_NS)
		kill_bpftrace(t);
	else if (!t->bpftrace_gone && now_ns - last_ns > STOP_PATIENCE_NS)
		kill(t->bpftrace.pid, SIGINT);
}

static void watch_attaching(struct trace *t, uint64_t now_ns)
{
	if (now_ns - t->started_ns <= t->attach_ns)
		return;
	t->attach_timed_out = true;
	stop(t, "bpftrace did not attach in time");
	kill_bpftrace(t);
}

/* The kernel removes the probes in a module that is unloaded, and tells nobody. */
static void watch_module(struct trace *t, uint64_t now_ns)
{
	if (!t->module_inode || now_ns < t->module_due_ns)
		return;
	t->module_due_ns = now_ns + MODULE_CHECK_NS;
	if (module_inode(t) != t->module_inode)
		stop(t, "the module was unloaded");
}

static void watch_time(struct trace *t)
{
	uint64_t now_ns = monotonic_ns();

	if (t->state == STATE_STOPPING)
		watch_stopping(t, now_ns);
	else if (t->state == STATE_RUNNING && t->options->duration_ns && now_ns - t->running_ns >= t->options->duration_ns)
		stop(t, "the time is up");
	else if (t->state == STATE_ATTACHING)
		watch_attaching(t, now_ns);
	else
		watch_module(t, now_ns);
	if (t->state != STATE_ATTACHING)
		progress_end(&t->progress);
	else if (t->options->progress)
		progress_show(&t->progress, "attaching, %" PRIu64 " s", (now_ns - t->started_ns) / NS_PER_S);
}

static void watch_enough(struct trace *t)
{
	const char *why = t->options->enough(t->options->context);

	if (why)
		stop(t, why);
}

static void run_loop(struct trace *t, int signal_fd)
{
	while (t->bpftrace.out_fd >= 0 || t->bpftrace.err_fd >= 0) {
		struct pollfd fds[] = {
			{ .fd = t->bpftrace.out_fd, .events = POLLIN },
			{ .fd = t->bpftrace.err_fd, .events = POLLIN },
			{ .fd = signal_fd, .events = POLLIN },
		};

		poll(fds, ARRAY_SIZE(fds), POLL_MS);
		if (fds[0].revents)
			read_lines(t, &t->out);
		if (fds[1].revents)
			read_lines(t, &t->err);
		if (fds[2].revents)
			take_signal(t, signal_fd);
		watch_time(t);
		if (t->running_ns) {
			/* by the time of the events; by the clock only when none comes, as bpftrace may lag behind it */
			release(t, !t->holds && monotonic_ns() - t->wait_ns > ORDER_WINDOW_NS ? UINT64_MAX : 0);
			flush(t);
		}
		if (t->result.take_error)
			stop(t, "the output failed");
		else if (t->options->enough && t->state == STATE_RUNNING)
			watch_enough(t);
	}
	progress_end(&t->progress);
}

static char *why_not_attached(const struct trace *t)
{
	char *all = NULL;
	size_t size;
	FILE *f = open_memstream(&all, &size);
	size_t first = t->n_tail > TAIL_LINES ? t->n_tail - TAIL_LINES : 0;

	if (!f)
		abort();
	if (t->attach_timed_out)
		fprintf(f, "bpftrace had not attached after %g s", (double)t->attach_ns / (double)NS_PER_S);
	else
		fputs("bpftrace ended before it was attached", f);
	fputs(t->n_tail ? "; it said:" : ", without a word", f);
	if (t->error && t->error_at < first)
		fprintf(f, "\n  %s\n  ...", t->error);
	for (size_t i = first; i < t->n_tail; i++)
		fprintf(f, "\n  %s", t->tail[i % TAIL_LINES]);
	fclose(f);
	return all;
}

static void collect(struct trace *t)
{
	int status = 0;

	while (!t->bpftrace_gone && waitpid(t->bpftrace.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!t->bpftrace_gone) /* its last words came before the news of its end */
		note_end(t, status);
	if (t->command.pid && !t->command_gone) {
		kill(t->command.pid, SIGTERM);
		while (waitpid(t->command.pid, &status, 0) < 0 && errno == EINTR)
			;
		t->result.command_status = exit_status(status);
	}
	child_close(&t->bpftrace);
	child_close(&t->command);
}

/* Stopper and launcher end by themselves when they are hung up on. */
static void collect_helper(struct child *c)
{
	child_hang_up(c);
	while (c->pid && waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	child_close(c);
}

static int block_signals(sigset_t *ret_old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, ret_old);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Since bpftrace 0.18 all CPUs share one ring buffer; before, each has a buffer of its own, read one after the other. */
static bool reads_each_cpu(const char *version)
{
	return bpftrace_is_older(version, "0.18");
}

/* Room for some ten thousand events. With a buffer for each CPU a large host must not give all its memory. */
static unsigned int buffer_pages(bool each_cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	unsigned int pages = 512;

	if (!each_cpu)
		return 1024;
	while (pages > 64 && pages * (unsigned long)cpus > 16384)
		pages /= 2;
	return pages;
}

/* As root nothing is run that others can change. 0 or -errno with ret_error. */
static int check_trust(const struct trace_options *options, char **ret_error)
{
	const struct program *program = &options->program;
	const char *untrusted = program->script->script->untrusted;
	CLEANUP_FREE char *why = NULL;
	int err = 0;

	for (size_t i = 0; i < program->n_parts && !untrusted; i++)
		untrusted = program->parts[i]->script->untrusted;
	if (!untrusted) {
		err = bpftrace_check(options->bpftrace, &why);
		if (!err)
			return 0;
	}
	*ret_error = xasprintf("refused, as root runs only what nobody else can change: %s; " TRUSTED_NEXT, untrusted ? untrusted : why);
	return untrusted ? -EPERM : err;
}

/* They came with 0.19. Since 0.24 bpftrace wants the types of the module that has one. */
static bool has_raw_tracepoints(const struct trace *t)
{
	return !bpftrace_is_older(t->version, "0.20") && (bpftrace_is_older(t->version, "0.24") || t->options->plan->kernel->n_btfs > 1);
}

static char *render(const struct trace *t)
{
	struct program program = t->options->program;

	program.raw_tracepoints = has_raw_tracepoints(t);
	return program_render(&program);
}

static int start(struct trace *t, char **ret_error)
{
	CLEANUP_FREE char *program = render(t);
	CLEANUP_FREE char *traceable = symbols_traceable(&t->options->plan->kernel->symbols);
	struct bpftrace_settings settings = {
		.kernel_btf_only = t->options->plan->kernel->n_btfs == 1,
		.map_keys = t->options->map_keys,
		.traceable = traceable,
	};
	struct strings params = { 0 };
	/* the launcher first: it would hold the others' pipes */
	int err = t->options->command ? command_prepare(t->options->command, t->options->command_stdout, &t->launcher) : 0;

	if (!err)
		err = stopper_start(&t->stopper);
	if (err) {
		*ret_error = xasprintf("a process cannot be started: %s", strerror(-err));
		return err;
	}
	program_params(&t->options->program.filter, (uint32_t)t->stopper.pid, &params);
	settings.buffer_pages = buffer_pages(reads_each_cpu(t->version)) * (t->holds ? 4 : 1);
	err = bpftrace_start(t->options->bpftrace, program, &params, &settings, &t->bpftrace, ret_error);
	strings_done(&params);
	if (err)
		return err;
	err = t->options->stays_root ? 0 : keeper_start(t->bpftrace.pid, t->options->replaced);
	if (err) {
		*ret_error = xasprintf("privileges cannot be dropped: %s", strerror(-err));
		kill(t->bpftrace.pid, SIGKILL);
		collect(t);
		return err;
	}
	if (write(t->bpftrace.in_fd, READY_LINE "\n", strlen(READY_LINE) + 1) < 0)
		t->result.balance.malformed++;
	return 0;
}

/* How long bpftrace may take to answer, and to attach. */
static uint64_t patience_ns(const struct trace_options *options)
{
	return options->attach_ns ? options->attach_ns : ATTACH_PATIENCE_NS;
}

/* 0 or -errno with ret_error. */
static int ask_version(const struct trace_options *options, char **ret_version, char **ret_error)
{
	CLEANUP_FREE char *why = NULL;
	char *version = bpftrace_version_within(options->bpftrace, patience_ns(options), &why);

	if (version && bpftrace_is_older(version, BPFTRACE_OLDEST))
		why = xasprintf("version %s, older than " BPFTRACE_OLDEST, version);
	else if (version && geteuid() && bpftrace_is_older(version, BPFTRACE_WITHOUT_ROOT))
		why = xasprintf("version %s needs root: run it with sudo; since " BPFTRACE_WITHOUT_ROOT " bpftrace asks for capabilities instead",
				version);
	if (why) {
		free(version);
		*ret_error = xasprintf("'%s': %s", options->bpftrace, why);
		return -ENOEXEC;
	}
	*ret_version = version;
	return 0;
}

static void trace_free(struct trace *t)
{
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(t->tail[i]);
	free(t->error);
	reader_done(&t->out.reader);
	reader_done(&t->err.reader);
	free(t->version);
	order_done(&t->order);
	free(t->lasts);
	outcomes_free(t->outcomes);
	callers_free(t->callers);
	vmnames_free(t->names);
}

/* Takes the version, which was allocated. */
static int run(const struct trace_options *options, char *version, struct trace_result *ret, char **ret_error)
{
	struct trace t = {
		.options = options,
		.bpftrace = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.command = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.stopper = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.launcher = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.result.command_status = -1,
		.version = version,
		.holds = options->hold == HOLD_ALWAYS || (options->hold == HOLD_WHERE_NEEDED && reads_each_cpu(version)),
		.attach_ns = patience_ns(options),
		.names = vmnames_new(""),
		.started_ns = monotonic_ns(),
	};
	sigset_t old;
	CLEANUP_FD int signal_fd = block_signals(&old);
	int err = 0;

	progress_start(&t.progress);
	t.module_inode = module_inode(&t);
	t.out.fd = &t.bpftrace.out_fd;
	t.err.fd = &t.bpftrace.err_fd;
	reader_init(&t.out.reader, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	reader_init(&t.err.reader, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	order_init(&t.order);
	if (t.holds)
		order_hold(&t.order);
	if (program_has_part(&options->program, "outcome"))
		t.outcomes = outcomes_new();
	if (program_has_part(&options->program, "callers")) {
		t.callers = callers_new(ret_error);
		err = t.callers ? 0 : -ELIBACC;
	}
	if (!err)
		err = start(&t, ret_error);
	if (!err) {
		run_loop(&t, signal_fd);
		collect(&t);
		if (t.running_ns) {
			let_go(&t);
			release(&t, UINT64_MAX);
			give_rest(&t);
			give_end(&t);
			flush(&t);
		} else {
			*ret_error = t.stop_signals ? xstrdup("stopped before it was attached") : why_not_attached(&t);
			err = t.stop_signals ? -EINTR : t.attach_timed_out ? -ETIMEDOUT : -EIO;
		}
	}
	collect_helper(&t.stopper);
	collect_helper(&t.launcher);
	keeper_stop();
	*ret = t.result;
	trace_free(&t);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

int trace_run(const struct trace_options *options, struct trace_result *ret, char **ret_error)
{
	char *version;
	int err = check_trust(options, ret_error);

	if (!err)
		err = ask_version(options, &version, ret_error); /* which may hang: a signal still ends us here */
	return err ? err : run(options, version, ret, ret_error);
}
