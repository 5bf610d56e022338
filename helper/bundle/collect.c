// SPDX-License-Identifier: Apache-2.0
// Collecting what a bundle's list names: each item in a process of its own, which may take its time and its room and no more.
#include "bundle/collect.h"

#include "base/clock.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "bundle/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 100
#define SAID_BYTES 4096
#define TOLD_LIMIT_BYTES (64u << 20) /* what is told of files does not count */
#define LAST_MS 1000 /* for what is still in the pipes when a process has ended */

struct job {
	struct bundle *b;
	const struct bundle_item *item;
	const struct collector *c;
	char *staged;	      /* "INDEX", where the output goes */
	uint64_t limit_bytes; /* of what may come */
	/* while it runs */
	pid_t pid;
	int out, err; /* pipes; -1: at their end */
	int file;
	uint64_t started_ns, due_ns, killed_ns;
	bool ended, stopped, timed_out, too_much;
	int status, write_error;
	uint64_t bytes;
	char said[SAID_BYTES + 1];
	size_t n_said;
};

/* ---- the process ---- */

__attribute__((noreturn)) static void become_item(const struct job *j, const int out[2], const int err[2], pid_t parent)
{
	CLEANUP_FREE char *path = bundle_staged_path(j->b, j->staged);
	const struct rlimit size = { j->limit_bytes, j->limit_bytes };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGCHLD };
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0); /* Ctrl-C on the terminal is for the parent, which ends the group */
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
	process_begin(parent, SIGKILL);
	signal(SIGXFSZ, SIG_IGN); /* a write fails with EFBIG, which programs report */
	signal(SIGPIPE, SIG_IGN); /* as in the parent: a command of kvmwait may run here */
	dup2(null, STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(j->item->kind == BUNDLE_TALK ? out[1] : err[1], STDERR_FILENO);
	setrlimit(RLIMIT_FSIZE, &size);
	if (j->item->kind == BUNDLE_FILE)
		bundle_files(j->item, path, j->limit_bytes);
	if (j->item->kind == BUNDLE_CGROUPS)
		bundle_cgroups(j->item, path, j->limit_bytes);
	if (j->item->kind == BUNDLE_LINES)
		bundle_lines(j->item);
	if (j->item->kind == BUNDLE_VMS)
		bundle_vms();
	bundle_program(j->item, j->c, path, j->limit_bytes);
}

static int start(struct job *j)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	pid_t parent = getpid();

	fflush(NULL); /* what is buffered must not be written twice */
	if (process_pipe(out) || process_pipe(err) || (j->pid = fork()) < 0) {
		int code = -errno;

		process_close_pipe(out);
		process_close_pipe(err);
		return code;
	}
	if (!j->pid)
		become_item(j, out, err, parent);
	setpgid(j->pid, j->pid);
	close(out[1]);
	close(err[1]);
	j->out = out[0];
	j->err = err[0];
	return 0;
}

/* ---- its output ---- */

static void keep_output(struct job *j, const char *data, size_t n)
{
	uint64_t left = (bundle_item_copies(j->item) ? TOLD_LIMIT_BYTES : j->limit_bytes) - j->bytes;
	size_t take = n < left ? n : (size_t)left;

	if (!j->write_error)
		j->write_error = -file_write_all(j->file, data, take, NULL);
	j->bytes += take;
	j->too_much |= take < n;
}

/* The beginning of what it says: the cause comes first, and what follows is more of the same. */
static void keep_said(struct job *j, const char *data, size_t n)
{
	size_t take = n < SAID_BYTES - j->n_said ? n : SAID_BYTES - j->n_said;

	memcpy(j->said + j->n_said, data, take);
	j->n_said += take;
}

static void read_pipe(struct job *j, int *fd)
{
	char piece[1 << 16];
	ssize_t n = read(*fd, piece, sizeof(piece));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
	} else if (fd == &j->out) {
		keep_output(j, piece, (size_t)n);
	} else {
		keep_said(j, piece, (size_t)n);
	}
}

/* Reads what there is, for a moment. */
static void read_pipes(struct job *j, int patience_ms)
{
	struct pollfd fds[] = { { .fd = j->out, .events = POLLIN }, { .fd = j->err, .events = POLLIN } };

	if (poll(fds, ARRAY_SIZE(fds), patience_ms) <= 0)
		return;
	if (fds[0].revents)
		read_pipe(j, &j->out);
	if (fds[1].revents)
		read_pipe(j, &j->err);
}

/* Whoever writes too much is killed at once; others get SIGTERM first, so that a recording gets its end record. */
static void end_group(struct job *j)
{
	if (j->too_much)
		kill(-j->pid, SIGKILL);
	else
		process_end_group(j->pid, &j->killed_ns);
}

