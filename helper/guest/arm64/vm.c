// SPDX-License-Identifier: Apache-2.0
// Makes a VM: its memory, its GICv3, its vCPUs at EL1 with caches on.
#include "vm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common.h"
#include "stats.h"

/* Addresses as the guest sees them: virtual = physical. Two blocks of 1 GB, devices and memory. */
#define VM_GIC_DIST		0x08000000ull
#define VM_GIC_REDIST		0x080a0000ull	/* 128 KB a vCPU */
#define VM_EXIT_AT		0x20000000ull	/* nothing is there: a write goes to user space */
#define VM_MEMORY		0x40000000ull
#define VM_PAGE			0x1000u
#define VM_TABLE		0u		/* offsets in the memory from here on */
#define VM_CODE			0x1000u
#define VM_VCPU(v)		(0x2000u + (v) * VM_PAGE)
#define VM_SIZE			0x100000u

#define PTE_BLOCK		0x1ull
#define PTE_DEVICE		0x4ull		/* attribute 1 */
#define PTE_INNER		0x300ull
#define PTE_ACCESSED		0x400ull
#define PTE_NOT_EXECUTABLE	(3ull << 53)

#define MAIR_DEVICE_NORMAL	0x00ffull	/* 0: write-back, 1: device */
#define TCR_39_BITS		0x00993519ull	/* T0SZ and T1SZ 25, write-back, inner shareable, no TTBR1 */
#define SCTLR_MMU_CACHES	0x30d01805ull	/* I C M, and what must be one */
#define PSTATE_EL1_MASKED	0x3c5ull

#define IPA_BITS_DEFAULT	40
#define GIC_IRQS		128u
#define GIC_SPI			32u		/* the first one; a vCPU has one each */
#define GICD_CTLR		0x0000u
#define GICD_CTLR_GROUP1_ARE	0x12u
#define GICD_IGROUPR		0x0080u
#define GICD_ISENABLER		0x0100u
#define GICD_ICFGR		0x0c00u
#define GICD_ICFGR_EDGE		0xaaaaaaaau
#define GICD_IROUTER		0x6000u

#define SYS(op0, op1, crn, crm, op2) ARM64_SYS_REG(op0, op1, crn, crm, op2)
#define SCTLR_EL1		SYS(3, 0, 1, 0, 0)
#define TTBR0_EL1		SYS(3, 0, 2, 0, 0)
#define TCR_EL1			SYS(3, 0, 2, 0, 2)
#define MAIR_EL1		SYS(3, 0, 10, 2, 0)
#define MPIDR_EL1		SYS(3, 0, 0, 0, 5)
#define CORE(field)		(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
#define X(n)			(CORE(regs.regs[0]) + (n) * (sizeof(uint64_t) / sizeof(uint32_t)))

const char *const stats_names[STAT_COUNT] = {
	[STAT_EXITS] = "exits",
	[STAT_HALTS] = "wfi_exit_stat",
	[STAT_SPINS] = "wfe_exit_stat",
	[STAT_CALLS] = "hvc_exit_stat",
};

/* The one VM of this process. */
static int gic_fd;

static void fill_memory(struct vm *vm)
{
	put64(vm->memory, VM_TABLE, PTE_BLOCK | PTE_DEVICE | PTE_ACCESSED | PTE_NOT_EXECUTABLE);
	put64(vm->memory, VM_TABLE + sizeof(uint64_t), VM_MEMORY | PTE_BLOCK | PTE_INNER | PTE_ACCESSED);
	memcpy(vm->memory + VM_CODE, guest_code, (size_t)(guest_code_end - guest_code));
}

static int gic_set(struct vm *vm, uint32_t group, uint64_t attribute, const void *value)
{
	struct kvm_device_attr attr = { .group = group, .attr = attribute, .addr = (uintptr_t)value };

	return VM_CALL(vm, gic_fd, KVM_SET_DEVICE_ATTR, &attr);
}

static int make_gic(struct vm *vm)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	uint64_t dist = VM_GIC_DIST, redist = VM_GIC_REDIST;
	uint32_t irqs = GIC_IRQS;
	int err = VM_CALL(vm, vm->fd, KVM_CREATE_DEVICE, &device);

	if (err) {
		vm->failed_at = "KVM_CREATE_DEVICE of a GICv3";
		return err;
	}
	gic_fd = (int)device.fd;
	err = gic_set(vm, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs);
	if (!err)
		err = gic_set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	if (!err)
		err = gic_set(vm, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
	return err;
}

int vm_init(struct vm *vm, const struct host *host, enum flavour flavour, unsigned int vcpus)
{
	int bits = host_cap(host, KVM_CAP_ARM_VM_IPA_SIZE);
	int err;

	*vm = (struct vm){ .host = host, .flavour = flavour, .vcpus = vcpus };
	err = vm_open(vm, bits > 0 && bits < IPA_BITS_DEFAULT ? KVM_VM_TYPE_ARM_IPA_SIZE((unsigned long)bits) : 0);
	if (!err)
		err = vm_memory(vm, VM_MEMORY, VM_SIZE);
	if (err)
		return err;
	fill_memory(vm);
	return make_gic(vm);
}

static int set_reg(const struct vm_vcpu *vcpu, uint64_t id, uint64_t value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	return VM_CALL(vcpu->vm, vcpu->fd, KVM_SET_ONE_REG, &reg);
}

static int get_reg(const struct vm_vcpu *vcpu, uint64_t id, uint64_t *ret_value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)ret_value };

	return VM_CALL(vcpu->vm, vcpu->fd, KVM_GET_ONE_REG, &reg);
}

