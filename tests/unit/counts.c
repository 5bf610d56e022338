// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/counts.c: lines of maps in any order and state become counts, intervals, rows and percentiles.
#include "unit.h"

#include "base/memory.h"
#include "ledger/counts.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static const struct wait_name waits[] = {
	{ "hlt", "kvm" }, { "hlt", "kvm" }, { "pv_yield", "hyperv" }, { "ple", "svm" }, { "pv_yield", "kvm" },
};

/* As the part makes it. */
static int64_t key_of(int64_t tid, int64_t pid, int64_t vcpu)
{
	return tid << 38 | pid << 16 | vcpu;
}

static enum counts_line take(struct counts *s, const char *line)
{
	return counts_take_line(s, line, strlen(line));
}

__attribute__((format(printf, 2, 3))) static void feed(struct counts *s, const char *format, ...)
{
	va_list args;
	char *line;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		abort();
	va_end(args);
	CHECK_INT(take(s, line), COUNTS_TAKEN);
	free(line);
}

static void snapshot(struct counts *s, uint64_t at_ns)
{
	feed(s, "maps %" PRIu64, at_ns);
	CHECK_INT(take(s, "maps end"), COUNTS_SNAPSHOT);
}

static void put_n(struct counts *s, int64_t key, int line, int64_t n)
{
	feed(s, "@s_n[%" PRId64 ", %d]: %" PRId64, key, line, n);
}

