// SPDX-License-Identifier: Apache-2.0
// Makes a VM of a flavour: its memory, its tables, its vCPUs in 64-bit mode.
#include "vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common.h"
#include "layout.h"
#include "stats.h"

#define CPUID_MAX		256
#define APIC_BASE		0xfee00000u
#define APIC_SVR		0xf0u
#define APIC_SVR_ENABLED	0x1ffu
#define PTE_TABLE		0x7u	/* present, writable, user */
#define PTE_2M			0x87u
#define PTE_2M_UNCACHED		0x9fu
#define DESC_CODE64		0x00af9b000000ffffull
#define DESC_DATA		0x00cf93000000ffffull
#define GATE_INTERRUPT		0x8eu
#define MSR_HV_GUEST_OS_ID	0x40000000u
#define MSR_HV_HYPERCALL	0x40000001u
#define MSR_XEN_HYPERCALL	0x40000200u
#define MSR_VM_HSAVE_PA		0xc0010117u
#define KVM_FEATURE_UNHALT	(1u << 7)
#define KVM_FEATURE_YIELD	(1u << 13)
/* Intel wants three pages for real mode, outside of the memory. */
#define VM_TSS			0xfffbd000ul
#define RFLAGS_FIXED		0x2u
#define RFLAGS_IOPL3		0x3000u	/* CPL 3 may do the OUT at the end */

/* What sets the flavours apart. */
static const struct {
	bool irqchip;
	bool hyperv;
	uint32_t kvm_features;
	uint32_t xen_flags;	/* of KVM_XEN_HVM_CONFIG; 0: no Xen */
	bool xen_shared_info;
	bool enforce;
	bool svm;
} flavours[FLAVOUR_COUNT] = {
	[FLAVOUR_KVM] = { .irqchip = true, .kvm_features = KVM_FEATURE_UNHALT | KVM_FEATURE_YIELD },
	[FLAVOUR_NOIRQCHIP] = { .irqchip = false },
	[FLAVOUR_ENFORCE] = { .irqchip = true, .enforce = true },
	[FLAVOUR_HYPERV] = { .irqchip = true, .hyperv = true },
	[FLAVOUR_XEN] = { .irqchip = true, .xen_flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL },
	[FLAVOUR_XENPOLL] = {
		.irqchip = true, .xen_shared_info = true,
		.xen_flags = KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL | KVM_XEN_HVM_CONFIG_EVTCHN_SEND,
	},
	[FLAVOUR_NESTED] = { .irqchip = true, .svm = true },
};

const char *const stats_names[STAT_COUNT] = {
	[STAT_EXITS] = "exits",
	[STAT_IRQ_EXITS] = "irq_exits",
	[STAT_IO_EXITS] = "io_exits",
	[STAT_HALTS] = "halt_exits",
};

/* 2 MB pages: the first for everything, one for the local APIC. The user bit lets CPL 3 run. */
static void fill_tables(struct vm *vm)
{
	uint64_t irq = VM_CODE + code_offset(CODE_IRQ, vm->host->vmx);
	uint32_t gate = VM_IDT + GUEST_VECTOR * 16;

	put64(vm->memory, VM_PML4, VM_PDPT | PTE_TABLE);
	put64(vm->memory, VM_PDPT, VM_PD_LOW | PTE_TABLE);
	put64(vm->memory, VM_PDPT + 8 * (APIC_BASE >> 30), VM_PD_APIC | PTE_TABLE);
	put64(vm->memory, VM_PD_LOW, PTE_2M);
	put64(vm->memory, VM_PD_APIC + 8 * (APIC_BASE >> 21 & 511), APIC_BASE | PTE_2M_UNCACHED);
	put64(vm->memory, VM_GDT + VM_CODE_SELECTOR, DESC_CODE64);
	put64(vm->memory, VM_GDT + VM_DATA_SELECTOR, DESC_DATA);
	put64(vm->memory, gate, (irq & 0xffff) | VM_CODE_SELECTOR << 16 | (uint64_t)GATE_INTERRUPT << 40 | (irq >> 16) << 48);
	memcpy(vm->memory + VM_CODE, guest_code, (size_t)(guest_code_end - guest_code));
}

