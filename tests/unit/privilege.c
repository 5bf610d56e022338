// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/privilege.c, live/root_helper.c and the children of child.c: what each process has left, on this kernel. As
// another user than root most of it has nothing to give up, and that is tested then.
#include "unit.h"

#include "base/file.h"
#include "base/privilege.h"
#include "base/text.h"
#include "live/child.h"
#include "live/root_helper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* In a process of its own, since nothing that is dropped comes back. It ends with 0 where all is as it should be. */
static void in_child(void (*run)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		run();
		_exit(0);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
}

/* In such a process: a failure is told by its line. */
#define MUST(condition)                                                                       \
	do {                                                                                  \
		if (!(condition)) {                                                           \
			printf("     %s:%d: %s\n", __FILE__, __LINE__, #condition);           \
			fflush(stdout);                                                       \
			_exit(1);                                                             \
		}                                                                             \
	} while (0)

static uint64_t bounds(void)
{
	uint64_t set = 0;

	for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) > 0)
			set |= PRIVILEGE(i);
	return set;
}

static bool was_root;

static void drops_all(void)
{
	MUST(!privilege_drop(0));
	if (!was_root)
		_exit(0);
	MUST(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534 && !getgroups(0, NULL));
	MUST(!privilege_effective() && !bounds());
	MUST(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	MUST(setuid(0) < 0);
	MUST(open("/etc/shadow", O_RDONLY) < 0);
}

static void keeps_what_it_is_told(void)
{
	MUST(!privilege_drop(PRIVILEGE_TO_READ));
	if (!was_root)
		_exit(0);
	MUST(getuid() == 65534);
	MUST(!(privilege_effective() & ~PRIVILEGE_TO_READ));
	MUST(access("/etc/passwd", W_OK) < 0);
}

static void stays_root_with_little(void)
{
	uint64_t had = privilege_effective();

	MUST(!privilege_limit(PRIVILEGE(CAP_KILL)));
	if (!was_root)
		_exit(0);
	MUST(!getuid());
	MUST(privilege_effective() == (had & PRIVILEGE(CAP_KILL)));
	MUST(!(bounds() & ~PRIVILEGE(CAP_KILL)));
}

static void closes_files(void)
{
	int first = open("/dev/null", O_RDONLY), second = open("/dev/null", O_RDONLY), third = open("/dev/null", O_RDONLY);

	MUST(first >= 3 && second > first && third > second);
	privilege_close_files(second, second);
	MUST(fcntl(first, F_GETFD) < 0 && fcntl(second, F_GETFD) >= 0 && fcntl(third, F_GETFD) < 0);
	MUST(fcntl(STDERR_FILENO, F_GETFD) >= 0);
}

static void in_processes(void)
{
	in_child(drops_all);
	in_child(keeps_what_it_is_told);
	in_child(stays_root_with_little);
	in_child(closes_files);
}

/* ---- the root helper ---- */

static void root_helper_serves(void)
{
	CLEANUP_FREE char *path = xasprintf("%s/place/out", unit_directory());
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *exe = NULL;
	char link[4096];
	struct replaced_file file;
	size_t size;
	ssize_t n;
	int fd;

	MUST(!replaced_file_open(path, &file, &why));
	MUST(!root_helper_start((const pid_t[]){ getpid(), 0 }, &file));
	MUST(!was_root || getuid() == 65534);
	MUST(!was_root || privilege_effective() == PRIVILEGE(CAP_KILL));
	/* the file of a process of root's, which is not ours any more */
	fd = root_helper_open((uint32_t)getppid(), ROOT_HELPER_EXE);
	MUST(fd >= 0);
	exe = xasprintf("/proc/self/fd/%d", fd);
	n = readlink(exe, link, sizeof(link) - 1);
	MUST(n > 0);
	link[n] = '\0';
	MUST(strstr(link, "unit/privilege"));
	MUST(!root_helper_read((uint32_t)getppid(), ROOT_HELPER_CMDLINE, 65536, &text, &size) && strstr(text, "privilege"));
	MUST(root_helper_open(INT32_MAX, ROOT_HELPER_STAT) == -ENOENT);
	MUST(root_helper_open(1, ROOT_HELPER_FILES) == -EINVAL || !was_root);
	MUST(!root_helper_missed(getpid()));
	/* a file that is replaced where nobody may write */
	for (int i = 0; i < 3; i++) {
		fd = root_helper_file_create(&file);
		MUST(fd >= 0);
		MUST(write(fd, "whole\n", 6) == 6);
		close(fd);
		if (i < 2)
			MUST(!root_helper_file_put(&file));
		else
			root_helper_file_drop(&file);
	}
	root_helper_stop();
	_exit(0);
}

static void the_root_helper(void)
{
	CLEANUP_FREE char *directory = unit_path("place");
	CLEANUP_FREE char *path = unit_path("place/out");
	struct stat st;

	CHECK_INT(mkdir(directory, 0700), 0);
	if (was_root) /* it need not be root's */
		CHECK_INT(chown(directory, 12345, 12345), 0);
	in_child(root_helper_serves);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_size, 6);
	CHECK_INT(st.st_mode & 0777, 0644);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(rmdir(directory), 0); /* nothing else is in it */
}

