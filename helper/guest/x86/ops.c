// SPDX-License-Identifier: Apache-2.0
// The table of operations on x86.
#include "ops.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "common.h"
#include "vmcb.h"

/* Hypercall numbers and results, as the guest sees them. */
#define HC_KICK_CPU		5
#define HC_SCHED_YIELD		11
#define HV_LONG_SPIN_WAIT	0x10008ull	/* code 8, a fast call */
#define HV_VAR_HEADER		(1ull << 17)	/* one 8-byte unit */
#define HV_REP			(1ull << 32)	/* one repetition */
#define HV_INVALID_INPUT	3
#define XEN_SCHED_OP		29
#define XEN_SCHEDOP_YIELD	0
#define XEN_SCHEDOP_POLL	3
#define MINUS(err)		((uint64_t)-(int64_t)(err))
#define KVM_ENOSYS_RESULT	MINUS(1000)

#define POLL_NS			8

static const char *const flavour_names[FLAVOUR_COUNT] = {
	[FLAVOUR_KVM] = "kvm",
	[FLAVOUR_NOIRQCHIP] = "noirqchip",
	[FLAVOUR_ENFORCE] = "enforce",
	[FLAVOUR_HYPERV] = "hyperv",
	[FLAVOUR_XEN] = "xen",
	[FLAVOUR_XENPOLL] = "xenpoll",
	[FLAVOUR_NESTED] = "nested",
};

const char *flavour_name(enum flavour flavour)
{
	return flavour_names[flavour];
}

/* --- what an operation puts into registers and memory --- */

static void set_yield(const struct site *site)
{
	site->regs->rbx = site->target;
}

/* The next vCPU by its APIC id: a kick that reaches somebody. */
static void set_kick(const struct site *site)
{
	site->regs->rbx = 0;
	site->regs->rcx = (site->vcpu + 1) % site->vcpus;
}

static void set_hv(const struct site *site)
{
	site->regs->rcx = HV_LONG_SPIN_WAIT;
}

static void set_hv_rep(const struct site *site)
{
	site->regs->rcx = HV_LONG_SPIN_WAIT | HV_REP;
}

static void set_hv_var(const struct site *site)
{
	site->regs->rcx = HV_LONG_SPIN_WAIT | HV_VAR_HEADER;
}

static void set_xen_yield(const struct site *site)
{
	site->regs->rdi = XEN_SCHEDOP_YIELD;
}

/* One event channel that nobody ever signals. A time-out of less than a jiffy ends with the next one. */
static void set_xen_poll(const struct site *site)
{
	site->control->poll_port = 1;
	site->control->poll_ports = site->control_gpa + offsetof(struct control, poll_port);
	site->control->poll_nr_ports = 1;
	site->control->poll_timeout = POLL_NS;
	site->regs->rdi = XEN_SCHEDOP_POLL;
	site->regs->rsi = site->control_gpa + offsetof(struct control, poll_ports);
}

static void set_nested_hlt(const struct site *site)
{
	vmcb_prepare(site->vmcb, CODE_L2_HLT);
	site->regs->rbx = site->vmcb_gpa;
}

static void set_nested_pause(const struct site *site)
{
	vmcb_prepare(site->vmcb, CODE_L2_PAUSE);
	site->regs->rbx = site->vmcb_gpa;
}

/* --- why an operation cannot be done here --- */

static const char *no_irqchip(const struct host *host)
{
	if (!host_cap(host, KVM_CAP_IRQCHIP) || !host_cap(host, KVM_CAP_SIGNAL_MSI))
		return "KVM has no interrupt controller in the kernel here (KVM_CAP_IRQCHIP, KVM_CAP_SIGNAL_MSI)";
	return NULL;
}

static const char *no_forced_emulation(const struct host *host)
{
	if (!host_module_param("kvm", "force_emulation_prefix"))
		return "the module kvm was loaded without force_emulation_prefix=1";
	return no_irqchip(host);
}

static const char *no_enforce(const struct host *host)
{
	if (!host_cap(host, KVM_CAP_ENFORCE_PV_FEATURE_CPUID))
		return "this kernel does not enforce paravirtual features (KVM_CAP_ENFORCE_PV_FEATURE_CPUID)";
	return NULL;
}

