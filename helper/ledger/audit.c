// SPDX-License-Identifier: Apache-2.0
// The audit: what the probes counted against counters that KVM keeps by itself, over the same stretch of time. Pure.
#include "ledger/audit.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

struct audit_vm {
	char *name;
	unsigned int n_vcpus;
	unsigned int seen; /* bit N: in reading N */
	uint64_t before[AUDIT_COUNTERS], begun[AUDIT_COUNTERS]; /* 0 where it was not there */
	uint64_t ending[AUDIT_COUNTERS]; /* the last reading up to ENDING */
	uint64_t after[AUDIT_COUNTERS];
};

/* vCPUs that were destroyed: of the VMs with so many vCPUs of one process. */
struct ended {
	uint32_t pid, n_vcpus;
	size_t n_lines;
};

struct audit_line {
	uint64_t ts_ns;
	uint64_t values[AUDIT_COUNTERS];
};

struct audit {
	size_t n_counters;
	struct audit_vm *vms;
	size_t n_vms;
	struct ended *ended;
	size_t n_ended;
	struct audit_line *lines;
	size_t n_lines;
	enum audit_reading reading; /* the one that goes on */
	uint64_t from_ns[AUDIT_READINGS], until_ns[AUDIT_READINGS];
};

struct audit *audit_new(size_t n_counters)
{
	struct audit *a = xcalloc(1, sizeof(*a));

	a->n_counters = n_counters;
	return a;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n_vms; i++)
		free(a->vms[i].name);
	free(a->vms);
	free(a->ended);
	free(a->lines);
	free(a);
}

void audit_read_begin(struct audit *a, enum audit_reading reading, uint64_t ts_ns)
{
	a->reading = reading;
	a->from_ns[reading] = ts_ns;
}

void audit_read_end(struct audit *a, uint64_t ts_ns)
{
	a->until_ns[a->reading] = ts_ns;
}

uint64_t audit_begun_ns(const struct audit *a)
{
	return a->from_ns[AUDIT_BEGUN];
}

static struct audit_vm *find_vm(struct audit *a, const char *name)
{
	for (size_t i = 0; i < a->n_vms; i++)
		if (!strcmp(a->vms[i].name, name))
			return &a->vms[i];
	a->vms = xgrow(a->vms, a->n_vms, sizeof(*a->vms));
	a->vms[a->n_vms] = (struct audit_vm){ .name = xstrdup(name) };
	return &a->vms[a->n_vms++];
}

static bool was_in(const struct audit_vm *vm, enum audit_reading reading)
{
	return vm->seen >> reading & 1;
}

void audit_vm(struct audit *a, const char *name, unsigned int n_vcpus, const uint64_t values[AUDIT_COUNTERS])
{
	struct audit_vm *vm = find_vm(a, name);
	const size_t size = sizeof(vm->before);

	vm->n_vcpus = n_vcpus;
	vm->seen |= 1u << a->reading;
	if (a->reading == AUDIT_BEFORE)
		memcpy(vm->before, values, size);
	if (a->reading == AUDIT_BEGUN)
		memcpy(vm->begun, values, size);
	if (a->reading == AUDIT_AFTER)
		memcpy(vm->after, values, size);
	else
		memcpy(vm->ending, values, size);
}

void audit_vcpu_ended(struct audit *a, uint64_t ts_ns, uint32_t pid, uint32_t n_vcpus, const uint64_t values[AUDIT_COUNTERS])
{
	size_t i = 0;

	a->lines = xgrow(a->lines, a->n_lines, sizeof(*a->lines));
	a->lines[a->n_lines].ts_ns = ts_ns;
	memcpy(a->lines[a->n_lines++].values, values, sizeof(a->lines->values));
	while (i < a->n_ended && (a->ended[i].pid != pid || a->ended[i].n_vcpus != n_vcpus))
		i++;
	if (i == a->n_ended) {
		a->ended = xgrow(a->ended, a->n_ended, sizeof(*a->ended));
		a->ended[a->n_ended++] = (struct ended){ .pid = pid, .n_vcpus = n_vcpus };
	}
	a->ended[i].n_lines++;
}

