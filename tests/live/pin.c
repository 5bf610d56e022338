// SPDX-License-Identifier: Apache-2.0
// Scheduling for the live tests: puts a thread on one CPU, with a real-time priority that nothing else there has.
//   pin CPU PRIORITY TID       that thread; priority 0: as it is
//   pin CPU PRIORITY hog       becomes a thread of that name and spins for two minutes, once it has made the file
//                              "hog.runs"; whoever waits for the kernel's own threads on that CPU waits as long
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int pin(int tid, int cpu, int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(tid, sizeof(cpus), &cpus) || (priority && sched_setscheduler(tid, SCHED_FIFO, &param))) {
		perror("pin");
		return 1;
	}
	return 0;
}

int main(int argc, char *argv[])
{
	volatile unsigned long rounds = 0;

	if (argc != 4)
		return 2;
	if (strcmp(argv[3], "hog"))
		return pin(atoi(argv[3]), atoi(argv[1]), atoi(argv[2]));
	prctl(PR_SET_NAME, "hog");
	alarm(120);
	if (pin(0, atoi(argv[1]), atoi(argv[2])) || open("hog.runs", O_CREAT | O_WRONLY, 0644) < 0)
		return 1;
	for (;;)
		rounds++;
}
