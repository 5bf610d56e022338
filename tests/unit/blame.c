// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/blame.c on streams as blame.part prints them: whom it blames, for how long, and what it leaves open.
#include "unit.h"

#include "base/text.h"
#include "ledger/blame.h"
#include "record/order.h"
#include "record/wire.h"

#define HEX(a, b, c) #a " " #b " " #c " 00 00 00 00 00 00 00 00 00 00 00 00 00"
#define COMM_CPU HEX(43, 50, 55) /* CPU */
#define COMM_HOG HEX(68, 6f, 67) /* hog */
#define COMM_OLD HEX(6f, 6c, 64) /* old */
#define COMM_NIL HEX(00, 00, 00)

/* VM 10 with threads 100 and 101 on its vCPUs 0 and 1, on CPUs 0 and 1. */
#define VM_10                           \
	"u 1000 0 0 10 100 0 2 " COMM_CPU \
	"\n"                            \
	"u 1000 0 1 10 101 1 2 " COMM_CPU "\n"
/* VM 20 likewise, with threads 200 and 201. */
#define VM_20                           \
	"u 1100 0 0 20 200 0 2 " COMM_CPU \
	"\n"                            \
	"u 1100 0 1 20 201 1 2 " COMM_CPU "\n"
#define SPIN(ts, cpu, pid, tid, vcpu) "w " #ts " " #cpu " " #pid " " #tid " " #vcpu " ple svm -1 " COMM_CPU "\n"
#define YIELD(ts, cpu, pid, tid, vcpu, target) \
	"w " #ts " " #cpu " " #pid " " #tid " " #vcpu " pv_yield kvm " #target " " COMM_CPU "\n"
#define SWITCH(ts, cpu, pid, tid, state, next, comm) \
	"s " #ts " 0 " #cpu " " #pid " " #tid " " #state " " #next " " comm "\n"
#define READY(ts, tid, cpu, now, live) "r " #ts " 0 9 " #tid " " #cpu " " #now " " #live "\n"
#define GONE(ts, cpu, pid, tid) "g " #ts " 0 " #cpu " " #pid " " #tid "\n"

/* The threads that are still there when they are looked for. */
static bool look(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm)
{
	static const struct {
		uint32_t tid, tgid;
		const char *comm;
	} threads[] = { { 500, 500, "hog" }, { 600, 600, "old" }, { 700, 700, "old" }, { 900, 899, "found" } };

	(void)context;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		if (threads[i].tid != tid)
			continue;
		*ret_tgid = threads[i].tgid;
		strcpy(ret_comm, threads[i].comm);
		return true;
	}
	return false;
}

static void drain(struct blame *b, struct order *o)
{
	struct record r;

	while (order_pop(o, UINT64_MAX, &r))
		blame_take(b, &r);
}

/* Takes lines as they would be read; "blind TS" and "sight TS" stand for the marks of a loss, which are no lines. */
static void play(struct blame *b, const char *text)
{
	struct order o;

	order_init(&o);
	while (*text) {
		size_t n = strcspn(text, "\n");
		struct wire_line wire;

		wire_parse(text, n, &wire);
		if (starts_with(text, "blind ") || starts_with(text, "sight ")) {
			order_push(&o, &(struct record){ .type = RECORD_SCHED, .sched = { .ts_ns = strtoull(text + 6, NULL, 10),
				.kind = *text == 'b' ? SCHED_BLIND : SCHED_SIGHT } });
		} else {
			if (wire.kind != WIRE_WAIT && wire.kind != WIRE_SCHED)
				unit_fail(__FILE__, __LINE__, "not a line: %.*s", (int)n, text);
			order_push(&o, &wire.record);
		}
		text += n + (text[n] == '\n');
	}
	drain(b, &o);
	order_done(&o);
}

/* Rows of spins: "VM/VCPU KIND CULPRIT SPINS NS[ TARGETED], ..."; and "VM: SPINS BLAMED UNBLAMED UNKNOWN, ..." */
static char *rows_text(struct blame *b)
{
	CLEANUP_FREE const struct blame_row **rows = NULL;
	char *text = NULL;
	size_t size, n = blame_list(b, &rows);
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++) {
		const struct blame_row *r = rows[i];

		if (!r->spins && !r->spun_ns)
			continue;
		fprintf(f, "%s%" PRIu32 "/%" PRId64 " %s ", ftell(f) > 0 ? ", " : "", r->vm->tgid, r->vcpu, culprit_names[r->kind]);
		if (r->culprit_vm)
			fprintf(f, "%" PRIu32 "/%" PRId64, r->culprit_vm->tgid, r->culprit_vcpu);
		else
			fprintf(f, "%s:%" PRIu32, r->comm, r->tid);
		fprintf(f, " %" PRIu64 " %" PRIu64, r->spins, r->spun_ns);
		if (r->targeted)
			fprintf(f, " %" PRIu64, r->targeted);
	}
	fclose(f);
	return text;
}

static char *vms_text(const struct blame *b)
{
	CLEANUP_FREE const struct blame_vm **vms = NULL;
	char *text = NULL;
	size_t size, n = blame_vms(b, &vms);
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%" PRIu32 ": %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, i ? ", " : "", vms[i]->tgid, vms[i]->spins,
			vms[i]->blamed, vms[i]->unblamed, vms[i]->unknown);
	fclose(f);
	return text;
}

