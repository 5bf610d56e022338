// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/account.c: records of a known course of events become the rows and the balance that it has.
#include "unit.h"

#include "base/memory.h"
#include "ledger/account.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static struct account *made(uint64_t interval_ns, uint64_t from_ns, uint64_t to_ns)
{
	return account_new(&(struct account_settings){ .interval_ns = interval_ns, .from_ns = from_ns, .to_ns = to_ns });
}

static struct record object_record(enum record_type type, const char *text)
{
	struct record r = { .type = type, .object = json_loads(text, 0, NULL) };

	CHECK(r.object != NULL);
	return r;
}

static void take_object(struct account *r, enum record_type type, const char *text)
{
	struct record record = object_record(type, text);

	account_take(r, &record);
	json_decref(record.object);
}

/* A recording that begins at 100 s; at that time it was 1,000,000,000 s after 1970. */
static void meta(struct account *r)
{
	take_object(r, RECORD_META,
		    "{\"host\":\"h\\\\x0a1\",\"kernel\":\"6.12\\u001b\",\"arch\":\"x86_64\",\"script\":\"s.bt\",\"parts\":[{\"script\":\"outcome\"}],"
		    "\"probes\":[{\"event\":\"ple\",\"fidelity\":\"exact\"},{\"event\":\"hlt\",\"fidelity\":\"exact\"},"
		    "{\"event\":\"hlt\",\"fidelity\":\"inferred\"},{\"event\":\"pv_yield\",\"fidelity\":\"exact\"},"
		    "{\"event\":\"pv_yield\",\"fidelity\":\"absent\",\"not_applicable\":true}],"
		    "\"clock\":{\"boottime\":100000000000,\"monotonic\":1,\"realtime\":1000000000000000000}}");
}

static void end(struct account *r, uint64_t at_ns, int counted, int received, int lost)
{
	CLEANUP_FREE char *text = xasprintf("{\"counted\":%d,\"received\":%d,\"lost\":%d,\"why\":\"the time is up\",\"clock\":{\"boottime\":%" PRIu64 "}}",
					    counted, received, lost, at_ns);

	take_object(r, RECORD_END, text);
}

static struct record wait_record(uint64_t ts_ns, uint32_t pid, int64_t vcpu, const char *event, const char *source)
{
	struct record r = { .type = RECORD_WAIT, .wait = { .ts_ns = ts_ns, .pid = pid, .tid = pid + 1, .vcpu = vcpu, .target = -1, .vm = "a" } };

	strcpy(r.wait.event, event);
	strcpy(r.wait.source, source);
	return r;
}

static void take_wait(struct account *r, uint64_t ts_ns, int64_t vcpu, const char *event)
{
	struct record record = wait_record(ts_ns, 7, vcpu, event, "kvm");

	account_take(r, &record);
}

static struct record outcome_record(uint64_t wait_ns, uint64_t ts_ns, int64_t vcpu, const char *event, enum outcome_end how)
{
	struct record r = { .type = RECORD_OUTCOME,
			    .outcome = { .ts_ns = ts_ns, .wait_ns = wait_ns, .pid = 7, .tid = 8, .vcpu = vcpu, .boosted = -1, .end = how, .vm = "a" } };

	strcpy(r.outcome.event, event);
	if (*event)
		strcpy(r.outcome.source, "kvm");
	return r;
}

static void take_halt(struct account *r, uint64_t wait_ns, uint64_t ts_ns, enum outcome_end how, enum halt_kind halt)
{
	struct record record = outcome_record(wait_ns, ts_ns, 0, "hlt", how);

	record.outcome.halt = halt;
	record.outcome.ready_ns = how == OUTCOME_RUN ? 1000 : 0;
	account_take(r, &record);
}

static struct counts_row only_row(struct account *r)
{
	struct counts_rows rows;
	struct counts_row row;

	account_total(r, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 1);
	row = rows.items[0];
	counts_rows_done(&rows);
	return row;
}

/* ---- all of it ---- */

