// SPDX-License-Identifier: Apache-2.0
// A trace from start to end: starts bpftrace, the command and the root helper, reads the lines of bpftrace, and ends all of them.
#include "live/session.h"

#include "base/clock.h"
#include "base/line_reader.h"
#include "base/process.h"
#include "base/progress.h"
#include "base/text.h"
#include "live/attempt.h"
#include "live/child.h"
#include "live/intake.h"
#include "live/message_log.h"
#include "live/root_helper.h"
#include "live/session_check.h"
#include "live/session_record.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READY_LINE "kvmwait-ready"
#define LINE_LIMIT_BYTES 65536u
#define PART_SHOWN_BYTES 200u
/* After the end bpftrace drains its buffers. When it has printed nothing for this long it gets SIGINT, then SIGKILL. */
#define STOP_PATIENCE_NS (60 * NS_PER_S)
#define INT_PATIENCE_NS (10 * NS_PER_S)
/* Before the probes are attached there is nothing to drain. */
#define ATTACH_STOP_PATIENCE_NS (3 * NS_PER_S)
#define MODULE_CHECK_NS (NS_PER_S / 2)
#define POLL_MS 100
#define AUDIT_NS NS_PER_S /* how often KVM's own counters are read, for VMs that end without their last count */

enum state {
	STATE_ATTACHING,
	STATE_RUNNING,
	STATE_STOPPING,
};

struct session {
	const struct session_options *options;
	struct session_result result;
	enum state state;
	struct child bpftrace, stopper, command;
	struct child launcher; /* of the command, until it runs */
	struct child spare;    /* the next attempt at bpftrace, until the probes are attached */
	bool bpftrace_gone, command_gone;
	struct line_reader out, err;
	struct intake intake;
	struct message_log log;
	char *version;	    /* of bpftrace */
	struct tracer tracer; /* what that version needs */
	struct attempt attempts[ATTEMPTS_MAX]; /* of bpftrace and of the spare */
	char *programs[ATTEMPTS_MAX];
	bool denied; /* bpftrace said that a capability is missing */
	uint64_t attach_ns; /* how long attaching may take */
	uint64_t started_ns, running_ns, stopping_ns;
	uint64_t read_ns;	/* when bpftrace last printed anything */
	ino_t module_inode;	/* of the probed module; 0: built in, or sysfs has none */
	uint64_t audit_due_ns; /* when to read KVM's own counters next */
	uint64_t module_due_ns; /* when to look next whether it is still loaded */
	bool attach_timed_out;
	int stop_signals;
	struct progress progress; /* of attaching */
};

bool session_balances(const struct session_result *r)
{
	return r->balance.have_counted && !balance_off(&r->balance) && !r->balance.malformed;
}

/* ---- lines in ---- */