#define CHECK_BLAME(b, rows, vms)                                \
	do {                                                     \
		CLEANUP_FREE char *rows_are = rows_text(b);      \
		CLEANUP_FREE char *vms_are = vms_text(b);        \
		CHECK_STR(rows_are, rows);                       \
		CHECK_STR(vms_are, vms);                         \
	} while (0)

static void check(const char *text, const char *rows, const char *vms)
{
	struct blame *b = blame_new(look, NULL, NULL, NULL);

	play(b, text);
	CHECK_BLAME(b, rows, vms);
	blame_free(b);
}

/* ---- who ---- */

static void nobody(void)
{
	check(VM_10 SPIN(2000, 0, 10, 100, 0) SPIN(3000, 0, 10, 100, 0), "", "10: 2 0 2 0");
	/* blocked, then woken and running again */
	check(VM_10 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) SPIN(2000, 0, 10, 100, 0) READY(2500, 101, 1, 1, 1)
	      SWITCH(2600, 1, 0, 0, 0, 101, COMM_NIL) SPIN(3000, 0, 10, 100, 0), "", "10: 2 0 2 0");
	check("", "", "");
	check(VM_10, "", "");
}

static void a_thread_of_the_host(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SPIN(2700, 0, 10, 100, 0)
	      SWITCH(4000, 1, 500, 500, 0, 101, COMM_HOG) SPIN(5000, 0, 10, 100, 0),
	      "10/1 host hog:500 2 700", "10: 3 2 1 0");
}

static void a_vcpu_of_another_vm(void)
{
	/* both VMs have vCPUs 0 and 1; the one of VM 20 spins on its sibling as well, which waits for a CPU too */
	check(VM_10 VM_20 SWITCH(1500, 1, 20, 201, 0, 101, COMM_CPU) SWITCH(1600, 1, 10, 101, 0, 201, COMM_CPU)
	      SWITCH(1700, 0, 20, 200, 0, 100, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SPIN(2100, 0, 10, 100, 0)
	      SPIN(2200, 1, 20, 201, 1),
	      "10/1 vcpu 20/1 2 100, 20/0 vcpu 10/0 1 0", "10: 2 2 0 0, 20: 1 1 0 0");
}

static void the_spinner_itself(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 0, 100, COMM_CPU) SPIN(2000, 1, 10, 100, 0) SPIN(2400, 1, 10, 100, 0),
	      "10/1 self 10/0 2 400", "10: 2 2 0 0");
}

/* For the one that spins it is itself, for the other one a sibling. */
static void a_third_vcpu(void)
{
	check("u 1000 0 0 10 100 0 3 " COMM_CPU "\nu 1000 0 1 10 101 1 3 " COMM_CPU "\nu 1001 0 2 10 102 2 3 " COMM_CPU "\n"
	      SWITCH(1400, 2, 10, 102, 1, 0, COMM_CPU) READY(1450, 102, 1, 102, 1) SWITCH(1500, 1, 10, 101, 0, 102, COMM_CPU)
	      SPIN(2000, 0, 10, 100, 0) SPIN(2100, 1, 10, 102, 2) SPIN(2300, 0, 10, 100, 0),
	      "10/1 sibling 10/2 2 200, 10/1 self 10/2 1 100", "10: 3 3 0 0");
}

static void two_siblings(void)
{
	check("u 1000 0 0 10 100 0 3 " COMM_CPU "\nu 1000 0 1 10 101 1 3 " COMM_CPU "\nu 1000 0 2 10 102 2 3 " COMM_CPU "\n"
	      SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SWITCH(1500, 2, 10, 102, 0, 600, COMM_CPU)
	      SPIN(2000, 0, 10, 100, 0) SWITCH(2100, 2, 600, 600, 1, 102, COMM_OLD) SPIN(2500, 0, 10, 100, 0),
	      "10/1 host hog:500 2 500, 10/2 host old:600 1 0", "10: 2 2 0 0");
}

static void an_idle_cpu(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1900, 101, 1, 1, 1) SPIN(2000, 0, 10, 100, 0),
	      "10/1 wakeup :0 1 0", "10: 1 1 0 0");
}

static void the_target_of_a_yield(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) YIELD(2000, 0, 10, 100, 0, 1) YIELD(2100, 0, 10, 100, 0, 7)
	      SPIN(2200, 0, 10, 100, 0),
	      "10/1 host hog:500 3 200 1", "10: 3 3 0 0");
}

/* What had the CPU before any of its switches was seen comes from the wake-up, its name from elsewhere. */
static void known_from_the_wake_up(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1900, 101, 3, 901, 0) SPIN(2000, 0, 10, 100, 0),
	      "10/1 host found:900 1 0", "10: 1 1 0 0");
	check(VM_10 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1900, 101, 3, 0, 0) SPIN(2000, 0, 10, 100, 0),
	      "10/1 unknown :0 1 0", "10: 1 1 0 0");
	/* a CPU whose switches are told is known better than by the wake-up */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SWITCH(1600, 0, 10, 100, 1, 0, COMM_CPU)
	      READY(1900, 100, 1, 901, 1) SPIN(2000, 2, 10, 101, 1),
	      "10/0 host hog:500 1 0", "10: 1 1 0 0");
}