static void test_total(void)
{
	struct account *r = made(0, 0, 0);
	struct record o;
	struct counts_rows rows;
	struct counts_row row;

	meta(r);
	take_wait(r, 101 * S, 0, "hlt");
	take_halt(r, 101 * S, 101 * S + 1500, OUTCOME_RUN, HALT_POLLED); /* bucket of 1,024 ns */
	take_wait(r, 102 * S, 0, "hlt");
	take_halt(r, 102 * S, 102 * S + 3 * MS, OUTCOME_RUN, HALT_BLOCKED); /* that of 2^21 ns */
	take_wait(r, 103 * S, 0, "hlt");
	take_halt(r, 103 * S, 103 * S + 500, OUTCOME_USER, HALT_NONE); /* the first one */
	take_wait(r, 104 * S, 0, "ple");
	o = outcome_record(104 * S, 104 * S + 10, 0, "ple", OUTCOME_RUN);
	o.outcome.boosted_tid = 9;
	account_take(r, &o);
	take_wait(r, 105 * S, 0, "pv_yield");
	o = outcome_record(105 * S, 105 * S + 10, 0, "pv_yield", OUTCOME_RUN);
	account_take(r, &o);
	take_wait(r, 106 * S, 0, "hlt"); /* it goes on until the end */
	end(r, 110 * S, 11, 11, 0);
	account_total(r, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 1);
	CHECK_U64(rows.from_ns, 100 * S);
	CHECK_U64(rows.until_ns, 110 * S);
	row = rows.items[0];
	CHECK_STR(row.vm, "a");
	CHECK_U64(row.pid, 7);
	CHECK_U64(row.waits, 6);
	CHECK_U64(row.hlt, 4);
	CHECK_U64(row.ple, 1);
	CHECK_U64(row.ple_boosted, 1);
	CHECK_U64(row.yields, 1);
	CHECK_U64(row.yields_boosted, 0);
	CHECK_U64(row.boosted, 1);
	CHECK_U64(row.halts.ends[COUNTS_POLLED], 1);
	CHECK_U64(row.halts.ends[COUNTS_BLOCKED], 1);
	CHECK_U64(row.halts.ends[COUNTS_UNWAITED], 1);
	CHECK_U64(row.halts.buckets[0], 1);
	CHECK_U64(row.halts.buckets[1], 1);
	CHECK_U64(row.halts.buckets[12], 1);
	CHECK_U64(row.halts.max_ns, 3 * MS);
	CHECK_U64(row.halts.halted_ns, 1500 + 3 * MS + 500 + 4 * S);
	CHECK_U64(row.ready_ns, 2000);
	counts_rows_done(&rows);
	CHECK(account_balances(r));
	CHECK_STR(account_why(r), "the time is up");
	account_free(r);
}

static void test_origin(void)
{
	struct account *r = made(0, 0, 0);

	CHECK(!account_origin(r)->host && !account_meta(r));
	meta(r);
	CHECK_STR(account_origin(r)->host, "h\\x0a1");
	CHECK_STR(account_origin(r)->kernel, "6.12\\x1b");
	CHECK_STR(account_origin(r)->vendor, "x86_64");
	CHECK_INT(account_origin(r)->fidelity[0], FIDELITY_EXACT);
	CHECK_INT(account_origin(r)->fidelity[1], FIDELITY_INFERRED);
	CHECK_INT(account_origin(r)->fidelity[2], FIDELITY_EXACT);
	CHECK(account_has_outcomes(r));
	CHECK_U64(account_realtime_ns(r, 103 * S), 1000000003 * S);
	account_free(r);
}

/* ---- intervals ---- */

/* Takes a record as the command does; what intervals it ended are appended as "halted hlt" in ms. */
static void step(struct account *r, const struct record *record, char *told)
{
	struct counts_rows rows;

	while (account_interval(r, record, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows)) {
		sprintf(told + strlen(told), "%" PRIu64 ":%" PRIu64 "/%" PRIu64 " ", rows.from_ns / S, rows.n ? rows.items[0].halts.halted_ns / MS : 0,
			rows.n ? rows.items[0].hlt : 0);
		counts_rows_done(&rows);
	}
	account_take(r, record);
}

