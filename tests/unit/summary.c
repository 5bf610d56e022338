// SPDX-License-Identifier: Apache-2.0
// Tests of helper/show/summary.c: counts, rates and times, computed by hand, and a bound that holds.
#include "unit.h"

#include "base/memory.h"
#include "show/summary.h"

static void take(struct account *s, uint64_t ts_ns, uint32_t pid, const char *vm, int64_t vcpu, const char *event)
{
	struct record r = { .type = RECORD_WAIT, .wait = { .ts_ns = ts_ns, .pid = pid, .vm = vm, .vcpu = vcpu, .source = "kvm" } };

	snprintf(r.wait.event, sizeof(r.wait.event), "%s", event);
	account_take(s, &r);
}

static char *written(struct account *s)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	CHECK(f != NULL);
	summary_write(f, s);
	fclose(f);
	return text;
}

#define HEADING "VM               VCPU  EVENT     SOURCE         COUNT     RATE(/s)      FIRST(s)       LAST(s)\n"

/* Two seconds from the first to the last; one VM has two vCPUs, the other shares its name but not its process. */
static void rows(void)
{
	struct account *s = account_new(&(struct account_settings){ 0 });
	CLEANUP_FREE char *text = NULL;

	take(s, 12000000000, 7, "web", 0, "hlt"); /* in any order */
	take(s, 10000000000, 7, "web", 0, "hlt");
	take(s, 11500000000, 7, "web", 1, "hlt");
	take(s, 10250000000, 9, "web", 0, "hlt");
	take(s, 10000001000, 7, "web", 0, "ple");
	text = written(s);
	CHECK_STR(text, HEADING "all               all  hlt       kvm                4          2.0      0.000000      2.000000\n"
				"all               all  ple       kvm                1          0.5      0.000001      0.000001\n"
				"web (7)           all  hlt       kvm                3          1.5      0.000000      2.000000\n"
				"web (7)           all  ple       kvm                1          0.5      0.000001      0.000001\n"
				"web (7)             0  hlt       kvm                2          1.0      0.000000      2.000000\n"
				"web (7)             0  ple       kvm                1          0.5      0.000001      0.000001\n"
				"web (7)             1  hlt       kvm                1          0.5      1.500000      1.500000\n"
				"web (9)           all  hlt       kvm                1          0.5      0.250000      0.250000\n"
				"web (9)             0  hlt       kvm                1          0.5      0.250000      0.250000\n");
	account_free(s);
}

/* Times count from the start of the trace, where that is known; a single event has no rate. */
static void start(void)
{
	struct account *s = account_new(&(struct account_settings){ 0 });
	struct record meta = { .type = RECORD_META, .object = json_pack("{s:{s:I}}", "clock", "boottime", (json_int_t)4000000000) };
	struct record outcome = { .type = RECORD_OUTCOME }, unseen = { .type = RECORD_OUTCOME, .outcome.end = OUTCOME_UNSEEN };
	CLEANUP_FREE char *text = NULL;

	account_take(s, &meta);
	take(s, 5500000000, 7, NULL, 3, "hlt");
	account_take(s, &outcome);
	account_take(s, &unseen);
	text = written(s);
	CHECK_STR(text, HEADING "all               all  hlt       kvm                1            -      1.500000      1.500000\n"
				"7                 all  hlt       kvm                1            -      1.500000      1.500000\n"
				"7                   3  hlt       kvm                1            -      1.500000      1.500000\n"
				"1 outcomes\n");
	json_decref(meta.object);
	account_free(s);
}

static void nothing(void)
{
	struct account *s = account_new(&(struct account_settings){ 0 });
	CLEANUP_FREE char *text = written(s);

	CHECK_STR(text, HEADING);
	account_free(s);
}

/* A stranger's stream may name as many VMs as it likes: the count is right, the table bounded. */
static void bounded(void)
{
	struct account *s = account_new(&(struct account_settings){ 0 });
	CLEANUP_FREE char *text = NULL;
	size_t lines = 0;

	for (uint32_t i = 0; i < 70000; i++)
		take(s, 1000, i, NULL, 0, "hlt");
	for (uint32_t i = 0; i < 10; i++)
		take(s, 2000, 5, NULL, 0, "hlt");
	text = written(s);
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	CHECK_U64(lines, 1 + 1 + 2 * 65536 + 1);
	CHECK_HAS(text, "\nall               all  hlt       kvm            65546 "); /* the first 65536, and 10 */
	CHECK_HAS(text, "\n4464 more waits: ");
	CHECK_HAS(text, "\n5                   0  hlt       kvm               11 ");
	account_free(s);
}

static const struct unit_test tests[] = {
	{ "rows", rows },
	{ "start", start },
	{ "nothing", nothing },
	{ "bounded", bounded },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
