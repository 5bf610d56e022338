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

#define BARRIER_POLL_NS		500000
/* An emulated processor may deliver the interrupt before the HLT. */
#define WAKE_AGAIN_NS		20000000
/* Processor time without one PAUSE left behind. */
#define STUCK_NS		500000000

#define RFLAGS_FIXED		0x2u
#define RFLAGS_IOPL3		0x3000u	/* CPL 3 may do the OUT at the end */

static void nap_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

/* How a run of the vCPU ended. */
enum ended {
	ENDED_WELL,
	ENDED_STOPPED,		/* the watch wanted it */
	ENDED_IN_XEN,		/* KVM hands the call to user space */
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

/* A port access is over for KVM only with the next KVM_RUN, which this makes to do nothing else. */
static void complete_io(struct vcpu *vcpu)
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
	struct kvm_run *state = vcpu->kvm.run;

	for (;;) {
		if (ioctl(vcpu->kvm.fd, KVM_RUN, NULL) < 0) {
			if (errno != EINTR && errno != EAGAIN)
				return run_failed(vcpu, result, errno);
			if (is_stopped(vcpu))
				return ENDED_STOPPED;
			state->immediate_exit = 0;
			continue;
		}
		switch (state->exit_reason) {
		case KVM_EXIT_INTR:
			break;
		case KVM_EXIT_HLT:
			m->user_hlts++;
			if (op && op->user_hlt)
				break;
			return run_failed(vcpu, result, 0);
		case KVM_EXIT_IO:
			if (state->io.port != GUEST_PORT)
				return run_failed(vcpu, result, 0);
			complete_io(vcpu);
			return ENDED_WELL;
		case KVM_EXIT_XEN:
			return ENDED_IN_XEN;
		default:
			return run_failed(vcpu, result, 0);
		}
	}
}

static int set_regs(struct vcpu *vcpu, enum code code, const struct op *op, const struct task *task)
{
	unsigned int id = vcpu->kvm.id;
	const struct vm *vm = vcpu->kvm.vm;
	struct kvm_regs regs = {
		.rip = VM_CODE + code_offset(code, vm->host->vmx),
		.rflags = RFLAGS_FIXED | (op && op->cpl3 ? RFLAGS_IOPL3 : 0),
		.rsp = VM_VCPU_STACK(id) + VM_PAGE,
		.rbp = op ? op->nr : 0,
		.r11 = VM_VCPU(id),
		.r12 = task ? task->count : 1,
		.r14 = op ? op->expect : 0,
	};
	struct site site = {
		.vcpu = id, .vcpus = vm->vcpus, .target = task ? task->target : 0, .control_gpa = VM_VCPU(id),
		.vmcb_gpa = VM_VCPU_VMCB(id), .control = vcpu->kvm.control, .vmcb = vm->memory + VM_VCPU_VMCB(id),
		.regs = &regs,
	};

	memset(vcpu->kvm.control, 0, sizeof(*vcpu->kvm.control));
	if (op && op->set)
		op->set(&site);
	return ioctl(vcpu->kvm.fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

int vcpu_init(struct vcpu *vcpu, struct vm *vm, struct plan *plan, unsigned int id)
{
	struct result result = { 0 };
	struct measure m = { 0 };
	int err;

	*vcpu = (struct vcpu){ .plan = plan };
	err = vm_vcpu_init(vm, id, &vcpu->kvm);
	if (err)
		return err;
	stats_init(&vcpu->stats, vcpu->kvm.fd);
	err = set_regs(vcpu, CODE_NOP, NULL, NULL);
	if (!err && run(vcpu, NULL, &m, &result) == ENDED_WELL)
		return 0;
	vm->failed_at = "the first run of a vCPU";
	return err ? err : -EIO;
}

/* The watch may act from here on, until end_watch. */
static void begin_watch(struct vcpu *vcpu, const struct op *op)
{
	atomic_store(&vcpu->stop, STOP_NO);
	atomic_store(&vcpu->wake_after_ns, op->wake_after_ns);
	atomic_store(&vcpu->pauses, op->pause);
	atomic_store(&vcpu->wakes, op->wakes);
	atomic_store(&vcpu->deadline_ns, host_now_ns() + vcpu->plan->op_timeout_ns);
}

static void end_watch(struct vcpu *vcpu)
{
	atomic_store(&vcpu->deadline_ns, 0);
	atomic_store(&vcpu->wakes, false);
	atomic_store(&vcpu->pauses, false);
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
	case ENDED_IN_XEN:
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
	struct kvm_regs regs;
	enum ended ended;

	begin_watch(vcpu, op);
	ended = run(vcpu, op, m, result);
	end_watch(vcpu);
	m->elapsed_ns = host_now_ns() - begin_ns;
	m->stats = stats && stats_read(&vcpu->stats, &after);
	if (m->stats) {
		m->exits = after.exits - before.exits;
		m->halts = after.halts - before.halts;
	}
	m->rounds = vcpu->kvm.control->progress;
	m->waits = thread_waits() - waits;
	if (ended == ENDED_WELL && ioctl(vcpu->kvm.fd, KVM_GET_REGS, &regs) == 0) {
		m->matched = regs.r13;
		m->last = regs.r15;
	}
	return ended;
}

static void do_task(struct vcpu *vcpu, struct task *task)
{
	const struct op *op = &ops[task->op];
	struct result *result = &task->result;
	struct measure m = { .planned = task->count };
	enum ended ended;

	if (op->pause && atomic_load(&vcpu->plan->pause_stuck)) {
		result->state = STATE_COULD_NOT;
		snprintf(result->why, sizeof(result->why), "PAUSE makes no progress here, as another operation found");
		return;
	}
	if (vm_vcpu_reset(&vcpu->kvm, op->cpl3) || set_regs(vcpu, op->code, op, task)) {
		result->state = STATE_FAILED;
		snprintf(result->why, sizeof(result->why), "the vCPU's registers could not be set: %s", strerror(errno));
		return;
	}
	result->ran = true;
	ended = measured_run(vcpu, op, &m, result);
	result->executed = m.rounds;
	judge(vcpu, op, ended, &m, result);
}

static bool is_mine(const struct vcpu *vcpu, const struct task *task)
{
	return task->vcpu == vcpu->kvm.id && ops[task->op].flavour == vcpu->kvm.vm->flavour &&
	       task->result.state == STATE_TODO;
}

/* Each vCPU begins elsewhere in the list, so that different operations meet. */
static void do_tasks(struct vcpu *vcpu)
{
	struct plan *plan = vcpu->plan;
	unsigned int first = 0;

	for (unsigned int skip = vcpu->kvm.id; skip > 0 && first < plan->tasks_count; first++) {
		if (is_mine(vcpu, &plan->tasks[first]))
			skip--;
	}
	for (unsigned int i = 0; i < plan->tasks_count; i++) {
		struct task *task = &plan->tasks[(first + i) % plan->tasks_count];

		if (is_mine(vcpu, task))
			do_task(vcpu, task);
	}
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
	atomic_fetch_add(&slot->ready, 1);
	while (!atomic_load(&plan->go))
		nap_ns(BARRIER_POLL_NS);
	do_tasks(vcpu);
	atomic_store(&vcpu->finished, true);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu)
{
	return -pthread_create(&vcpu->thread, NULL, vcpu_main, vcpu);
}

/* Sends an interrupt for a HLT that is due and again where that did not help. */
static void wake(struct vcpu *vcpu, int64_t now_ns)
{
	uint64_t want = vcpu->kvm.control->want;

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
	cpu_ns = ts.tv_sec * 1000000000LL + ts.tv_nsec;
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
