// SPDX-License-Identifier: Apache-2.0
// Where clauses of scripts and parts begin and what they hold; kvmwait-scripts(5) has their form. Pure.
#ifndef KVMWAIT_PLAN_CLAUSE_H
#define KVMWAIT_PLAN_CLAUSE_H

#include <stdbool.h>
#include <stddef.h>

/* Of the line at p, with its newline. */
size_t clause_line_length(const char *p);
/* Does a clause with attach points begin at p, or one with a name in capitals? */
bool clause_begins(const char *p);
bool clause_begins_named(const char *p);
/* What stands in the clause of that name: its text and length; 0 where there is none. */
size_t clause_find(const char *text, const char *name, const char **ret_body);
/* The same for the clause that a line of n bytes names, in capitals and alone; 0 where it is no such line. */
size_t clause_of_line(const char *text, const char *line, size_t n, const char **ret_body);

#endif
