// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/process.c: pipes, time limits, and the end of a group that ignores SIGTERM.
#include "unit.h"

#include "base/clock.h"
#include "base/process.h"

#include <fcntl.h>
#include <sys/wait.h>

static void pipes(void)
{
	int fds[2] = { -1, -1 };

	CHECK_INT(process_pipe(fds), 0);
	CHECK(fds[0] >= 10 && fds[1] >= 10);
	CHECK_INT(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
	CHECK_INT(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	process_close_pipe(fds);
	CHECK(fcntl(fds[0], F_GETFD) < 0 && fcntl(fds[1], F_GETFD) < 0);
	process_close_pipe((const int[]){ -1, -1 });
}

static void time_limit(void)
{
	char text[4];
	int fds[2];
	uint64_t start_ns = monotonic_ns();

	CHECK_INT(process_pipe(fds), 0);
	CHECK_INT(write(fds[1], "ab", 2), 2);
	CHECK(!process_read_within(fds[0], text, sizeof(text), 50 * NS_PER_MS)); /* the writer is still there */
	CHECK_STR(text, "ab");
	CHECK(monotonic_ns() - start_ns >= 50 * NS_PER_MS);
	CHECK_INT(write(fds[1], "cdefg", 5), 5);
	CHECK(process_read_within(fds[0], text, sizeof(text), NS_PER_S)); /* full */
	CHECK_STR(text, "cde");
	close(fds[1]);
	CHECK(process_read_within(fds[0], text, sizeof(text), NS_PER_S)); /* at its end */
	CHECK_STR(text, "fg");
	close(fds[0]);
}

static void exit_codes(void)
{
	pid_t pid = fork();
	int status = 77;

	if (!pid)
		_exit(3);
	CHECK_INT(process_exit_code(process_wait(pid)), 3);
	pid = fork();
	if (!pid) {
		for (;;)
			pause();
	}
	CHECK(!process_has_ended(pid, &status));
	CHECK_INT(status, 77);
	kill(pid, SIGKILL);
	while (!process_has_ended(pid, &status))
		usleep(1000);
	CHECK_INT(process_exit_code(status), 128 + SIGKILL);
}

/* In its own group, ignoring SIGTERM or not. The parent goes on when it is ready. */
static pid_t start_group(bool ignores)
{
	int fds[2];
	pid_t pid;
	char byte;

	CHECK_INT(process_pipe(fds), 0);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		signal(SIGTERM, ignores ? SIG_IGN : SIG_DFL);
		if (write(fds[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CHECK_INT(read(fds[0], &byte, 1), 1);
	process_close_pipe(fds);
	return pid;
}

static int end_group(pid_t pid, uint64_t *since_ns)
{
	int status;

	do {
		process_end_group(pid, since_ns);
		usleep(1000);
	} while (!process_has_ended(pid, &status));
	return process_exit_code(status);
}

static void group_ends(void)
{
	uint64_t since_ns = 0;
	pid_t pid = start_group(false);

	CHECK_INT(end_group(pid, &since_ns), 128 + SIGTERM);
	since_ns = 0;
	pid = start_group(true);
	process_end_group(pid, &since_ns);
	CHECK(since_ns && !kill(pid, 0));
	since_ns -= 5 * NS_PER_S; /* as if the time were over */
	CHECK_INT(end_group(pid, &since_ns), 128 + SIGKILL);
}

/* A child whose parent has died already does not go on. */
static void orphan(void)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGPIPE, SIG_IGN);
		process_begin(getppid(), SIGKILL);
		_exit(signal(SIGPIPE, SIG_IGN) == SIG_DFL ? 5 : 6);
	}
	CHECK_INT(process_exit_code(process_wait(pid)), 5);
	pid = fork();
	if (!pid) {
		process_begin(getpid(), SIGKILL); /* not the parent's number */
		_exit(5);
	}
	CHECK_INT(process_exit_code(process_wait(pid)), 1);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "pipes are above 9 and closed on exec", pipes },
		{ "reading has a time limit", time_limit },
		{ "exit codes", exit_codes },
		{ "a group ends by SIGTERM or SIGKILL", group_ends },
		{ "a child begins only while its parent lives", orphan },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