static void check_lines(void)
{
	static const struct {
		const char *line;
		enum counts_line taken;
	} lines[] = {
		{ "@s_n[19242189045761, 0]: 17", COUNTS_TAKEN },
		{ "@s_n[19242189045761, 31]: 9223372036854775807", COUNTS_TAKEN },
		{ "@s_n[0, 0]: 0", COUNTS_TAKEN },
		{ "@s_halt[0]: (0, 0, 0, 0, 0, 0, 0)", COUNTS_TAKEN },
		{ "@s_halt[19242189045761]: (61931268912, 5, 5, 1, 0, 0, 0)", COUNTS_TAKEN },
		{ "@s_time[0]: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", COUNTS_TAKEN },
		{ "@s_time[70]: (19242189045761, 2, 90, 100, 1, 2, 3, 4, 5, 6, 3)", COUNTS_TAKEN },
		{ "@s_past[19242189045761]: (19242189045761, 6, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_TAKEN },
		{ "@s_cut[19242189045761, 1]: (19242189045761, 6, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_TAKEN },
		{ "@s_cut[0, 0]: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", COUNTS_TAKEN },
		{ "@s_hist[19242189045761, 36]: 1", COUNTS_TAKEN },
		{ "@s_hist[0, 0]: 0", COUNTS_TAKEN },
		{ "@s_stop: 61931268912", COUNTS_TAKEN },
		{ "maps 1", COUNTS_TAKEN },
		{ "maps 1 1", COUNTS_TAKEN },
		{ "maps vcpu 79714611888128", COUNTS_VCPU },
		{ "", COUNTS_OTHER },
		{ "w 1 2 3", COUNTS_OTHER },
		{ "@counted: 5", COUNTS_OTHER },
		{ "@stop: 0", COUNTS_OTHER },
		{ "@s_n[19242189045761, 32]: 1", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, -1]: 1", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0]: -1", COUNTS_MALFORMED },
		{ "@s_n[-1, 0]: 1", COUNTS_MALFORMED },
		{ "@s_n[19242189045761]: 1", COUNTS_MALFORMED },
		{ "@s_n[19242189045761,0]: 1", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0]: ", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0]: 1 ", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0]: 1K", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0", COUNTS_MALFORMED },
		{ "@s_n[19242189045761, 0]: 9223372036854775808", COUNTS_MALFORMED },
		{ "@s_hist[19242189045761, 8]: 1", COUNTS_MALFORMED },
		{ "@s_hist[19242189045761, 37]: 1", COUNTS_MALFORMED },
		{ "@s_end[19242189045761, 3]: 1", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761, 0]: (0, 0, 0, 0, 0, 0, 0)", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: (0, 0, 0, 0, 0, 0)", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: (0, 0, 0, 0, 0, 0, 0, 0)", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: (0, 0, -1, 0, 0, 0, 0)", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: 1", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: (0, 0, 0, 0, 0, 0, 0) ", COUNTS_MALFORMED },
		{ "@s_halt[19242189045761]: (0, 0, 0, 0, 0, 0, --1)", COUNTS_MALFORMED },
		{ "@s_time[70]: (19242189045761, 7, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED }, /* no such state */
		{ "@s_time[70]: (19242189045761, 2, 90, 100, 1, 2, 3, 4, 5, 6, 4)", COUNTS_MALFORMED }, /* paid more than polled */
		{ "@s_time[70]: (19242189045761, 2, 90, 100, 91, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_time[70]: (19242189045761, 2, 0, 100, 0, 0, 0, 0, 0, 0, 0)", COUNTS_MALFORMED },
		{ "@s_time[70]: (19242189045761, 2, 90, 100, 1, -2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_time[70]: (-1, 2, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_time[70, 1]: (19242189045761, 2, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_cut[19242189045761, 2]: (19242189045761, 6, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_cut[19242189045761]: (19242189045761, 6, 90, 100, 1, 2, 3, 4, 5, 6, 0)", COUNTS_MALFORMED },
		{ "@s_other[1]: 1", COUNTS_MALFORMED },
		{ "@s_", COUNTS_MALFORMED },
		{ "@s_stop: x", COUNTS_MALFORMED },
		{ "maps ", COUNTS_MALFORMED },
		{ "maps 0", COUNTS_MALFORMED },
		{ "maps 1 2", COUNTS_MALFORMED },
		{ "maps 1 ", COUNTS_MALFORMED },
		{ "maps ended", COUNTS_MALFORMED },
		{ "maps vcpu 0", COUNTS_MALFORMED },
		{ "maps vcpu", COUNTS_MALFORMED },
	};
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	uint64_t malformed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		enum counts_line taken = take(s, lines[i].line);

		if (taken != lines[i].taken)
			unit_fail(__FILE__, __LINE__, "<%s> is %d", lines[i].line, taken);
		malformed += taken == COUNTS_MALFORMED;
		CHECK_U64(counts_malformed(s), malformed);
	}
	CHECK_U64(counts_newest_pid(s), 288);
	/* a line that is cut, of any length, is never taken for another number */
	for (size_t n = 0; n < strlen("@s_n[7, 1]: 2"); n++)
		CHECK(counts_take_line(s, "@s_n[7, 1]: 2", n) != COUNTS_TAKEN);
	counts_free(s);
	counts_free(NULL);
}

