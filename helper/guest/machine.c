// SPDX-License-Identifier: Apache-2.0
// The processes: the parent starts one for each VM and waits; each makes its VM and looks after its vCPUs.
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "vcpu.h"
#include "vm.h"

/* How often the parent looks at its VMs and at the gate, and a VM at its vCPUs. */
#define POLL_NS		1000000
#define GATE_POLL_NS	10000000
#define WATCH_IDLE_NS	5000000
#define WATCH_WAKING_NS	500000

/* The arguments of a VM's process, with the VM's name where QEMU has it: readers of command lines look there. */
enum {
	ARG_PROGRAM,
	ARG_NAME,
	ARG_GUEST,
	ARG_FLAVOUR,
	ARG_PLAN_FD,
	ARG_COUNT,
};

char *machine_name(const char *name, enum flavour flavour)
{
	char *text;

	if (asprintf(&text, "%s-%s", name, flavour_name(flavour)) < 0)
		abort();
	return text;
}

/* QEMU writes a comma inside of a value twice. */
static char *guest_argument(const char *name)
{
	char *text = malloc(sizeof("guest=") + 2 * strlen(name)), *to;

	if (!text)
		abort();
	to = stpcpy(text, "guest=");
	for (; *name; name++) {
		if (*name == ',')
			*to++ = ',';
		*to++ = *name;
	}
	*to = '\0';
	return text;
}

static void become_machine(pid_t parent, int plan_fd, const char *name, enum flavour flavour)
{
	char number[2][16];
	char *full = machine_name(name, flavour), *guest = guest_argument(full);
	char *argv[ARG_COUNT + 1] = { (char[]){ "kvmwait-guest" }, (char[]){ "-name" }, guest, number[0], number[1], NULL };

	/* However the parent ends, its VMs end. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		_exit(1);
	snprintf(number[0], sizeof(number[0]), "%u", flavour);
	snprintf(number[1], sizeof(number[1]), "%d", plan_fd);
	if (fcntl(plan_fd, F_SETFD, 0) == 0)
		execv("/proc/self/exe", argv);
	fprintf(stderr, "kvmwait-guest: a VM's process could not be started: '/proc/self/exe': %s\n", strerror(errno));
	_exit(1);
}

static bool is_wanted(const struct plan *plan, enum flavour flavour)
{
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		if (ops[plan->tasks[i].op].flavour == flavour && plan->tasks[i].result.state == STATE_TODO)
			return true;
	}
	return false;
}

static bool has_ended(const struct vm_slot *slot)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)slot->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* A process that ended before its vCPUs stood at the barrier takes its tasks with it. */
static bool is_ready(const struct plan *plan, struct vm_slot *slot)
{
	if (atomic_load(&slot->failed) || atomic_load(&slot->ready) >= plan->vcpus)
		return true;
	if (has_ended(slot)) {
		if (!slot->why[0])
			snprintf(slot->why, sizeof(slot->why), "the VM's process ended early");
		atomic_store(&slot->failed, true);
		return true;
	}
	return false;
}

static void fail_tasks(struct plan *plan, enum flavour flavour, const char *why)
{
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		struct result *result = &plan->tasks[i].result;

		if (ops[plan->tasks[i].op].flavour == flavour && result->state == STATE_TODO) {
			result->state = STATE_FAILED;
			snprintf(result->why, sizeof(result->why), "%s", why);
		}
	}
}

/* Until the VM is done or its process has ended; what it did not do by then has failed. */
static void wait_done(struct plan *plan, enum flavour flavour)
{
	struct vm_slot *slot = &plan->vms[flavour];

	while (!atomic_load(&slot->done) && !has_ended(slot))
		sleep_ns(POLL_NS);
	fail_tasks(plan, flavour, slot->why[0] ? slot->why : "the VM's process ended early");
}

/* Those that were started wait at the barrier; they are not let through. */
static int start_failed(struct plan *plan, int err)
{
	for (unsigned int f = 0; f < FLAVOUR_COUNT; f++) {
		if (plan->vms[f].used) {
			kill(plan->vms[f].pid, SIGKILL);
			wait_done(plan, f);
		} else {
			fail_tasks(plan, f, "the VM's process could not be started");
		}
	}
	return err;
}

static int start(struct plan *plan, int plan_fd, const char *name, enum flavour flavour)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become_machine(parent, plan_fd, name, flavour);
	plan->vms[flavour].pid = pid;
	plan->vms[flavour].used = true;
	return 0;
}

int machines_run(struct plan *plan, int plan_fd, const char *name, const char *gate)
{
	for (unsigned int f = 0; f < FLAVOUR_COUNT; f++) {
		int err = is_wanted(plan, f) ? start(plan, plan_fd, name, f) : 0;

		if (err)
			return start_failed(plan, err);
	}
	for (unsigned int f = 0; f < FLAVOUR_COUNT; f++) {
		while (plan->vms[f].used && !is_ready(plan, &plan->vms[f]))
			sleep_ns(POLL_NS);
	}
	while (gate && access(gate, F_OK))
		sleep_ns(GATE_POLL_NS);
	atomic_store(&plan->go, true);
	sem_post(&plan->gate);
	for (unsigned int f = 0; f < FLAVOUR_COUNT; f++) {
		if (plan->vms[f].used)
			wait_done(plan, f);
	}
	return 0;
}

