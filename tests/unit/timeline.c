// SPDX-License-Identifier: Apache-2.0
// The timeline: what waits and outcomes come to, by hand.
#include "unit.h"

#include "base/memory.h"
#include "ledger/timeline.h"
#include "record/ndjson.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static struct ndjson parser;

/* Times count from 1000 s on. */
static void take(struct timeline *t, const char *line)
{
	struct record r;
	CLEANUP_FREE char *error = NULL;

	CHECK_INT(ndjson_parse(&parser, line, strlen(line), &r, &error), 0);
	timeline_take(t, &r);
	json_decref(r.object);
}

static void take_wait(struct timeline *t, uint64_t ms, unsigned int tid, unsigned int vcpu, const char *event)
{
	CLEANUP_FREE char *line = xasprintf("{\"type\":\"wait\",\"ts\":%" PRIu64 ",\"cpu\":0,\"pid\":%u,\"tid\":%u,\"comm\":\"c\",\"vm\":\"vm\","
					    "\"vcpu\":%u,\"event\":\"%s\",\"source\":\"kvm\",\"target\":-1}", 1000 * S + ms * MS, tid / 100, tid, vcpu, event);

	take(t, line);
}

static void take_outcome(struct timeline *t, uint64_t from_ms, uint64_t ms, unsigned int tid, unsigned int vcpu, const char *rest)
{
	CLEANUP_FREE char *line = xasprintf("{\"type\":\"outcome\",\"ts\":%" PRIu64 ",\"wait_ts\":%" PRIu64 ",\"pid\":%u,\"tid\":%u,\"vm\":\"vm\","
					    "\"vcpu\":%u,%s}", 1000 * S + ms * MS, 1000 * S + from_ms * MS, tid / 100, tid, vcpu, rest);

	take(t, line);
}

#define HLT(kind, end, ready_ns)                                                                                                 \
	"\"event\":\"hlt\",\"source\":\"kvm\",\"end\":\"" end "\",\"halt\":\"" kind "\",\"halt_ns\":1,\"off_ns\":" ready_ns             \
	",\"ready_ns\":" ready_ns
#define PLE(end, ready_ns)                                                                                                       \
	"\"event\":\"ple\",\"source\":\"kvm\",\"end\":\"" end "\",\"boosted\":-1,\"boosted_tid\":0,\"off_ns\":0,\"ready_ns\":" ready_ns
#define YIELD(boosted) "\"event\":\"pv_yield\",\"source\":\"kvm\",\"end\":\"run\",\"boosted\":" boosted ",\"boosted_tid\":9,\"ready_ns\":0"

static struct timeline *begin(void)
{
	struct timeline *t = timeline_new(8);

	timeline_start(t, 1000 * S);
	return t;
}

static uint64_t sum_bins(const uint64_t *bins)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TIMELINE_BINS; i++)
		n += bins[i];
	return n;
}

/* The bins hold what the sums do, of the vCPU and of all. */
static void check_bins(const struct timeline *t)
{
	for (size_t s = 0; s < TIMELINE_STATES; s++) {
		uint64_t all = 0;

		for (size_t i = 0; i < t->n_vcpus; i++) {
			CHECK_U64(sum_bins(t->vcpus[i]->bins->ns[s]), t->vcpus[i]->sums.ns[s]);
			all += t->vcpus[i]->sums.ns[s];
		}
		CHECK_U64(t->sums.ns[s], all);
		CHECK_U64(sum_bins(t->bins.ns[s]), all);
	}
}