/* A HLT from 100.5 s to 103.25 s is halted 0.5 s in the first interval, all of the next two, and 0.25 s in the last. */
static void test_a_halt_over_intervals(void)
{
	struct account *r = made(S, 0, 0);
	struct record w = wait_record(100 * S + 500 * MS, 7, 0, "hlt", "kvm"), o = outcome_record(w.ts_ns, 103 * S + 250 * MS, 0, "hlt", OUTCOME_RUN);
	struct record e = object_record(RECORD_END, "{\"counted\":2,\"received\":2,\"lost\":0,\"why\":\"x\",\"clock\":{\"boottime\":103500000000}}");
	struct counts_rows rows;
	char told[512] = "";

	meta(r);
	o.outcome.halt = HALT_BLOCKED;
	step(r, &w, told);
	step(r, &o, told);
	CHECK_STR(told, "100:500/1 101:1000/0 102:1000/0 ");
	step(r, &e, told);
	CHECK_STR(told, "100:500/1 101:1000/0 102:1000/0 ");
	CHECK(account_last_interval(r, COUNTS_BY_VM, &rows));
	CHECK_U64(rows.from_ns, 103 * S);
	CHECK_U64(rows.until_ns, 103 * S + 500 * MS);
	CHECK_U64(rows.items[0].halts.halted_ns, 250 * MS);
	CHECK_U64(rows.items[0].halts.ends[COUNTS_BLOCKED], 1);
	counts_rows_done(&rows);
	CHECK(!account_last_interval(r, COUNTS_BY_VM, &rows));
	CHECK_U64(only_row(r).halts.halted_ns, 2750 * MS);
	json_decref(e.object);
	account_free(r);
}

/* A clock that jumps does not make intervals without end. */
static void test_a_gap(void)
{
	struct account *r = made(S, 0, 0);
	struct record a = wait_record(101 * S, 7, 0, "ple", "kvm"), b = wait_record(INT64_MAX, 7, 0, "ple", "kvm");
	struct counts_rows rows;
	size_t n = 0;

	meta(r);
	CHECK(account_interval(r, &a, COUNTS_BY_VM, &rows));
	counts_rows_done(&rows);
	CHECK(!account_interval(r, &a, COUNTS_BY_VM, &rows));
	account_take(r, &a);
	for (; account_interval(r, &b, COUNTS_BY_VM, &rows); n++) {
		CHECK(n < 100000);
		counts_rows_done(&rows);
	}
	account_take(r, &b);
	CHECK_U64(only_row(r).waits, 2);
	account_free(r);
}