/* What 0.17, 0.23 and 0.27 print of two threads that yield and halt; blank lines come with the first two. */
static void real_output(void)
{
	static const char *const lines[] = {
		"", "@s_n[0, 0]: 0", "@s_n[79714611888128, 0]: 7", "@s_n[80264367702017, 0]: 7", "@s_n[80539245543424, 0]: 17",
		"@s_n[80814123450369, 0]: 17", "@s_n[80539245543424, 3]: 23", "@s_n[80814123450369, 3]: 23",
		"@s_n[80539245543424, 4]: 19294", "@s_n[80814123450369, 4]: 60013", "", "@s_halt[0]: (0, 0, 0, 0, 0, 0, 0)",
		"@s_halt[80264367702017]: (0, 27380688, 8177864, 7, 0, 0, 0)", "@s_halt[79714611888128]: (0, 2738, 817, 7, 0, 0, 0)",
		"@s_halt[80539245543424]: (0, 5, 5, 0, 0, 16, 0)", "@s_halt[80814123450369]: (0, 91045378, 817, 0, 0, 17, 0)",
		"@s_time[0]: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)", "@s_time[286]: (78889978101760, 38, 61345751095, 0, 0, 0, 0, 0, 0, 0, 0)",
		"@s_past[80814123450369]: (80814123450369, 6, 61268528440, 61294351977, 83101166, 3867609, 305793, 152836598, 56502702, 0, 0)",
		"@s_stop: 61931268912",
	};
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		CHECK_INT(take(s, lines[i]), *lines[i] ? COUNTS_TAKEN : COUNTS_OTHER);
	CHECK_U64(counts_attributed(s), 79401);
	counts_finish(s, 1);
	counts_total(s, COUNTS_BY_VM | COUNTS_BY_VCPU, 60 * S, &rows);
	CHECK_U64(rows.from_ns, 60 * S);
	CHECK_U64(rows.until_ns, 61931268912);
	CHECK_INT(rows.n, 4);
	CHECK_INT(rows.items[1].pid, 287);
	CHECK_INT(rows.items[1].vcpu, 1);
	CHECK_U64(rows.items[1].yields, 60013);
	CHECK_U64(rows.items[1].ple, 23);
	CHECK_U64(rows.items[1].hlt, 17);
	CHECK_U64(rows.items[1].waits, 60053);
	CHECK_U64(rows.items[1].halts.ends[COUNTS_BLOCKED], 17);
	CHECK_U64(rows.items[1].halts.halted_ns, 91045378);
	CHECK_U64(rows.items[1].times.ns[COUNTS_HALT], 152836598);
	CHECK_U64(rows.items[1].times.wasted_ns, 305793);
	CHECK_U64(rows.items[1].ready_ns, 56502702);
	CHECK_U64(counts_wall_ns(&rows.items[1].times), 296613868);
	CHECK_U64(counts_wall_ns(&rows.items[0].times), 0);
	counts_rows_done(&rows);
	counts_total(s, COUNTS_BY_EVENT | COUNTS_BY_SOURCE, 60 * S, &rows);
	CHECK_INT(rows.n, 3);
	CHECK_STR(rows.items[0].event, "hlt");
	CHECK_U64(rows.items[0].waits, 48);
	CHECK_STR(rows.items[2].source, "kvm");
	CHECK_U64(rows.items[2].waits, 79307);
	counts_rows_done(&rows);
	counts_free(s);
}

/* The same vCPU id in two VMs, and one vCPU that two threads have run. */
static void groups(void)
{
	int64_t a = key_of(101, 100, 0), b = key_of(201, 200, 0), b_again = key_of(202, 200, 0), c = key_of(203, 200, 65535);
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	put_n(s, a, 0, 3);
	put_n(s, a, 1, 4);
	put_n(s, b, 0, 5);
	put_n(s, b_again, 2, 6);
	put_n(s, c, 3, 7);
	feed(s, "@s_boost[%" PRId64 ", 3]: 2", c);
	feed(s, "@s_boost[%" PRId64 ", 2]: 1", b_again);
	snapshot(s, 2 * S);
	counts_interval(s, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 3);
	CHECK_INT(rows.items[0].pid, 100);
	CHECK_U64(rows.items[0].hlt, 7);
	CHECK_INT(rows.items[1].pid, 200);
	CHECK_INT(rows.items[1].vcpu, 0);
	CHECK_U64(rows.items[1].waits, 11);
	CHECK_U64(rows.items[1].yields_boosted, 1);
	CHECK_INT(rows.items[1].n_vcpus, 1);
	CHECK_INT(rows.items[2].vcpu, 65535);
	CHECK_U64(rows.items[2].ple_boosted, 2);
	counts_rows_done(&rows);
	counts_interval(s, COUNTS_BY_VM, &rows);
	CHECK_INT(rows.n, 2);
	CHECK_U64(rows.items[1].waits, 18);
	counts_rows_done(&rows);
	counts_interval(s, COUNTS_BY_EVENT, &rows);
	CHECK_INT(rows.n, 3);
	CHECK_STR(rows.items[0].event, "hlt");
	CHECK_U64(rows.items[0].waits, 12);
	counts_rows_done(&rows);
	counts_interval(s, COUNTS_BY_VM | COUNTS_BY_VCPU | COUNTS_BY_EVENT | COUNTS_BY_SOURCE, &rows);
	CHECK_INT(rows.n, 4);
	counts_rows_done(&rows);
	counts_free(s);
}

