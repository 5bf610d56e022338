// SPDX-License-Identifier: Apache-2.0
// What a thread that blocks waits for, by the kernel functions on its stack (scripts/sleep.list).
#ifndef KVMWAIT_LEDGER_SLEEP_RULES_H
#define KVMWAIT_LEDGER_SLEEP_RULES_H

#include "base/text.h"

struct sleep_rule {
	struct strings patterns; /* of functions, as the shell has them */
	char *name; /* NULL: such a function says nothing */
};

struct sleep_rules {
	struct sleep_rule *items;
	size_t n;
};

/* 0, or -errno with ret_error (the caller frees). */
int sleep_rules_parse(const char *text, struct sleep_rules *ret, char **ret_error);
int sleep_rules_load(const char *path, struct sleep_rules *ret, char **ret_error);
void sleep_rules_done(struct sleep_rules *rules);

/*
 * The name of the first rule that fits any function of the stack (the innermost first). Where none does, the innermost
 * function that says anything. Borrowed; NULL: there is none.
 */
const char *sleep_rules_name(const struct sleep_rules *rules, const struct strings *stack);

#endif