/* A thread says its name when it leaves the CPU; until then it is looked for, and may be gone. */
static void named_when_it_leaves(void)
{
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 801, COMM_CPU) SPIN(2000, 0, 10, 100, 0), "10/1 host :801 1 0", "10: 1 1 0 0");
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 801, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SWITCH(2500, 1, 801, 801, 128, 101, COMM_OLD),
	      "10/1 host old:801 1 0", "10: 1 1 0 0");
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 900, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SWITCH(2500, 1, 899, 900, 128, 101, COMM_OLD),
	      "10/1 host old:900 1 0", "10: 1 1 0 0");
}

/* ---- for how long ---- */

static void from_first_to_last_spin(void)
{
	/* before the first spin and behind the last one nobody is known to have waited */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0)
	      SWITCH(2300, 1, 500, 500, 256, 600, COMM_HOG) SWITCH(2400, 1, 600, 600, 1, 500, COMM_OLD) SPIN(3000, 0, 10, 100, 0)
	      SWITCH(3500, 1, 500, 500, 256, 600, COMM_HOG) SWITCH(9000, 1, 600, 600, 1, 101, COMM_OLD),
	      "10/1 host old:600 0 100, 10/1 host hog:500 2 900", "10: 2 2 0 0");
	/* each span by itself */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SPIN(2010, 0, 10, 100, 0)
	      SWITCH(3000, 1, 500, 500, 256, 101, COMM_HOG) SWITCH(4000, 1, 10, 101, 256, 500, COMM_CPU)
	      SPIN(5000, 0, 10, 100, 0) SPIN(5003, 0, 10, 100, 0),
	      "10/1 host hog:500 4 13", "10: 4 4 0 0");
}

/* ---- disorder ---- */

static void a_migrated_vcpu(void)
{
	check(VM_10 SWITCH(1200, 2, 1, 1, 0, 600, COMM_OLD) SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0)
	      READY(2300, 101, 2, 601, 1) SPIN(3000, 0, 10, 100, 0) SWITCH(3100, 2, 600, 600, 256, 101, COMM_OLD)
	      SPIN(3200, 0, 10, 100, 0),
	      "10/1 host hog:500 1 300, 10/1 host old:600 1 700", "10: 3 2 1 0");
	/* the spinner moves as well */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0) SWITCH(2100, 0, 10, 100, 256, 0, COMM_CPU)
	      READY(2200, 100, 1, 501, 1) SWITCH(2300, 1, 500, 500, 256, 100, COMM_HOG) SPIN(2400, 1, 10, 100, 0),
	      "10/1 host hog:500 1 300, 10/1 self 10/0 1 100", "10: 2 2 0 0");
}

static void a_thread_that_ends(void)
{
	/* while it is ready; its vCPU has no thread then, and that is known */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0) GONE(2100, 1, 10, 101)
	      SPIN(2200, 0, 10, 100, 0),
	      "10/1 host hog:500 1 0", "10: 2 1 1 0");
	/* the culprit */
	check(VM_10 VM_20 SWITCH(1500, 1, 20, 201, 0, 101, COMM_CPU) SWITCH(1600, 1, 10, 101, 0, 201, COMM_CPU)
	      SPIN(2000, 0, 10, 100, 0) GONE(2100, 1, 20, 201) SWITCH(2200, 1, 20, 201, 32, 101, COMM_CPU) SPIN(2300, 0, 10, 100, 0),
	      "10/1 vcpu 20/1 1 0", "10: 2 1 1 0");
	/* the spinner, and the end of a thread that was never known */
	check(VM_10 SPIN(2000, 0, 10, 100, 0) GONE(2100, 0, 10, 100) GONE(2200, 3, 33, 333), "", "10: 1 0 1 0");
}

static void another_thread_of_a_vcpu(void)
{
	/* the main thread tries each vCPU before their threads run */
	check("u 1000 0 0 10 10 0 1 " COMM_CPU "\nu 1001 0 0 10 10 1 2 " COMM_CPU "\n" SWITCH(1002, 0, 10, 10, 256, 500, COMM_CPU)
	      "u 1100 0 1 10 101 1 2 " COMM_CPU "\nu 1200 0 2 10 100 0 2 " COMM_CPU "\n" SPIN(2000, 2, 10, 100, 0),
	      "", "10: 1 0 1 0");
}

static void lost_records(void)
{
	/* while lines are missing, and until something is heard of it again, nobody knows where the sibling is */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0) "blind 2001\n"
	      SWITCH(2100, 1, 500, 500, 256, 101, COMM_HOG) SPIN(2200, 0, 10, 100, 0) "sight 2300\n" SPIN(2500, 0, 10, 100, 0)
	      SWITCH(2600, 1, 500, 500, 256, 101, COMM_HOG) SPIN(2700, 0, 10, 100, 0)
	      SWITCH(2800, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2900, 0, 10, 100, 0),
	      "10/1 host hog:500 2 0", "10: 5 2 1 2");
	/* a switch is missing: since when the one that leaves had the CPU is not known */
	check(VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0)
	      SWITCH(2600, 1, 600, 600, 1, 700, COMM_OLD) SPIN(2700, 0, 10, 100, 0),
	      "10/1 unknown :0 0 600, 10/1 host hog:500 1 0, 10/1 host old:700 1 100", "10: 2 2 0 0");
}

