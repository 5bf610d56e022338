// SPDX-License-Identifier: Apache-2.0
// The rows of blame: for each vCPU that was waited for and each culprit one, with the names of culprits.
#include "ledger/blame_rows.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

const char *const culprit_names[CULPRIT_KINDS] = {
	"self", "sibling", "vcpu", "host", "throttled", "forced-idle", "wakeup", "idle", "unknown"
};

/* What the records say of any thread. */
struct task {
	uint32_t tid; /* the key */
	uint32_t tgid;
	char comm[COMM_BYTES + 1];
};

/* ---- keys ---- */

static uint64_t hash_task(const void *entry)
{
	const struct task *task = entry;

	return table_hash_bytes(0, &task->tid, sizeof(task->tid));
}

static bool same_task(const void *a, const void *b)
{
	return ((const struct task *)a)->tid == ((const struct task *)b)->tid;
}

static int compare_rows(const void *a, const void *b)
{
	const struct blame_row *x = a, *y = b;

#define BY(member)                                      \
	do {                                            \
		if (x->member != y->member)             \
			return x->member < y->member ? -1 : 1; \
	} while (0)
	BY(vm->tgid);
	BY(vcpu);
	BY(kind);
	BY(tid);
	BY(culprit_vcpu);
	BY(quota.cgroup);
	BY(quota.quota_ns);
	BY(quota.period_ns);
#undef BY
	return 0;
}

static uint64_t hash_row(const void *entry)
{
	const struct blame_row *row = entry;
	const int64_t key[] = { row->vm->tgid, row->vcpu, row->kind, row->tid, row->culprit_vcpu,
				(int64_t)row->quota.cgroup, (int64_t)row->quota.quota_ns, (int64_t)row->quota.period_ns };

	return table_hash_bytes(0, key, sizeof(key));
}

static bool same_row(const void *a, const void *b)
{
	return !compare_rows(a, b);
}

void blame_rows_init(struct blame_rows *r, blame_look look, blame_look_cgroup look_cgroup, void *context)
{
	*r = (struct blame_rows){
		.rows = { .hash = hash_row, .same = same_row },
		.tasks = { .hash = hash_task, .same = same_task },
		.look = look,
		.look_cgroup = look_cgroup,
		.context = context,
	};
}

static void free_row(void *p)
{
	struct blame_row *row = p;

	free(row->cgroup);
	free(row);
}

void blame_rows_done(struct blame_rows *r)
{
	table_done(&r->rows, free_row);
	table_done(&r->tasks, free);
}

/* ---- culprits ---- */

static struct task *find_task(const struct blame_rows *r, uint32_t tid)
{
	return table_find(&r->tasks, &(struct task){ .tid = tid });
}

void blame_rows_note_task(struct blame_rows *r, uint32_t tid, uint32_t tgid, const char *comm)
{
	struct task *task = find_task(r, tid);

	if (!task) {
		task = xcalloc(1, sizeof(*task));
		task->tid = tid;
		table_add(&r->tasks, task);
	}
	if (tgid)
		task->tgid = tgid;
	if (comm)
		memcpy(task->comm, comm, sizeof(task->comm));
}

/* The name of a culprit that is no vCPU is looked up once, when it is met: it may be gone soon. */
static void name_culprit(struct blame_rows *r, uint32_t tid)
{
	struct task *task = find_task(r, tid);
	uint32_t tgid = 0;
	char comm[COMM_BYTES + 1] = "";

	if (task && task->tgid && *task->comm)
		return;
	if (!r->look || !r->look(r->context, tid, &tgid, comm))
		return;
	blame_rows_note_task(r, tid, tgid, task && *task->comm ? NULL : comm);
}

/* ---- rows ---- */

struct blame_row *blame_rows_get(struct blame_rows *r, const struct blame_vm *vm, int64_t vcpu, uint32_t tid, const struct culprit *culprit)
{
	const struct blame_row key = {
		.vm = vm,
		.vcpu = vcpu,
		.kind = culprit->kind,
		.tid = culprit->tid,
		.culprit_vm = culprit->vm,
		.culprit_vcpu = culprit->vcpu,
		.quota = culprit->quota,
	};
	struct blame_row *row = table_find(&r->rows, &key);

	if (row)
		return row;
	row = xcalloc(1, sizeof(*row));
	*row = key;
	table_add(&r->rows, row);
	if (culprit->kind == CULPRIT_HOST)
		name_culprit(r, culprit->tid);
	if (culprit->kind == CULPRIT_THROTTLED && culprit->quota.cgroup && r->look_cgroup)
		row->cgroup = r->look_cgroup(r->context, tid, culprit->quota.cgroup);
	return row;
}

static int compare_worst(const void *a, const void *b)
{
	const struct blame_row *x = *(const struct blame_row *const *)a, *y = *(const struct blame_row *const *)b;

	if (x->ready_ns != y->ready_ns)
		return x->ready_ns > y->ready_ns ? -1 : 1;
	if (x->spins != y->spins)
		return x->spins > y->spins ? -1 : 1;
	return compare_rows(x, y);
}

size_t blame_rows_list(struct blame_rows *r, const struct blame_row ***ret)
{
	const struct blame_row **list = xcalloc(r->rows.n + 1, sizeof(struct blame_row *));
	size_t n = 0, cursor = 0;
	struct blame_row *row;

	while ((row = table_next(&r->rows, &cursor))) {
		const struct task *task = find_task(r, row->tid);

		if (!row->spins && !row->ready_ns)
			continue;
		row->tgid = row->culprit_vm ? row->culprit_vm->tgid : task ? task->tgid : 0;
		if (task && row->tid)
			memcpy(row->comm, task->comm, sizeof(row->comm));
		list[n++] = row;
	}
	qsort(list, n, sizeof(struct blame_row *), compare_worst);
	*ret = list;
	return n;
}