/* Half a snapshot is none, and what it told is in the next. */
static void half(void)
{
	int64_t a = key_of(101, 100, 0);
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	CHECK(!counts_has_interval(s));
	put_n(s, a, 0, 10);
	snapshot(s, 2 * S);
	CHECK(counts_has_interval(s));
	feed(s, "maps %" PRIu64, 3 * S);
	put_n(s, a, 0, 15);
	snapshot(s, 4 * S); /* begins anew, and this map is not in it */
	counts_interval(s, COUNTS_BY_VM, &rows);
	CHECK_U64(rows.from_ns, 2 * S);
	CHECK_U64(rows.until_ns, 4 * S);
	CHECK_U64(rows.items[0].hlt, 5);
	counts_rows_done(&rows);
	CHECK_INT(take(s, "maps end"), COUNTS_TAKEN); /* without a begin */
	feed(s, "maps %" PRIu64, 3 * S);
	CHECK_INT(take(s, "maps end"), COUNTS_TAKEN); /* older than the last */
	put_n(s, a, 0, 14);			 /* an old value again */
	snapshot(s, 5 * S);
	counts_interval(s, COUNTS_BY_VM, &rows);
	CHECK_INT(rows.n, 0);
	counts_rows_done(&rows);
	put_n(s, a, 0, 17);
	counts_finish(s, 6 * S);
	counts_finish(s, 7 * S);
	counts_total(s, COUNTS_BY_VM, 1, &rows);
	CHECK_U64(rows.from_ns, S);
	CHECK_U64(rows.until_ns, 6 * S);
	CHECK_U64(rows.items[0].hlt, 17);
	counts_rows_done(&rows);
	counts_free(s);
}

/* What was counted while probes were attached is in the counters and in the balance, not in the total. */
static void before_first(void)
{
	int64_t a = key_of(101, 100, 0), b = key_of(102, 100, 1);
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	put_n(s, a, 0, 10);
	put_n(s, b, 0, 4);
	feed(s, "@s_halt[%" PRId64 "]: (0, %" PRIu64 ", 1, 1, 0, 0, 0)", a, 20 * S);
	snapshot(s, 30 * S);
	put_n(s, a, 0, 13);
	feed(s, "@s_halt[%" PRId64 "]: (0, %" PRIu64 ", 1, 2, 0, 0, 0)", a, 20 * S + 5 * MS);
	feed(s, "@s_stop: %" PRIu64, 31 * S);
	counts_finish(s, 99 * S);
	counts_total(s, COUNTS_BY_VM | COUNTS_BY_VCPU, 1, &rows);
	CHECK_INT(rows.n, 1);
	CHECK_U64(rows.items[0].hlt, 3);
	CHECK_U64(rows.items[0].halts.halted_ns, 5 * MS);
	CHECK_U64(rows.until_ns - rows.from_ns, S);
	counts_rows_done(&rows);
	counts_cumulative(s, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 2);
	CHECK_U64(rows.items[0].hlt, 13);
	CHECK_U64(rows.items[1].hlt, 4);
	counts_rows_done(&rows);
	CHECK_U64(counts_attributed(s), 17);
	counts_free(s);
}

static uint64_t halted_in(struct counts *s, uint64_t at_ns)
{
	struct counts_rows rows;
	uint64_t halted_ns;

	snapshot(s, at_ns);
	counts_interval(s, COUNTS_BY_VM, &rows);
	halted_ns = rows.n ? rows.items[0].halts.halted_ns : 0;
	counts_rows_done(&rows);
	return halted_ns;
}

