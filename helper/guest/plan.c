// SPDX-License-Identifier: Apache-2.0
// What is to be done, and what became of it: one table, shared by all the processes.
#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define COUNT_MAX 1000000000ull

/* An address, numbers that do not fit 32 bits, a double, or the positive half: what a reader may get wrong. */
static const uint64_t standard_targets[] = {
	0, UINT32_MAX, UINT64_MAX, (1ull << 53) + 1, 1ull << 63,
};

int parse_u64(const char *text, uint64_t *ret_value)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (errno || *end)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

/* Also takes a negative number, as the 64 bits that it is. */
static int parse_target(const char *text, uint64_t *ret_value)
{
	uint64_t value;

	if (*text != '-')
		return parse_u64(text, ret_value);
	if (parse_u64(text + 1, &value) || value > 1ull << 63)
		return -EINVAL;
	*ret_value = 0 - value;
	return 0;
}

static void task_list_add(struct task_list *list, unsigned int op, unsigned int vcpu, uint64_t target, uint64_t count)
{
	struct task *tasks = realloc(list->tasks, (list->count + 1) * sizeof(*tasks));

	if (!tasks)
		abort();
	list->tasks = tasks;
	tasks[list->count++] = (struct task){ .op = op, .vcpu = vcpu, .target = target, .count = count };
}

void task_list_done(struct task_list *list)
{
	free(list->tasks);
	*list = (struct task_list){ 0 };
}

/* The parts of OP[:TARGET]=COUNT[@VCPU], cut in place; missing ones are NULL. */
struct parts {
	char *op, *target, *count, *vcpu;
};

static char *cut(char *text, char at)
{
	char *found = text ? strchr(text, at) : NULL;

	if (found)
		*found++ = '\0';
	return found;
}

static const char *parts_read(const struct parts *p, unsigned int vcpus, struct task *task)
{
	uint64_t vcpu = 0;
	int op = ops_find(p->op);

	if (op < 0)
		return "there is no such operation (--list shows all)";
	task->op = (unsigned int)op;
	if (p->target && !ops[op].target)
		return "this operation takes no target";
	if (p->target && parse_target(p->target, &task->target))
		return "the target is not a 64-bit number";
	if (!p->count || parse_u64(p->count, &task->count) || task->count == 0 || task->count > COUNT_MAX)
		return "a count from 1 to 1000000000 must follow the =";
	if (p->vcpu && (parse_u64(p->vcpu, &vcpu) || vcpu >= vcpus))
		return "there is no such vCPU (--vcpus sets how many there are)";
	task->vcpu = (unsigned int)vcpu;
	return NULL;
}

int task_list_parse(struct task_list *list, const char *text, unsigned int vcpus, const char **ret_why)
{
	struct parts p = { .op = strdup(text) };
	struct task task = { 0 };
	const char *why;

	if (!p.op)
		abort();
	p.count = cut(p.op, '=');
	p.vcpu = cut(p.count, '@');
	p.target = cut(p.op, ':');
	why = parts_read(&p, vcpus, &task);
	if (!why) {
		for (unsigned int v = 0; v < vcpus; v++) {
			if (!p.vcpu || v == task.vcpu)
				task_list_add(list, task.op, v, task.target, task.count);
		}
	}
	free(p.op);
	if (!why)
		return 0;
	*ret_why = why;
	return -EINVAL;
}

static uint64_t prime_after(uint64_t n)
{
	for (n++;; n++) {
		uint64_t d = 2;

		while (d * d <= n && n % d)
			d++;
		if (n > 1 && d * d > n)
			return n;
	}
}

void task_list_standard(struct task_list *list, unsigned int vcpus)
{
	uint64_t prime = 10;

	/* The small primes are for what takes long. */
	for (int slow = 1; slow >= 0; slow--) {
		for (unsigned int op = 0; op < ops_count; op++) {
			size_t targets = ops[op].target ? ARRAY_SIZE(standard_targets) : 1;

			if (ops[op].slow != slow || ops[op].on_demand)
				continue;
			for (unsigned int i = 0; i < targets * vcpus; i++) {
				prime = prime_after(prime);
				task_list_add(list, op, i % vcpus, ops[op].target ? standard_targets[i / vcpus] : 0, prime);
			}
		}
	}
}

int plan_new(const struct task_list *list, unsigned int vcpus, struct plan **ret_plan, int *ret_fd)
{
	size_t size = sizeof(struct plan) + list->count * sizeof(struct task);
	int fd = memfd_create("kvmwait-guest", MFD_CLOEXEC);
	struct plan *plan = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
		plan = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (plan == MAP_FAILED) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	plan->size_bytes = size;
	sem_init(&plan->gate, 1, 0);	/* fails for a value that is too large only */
	plan->vcpus = vcpus;
	plan->tasks_count = list->count;
	if (list->count > 0)
		memcpy(plan->tasks, list->tasks, list->count * sizeof(struct task));
	*ret_plan = plan;
	*ret_fd = fd;
	return 0;
}

int plan_map(int fd, struct plan **ret_plan)
{
	struct plan head;
	struct plan *plan;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return -EINVAL;
	plan = mmap(NULL, head.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (plan == MAP_FAILED)
		return -errno;
	*ret_plan = plan;
	return 0;
}

void plan_unmap(struct plan *plan)
{
	if (plan)
		munmap(plan, plan->size_bytes);
}
