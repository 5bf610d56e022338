// SPDX-License-Identifier: Apache-2.0
// Child processes: what a child does first, pipes to it, waiting for it within a time limit, and ending it.
#include "base/process.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_NS (5 * NS_PER_S) /* from SIGTERM to SIGKILL */
#define LOWEST_PIPE 10

void process_begin(pid_t parent, int death_signal)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, death_signal);
	if (getppid() != parent) /* it died before prctl() */
		_exit(1);
}

int process_pipe(int ret_fds[2])
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	for (int i = 0; i < 2; i++) {
		int high = fcntl(fds[i], F_DUPFD_CLOEXEC, LOWEST_PIPE), err = -errno;

		if (high < 0) {
			process_close_pipe(fds);
			return err;
		}
		close(fds[i]);
		fds[i] = high;
	}
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

void process_close_pipe(const int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

bool process_read_within(int fd, char *text, size_t size, uint64_t limit_ns)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now_ns = monotonic_ns(), end_ns = now_ns + limit_ns;
	size_t used = 0;
	ssize_t n = 1;

	for (; used < size - 1 && n && now_ns < end_ns; now_ns = monotonic_ns()) {
		uint64_t left_ms = (end_ns - now_ns) / NS_PER_MS + 1;

		n = poll(&p, 1, left_ms < INT32_MAX ? (int)left_ms : INT32_MAX) > 0 ? read(fd, text + used, size - 1 - used) : -1;
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	return !n || used == size - 1;
}

int process_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

bool process_has_ended(pid_t pid, int *ret_status)
{
	int status;

	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*ret_status = status;
	return true;
}

int process_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void process_end_group(pid_t group, uint64_t *since_ns)
{
	uint64_t now_ns = monotonic_ns();

	if (!*since_ns) {
		*since_ns = now_ns;
		kill(-group, SIGTERM);
	} else if (now_ns - *since_ns > GRACE_NS) {
		kill(-group, SIGKILL);
	}
}