/* A late record says that something was judged without it. */
static void late_records(void)
{
	struct blame *b = blame_new(look, NULL, NULL, NULL);

	play(b, VM_10 SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2000, 0, 10, 100, 0));
	play(b, SWITCH(1900, 1, 500, 500, 256, 101, COMM_HOG)); /* it has come after its turn */
	play(b, SPIN(2500, 0, 10, 100, 0));
	play(b, SPIN(2400, 0, 10, 100, 0));
	play(b, SWITCH(2600, 1, 10, 101, 256, 500, COMM_CPU) SPIN(2700, 0, 10, 100, 0));
	CHECK_BLAME(b, "10/1 host hog:500 2 0", "10: 4 2 0 2");
	blame_free(b);
}

static void a_missing_beginning(void)
{
	/* of a VM with two vCPUs one was never seen */
	check("u 1000 0 0 10 100 0 2 " COMM_CPU "\n" SPIN(2000, 0, 10, 100, 0), "", "10: 1 0 0 1");
	/* the spins are all there is */
	check(SPIN(2000, 0, 10, 100, 0) SPIN(2100, 0, 10, 100, 0), "", "10: 2 0 2 0");
	check(SWITCH(1500, 1, 10, 101, 256, 500, COMM_CPU) READY(1600, 101, 1, 0, 1) SPIN(2000, 0, 10, 100, 0), "", "10: 1 0 1 0");
}

/* Of one real stream: the holder's CPU goes to rcu_preempt, then to the hog; the rest is the other CPU's. */
static const char recorded[] =
	"u 22153614912 249 0 313 317 0 2 564b2f3020555043:4d.\n"
	"u 22161105551 272 0 313 318 1 2 564b2f3120555043:4d.\n"
	"s 23906437923 36 1 313 318 0 18 564b2f3120555043:4d.\n"
	"s 23906549370 37 1 18 18 128 318 656572705f756372:74706d.\n"
	"s 23915033869 38 1 313 318 0 18 564b2f3120555043:4d.\n"
	"s 23915155638 39 1 18 18 128 318 656572705f756372:74706d.\n"
	"s 23924306801 40 1 313 318 0 18 564b2f3120555043:4d.\n"
	"s 23924389975 41 1 18 18 128 318 656572705f756372:74706d.\n"
	"s 23932435486 42 1 313 318 0 18 564b2f3120555043:4d.\n"
	"s 23932521373 43 1 18 18 128 318 656572705f756372:74706d.\n"
	"s 23940347552 44 1 313 318 0 364 564b2f3120555043:4d.\n"
	"r 24004581418 3551 0 317 0 308 1\n"
	"s 24004770905 3552 0 307 307 1 293 2d746961776d766b:7473657567.\n"
	"s 24004984486 3553 0 293 293 1 283 656574:0.\n"
	"s 24005119677 3554 0 283 283 1 317 78756e696c2d646c:34362d3638782d.\n"
	"w 24006362614 0 313 317 0 ple svm -1 564b2f3020555043:4d.\n"
	"s 24007068242 3556 0 313 317 0 313 564b2f3020555043:4d.\n"
	"s 24007192089 3557 0 313 313 1 307 2d746961776d766b:7473657567.\n"
	"w 24061568231 0 313 317 0 ple svm -1 564b2f3020555043:4d.\n"
	"s 24756252526 45 1 364 364 0 26 676f68:0.\n"
	"s 24756375668 46 1 26 26 1 364 6f6974617267696d:312f6e.\n"
	"w 24792891482 0 313 317 0 ple svm -1 564b2f3020555043:4d.\n"
	"w 24793046439 0 313 317 0 ple svm -1 564b2f3020555043:4d.\n"
	"s 24813926183 47 1 364 364 32 46 676f68:0.\n"
	"s 24814246331 48 1 46 46 128 1 2f72656b726f776b:313a31.\n"
	"s 24815247731 49 1 1 1 1 318 74696e69:0.\n";
#define FIRST_SPIN UINT64_C(24006362614)
#define LAST_SPIN UINT64_C(24793046439)
/* 24756252526 to 24756375668 went to migration/1, the rest of the time between the spins to the hog */
#define RECORDED_ROWS "313/1 host hog:364 4 786560683, 313/1 host migration/1:26 0 123142"
#define RECORDED_VMS "313: 4 4 0 0"

static void a_recorded_stream(void)
{
	check(recorded, RECORDED_ROWS, RECORDED_VMS);
}

#define MAX_LINES 64

static size_t split(const char *text, const char **lines)
{
	size_t n = 0;

	for (; *text; text = strchr(text, '\n') + 1)
		lines[n++] = text;
	return n;
}

