// SPDX-License-Identifier: Apache-2.0
// Child processes: bpftrace with a program in memory, and the command that is traced. None outlives its parent.
#include "live/child.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/privilege.h"
#include "base/process.h"
#include "base/program_find.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "record/event.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_FD 3
#define TRACEABLE_FD 4
#define VERSION_PATIENCE_NS (60 * NS_PER_S)

char *bpftrace_find(const char *given)
{
	if (given)
		return access(given, X_OK) ? NULL : xstrdup(given);
	return program_find("bpftrace");
}

char *bpftrace_command(void)
{
	char *path = program_find("cat");

	if (path && path[strcspn(path, " \t")]) { /* bpftrace splits its command at blanks */
		free(path);
		return NULL;
	}
	return path;
}

int bpftrace_check(const char *path, char **ret_why)
{
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FD int fd = geteuid() ? -1 : trusted_open(path, O_PATH, &why);

	if (geteuid() || fd >= 0)
		return 0;
	*ret_why = why ? xstrdup(why) : xstrdup(strerror(-fd));
	return fd;
}

/* A child whose privileges could not be limited must not go on. */
static void must(int err)
{
	static const char message[] = "kvmwait: the privileges of a child cannot be limited\n";

	if (err)
		_exit(write(STDERR_FILENO, message, sizeof(message) - 1) < 0 ? 125 : 126);
}

char *bpftrace_version(const char *path, char **ret_error)
{
	return bpftrace_version_within(path, VERSION_PATIENCE_NS, ret_error);
}

char *bpftrace_version_within(const char *path, uint64_t patience_ns, char **ret_error)
{
	char text[256];
	int out[2] = { -1, -1 };
	pid_t pid, parent = getpid();
	bool in_time;
	char *v;

	if (bpftrace_check(path, ret_error))
		return NULL;
	if (process_pipe(out)) {
		*ret_error = xstrdup(strerror(errno));
		return NULL;
	}
	pid = fork();
	if (!pid) {
		process_begin(parent, SIGKILL);
		setpgid(0, 0);
		dup2(out[1], STDOUT_FILENO);
		dup2(out[1], STDERR_FILENO);
		privilege_close_files(INT_MAX, INT_MAX);
		must(privilege_limit(0));
		execve(path, (char *const[]){ (char *)path, "--version", NULL }, (char *const[]){ PROCESS_ENVIRONMENT, NULL });
		_exit(127);
	}
	close(out[1]);
	setpgid(pid, pid);
	in_time = pid > 0 && process_read_within(out[0], text, sizeof(text), patience_ns);
	close(out[0]);
	if (pid > 0) {
		kill(-pid, SIGKILL); /* it has nothing more to say */
		process_wait(pid);
	}
	v = strstr(text, "bpftrace v");
	if (!v || v[10] < '0' || v[10] > '9') {
		char clean[4 * 80 + 1];

		text_clean(text, strcspn(text, "\n") < 80 ? strcspn(text, "\n") : 80, clean);
		*ret_error = in_time ? xasprintf("invalid answer to --version: '%s'", clean)
				     : xasprintf("it does not answer --version within %g s", (double)patience_ns / 1e9);
		return NULL;
	}
	return xstrndup(v + 10, strspn(v + 10, "0123456789."));
}

/* A file in memory that holds a text, for /proc/self/fd. */
static int text_file(const char *name, const char *text)
{
	CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC);
	int err = fd < 0 ? -errno : file_write_all(fd, text, strlen(text), NULL), high;

	if (err)
		return err;
	high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	return high < 0 ? -errno : high;
}