static void states(void)
{
	struct timeline *t = begin();
	const uint64_t *ns;

	take_wait(t, 10, 101, 0, "hlt");
	take_outcome(t, 10, 30, 101, 0, HLT("blocked", "run", "5000000")); /* 15 blocked, 5 ready */
	take_wait(t, 37, 101, 0, "ple");			     /* 7 between */
	take_outcome(t, 37, 40, 101, 0, PLE("run", "1000000"));	     /* 2 spinning, 1 ready */
	take_wait(t, 40, 101, 0, "pv_yield");			     /* at once */
	take_outcome(t, 40, 44, 101, 0, YIELD("1"));		     /* 4 yielding */
	take_wait(t, 50, 101, 0, "hlt");			     /* 6 between */
	take_outcome(t, 50, 51, 101, 0, HLT("polled", "run", "0"));  /* 1 polled */
	take_wait(t, 54, 101, 0, "hlt");			     /* 3 between */
	take_outcome(t, 54, 55, 101, 0, HLT("none", "user", "0"));   /* 1 not waited */
	take_wait(t, 75, 101, 0, "hlt");			     /* 20 in user space: unknown */
	timeline_end(t, 1000 * S + 100 * MS);			     /* 25 open: unknown */
	CHECK_INT(t->n_vcpus, 1);
	ns = t->vcpus[0]->sums.ns;
	CHECK_U64(ns[TIME_BLOCKED], 15 * MS);
	CHECK_U64(ns[TIME_READY], 6 * MS);
	CHECK_U64(ns[TIME_BETWEEN], 16 * MS);
	CHECK_U64(ns[TIME_SPINNING], 2 * MS);
	CHECK_U64(ns[TIME_YIELDING], 4 * MS);
	CHECK_U64(ns[TIME_POLLED], 1 * MS);
	CHECK_U64(ns[TIME_UNWAITED], 1 * MS);
	CHECK_U64(ns[TIME_UNKNOWN], 45 * MS);
	CHECK_U64(t->sums.open, 1);
	CHECK_U64(t->sums.boosted, 1);
	CHECK_U64(t->sums.waits[0], 1);
	CHECK_U64(t->sums.waits[1], 4);
	CHECK_U64(t->sums.waits[2], 1);
	CHECK_U64(t->sums.halts[HALT_BLOCKED], 1);
	CHECK_U64(t->sums.longest_halt_ns, 20 * MS);
	CHECK_U64(t->sums.buckets[HALT_BLOCKED][24 - COUNTS_LOG2_FIRST], 1); /* 2^24 is 16.8 ms */
	CHECK_U64(t->sums.buckets[HALT_POLLED][19 - COUNTS_LOG2_FIRST], 1);  /* 2^19 is 0.52 ms */
	check_bins(t);
	timeline_free(t);
}

/* Where in time: 0.1 ms a bin at first. */
static void places(void)
{
	struct timeline *t = begin();
	const struct timeline_bins *bins;

	take_wait(t, 1, 101, 0, "hlt");
	take_outcome(t, 1, 3, 101, 0, HLT("blocked", "run", "1000000"));
	bins = t->vcpus[0]->bins;
	CHECK_U64(t->width_ns, MS / 10);
	CHECK_U64(bins->waits[1][10], 1);
	CHECK_U64(bins->ns[TIME_BLOCKED][9], 0);
	CHECK_U64(bins->ns[TIME_BLOCKED][10], MS / 10);
	CHECK_U64(bins->ns[TIME_BLOCKED][19], MS / 10);
	CHECK_U64(bins->ns[TIME_BLOCKED][20], 0);
	CHECK_U64(bins->ns[TIME_READY][20], MS / 10);
	take_wait(t, 60, 101, 0, "hlt"); /* 600 of them hold no more than up to here */
	CHECK_U64(t->width_ns, MS / 5);
	CHECK_U64(bins->waits[1][5], 1);
	CHECK_U64(bins->waits[1][300], 1);
	CHECK_U64(bins->ns[TIME_BLOCKED][5], MS / 5);
	CHECK_INT(timeline_n_bins(t), 301);
	take_wait(t, UINT64_C(9000000000000), 101, 0, "hlt"); /* 285 years later */
	CHECK(timeline_n_bins(t) <= TIMELINE_BINS && timeline_n_bins(t) > TIMELINE_BINS / 2);
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], UINT64_C(8999999999940) * MS);
	check_bins(t);
	timeline_free(t);
}