/* The lines `order[0..n)` as one text; the caller frees. */
static char *text_of(const char *const *lines, const size_t *order, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%.*s\n", (int)strcspn(lines[order[i]], "\n"), lines[order[i]]);
	fclose(f);
	return text;
}

/* However the lines arrive, they are put in order. */
static void any_arrival(void)
{
	const char *lines[MAX_LINES];
	size_t n = split(recorded, lines), order[MAX_LINES];

	unit_random_seed(5);
	for (int round = 0; round < 200; round++) {
		CLEANUP_FREE char *text = NULL;

		for (size_t i = 0; i < n; i++)
			order[i] = i;
		for (size_t i = n; i > 1; i--) {
			size_t j = unit_random(i), kept = order[i - 1];

			order[i - 1] = order[j];
			order[j] = kept;
		}
		text = text_of(lines, order, n);
		check(text, RECORDED_ROWS, RECORDED_VMS);
	}
}

/* With lines missing: every spin is accounted for, and what is not known is on nobody's account. */
static void check_partial(const char *text, uint64_t spins)
{
	struct blame *b = blame_new(look, NULL, NULL, NULL);
	CLEANUP_FREE const struct blame_vm **vms = NULL;
	CLEANUP_FREE const struct blame_row **rows = NULL;
	size_t n, n_vms;
	uint64_t blamed = 0;

	play(b, text);
	n_vms = blame_vms(b, &vms);
	CHECK_INT(n_vms, spins ? 1 : 0);
	if (spins) {
		CHECK_U64(vms[0]->spins, spins);
		CHECK_U64(vms[0]->blamed + vms[0]->unblamed + vms[0]->unknown, spins);
	}
	n = blame_list(b, &rows);
	for (size_t i = 0; i < n; i++) {
		if (!rows[i]->spins && !rows[i]->spun_ns)
			continue;
		CHECK_INT(rows[i]->vcpu, 1);
		CHECK(rows[i]->kind == CULPRIT_HOST || rows[i]->kind == CULPRIT_UNKNOWN);
		CHECK(rows[i]->spun_ns <= LAST_SPIN - FIRST_SPIN);
		blamed += rows[i]->spins;
	}
	if (spins)
		CHECK_U64(blamed, vms[0]->blamed);
	blame_free(b);
}

static void any_loss(void)
{
	const char *lines[MAX_LINES];
	size_t n = split(recorded, lines), order[MAX_LINES];

	unit_random_seed(6);
	for (int round = 0; round < 2000; round++) {
		CLEANUP_FREE char *text = NULL;
		uint64_t spins = 0;
		size_t kept = 0;

		for (size_t i = 0; i < n; i++) {
			if (!unit_random(4))
				continue;
			order[kept++] = i;
			spins += *lines[i] == 'w';
		}
		text = text_of(lines, order, kept);
		check_partial(text, spins);
	}
}

/* Any lines at all: nothing but that it stays in one piece. */
static void any_lines(void)
{
	unit_random_seed(7);
	for (int round = 0; round < 300; round++) {
		struct blame *b = blame_new(look, NULL, NULL, NULL);
		uint64_t spins = 0, told = 0;
		CLEANUP_FREE const struct blame_vm **vms = NULL;
		size_t n_vms;

		for (uint64_t ts = 1; ts < 400; ts++) {
			struct record r = { .type = RECORD_SCHED };
			uint32_t tid = (uint32_t)unit_random(6);

			if (!unit_random(3)) {
				r.type = RECORD_WAIT;
				r.wait = (struct wait_event){ .ts_ns = ts, .cpu = (uint32_t)unit_random(3), .pid = 1 + tid % 2,
							      .tid = tid + 1, .vcpu = (int64_t)unit_random(3), .event = "ple" };
				spins++;
			} else {
				r.sched = (struct sched_event){ .ts_ns = ts, .kind = (enum sched_kind)unit_random(SCHED_KINDS),
								.cpu = unit_random(50) ? (uint32_t)unit_random(3) : UINT32_MAX,
								.at = (uint32_t)unit_random(4), .pid = 1 + tid % 2, .tid = tid, .vcpu = (int64_t)unit_random(3),
								.vcpus = (uint32_t)unit_random(4), .next = (uint32_t)unit_random(6),
								.now = (uint32_t)unit_random(6), .runnable = unit_random(2),
								.now_known = unit_random(2), .live = unit_random(2) };
			}
			if (!unit_random(40))
				r.ts_ns = unit_random(ts); /* late */
			blame_take(b, &r);
		}
		n_vms = blame_vms(b, &vms);
		for (size_t i = 0; i < n_vms; i++) {
			told += vms[i]->spins;
			CHECK_U64(vms[i]->blamed + vms[i]->unblamed + vms[i]->unknown, vms[i]->spins);
		}
		CHECK_U64(told, spins);
		blame_free(b);
	}
}

/* ---- all of the time runnable ---- */

