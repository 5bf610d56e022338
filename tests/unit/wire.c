// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/wire.c: what is an event, and that nothing else is.
#include "unit.h"

#include "base/memory.h"
#include "record/wire.h"

/* "CPU 0/KVM" and NULs to the 16 bytes of a comm. */
#define COMM_HEX "43505520302f4b564d00000000000000"

/* Parses bytes that nothing stands behind. */
static void parse_n(const char *line, size_t n, struct wire_line *ret)
{
	CLEANUP_FREE char *exact = unit_exact(line, n);

	memset(ret, 0xa5, sizeof(*ret));
	wire_parse(exact, n, ret);
	CHECK(!memcmp(exact, line, n));
}

static enum wire_kind kind_of(const char *line)
{
	struct wire_line l;

	parse_n(line, strlen(line), &l);
	return l.kind;
}

static void event(void)
{
	struct wire_line l;
	static const char line[] = "w 123456789012345 3 4321 4325 7 pv_yield hyperv -1 " COMM_HEX;

	parse_n(line, strlen(line), &l);
	CHECK_INT(l.kind, WIRE_WAIT);
	CHECK_U64(l.record.wait.ts_ns, UINT64_C(123456789012345));
	CHECK_U64(l.record.wait.cpu, 3);
	CHECK_U64(l.record.wait.pid, 4321);
	CHECK_U64(l.record.wait.tid, 4325);
	CHECK_INT(l.record.wait.vcpu, 7);
	CHECK_STR(l.record.wait.event, "pv_yield");
	CHECK_STR(l.record.wait.source, "hyperv");
	CHECK_INT(l.record.wait.target, -1);
	CHECK_STR(l.record.wait.comm, "CPU 0/KVM");
	CHECK(!l.record.wait.vm);
}

static void every_event(void)
{
	static const char *const sources[][2] = {
		{ "ple", "vmx" }, { "ple", "svm" }, { "hlt", "kvm" }, { "pv_yield", "kvm" }, { "pv_yield", "hyperv" }, { "pv_yield", "xen" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		CLEANUP_FREE char *line = xasprintf("w 1 0 2 3 0 %s %s -1 " COMM_HEX, sources[i][0], sources[i][1]);
		struct wire_line l;

		parse_n(line, strlen(line), &l);
		CHECK_INT(l.kind, WIRE_WAIT);
		CHECK_STR(l.record.wait.event, sources[i][0]);
		CHECK_STR(l.record.wait.source, sources[i][1]);
	}
}

static void targets(void)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 },
		{ "-1", -1 },
		{ "255", 255 },
		{ "-9223372036854775808", INT64_MIN },
		{ "9223372036854775807", INT64_MAX },
		{ "9007199254740993", INT64_C(9007199254740993) },
		{ "-9007199254740993", INT64_C(-9007199254740993) },
	};
	static const char *const bad[] = {
		"9223372036854775808", "-9223372036854775809", "18446744073709551615", "99999999999999999999", "-", "--1", "+1", "1.0",
		"0x1", "1e3", "", "a", "1,000",
	};
	struct wire_line l;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		CLEANUP_FREE char *line = xasprintf("w 1 2 3 4 5 pv_yield kvm %s " COMM_HEX, good[i].text);

		parse_n(line, strlen(line), &l);
		CHECK_INT(l.kind, WIRE_WAIT);
		CHECK_INT(l.record.wait.target, good[i].value);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *line = xasprintf("w 1 2 3 4 5 pv_yield kvm %s " COMM_HEX, bad[i]);

		CHECK_INT(kind_of(line), WIRE_MALFORMED);
	}
}