/* Reads one byte; false at the end of the pipe. */
static bool is_told_to_go(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static void exec_bpftrace(const char *path, const char *cat, const struct bpftrace_settings *settings,
			  const int in[2], const int out[2], const int err[2], int program_fd, int traceable_fd)
{
	char *environment[] = {
		PROCESS_ENVIRONMENT,
		xasprintf("BPFTRACE_PERF_RB_PAGES=%u", settings->buffer_pages),
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
	};
	size_t n_environment = 0;
	char **argv = xcalloc(10, sizeof(*argv));
	const char *functions = settings->tracer->functions;
	CLEANUP_FREE char *traceable = xasprintf("/proc/self/fd/%d", TRACEABLE_FD);
	size_t n = 0;

	while (environment[n_environment])
		n_environment++;
	if (settings->attempt.kernel_btf_only)
		environment[n_environment++] = (char *)"BPFTRACE_BTF=/sys/kernel/btf/vmlinux";
	if (settings->map_keys)
		environment[n_environment++] = xasprintf("%s=%u", settings->tracer->map_keys, settings->map_keys);
	if (traceable_fd >= 0 && *functions != '-')
		environment[n_environment++] = xasprintf("%s=%s", functions, traceable);
	argv[n++] = (char *)path;
	argv[n++] = "-B";
	argv[n++] = "line";
	if (traceable_fd >= 0 && *functions == '-') {
		argv[n++] = (char *)functions;
		argv[n++] = traceable;
	}
	argv[n++] = "-c";
	argv[n++] = (char *)cat;
	argv[n++] = "/proc/self/fd/3";
	/* A group of its own: Ctrl-C on the terminal is for kvmwait, which ends the trace in order. */
	setpgid(0, 0);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	dup2(err[1], STDERR_FILENO);
	dup2(program_fd, PROGRAM_FD);
	if (traceable_fd >= 0)
		dup2(traceable_fd, TRACEABLE_FD);
	privilege_close_files(PROGRAM_FD, traceable_fd < 0 ? PROGRAM_FD : TRACEABLE_FD);
	if (chdir("/"))
		_exit(126);
	/* Maps count as locked memory before 5.11. A failure shows when they are made. */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	must(privilege_limit(settings->attempt.capabilities));
	if (settings->waits && !is_told_to_go(STDIN_FILENO))
		_exit(0);
	execve(path, argv, environment);
	_exit(127);
}

int bpftrace_start(const char *path, const char *program, const struct bpftrace_settings *settings,
		   struct child *ret, char **ret_error)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	CLEANUP_FREE char *cat = bpftrace_command();
	CLEANUP_FD int program_fd = text_file("kvmwait.bt", program);
	CLEANUP_FD int traceable_fd = settings->traceable ? text_file("traceable", settings->traceable) : -1;
	pid_t pid = -1, parent = getpid();

	if (!cat) {
		*ret_error = xstrdup(CAT_IS_MISSING);
		return -ENOENT;
	}
	if (program_fd >= 0 && !process_pipe(in) && !process_pipe(out) && !process_pipe(err))
		pid = fork();
	if (pid < 0) {
		int code = -errno;

		*ret_error = xasprintf("'%s' cannot be started: %s", path, strerror(errno));
		process_close_pipe(in);
		process_close_pipe(out);
		process_close_pipe(err);
		return code ? code : -EIO;
	}
	if (!pid) {
		process_begin(parent, SIGKILL);
		exec_bpftrace(path, cat, settings, in, out, err, program_fd, traceable_fd);
	}
	setpgid(pid, pid);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	*ret = (struct child){ .pid = pid, .in_fd = in[1], .out_fd = out[0], .err_fd = err[0] };
	return 0;
}

int bpftrace_go_first(pid_t pid)
{
	const struct sched_param param = { .sched_priority = 1 };

	return sched_setscheduler(pid, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) ? -errno : 0;
}

void child_wait_turns(pid_t pid)
{
	if (sched_getscheduler(pid) == SCHED_OTHER)
		sched_setscheduler(pid, SCHED_BATCH, &(const struct sched_param){ 0 });
}

