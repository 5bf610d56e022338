// SPDX-License-Identifier: Apache-2.0
// The start of the program: file descriptors and signals, then the command.
#include "cmd/command.h"

#include "base/output.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* What the caller has closed stays unusable; else the next file that is opened would get its number, and our text. */
static void open_missing(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(EXIT_FAILED);
}

int main(int argc, char **argv)
{
	open_missing();
	signal(SIGPIPE, SIG_IGN); /* comes back as EPIPE, which is no failure: nobody reads any more */
	signal(SIGXFSZ, SIG_IGN); /* comes back as EFBIG */
	stdout = output_stream(STDOUT_FILENO);
	return run_command(argc, argv);
}