/* Killed in the midst of it, the process leaves no root helper: its end of the socket is gone. */
static void root_helper_then_nothing(void)
{
	MUST(!root_helper_start((const pid_t[]){ getpid(), 0 }, NULL));
	kill(getpid(), SIGKILL);
}

static void no_root_helper_is_left(void)
{
	int fds[2];
	char byte;
	pid_t pid;

	CHECK_INT(pipe(fds), 0);
	pid = fork();
	if (!pid) {
		dup2(fds[1], STDERR_FILENO); /* which the root helper has as well */
		close(fds[1]);
		root_helper_then_nothing();
	}
	close(fds[1]);
	CHECK_INT(waitpid(pid, NULL, 0), pid);
	CHECK_INT(read(fds[0], &byte, 1), 0); /* its end: the last one who had it is gone */
	close(fds[0]);
}

/* ---- bpftrace ---- */

/* A program in the place of bpftrace that tells what it has got. */
static const char teller[] = "#!/bin/sh\n"
			     "grep -E '^(Uid|Cap|NoNew)' /proc/self/status\n"
			     "env | sort\n"
			     "pwd\n"
			     "ls /proc/self/fd | tr '\\n' ' '\n"
			     "cat /proc/self/fd/3\n";

static char *told_by_child(void)
{
	CLEANUP_FREE char *path = unit_path("teller");
	static const struct tracer tracer = { .map_keys = "BPFTRACE_KEYS", .functions = "BPFTRACE_FUNCTIONS" };
	const struct bpftrace_settings settings = {
		.tracer = &tracer,
		.attempt.capabilities = privilege_of_bpftrace(),
		.buffer_pages = 64,
		.map_keys = 11,
	};
	struct child child;
	char *error = NULL, *text = NULL;

	unit_write_text(unit_directory(), "teller", teller);
	CHECK_INT(chmod(path, 0755), 0);
	CHECK_INT(setenv("LD_AUDIT", "/nonexistent", 1), 0);
	CHECK_INT(setenv("BPFTRACE_STRLEN", "7", 1), 0);
	CHECK_INT(open("/dev/null", O_RDONLY) > 2, 1); /* without close-on-exec */
	CHECK_INT(bpftrace_start(path, "the program\n", &settings, &child, &error), 0);
	CHECK_INT(file_read_open(child.out_fd, 65536, &text, NULL), 0);
	unsetenv("LD_AUDIT");
	CHECK_INT(waitpid(child.pid, NULL, 0), child.pid);
	child_close(&child);
	return text;
}

static void bpftrace_gets_little(void)
{
	CLEANUP_FREE char *text = told_by_child();
	CLEANUP_FREE char *caps = xasprintf("%016" PRIx64, privilege_of_bpftrace() & privilege_effective());
	CLEANUP_FREE char *effective = xasprintf("CapEff:\t%s", caps);
	CLEANUP_FREE char *bounding = xasprintf("CapBnd:\t%s", caps);

	CHECK_HAS(text, "the program\n");
	CHECK_HAS(text, "\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n");
	CHECK_HAS(text, "\nPWD=/\n");
	CHECK_HAS(text, "\nBPFTRACE_KEYS=11\n");
	CHECK_HAS(text, "\n/\n0 1 2 3 4 "); /* 4 is the directory that ls reads */
	CHECK(!strstr(text, "LD_AUDIT") && !strstr(text, "STRLEN"));
	if (geteuid())
		return;
	CHECK_HAS(text, effective);
	CHECK_HAS(text, bounding);
	CHECK_HAS(text, "NoNewPrivs:\t1");
	CHECK_HAS(text, "CapAmb:\t0000000000000000");
}

