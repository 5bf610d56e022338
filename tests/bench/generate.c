// SPDX-License-Identifier: Apache-2.0
// The wire lines of a busy host, always the same ones: 64 vCPUs, or as many as are asked for, of up to four VMs on as many
// CPUs, 150,000 events a second of their own time. bpftrace reads one CPU's buffer after the other, so they come in a batch
// for each CPU and 20 ms.
//   generate N [VCPUS]    N events on standard output, and the count of them at the end
#include "base/text.h"

#include <inttypes.h>

#define MOST_CPUS 1024u
#define VMS 4u
#define ROUND_NS UINT64_C(20000000)

static uint64_t cpus = 64;

/* Of a hundred events of a VM. */
static const struct mix {
	const char *event, *source;
	unsigned int share[VMS];
	bool has_target;
} mixes[] = {
	{ "hlt", "kvm", { 50, 65, 50, 55 }, false },
	{ "ple", "svm", { 25, 35, 30, 25 }, false },
	{ "pv_yield", "kvm", { 25, 0, 0, 0 }, true },
	{ "pv_yield", "hyperv", { 0, 0, 20, 0 }, false },
	{ "pv_yield", "xen", { 0, 0, 0, 20 }, false },
};

/* xorshift64 */
static uint64_t random_below(uint64_t n)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static const struct mix *choose(unsigned int vm)
{
	unsigned int percent = (unsigned int)random_below(100);
	const struct mix *m = mixes;

	for (; percent >= m->share[vm]; m++)
		percent -= m->share[vm];
	return m;
}

/* Names of threads as they cross where kvmwait runs the script, by vCPU: two numbers of a little-endian machine. */
static char comms[MOST_CPUS][2 * 16 + 3];

static void make_comms(void)
{
	for (unsigned int vcpu = 0; vcpu < MOST_CPUS; vcpu++) {
		char comm[20] = { 0 }; /* of which a thread has the first 15 */
		uint64_t halves[2] = { 0 };

		snprintf(comm, sizeof(comm), "CPU %u/KVM", vcpu);
		for (unsigned int i = 0; i < 16; i++)
			halves[i / 8] |= (uint64_t)(unsigned char)comm[i] << (8 * (i % 8));
		snprintf(comms[vcpu], sizeof(comms[vcpu]), "%" PRIx64 ":%" PRIx64 ".", halves[0], halves[1]);
	}
}

/* A vCPU moves on to the next CPU twice a second. */
static void put_event(uint64_t ts_ns, unsigned int cpu)
{
	unsigned int vms = cpus < VMS ? 1 : VMS, number = (cpu + (unsigned int)(ts_ns / (25 * ROUND_NS))) % (unsigned int)cpus, vm = number % vms, vcpu = number / vms;
	const struct mix *m = choose(vm);
	unsigned int pid = 4100 + 1000 * vm;

	printf("w %" PRIu64 " %u %u %u %u %s %s ", ts_ns, cpu, pid, pid + 5 + vcpu, vcpu, m->event, m->source);
	if (m->has_target)
		printf("%u ", (unsigned int)random_below(cpus / vms));
	else
		printf("-1 ");
	puts(comms[vcpu]);
}

int main(int argc, char **argv)
{
	uint64_t n, gap_ns, next_ns[MOST_CPUS], until_ns = UINT64_C(100000000000000), done = 0;

	if ((argc != 2 && argc != 3) || parse_u64(argv[1], &n) || (argc == 3 && parse_u64(argv[2], &cpus)) || !cpus || cpus > MOST_CPUS) {
		fputs("usage: generate N [VCPUS]\n", stderr);
		return 2;
	}
	gap_ns = cpus * UINT64_C(1000000000) / 150000; /* between two events of a CPU, on average */
	for (unsigned int cpu = 0; cpu < cpus; cpu++)
		next_ns[cpu] = until_ns + random_below(gap_ns);
	make_comms();
	puts("Attaching 10 probes...\nkvmwait-wire 1 x86-5.17\n# TIME(ns) CPU PID TID VCPU EVENT SOURCE TARGET COMM(hex)");
	while (done < n) {
		until_ns += ROUND_NS;
		for (unsigned int cpu = 0; cpu < cpus; cpu++)
			for (; next_ns[cpu] < until_ns && done < n; done++) {
				put_event(next_ns[cpu], cpu);
				next_ns[cpu] += 1 + random_below(2 * gap_ns);
			}
	}
	printf("\n\n@counted: %" PRIu64 "\n", n + 1);
	return fflush(stdout) || ferror(stdout);
}