static void put_halt(struct counts *s, int64_t key, uint64_t began_ns, uint64_t ended_ns)
{
	feed(s, "@s_halt[%" PRId64 "]: (%" PRIu64 ", %" PRIu64 ", 0, 0, 0, 0, 0)", key, began_ns, ended_ns);
}

/* One that sleeps for four seconds, with intervals of one; and maps that are read late. */
static void open_halts(void)
{
	int64_t a = key_of(101, 100, 0);
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, 100 * S);
	put_n(s, a, 0, 1);
	put_halt(s, a, 100 * S + 600 * MS, 300 * MS);
	CHECK_U64(halted_in(s, 101 * S), 700 * MS); /* 300 ms before, open since 100.6 s */
	CHECK_U64(halted_in(s, 102 * S), S);
	CHECK_U64(halted_in(s, 103 * S), S);
	put_halt(s, a, 0, 3750 * MS); /* ended at 104.05 s, read a little later than 104 s */
	CHECK_U64(halted_in(s, 104 * S), S);
	CHECK_U64(halted_in(s, 105 * S), 50 * MS);
	/* begins at 106.02 s, after the snapshot */
	put_halt(s, a, 106 * S + 20 * MS, 3750 * MS);
	CHECK_U64(halted_in(s, 106 * S), 0);
	CHECK_U64(halted_in(s, 107 * S), 980 * MS);
	feed(s, "@s_stop: %" PRIu64, 107 * S + 500 * MS);
	counts_finish(s, 0);
	counts_total(s, COUNTS_BY_VM, 0, &rows);
	CHECK_U64(rows.items[0].halts.halted_ns, 3750 * MS + 1480 * MS);
	counts_rows_done(&rows);
	counts_free(s);
}

/* A value of the account of thread 101 in this map: run and ready for so long until since_ns, and what it does from then on. */
static void put_time(struct counts *s, const char *map, int state, uint64_t since_ns, uint64_t run_ns, uint64_t ready_ns)
{
	feed(s, "@s_%s: (%" PRId64 ", %d, %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", 0, 0, 0, %" PRIu64 ", 0, 0)", map, key_of(101, 100, 0), state,
	     since_ns, since_ns + 1, run_ns, ready_ns);
}

enum { RUN, SPIN, POLL, HALT, READY, HOST, NONE };