/* kvm_xen_hypercall_enabled wants INTERCEPT_HCALL; kvm_xen_schedop_poll blocks only where event channels are KVM's. */
static int make_xen(struct vm *vm)
{
	struct kvm_xen_hvm_config config = { .flags = flavours[vm->flavour].xen_flags, .msr = MSR_XEN_HYPERCALL };

	return VM_CALL(vm, vm->fd, KVM_XEN_HVM_CONFIG, &config);
}

int vm_init(struct vm *vm, const struct host *host, enum flavour flavour, unsigned int vcpus)
{
	int err;

	*vm = (struct vm){ .host = host, .flavour = flavour, .vcpus = vcpus };
	err = vm_open(vm, 0);
	if (!err && host->vmx)
		err = VM_CALL(vm, vm->fd, KVM_SET_TSS_ADDR, (void *)VM_TSS);
	if (!err)
		err = vm_memory(vm, 0, VM_SIZE);
	if (!err)
		fill_tables(vm);
	if (!err && flavours[flavour].irqchip)
		err = VM_CALL(vm, vm->fd, KVM_CREATE_IRQCHIP, NULL);
	if (!err && flavours[flavour].xen_flags)
		err = make_xen(vm);
	return err;
}

static void cpuid_add(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t eax, uint32_t ebx, uint32_t ecx,
		      uint32_t edx)
{
	if (cpuid->nent < CPUID_MAX) {
		cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
			.function = function, .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx,
		};
	}
}

static void cpuid_add_signature(struct kvm_cpuid2 *cpuid, uint32_t max, const char signature[12])
{
	uint32_t words[3];

	memcpy(words, signature, sizeof(words));
	cpuid_add(cpuid, 0x40000000, max, words[0], words[1], words[2]);
}

/* The processor is what KVM supports; the hypervisor it shows is up to the flavour. */
static void cpuid_fill(const struct vm *vm, unsigned int id, struct kvm_cpuid2 *cpuid)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *e = &cpuid->entries[i];

		if (e->function >> 28 == 4)
			continue;
		if (e->function == 1)
			e->ebx = (e->ebx & 0xffffff) | id << 24;
		if (e->function == 0xb || e->function == 0x1f)
			e->edx = id;
		cpuid->entries[kept++] = *e;
	}
	cpuid->nent = kept;
	if (flavours[vm->flavour].hyperv) {
		cpuid_add_signature(cpuid, 0x40000006, "Microsoft Hv");
		cpuid_add(cpuid, 0x40000001, 0x31237648, 0, 0, 0);	/* "Hv#1" */
		cpuid_add(cpuid, 0x40000002, 0, 0, 0, 0);
		cpuid_add(cpuid, 0x40000003, 1u << 5, 0, 0, 0);		/* the hypercall MSRs */
		cpuid_add(cpuid, 0x40000004, 0, 0xfff, 0, 0);		/* spin this often before the call */
		cpuid_add(cpuid, 0x40000005, 0, 0, 0, 0);
		cpuid_add(cpuid, 0x40000006, 0, 0, 0, 0);
	} else {
		cpuid_add_signature(cpuid, 0x40000001, "KVMKVMKVM\0\0");
		cpuid_add(cpuid, 0x40000001, flavours[vm->flavour].kvm_features, 0, 0, 0);
	}
}

static int set_cpuid(struct vm *vm, const struct vm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));
	int err;

	if (!cpuid)
		abort();
	cpuid->nent = CPUID_MAX;
	err = VM_CALL(vm, vm->host->kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (!err) {
		cpuid_fill(vm, vcpu->id, cpuid);
		err = VM_CALL(vm, vcpu->fd, KVM_SET_CPUID2, cpuid);
	}
	free(cpuid);
	return err;
}

/* KVM_SET_MSRS answers how many it took. */
static int set_msr(struct vm *vm, const struct vm_vcpu *vcpu, uint32_t index, uint64_t value)
{
	_Alignas(struct kvm_msrs) unsigned char room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)] = { 0 };
	struct kvm_msrs *msrs = (struct kvm_msrs *)room;
	int taken;

	msrs->nmsrs = 1;
	msrs->entries[0].index = index;
	msrs->entries[0].data = value;
	taken = ioctl(vcpu->fd, KVM_SET_MSRS, msrs);
	if (taken == 1)
		return 0;
	vm->failed_at = "KVM_SET_MSRS";
	return taken < 0 ? -errno : -EINVAL;
}

