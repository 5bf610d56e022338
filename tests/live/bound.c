// SPDX-License-Identifier: Apache-2.0
// bound NUMBER,... COMMAND [ARG]...: runs a command with these capabilities as its bounds, and nothing to be gained, as a
// service manager does with CapabilityBoundingSet and NoNewPrivileges.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t keep = 0;
	char *p;

	if (argc < 3)
		return 2;
	for (p = argv[1]; *p; p += *p == ',')
		keep |= UINT64_C(1) << strtoul(p, &p, 10);
	for (int i = 0; i < 64 && prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(keep >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return 3;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 3;
	execvp(argv[2], argv + 2);
	return 127;
}
