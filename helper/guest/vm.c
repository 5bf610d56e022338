// SPDX-License-Identifier: Apache-2.0
// A VM and its vCPUs, as far as they are alike everywhere.
#include "vm.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

int vm_call(struct vm *vm, int fd, unsigned long request, const void *arg, const char *name)
{
	if (ioctl(fd, request, arg) >= 0)
		return 0;
	vm->failed_at = name;
	return -errno;
}

int vm_open(struct vm *vm, unsigned long type)
{
	vm->fd = ioctl(vm->host->kvm_fd, KVM_CREATE_VM, type);
	if (vm->fd >= 0)
		return 0;
	vm->failed_at = "KVM_CREATE_VM";
	return -errno;
}

int vm_memory(struct vm *vm, uint64_t at, size_t size)
{
	struct kvm_userspace_memory_region region = { .guest_phys_addr = at, .memory_size = size };

	vm->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (vm->memory == MAP_FAILED) {
		vm->failed_at = "mmap";
		return -errno;
	}
	region.userspace_addr = (uintptr_t)vm->memory;
	return VM_CALL(vm, vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

int vm_vcpu_open(struct vm *vm, unsigned int id, size_t control_at, struct vm_vcpu *vcpu)
{
	int size = ioctl(vm->host->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	*vcpu = (struct vm_vcpu){ .vm = vm, .id = id };
	vcpu->control = (struct control *)(void *)(vm->memory + control_at);
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0) {
		vm->failed_at = "KVM_CREATE_VCPU";
		return -errno;
	}
	vcpu->run = size < 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run != MAP_FAILED)
		return 0;
	vm->failed_at = "mmap of a vCPU";
	return -errno;
}