/* A module that is unloaded and loaded again has another inode. */
static ino_t module_inode(const struct session *t)
{
	CLEANUP_FREE char *path = xasprintf("/sys/module/%s", t->options->program.script->script->module);
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* Kills the process group: bpftrace, the command it runs, and a program that bpftrace may be wrapped in. */
static void kill_bpftrace(const struct session *t)
{
	if (!t->bpftrace_gone)
		kill(-t->bpftrace.pid, SIGKILL);
}

static void stop(struct session *t, const char *why)
{
	t->result.unloaded |= t->state != STATE_STOPPING && t->module_inode && module_inode(t) != t->module_inode;
	if (!t->result.why)
		t->result.why = t->result.unloaded ? "the module was unloaded" : why;
	if (t->state == STATE_STOPPING)
		return;
	if (t->state == STATE_RUNNING)
		kept_counters_read(t->intake.kept, AUDIT_ENDING);
	t->state = STATE_STOPPING;
	t->stopping_ns = monotonic_ns();
	/* Events can come faster than bpftrace reads them, so the scripts stop first: they watch for the end of the stopper. */
	child_hang_up(&t->stopper);
	if ((t->options->reads_maps || program_has_part(&t->options->program, "stat")) && !t->bpftrace_gone)
		t->result.missed = root_helper_missed(t->bpftrace.pid);
	child_hang_up(&t->bpftrace);
	if (t->command.pid && !t->command_gone)
		kill(t->command.pid, SIGTERM);
}

/* A process that waits on its pipe ends when the pipe is closed. */
static void collect_waiting(struct child *c)
{
	child_hang_up(c);
	if (c->pid)
		process_wait(c->pid);
	child_close(c);
}

static void begin_running(struct session *t)
{
	t->running_ns = monotonic_ns();
	collect_waiting(&t->spare);
	if (t->options->attached)
		t->options->attached(t->options->context, t->programs[0]);
	intake_give(&t->intake, RECORD_META, session_record_meta(t->options->plan, &t->options->program, t->version));
	intake_flush(&t->intake);
	if (t->state == STATE_STOPPING)
		return;
	t->state = STATE_RUNNING;
	kept_counters_read(t->intake.kept, AUDIT_BEGUN);
	if (t->options->audited)
		t->options->audited(t->options->context, t->intake.kept);
	t->audit_due_ns = t->running_ns + AUDIT_NS;
	if (t->options->command) {
		int err = command_start(&t->launcher);

		t->command = t->launcher;
		t->launcher = (struct child){ .in_fd = -1, .out_fd = -1, .err_fd = -1 };
		if (err) {
			t->result.command_error = err;
			t->result.command_status = 127;
			stop(t, "the command could not be run");
		}
	}
	if (!t->options->reads_maps)
		child_wait_turns(0);
}

static void keep_message(struct session *t, const char *line, size_t n)
{
	const char *clean = message_log_add(&t->log, line, n);

	t->denied |= tracer_is_denied(&t->tracer, clean);
	if (t->options->message)
		t->options->message(t->options->context, clean);
}

static void take_line(struct session *t, const char *line, size_t n, bool from_stdout)
{
	if (from_stdout && !t->running_ns && n == strlen(READY_LINE) && !memcmp(line, READY_LINE, n)) {
		begin_running(t);
		return;
	}
	switch (intake_take(&t->intake, line, n, from_stdout, t->read_ns)) {
	case INTAKE_TAKEN:
		break;
	case INTAKE_SCRIPT_BEGINS:
		if (t->options->reads_maps)
			t->result.priority_error = root_helper_go_first(t->bpftrace.pid);
		else
			root_helper_wait_turns(t->bpftrace.pid);
		break;
	case INTAKE_MESSAGE:
		keep_message(t, line, n);
		break;
	}
}

static void take_lines(struct session *t, struct line_reader *r)
{
	enum line_found found;
	char *line;
	size_t n;

	while ((found = line_reader_take(r, &line, &n)) != LINE_NONE) {
		if (found == LINE_WHOLE) {
			take_line(t, line, n, r == &t->out);
			continue;
		}
		intake_take_part(&t->intake, line, n, r == &t->out);
		keep_message(t, line, n < PART_SHOWN_BYTES ? n : PART_SHOWN_BYTES);
	}
}

/* At the end *fd is closed, and -1. */
static void read_lines(struct session *t, struct line_reader *r, int *fd)
{
	int more;

	r->fd = *fd;
	more = line_reader_fill(r);
	t->read_ns = monotonic_ns();
	take_lines(t, r);
	if (more <= 0) {
		close(*fd);
		*fd = -1;
	}
}

/* ---- signals and time ---- */

static void note_end(struct session *t, int status)
{
	t->bpftrace_gone = true;
	t->result.bpftrace_status = process_exit_code(status);
	if (t->state == STATE_ATTACHING && t->spare.pid)
		return; /* Its last words may be unread: they decide whether the spare is used, see try_spare(). */
	stop(t, WIFSIGNALED(status) ? "bpftrace was killed" : "bpftrace ended");
}

static void reap(struct session *t)
{
	int status;

	if (t->command.pid && !t->command_gone && process_has_ended(t->command.pid, &status)) {
		t->command_gone = true;
		t->result.command_status = process_exit_code(status);
		stop(t, "the command ended");
	}
	if (!t->bpftrace_gone && process_has_ended(t->bpftrace.pid, &status))
		note_end(t, status);
}

static void take_signal(struct session *t, int fd)
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

static void watch_stopping(struct session *t, uint64_t now_ns)
{
	uint64_t last_ns = t->read_ns > t->stopping_ns ? t->read_ns : t->stopping_ns;

	if (now_ns < last_ns)
		return;
	if (t->bpftrace_gone && now_ns - last_ns > INT_PATIENCE_NS)
		child_close_outputs(&t->bpftrace); /* another process holds the pipes */
	else if (!t->running_ns && now_ns - t->stopping_ns > ATTACH_STOP_PATIENCE_NS)
		kill_bpftrace(t);
	else if (now_ns - last_ns > STOP_PATIENCE_NS + INT_PATIENCE_NS)
		kill_bpftrace(t);
	else if (!t->bpftrace_gone && now_ns - last_ns > STOP_PATIENCE_NS)
		kill(t->bpftrace.pid, SIGINT);
}

static void watch_attaching(struct session *t, uint64_t now_ns)
{
	uint64_t last_ns = t->read_ns > t->started_ns ? t->read_ns : t->started_ns;

	if (t->bpftrace_gone && now_ns > last_ns + INT_PATIENCE_NS)
		child_close_outputs(&t->bpftrace); /* another process holds the pipes */
	if (now_ns - t->started_ns <= t->attach_ns)
		return;
	t->attach_timed_out = true;
	stop(t, "bpftrace did not attach in time");
	kill_bpftrace(t);
}

/* When a module is unloaded the kernel removes the probes in it, without a notice. */
static void watch_module(struct session *t, uint64_t now_ns)
{
	if (!t->module_inode || now_ns < t->module_due_ns)
		return;
	t->module_due_ns = now_ns + MODULE_CHECK_NS;
	if (module_inode(t) != t->module_inode)
		stop(t, "the module was unloaded");
}

static void watch_counters(struct session *t, uint64_t now_ns)
{
	if (now_ns < t->audit_due_ns)
		return;
	t->audit_due_ns = now_ns + AUDIT_NS;
	kept_counters_read(t->intake.kept, AUDIT_RUNNING);
}

static void watch_time(struct session *t)
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
	if (t->state == STATE_RUNNING)
		watch_counters(t, now_ns);
	if (t->state != STATE_ATTACHING)
		progress_end(&t->progress);
	else if (t->options->progress)
		progress_show(&t->progress, "attaching, %" PRIu64 " s", (now_ns - t->started_ns) / NS_PER_S);
}

