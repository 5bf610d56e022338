// SPDX-License-Identifier: Apache-2.0
// The results of blame: VMs, vCPUs and rows, in their order.
#include "ledger/blame_state.h"

#include "base/memory.h"

#include <stdlib.h>

void blame_filter(struct blame *b, const struct filter *filter)
{
	b->filter = *filter;
}

static bool wants_vm(const struct filter *f, uint32_t tgid)
{
	if (!f->tgids[0])
		return true;
	for (size_t i = 0; i < PROGRAM_MAX_TGIDS; i++)
		if (f->tgids[i] == tgid)
			return true;
	return false;
}

static bool wants_vcpu(const struct filter *f, int64_t vcpu)
{
	int64_t n = vcpu - (int64_t)f->vcpu_base;

	return !f->vcpu_mask || (n >= 0 && n < PROGRAM_VCPU_SPAN && (f->vcpu_mask >> n & 1));
}

static int compare_vms(const void *a, const void *b)
{
	const struct blame_vm *x = *(const struct blame_vm *const *)a, *y = *(const struct blame_vm *const *)b;

	if (x->spins != y->spins)
		return x->spins > y->spins ? -1 : 1;
	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

static int compare_vcpus(const void *a, const void *b)
{
	const struct blame_vcpu *x = a, *y = b;

	if (x->vm != y->vm)
		return x->vm->tgid < y->vm->tgid ? -1 : 1;
	return (x->vcpu > y->vcpu) - (x->vcpu < y->vcpu);
}

size_t blame_vcpus(const struct blame *b, struct blame_vcpu **ret)
{
	struct blame_vcpu *list = NULL;
	size_t n = 0, cursor = 0;
	struct vm_seats *vm;

	while ((vm = table_next(&b->vms, &cursor)))
		for (size_t i = 0; i < vm->n_seats; i++) {
			if (!wants_vm(&b->filter, vm->v.tgid) || !wants_vcpu(&b->filter, vm->seats[i].vcpu))
				continue;
			list = xgrow(list, n, sizeof(*list));
			list[n++] = vm->seats[i].time;
		}
	if (n)
		qsort(list, n, sizeof(*list), compare_vcpus);
	*ret = list;
	return n;
}

size_t blame_sleeps(const struct blame *b, const struct blame_sleep ***ret)
{
	size_t n = blame_sleeps_list(&b->sleeps, ret), kept = 0;

	for (size_t i = 0; i < n; i++)
		if (wants_vm(&b->filter, (*ret)[i]->vm->tgid) && wants_vcpu(&b->filter, (*ret)[i]->vcpu))
			(*ret)[kept++] = (*ret)[i];
	return kept;
}

size_t blame_vms(const struct blame *b, const struct blame_vm ***ret)
{
	const struct blame_vm **list = xcalloc(b->vms.n + 1, sizeof(struct blame_vm *));
	size_t n = 0, cursor = 0;
	struct vm_seats *vm;

	while ((vm = table_next(&b->vms, &cursor))) {
		if (!vm->v.spins)
			continue;
		vm->v.unseen = vm->v.vcpus > vm->n_seats ? vm->v.vcpus - (uint32_t)vm->n_seats : 0;
		list[n++] = &vm->v;
	}
	qsort(list, n, sizeof(struct blame_vm *), compare_vms);
	*ret = list;
	return n;
}

size_t blame_list(struct blame *b, const struct blame_row ***ret)
{
	size_t n = blame_rows_list(&b->rows, ret), kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct blame_row *row = (*ret)[i];

		if (wants_vm(&b->filter, row->vm->tgid) && (row->spins || wants_vcpu(&b->filter, row->vcpu)))
			(*ret)[kept++] = row;
	}
	return kept;
}
