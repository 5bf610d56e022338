// SPDX-License-Identifier: Apache-2.0
// A vCPU's thread: does the tasks of its vCPU one after the other and notes what became of each.
#include "vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

/* An emulated processor may deliver the interrupt before the HLT. */
#define WAKE_AGAIN_NS		20000000
/* Processor time without one PAUSE left behind. */
#define STUCK_NS		500000000
/* An interrupt that is to find the vCPU halted is not held back for longer than this. */
#define WAKE_ANYWAY_NS		200000000
/* From the suspension of a vCPU to its interrupt. */
#define SUSPENDED_NS		5000000

/* How a run of the vCPU ended. */
enum ended {
	ENDED_WELL,
	ENDED_STOPPED,		/* the watch wanted it */
	ENDED_IN_USER,		/* KVM hands the call to user space */
	ENDED_BADLY,		/* why says how */
};

static enum ended run_failed(const struct vcpu *vcpu, struct result *result, int err)
{
	if (err)
		snprintf(result->why, sizeof(result->why), "KVM_RUN: %s", strerror(err));
	else
		snprintf(result->why, sizeof(result->why), "the vCPU stopped with exit reason %u",
			 vcpu->kvm.run->exit_reason);
	return ENDED_BADLY;
}

/* A KVM_RUN without the guest. What is due before it is done: an access that ended a snippet is completed only then. */
static void run_nothing(struct vcpu *vcpu)
{
	vcpu->kvm.run->immediate_exit = 1;
	ioctl(vcpu->kvm.fd, KVM_RUN, NULL);
	vcpu->kvm.run->immediate_exit = 0;
}

/* A stop that the watch meant for the task before this one does not count; where it does, the watch sends it again. */
static bool is_stopped(const struct vcpu *vcpu)
{
	int stop = atomic_load(&vcpu->stop);

	return stop == STOP_STUCK || (stop == STOP_TIME && host_now_ns() >= atomic_load(&vcpu->deadline_ns));
}

static enum ended run(struct vcpu *vcpu, const struct op *op, struct measure *m, struct result *result)
{
	int err;

	for (;;) {
		if (ioctl(vcpu->kvm.fd, KVM_RUN, NULL) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return run_failed(vcpu, result, errno);
			if (is_stopped(vcpu))
				return ENDED_STOPPED;
			vcpu->kvm.run->immediate_exit = 0;
			err = vm_vcpu_interrupted(&vcpu->kvm, op);
			if (err)
				return run_failed(vcpu, result, -err);
			continue;
		}
		switch (vm_vcpu_exit(&vcpu->kvm, op, m)) {
		case VM_EXIT_AGAIN:
			break;
		case VM_EXIT_DONE:
			run_nothing(vcpu);
			return ENDED_WELL;
		case VM_EXIT_TO_USER:
			return ENDED_IN_USER;
		case VM_EXIT_BAD:
			return run_failed(vcpu, result, 0);
		}
	}
}

int vcpu_init(struct vcpu *vcpu, struct vm *vm, struct plan *plan, unsigned int id)
{
	int err;

	*vcpu = (struct vcpu){ .plan = plan };
	err = vm_vcpu_init(vm, id, &vcpu->kvm);
	if (!err)
		stats_init(&vcpu->stats, vcpu->kvm.fd);
	return err;
}

int vcpu_try(struct vcpu *vcpu)
{
	struct result result = { 0 };
	struct measure m = { 0 };
	int err = vm_vcpu_begin(&vcpu->kvm, NULL, 0, 1);

	if (err || run(vcpu, NULL, &m, &result) == ENDED_WELL)
		return err;
	vcpu->kvm.vm->failed_at = "the first run of a vCPU";
	return -EIO;
}

/* The watch may act from here on, until end_watch. */
static void begin_watch(struct vcpu *vcpu, const struct op *op, const struct stats_values *before)
{
	atomic_store(&vcpu->stop, STOP_NO);
	atomic_store(&vcpu->wakes_halted, op->wakes_halted && before);
	atomic_store(&vcpu->suspends, op->suspends);
	atomic_store(&vcpu->waits_before, before ? before->waits : 0);
	atomic_fetch_add(&vcpu->tasks_begun, 1);
	atomic_store(&vcpu->wake_after_ns, op->wake_after_ns);
	atomic_store(&vcpu->pauses, op->pause);
	atomic_store(&vcpu->wakes, op->wakes);
	atomic_store(&vcpu->holding, op->holds);
	/* How long one takes that goes on until the others are done, is up to them. */
	atomic_store(&vcpu->deadline_ns, op->holds ? 0 : host_now_ns() + vcpu->plan->op_timeout_ns);
}

static void end_watch(struct vcpu *vcpu)
{
	atomic_store(&vcpu->deadline_ns, 0);
	atomic_store(&vcpu->wakes, false);
	atomic_store(&vcpu->pauses, false);
	atomic_store(&vcpu->holding, false);
	vcpu->kvm.run->immediate_exit = 0;
}