/* What is not seen is unknown, and no more than once. */
static void unseen(void)
{
	struct timeline *t = begin();

	take_wait(t, 10, 101, 0, "hlt");
	take_outcome(t, 10, 20, 101, 0, "\"event\":\"hlt\",\"source\":\"kvm\",\"end\":\"unseen\"");
	take_wait(t, 20, 101, 0, "hlt");
	take_outcome(t, 20, 25, 101, 0, HLT("blocked", "run", "0"));
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 10 * MS);
	CHECK_U64(t->sums.ends[OUTCOME_UNSEEN], 1);
	/* the outcome of a wait that was lost: what it was is not told, but that it was a HLT is */
	take_outcome(t, 30, 40, 101, 0, "\"end\":\"run\",\"halt\":\"polled\",\"ready_ns\":0");
	CHECK_U64(t->sums.ns[TIME_BETWEEN], 5 * MS);
	CHECK_U64(t->sums.ns[TIME_POLLED], 10 * MS);
	take_outcome(t, 50, 53, 101, 0, "\"end\":\"run\",\"boosted\":-1,\"ready_ns\":1000000");
	CHECK_U64(t->sums.ns[TIME_READY], 1 * MS);
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 12 * MS);
	/* two waits, and then the outcome of the second: of the first nothing is known */
	take_wait(t, 60, 101, 0, "hlt");
	take_wait(t, 61, 101, 0, "ple");
	take_outcome(t, 61, 62, 101, 0, PLE("run", "0"));
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 13 * MS);
	/* another thread runs the vCPU: what it did between is not known */
	take_wait(t, 70, 102, 0, "ple");
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 21 * MS);
	/* a thread that ends is not heard of again */
	take_outcome(t, 70, 71, 102, 0, PLE("gone", "0"));
	timeline_end(t, 1000 * S + 500 * MS);
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 21 * MS);
	CHECK_U64(t->sums.ns[TIME_SPINNING], 2 * MS);
	CHECK_U64(t->sums.open, 0);
	check_bins(t);
	timeline_free(t);
}

/* More time runnable than in all. */
static void contradiction(void)
{
	struct timeline *t = begin();

	take_wait(t, 10, 101, 0, "ple");
	take_outcome(t, 10, 12, 101, 0, PLE("run", "3000000"));
	CHECK_U64(t->sums.contradictions, 1);
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 2 * MS);
	CHECK_U64(t->sums.ns[TIME_READY], 0);
	CHECK_U64(t->sums.ns[TIME_SPINNING], 0);
	timeline_free(t);
}

/* A trace without outcomes: how many, and no time. */
static void only_waits(void)
{
	struct timeline *t = begin();

	for (unsigned int i = 0; i < 7; i++)
		take_wait(t, 10 * i, 101, 0, "ple");
	take_wait(t, 70, 101, 0, "what_else");
	timeline_end(t, 1000 * S + 80 * MS);
	CHECK(!t->has_outcomes);
	CHECK_U64(t->sums.waits[0], 7);
	CHECK_U64(t->sums.waits[3], 1);
	CHECK_U64(t->sums.ns[TIME_UNKNOWN], 80 * MS);
	CHECK_U64(t->sums.ns[TIME_BETWEEN], 0);
	CHECK_INT(t->n_sources, 2);
	CHECK_STR(t->sources[1].event, "what_else");
	timeline_free(t);
}

/* Ten vCPUs, of which eight are tracked: the lines hold all that there is. */
static void lines(void)
{
	struct timeline *t = begin();
	struct timeline_line *list;
	const struct timeline_vcpu **by_vm;
	uint64_t spinning = 0, waits = 0;
	size_t n;

	for (unsigned int i = 0; i < 10; i++) { /* VMs 1 (vCPUs 0 to 3), 2 (4 to 7) and 3 (8, 9); vCPU i spins i + 1 ms */
		unsigned int tid = (i / 4 + 1) * 100 + i;

		take_wait(t, 0, tid, i, "ple");
		take_outcome(t, 0, i + 1, tid, i, PLE("run", "0"));
	}
	timeline_end(t, 1000 * S + 20 * MS);
	n = timeline_lines(t, 3, 1, &list);
	CHECK_INT(n, 5);
	CHECK_INT(list[0].vcpu->vcpu, 7); /* 9 and 8 were too late to be tracked */
	CHECK_INT(list[2].vcpu->vcpu, 5);
	CHECK_INT(list[3].vcpu->pid, 2); /* vCPU 4 alone is left of it */
	CHECK_INT(list[3].n_vcpus, 1);
	CHECK(!list[4].vcpu);
	CHECK_INT(list[4].n_vcpus, 6);
	CHECK_U64(sum_bins(list[4].bins->ns[TIME_SPINNING]), (1 + 2 + 3 + 4 + 9 + 10) * MS);
	for (size_t i = 0; i < n; i++) {
		spinning += sum_bins(list[i].bins->ns[TIME_SPINNING]);
		waits += list[i].bins->waits[0][0];
	}
	CHECK_U64(spinning, 55 * MS);
	CHECK_U64(waits, 10);
	timeline_lines_free(list, n);
	timeline_by_vm(t, &by_vm);
	CHECK_INT(by_vm[0]->vcpu, 8); /* the VM of the worst */
	CHECK_INT(by_vm[1]->vcpu, 9);
	CHECK_INT(by_vm[2]->vcpu, 4);
	CHECK_INT(by_vm[9]->vcpu, 3);
	free(by_vm);
	timeline_free(t);
}

