// SPDX-License-Identifier: Apache-2.0
// For the live tests: runs a command in a cgroup namespace of its own, whose root is the cgroup that this process is in.
//   nested COMMAND [ARG]...
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	if (argc < 2)
		return 2;
	if (unshare(CLONE_NEWCGROUP)) {
		perror("nested: unshare");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror("nested: exec");
	return 127;
}