static const char *no_hyperv(const struct host *host)
{
	if (!host_cap(host, KVM_CAP_HYPERV))
		return "this kernel does not emulate Hyper-V (KVM_CAP_HYPERV)";
	return NULL;
}

/* sched_op came into the kernel together with EVTCHN_SEND (5.19); before, the call is user space's. */
static const char *no_xen(const struct host *host)
{
	int flags = host_cap(host, KVM_CAP_XEN_HVM);

	if (!(flags & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL))
		return "this kernel does not emulate Xen (CONFIG_KVM_XEN, KVM_CAP_XEN_HVM)";
	if (!(flags & KVM_XEN_HVM_CONFIG_EVTCHN_SEND))
		return "this kernel's KVM leaves Xen's sched_op to user space";
	return NULL;
}

static const char *no_nested(const struct host *host)
{
	if (host->vmx)
		return "the nested guest is written for AMD only";
	if (!host_module_param("kvm_amd", "nested"))
		return "the module kvm_amd was loaded without nested=1";
	return NULL;
}

static const char *no_sev_es(const struct host *host)
{
	(void)host;
	return "kvm_emulate_ap_reset_hold is reached by a SEV-ES guest only, and this program makes none";
}

/* --- what the measured numbers mean --- */

/* __kvm_emulate_halt counts each HLT it emulates in halt_exits, which checks the guest's own count. */
static void judge_halt(const struct op *op, const struct measure *m, struct result *result)
{
	if (m->stats && m->halts != m->planned)
		judge_fail(result, "KVM's halt_exits does not agree", m->halts, m->planned);
	else
		judge_done(op, result, m->rounds);
}

static void judge_halt_user(const struct op *op, const struct measure *m, struct result *result)
{
	if (m->user_hlts != m->planned)
		judge_fail(result, "too few or too many KVM_EXIT_HLT", m->user_hlts, m->planned);
	else
		judge_halt(op, m, result);
}

/*
 * em_hlt only sets vcpu->arch.halt_request. It is VMX's handle_invalid_guest_state and handle_rmode_exception that
 * look at it; after handle_ud nobody does, and the guest runs on without having halted: no event. So what KVM
 * counted decides, and where it cannot be read, whether the thread slept until the interrupts came.
 */
static void judge_halt_emulated(const struct op *op, const struct measure *m, struct result *result)
{
	uint64_t halts = m->stats ? m->halts : m->waits >= m->planned ? m->planned : 0;

	if (halts != 0 && halts != m->planned) {
		judge_fail(result, "some emulated HLTs halted and some did not", halts, m->planned);
		return;
	}
	judge_done(op, result, m->rounds);
	if (halts == 0) {
		result->events = 0;
		result->quiet = m->rounds;
	}
}

/*
 * Hardware exits from a PAUSE as its filter or window decides, an emulator of SVM from each. As many exits as PAUSEs
 * (and calls, others exits an instruction) say the latter. A kernel before 5.14 has no KVM_GET_STATS_FD to tell it: there
 * the count assumes it and the report says so.
 */
static void judge_pauses(const struct measure *m, uint64_t exits_expected, struct result *result)
{
	result->state = STATE_DONE;
	result->assumed = !m->stats && !m->pause_loops;
	result->known = !m->pause_loops && (!m->stats || m->exits >= exits_expected);
	result->events = m->rounds;
	if (!result->known)
		snprintf(result->why, sizeof(result->why),
			 "not every PAUSE exits here: %" PRIu64 " exits in %" PRIu64 " rounds", m->exits, m->rounds);
}

static void judge_pause(const struct op *op, const struct measure *m, struct result *result)
{
	(void)op;
	judge_pauses(m, m->planned, result);
}

static void judge_rep_pause(const struct op *op, const struct measure *m, struct result *result)
{
	if (!judge_calls(op, m, result))
		return;
	judge_pauses(m, 2 * m->planned, result);
	result->quiet = m->matched;
}

/*
 * A kernel that does not know of variable headers (before 5.14 or so) takes the call for a plain one, answers
 * success and has been to kvm_vcpu_on_spin: that is an event. The result tells which it was.
 */