void machines_end(struct plan *plan)
{
	int status;

	sleep_ns((int64_t)plan->stay_s * NS_PER_S);
	atomic_store(&plan->leave, true);
	for (unsigned int f = 0; f < FLAVOUR_COUNT; f++) {
		while (plan->vms[f].used && waitpid(plan->vms[f].pid, &status, 0) < 0 && errno == EINTR)
			;
	}
}

/* --- in a VM's process --- */

static void on_signal(int signal)
{
	(void)signal;
}

static int give_up(struct vm_slot *slot, const char *at, int err)
{
	snprintf(slot->why, sizeof(slot->why), "the VM could not be made: %s: %s", at, strerror(-err));
	atomic_store(&slot->failed, true);
	return 1;
}

/* Those that hold are let go when no other vCPU has anything left to do. */
static void watch_holders(struct plan *plan, struct vcpu *vcpus, unsigned int count)
{
	bool others = !atomic_load(&plan->go);

	for (unsigned int v = 0; v < count; v++) {
		bool holding = atomic_load(&vcpus[v].holding);

		if (holding && vcpus[v].kvm.control->want)
			vcpu_at_barrier(&vcpus[v]);
		others |= !holding && !atomic_load(&vcpus[v].finished);
	}
	for (unsigned int v = 0; v < count && !others; v++) {
		if (atomic_load(&vcpus[v].holding))
			vcpus[v].kvm.control->leave = 1;
	}
}

/* Until every vCPU is done. */
static void watch(struct plan *plan, struct vcpu *vcpus, unsigned int count)
{
	bool busy = true;

	while (busy) {
		bool waking = false;

		busy = false;
		watch_holders(plan, vcpus, count);
		for (unsigned int v = 0; v < count; v++) {
			vcpu_watch(&vcpus[v]);
			waking |= atomic_load(&vcpus[v].wakes);
			busy |= !atomic_load(&vcpus[v].finished);
		}
		sleep_ns(waking ? WATCH_WAKING_NS : WATCH_IDLE_NS);
	}
	for (unsigned int v = 0; v < count; v++)
		pthread_join(vcpus[v].thread, NULL);
}

bool machine_is_child(int argc, char *const argv[])
{
	return argc == ARG_COUNT && strcmp(argv[ARG_NAME], "-name") == 0;
}

static int machine_run(struct plan *plan, const struct host *host, enum flavour flavour)
{
	static struct vcpu vcpus[PLAN_VCPUS_MAX];
	const struct vm_vcpu *all[PLAN_VCPUS_MAX];
	struct vm_slot *slot = &plan->vms[flavour];
	struct vm vm;
	int err = vm_init(&vm, host, flavour, plan->vcpus);

	for (unsigned int v = 0; !err && v < plan->vcpus; v++) {
		err = vcpu_init(&vcpus[v], &vm, plan, v);
		all[v] = &vcpus[v].kvm;
	}
	if (!err)
		err = vm_complete(&vm, all);
	for (unsigned int v = 0; !err && v < plan->vcpus; v++)
		err = vcpu_try(&vcpus[v]);
	if (err)
		return give_up(slot, vm.failed_at, err);
	for (unsigned int v = 0; v < plan->vcpus; v++) {
		err = vcpu_start(&vcpus[v]);
		if (err)
			return give_up(slot, "pthread_create", err);
	}
	watch(plan, vcpus, plan->vcpus);
	atomic_store(&slot->done, true);
	while (!atomic_load(&plan->leave))
		sleep_ns(WATCH_IDLE_NS);
	return 0;
}

int machine_main(char *const argv[])
{
	struct sigaction action = { .sa_handler = on_signal };	/* no SA_RESTART: it is to end KVM_RUN */
	struct plan *plan;
	struct host host;
	uint64_t flavour, fd;
	int err;

	if (parse_u64(argv[ARG_FLAVOUR], &flavour) || flavour >= FLAVOUR_COUNT || parse_u64(argv[ARG_PLAN_FD], &fd) ||
	    fd > 1023 || plan_map((int)fd, &plan)) {
		fprintf(stderr, "kvmwait-guest: -name is for the program itself; use --name\n");
		return 2;
	}
	prctl(PR_SET_NAME, "kvmwait-guest");	/* after the exec of /proc/self/exe it is "exe" */
	sigaction(SIGUSR1, &action, NULL);
	err = host_open(&host);
	if (err)
		return give_up(&plan->vms[flavour], "/dev/kvm", err);
	return machine_run(plan, &host, (enum flavour)flavour);
}