/* How many VMs ended with a line for each of their vCPUs; false where a line is missing. */
static bool count_ended(const struct audit *a, size_t *ret)
{
	*ret = 0;
	for (size_t i = 0; i < a->n_ended; i++) {
		if (!a->ended[i].n_vcpus || a->ended[i].n_lines % a->ended[i].n_vcpus)
			return false;
		*ret += a->ended[i].n_lines / a->ended[i].n_vcpus;
	}
	return true;
}

static uint64_t at_least_zero(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

/* Was a VM there before the probes were attached, and not after? Its last line may or may not have been printed. */
static bool any_ended_while_attaching(const struct audit *a)
{
	for (size_t i = 0; i < a->n_vms; i++)
		if (was_in(&a->vms[i], AUDIT_BEFORE) && !was_in(&a->vms[i], AUDIT_BEGUN))
			return true;
	return false;
}

/* From BEGUN to ENDING. */
static uint64_t count_least(const struct audit *a, size_t counter)
{
	int64_t by_readings = 0, by_lines = 0;

	for (size_t i = 0; i < a->n_vms; i++) {
		const struct audit_vm *vm = &a->vms[i];
		int64_t begun = (int64_t)vm->begun[counter];

		if (!was_in(vm, AUDIT_BEGUN) && !was_in(vm, AUDIT_RUNNING) && !was_in(vm, AUDIT_ENDING))
			continue;
		by_readings += (int64_t)vm->ending[counter] - begun;
		by_lines += was_in(vm, AUDIT_ENDING) ? (int64_t)vm->ending[counter] - begun : -begun;
	}
	if (any_ended_while_attaching(a))
		return at_least_zero(by_readings);
	for (size_t i = 0; i < a->n_lines; i++)
		if (a->lines[i].ts_ns >= a->until_ns[AUDIT_BEGUN] && a->lines[i].ts_ns <= a->from_ns[AUDIT_ENDING])
			by_lines += (int64_t)a->lines[i].values[counter];
	return at_least_zero(by_readings > by_lines ? by_readings : by_lines);
}

/* From BEFORE to AFTER. False where a VM took its last values with it. */
static bool count_most(const struct audit *a, size_t counter, uint64_t *ret)
{
	size_t n_gone = 0, n_ended;
	int64_t most = 0;

	for (size_t i = 0; i < a->n_vms; i++) {
		const struct audit_vm *vm = &a->vms[i];
		bool is_gone = !was_in(vm, AUDIT_AFTER), ended_early = is_gone && vm->seen == 1u << AUDIT_BEFORE;

		n_gone += is_gone && !ended_early;
		if (!ended_early)
			most -= (int64_t)vm->before[counter];
		most += (int64_t)vm->after[counter];
	}
	for (size_t i = 0; i < a->n_lines; i++)
		most += (int64_t)a->lines[i].values[counter];
	*ret = at_least_zero(most);
	return count_ended(a, &n_ended) && n_ended >= n_gone;
}

static uint64_t vcpus_in(const struct audit *a, enum audit_reading reading)
{
	uint64_t n = 0;

	for (size_t i = 0; i < a->n_vms; i++)
		if (was_in(&a->vms[i], reading))
			n += a->vms[i].n_vcpus;
	return n;
}

void audit_judge(const struct audit *a, size_t counter, const struct audit_seen *seen, struct audit_result *ret)
{
	uint64_t early = vcpus_in(a, AUDIT_BEGUN), late = vcpus_in(a, AUDIT_AFTER);

	*ret = (struct audit_result){
		.kernel_least = count_least(a, counter),
		.in_flight = early > late ? early : late,
	};
	ret->bounded = count_most(a, counter, &ret->kernel_most) && seen->sees_ends && !seen->lost;
	if (seen->since + seen->lost + early < ret->kernel_least)
		ret->difference = (int64_t)(seen->since - ret->kernel_least);
	else if (ret->bounded && seen->all > ret->kernel_most + late)
		ret->difference = (int64_t)(seen->all - ret->kernel_most);
}