/* "VM/VCPU KIND[ CGROUP QUOTA PERIOD] NS, ...; VM/VCPU RUN READY BLOCKED UNKNOWN, ..." */
static char *times_text(struct blame *b)
{
	CLEANUP_FREE const struct blame_row **rows = NULL;
	CLEANUP_FREE struct blame_vcpu *vcpus = NULL;
	char *text = NULL;
	size_t size, n, n_vcpus;
	FILE *f = open_memstream(&text, &size);

	blame_end(b);
	n = blame_list(b, &rows);
	n_vcpus = blame_vcpus(b, &vcpus);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "%s%" PRIu32 "/%" PRId64 " %s", i ? ", " : "", rows[i]->vm->tgid, rows[i]->vcpu, culprit_names[rows[i]->kind]);
		if (rows[i]->kind == CULPRIT_THROTTLED)
			fprintf(f, " %" PRIu64 " %" PRIu64 " %" PRIu64, rows[i]->quota.cgroup, rows[i]->quota.quota_ns, rows[i]->quota.period_ns);
		fprintf(f, " %" PRIu64, rows[i]->ready_ns);
	}
	for (size_t i = 0; i < n_vcpus; i++)
		fprintf(f, "%s%" PRIu32 "/%" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, i ? ", " : "; ", vcpus[i].vm->tgid,
			vcpus[i].vcpu, vcpus[i].run_ns, vcpus[i].ready_ns, vcpus[i].blocked_ns, vcpus[i].unknown_ns);
	fclose(f);
	return text;
}

static void check_times(const char *text, const char *expected)
{
	struct blame *b = blame_new(look, NULL, NULL, NULL);
	CLEANUP_FREE char *times = NULL;

	play(b, text);
	times = times_text(b);
	CHECK_STR(times, expected);
	blame_free(b);
}

/* Group 3 in the bits of STATE and LIVE. */
#define GROUP_3 196608
#define GROUP_3_ONCE 229632 /* throttled by one quota, stopped */
#define GROUP_3_MOVED 212736 /* not known whether it is throttled */
#define GROUP_3_QUOTA_ONLY 196864 /* throttled by one quota, not stopped */
#define VM_1 "u 1000 0 1 10 101 1 1 " COMM_CPU "\n"
#define SWITCH_2(ts, cpu, pid, tid, state, next, comm) SWITCH(ts, cpu, pid, tid, state, next, comm)
#define QUOTA(ts, cpu, change, cgroup) "q " #ts " 0 9 " #cpu " 501 1 3 " #change " " #cgroup " 30 100\n"
#define READY_2(ts, tid, cpu, now, live) READY(ts, tid, cpu, now, live)

static void all_ready_time(void)
{
	/* no spin at all: a wake-up on an idle CPU, then a hog, then blocked to the end */
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1900, 101, 1, 1, 1) SWITCH(1907, 1, 0, 0, 0, 101, COMM_NIL)
		    SWITCH(2000, 1, 10, 101, 0, 500, COMM_CPU) SWITCH(2700, 1, 500, 500, 0, 101, COMM_HOG)
		    SWITCH(3000, 1, 10, 101, 1, 0, COMM_CPU) SWITCH(4000, 0, 7, 7, 0, 8, COMM_HOG),
		    "10/1 host 700, 10/1 wakeup 7; 10/1 893 707 1400 0");
	/* the CPU went idle although the thread waits */
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 0, 0, COMM_CPU) SWITCH(1600, 1, 0, 0, 0, 101, COMM_NIL), "10/1 idle 100; 10/1 500 100 0 0");
	/* time that is open at the end counts */
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 0, 500, COMM_CPU) SWITCH(1600, 0, 7, 7, 0, 8, COMM_HOG), "10/1 host 100; 10/1 500 100 0 0");
	/* and while lines are missing it is unknown */
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 0, 500, COMM_CPU) "blind 1600\nsight 1700\n" SWITCH(1800, 1, 500, 500, 0, 101, COMM_HOG)
		    SWITCH(1850, 1, 10, 101, 1, 0, COMM_CPU), "10/1 host 100; 10/1 550 100 0 200");
}