int vm_vcpu_init(struct vm *vm, unsigned int id, struct vm_vcpu *vcpu)
{
	struct kvm_vcpu_init init;
	int err = vm_vcpu_open(vm, id, VM_VCPU(id), vcpu);

	if (!err)
		err = VM_CALL(vm, vm->fd, KVM_ARM_PREFERRED_TARGET, &init);
	if (err)
		return err;
	if (host_cap(vm->host, KVM_CAP_ARM_PSCI_0_2))
		init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	return VM_CALL(vm, vcpu->fd, KVM_ARM_VCPU_INIT, &init);
}

static int gic_put(struct vm *vm, uint32_t at, uint32_t value)
{
	return gic_set(vm, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, at, &value);
}

/* One edge-triggered interrupt for each vCPU, routed to it. */
int vm_complete(struct vm *vm, const struct vm_vcpu *const vcpus[])
{
	int err = gic_set(vm, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);

	if (!err)
		err = gic_put(vm, GICD_CTLR, GICD_CTLR_GROUP1_ARE);
	for (uint32_t irq = GIC_SPI; !err && irq < GIC_IRQS; irq += 16)
		err = gic_put(vm, GICD_ICFGR + irq / 4, GICD_ICFGR_EDGE);
	for (uint32_t irq = GIC_SPI; !err && irq < GIC_IRQS; irq += 32) {
		err = gic_put(vm, GICD_IGROUPR + irq / 8, UINT32_MAX);
		if (!err)
			err = gic_put(vm, GICD_ISENABLER + irq / 8, UINT32_MAX);
	}
	for (unsigned int v = 0; !err && v < vm->vcpus; v++) {
		uint64_t mpidr;

		err = get_reg(vcpus[v], MPIDR_EL1, &mpidr);
		if (!err)
			err = gic_put(vm, GICD_IROUTER + (GIC_SPI + v) * 8, mpidr & 0xffffff);
	}
	return err;
}

static int set_state(const struct vm_vcpu *vcpu, uint32_t state)
{
	struct kvm_mp_state mp_state = { .mp_state = state };

	return VM_CALL(vcpu->vm, vcpu->fd, KVM_SET_MP_STATE, &mp_state);
}

int vm_vcpu_begin(struct vm_vcpu *vcpu, const struct op *op, uint64_t target, uint64_t count)
{
	const struct {
		uint64_t id, value;
	} regs[] = {
		{ MAIR_EL1, MAIR_DEVICE_NORMAL },
		{ TCR_EL1, TCR_39_BITS },
		{ TTBR0_EL1, VM_MEMORY + VM_TABLE },
		{ SCTLR_EL1, SCTLR_MMU_CACHES },
		{ X(19), VM_MEMORY + VM_VCPU(vcpu->id) },
		{ X(20), count },
		{ X(21), 0 },
		{ X(22), op ? op->expect : 0 },
		{ X(24), op ? op->nr : 0 },
		{ X(25), VM_EXIT_AT },
		{ CORE(regs.pc), VM_MEMORY + VM_CODE + code_offset(op ? op->code : CODE_NOP) },
		{ CORE(regs.pstate), PSTATE_EL1_MASKED },
	};
	int err = set_state(vcpu, KVM_MP_STATE_RUNNABLE);

	(void)target;
	memset(vcpu->control, 0, sizeof(*vcpu->control));
	for (size_t i = 0; !err && i < ARRAY_SIZE(regs); i++)
		err = set_reg(vcpu, regs[i].id, regs[i].value);
	return err;
}

bool vm_spins_at(const struct host *host, const struct op *op, uint64_t *ret_ip)
{
	(void)host;
	if (!code_spins_at(op->code, ret_ip))
		return false;
	*ret_ip += VM_MEMORY + VM_CODE;
	return true;
}

int vm_vcpu_interrupted(const struct vm_vcpu *vcpu, const struct op *op)
{
	return op && op->suspends ? set_state(vcpu, KVM_MP_STATE_SUSPENDED) : 0;
}

enum vm_exit vm_vcpu_exit(const struct vm_vcpu *vcpu, const struct op *op, struct measure *m)
{
	const struct kvm_run *run = vcpu->run;

	(void)op;
	switch (run->exit_reason) {
	case KVM_EXIT_INTR:
		return VM_EXIT_AGAIN;
	case KVM_EXIT_SYSTEM_EVENT:
		if (run->system_event.type != KVM_SYSTEM_EVENT_WAKEUP || set_state(vcpu, KVM_MP_STATE_RUNNABLE))
			return VM_EXIT_BAD;
		m->user_hlts++;
		return VM_EXIT_AGAIN;
	case KVM_EXIT_MMIO:
		return run->mmio.is_write && run->mmio.phys_addr == VM_EXIT_AT ? VM_EXIT_DONE : VM_EXIT_BAD;
	default:
		return VM_EXIT_BAD;
	}
}

void vm_vcpu_results(const struct vm_vcpu *vcpu, struct measure *m)
{
	if (get_reg(vcpu, X(21), &m->matched))
		m->matched = 0;
	if (get_reg(vcpu, X(23), &m->last))
		m->last = 0;
}

/* An edge: up and down. */
int vm_interrupt(const struct vm *vm, unsigned int vcpu)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (GIC_SPI + vcpu), .level = 1,
	};
	int err = ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0 ? -errno : 0;

	line.level = 0;
	return ioctl(vm->fd, KVM_IRQ_LINE, &line) < 0 ? -errno : err;
}
