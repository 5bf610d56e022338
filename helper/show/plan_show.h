// SPDX-License-Identifier: Apache-2.0
// Shows a plan: as two lines before a trace, as the reasons why no script fits, and as JSON.
#ifndef KVMWAIT_SHOW_PLAN_SHOW_H
#define KVMWAIT_SHOW_PLAN_SHOW_H

#include "plan/select.h"

#include <jansson.h>
#include <stdio.h>

/* Host and script, with the fidelity of each event, in two lines; a remark on the host may be NULL. */
void plan_print_lines(FILE *f, const struct plan *plan, const char *remark);
/* Each script with the reason why it does not fit. */
void plan_print_misfits(FILE *f, const struct plan *plan);
/* The caller owns it. */
json_t *plan_json(const struct plan *plan);

#endif
