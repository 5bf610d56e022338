// SPDX-License-Identifier: Apache-2.0
// Tests of helper/record/balance.c: what the audit of an end record comes to in words, whoever wrote it.
#include "unit.h"

#include "base/text.h"
#include "record/balance.h"

static void check(const char *json, const char *lines, const char *differ)
{
	struct strings all = { 0 }, other = { 0 };
	json_t *audit = json_loads(json, 0, NULL);
	CLEANUP_FREE char *joined = NULL;
	CLEANUP_FREE char *joined_other = NULL;

	CHECK(audit);
	audit_texts(audit, &all, &other);
	joined = strings_join(&all, "|");
	joined_other = strings_join(&other, "|");
	CHECK_STR(joined, lines);
	CHECK_STR(joined_other, differ);
	CHECK_INT(audit_differs(audit), other.n != 0);
	strings_done(&all);
	strings_done(&other);
	json_decref(audit);
}

static void words(void)
{
	check("[{\"counter\":\"halt_exits\",\"event\":\"hlt\",\"seen\":120,\"kernel\":120,\"difference\":0}]",
	      "hlt 120 agrees with KVM's halt_exits 120", "");
	check("[{\"counter\":\"halt_exits\",\"event\":\"hlt\",\"seen\":0,\"kernel\":120,\"difference\":-120},"
	      "{\"counter\":\"y\",\"event\":\"pv_yield\",\"why\":\"the event is not traced\"}]",
	      "pv_yield was not compared with KVM's y: the event is not traced", "hlt 0 differs from KVM's halt_exits 120");
	check("[]", "", "");
}

static void of_strangers(void)
{
	struct strings none = { 0 };

	check("[{\"counter\":\"a\\u001b[2J\",\"event\":\"hlt\",\"seen\":1,\"kernel\":1,\"difference\":0}]",
	      "hlt 1 agrees with KVM's a\\x1b[2J 1", "");
	check("[7, null, {}, {\"event\":3,\"counter\":\"a\"}, [], {\"event\":\"hlt\"}]", "", "");
	check("{\"difference\":3}", "", "");
	audit_texts(NULL, &none, &none);
	CHECK_U64(none.n, 0);
	CHECK(!audit_differs(NULL));
}

static const struct unit_test tests[] = {
	{ "words", words },
	{ "of_strangers", of_strangers },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