static void throttled(void)
{
	/* all threads at once: whoever has the CPU meanwhile is not the cause, until the quota is there again */
	check_times(VM_1 QUOTA(1499, 1, 2, 77) SWITCH_2(1500, 1, 10, 101, GROUP_3_ONCE, 500, COMM_CPU) QUOTA(1800, 1, 0, 77)
		    SWITCH(1810, 1, 500, 500, 0, 101, COMM_HOG), "10/1 throttled 77 30 100 300, 10/1 host 10; 10/1 500 310 0 0");
	/* it waits already when its group runs out of time */
	check_times(VM_1 SWITCH_2(1500, 1, 10, 101, GROUP_3, 500, COMM_CPU) QUOTA(1600, 1, 2, 77) QUOTA(1800, 1, 0, 77)
		    SWITCH(1810, 1, 500, 500, 0, 101, COMM_HOG), "10/1 throttled 77 30 100 200, 10/1 host 110; 10/1 500 310 0 0");
	/* the trace began meanwhile: the end names the quota */
	check_times(VM_1 SWITCH_2(1500, 1, 10, 101, GROUP_3_ONCE, 0, COMM_CPU) QUOTA(1800, 1, 0, 77)
		    SWITCH(1810, 1, 0, 0, 0, 101, COMM_NIL), "10/1 throttled 77 30 100 300, 10/1 wakeup 10; 10/1 500 310 0 0");
	/* two levels: both have to end */
	check_times(VM_1 QUOTA(1499, 1, 2, 77) SWITCH_2(1500, 1, 10, 101, GROUP_3_ONCE, 500, COMM_CPU) QUOTA(1600, 1, 2, 88)
		    QUOTA(1700, 1, 0, 88) QUOTA(1800, 1, 0, 77) SWITCH(1810, 1, 500, 500, 0, 101, COMM_HOG),
		    "10/1 throttled 77 30 100 300, 10/1 host 10; 10/1 500 310 0 0");
	/* one by one: a thread that is not stopped waits for whoever has the CPU */
	check_times(VM_1 QUOTA(1400, 1, 1, 77) SWITCH_2(1500, 1, 10, 101, GROUP_3_QUOTA_ONLY, 500, COMM_CPU)
		    SWITCH(1600, 1, 500, 500, 0, 101, COMM_HOG) SWITCH_2(1700, 1, 10, 101, GROUP_3_ONCE, 500, COMM_CPU) QUOTA(1900, 1, 0, 77)
		    SWITCH(1910, 1, 500, 500, 0, 101, COMM_HOG), "10/1 throttled 77 30 100 200, 10/1 host 110; 10/1 600 310 0 0");
	/* another CPU, another group: not the cause */
	check_times(VM_1 SWITCH_2(1500, 1, 10, 101, GROUP_3, 500, COMM_CPU) QUOTA(1600, 2, 2, 77) SWITCH(1810, 1, 500, 500, 0, 101, COMM_HOG),
		    "10/1 host 310; 10/1 500 310 0 0");
	/* moved to a CPU where the group is throttled, and away from it */
	check_times(VM_1 QUOTA(1400, 2, 2, 77) SWITCH_2(1500, 1, 10, 101, GROUP_3, 500, COMM_CPU) READY_2(1600, 101, 2, 501, 1)
		    READY_2(1700, 101, 3, 501, 0) SWITCH(1810, 3, 500, 500, 0, 101, COMM_HOG),
		    "10/1 host 310; 10/1 500 310 0 0");
	check_times(VM_1 QUOTA(1400, 2, 2, 77) SWITCH_2(1500, 1, 10, 101, GROUP_3, 500, COMM_CPU) READY_2(1600, 101, 2, 501, GROUP_3_MOVED)
		    READY_2(1700, 101, 3, 501, GROUP_3_MOVED) SWITCH(1810, 3, 500, 500, 0, 101, COMM_HOG),
		    "10/1 host 210, 10/1 throttled 77 30 100 100; 10/1 500 310 0 0");
}

/* 1 << 14: core scheduling is on. */
static void forced_idle(void)
{
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 16384, 0, COMM_CPU) SWITCH(1810, 1, 0, 0, 0, 101, COMM_NIL),
		    "10/1 forced-idle 310; 10/1 500 310 0 0");
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1600, 101, 1, 1, 16387) SWITCH(1810, 1, 0, 0, 0, 101, COMM_NIL),
		    "10/1 forced-idle 210; 10/1 500 210 100 0");
	check_times(VM_1 SWITCH(1500, 1, 10, 101, 1, 0, COMM_CPU) READY(1600, 101, 1, 1, 16385) SWITCH(1810, 1, 0, 0, 0, 101, COMM_NIL),
		    "10/1 wakeup 210; 10/1 500 210 100 0");
}

/* ---- lines ---- */

static void check_kind(const char *line, enum wire_kind kind)
{
	CLEANUP_FREE char *copy = unit_exact(line, strlen(line));
	struct wire_line wire;

	wire_parse(copy, strlen(line), &wire);
	CHECK_INT(wire.kind, kind);
}

