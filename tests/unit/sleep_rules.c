// SPDX-License-Identifier: Apache-2.0
// Tests of helper/ledger/sleep_rules.c: which name a stack gets, and lists that are refused.
#include "unit.h"

#include "ledger/sleep_rules.h"

#include <stdlib.h>

static const char list[] = "# a comment\n\n"
			   "swap_* | swap-in | a page from swap\n"
			   "fault | page-fault | any page\n"
			   "schedule io_* | - | nothing\n";

static const char *name_of(const struct sleep_rules *rules, const char *functions, char *room, size_t size)
{
	struct strings stack = { 0 };
	const char *name;

	strings_split(&stack, functions, " ");
	name = sleep_rules_name(rules, &stack);
	snprintf(room, size, "%s", name ? name : "NULL");
	strings_done(&stack);
	return room;
}

static void names(void)
{
	struct sleep_rules rules;
	char *why = NULL, room[64];

	CHECK(!sleep_rules_parse(list, &rules, &why));
	CHECK_STR(name_of(&rules, "schedule io_wait swap_page fault", room, sizeof(room)), "swap-in");
	CHECK_STR(name_of(&rules, "schedule fault swap_page", room, sizeof(room)), "swap-in");
	CHECK_STR(name_of(&rules, "schedule fault", room, sizeof(room)), "page-fault");
	CHECK_STR(name_of(&rules, "schedule io_wait other ioctl", room, sizeof(room)), "other");
	CHECK_STR(name_of(&rules, "schedule faulty", room, sizeof(room)), "faulty");
	CHECK_STR(name_of(&rules, "schedule io_wait", room, sizeof(room)), "NULL");
	CHECK_STR(name_of(&rules, "", room, sizeof(room)), "NULL");
	sleep_rules_done(&rules);
}

static void refused(void)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{ "a | b\n", "line 1: a line is PATTERN... | NAME | MEANING" },
		{ "a | b | \n", "line 1: a line is PATTERN... | NAME | MEANING" },
		{ "a | b | c\nnothing\n", "line 2: a line is PATTERN... | NAME | MEANING" },
		{ "a | B! | c\n", "line 1: a name has small letters, digits and '-'" },
		{ "  | b | c\n", "line 1: there is no pattern" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sleep_rules rules = { 0 };
		char *why = NULL;

		CHECK(sleep_rules_parse(bad[i].text, &rules, &why) < 0);
		CHECK_STR(why, bad[i].why);
		free(why);
	}
}

static void own_list(void)
{
	struct sleep_rules rules;
	char *why = NULL, room[64];

	CHECK(!sleep_rules_load("scripts/sleep.list", &rules, &why));
	CHECK_STR(name_of(&rules, "__schedule schedule do_signal_stop get_signal exit_to_user_mode_loop do_syscall_64", room, sizeof(room)), "stopped");
	CHECK_STR(name_of(&rules, "__schedule schedule get_signal xfer_to_guest_mode_handle_work kvm_arch_vcpu_ioctl_run", room, sizeof(room)), "frozen");
	CHECK_STR(name_of(&rules, "__schedule schedule handle_userfault do_anonymous_page handle_mm_fault kvm_mmu_page_fault", room, sizeof(room)), "userfault");
	CHECK_STR(name_of(&rules, "__schedule schedule schedule_timeout __wait_for_common affine_move_task", room, sizeof(room)), "__wait_for_common");
	sleep_rules_done(&rules);
}

static const struct unit_test tests[] = {
	{ "names", names },
	{ "refused", refused },
	{ "own_list", own_list },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