static void watch_enough(struct session *t)
{
	const char *why = t->options->enough(t->options->context);

	if (why)
		stop(t, why);
}

static void run_loop(struct session *t, int signal_fd)
{
	while (t->bpftrace.out_fd >= 0 || t->bpftrace.err_fd >= 0) {
		struct pollfd fds[] = {
			{ .fd = t->bpftrace.out_fd, .events = POLLIN },
			{ .fd = t->bpftrace.err_fd, .events = POLLIN },
			{ .fd = signal_fd, .events = POLLIN },
		};

		poll(fds, ARRAY_SIZE(fds), POLL_MS);
		if (fds[0].revents)
			read_lines(t, &t->out, &t->bpftrace.out_fd);
		if (fds[1].revents)
			read_lines(t, &t->err, &t->bpftrace.err_fd);
		if (fds[2].revents)
			take_signal(t, signal_fd);
		watch_time(t);
		if (t->running_ns)
			intake_release(&t->intake, monotonic_ns());
		if (t->intake.error)
			stop(t, "the output failed");
		else if (t->options->enough && t->state == STATE_RUNNING)
			watch_enough(t);
	}
	progress_end(&t->progress);
}

static char *why_not_attached(const struct session *t)
{
	CLEANUP_FREE char *late = xasprintf("bpftrace had not attached its probes after %g s", (double)t->attach_ns / (double)NS_PER_S);

	return message_log_quote(&t->log, t->attach_timed_out ? late : "bpftrace ended before it attached its probes");
}