static void lines(void)
{
	struct wire_line wire;
	static const char *const malformed[] = {
		"u 1 0 0 10 100 0 2", "u 1 0 0 10 100 -1 2 " COMM_CPU, "u 1 0 0 10 100 0 2 " COMM_CPU " ", "u 1 0 0 10 4294967296 0 2 " COMM_CPU,
		"s 1 0 0 10 100 0 5", "s 1 0 0 10 100 -1 5 " COMM_CPU, "s 9223372036854775808 0 0 10 100 0 5 " COMM_CPU, "s ",
		"r 1 0 0 100 0 5", "r 1 0 0 100 0 5 4", "r 1 0 0 100 0 5 1 ", "r 1 0 0 100 0 5 1 0", "r 1 0 0 100 0 5 x",
		"q 1 0 0 1 0 1 5 3 7 1 1", "q 1 0 0 1 0 1 5 2 7 1", "q 1 0 0 1 0 1 5 2 7 1 1 ", "q 1 0 0 1 0 2 5 2 7 1 1", "q 1 0 0 -1 0 1 5 2 7 1 1",
		"g 1 0 0 10", "g 1 0 0 10 100 ", "g 1 0 0 10 100 1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		check_kind(malformed[i], WIRE_MALFORMED);
	check_kind("u", WIRE_NOTHING);
	check_kind("v 1", WIRE_NOTHING);
	check_kind("", WIRE_NOTHING);
	wire_parse("s 7 0 3 10 100 256 5 " COMM_HOG, strlen("s 7 0 3 10 100 256 5 " COMM_HOG), &wire);
	CHECK_INT(wire.kind, WIRE_SCHED);
	CHECK_INT(wire.record.type, RECORD_SCHED);
	CHECK_U64(wire.record.ts_ns, 7);
	CHECK_INT(wire.record.sched.kind, SCHED_SWITCH);
	CHECK(wire.record.sched.runnable);
	CHECK_INT(wire.record.sched.next, 5);
	CHECK_STR(wire.record.sched.comm, "hog");
	wire_parse("s 7 0 3 10 100 256 5 676f68:0.", strlen("s 7 0 3 10 100 256 5 676f68:0."), &wire);
	CHECK_INT(wire.kind, WIRE_SCHED);
	CHECK_STR(wire.record.sched.comm, "hog");
	wire_parse("r 7 0 0 100 3 0 1", 17, &wire);
	CHECK_INT(wire.kind, WIRE_SCHED);
	CHECK(!wire.record.sched.now_known && wire.record.sched.live);
	wire_parse("r 7 0 0 100 3 1 0", 17, &wire);
	CHECK(wire.record.sched.now_known && !wire.record.sched.live && wire.record.sched.now == 0);
	CHECK(wire_is_counted("s 1", 3) && wire_is_counted("w ", 2) && !wire_is_counted("sh", 2) && !wire_is_counted("s", 1));
}

/* A HLT of 400 ns, and two sleeps of 300 and 200 ns whose stacks are not known. */
static void sleeps(void)
{
	struct blame *b = blame_new(look, NULL, NULL, NULL);
	CLEANUP_FREE const struct blame_sleep **list = NULL;
	CLEANUP_FREE struct blame_vcpu *vcpus = NULL;

	play(b, VM_10 SWITCH(1500, 1, 10, 101, 257, 0, COMM_CPU) READY(1900, 101, 1, 1, 1) SWITCH(2000, 1, 0, 0, 0, 101, COMM_NIL)
	     SWITCH(2100, 1, 10, 101, 513, 0, COMM_CPU) READY(2400, 101, 1, 1, 1) SWITCH(2500, 1, 0, 0, 0, 101, COMM_NIL)
	     SWITCH(2600, 1, 10, 101, 514, 0, COMM_CPU) READY(2800, 101, 1, 1, 1));
	blame_end(b);
	CHECK_INT(blame_vcpus(b, &vcpus), 2);
	CHECK_U64(vcpus[1].blocked_ns, 900);
	CHECK_U64(vcpus[1].halt_ns, 400);
	CHECK_U64(vcpus[1].host_ns, 500);
	CHECK_INT(blame_sleeps(b, &list), 1);
	CHECK_STR(list[0]->name, "unknown");
	CHECK_INT(list[0]->vcpu, 1);
	CHECK_U64(list[0]->times, 2);
	CHECK_U64(list[0]->ns, 500);
	blame_free(b);
}

static void frames(void)
{
	static const struct {
		const char *line, *name;
	} good[] = {
		{ "\tffffffff8103ad16 do_idle+470", "do_idle" },
		{ "\tffffffff8103ad16 kvm_vcpu_halt+1 [kvm]", "kvm_vcpu_halt" },
		{ "\tffffffff8103ad16 0xffffffff8103ad16+0", "" },
		{ "\tffffffff8103ad16", "" },
	};
	struct wire_line wire;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		wire_parse(good[i].line, strlen(good[i].line), &wire);
		CHECK_INT(wire.kind, WIRE_FRAME);
		CHECK_U64(wire.number, UINT64_C(0xffffffff8103ad16));
		CHECK_STR(wire.name, good[i].name);
	}
}

static const struct unit_test tests[] = {
	{ "nobody", nobody },
	{ "a_thread_of_the_host", a_thread_of_the_host },
	{ "a_vcpu_of_another_vm", a_vcpu_of_another_vm },
	{ "the_spinner_itself", the_spinner_itself },
	{ "a_third_vcpu", a_third_vcpu },
	{ "two_siblings", two_siblings },
	{ "an_idle_cpu", an_idle_cpu },
	{ "the_target_of_a_yield", the_target_of_a_yield },
	{ "known_from_the_wake_up", known_from_the_wake_up },
	{ "named_when_it_leaves", named_when_it_leaves },
	{ "from_first_to_last_spin", from_first_to_last_spin },
	{ "a_migrated_vcpu", a_migrated_vcpu },
	{ "a_thread_that_ends", a_thread_that_ends },
	{ "another_thread_of_a_vcpu", another_thread_of_a_vcpu },
	{ "lost_records", lost_records },
	{ "late_records", late_records },
	{ "a_missing_beginning", a_missing_beginning },
	{ "a_recorded_stream", a_recorded_stream },
	{ "any_arrival", any_arrival },
	{ "any_loss", any_loss },
	{ "any_lines", any_lines },
	{ "all_ready_time", all_ready_time },
	{ "throttled", throttled },
	{ "forced_idle", forced_idle },
	{ "sleeps", sleeps },
	{ "frames", frames },
	{ "lines", lines },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