/* The rows of the last interval: those of thread 101, as "run ready host" in ms; "-" where there is none. */
static const char *interval_ms(struct counts *s)
{
	static char text[96];
	struct counts_rows rows;

	counts_interval(s, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK(rows.n <= 1);
	strcpy(text, "-");
	if (rows.n) {
		const struct counts_times *t = &rows.items[0].times;

		snprintf(text, sizeof(text), "%" PRIu64 " %" PRIu64 " %" PRIu64, t->ns[COUNTS_RUN] / MS, t->ns[COUNTS_READY] / MS,
			 t->ns[COUNTS_HOST] / MS);
	}
	counts_rows_done(&rows);
	return text;
}

static void cut_at(struct counts *s, uint64_t at_ns, int slot)
{
	feed(s, "maps %" PRIu64 " %d", at_ns, slot);
}

static void end_maps(struct counts *s)
{
	CHECK_INT(take(s, "maps end"), COUNTS_SNAPSHOT);
}

/* First seen in an interval, frozen in the next, ended in the third, gone in the fourth; times are whole in each. */
static void comes_and_goes(void)
{
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	CHECK_STR(interval_ms(s), "-");
	cut_at(s, 2 * S, 1); /* first seen at 1.5 s, ready since 1.9 s */
	put_time(s, "time[101]", READY, S + 900 * MS, 400 * MS, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "400 100 0");
	cut_at(s, 3 * S, 0); /* stopped */
	put_time(s, "time[101]", HOST, 2 * S + 50 * MS, 400 * MS, 150 * MS);
	end_maps(s);
	CHECK_STR(interval_ms(s), "0 50 950");
	cut_at(s, 4 * S, 1);
	feed(s, "@s_past[%" PRId64 "]: (%" PRId64 ", 6, 3250000000, 4000000000, 450000000, 0, 0, 0, 150000000, 1150000000, 0)",
	     key_of(101, 100, 0), key_of(101, 100, 0));
	end_maps(s);
	CHECK_STR(interval_ms(s), "50 0 200");
	cut_at(s, 5 * S, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "-");
	counts_cumulative(s, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	CHECK_INT(rows.n, 1);
	counts_rows_done(&rows);
	counts_free(s);
}

/* Values that were read after the time that they are wanted for: they come from the slot of that time, or not at all. */
static void cuts(void)
{
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	cut_at(s, 2 * S, 1);
	put_time(s, "time[101]", READY, 2 * S + 20 * MS, 700 * MS, 220 * MS); /* first seen at 1.1 s */
	put_time(s, "cut[27762675154944, 1]", RUN, S + 950 * MS, 650 * MS, 200 * MS);
	put_time(s, "cut[27762675154944, 0]", RUN, S + 900 * MS, 650 * MS, 150 * MS); /* of no use for this time */
	end_maps(s);
	CHECK_STR(interval_ms(s), "700 200 0");
	cut_at(s, 3 * S, 0); /* read later than 4 s: the account at 3 s is lost */
	put_time(s, "time[101]", RUN, 4 * S + 20 * MS, 2000 * MS, 920 * MS);
	put_time(s, "cut[27762675154944, 0]", RUN, 4 * S - 1, 1999 * MS, 900 * MS);
	end_maps(s);
	CHECK_STR(interval_ms(s), "-");
	cut_at(s, 4 * S, 1); /* all of it comes with the next interval */
	put_time(s, "time[101]", RUN, 4 * S + 30 * MS, 2010 * MS, 920 * MS);
	put_time(s, "cut[27762675154944, 1]", HOST, 4 * S - 20 * MS, 1980 * MS, 900 * MS);
	end_maps(s);
	CHECK_STR(interval_ms(s), "1280 700 20");
	/* half an old value and half a new one: it does not add up */
	cut_at(s, 5 * S, 0);
	put_time(s, "time[101]", RUN, 4 * S + 40 * MS, 2010 * MS, 920 * MS);
	end_maps(s);
	CHECK_STR(interval_ms(s), "-");
	/* at the end a state began a moment after the last thread was to be counted */
	put_time(s, "time[101]", RUN, 5 * S + 900 * MS, 3000 * MS, 1800 * MS);
	feed(s, "@s_stop: %" PRIu64, 5 * S + 899 * MS);
	counts_finish(s, 0);
	counts_total(s, COUNTS_BY_HOST, 0, &rows);
	CHECK_INT(rows.n, 1);
	CHECK_U64(rows.until_ns, 5 * S + 900 * MS);
	CHECK_U64(counts_wall_ns(&rows.items[0].times), 4800 * MS);
	counts_rows_done(&rows);
	counts_free(s);
}

/* A thread leaves its vCPU for another one and comes back: the time between is not the vCPU's. */
static void leaves(void)
{
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));

	snapshot(s, S);
	cut_at(s, 2 * S, 1);
	put_time(s, "time[101]", RUN, S + 500 * MS, 100 * MS, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "600 0 0");
	cut_at(s, 3 * S, 0); /* away since 2.3 s: the thread is that of another vCPU */
	put_time(s, "past[27762675154944]", NONE, 2 * S + 300 * MS, 900 * MS, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "300 0 0");
	cut_at(s, 4 * S, 1); /* back since 3.6 s */
	put_time(s, "past[27762675154944]", NONE, 2 * S + 300 * MS, 900 * MS, 0);
	put_time(s, "time[101]", RUN, 3 * S + 600 * MS, 900 * MS, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "400 0 0");
	cut_at(s, 5 * S, 0); /* away between this time and when it was read */
	put_time(s, "past[27762675154944]", NONE, 5 * S + 10 * MS, 2310 * MS, 0);
	put_time(s, "cut[27762675154944, 0]", RUN, 3 * S + 600 * MS, 900 * MS, 0);
	end_maps(s);
	CHECK_STR(interval_ms(s), "1000 0 0");
	counts_free(s);
}