/* kvm_hv_hypercall_enabled: a guest id, and on older kernels a hypercall page, are set. */
static int set_msrs(struct vm *vm, const struct vm_vcpu *vcpu)
{
	int err = 0;

	if (flavours[vm->flavour].hyperv) {
		err = set_msr(vm, vcpu, MSR_HV_GUEST_OS_ID, 1ull << 63 | 1);
		if (!err)
			err = set_msr(vm, vcpu, MSR_HV_HYPERCALL, VM_HV_PAGE | 1);
	}
	if (!err && flavours[vm->flavour].svm)
		err = set_msr(vm, vcpu, MSR_VM_HSAVE_PA, VM_VCPU_HSAVE(vcpu->id));
	return err;
}

static int enable_apic(struct vm *vm, const struct vm_vcpu *vcpu)
{
	struct kvm_lapic_state apic;
	uint32_t svr = APIC_SVR_ENABLED;
	int err = VM_CALL(vm, vcpu->fd, KVM_GET_LAPIC, &apic);

	if (err)
		return err;
	memcpy(apic.regs + APIC_SVR, &svr, sizeof(svr));
	return VM_CALL(vm, vcpu->fd, KVM_SET_LAPIC, &apic);
}

int vm_vcpu_init(struct vm *vm, unsigned int id, struct vm_vcpu *vcpu)
{
	struct kvm_enable_cap enforce = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { 1 } };
	int err = vm_vcpu_open(vm, id, VM_VCPU(id), vcpu);

	if (err)
		return err;
	err = flavours[vm->flavour].enforce ? VM_CALL(vm, vcpu->fd, KVM_ENABLE_CAP, &enforce) : 0;
	if (!err)
		err = set_cpuid(vm, vcpu);
	if (!err)
		err = set_msrs(vm, vcpu);
	if (!err && flavours[vm->flavour].irqchip)
		err = enable_apic(vm, vcpu);
	return err;
}

/*
 * The page of event channels comes after the vCPUs: a new memory slot, as VMX makes one with a vCPU, puts what KVM has
 * cached of the page out of date, and a poll does not block then.
 */
int vm_complete(struct vm *vm, const struct vm_vcpu *const vcpus[])
{
	struct kvm_xen_hvm_attr mode = { .type = KVM_XEN_ATTR_TYPE_LONG_MODE, .u.long_mode = 1 };
	struct kvm_xen_hvm_attr info = {
		.type = KVM_XEN_ATTR_TYPE_SHARED_INFO, .u.shared_info.gfn = VM_XEN_PAGE / VM_PAGE,
	};
	int err;

	(void)vcpus;
	if (!flavours[vm->flavour].xen_shared_info)
		return 0;
	err = VM_CALL(vm, vm->fd, KVM_XEN_HVM_SET_ATTR, &mode);
	return err ? err : VM_CALL(vm, vm->fd, KVM_XEN_HVM_SET_ATTR, &info);
}

/* VMX checks at entry that each segment's DPL, its selector's RPL and the CPL agree. */
static void set_segments(struct kvm_sregs *sregs, unsigned int cpl)
{
	struct kvm_segment code = {
		.limit = UINT32_MAX, .selector = (uint16_t)(VM_CODE_SELECTOR | cpl), .type = 11, .present = 1, .s = 1, .l = 1,
		.g = 1, .dpl = (uint8_t)cpl,
	};
	struct kvm_segment data = {
		.limit = UINT32_MAX, .selector = (uint16_t)(VM_DATA_SELECTOR | cpl), .type = 3, .present = 1, .s = 1, .db = 1,
		.g = 1, .dpl = (uint8_t)cpl,
	};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){ .limit = 0xffff, .type = 11, .present = 1 };
	sregs->ldt = (struct kvm_segment){ .unusable = 1 };
	sregs->gdt = (struct kvm_dtable){ .base = VM_GDT, .limit = 0x17 };
	sregs->idt = (struct kvm_dtable){ .base = VM_IDT, .limit = 0xfff };
}