static void number_limits(void)
{
	struct wire_line l;
	static const char most[] = "w 9223372036854775807 4294967295 4294967295 4294967295 9223372036854775807 hlt kvm -1 " COMM_HEX;

	parse_n(most, strlen(most), &l);
	CHECK_INT(l.kind, WIRE_WAIT);
	CHECK_U64(l.record.wait.ts_ns, INT64_MAX);
	CHECK_U64(l.record.wait.cpu, UINT32_MAX);
	CHECK_U64(l.record.wait.pid, UINT32_MAX);
	CHECK_U64(l.record.wait.tid, UINT32_MAX);
	CHECK_INT(l.record.wait.vcpu, INT64_MAX);
	/* a number that no JSON integer holds, and a vCPU that cannot be */
	CHECK_INT(kind_of("w 9223372036854775808 2 3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 3 4 -1 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 18446744073709551616 2 3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 4294967296 3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 4294967296 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 3 4294967296 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 3 4 9223372036854775808 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w -1 2 3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 -2 3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 -3 4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
	CHECK_INT(kind_of("w 1 2 3 -4 5 hlt kvm -1 " COMM_HEX), WIRE_MALFORMED);
}

static void malformed_events(void)
{
	static const char *const lines[] = {
		"w ",
		"w  1 2 3 4 5 hlt kvm -1 " COMM_HEX,
		"w 1  2 3 4 5 hlt kvm -1 " COMM_HEX,
		"w 1\t2 3 4 5 hlt kvm -1 " COMM_HEX,
		"w 1 2 3 4 hlt kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 6 hlt kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt kvm " COMM_HEX,
		"w 1 2 3 4 5 hlt kvm -1",
		"w 1 2 3 4 5 hlt kvm -1 ",
		"w 1x 2 3 4 5 hlt kvm -1 " COMM_HEX,
		/* events that are none */
		"w 1 2 3 4 5 halt kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 HLT kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 hl kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 hltt kvm -1 " COMM_HEX,
		"w 1 2 3 4 5  kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 pv_yield_pv_yield_pv_yield kvm -1 " COMM_HEX,
		"w 1 2 3 4 5 pv-yield kvm -1 " COMM_HEX,
		/* sources that are no names */
		"w 1 2 3 4 5 hlt  -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt KVM -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt kv,m -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt \"kvm\" -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt kv\xc3\xbc -1 " COMM_HEX,
		"w 1 2 3 4 5 hlt abcdefghijklmnop -1 " COMM_HEX,
		/* comms that are not 16 bytes in hex */
		"w 1 2 3 4 5 hlt kvm -1 " COMM_HEX "00",
		"w 1 2 3 4 5 hlt kvm -1 " COMM_HEX "0",
		"w 1 2 3 4 5 hlt kvm -1 " COMM_HEX " ",
		"w 1 2 3 4 5 hlt kvm -1 " COMM_HEX "\r",
		"w 1 2 3 4 5 hlt kvm -1 " COMM_HEX " x",
		"w 1 2 3 4 5 hlt kvm -1  " COMM_HEX,
		"w 1 2 3 4 5 hlt kvm -1 43505520302f4b564d0000000000000",
		"w 1 2 3 4 5 hlt kvm -1 4g5055203020304b564d000000000000",
		"w 1 2 3 4 5 hlt kvm -1 43505520302030g4564d000000000000",
		"w 1 2 3 4 5 hlt kvm -1 -3505520302030404b564d0000000000",
		"w 1 2 3 4 5 hlt kvm -1 CPU 0/KVM",
		"w 1 2 3 4 5 hlt kvm -1 43 50  55 20 30 20 30 4b 56 4d 00 00 00 00 00 00",
		"w 1 2 3 4 5 hlt kvm -1 4 350 55 20 30 20 30 4b 56 4d 00 00 00 00 00 00",
		/* two lines in one, as a torn write makes them */
		"w 1 2 3 4 5 hlt kvm -1 435055w 2 2 3 4 5 hlt kvm -1 " COMM_HEX,
		"w 1 2 w 1 2 3 4 5 hlt kvm -1 " COMM_HEX,
		"w w 1 2 3 4 5 hlt kvm -1 " COMM_HEX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (kind_of(lines[i]) != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "not malformed: <%s>", lines[i]);
}

/* A NUL is a byte like any other, in no field allowed. */
static void nul_bytes(void)
{
	static const char line[] = "w 12 34 56 78 9 hlt kvm -1 " COMM_HEX;
	size_t n = strlen(line);
	struct wire_line l;

	for (size_t i = 2; i < n; i++) {
		CLEANUP_FREE char *copy = unit_exact(line, n);

		copy[i] = '\0';
		parse_n(copy, n, &l);
		if (l.kind != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "a NUL as byte %zu makes an event", i);
	}
	/* and none is let in beside the bytes of a name */
	for (size_t i = 2; i <= n; i++) {
		CLEANUP_FREE char *copy = xcalloc(n + 1, 1);

		memcpy(copy, line, i);
		memcpy(copy + i + 1, line + i, n - i);
		parse_n(copy, n + 1, &l);
		if (l.kind != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "a NUL put in at byte %zu makes an event", i);
	}
	/* nor into the name of a script or part, which would end there */
	parse_n("kvmwait-wire 1 a\0b.bt", 21, &l);
	CHECK_INT(l.kind, WIRE_MALFORMED);
	parse_n("kvmwait-part \0", 14, &l);
	CHECK_INT(l.kind, WIRE_MALFORMED);
}

static void truncated_events(void)
{
	static const char *const lines[] = {
		("w 123456789 3 4321 4325 7 pv_yield hyperv -9223372036854775808 " COMM_HEX),
		"w 1 2 3 4 5 hlt kvm -1 43 50 55 20 30 20 30 4b 56 4d 00 00 00 00 00 00",
		"w 1 2 3 4 5 hlt kvm -1 564b2f3020555043:4d.",
	};
	struct wire_line l;

	for (size_t k = 0; k < ARRAY_SIZE(lines); k++) {
		size_t n = strlen(lines[k]);

		CHECK_INT(kind_of(lines[k]), WIRE_WAIT);
		for (size_t i = 0; i < n; i++) {
			parse_n(lines[k], i, &l);
			if (l.kind != (i < 2 ? WIRE_NOTHING : WIRE_MALFORMED))
				unit_fail(__FILE__, __LINE__, "the first %zu bytes are taken for kind %d", i, l.kind);
		}
		for (size_t i = 1; i < n; i++) { /* without its head */
			parse_n(lines[k] + i, n - i, &l);
			if (l.kind != WIRE_NOTHING)
				unit_fail(__FILE__, __LINE__, "without the first %zu bytes it is taken for kind %d", i, l.kind);
		}
	}
}

/* Any byte may stand in a comm, up to its NUL and behind it. */
static void comm_bytes(void)
{
	for (unsigned int byte = 0; byte < 256; byte++) {
		CLEANUP_FREE char *packed = xasprintf("w 1 2 3 4 5 hlt kvm -1 61%02x62000000000000000000000000%02x", byte, byte);
		struct wire_line l;

		parse_n(packed, strlen(packed), &l);
		CHECK_INT(l.kind, WIRE_WAIT);
		CHECK_INT((unsigned char)l.record.wait.comm[0], 'a');
		CHECK_INT((unsigned char)l.record.wait.comm[1], byte);
		CHECK_INT((unsigned char)l.record.wait.comm[2], 'b');
		CHECK_INT((unsigned char)l.record.wait.comm[15], byte);
		CHECK_INT(l.record.wait.comm[16], 0);
	}
}

/* As two numbers of 64 bits, each as it lies in memory: "CPU 0/KV" and "M". Whichever form a thread had before. */
static void comm_numbers(void)
{
	static const struct {
		const char *text, *comm; /* NULL: malformed */
	} forms[] = {
		{ "564b2f3020555043:4d.", "CPU 0/KVM" },
		{ "564b2f3020555043:4D.", "CPU 0/KVM" },
		{ "43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00", "CPU 0/KVM" },
		{ "4350552030 2f4b564d 00000000000000", "CPU 0/KVM" },
		{ "0:0.", "" },
		{ "61:62.", "a" }, /* up to its NUL */
		{ "6262626262626261:6464646464646463.", "abbbbbbbcddddddd" },
		{ "ffffffffffffffff:ffffffffffffffff.", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" },
		/* cut short, among others */
		{ "564b2f3020555043:4d", NULL }, { "564b2f3020555043:", NULL }, { "564b2f3020555043", NULL }, { "564b2f3020555043.", NULL },
		{ ":.", NULL }, { ".", NULL }, { "1:.", NULL }, { ":1.", NULL }, { "1:2:3.", NULL }, { "1 :2.", NULL }, { "1: 2.", NULL },
		{ "g:1.", NULL }, { "1:x.", NULL }, { "11112222333344445:1.", NULL }, { "1:11112222333344445.", NULL }, { "-1:1.", NULL },
		{ "0x1:1.", NULL }, { "1:1. ", NULL }, { "1:1..", NULL }, { "0000000000000000000000000000000000000000000000:1.", NULL },
	};

	for (int round = 0; round < 2; round++) { /* known, the second time */
		for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
			CLEANUP_FREE char *text = xasprintf("w 1 0 77 78 0 pv_yield kvm -1 %s", forms[i].text);
			struct wire_line l;

			parse_n(text, strlen(text), &l);
			if (l.kind != (forms[i].comm ? WIRE_WAIT : WIRE_MALFORMED))
				unit_fail(__FILE__, __LINE__, "<%s> is taken for kind %d", text, l.kind);
			if (forms[i].comm)
				CHECK_STR(l.record.wait.comm, forms[i].comm);
		}
	}
}

/* bpftrace writes "%rh" as "61 62" or "6162", small or capital. */
static void comm_forms(void)
{
	static const char *const forms[] = {
		"61 0a 22 20 7f ff 5c 00 00 00 00 00 00 00 00 00",
		"610a22207fff5c000000000000000000",
		"610A22207FFF5C000000000000000000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		CLEANUP_FREE char *line = xasprintf("w 1 2 3 4 5 hlt kvm -1 %s", forms[i]);
		struct wire_line l;

		parse_n(line, strlen(line), &l);
		CHECK_INT(l.kind, WIRE_WAIT);
		CHECK_STR(l.record.wait.comm, "a\n\" \x7f\xff\\");
	}
}

static void counted(void)
{
	static const char *const bad[] = {
		"@counted: 0", "@counted: ", "@counted: -1", "@counted: 1 ", "@counted: 1 2", "@counted: 1x", "@counted: 1.5", "@counted:  1",
		"@counted: 18446744073709551616", "@counted: 1\r",
	};
	static const char *const nothing[] = { "@counted", "@counted:", "@counted:1", "@counted[1]: 2", "@counted2: 1", " @counted: 1",
					       "counted: 1", "@COUNTED: 1", "@count: 1" };
	struct wire_line l;

	parse_n("@counted: 1", 11, &l);
	CHECK_INT(l.kind, WIRE_COUNTED);
	CHECK_U64(l.number, 0); /* the first line is counted as well */
	parse_n("@counted: 2", 11, &l);
	CHECK_INT(l.kind, WIRE_COUNTED);
	CHECK_U64(l.number, 1);
	parse_n("@counted: 18446744073709551615", 30, &l);
	CHECK_INT(l.kind, WIRE_COUNTED);
	CHECK_U64(l.number, UINT64_MAX - 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (kind_of(bad[i]) != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "not malformed: <%s>", bad[i]);
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		if (kind_of(nothing[i]) != WIRE_NOTHING)
			unit_fail(__FILE__, __LINE__, "not nothing: <%s>", nothing[i]);
}

static void begin(void)
{
	static const char *const bad[] = {
		"kvmwait-wire ", "kvmwait-wire 1", "kvmwait-wire 1 ", "kvmwait-wire 2 x86-5.17", "kvmwait-wire 0 x86-5.17",
		"kvmwait-wire 11 x86-5.17", "kvmwait-wire x86-5.17", "kvmwait-wire -1 x", "kvmwait-wire 1x86",
		"kvmwait-wire 18446744073709551617 x",
		"kvmwait-wire 1 0123456789012345678901234567890123456789012345678901234567890123",
	};
	static const char line[] = "kvmwait-wire 1 x86-5.17";
	static const char longest[] = "kvmwait-wire 1 012345678901234567890123456789012345678901234567890123456789012";
	struct wire_line l;

	parse_n(line, strlen(line), &l);
	CHECK_INT(l.kind, WIRE_BEGIN);
	CHECK_STR(l.name, "x86-5.17");
	parse_n(longest, strlen(longest), &l);
	CHECK_INT(l.kind, WIRE_BEGIN);
	CHECK_STR(l.name, longest + 15);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (kind_of(bad[i]) != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "not malformed: <%s>", bad[i]);
	for (size_t i = 0; i < 13; i++) {
		parse_n(line, i, &l);
		CHECK_INT(l.kind, WIRE_NOTHING);
	}
	CHECK_INT(kind_of("kvmwait-wirex 1 x86-5.17"), WIRE_NOTHING);
	CHECK_INT(kind_of(" kvmwait-wire 1 x86-5.17"), WIRE_NOTHING);
}

static void lost(void)
{
	static const struct {
		const char *line;
		uint64_t n;
	} good[] = {
		{ "Lost 42 events", 42 },
		{ "WARNING: Lost 42 events", 42 },
		{ "Lost 1 events", 1 },
		{ "Lost 0 events", 0 },
		{ "Lost 18446744073709551615 events", UINT64_MAX },
	};
	static const char *const nothing[] = {
		"Lost events", "Lost  42 events", "Lost x events", "Lost -1 events", "Lost 42", "Lost 42 ", "Lost 42event", "Lost 42 event",
		"lost 42 events", " Lost 42 events", "Lost 18446744073709551616 events", "WARNING: lost", "WARNING: ", "WARNING: WARNING: Lost 42 events",
	};
	struct wire_line l;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		parse_n(good[i].line, strlen(good[i].line), &l);
		CHECK_INT(l.kind, WIRE_LOST);
		CHECK_U64(l.number, good[i].n);
	}
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		if (kind_of(nothing[i]) != WIRE_NOTHING)
			unit_fail(__FILE__, __LINE__, "not nothing: <%s>", nothing[i]);
	for (size_t i = 0; i < strlen(good[1].line); i++) {
		parse_n(good[1].line, i, &l);
		CHECK_INT(l.kind, WIRE_NOTHING);
	}
}

static void talk(void)
{
	static const char *const lines[] = {
		"", " ", "#", "# TIME(ns) CPU PID TID VCPU EVENT SOURCE TARGET COMM(hex)", "Attaching 6 probes...", "Attached 6 probes", "w",
		"W 1 2 3 4 5 hlt kvm -1 " COMM_HEX, "ww 1 2 3 4 5 hlt kvm -1 " COMM_HEX, " w 1 2 3 4 5 hlt kvm -1 " COMM_HEX,
		"#w 1 2 3 4 5 hlt kvm -1 " COMM_HEX, "w\t1 2 3 4 5 hlt kvm -1 " COMM_HEX, "warning: w 1 2", "wait 1",
		"{\"type\":\"wait\"}", "@", "@halt[12]: 3", "WARNING: could not attach", "\xff\xfe",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (kind_of(lines[i]) != WIRE_NOTHING)
			unit_fail(__FILE__, __LINE__, "not nothing: <%s>", lines[i]);
}

/* A valid line with one byte changed is either malformed or says exactly what it says. */
static void changed_bytes(void)
{
	static const char line[] = "w 12 34 56 78 9 hlt kvm 77 " COMM_HEX;
	size_t n = strlen(line), n_events = 0;

	for (size_t i = 2; i < n; i++) {
		for (unsigned int byte = 0; byte < 256; byte++) {
			CLEANUP_FREE char *copy = unit_exact(line, n);
			CLEANUP_FREE char *again = NULL;
			struct wire_line l;
			char comm[33];

			copy[i] = (char)byte;
			parse_n(copy, n, &l);
			if (l.kind == WIRE_MALFORMED)
				continue;
			CHECK_INT(l.kind, WIRE_WAIT);
			for (size_t k = 0; k < 16; k++)
				snprintf(comm + 2 * k, 3, "%02x", (unsigned char)l.record.wait.comm[k]);
			again = xasprintf("w %02" PRIu64 " %02" PRIu32 " %02" PRIu32 " %02" PRIu32 " %" PRId64 " %s %s %02" PRId64 " %s",
					  l.record.wait.ts_ns, l.record.wait.cpu, l.record.wait.pid, l.record.wait.tid, l.record.wait.vcpu, l.record.wait.event, l.record.wait.source,
					  l.record.wait.target, comm);
			n_events++;
			if (n != strlen(again) || strncasecmp(again, copy, n))
				unit_fail(__FILE__, __LINE__, "<%.*s> is read as <%s>", (int)n, copy, again);
		}
	}
	CHECK(n_events > n); /* each byte as it stands, and the digits that may change */
}

/* An outcome: thirteen numbers and how it ended. */
static void outcome(void)
{
	static const char line[] = "o 12 5 1 2 3 4 user 2 6 -1 0 7 3 9";
	struct wire_line l;

	parse_n(line, strlen(line), &l);
	CHECK_INT(l.kind, WIRE_OUTCOME);
	CHECK_INT(l.record.type, RECORD_OUTCOME);
	CHECK_U64(l.record.ts_ns, 12);
	CHECK_U64(l.record.outcome.wait_ns, 5);
	CHECK_U64(l.record.outcome.cpu, 1);
	CHECK_U64(l.record.outcome.pid, 2);
	CHECK_U64(l.record.outcome.tid, 3);
	CHECK_INT(l.record.outcome.vcpu, 4);
	CHECK_INT(l.record.outcome.end, OUTCOME_USER);
	CHECK_INT(l.record.outcome.halt, HALT_BLOCKED);
	CHECK_U64(l.record.outcome.halt_ns, 6);
	CHECK_INT(l.record.outcome.boosted, -1);
	CHECK_U64(l.record.outcome.boosted_tid, 0);
	CHECK_U64(l.record.outcome.off_ns, 7);
	CHECK_U64(l.record.outcome.ready_ns, 3);
	CHECK_U64(l.record.outcome.cpu_before, 9);
	CHECK_STR(l.record.outcome.event, "");
	CHECK_INT(kind_of("o 12 12 1 2 3 4 run 0 0 5 77 0 0 0"), WIRE_OUTCOME);
	CHECK_INT(kind_of("o 12 5 1 2 3 4 gone 1 6 -1 0 7 3 9"), WIRE_OUTCOME);
}

static void malformed_outcomes(void)
{
	static const char *const lines[] = {
		"o ",
		"o 12 5 1 2 3 4 unseen 2 6 -1 0 7 3 9", /* an end that no script can see */
		"o 12 5 1 2 3 4 ran 2 6 -1 0 7 3 9",
		"o 12 5 1 2 3 4 2 6 -1 0 7 3 9",
		"o 12 13 1 2 3 4 run 2 6 -1 0 7 3 9", /* over before it began */
		"o 12 5 1 2 3 -4 run 2 6 -1 0 7 3 9",
		"o 12 5 1 2 3 4 run 3 6 -1 0 7 3 9", /* no kind of halt */
		"o 12 5 1 2 3 4 run 2 -6 -1 0 7 3 9",
		"o 12 5 1 2 3 4 run 2 6 -2 0 7 3 9", /* no vCPU, and not "none" */
		"o 12 5 1 2 3 4 run 2 6 -1 0 7 3",
		"o 12 5 1 2 3 4 run 2 6 -1 0 7 3 ",
		"o 12 5 1 2 3 4 run 2 6 -1 0 7 3 9 ",
		"o 12 5 1 2 3 4 run 2 6 -1 0 7 3 9 1",
		"o 12 5 1 2 3 4 run 2 6 -1 0 7 3 4294967296",
		"o 9223372036854775808 5 1 2 3 4 run 2 6 -1 0 7 3 9",
		"o 12 5 1 2 3 4 run 2 9223372036854775808 -1 0 7 3 9",
		("o 12 5 w 1 2 3 4 5 hlt kvm -1 " COMM_HEX),
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		if (kind_of(lines[i]) != WIRE_MALFORMED)
			unit_fail(__FILE__, __LINE__, "not malformed: <%s>", lines[i]);
}

/* A frame: a tab, an address, and whatever bpftrace makes of it. */
static void frame(void)
{
	struct wire_line l;

	parse_n("\tffffffffc0a1b2c3 kvm_vcpu_on_spin+5", 37, &l);
	CHECK_INT(l.kind, WIRE_FRAME);
	CHECK_U64(l.number, UINT64_C(0xffffffffc0a1b2c3));
	CHECK_INT(kind_of("\tffffffffc0a1b2c3"), WIRE_FRAME);
	CHECK_INT(kind_of("\tffffffffc0a1b2c3 kvm_vcpu_on_spin [kvm]+5"), WIRE_FRAME);
	CHECK_INT(kind_of("\tffffffffffffffff0 x"), WIRE_NOTHING);
	CHECK_INT(kind_of("\tffff x"), WIRE_NOTHING);
	CHECK_INT(kind_of("\tffffffffc0a1b2c3x"), WIRE_NOTHING);
	CHECK_INT(kind_of("ffffffffc0a1b2c3 x"), WIRE_NOTHING);
}

static void part(void)
{
	struct wire_line l;

	parse_n("kvmwait-part outcome", 20, &l);
	CHECK_INT(l.kind, WIRE_PART);
	CHECK_STR(l.name, "outcome");
	CHECK_INT(kind_of("kvmwait-part "), WIRE_MALFORMED);
}

#define COMM_SPACED "43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00"

/* Lines that differ in one place are not mixed up, in whatever order they come. */
static void known_lines(void)
{
	static const struct {
		const char *line;
		uint32_t pid, tid;
		int64_t vcpu, target;
		const char *event;
	} lines[] = {
		{ "w 1 0 4100 4105 0 hlt kvm -1 " COMM_SPACED, 4100, 4105, 0, -1, "hlt" },
		{ "w 2 0 4100 4105 0 hlt kvm 77 " COMM_SPACED, 4100, 4105, 0, 77, "hlt" },
		{ "w 3 0 4100 4105 0 ple kvm 77 " COMM_SPACED, 4100, 4105, 0, 77, "ple" },
		{ "w 4 0 4100 4106 0 hlt kvm -1 " COMM_SPACED, 4100, 4106, 0, -1, "hlt" },
		{ "w 5 0 4101 4105 0 hlt kvm -1 " COMM_SPACED, 4101, 4105, 0, -1, "hlt" },
		{ "w 6 0 4100 4105 1 hlt kvm -1 " COMM_SPACED, 4100, 4105, 1, -1, "hlt" },
		{ "w 7 0 4100 41050 0 hlt kvm -1 " COMM_HEX, 4100, 41050, 0, -1, "hlt" },
		{ "w 8 0 4100 7 0 hlt kvm -1 " COMM_HEX, 4100, 7, 0, -1, "hlt" },
		{ "w 9 0 4100 8 0 hlt kvm -1 " COMM_HEX, 4100, 8, 0, -1, "hlt" },
		{ "w 9 0 4100 8 10 hlt kvm 1 " COMM_HEX, 4100, 8, 10, 1, "hlt" },
		{ "w 9 0 4100 9 10 hlt kvm 1 " COMM_HEX, 4100, 9, 10, 1, "hlt" },
	};
	static const char *const bad[] = {
		"w 1 0 4100 4105 0 hlt kvm  " COMM_SPACED,		"w 1 0 4100 4105 0 hlt kvm - " COMM_SPACED,
		"w 1 0 4100 4105 0 hlt kvm -1  " COMM_SPACED,		"w 1 0 4100 4105 0 hlt kvm  -1 " COMM_SPACED,
		"w 1 0 4100 4105 0 hlt kvm 9223372036854775808 " COMM_SPACED, "w 1 0 4100 4105 0 hlt kvm -1" COMM_SPACED,
		"w 1 4100 4105 0 hlt kvm -1 " COMM_SPACED,		"w 9223372036854775808 0 4100 4105 0 hlt kvm -1 " COMM_SPACED,
	};

	for (size_t round = 0; round < 3; round++)
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
			struct wire_line l;

			parse_n(lines[i].line, strlen(lines[i].line), &l);
			CHECK_INT(l.kind, WIRE_WAIT);
			CHECK_U64(l.record.wait.ts_ns, (uint64_t)(lines[i].line[2] - '0'));
			CHECK_U64(l.record.wait.pid, lines[i].pid);
			CHECK_U64(l.record.wait.tid, lines[i].tid);
			CHECK_INT(l.record.wait.vcpu, lines[i].vcpu);
			CHECK_INT(l.record.wait.target, lines[i].target);
			CHECK_STR(l.record.wait.event, lines[i].event);
			CHECK_STR(l.record.wait.comm, "CPU 0/KVM");
		}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(kind_of(bad[i]), WIRE_MALFORMED);
}

/* A vCPU that is destroyed, with one counter or more. */
static void audit(void)
{
	static const char *const bad[] = { "a ", "a 1", "a 1 2 3", "a 1 2 3 ", "a 1 2 3 x", "a 1 2 3 4 ", "a 1 2 4294967296 4",
					   "a 9223372036854775808 2 3 4", "a 1 2 3 1 2 3 4 5", "a -1 2 3 4" };
	static const char line[] = "a 17 4100 3 18446744073709551615 0";
	struct wire_line l;

	parse_n(line, strlen(line), &l);
	CHECK_INT(l.kind, WIRE_AUDIT);
	CHECK_U64(l.audit.ts_ns, 17);
	CHECK_U64(l.audit.pid, 4100);
	CHECK_U64(l.audit.n_vcpus, 3);
	CHECK_U64(l.audit.n_values, 2);
	CHECK_U64(l.audit.values[0], UINT64_MAX);
	CHECK_U64(l.audit.values[1], 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_INT(kind_of(bad[i]), WIRE_MALFORMED);
	CHECK(wire_is_counted("a 1", 3));
	CHECK(!wire_is_counted("a", 1));
}

static void guest_place(void)
{
	static const struct {
		const char *tail;
		uint64_t ip;
		unsigned int known;
	} good[] = {
		{ "@ffffffff8100123a:7@", UINT64_C(0xffffffff8100123a), GUEST_IP | GUEST_MODE | GUEST_KERNEL },
		{ "@7f0000001234:3@", UINT64_C(0x7f0000001234), GUEST_IP | GUEST_MODE },
		{ "@8044:1@", 0x8044, GUEST_IP },
		{ "@0:6@", 0, GUEST_MODE | GUEST_KERNEL },
		{ "@0:0@", 0, 0 },
	};
	static const char *const bad[] = {
		"@", "@@", "@:7@", "@0:@", "@0:8@", "@0:4@", "@0:5@", "@0:17@", "@g:7@", "@ 0:7@", "@-1:7@", "@0x1:7@", "0:7@", "@0:7@@",
		"@11111111111111111:7@", " @0:7@ ",
	};
	static const char *const comms[] = { COMM_HEX, "2f30205550430000:4d564b.", "43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(comms); j++) {
			CLEANUP_FREE char *line = xasprintf("w 1 0 2 3 0 ple svm -1 %s%s", comms[j], good[i].tail);
			struct wire_line l;

			parse_n(line, strlen(line), &l);
			CHECK_INT(l.kind, WIRE_WAIT);
			CHECK_U64(l.record.wait.guest.ip, good[i].ip);
			CHECK_U64(l.record.wait.guest.known, good[i].known);
			CHECK(!l.record.wait.guest.symbol);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CLEANUP_FREE char *line = xasprintf("w 1 0 2 3 0 ple svm -1 " COMM_HEX "%s", bad[i]);

		CHECK_INT(kind_of(line), WIRE_MALFORMED);
	}
}

static void no_guest_place(void)
{
	struct wire_line l;
	static const char line[] = "w 1 0 2 3 0 ple svm -1 " COMM_HEX;

	parse_n(line, strlen(line), &l);
	CHECK_INT(l.kind, WIRE_WAIT);
	CHECK_U64(l.record.wait.guest.known, 0);
	CHECK_U64(l.record.wait.guest.ip, 0);
	CHECK(!l.record.wait.guest.symbol);
}

static const struct unit_test tests[] = {
	{ "guest_place", guest_place },
	{ "no_guest_place", no_guest_place },
	{ "audit", audit },
	{ "known_lines", known_lines },
	{ "outcome", outcome },
	{ "malformed_outcomes", malformed_outcomes },
	{ "frame", frame },
	{ "part", part },
	{ "event", event },
	{ "every_event", every_event },
	{ "targets", targets },
	{ "number_limits", number_limits },
	{ "malformed_events", malformed_events },
	{ "nul_bytes", nul_bytes },
	{ "truncated_events", truncated_events },
	{ "comm_bytes", comm_bytes },
	{ "comm_forms", comm_forms },
	{ "comm_numbers", comm_numbers },
	{ "counted", counted },
	{ "begin", begin },
	{ "lost", lost },
	{ "talk", talk },
	{ "changed_bytes", changed_bytes },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