static void collect_bpftrace(struct session *t)
{
	if (!t->bpftrace_gone)
		note_end(t, process_wait(t->bpftrace.pid));
	child_close(&t->bpftrace);
}

static void collect_command(struct session *t)
{
	if (t->command.pid && !t->command_gone) {
		kill(t->command.pid, SIGTERM);
		t->result.command_status = process_exit_code(process_wait(t->command.pid));
	}
	child_close(&t->command);
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

/* Starts bpftrace with each of the attempts; all but the first wait. */
static int start_attempts(struct session *t, char **ret_error)
{
	CLEANUP_FREE char *traceable = symbols_traceable(&t->options->plan->kernel->symbols);
	struct bpftrace_settings settings = {
		.tracer = &t->tracer,
		.map_keys = t->options->map_keys,
		.traceable = traceable,
		.buffer_pages = session_buffer_pages(t->tracer.buffers_each_cpu) * (t->intake.holds ? 4 : 1),
	};
	size_t n = attempts_make(&t->tracer, t->options->plan->kernel, t->attempts);
	struct child *const children[ATTEMPTS_MAX] = { &t->bpftrace, &t->spare };
	int err = 0;

	for (size_t i = 0; i < n && i < ARRAY_SIZE(children) && !err; i++) {
		struct program program = t->options->program;

		program.stopper = (uint32_t)t->stopper.pid;
		program.raw_tracepoints = t->attempts[i].raw_tracepoints;
		t->programs[i] = program_render(&program);
		settings.attempt = t->attempts[i];
		settings.waits = i > 0;
		err = bpftrace_start(t->options->bpftrace, t->programs[i], &settings, children[i], ret_error);
	}
	return err;
}

static int say_ready(const struct session *t)
{
	return write(t->bpftrace.in_fd, READY_LINE "\n", strlen(READY_LINE) + 1) < 0 ? -errno : 0;
}

static int start(struct session *t, char **ret_error)
{
	/* The launcher starts first, so that it does not inherit the pipes of the others. */
	int err = t->options->command ? command_prepare(t->options->command, t->options->command_stdout, &t->launcher) : 0;

	if (!err)
		err = stopper_start(&t->stopper);
	if (err) {
		*ret_error = xasprintf("a process cannot be started: %s", strerror(-err));
		return err;
	}
	err = start_attempts(t, ret_error);
	if (err)
		return err;
	err = t->options->stays_root ? 0 : root_helper_start((const pid_t[]){ t->bpftrace.pid, t->spare.pid }, t->options->replaced);
	if (err)
		*ret_error = xasprintf("privileges cannot be dropped: %s", strerror(-err));
	else if (t->options->unprivileged)
		err = t->options->unprivileged(t->options->context, ret_error);
	if (err) {
		kill(t->bpftrace.pid, SIGKILL);
		collect_bpftrace(t);
		return err;
	}
	if (say_ready(t))
		t->intake.balance.malformed++;
	return 0;
}

/*
 * bpftrace has ended before its probes were attached: lets the spare run in its place, where a capability was missing. False:
 * there is nothing more to try.
 */
static bool try_spare(struct session *t)
{
	if (t->running_ns || t->state != STATE_ATTACHING || !t->spare.pid)
		return false;
	if (!t->denied || child_go(&t->spare)) {
		stop(t, "bpftrace ended");
		return false;
	}
	if (t->options->remark)
		t->options->remark("bpftrace lacks a capability: it is started again with CAP_SYS_ADMIN");
	t->bpftrace = t->spare;
	t->spare = (struct child){ .in_fd = -1, .out_fd = -1, .err_fd = -1 };
	t->bpftrace_gone = t->denied = false;
	t->result.bpftrace_status = 0;
	free(t->programs[0]);
	t->programs[0] = t->programs[1];
	t->programs[1] = NULL;
	line_reader_done(&t->out);
	line_reader_done(&t->err);
	line_reader_init(&t->out, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	line_reader_init(&t->err, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	message_log_done(&t->log);
	t->log = (struct message_log){ 0 };
	progress_start(&t->progress);
	if (say_ready(t))
		t->intake.balance.malformed++;
	return true;
}

/* The ends of the records, after bpftrace has ended. 0, or -errno with ret_error where the probes were never attached. */
static int finish(struct session *t, char **ret_error)
{
	if (t->running_ns) {
		intake_finish(&t->intake);
		t->result.balance = t->intake.balance;
		kept_counters_read(t->intake.kept, AUDIT_AFTER);
		t->result.audit = kept_counters_judge(t->intake.kept, t->intake.balance.lost, t->options->waits_of, t->options->context,
						      t->result.audit_differs);
		intake_give(&t->intake, RECORD_END, session_record_end(&t->result));
		intake_flush(&t->intake);
		t->result.take_error = t->intake.error;
		return 0;
	}
	if (t->stop_signals) {
		*ret_error = xstrdup("stopped before the probes were attached");
		return -EINTR;
	}
	*ret_error = why_not_attached(t);
	return t->attach_timed_out ? -ETIMEDOUT : -EIO;
}

static void session_done(struct session *t)
{
	intake_done(&t->intake);
	message_log_done(&t->log);
	line_reader_done(&t->out);
	line_reader_done(&t->err);
	for (size_t i = 0; i < ATTEMPTS_MAX; i++)
		free(t->programs[i]);
	free(t->version);
}

/* Frees the version. */
static int run(const struct session_options *options, char *version, const struct tracer *tracer, struct session_result *ret,
	       char **ret_error)
{
	struct session t = {
		.options = options,
		.bpftrace = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.command = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.stopper = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.launcher = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.spare = { .in_fd = -1, .out_fd = -1, .err_fd = -1 },
		.result.command_status = -1,
		.version = version,
		.tracer = *tracer,
		.attach_ns = session_patience_ns(options),
		.started_ns = monotonic_ns(),
	};
	bool holds = options->hold == SESSION_HOLD_ALWAYS || (options->hold == SESSION_HOLD_WHERE_NEEDED && tracer->buffers_each_cpu);
	sigset_t old;
	CLEANUP_FD int signal_fd = block_signals(&old);
	int err;

	progress_start(&t.progress);
	t.module_inode = module_inode(&t);
	line_reader_init(&t.out, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	line_reader_init(&t.err, -1, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	err = intake_init(&t.intake, options, holds, ret_error);
	if (!err)
		err = start(&t, ret_error);
	if (!err) {
		do {
			run_loop(&t, signal_fd);
			collect_bpftrace(&t);
		} while (try_spare(&t));
		collect_command(&t);
		err = finish(&t, ret_error);
	}
	collect_waiting(&t.spare);
	collect_waiting(&t.stopper);
	collect_waiting(&t.launcher);
	root_helper_stop();
	*ret = t.result;
	session_done(&t);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}

int session_run(const struct session_options *options, struct session_result *ret, char **ret_error)
{
	struct tracer tracer;
	char *version;
	int err = session_check_trust(options, ret_error);

	if (!err)
		err = session_ask_version(options, &version, &tracer, ret_error); /* Signals are not blocked yet: bpftrace may hang here. */
	return err ? err : run(options, version, &tracer, ret, ret_error);
}