/* Puts the vCPU's segments and modes right, at CPL 0 or 3, and makes it runnable. */
static int reset(struct vm_vcpu *vcpu, bool cpl3)
{
	struct vm *vm = vcpu->vm;
	struct kvm_mp_state runnable = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_sregs sregs;
	int err = 0;

	/* All but the first vCPU wait for a start-up IPI, and one taken out of a HLT is still halted. */
	if (flavours[vm->flavour].irqchip)
		err = VM_CALL(vm, vcpu->fd, KVM_SET_MP_STATE, &runnable);
	if (!err)
		err = VM_CALL(vm, vcpu->fd, KVM_GET_SREGS, &sregs);
	if (err)
		return err;
	set_segments(&sregs, cpl3 ? 3 : 0);
	sregs.cr0 = VM_CR0;
	sregs.cr3 = VM_PML4;
	sregs.cr4 = VM_CR4;
	sregs.efer = VM_EFER | (flavours[vm->flavour].svm ? VM_EFER_SVME : 0);
	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	return VM_CALL(vm, vcpu->fd, KVM_SET_SREGS, &sregs);
}

int vm_vcpu_begin(struct vm_vcpu *vcpu, const struct op *op, uint64_t target, uint64_t count)
{
	struct vm *vm = vcpu->vm;
	struct kvm_regs regs = {
		.rip = VM_CODE + code_offset(op ? op->code : CODE_NOP, vm->host->vmx),
		.rflags = RFLAGS_FIXED | (op && op->cpl3 ? RFLAGS_IOPL3 : 0),
		.rsp = VM_VCPU_STACK(vcpu->id) + VM_PAGE,
		.rbp = op ? op->nr : 0,
		.r11 = VM_VCPU(vcpu->id),
		.r12 = count,
		.r14 = op ? op->expect : 0,
	};
	struct site site = {
		.vcpu = vcpu->id, .vcpus = vm->vcpus, .target = target, .control_gpa = VM_VCPU(vcpu->id),
		.vmcb_gpa = VM_VCPU_VMCB(vcpu->id), .control = vcpu->control, .vmcb = vm->memory + VM_VCPU_VMCB(vcpu->id),
		.regs = &regs,
	};
	int err = reset(vcpu, op && op->cpl3);

	if (err)
		return err;
	memset(vcpu->control, 0, sizeof(*vcpu->control));
	if (op && op->set)
		op->set(&site);
	return VM_CALL(vm, vcpu->fd, KVM_SET_REGS, &regs);
}

bool vm_spins_at(const struct host *host, const struct op *op, uint64_t *ret_ip)
{
	if (!code_spins_at(op->code, host->vmx, ret_ip))
		return false;
	*ret_ip += VM_CODE;
	return true;
}

int vm_vcpu_interrupted(const struct vm_vcpu *vcpu, const struct op *op)
{
	(void)vcpu;
	(void)op;
	return 0;
}

enum vm_exit vm_vcpu_exit(const struct vm_vcpu *vcpu, const struct op *op, struct measure *m)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_INTR:
		return VM_EXIT_AGAIN;
	case KVM_EXIT_HLT:
		m->user_hlts++;
		return op && op->user_hlt ? VM_EXIT_AGAIN : VM_EXIT_BAD;
	case KVM_EXIT_IO:
		return vcpu->run->io.port == GUEST_PORT ? VM_EXIT_DONE : VM_EXIT_BAD;
	case KVM_EXIT_XEN:
		return VM_EXIT_TO_USER;
	default:
		return VM_EXIT_BAD;
	}
}

void vm_vcpu_results(const struct vm_vcpu *vcpu, struct measure *m)
{
	struct kvm_regs regs;

	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) == 0) {
		m->matched = regs.r13;
		m->last = regs.r15;
	}
}

int vm_interrupt(const struct vm *vm, unsigned int vcpu)
{
	struct kvm_msi msi = { .address_lo = APIC_BASE | vcpu << 12, .data = GUEST_VECTOR };

	return ioctl(vm->fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}
