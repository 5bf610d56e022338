// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/audit.c: when the probes' count agrees with KVM's counters, and when it cannot.
#include "unit.h"

#include "base/memory.h"
#include "ledger/audit.h"

/* A VM in one reading. */
struct at {
	enum audit_reading reading;
	const char *name;
	uint64_t value;
	unsigned int n_vcpus;
};

/* The readings lie at 100, 200, 300, ... and take 10 each. */
static struct audit *readings(const struct at *items, size_t n)
{
	struct audit *a = audit_new(1);

	for (int reading = AUDIT_BEFORE; reading < AUDIT_READINGS; reading++) {
		uint64_t ts_ns = 100 * (uint64_t)(reading + 1);

		audit_read_begin(a, (enum audit_reading)reading, ts_ns);
		for (size_t i = 0; i < n; i++)
			if (items[i].reading == (enum audit_reading)reading)
				audit_vm(a, items[i].name, items[i].n_vcpus, (uint64_t[AUDIT_COUNTERS]){ items[i].value });
		audit_read_end(a, ts_ns + 10);
	}
	return a;
}

static struct audit_result judge(const struct audit *a, uint64_t all, uint64_t since, uint64_t lost)
{
	struct audit_result result;

	audit_judge(a, 0, &(struct audit_seen){ .all = all, .since = since, .lost = lost, .sees_ends = true }, &result);
	return result;
}

/* A VM that stays: what it counted between the readings. */
static void a_vm_that_stays(void)
{
	static const struct at items[] = {
		{ AUDIT_BEFORE, "7-3", 1000, 2 }, { AUDIT_BEGUN, "7-3", 1003, 2 },
		{ AUDIT_ENDING, "7-3", 1110, 2 }, { AUDIT_AFTER, "7-3", 1112, 2 },
	};
	struct audit *a = readings(items, ARRAY_SIZE(items));
	struct audit_result r = judge(a, 110, 107, 0);

	CHECK_U64(audit_begun_ns(a), 200);
	CHECK_U64(r.kernel_least, 107);
	CHECK_U64(r.kernel_most, 112);
	CHECK(r.bounded);
	CHECK_U64(r.in_flight, 2);
	CHECK_INT(r.difference, 0);
	/* one vCPU each may have been between probe and counter */
	CHECK_INT(judge(a, 105, 105, 0).difference, 0);
	CHECK_INT(judge(a, 104, 104, 0).difference, -3);
	CHECK_INT(judge(a, 114, 107, 0).difference, 0);
	CHECK_INT(judge(a, 115, 107, 0).difference, 3);
	/* what was lost may have been of this event: too many cannot be told from it */
	CHECK_INT(judge(a, 50, 50, 55).difference, 0);
	CHECK_INT(judge(a, 50, 50, 54).difference, -57);
	CHECK(!judge(a, 50, 50, 54).bounded);
	audit_free(a);
}

/* Probes that see nothing, of a VM that began and is still there. */
static void a_vm_that_began(void)
{
	static const struct at items[] = { { AUDIT_RUNNING, "9-4", 60, 1 }, { AUDIT_ENDING, "9-4", 120, 1 }, { AUDIT_AFTER, "9-4", 120, 1 } };
	struct audit *a = readings(items, ARRAY_SIZE(items));

	CHECK_INT(judge(a, 120, 120, 0).difference, 0);
	CHECK_INT(judge(a, 119, 119, 0).difference, -1);
	CHECK_INT(judge(a, 0, 0, 0).difference, -120);
	CHECK_INT(judge(a, 122, 122, 0).difference, 2);
	audit_free(a);
}

