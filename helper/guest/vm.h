// SPDX-License-Identifier: Apache-2.0
// A VM and its vCPUs, as far as they are alike everywhere; the rest is in the directory of the architecture.
#ifndef KVMWAIT_GUEST_VM_H
#define KVMWAIT_GUEST_VM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "ops.h"

struct vm {
	const struct host *host;
	enum flavour flavour;
	int fd;
	unsigned char *memory;
	unsigned int vcpus;
	/* The call at which one of the functions below failed. */
	const char *failed_at;
};

struct vm_vcpu {
	struct vm *vm;
	unsigned int id;
	int fd;
	struct kvm_run *run;
	struct control *control;	/* in the VM's memory */
};

/* What a return from KVM_RUN means. */
enum vm_exit {
	VM_EXIT_AGAIN,		/* go on */
	VM_EXIT_DONE,		/* the snippet says that it is done */
	VM_EXIT_TO_USER,	/* KVM hands the call to user space */
	VM_EXIT_BAD,
};

/* --- for all architectures, in vm.c --- */

/* An ioctl that notes its name in vm->failed_at where it fails; 0 or -errno. */
int vm_call(struct vm *vm, int fd, unsigned long request, const void *arg, const char *name);
#define VM_CALL(vm, fd, request, arg) vm_call(vm, fd, request, arg, #request)
/* Makes the VM without anything in it. 0 or -errno. */
int vm_open(struct vm *vm, unsigned long type);
/* Gives the VM memory at an address as it sees it. 0 or -errno. */
int vm_memory(struct vm *vm, uint64_t at, size_t size);
/* Makes the vCPU, whose control block is at an offset of the memory. 0 or -errno. */
int vm_vcpu_open(struct vm *vm, unsigned int id, size_t control_at, struct vm_vcpu *vcpu);

/* --- each architecture's own --- */

/* 0 or -errno with vm->failed_at set. Nothing frees a VM: its process ends. */
int vm_init(struct vm *vm, const struct host *host, enum flavour flavour, unsigned int vcpus);
int vm_vcpu_init(struct vm *vm, unsigned int id, struct vm_vcpu *vcpu);
/* The address in the guest of the one instruction of an operation at which KVM sees a spin; false where there is none. */
bool vm_spins_at(const struct host *host, const struct op *op, uint64_t *ret_ip);
/* When all vCPUs are made, and before any of them runs. 0 or -errno. */
int vm_complete(struct vm *vm, const struct vm_vcpu *const vcpus[]);
/* Lets the vCPU begin with count rounds of an operation, or with one of nothing (op NULL). 0 or -errno. */
int vm_vcpu_begin(struct vm_vcpu *vcpu, const struct op *op, uint64_t target, uint64_t count);
/* What is to be done when a signal has ended KVM_RUN. 0 or -errno. */
int vm_vcpu_interrupted(const struct vm_vcpu *vcpu, const struct op *op);
/* What the exit of which vcpu->run tells means; counts it where that is of use. */
enum vm_exit vm_vcpu_exit(const struct vm_vcpu *vcpu, const struct op *op, struct measure *m);
/* What the snippet left in registers: m->matched and m->last. */
void vm_vcpu_results(const struct vm_vcpu *vcpu, struct measure *m);
/* Sends the vCPU the interrupt that lets a HLT go on. 0 or -errno. */
int vm_interrupt(const struct vm *vm, unsigned int vcpu);

#endif