static void attend(struct job *j)
{
	while (!j->ended) {
		read_pipes(j, j->out < 0 && j->err < 0 ? TICK_MS / 5 : TICK_MS);
		j->c->tick(j->item->name);
		j->stopped |= j->c->stop();
		j->timed_out |= monotonic_ns() > j->due_ns;
		if (j->stopped || j->timed_out || j->too_much || j->write_error)
			end_group(j);
		j->ended = process_has_ended(j->pid, &j->status);
	}
	kill(-j->pid, SIGKILL); /* whatever it left behind; the group may be gone, and its number is not given anew so soon */
	for (uint64_t until = monotonic_ns() + LAST_MS * NS_PER_MS; (j->out >= 0 || j->err >= 0) && monotonic_ns() < until;)
		read_pipes(j, TICK_MS / 5);
	if (j->out >= 0)
		close(j->out);
	if (j->err >= 0)
		close(j->err);
	trim_end(j->said);
}

/* ---- what came of it ---- */

static char *first_line(const char *text)
{
	return xstrndup(text, strcspn(text, "\n"));
}

/* Why an item failed or came short; NULL where all went well. The caller frees. */
static char *reason(const struct job *j)
{
	CLEANUP_FREE char *said = first_line(starts_with(j->said, "kvmwait: ") ? j->said + 9 : j->said);
	const char *colon = *said ? ": " : "";

	if (j->write_error)
		return xasprintf("its output cannot be written: %s", strerror(j->write_error));
	if (j->too_much)
		return xasprintf("cut after %" PRIu64 " bytes, the size limit of this item", j->limit_bytes);
	if (j->timed_out)
		return xasprintf("ended after %" PRIu64 " s, the time limit of this item%s%s", (j->due_ns - j->started_ns) / NS_PER_S, colon, said);
	if (WIFSIGNALED(j->status))
		return xasprintf("ended by signal %d%s%s", WTERMSIG(j->status), colon, said);
	if (WEXITSTATUS(j->status))
		return xasprintf("exit status %d%s%s", WEXITSTATUS(j->status), colon, said);
	return NULL;
}

static char *command_text(const struct bundle_item *item)
{
	if (item->kind == BUNDLE_LINES)
		return xstrdup(item->words.items[0]);
	return item->kind == BUNDLE_VMS ? xstrdup("/proc") : strings_join(&item->words, " ");
}

static void add_one(struct job *j)
{
	CLEANUP_FREE char *path = bundle_staged_path(j->b, j->staged);
	char *why = reason(j);
	struct stat st;
	bool there = !lstat(path, &st) && S_ISREG(st.st_mode) && (st.st_size || !why);
	bool short_of = j->too_much || j->timed_out;

	if (!there && !why)
		why = xstrdup("it wrote no file");
	if (there)
		j->b->size_bytes += (uint64_t)st.st_size;
	bundle_add(j->b, j->item, "", command_text(j->item), there ? xstrdup(j->staged) : NULL,
		   !why ? BUNDLE_OK : there && short_of ? BUNDLE_TRUNCATED : BUNDLE_FAILED, why);
}

/* Of each file, what the process told. */
static void add_files(struct job *j)
{
	CLEANUP_FREE char *path = bundle_staged_path(j->b, j->staged);
	CLEANUP_FREE char *told = NULL;
	size_t size = 0, i = 0;
	char *why = reason(j);

	file_read(path, TOLD_LIMIT_BYTES, &told, &size);
	unlink(path);
	while (told && size - i > sizeof(struct bundle_told)) {
		struct bundle_told one;
		const char *source = told + i + sizeof(one);
		char *staged, *cause = NULL;
		struct stat st;

		memcpy(&one, told + i, sizeof(one));
		i += sizeof(one) + strlen(source) + 1;
		staged = one.number >= 0 ? xasprintf("%s.%d", j->staged, one.number) : NULL;
		if (staged) {
			CLEANUP_FREE char *file = bundle_staged_path(j->b, staged);

			j->b->size_bytes += lstat(file, &st) ? 0 : (uint64_t)st.st_size;
		}
		if (one.truncated)
			cause = xstrdup("cut: the size limit of this item is reached");
		else if (one.error)
			cause = xstrdup(one.error == EFBIG ? "left out: the size limit of this item is reached" : strerror(one.error));
		bundle_add(j->b, j->item, bundle_item_is_many(j->item) ? source : "", xstrdup(source), staged,
			   one.truncated		     ? BUNDLE_TRUNCATED
			   : one.error == ENOENT ? BUNDLE_ABSENT
			   : one.error	     ? BUNDLE_FAILED
					     : BUNDLE_OK,
			   cause);
	}
	if (why)
		bundle_add(j->b, j->item, "", strings_join(&j->item->words, " "), NULL, BUNDLE_FAILED, why);
}

