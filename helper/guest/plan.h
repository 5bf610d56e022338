// SPDX-License-Identifier: Apache-2.0
// What is to be done, and what became of it: one table, shared by all the processes.
#ifndef KVMWAIT_GUEST_PLAN_H
#define KVMWAIT_GUEST_PLAN_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ops.h"

#define PLAN_VCPUS_MAX	64
#define PLAN_COMM_SIZE	16	/* TASK_COMM_LEN */

/* One operation on one vCPU. */
struct task {
	unsigned int op;	/* index into ops */
	unsigned int vcpu;
	uint64_t target;
	uint64_t count;
	struct result result;
};

/* One VM, which is one process. */
struct vm_slot {
	bool used;
	pid_t pid;
	pid_t tids[PLAN_VCPUS_MAX];
	atomic_uint ready;	/* vCPUs that stand at the barrier */
	atomic_bool failed;	/* the VM could not be made; why says so */
	atomic_bool done;	/* all its vCPUs are; the process may stay for a while */
	char why[200];
};

/* Lives in a memfd which every VM's process maps. */
struct plan {
	uint64_t size_bytes;
	unsigned int vcpus;
	unsigned int tasks_count;
	int64_t op_timeout_ns;
	uint64_t stay_s;	/* how long the VMs stay when all is done */
	bool comm_given, later_comm_given;
	char comm[PLAN_COMM_SIZE];
	char later_comm[PLAN_COMM_SIZE];	/* once a vCPU's first task is done */
	atomic_bool go;			/* the barrier is open */
	sem_t gate;			/* a vCPU that stands at it waits for this, and lets the next one through */
	atomic_bool leave;		/* the VMs need not stay any longer */
	atomic_bool pause_stuck;	/* some vCPU saw that a PAUSE makes no progress here */
	struct vm_slot vms[FLAVOUR_COUNT];
	struct task tasks[];
};

/* A growing list of tasks, before there is a plan. */
struct task_list {
	struct task *tasks;
	unsigned int count;
};

void task_list_done(struct task_list *list);
/* Reads OP[:TARGET]=COUNT[@VCPU]. 0, or -EINVAL with *ret_why (static) set. */
int task_list_parse(struct task_list *list, const char *text, unsigned int vcpus, const char **ret_why);
/* All the operations, with another prime number for each and for each vCPU. */
void task_list_standard(struct task_list *list, unsigned int vcpus);

/* A plan over the list's tasks in a new memfd; 0 or -errno. The caller unmaps it with plan_unmap. */
int plan_new(const struct task_list *list, unsigned int vcpus, struct plan **ret_plan, int *ret_fd);
/* The plan in a memfd; 0 or -errno. */
int plan_map(int fd, struct plan **ret_plan);
void plan_unmap(struct plan *plan);

/* Strict: all of the text, decimal, no sign; 0 or -EINVAL. */
int parse_u64(const char *text, uint64_t *ret_value);

#endif