/* More vCPUs than anybody has: memory stays bounded, and nothing is lost from the sums of all. */
static void beyond(void)
{
	struct timeline *t = begin();
	struct timeline_line *list;
	size_t n;

	for (unsigned int i = 0; i < TIMELINE_VCPUS + 5; i++) {
		take_wait(t, 1, 100 + i, i, "ple");
		take_outcome(t, 1, 2, 100 + i, i, PLE("run", "0"));
	}
	CHECK_INT(t->n_vcpus, TIMELINE_VCPUS);
	CHECK_INT(t->n_tracked, 8);
	CHECK_U64(t->beyond, 10);
	CHECK_U64(t->sums.waits[0], TIMELINE_VCPUS + 5);
	CHECK_U64(t->sums.ns[TIME_SPINNING], (TIMELINE_VCPUS + 5) * MS);
	n = timeline_lines(t, 8, 0, &list);
	CHECK_INT(n, 9);
	CHECK_U64(sum_bins(list[8].bins->ns[TIME_SPINNING]), (TIMELINE_VCPUS + 5 - 8) * MS);
	timeline_lines_free(list, n);
	timeline_free(t);
}

/* Times that a stranger may write: nothing overflows or runs on. */
static void hostile_times(void)
{
	struct timeline *t = timeline_new(8);

	take(t, "{\"type\":\"wait\",\"ts\":9223372036854775807,\"cpu\":0,\"pid\":1,\"tid\":1,\"comm\":\"\",\"vm\":\"v\",\"vcpu\":9223372036854775807,"
		"\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}");
	take(t, "{\"type\":\"outcome\",\"ts\":9223372036854775807,\"wait_ts\":0,\"pid\":1,\"tid\":1,\"vm\":\"v\",\"vcpu\":9223372036854775807,"
		"\"event\":\"hlt\",\"source\":\"kvm\",\"end\":\"run\",\"halt\":\"blocked\",\"ready_ns\":9223372036854775807}");
	take(t, "{\"type\":\"wait\",\"ts\":0,\"cpu\":0,\"pid\":1,\"tid\":1,\"comm\":\"\",\"vm\":\"v\",\"vcpu\":9223372036854775807,"
		"\"event\":\"hlt\",\"source\":\"kvm\",\"target\":-1}");
	timeline_lost(t, INT64_MAX, INT64_MAX);
	timeline_end(t, INT64_MAX);
	CHECK(timeline_n_bins(t) <= TIMELINE_BINS);
	CHECK_U64(t->sums.ns[TIME_READY], INT64_MAX);
	timeline_free(t);
	t = timeline_new(8);
	timeline_start(t, 0);
	timeline_lost(t, INT64_MAX, 1);
	CHECK(timeline_n_bins(t) <= TIMELINE_BINS && timeline_n_bins(t) > TIMELINE_BINS / 2);
	timeline_end(t, 0);
	timeline_free(t);
}

static void empty(void)
{
	struct timeline *t = timeline_new(8);
	struct timeline_line *list;
	size_t n;

	CHECK_INT(timeline_n_bins(t), 0);
	timeline_end(t, 0);
	CHECK_INT(timeline_n_bins(t), 1);
	n = timeline_lines(t, 8, 8, &list);
	CHECK_INT(n, 0);
	timeline_lines_free(list, n);
	timeline_free(t);
}

static const struct unit_test tests[] = {
	{ "states", states },	    { "places", places }, { "unseen", unseen }, { "contradiction", contradiction },
	{ "only_waits", only_waits }, { "lines", lines },   { "beyond", beyond }, { "hostile_times", hostile_times },
	{ "empty", empty },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
