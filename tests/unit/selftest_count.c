// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/selftest_count.c: what a guest did beside what was seen.
#include "unit.h"

#include "base/memory.h"
#include "ledger/selftest_count.h"

static void see(struct selftest_count *t, uint32_t pid, int64_t vcpu, const char *event, const char *source, int64_t target, unsigned int n)
{
	struct wait_event w = { .pid = pid, .tid = 999, .vcpu = vcpu, .target = target };

	snprintf(w.event, sizeof(w.event), "%s", event);
	snprintf(w.source, sizeof(w.source), "%s", source);
	while (n--)
		selftest_count_see(t, &w);
}

static int report(struct selftest_count *t, const char *text)
{
	json_error_t error;
	json_t *object = json_loads(text, 0, &error);
	int err;

	if (!object)
		unit_fail(__FILE__, __LINE__, "the test's own JSON: %s", error.text);
	err = selftest_count_report(t, object);
	json_decref(object);
	return err;
}

static const struct selftest_count_row *row(const struct selftest_count *t, uint32_t pid, int64_t vcpu, const char *event, const char *source,
				   int64_t target)
{
	const struct selftest_count_row *found = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct selftest_count_key *k = &t->rows[i].key;

		if (k->pid != pid || k->vcpu != vcpu || k->target != target || strcmp(k->event, event) || strcmp(k->source, source))
			continue;
		CHECK(!found); /* one row a key */
		found = &t->rows[i];
	}
	return found;
}

static void equal(void)
{
	struct selftest_count t = { 0 };
	const struct selftest_count_row *r;

	see(&t, 10, 0, "hlt", "kvm", -1, 5);
	see(&t, 10, 1, "pv_yield", "kvm", INT64_MIN, 3);
	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10}],\"did\":["
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":5},"
			     "{\"pid\":10,\"vcpu\":1,\"event\":\"pv_yield\",\"source\":\"kvm\",\"target\":-9223372036854775808,\"count\":3}]}"),
		  0);
	CHECK_INT(t.n, 2);
	CHECK_U64(t.others, 0);
	r = row(&t, 10, 0, "hlt", "kvm", -1);
	CHECK(r && r->did == 5 && r->seen == 5 && !r->open && !selftest_count_row_differs(r));
	r = row(&t, 10, 1, "pv_yield", "kvm", INT64_MIN);
	CHECK(r && r->did == 3 && r->seen == 3 && !selftest_count_row_differs(r));
	selftest_count_done(&t);
	CHECK(!t.n && !t.rows);
	selftest_count_done(&t);
}

/* Each part of the key tells rows apart. */
static void differing(void)
{
	struct selftest_count t = { 0 };
	const struct selftest_count_row *r;

	see(&t, 10, 0, "hlt", "kvm", -1, 4);
	see(&t, 10, 0, "ple", "svm", -1, 1);
	see(&t, 10, 0, "pv_yield", "kvm", 7, 1);
	see(&t, 11, 0, "hlt", "kvm", -1, 2);
	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10},{\"pid\":11}],\"did\":["
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":5},"
			     "{\"pid\":10,\"vcpu\":1,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":4},"
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"ple\",\"source\":\"vmx\",\"target\":-1,\"count\":1},"
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"pv_yield\",\"source\":\"kvm\",\"target\":8,\"count\":1},"
			     "{\"pid\":11,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":2}]}"),
		  0);
	CHECK_INT(t.n, 7);
	r = row(&t, 10, 0, "hlt", "kvm", -1);
	CHECK(r && r->did == 5 && r->seen == 4 && selftest_count_row_differs(r)); /* one was missed */
	r = row(&t, 10, 1, "hlt", "kvm", -1);
	CHECK(r && r->did == 4 && r->seen == 0 && selftest_count_row_differs(r));
	r = row(&t, 10, 0, "ple", "svm", -1);
	CHECK(r && r->did == 0 && r->seen == 1 && selftest_count_row_differs(r)); /* seen, not done */
	r = row(&t, 10, 0, "ple", "vmx", -1);
	CHECK(r && selftest_count_row_differs(r));
	r = row(&t, 10, 0, "pv_yield", "kvm", 7);
	CHECK(r && selftest_count_row_differs(r));
	r = row(&t, 11, 0, "hlt", "kvm", -1);
	CHECK(r && r->did == 2 && r->seen == 2 && !selftest_count_row_differs(r));
	selftest_count_done(&t);
}

/* Tasks of one kind on one vCPU add up. */
static void adding(void)
{
	struct selftest_count t = { 0 };
	const struct selftest_count_row *r;

	see(&t, 10, 0, "hlt", "kvm", -1, 7);
	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10}],\"did\":["
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":4},"
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":3}]}"),
		  0);
	CHECK_INT(t.n, 1);
	r = row(&t, 10, 0, "hlt", "kvm", -1);
	CHECK(r && r->did == 7 && r->seen == 7 && !selftest_count_row_differs(r));
	selftest_count_done(&t);
}