/* The number behind a name in the fdinfo of a program, or 0. */
static uint64_t fdinfo_number(const char *text, const char *name)
{
	const char *found = strstr(text, name);

	return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

uint64_t bpftrace_missed(pid_t pid)
{
	CLEANUP_FREE char *directory = xasprintf("/proc/%d/fdinfo", (int)pid);
	struct strings names = { 0 };
	uint64_t missed = 0;

	directory_list(directory, &names);
	for (size_t i = 0; i < names.n; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", directory, names.items[i]);
		CLEANUP_FREE char *text = NULL;

		if (file_read(path, 65536, &text, NULL))
			continue;
		if (fdinfo_number(text, "prog_type:") == BPF_PROG_TYPE_KPROBE)
			missed += fdinfo_number(text, "recursion_misses:");
	}
	strings_done(&names);
	return missed;
}

int stopper_start(struct child *ret)
{
	int in[2] = { -1, -1 };
	pid_t pid, parent = getpid();
	char byte;

	if (process_pipe(in))
		return -errno;
	pid = fork();
	if (!pid) {
		process_begin(parent, SIGKILL);
		setpgid(0, 0); /* Ctrl-C is for the parent */
		privilege_close_files(in[0], in[0]);
		must(privilege_drop(0));
		while (read(in[0], &byte, 1) < 0 && errno == EINTR)
			;
		_exit(0);
	}
	close(in[0]);
	if (pid < 0) {
		close(in[1]);
		return -errno;
	}
	*ret = (struct child){ .pid = pid, .in_fd = in[1], .out_fd = -1, .err_fd = -1 };
	return 0;
}

/* The first of PATH that can be run. Root does not look where somebody else decides what lies there: below here. */
static char *find_command(const char *name)
{
	const char *path = getenv("PATH");
	struct strings directories = { 0 };
	char *found = NULL;

	if (geteuid() || strchr(name, '/'))
		return xstrdup(name); /* execvp() does as it does everywhere */
	strings_split(&directories, path ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ":");
	for (size_t i = 0; i < directories.n && !found; i++) {
		char *candidate = xasprintf("%s/%s", directories.items[i], name);

		if (*candidate == '/' && !access(candidate, X_OK))
			found = candidate;
		else
			free(candidate);
	}
	strings_done(&directories);
	return found;
}

/* In the child. */
static void become_command(char *const argv[], int stdout_fd, int go_fd, int status_fd)
{
	int code = ENOENT;
	char *path;

	if (!is_told_to_go(go_fd))
		_exit(0);
	if (stdout_fd != STDOUT_FILENO)
		dup2(stdout_fd, STDOUT_FILENO);
	path = find_command(argv[0]);
	if (path) {
		execvp(path, argv);
		code = errno;
	}
	_exit(write(status_fd, &code, sizeof(code)) < 0 ? 126 : 127);
}

int command_prepare(char *const argv[], int stdout_fd, struct child *ret)
{
	int go[2] = { -1, -1 }, status[2] = { -1, -1 };
	int err = process_pipe(go);
	pid_t pid = -1, parent = getpid();

	if (!err)
		err = process_pipe(status);
	if (!err) {
		pid = fork();
		err = pid < 0 ? -errno : 0;
	}
	if (!pid) {
		process_begin(parent, SIGTERM);
		close(go[1]);
		become_command(argv, stdout_fd, go[0], status[1]);
	}
	if (err) {
		process_close_pipe(go);
		process_close_pipe(status);
		return err;
	}
	close(go[0]);
	close(status[1]);
	*ret = (struct child){ .pid = pid, .in_fd = go[1], .out_fd = status[0], .err_fd = -1 };
	return 0;
}

int command_start(struct child *c)
{
	int code = 0;

	if (child_go(c))
		code = EPIPE;
	else if (read(c->out_fd, &code, sizeof(code)) != (ssize_t)sizeof(code))
		code = 0;
	child_hang_up(c);
	close(c->out_fd);
	c->out_fd = -1;
	if (!code)
		return 0;
	process_wait(c->pid);
	c->pid = 0;
	return -code;
}

int child_go(const struct child *c)
{
	return write(c->in_fd, "", 1) == 1 ? 0 : -EPIPE;
}

void child_hang_up(struct child *c)
{
	if (c->in_fd >= 0)
		close(c->in_fd);
	c->in_fd = -1;
}

void child_close_outputs(struct child *c)
{
	int *fds[] = { &c->out_fd, &c->err_fd };

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

void child_close(struct child *c)
{
	child_hang_up(c);
	child_close_outputs(c);
	c->pid = 0;
}