static void one_that_others_can_write(void)
{
	CLEANUP_FREE char *path = unit_path("writable");
	CLEANUP_FREE char *why = NULL;

	unit_write_text(unit_directory(), "writable", "#!/bin/sh\n");
	CHECK_INT(chmod(path, 0757), 0);
	CHECK_INT(bpftrace_check(path, &why), geteuid() ? 0 : -EPERM);
	if (!geteuid())
		CHECK_HAS(why, "can be written by others than root");
	CHECK_INT(chmod(path, 0755), 0);
	CHECK_INT(bpftrace_check(path, &why), 0);
}

/* ---- the command ---- */

static void command_keeps_what_we_had(void)
{
	static char *argv[] = { (char *)"sh", (char *)"-c", (char *)"grep -E '^(Uid|CapEff|NoNew)' /proc/self/status; pwd; echo $WORD", NULL };
	CLEANUP_FREE char *here = getcwd(NULL, 0);
	CLEANUP_FREE char *told = NULL;
	CLEANUP_FREE char *said = NULL;
	struct child child;
	int out[2];

	MUST(!pipe2(out, O_CLOEXEC) && !setenv("WORD", "of ours", 1));
	MUST(!command_prepare(argv, out[1], &child));
	said = xasprintf("CapEff:\t%016" PRIx64 "\n", privilege_effective());
	MUST(!root_helper_start((const pid_t[]){ getpid(), 0 }, NULL));
	MUST(!command_start(&child));
	close(out[1]);
	MUST(!file_read_open(out[0], 65536, &told, NULL));
	MUST(strstr(told, said) && strstr(told, "NoNewPrivs:\t0") && strstr(told, here) && strstr(told, "of ours"));
	MUST(!was_root || strstr(told, "Uid:\t0\t0\t0\t0"));
	MUST(waitpid(child.pid, NULL, 0) == child.pid);
	root_helper_stop();
}

static void command_that_is_missing(void)
{
	static char *argv[] = { (char *)"no-such-command-here", NULL };
	struct child child;

	MUST(!setenv("PATH", "/usr/bin:/bin", 1) && !command_prepare(argv, STDOUT_FILENO, &child));
	MUST(command_start(&child) == -ENOENT && !child.pid);
}

/* One that lies in a relative directory of PATH: root does not run it, others do as they always did. */
static void command_beside_us(void)
{
	static char *argv[] = { (char *)"beside", NULL };
	CLEANUP_FREE char *path = unit_path("beside");
	struct child child;
	int err;

	unit_write_text(unit_directory(), "beside", "#!/bin/sh\nexit 0\n");
	MUST(!chmod(path, 0755) && !chdir(unit_directory()) && !setenv("PATH", ":.:/usr/bin:/bin", 1));
	MUST(!command_prepare(argv, STDOUT_FILENO, &child));
	err = command_start(&child);
	MUST(err == (was_root ? -ENOENT : 0));
}

/* It was made, and is never let run: hung up on, it ends and nothing is run. */
static void command_never_started(void)
{
	CLEANUP_FREE char *mark = unit_path("mark");
	char *argv[] = { (char *)"touch", mark, NULL };
	struct child child;
	int status = -1;

	MUST(!command_prepare(argv, STDOUT_FILENO, &child));
	child_hang_up(&child);
	MUST(waitpid(child.pid, &status, 0) == child.pid && !status);
	MUST(access(mark, F_OK) < 0);
}

static void the_command(void)
{
	in_child(command_keeps_what_we_had);
	in_child(command_that_is_missing);
	in_child(command_beside_us);
	in_child(command_never_started);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "what is dropped is gone", in_processes },
		{ "the root helper does what nobody cannot", the_root_helper },
		{ "no root helper outlives us", no_root_helper_is_left },
		{ "bpftrace gets little", bpftrace_gets_little },
		{ "a bpftrace that others can write", one_that_others_can_write },
		{ "the command has all that we had", the_command },
	};

	was_root = !geteuid();
	return unit_run(tests, ARRAY_SIZE(tests));
}