/* Why a task was left before its end. What happened until then did happen, but nobody knows how often. */
static void judge_stopped(struct vcpu *vcpu, const struct op *op, struct result *result)
{
	if (atomic_load(&vcpu->stop) == STOP_STUCK) {
		atomic_store(&vcpu->plan->pause_stuck, true);
		result->state = STATE_COULD_NOT;
		snprintf(result->why, sizeof(result->why), "PAUSE exits again and again here and makes no progress");
		return;
	}
	result->state = STATE_FAILED;
	snprintf(result->why, sizeof(result->why), "the time was up after %" PRIu64 " rounds%s", result->executed,
		 op->wakes ? ", waiting for an interrupt or for a turn" : "");
}

static void judge(struct vcpu *vcpu, const struct op *op, enum ended ended, const struct measure *m,
		  struct result *result)
{
	switch (ended) {
	case ENDED_WELL:
		if (m->rounds != m->planned) {
			result->state = STATE_FAILED;
			snprintf(result->why, sizeof(result->why), "%" PRIu64 " of %" PRIu64 " rounds were done", m->rounds,
				 m->planned);
			return;
		}
		op->judge(op, m, result);
		return;
	case ENDED_STOPPED:
		judge_stopped(vcpu, op, result);
		return;
	case ENDED_IN_USER:
		result->state = STATE_COULD_NOT;
		result->known = true;
		snprintf(result->why, sizeof(result->why), "this kernel's KVM leaves the call to user space");
		return;
	case ENDED_BADLY:
		result->state = STATE_FAILED;
		return;
	}
}

/* How often this thread has given up the processor of its own accord, such as in kvm_vcpu_block. */
static uint64_t thread_waits(void)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_nvcsw;
}

/* The run, with everything measured around it. */
static enum ended measured_run(struct vcpu *vcpu, const struct op *op, struct measure *m, struct result *result)
{
	struct stats_values before, after;
	bool stats = stats_read(&vcpu->stats, &before);
	uint64_t waits = thread_waits();
	int64_t begin_ns = host_now_ns();
	enum ended ended;

	begin_watch(vcpu, op, stats ? &before : NULL);
	ended = run(vcpu, op, m, result);
	end_watch(vcpu);
	m->elapsed_ns = host_now_ns() - begin_ns;
	m->stats = stats && stats_read(&vcpu->stats, &after);
	if (m->stats) {
		m->exits = after.exits - before.exits;
		m->halts = after.halts - before.halts;
		m->spins = after.spins - before.spins;
	}
	m->rounds = vcpu->kvm.control->progress;
	m->waits = thread_waits() - waits;
	if (ended == ENDED_WELL)
		vm_vcpu_results(&vcpu->kvm, m);
	return ended;
}

static void do_task(struct vcpu *vcpu, struct task *task)
{
	const struct op *op = &ops[task->op];
	struct result *result = &task->result;
	struct measure m = { .planned = task->count, .pause_loops = vcpu->kvm.vm->host->vmx };
	enum ended ended;
	int err;

	if (op->pause && atomic_load(&vcpu->plan->pause_stuck)) {
		result->state = STATE_COULD_NOT;
		snprintf(result->why, sizeof(result->why), "PAUSE makes no progress here, as another operation found");
		return;
	}
	err = vm_vcpu_begin(&vcpu->kvm, op, task->target, task->count);
	if (err) {
		result->state = STATE_FAILED;
		snprintf(result->why, sizeof(result->why), "the vCPU's registers could not be set: %s", strerror(-err));
		return;
	}
	result->ran = true;
	ended = measured_run(vcpu, op, &m, result);
	result->executed = m.rounds;
	result->elapsed_ns = (uint64_t)m.elapsed_ns;
	judge(vcpu, op, ended, &m, result);
}

static bool is_mine(const struct vcpu *vcpu, const struct task *task, bool holds)
{
	return task->vcpu == vcpu->kvm.id && ops[task->op].holds == holds && ops[task->op].flavour == vcpu->kvm.vm->flavour &&
	       task->result.state == STATE_TODO;
}

/* Each vCPU begins elsewhere in the list, so that different operations meet. */
static void do_tasks(struct vcpu *vcpu, bool holds)
{
	struct plan *plan = vcpu->plan;
	unsigned int first = 0;

	for (unsigned int skip = vcpu->kvm.id; skip > 0 && first < plan->tasks_count; first++) {
		if (is_mine(vcpu, &plan->tasks[first], holds))
			skip--;
	}
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		struct task *task = &plan->tasks[(first + i) % plan->tasks_count];

		if (!is_mine(vcpu, task, holds))
			continue;
		do_task(vcpu, task);
		if (plan->later_comm_given)
			prctl(PR_SET_NAME, plan->later_comm);
	}
}

void vcpu_at_barrier(struct vcpu *vcpu)
{
	if (!atomic_flag_test_and_set(&vcpu->at_barrier))
		atomic_fetch_add(&vcpu->plan->vms[vcpu->kvm.vm->flavour].ready, 1);
}