static void judge_var(const struct op *op, const struct measure *m, struct result *result)
{
	if (m->matched == 0 && m->last == 0) {
		result->state = STATE_DONE;
		result->known = true;
		result->events = m->rounds;
		return;
	}
	judge_call(op, m, result);
}

/*
 * The fallthrough to the yield returns 0 too, and so does a poll that finds an event, but both at once. Of the waits only
 * one that ends within the time of halt polling is not slept through.
 */
static void judge_poll_block(const struct op *op, const struct measure *m, struct result *result)
{
	if (!judge_calls(op, m, result))
		return;
	if (2 * m->waits < m->planned)
		judge_fail(result, "the polls did not block: sleeps and rounds", m->waits, m->planned);
	else
		judge_done(op, result, m->matched);
}

const struct op ops[] = {
	{
		.name = "hlt", .event = "hlt", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_HLT,
		.wakes = true, .why_not = no_irqchip, .judge = judge_halt,
		.help = "HLT that blocks, with the local APIC in the kernel, woken by an interrupt",
	}, {
		.name = "hlt-long", .event = "hlt", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_HLT, .on_demand = true,
		.wakes = true, .wake_after_ns = 5000000000, .why_not = no_irqchip, .judge = judge_halt,
		.help = "HLT that goes on for five seconds; only when asked for",
	}, {
		.name = "hlt-emulated", .event = "hlt", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_HLT_EMULATED,
		.wakes = true, .slow = true, .wake_after_ns = 20000000, .why_not = no_forced_emulation,
		.judge = judge_halt_emulated,
		.help = "HLT through KVM's instruction emulator; counts where that halts the vCPU",
	}, {
		.name = "hlt-user", .event = "hlt", .source = "kvm", .flavour = FLAVOUR_NOIRQCHIP, .code = CODE_HLT_USER,
		.user_hlt = true, .judge = judge_halt_user,
		.help = "HLT without a local APIC in the kernel, which exits to user space",
	}, {
		.name = "pause", .event = "ple", .flavour = FLAVOUR_KVM, .code = CODE_PAUSE, .pause = true,
		.judge = judge_pause,
		.help = "PAUSE (Intel: a loop of 4096); the count is unknown (null) where not every one exits",
	}, {
		.name = "pause-cpl3", .event = "ple", .flavour = FLAVOUR_KVM, .code = CODE_PAUSE, .pause = true, .cpl3 = true,
		.on_demand = true, .judge = judge_pause,
		.help = "PAUSE in the guest's user mode, where Intel's pause-loop exiting is off; only when asked for",
	}, {
		.name = "yield", .event = "pv_yield", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_CALL,
		.target = true, .nr = HC_SCHED_YIELD, .set = set_yield, .judge = judge_call,
		.help = "KVM_HC_SCHED_YIELD to TARGET, an APIC id or any other number; 0 where none is given",
	}, {
		.name = "kick", .event = "pv_yield", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_CALL, .quiet = true,
		.nr = HC_KICK_CPU, .set = set_kick, .judge = judge_call,
		.help = "KVM_HC_KICK_CPU of the next vCPU",
	}, {
		.name = "yield-cpl3", .event = "pv_yield", .source = "kvm", .flavour = FLAVOUR_KVM, .code = CODE_CALL,
		.quiet = true, .cpl3 = true, .nr = HC_SCHED_YIELD, .expect = MINUS(EPERM), .judge = judge_call,
		.help = "KVM_HC_SCHED_YIELD from the guest's user mode, which KVM refuses",
	}, {
		.name = "yield-unoffered", .event = "pv_yield", .source = "kvm", .flavour = FLAVOUR_ENFORCE, .code = CODE_CALL,
		.quiet = true, .nr = HC_SCHED_YIELD, .expect = KVM_ENOSYS_RESULT, .why_not = no_enforce, .judge = judge_call,
		.help = "KVM_HC_SCHED_YIELD where the feature is enforced and not offered",
	}, {
		.name = "hv-spin", .event = "pv_yield", .source = "hyperv", .flavour = FLAVOUR_HYPERV, .code = CODE_CALL,
		.set = set_hv, .why_not = no_hyperv, .judge = judge_call,
		.help = "HVCALL_NOTIFY_LONG_SPIN_WAIT",
	}, {
		.name = "hv-pause", .event = "ple", .flavour = FLAVOUR_HYPERV, .code = CODE_PAUSE, .pause = true,
		.why_not = no_hyperv, .judge = judge_pause,
		.help = "PAUSE in a Hyper-V guest",
	}, {
		.name = "hv-rep", .event = "pv_yield", .source = "hyperv", .flavour = FLAVOUR_HYPERV, .code = CODE_CALL,
		.quiet = true, .expect = HV_INVALID_INPUT, .set = set_hv_rep, .why_not = no_hyperv, .judge = judge_call,
		.help = "the same call with a rep count, which KVM rejects",
	}, {
		.name = "hv-rep-pause", .event = "ple", .flavour = FLAVOUR_HYPERV, .code = CODE_CALL_PAUSE, .pause = true,
		.expect = HV_INVALID_INPUT, .set = set_hv_rep, .why_not = no_hyperv, .judge = judge_rep_pause,
		.help = "hv-rep, each followed by a PAUSE as above: that counts, the call does not",
	}, {
		.name = "hv-var", .event = "pv_yield", .source = "hyperv", .flavour = FLAVOUR_HYPERV, .code = CODE_CALL,
		.quiet = true, .expect = HV_INVALID_INPUT, .set = set_hv_var, .why_not = no_hyperv, .judge = judge_var,
		.help = "the same call with a variable header; counts where the kernel accepts it",
	}, {
		.name = "xen-yield", .event = "pv_yield", .source = "xen", .flavour = FLAVOUR_XEN, .code = CODE_CALL,
		.nr = XEN_SCHED_OP, .set = set_xen_yield, .why_not = no_xen, .judge = judge_call,
		.help = "SCHEDOP_yield",
	}, {
		.name = "xen-poll", .event = "pv_yield", .source = "xen", .flavour = FLAVOUR_XEN, .code = CODE_CALL,
		.nr = XEN_SCHED_OP, .set = set_xen_poll, .why_not = no_xen, .judge = judge_call,
		.help = "SCHEDOP_poll where KVM does not do event channels and falls through to the yield",
	}, {
		.name = "xen-poll-block", .event = "pv_yield", .source = "xen", .flavour = FLAVOUR_XENPOLL, .code = CODE_CALL,
		.quiet = true, .slow = true, .nr = XEN_SCHED_OP, .set = set_xen_poll, .why_not = no_xen,
		.judge = judge_poll_block,
		.help = "SCHEDOP_poll that blocks until its time-out",
	}, {
		.name = "nested-hlt", .event = "hlt", .source = "kvm", .flavour = FLAVOUR_NESTED, .code = CODE_VMRUN,
		.quiet = true, .expect = VMCB_EXIT_HLT, .set = set_nested_hlt, .why_not = no_nested,
		.judge = judge_call,
		.help = "HLT of a nested guest, which exits to the guest's own hypervisor",
	}, {
		.name = "nested-pause", .event = "ple", .flavour = FLAVOUR_NESTED, .code = CODE_VMRUN,
		.quiet = true, .expect = VMCB_EXIT_PAUSE, .set = set_nested_pause, .why_not = no_nested,
		.judge = judge_call,
		.help = "PAUSE of a nested guest, likewise",
	}, {
		.name = "busy", .event = "-", .source = "-", .flavour = FLAVOUR_KVM, .code = CODE_BUSY, .quiet = true,
		.on_demand = true, .holds = true, .judge = judge_busy,
		.help = "runs without an exit of its own until the VM's other vCPUs are done; only when asked for",
	}, {
		.name = "hv-busy", .event = "-", .source = "-", .flavour = FLAVOUR_HYPERV, .code = CODE_BUSY, .quiet = true,
		.on_demand = true, .holds = true, .why_not = no_hyperv, .judge = judge_busy,
		.help = "the same in a Hyper-V guest",
	}, {
		.name = "ap-reset-hold", .event = "hlt", .source = "kvm", .quiet = true, .why_not = no_sev_es,
		.help = "kvm_emulate_ap_reset_hold; needs SEV-ES, never done",
	},
};

const unsigned int ops_count = ARRAY_SIZE(ops);