/* A VM that begins and ends between two readings is known by its lines alone: to the last count. */
static void a_vm_in_lines(void)
{
	struct audit *a = readings(NULL, 0);

	audit_vcpu_ended(a, 250, 11, 2, (uint64_t[AUDIT_COUNTERS]){ 61 });
	audit_vcpu_ended(a, 251, 11, 2, (uint64_t[AUDIT_COUNTERS]){ 59 });
	CHECK_INT(judge(a, 120, 120, 0).difference, 0);
	CHECK_INT(judge(a, 119, 119, 0).difference, -1);
	CHECK_INT(judge(a, 121, 121, 0).difference, 1);
	CHECK_U64(judge(a, 120, 120, 0).in_flight, 0);
	/* another VM of the same process, with another number of vCPUs */
	audit_vcpu_ended(a, 252, 11, 1, (uint64_t[AUDIT_COUNTERS]){ 7 });
	CHECK(judge(a, 127, 127, 0).bounded);
	CHECK_INT(judge(a, 128, 128, 0).difference, 1);
	audit_free(a);
}

/* A VM that was there and ended: its lines less what it had counted before. */
static void a_vm_that_ended(void)
{
	static const struct at items[] = { { AUDIT_BEFORE, "7-3", 1000, 1 }, { AUDIT_BEGUN, "7-3", 1000, 1 }, { AUDIT_RUNNING, "7-3", 1040, 1 } };
	struct audit *a = readings(items, ARRAY_SIZE(items));

	/* without its line only the last reading is known */
	CHECK_U64(judge(a, 50, 50, 0).kernel_least, 40);
	CHECK(!judge(a, 50, 50, 0).bounded);
	CHECK_INT(judge(a, 50, 50, 0).difference, 0);
	CHECK_INT(judge(a, 0, 0, 0).difference, -40);
	audit_vcpu_ended(a, 350, 7, 1, (uint64_t[AUDIT_COUNTERS]){ 1050 });
	CHECK_U64(judge(a, 50, 50, 0).kernel_least, 50);
	CHECK_U64(judge(a, 50, 50, 0).kernel_most, 50);
	CHECK(judge(a, 50, 50, 0).bounded);
	CHECK_INT(judge(a, 52, 52, 0).difference, 2);
	audit_free(a);
}

/* Lines of a VM that are not whole, and a VM that ended while the probes were attached or stopped: no upper bound. */
static void no_bound(void)
{
	static const struct at attaching[] = { { AUDIT_BEFORE, "7-3", 1000, 1 } };
	static const struct at stopping[] = { { AUDIT_BEGUN, "7-3", 10, 1 }, { AUDIT_ENDING, "7-3", 30, 1 } };
	struct audit *a = readings(NULL, 0);
	struct audit_result r;

	audit_vcpu_ended(a, 250, 11, 2, (uint64_t[AUDIT_COUNTERS]){ 61 });
	CHECK(!judge(a, 61, 61, 0).bounded);
	CHECK_INT(judge(a, 500, 500, 0).difference, 0);
	CHECK_INT(judge(a, 60, 60, 0).difference, -1);
	audit_free(a);

	a = readings(attaching, ARRAY_SIZE(attaching));
	/* its line may have come after the reading; what it counted before the probes is in it */
	audit_vcpu_ended(a, 215, 7, 1, (uint64_t[AUDIT_COUNTERS]){ 1001 });
	CHECK_INT(judge(a, 1, 0, 0).difference, 0);
	audit_free(a);

	a = readings(stopping, ARRAY_SIZE(stopping));
	r = judge(a, 25, 25, 0);
	CHECK(!r.bounded);
	CHECK_U64(r.kernel_least, 20);
	CHECK_INT(r.difference, 0);
	audit_free(a);
}

/* Without lines for VMs that end nothing is known of those that came and went. */
static void no_lines(void)
{
	struct audit *a = readings(NULL, 0);
	struct audit_result r;

	audit_judge(a, 0, &(struct audit_seen){ .all = 7, .since = 7 }, &r);
	CHECK(!r.bounded);
	CHECK_INT(r.difference, 0);
	audit_free(a);
	audit_free(NULL);
}

static const struct unit_test tests[] = {
	{ "a_vm_that_stays", a_vm_that_stays }, { "a_vm_that_began", a_vm_that_began }, { "a_vm_in_lines", a_vm_in_lines },
	{ "a_vm_that_ended", a_vm_that_ended }, { "no_bound", no_bound },		{ "no_lines", no_lines },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