static void *vcpu_main(void *arg)
{
	struct vcpu *vcpu = arg;
	struct plan *plan = vcpu->plan;
	struct vm_slot *slot = &plan->vms[vcpu->kvm.vm->flavour];
	char comm[PLAN_COMM_SIZE];

	if (plan->comm_given)
		memcpy(comm, plan->comm, sizeof(comm));
	else
		snprintf(comm, sizeof(comm), "CPU %u/KVM", vcpu->kvm.id);
	prctl(PR_SET_NAME, comm);
	slot->tids[vcpu->kvm.id] = gettid();
	run_nothing(vcpu);	/* KVM takes note of the thread, and may wait for RCU: not at the first task */
	do_tasks(vcpu, true);	/* the watch counts it at the barrier when it is on its way */
	vcpu_at_barrier(vcpu);
	while (sem_wait(&plan->gate) && errno == EINTR)
		;
	sem_post(&plan->gate);
	do_tasks(vcpu, false);
	atomic_store(&vcpu->finished, true);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu)
{
	return -pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
}

/* Whether the vCPU waits: KVM has counted one more exit that does than when the last interrupt was sent. */
static bool is_waiting(const struct vcpu *vcpu, uint64_t *ret_waits)
{
	uint64_t before = atomic_load(&vcpu->waits_before);
	struct stats_values now;

	if (!stats_read(&vcpu->stats, &now))
		return false;
	*ret_waits = now.waits;
	return now.waits > (vcpu->waits_seen > before ? vcpu->waits_seen : before);
}

/*
 * One interrupt for each wait, once the vCPU is in it: it cannot be lost, and no second one can be left over for the
 * next wait. Where KVM does not see the waits at all, it comes late.
 */
static void wake_halted(struct vcpu *vcpu, uint64_t want, int64_t now_ns)
{
	unsigned int task = atomic_load(&vcpu->tasks_begun);
	uint64_t waits = vcpu->waits_seen;
	bool waiting;

	if (want != vcpu->wake_seen || task != vcpu->wake_task) {
		vcpu->wake_seen = want;
		vcpu->wake_task = task;
		vcpu->wake_since_ns = now_ns;
		vcpu->suspended = false;
	}
	waiting = is_waiting(vcpu, &waits);
	if (waiting && atomic_load(&vcpu->suspends) && !vcpu->suspended) {
		vcpu->suspended = true;
		vcpu->wake_since_ns = now_ns;
		pthread_kill(vcpu->thread, SIGUSR1);
	}
	if (vcpu->suspended && now_ns - vcpu->wake_since_ns < SUSPENDED_NS)
		return;
	if (!waiting && now_ns - vcpu->wake_since_ns <= WAKE_ANYWAY_NS)
		return;
	vcpu->waits_seen = waits;
	vcpu->wake_since_ns = now_ns;
	vm_interrupt(vcpu->kvm.vm, vcpu->kvm.id);
}

/* Sends an interrupt for a HLT that is due and again where that did not help. */
static void wake(struct vcpu *vcpu, int64_t now_ns)
{
	uint64_t want = vcpu->kvm.control->want;

	if (atomic_load(&vcpu->wakes_halted)) {
		if (want != vcpu->kvm.control->done)
			wake_halted(vcpu, want, now_ns);
		return;
	}
	if (want == vcpu->kvm.control->done) {
		vcpu->wake_seen = 0;
		return;
	}
	if (want != vcpu->wake_seen) {
		vcpu->wake_seen = want;
		vcpu->wake_since_ns = now_ns + atomic_load(&vcpu->wake_after_ns) - WAKE_AGAIN_NS;
	}
	if (now_ns - vcpu->wake_since_ns >= WAKE_AGAIN_NS) {
		vcpu->wake_since_ns = now_ns;
		vm_interrupt(vcpu->kvm.vm, vcpu->kvm.id);
	}
}

/* By the thread's own time: one that gets no turn is not stuck. */
static bool is_stuck(struct vcpu *vcpu)
{
	uint64_t progress = vcpu->kvm.control->progress;
	struct timespec ts;
	clockid_t clock;
	int64_t cpu_ns;

	if (pthread_getcpuclockid(vcpu->thread, &clock) || clock_gettime(clock, &ts))
		return false;
	cpu_ns = timespec_ns(&ts);
	if (!atomic_load(&vcpu->pauses) || progress != vcpu->progress_seen || vcpu->progress_cpu_ns == 0) {
		vcpu->progress_seen = progress;
		vcpu->progress_cpu_ns = cpu_ns;
		return false;
	}
	return cpu_ns - vcpu->progress_cpu_ns > STUCK_NS;
}

void vcpu_watch(struct vcpu *vcpu)
{
	int64_t deadline_ns = atomic_load(&vcpu->deadline_ns);
	int64_t now_ns = host_now_ns();
	bool stuck;

	if (atomic_load(&vcpu->finished))
		return;
	stuck = is_stuck(vcpu);
	if (atomic_load(&vcpu->wakes))
		wake(vcpu, now_ns);
	if (deadline_ns == 0 || (now_ns < deadline_ns && !stuck))
		return;
	atomic_store(&vcpu->stop, stuck ? STOP_STUCK : STOP_TIME);
	/* Out of KVM_RUN, and not into it: the signal may come before the call. */
	vcpu->kvm.run->immediate_exit = 1;
	pthread_kill(vcpu->thread, SIGUSR1);
}