static void test_from_to(void)
{
	struct account *r = made(0, 2 * S, 4 * S);
	struct counts_rows rows;

	meta(r);
	take_wait(r, 101 * S, 0, "hlt");
	take_halt(r, 101 * S, 102 * S + 250 * MS, OUTCOME_RUN, HALT_BLOCKED); /* 0.25 s of it within */
	take_wait(r, 103 * S, 0, "ple");
	take_wait(r, 103 * S + 750 * MS, 0, "hlt");
	take_halt(r, 103 * S + 750 * MS, 105 * S, OUTCOME_RUN, HALT_BLOCKED); /* again; it ends outside */
	take_wait(r, 106 * S, 0, "ple");
	end(r, 110 * S, 6, 6, 0);
	account_total(r, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_U64(rows.from_ns, 102 * S);
	CHECK_U64(rows.until_ns, 104 * S);
	CHECK_U64(rows.items[0].waits, 2);
	CHECK_U64(rows.items[0].ple, 1);
	CHECK_U64(rows.items[0].halts.halted_ns, 500 * MS);
	CHECK_U64(rows.items[0].halts.ends[COUNTS_BLOCKED], 1);
	counts_rows_done(&rows);
	CHECK(account_balances(r));
	account_free(r);
}

/* ---- what is lost ---- */

/* The end of a HLT that was not seen: nobody knows how long it took. */
static void test_unseen(void)
{
	struct account *r = made(0, 0, 0);

	meta(r);
	take_wait(r, 101 * S, 0, "hlt");
	take_halt(r, 101 * S, 105 * S, OUTCOME_UNSEEN, HALT_NONE);
	take_wait(r, 105 * S, 0, "ple");
	end(r, 110 * S, 3, 2, 1);
	CHECK_U64(only_row(r).halts.halted_ns, 0);
	CHECK_U64(account_balance(r)->unseen, 1);
	CHECK(account_balances(r));
	account_free(r);
}

/* At the end it is still halted, if nothing was lost; otherwise it may have been woken. */
static void test_open_at_the_end(void)
{
	for (int lost = 0; lost < 2; lost++) {
		struct account *r = made(0, 0, 0);

		meta(r);
		take_wait(r, 101 * S, 0, "hlt");
		take_halt(r, 101 * S, 101 * S, OUTCOME_UNSEEN, HALT_NONE);
		end(r, 110 * S, 1 + lost, 1, lost);
		CHECK_U64(only_row(r).halts.halted_ns, lost ? 0 : 9 * S);
		account_free(r);
	}
}

/* The outcome of a wait that was lost: a HLT by what KVM told of it. */
static void test_lost_wait(void)
{
	struct account *r = made(0, 0, 0);
	struct record o = outcome_record(101 * S, 101 * S + 5000, 0, "", OUTCOME_RUN);

	meta(r);
	o.outcome.halt = HALT_BLOCKED;
	account_take(r, &o);
	o.outcome.halt = HALT_NONE;
	account_take(r, &o);
	end(r, 110 * S, 4, 2, 2);
	CHECK_U64(only_row(r).halts.halted_ns, 5000);
	CHECK_U64(only_row(r).halts.ends[COUNTS_BLOCKED], 1);
	CHECK_U64(only_row(r).waits, 0);
	account_free(r);
}

static void test_imbalance(void)
{
	static const struct {
		int counted, received, lost;
		bool balances;
	} cases[] = { { 2, 2, 0, true }, { 5, 2, 3, true }, { 2, 3, 0, false }, { 3, 2, 0, false }, { 1, 1, 0, false }, { 2, 2, -1, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct account *r = made(0, 0, 0);

		meta(r);
		take_wait(r, 101 * S, 0, "ple");
		take_wait(r, 102 * S, 0, "ple");
		CHECK(!account_balances(r));
		end(r, 103 * S, cases[i].counted, cases[i].received, cases[i].lost);
		CHECK_INT(account_balances(r), cases[i].balances);
		account_free(r);
	}
}

/* What the scheduler did is received and not written; without the count nothing balances. */
static void test_balance_of_others(void)
{
	struct account *r = made(0, 0, 0);

	take_wait(r, 101 * S, 0, "ple");
	take_object(r, RECORD_END, "{\"counted\":10,\"received\":8,\"sched\":7,\"lost\":2,\"why\":\"x\"}");
	CHECK(account_balances(r));
	take_object(r, RECORD_END, "{\"received\":8,\"sched\":7,\"lost\":2,\"why\":\"x\"}");
	CHECK(!account_balances(r));
	take_object(r, RECORD_END, "{\"counted\":10,\"received\":8,\"sched\":7,\"lost\":2,\"malformed\":1,\"why\":\"x\"}");
	CHECK(!account_balances(r));
	account_free(r);
}

/* ---- strangers ---- */

/* A TGID that was given to another VM, and one that has no meta, nor times that make sense. */
static void test_names(void)
{
	struct account *r = made(0, 0, 0);
	struct record w = wait_record(5, 7, 0, "ple", "svm");
	struct counts_rows rows;

	account_take(r, &w);
	w.wait.vm = "b";
	account_take(r, &w);
	w.wait.vm = "a";
	w.ts_ns = 0;
	account_take(r, &w);
	account_total(r, COUNTS_BY_VM, &rows);
	CHECK_INT(rows.n, 2);
	CHECK_STR(rows.items[0].vm, "a");
	CHECK_U64(rows.items[0].waits, 2);
	CHECK_STR(rows.items[1].vm, "b");
	CHECK_U64(rows.items[1].waits, 1);
	counts_rows_done(&rows);
	CHECK(!account_origin(r)->fidelity_known);
	account_free(r);
}

/* More vCPUs and sources than any host has: what is in no row is counted. */
static void test_no_room(void)
{
	struct account *r = made(S, 0, 0);
	struct counts_rows rows;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 65536 + 100; i++) {
		struct record w = wait_record(5, 1000 + i % 1000, i / 1000, "ple", "svm");

		account_take(r, &w);
	}
	CHECK_U64(account_overflow(r), 100);
	for (int i = 0; i < 40; i++) {
		struct record w = wait_record(5, 1000, 0, "ple", "svm");

		sprintf(w.wait.source, "s%d", i);
		account_take(r, &w);
	}
	CHECK_U64(account_overflow(r), 100 + 40 - 31); /* one of 32 kinds is ple svm */
	account_total(r, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 65536);
	for (size_t i = 0; i < rows.n; i++)
		sum += rows.items[i].waits;
	CHECK_U64(sum + account_overflow(r), 65536 + 100 + 40);
	counts_rows_done(&rows);
	account_free(r);
}

/* Any numbers in objects that nobody checked. */
static void test_odd_objects(void)
{
	struct account *r = made(S, S, 0);

	take_object(r, RECORD_META, "{\"host\":7,\"kernel\":[],\"clock\":{\"boottime\":-5},\"probes\":[1,{\"event\":1}],\"parts\":[{}]}");
	take_object(r, RECORD_LOST, "{\"lost\":-9223372036854775808}");
	take_object(r, RECORD_END, "{\"counted\":-1,\"received\":9223372036854775807,\"lost\":-9223372036854775808,\"clock\":[]}");
	CHECK(!account_balances(r));
	CHECK(!account_origin(r)->host);
	CHECK_STR(account_origin(r)->kernel, "?");
	account_free(r);
}

/* ---- states of vCPUs ---- */

#define STATES(run, ready, wall)                                                                                                     \
	"\"run_ns\":" #run ",\"spin_ns\":0,\"poll_ns\":4,\"poll_paid_ns\":3,\"poll_wasted_ns\":1,\"halt_ns\":0,\"ready_ns\":" #ready \
	",\"host_ns\":0,\"wall_ns\":" #wall "}"
#define STAT(ts, ns, total, rows) "{\"ts\":" #ts ",\"ns\":" #ns ",\"total\":" #total ",\"rows\":[" rows "]}"
#define VCPU "{\"vm\":\"a\",\"pid\":7,\"vcpu\":0,\"waits\":1,"

/* The run and ready time of the first row of all the time. */
static void first_times(struct account *r, uint64_t *ret_run_ns, uint64_t *ret_ready_ns)
{
	struct counts_rows rows;

	account_total(r, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	*ret_run_ns = rows.n ? rows.items[0].times.ns[COUNTS_RUN] : 0;
	*ret_ready_ns = rows.n ? rows.items[0].ready_ns : 0;
	counts_rows_done(&rows);
}

/* Without a total, as where a recording was cut short, the intervals; with one it alone. Past 2^53, to the ns. */
static void test_states(void)
{
	struct account *r = made(0, 0, 0);
	uint64_t run_ns, ready_ns;

	meta(r);
	CHECK(!account_has_times(r));
	take_object(r, RECORD_STAT, STAT(101000000000, 1000000000, false, VCPU STATES(9007199254740993, 2, 9007199254740999)));
	take_object(r, RECORD_STAT, STAT(102000000000, 1000000000, false, VCPU STATES(5, 3, 12)));
	CHECK(account_has_times(r));
	first_times(r, &run_ns, &ready_ns);
	CHECK_U64(run_ns, 9007199254740998);
	CHECK_U64(ready_ns, 5);
	take_object(r, RECORD_STAT, STAT(102000000000, 2000000000, true, VCPU STATES(9007199254740995, 8, 9007199254741007)));
	take_object(r, RECORD_STAT, STAT(102000000000, 2000000000, true, VCPU STATES(1, 1, 6)));
	take_object(r, RECORD_STAT, STAT(102000000000, 2000000000, false, VCPU STATES(1, 1, 6)));
	first_times(r, &run_ns, &ready_ns);
	CHECK_U64(run_ns, 9007199254740995);
	CHECK_U64(ready_ns, 8);
	CHECK_U64(account_refused_times(r), 0);
	account_free(r);
}

/* Of some of the time: the intervals that lie within, and no total. */
static void test_states_from_to(void)
{
	struct account *r = made(0, S, 3 * S);
	uint64_t run_ns, ready_ns;

	meta(r);
	take_object(r, RECORD_STAT, STAT(101000000000, 1000000000, false, VCPU STATES(1, 0, 5)));
	take_object(r, RECORD_STAT, STAT(102000000000, 1000000000, false, VCPU STATES(10, 0, 14)));
	take_object(r, RECORD_STAT, STAT(103000000000, 1000000000, false, VCPU STATES(100, 0, 104)));
	take_object(r, RECORD_STAT, STAT(103000000001, 1000000000, false, VCPU STATES(1000, 0, 1004)));
	take_object(r, RECORD_STAT, STAT(104000000000, 4000000000, true, VCPU STATES(1111, 0, 1115)));
	first_times(r, &run_ns, &ready_ns);
	CHECK_U64(run_ns, 110);
	account_free(r);
}

/* A vCPU whose states are not its wall time is left out, and counted; rows without states are no problem. */
static void test_states_of_strangers(void)
{
	static const char *const refused[] = {
		VCPU STATES(1, 1, 7),
		VCPU STATES(-1, 2, 5),
		VCPU STATES(1.5, 0, 5),
		VCPU STATES(9223372036854775807, 9223372036854775807, 2),
		VCPU "\"wall_ns\":0}",
		"{\"vm\":\"a\",\"pid\":-1,\"vcpu\":0," STATES(1, 0, 5),
		"{\"vm\":\"a\",\"pid\":7,\"vcpu\":-1," STATES(1, 0, 5),
	};
	static const char *const passed[] = { VCPU "\"ple\":3}", "{}", "7", "{\"pid\":7,\"vcpu\":0," STATES(1, 0, 5) };
	struct account *r = made(0, 0, 0);

	meta(r);
	for (size_t i = 0; i < ARRAY_SIZE(refused) + ARRAY_SIZE(passed); i++) {
		CLEANUP_FREE char *text = xasprintf(STAT(101000000000, 1000000000, true, "%s"), i < ARRAY_SIZE(refused) ? refused[i] : passed[i - ARRAY_SIZE(refused)]);

		take_object(r, RECORD_STAT, text);
	}
	CHECK_U64(account_refused_times(r), ARRAY_SIZE(refused));
	take_object(r, RECORD_STAT, "{\"ts\":1,\"ns\":2,\"total\":true,\"rows\":[" VCPU STATES(1, 0, 5) "]}");
	take_object(r, RECORD_STAT, "{\"rows\":7}");
	CHECK(!account_has_times(r));
	account_free(r);
}

static const struct unit_test tests[] = {
	{ "all the time", test_total },
	{ "where it comes from", test_origin },
	{ "a HLT over several intervals", test_a_halt_over_intervals },
	{ "a gap", test_a_gap },
	{ "from and to", test_from_to },
	{ "an outcome that was not seen", test_unseen },
	{ "a HLT that is open at the end", test_open_at_the_end },
	{ "a wait that was lost", test_lost_wait },
	{ "what does not balance", test_imbalance },
	{ "what the scheduler did", test_balance_of_others },
	{ "names of VMs", test_names },
	{ "more vCPUs than there is room for", test_no_room },
	{ "objects of strangers", test_odd_objects },
	{ "states of vCPUs", test_states },
	{ "states of vCPUs, from and to", test_states_from_to },
	{ "states of strangers", test_states_of_strangers },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
