// SPDX-License-Identifier: Apache-2.0
// The table of operations on arm64.
#include "ops.h"

#include <linux/kvm.h>
#include <stddef.h>

#include "common.h"

#define PSCI_CPU_SUSPEND	0xc4000001u

const char *flavour_name(enum flavour flavour)
{
	(void)flavour;
	return "kvm";
}

static const char *no_gic(const struct host *host)
{
	if (!host_cap(host, KVM_CAP_IRQCHIP) || !host_cap(host, KVM_CAP_DEVICE_CTRL))
		return "KVM has no interrupt controller in the kernel here (KVM_CAP_IRQCHIP)";
	return NULL;
}

static const char *no_psci(const struct host *host)
{
	return host_cap(host, KVM_CAP_ARM_PSCI_0_2) ? no_gic(host) : "KVM does not answer PSCI calls here (KVM_CAP_ARM_PSCI_0_2)";
}

static const char *no_suspend(const struct host *host)
{
	if (!host_cap(host, KVM_CAP_ARM_SYSTEM_SUSPEND))
		return "user space cannot suspend a vCPU on this kernel (KVM_CAP_ARM_SYSTEM_SUSPEND)";
	return no_gic(host);
}

/*
 * KVM and the processor decide which of these instructions are trapped: by the trap policy, by what else the CPU has
 * to do, and not where the wait would end at once (an ERET sets the event register, for one). kvm_handle_wfx counts
 * those that are, and the rest must not be seen. Without that count (before 5.14) each is assumed to be trapped.
 */
static void judge_trapped(const struct measure *m, uint64_t trapped, struct result *result)
{
	if (!m->stats) {
		result->state = STATE_DONE;
		result->known = true;
		result->assumed = true;
		result->events = m->rounds;
	} else if (trapped > m->rounds) {
		judge_fail(result, "KVM counted more than were executed", trapped, m->rounds);
	} else {
		result->state = STATE_DONE;
		result->known = true;
		result->events = trapped;
		result->quiet = m->rounds - trapped;
	}
}

static void judge_wfi(const struct op *op, const struct measure *m, struct result *result)
{
	(void)op;
	judge_trapped(m, m->halts, result);
}

static void judge_wfe(const struct op *op, const struct measure *m, struct result *result)
{
	(void)op;
	judge_trapped(m, m->spins, result);
}

/*
 * The WFI counts. Then a signal takes the vCPU out of it, and user space suspends it: it waits in kvm_vcpu_wfi()
 * again, with the syndrome of that WFI still there, until the interrupt comes.
 */
static void judge_suspended(const struct op *op, const struct measure *m, struct result *result)
{
	(void)op;
	if (!m->stats || m->user_hlts != m->halts) {
		judge_fail(result, "too few or too many wake-ups of the suspended vCPU", m->user_hlts, m->halts);
		return;
	}
	judge_trapped(m, m->halts, result);
	result->quiet += m->user_hlts;
}

const struct op ops[] = {
	{
		.name = "wfi", .event = "hlt", .source = "wfi", .flavour = FLAVOUR_KVM, .code = CODE_WFI,
		.wakes = true, .wakes_halted = true, .wake_after_ns = 5000000, .why_not = no_gic, .judge = judge_wfi,
		.help = "WFI, woken by an interrupt; counts as often as KVM traps it",
	}, {
		.name = "wfe", .event = "ple", .source = "wfe", .flavour = FLAVOUR_KVM, .code = CODE_WFE,
		.why_not = no_gic, .judge = judge_wfe,
		.help = "WFE; counts as often as KVM traps it",
	}, {
		.name = "psci-suspend", .event = "hlt", .source = "wfi", .flavour = FLAVOUR_KVM, .code = CODE_CALL_WAIT,
		.quiet = true, .wakes = true, .wakes_halted = true, .nr = PSCI_CPU_SUSPEND, .why_not = no_psci, .judge = judge_call,
		.help = "PSCI's CPU_SUSPEND, which waits as a WFI does and is none",
	}, {
		.name = "suspended", .event = "hlt", .source = "wfi", .flavour = FLAVOUR_KVM, .code = CODE_WFI,
		.wakes = true, .wakes_halted = true, .suspends = true, .wake_after_ns = 5000000, .slow = true,
		.why_not = no_suspend, .judge = judge_suspended,
		.help = "WFI, during which user space suspends the vCPU: the WFI counts, the suspension does not",
	}, {
		.name = "busy", .event = "-", .source = "-", .flavour = FLAVOUR_KVM, .code = CODE_BUSY, .quiet = true,
		.on_demand = true, .holds = true, .judge = judge_busy,
		.help = "runs without an exit of its own until the VM's other vCPUs are done; only when asked for",
	},
};

const unsigned int ops_count = ARRAY_SIZE(ops);
