// SPDX-License-Identifier: Apache-2.0
// Scheduling for the live tests.
//   pin CPU TID                  keeps that thread on one CPU
//   pin CPU TID|hog GATE TASK    gives the CPU to that thread (or to one of its own, called hog) alone, by real-time
//                                priority; makes the file GATE once it has run there; and takes the priority back, or
//                                ends the hog, when the directory TASK, /proc/PID/task/TID, is gone
// While one thread has a CPU alone, the kernel's own threads there do not run, and whoever waits for them waits as
// long: the end of a process, a write to a disk, RCU. So nothing of that is done here meanwhile, and GATE should be in
// a tmpfs.
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define TICKS 5
#define PATIENCE_S 120

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static int keep_on(int tid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(tid, sizeof(cpus), &cpus);
}

static int set_alone(int tid, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	return sched_setscheduler(tid, priority ? SCHED_FIFO : SCHED_OTHER, &param);
}

/* Ticks that it has run in user space, which that in the guest is part of; -1 where there is no such thread. */
static long user_ticks(int tid)
{
	char path[64], line[512];
	const char *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", tid, tid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	line[n] = '\0';
	p = strrchr(line, ')'); /* ends the name, the second field; the time is the 14th */
	for (int field = 2; p && field < 14; field++)
		p = strchr(p + 1, ' ');
	return p ? atol(p) : -1;
}

/* The process that becomes the hog; -1 where there is none. */
static int start_hog(int cpu)
{
	volatile unsigned long rounds = 0;
	int pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_NAME, "hog");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(2 * PATIENCE_S);
	if (keep_on(0, cpu))
		_exit(1);
	for (;;)
		rounds++;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char *argv[])
{
	int cpu = argc > 2 ? atoi(argv[1]) : 0, hog = 0, tid;
	time_t start = time(NULL);
	long ticks;

	if (argc != 3 && argc != 5)
		return 2;
	if (argc == 3)
		return keep_on(atoi(argv[2]), cpu) ? fail("pin") : 0;
	if (!strcmp(argv[2], "hog"))
		hog = start_hog(cpu);
	tid = hog ? hog : atoi(argv[2]);
	if (keep_on(tid, cpu) || set_alone(tid, 1))
		return fail("pin");
	ticks = user_ticks(tid);
	/* the one that is to go on at the gate does not run before it */
	while (atoi(strrchr(argv[4], '/') + 1) != tid && user_ticks(tid) < ticks + TICKS) {
		if (time(NULL) > start + PATIENCE_S) {
			fprintf(stderr, "pin: %d has not run on CPU %d\n", tid, cpu);
			break;
		}
		nap();
	}
	if (open(argv[3], O_CREAT | O_WRONLY, 0644) < 0)
		return fail(argv[3]);
	while (!access(argv[4], F_OK) && time(NULL) < start + 2 * PATIENCE_S)
		nap();
	if (hog)
		kill(hog, SIGKILL);
	else
		set_alone(tid, 0); /* fails where it is gone itself */
	return 0;
}