/* Tenths of a percent add up, whatever the parts are. */
static void permilles(void)
{
	struct counts_times t = { .ns = { 1, 1, 1, 0, 0, 0 } };
	unsigned int got[COUNTS_STATES], sum;

	counts_permilles(&t, got);
	CHECK_INT(got[0] + got[1] + got[2], 1000);
	CHECK_INT(got[3], 0);
	counts_permilles(&(struct counts_times){ 0 }, got);
	CHECK_INT(got[0], 0);
	/* a sum of more than 64 bits */
	counts_permilles(&(struct counts_times){ .ns = { UINT64_MAX, UINT64_MAX, 0, 0, 0, 0 } }, got);
	CHECK_INT(got[0], 500);
	CHECK_INT(got[1], 500);
	for (int round = 0; round < 1000; round++) {
		sum = 0;
		for (size_t i = 0; i < COUNTS_STATES; i++)
			t.ns[i] = (uint64_t)random() >> (random() % 31) << (random() % 20);
		counts_permilles(&t, got);
		for (size_t i = 0; i < COUNTS_STATES; i++) {
			double exact = 1000.0 * (double)t.ns[i] / (double)counts_wall_ns(&t);

			CHECK(got[i] + 1.001 > exact && got[i] < exact + 1.001);
			sum += got[i];
		}
		CHECK_INT(sum, counts_wall_ns(&t) ? 1000 : 0);
	}
}

/* Beyond 2^53 nothing is rounded. */
static void large(void)
{
	int64_t a = key_of((1 << 22) - 1, (1 << 22) - 1, 65535), n = (INT64_C(1) << 53) + 1;
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	put_n(s, a, 4, n);
	put_n(s, a, 2, INT64_MAX - n);
	snapshot(s, 2 * S);
	counts_interval(s, COUNTS_BY_VM | COUNTS_BY_VCPU | COUNTS_BY_SOURCE, &rows);
	CHECK_INT(rows.n, 2);
	CHECK_INT(rows.items[0].pid, (1 << 22) - 1);
	CHECK_INT(rows.items[0].vcpu, 65535);
	CHECK_U64(rows.items[0].waits, (uint64_t)(INT64_MAX - n));
	CHECK_U64(rows.items[1].waits, 9007199254740993);
	CHECK_U64(counts_attributed(s), INT64_MAX);
	counts_rows_done(&rows);
	counts_free(s);
	CHECK_U64(counts_rate(UINT64_C(184467440737095516), S), UINT64_C(18446744073709551600));
	CHECK_U64(counts_rate(3, 2 * S), 150);
	CHECK_U64(counts_rate(3, 0), 0);
	CHECK_INT(counts_permille(UINT64_MAX - 1, UINT64_MAX), 1000);
	CHECK_INT(counts_permille(1, 3), 333);
	CHECK_INT(counts_permille(5, 3), 1000);
	CHECK_INT(counts_permille(0, 0), 0);
}