/* Adds an entry for each file that a program left in its directory. */
static void add_tree(struct job *j)
{
	CLEANUP_FREE char *path = bundle_staged_path(j->b, j->staged);
	struct strings files = { 0 };
	uint64_t bytes = 0;
	char *why = reason(j);

	directory_files(path, &files);
	for (size_t i = 0; i < files.n; i++) {
		CLEANUP_FREE char *full = xasprintf("%s%s", path, files.items[i]);
		struct stat st = { 0 };
		bool room = !lstat(full, &st) && bytes + (uint64_t)st.st_size <= j->limit_bytes;

		bytes += room ? (uint64_t)st.st_size : 0;
		bundle_add(j->b, j->item, files.items[i], command_text(j->item), room ? xasprintf("%s%s", j->staged, files.items[i]) : NULL,
			   room ? BUNDLE_OK : BUNDLE_FAILED, room ? NULL : xstrdup("left out: the size limit of this item is reached"));
	}
	j->b->size_bytes += bytes;
	if (why || !files.n)
		bundle_add(j->b, j->item, "", command_text(j->item), NULL, BUNDLE_FAILED, why ? why : xstrdup("it wrote no file"));
	strings_done(&files);
}

static void log_item(const struct job *j, size_t n_before)
{
	const struct bundle *b = j->b;
	size_t n_bad = 0;

	for (size_t i = n_before; i < b->n; i++)
		n_bad += b->entries[i].status != BUNDLE_OK && b->entries[i].status != BUNDLE_ABSENT;
	fprintf(j->c->log, "%s: %zu of %zu well, after %" PRIu64 " ms\n", j->item->name, b->n - n_before - n_bad, b->n - n_before,
		b->n > n_before ? b->entries[n_before].took_ms : 0);
	for (size_t i = n_before; i < b->n; i++)
		if (b->entries[i].why)
			fprintf(j->c->log, "  %s: %s\n", b->entries[i].source ? b->entries[i].source : "", b->entries[i].why);
	if (*j->said)
		fprintf(j->c->log, "  it said:\n%s\n", j->said);
}

/* Runs it; its entries are added whatever happens. */
static int collect(struct job *j)
{
	CLEANUP_FREE char *path = bundle_staged_path(j->b, j->staged);
	bool tree = bundle_item_is_many(j->item) && !bundle_item_copies(j->item);
	bool writes = j->item->kind >= BUNDLE_RUN && bundle_item_writes(j->item);
	CLEANUP_FREE char *talk = writes ? xasprintf("%s/said", j->b->directory) : xstrdup(path);
	int err = 0;

	if (tree && mkdir(path, 0700))
		err = -errno;
	j->file = err ? -1 : open(talk, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (!err && j->file < 0)
		err = -errno;
	if (!err)
		err = start(j);
	if (!err)
		attend(j);
	if (j->file >= 0)
		close(j->file);
	if (writes)
		unlink(talk);
	if (j->stopped)
		return -EINTR;
	if (err)
		bundle_add(j->b, j->item, "", command_text(j->item), NULL, BUNDLE_FAILED, xasprintf("it cannot be started: %s", strerror(-err)));
	else if (tree)
		add_tree(j);
	else if (bundle_item_copies(j->item))
		add_files(j);
	else
		add_one(j);
	return 0;
}

int bundle_collect(struct bundle *b, const struct bundle_item *item, size_t index, const struct collector *c)
{
	uint64_t left_bytes = b->max_bytes - (b->size_bytes < b->max_bytes ? b->size_bytes : b->max_bytes);
	CLEANUP_FREE char *staged = xasprintf("%zu", index);
	CLEANUP_FREE struct job *j = xcalloc(1, sizeof(*j));
	size_t n_before = b->n;
	uint64_t took_ms;
	int err = 0;

	*j = (struct job){ .b = b, .item = item, .c = c, .staged = staged, .out = -1, .err = -1, .started_ns = monotonic_ns() };
	j->limit_bytes = item->size_bytes < left_bytes ? item->size_bytes : left_bytes;
	j->due_ns = j->started_ns + (item->seconds + item->durations * c->duration_s) * NS_PER_S;
	if (j->due_ns > c->deadline_ns)
		j->due_ns = c->deadline_ns;
	if (c->stop())
		return -EINTR;
	if (!left_bytes)
		bundle_add(b, item, "", command_text(item), NULL, BUNDLE_FAILED, xstrdup("left out: the bundle has its maximum size"));
	else if (j->started_ns >= c->deadline_ns)
		bundle_add(b, item, "", command_text(item), NULL, BUNDLE_FAILED, xstrdup("left out: the time limit of the bundle is reached"));
	else
		err = collect(j);
	took_ms = (monotonic_ns() - j->started_ns) / NS_PER_MS;
	for (size_t i = n_before; i < b->n; i++)
		b->entries[i].took_ms = took_ms;
	log_item(j, n_before);
	return err;
}
