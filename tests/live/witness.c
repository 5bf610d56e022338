// SPDX-License-Identifier: Apache-2.0
// What the kernel itself accounts for the threads of vCPUs, beside the account of kvmwait stat.
//   witness FILE     samples until FILE exists, or for two minutes
//   witness switches measures how long a context switch takes, in ns, between two processes on one CPU
// Lines, all of them read between the times FROM and TO of CLOCK_BOOTTIME:
//   t FROM TO PID TID VCPU STATE EXEC DELAY SLICES   /proc/PID/task/TID/schedstat; STATE is R where these can lag behind
//   k FROM TO PID SUCCESS FAIL WAIT                  halt_poll_success_ns, halt_poll_fail_ns, halt_wait_ns; -1: there is none
// It has real-time priority, lest a vCPU keeps it from the CPU: who samples has preempted whoever ran, but not bpftrace, which
// has the same priority, and during whose reading of a map the kernel runs no probe.
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SWITCHES 2000
#define PERIOD_NS 250000000 /* a sample takes long where CPUs are emulated, and nothing else runs meanwhile */
#define ROUNDS 600

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first line of a file; false where there is none. */
static int read_line(const char *path, char *line, int size)
{
	FILE *f = fopen(path, "r");
	int ok = f && fgets(line, size, f);

	if (f)
		fclose(f);
	return ok;
}

static void sample_thread(const char *pid, const char *tid)
{
	char path[600], comm[64], stat[512], line[128];
	uint64_t from, exec, delay, slices;
	const char *state;
	int vcpu;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, tid);
	if (!read_line(path, comm, sizeof(comm)) || sscanf(comm, "CPU %d/", &vcpu) != 1)
		return;
	from = now_ns();
	/* the state first: a thread that is not runnable now is not, either, when the rest is read, unless it was woken */
	snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, tid);
	if (!read_line(path, line, sizeof(line)) || sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &exec, &delay, &slices) != 3)
		return;
	snprintf(path, sizeof(path), "/proc/%s/task/%s/stat", pid, tid);
	if (!read_line(path, stat, sizeof(stat)) || !(state = strrchr(stat, ')')))
		return;
	printf("t %" PRIu64 " %" PRIu64 " %s %s %d %c %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", from, now_ns(), pid, tid, vcpu, state[2], exec, delay, slices);
}

static void sample_threads(void)
{
	DIR *d = opendir("/proc");

	for (struct dirent *e; d && (e = readdir(d));) {
		char path[300], comm[64];
		DIR *tasks;

		snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !read_line(path, comm, sizeof(comm)) || strncmp(comm, "kvmwait-guest", 13))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", e->d_name);
		tasks = opendir(path);
		for (struct dirent *t; tasks && (t = readdir(tasks));)
			if (t->d_name[0] != '.')
				sample_thread(e->d_name, t->d_name);
		if (tasks)
			closedir(tasks);
	}
	if (d)
		closedir(d);
}

static int64_t counter(const char *vm, const char *name)
{
	char path[600], line[64];

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%s/%s", vm, name);
	return read_line(path, line, sizeof(line)) ? atoll(line) : -1;
}

static void sample_counters(void)
{
	DIR *d = opendir("/sys/kernel/debug/kvm");

	for (struct dirent *e; d && (e = readdir(d));) {
		uint64_t from = now_ns();
		int64_t success, fail, wait;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		success = counter(e->d_name, "halt_poll_success_ns");
		fail = counter(e->d_name, "halt_poll_fail_ns");
		wait = counter(e->d_name, "halt_wait_ns");
		printf("k %" PRIu64 " %" PRIu64 " %d %" PRId64 " %" PRId64 " %" PRId64 "\n", from, now_ns(), atoi(e->d_name), success, fail, wait);
	}
	if (d)
		closedir(d);
}

static void keep_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* A byte goes back and forth: each of the two has to sleep for the other. */
static int measure_switches(void)
{
	int to[2], back[2];
	uint64_t from;
	char byte = 0;

	keep_on_one_cpu();
	if (pipe(to) || pipe(back))
		return 1;
	if (!fork()) {
		for (int i = 0; i < SWITCHES; i++)
			if (read(to[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	from = now_ns();
	for (int i = 0; i < SWITCHES; i++)
		if (write(to[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			return 1;
	printf("%" PRIu64 "\n", (now_ns() - from) / (2 * SWITCHES));
	wait(NULL);
	return 0;
}

int main(int argc, char *argv[])
{
	struct sched_param param = { .sched_priority = 1 };

	if (argc != 2)
		return 2;
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		perror("witness: real-time priority");
	if (!strcmp(argv[1], "switches"))
		return measure_switches();
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	for (int i = 0; i < ROUNDS && access(argv[1], F_OK); i++) {
		sample_threads();
		sample_counters();
		nanosleep(&(struct timespec){ .tv_nsec = PERIOD_NS }, NULL);
	}
	return 0;
}