static void percentiles(void)
{
	struct counts_halts h = { 0 };

	CHECK_U64(counts_percentile(&h, 50), 0);
	h.buckets[20 - COUNTS_LOG2_FIRST] = 1; /* from 1,048,576 ns */
	h.max_ns = 2000000;
	CHECK_U64(counts_percentile(&h, 50), 1048576 + (2000000 - 1048576) / 2);
	CHECK_U64(counts_percentile(&h, 0), counts_percentile(&h, 100));
	h.buckets[10 - COUNTS_LOG2_FIRST] = 99; /* 1,024 to 2,047 ns */
	CHECK_U64(counts_percentile(&h, 99), 1024 + 1024 * 197 / 198);
	CHECK(counts_percentile(&h, 50) > 1024 && counts_percentile(&h, 50) < 2048);
	CHECK(counts_percentile(&h, 100) >= 1048576 && counts_percentile(&h, 100) <= h.max_ns);
	h = (struct counts_halts){ .buckets = { 5 }, .max_ns = 900 };
	CHECK_U64(counts_percentile(&h, 50), 450); /* the third of five */
	h = (struct counts_halts){ .max_ns = UINT64_C(200) << 36 };
	h.buckets[COUNTS_BUCKETS - 1] = 1;
	CHECK(counts_percentile(&h, 99) >= UINT64_C(1) << 36 && counts_percentile(&h, 99) <= h.max_ns);
	h.max_ns = 0; /* not known */
	CHECK_U64(counts_percentile(&h, 99), UINT64_C(1) << 36);
	h = (struct counts_halts){ .max_ns = 1 };
	h.buckets[3] = INT64_MAX;
	CHECK(counts_percentile(&h, 99) >= UINT64_C(1) << (3 + COUNTS_LOG2_FIRST));
	CHECK_U64(counts_n_halts(&h), INT64_MAX);
}

/* For random ones: within the bucket of the value that has this rank. */
static void percentiles_are_near(void)
{
	for (int round = 0; round < 500; round++) {
		struct counts_halts h = { .max_ns = UINT64_C(1) << 40 };
		uint64_t n = 0, rank, sum = 0;
		unsigned int percent = (unsigned int)unit_random(100) + 1;
		size_t i = 0;

		for (size_t j = 0; j < COUNTS_BUCKETS; j++)
			h.buckets[j] = unit_random(3) ? 0 : unit_random(1000);
		n = counts_n_halts(&h);
		if (!n)
			continue;
		rank = (n * percent + 99) / 100;
		while ((sum += h.buckets[i]) < rank)
			i++;
		CHECK(counts_percentile(&h, percent) >= (i ? UINT64_C(1) << (i + COUNTS_LOG2_FIRST) : 0));
		if (i + 1 < COUNTS_BUCKETS)
			CHECK(counts_percentile(&h, percent) < UINT64_C(1) << (i + COUNTS_LOG2_FIRST + 1));
	}
}

static void many(void)
{
	struct counts *s = counts_new(waits, ARRAY_SIZE(waits));
	struct counts_rows rows;

	snapshot(s, S);
	for (int i = 0; i < 1024; i++)
		for (int b = COUNTS_LOG2_FIRST; b <= COUNTS_LOG2_LAST; b++)
			feed(s, "@s_hist[%" PRId64 ", %d]: 1", key_of(1000 + i, 100 + i / 8, i % 8), b);
	snapshot(s, 2 * S);
	CHECK_INT(counts_keys(s), 1024 * COUNTS_BUCKETS + 1);
	counts_interval(s, COUNTS_BY_VM, &rows);
	CHECK_INT(rows.n, 0); /* buckets alone are no end of a HLT */
	counts_rows_done(&rows);
	counts_cumulative(s, COUNTS_BY_VM, &rows);
	CHECK_INT(rows.n, 128);
	CHECK_INT(rows.items[7].n_vcpus, 8);
	CHECK_U64(counts_n_halts(&rows.items[7].halts), 8 * COUNTS_BUCKETS);
	counts_rows_done(&rows);
	counts_free(s);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "each form of line, and none else", check_lines },
		{ "lines of real maps", real_output },
		{ "rows by VM, vCPU, event and source", groups },
		{ "half a snapshot", half },
		{ "what was counted before the first snapshot", before_first },
		{ "halts that are open", open_halts },
		{ "a vCPU that comes and goes", comes_and_goes },
		{ "times that are read late, and halves of values", cuts },
		{ "a thread that leaves its vCPU", leaves },
		{ "shares that add up", permilles },
		{ "large numbers", large },
		{ "percentiles", percentiles },
		{ "percentiles lie in their bucket", percentiles_are_near },
		{ "1,024 vCPUs", many },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
