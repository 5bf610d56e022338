// SPDX-License-Identifier: Apache-2.0
// For the live tests: runs a command as another user that keeps some capabilities.
//   as UID CAPABILITY[,CAPABILITY]... COMMAND [ARG]...      capabilities by number
#define _GNU_SOURCE
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	uid_t uid;

	if (argc < 4)
		return 2;
	uid = (uid_t)atoi(argv[1]);
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) {
		perror("as: user");
		return 1;
	}
	for (char *p = argv[2]; *p; p += *p == ',') {
		unsigned long bit = strtoul(p, &p, 10);

		data[bit / 32].effective |= 1u << bit % 32;
	}
	for (int i = 0; i < 2; i++)
		data[i].permitted = data[i].inheritable = data[i].effective;
	if (syscall(SYS_capset, &header, data)) {
		perror("as: capabilities");
		return 1;
	}
	for (unsigned long bit = 0; bit < 64; bit++)
		if (data[bit / 32].effective >> bit % 32 & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, bit, 0, 0);
	execv(argv[3], argv + 3);
	perror("as: exec");
	return 127;
}