static void other_processes(void)
{
	struct selftest_count t = { 0 };

	see(&t, 99, 0, "hlt", "kvm", -1, 6);
	see(&t, 10, 0, "hlt", "kvm", -1, 1);
	see(&t, 98, 0, "ple", "vmx", -1, 2);
	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10}],\"did\":["
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":1}]}"),
		  0);
	CHECK_INT(t.n, 1);
	CHECK_U64(t.others, 8);
	CHECK(row(&t, 10, 0, "hlt", "kvm", -1));
	selftest_count_done(&t);
	see(&t, 99, 0, "hlt", "kvm", -1, 6);
	CHECK_INT(report(&t, "{\"vms\":[],\"did\":[]}"), 0);
	CHECK_INT(t.n, 0);
	CHECK_U64(t.others, 6);
	selftest_count_done(&t);
}

/* A guest that cannot know how many pause-loop exits its loops made says null. */
static void open_counts(void)
{
	struct selftest_count t = { 0 };
	const struct selftest_count_row *r;

	see(&t, 10, 0, "ple", "svm", -1, 12);
	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10}],\"did\":["
			     "{\"pid\":10,\"vcpu\":0,\"event\":\"ple\",\"source\":\"svm\",\"target\":-1,\"count\":null,\"executed\":4096},"
			     "{\"pid\":10,\"vcpu\":1,\"event\":\"ple\",\"source\":\"svm\",\"target\":-1,\"count\":null}]}"),
		  0);
	r = row(&t, 10, 0, "ple", "svm", -1);
	CHECK(r && r->open && r->seen == 12 && !selftest_count_row_differs(r));
	r = row(&t, 10, 1, "ple", "svm", -1);
	CHECK(r && r->open && !r->seen && !selftest_count_row_differs(r));
	selftest_count_done(&t);
}

static void malformed(void)
{
#define DEED(pid, vcpu, event, source, target, count)                                                                            \
	"{\"vms\":[{\"pid\":10}],\"did\":[{\"pid\":" pid ",\"vcpu\":" vcpu ",\"event\":" event ",\"source\":" source             \
	",\"target\":" target ",\"count\":" count "}]}"
	static const char *const reports[] = {
		"[]",
		"{}",
		"{\"vms\":[]}",
		"{\"did\":[]}",
		"{\"vms\":{},\"did\":[]}",
		"{\"vms\":[],\"did\":{}}",
		"{\"vms\":[],\"did\":[1]}",
		"{\"vms\":[],\"did\":[{}]}",
		DEED("\"10\"", "0", "\"hlt\"", "\"kvm\"", "-1", "1"),
		DEED("-1", "0", "\"hlt\"", "\"kvm\"", "-1", "1"),
		DEED("4294967306", "0", "\"hlt\"", "\"kvm\"", "-1", "1"), /* 10 in 32 bits */
		DEED("10", "null", "\"hlt\"", "\"kvm\"", "-1", "1"),
		DEED("10", "0.0", "\"hlt\"", "\"kvm\"", "-1", "1"),
		DEED("10", "0", "1", "\"kvm\"", "-1", "1"),
		DEED("10", "0", "\"hlt_hlt_hlt_hlt_\"", "\"kvm\"", "-1", "1"),
		DEED("10", "0", "\"hlt\"", "\"kvm_kvm_kvm_kvm_\"", "-1", "1"),
		DEED("10", "0", "\"hlt\"", "\"kvm\"", "\"-1\"", "1"),
		DEED("10", "0", "\"hlt\"", "\"kvm\"", "-1", "\"1\""),
		DEED("10", "0", "\"hlt\"", "\"kvm\"", "-1", "1.0"),
		DEED("10", "0", "\"hlt\"", "\"kvm\"", "-1", "-1"),
		DEED("10", "0", "\"hlt\"", "\"kvm\"", "-1", "true"),
		"{\"vms\":[{\"pid\":10}],\"did\":[{\"pid\":10,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}]}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		struct selftest_count t = { 0 };

		see(&t, 10, 0, "hlt", "kvm", -1, 1);
		if (report(&t, reports[i]) != -EINVAL)
			unit_fail(__FILE__, __LINE__, "taken: %s", reports[i]);
		selftest_count_done(&t);
	}
	{
		struct selftest_count t = { 0 };

		see(&t, 10, 0, "hlt", "kvm", -1, 1);
		CHECK_INT(report(&t, DEED("10", "0", "\"hlt\"", "\"kvm\"", "-1", "1")), 0);
		CHECK_INT(t.n, 1);
		selftest_count_done(&t);
	}
}

/* What a guest did in a process that it does not name as its own must not vanish. */
static void did_elsewhere(void)
{
	struct selftest_count t = { 0 };

	CHECK_INT(report(&t, "{\"vms\":[{\"pid\":10}],\"did\":["
			     "{\"pid\":12,\"vcpu\":0,\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1,\"count\":1}]}"),
		  -EINVAL);
	selftest_count_done(&t);
}

static const struct unit_test tests[] = {
	{ "equal", equal },
	{ "differing", differing },
	{ "adding", adding },
	{ "other_processes", other_processes },
	{ "open_counts", open_counts },
	{ "malformed", malformed },
	{ "did_elsewhere", did_elsewhere },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
