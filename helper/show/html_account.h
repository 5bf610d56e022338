// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page with the account of each vCPU: its time by state, as the recording has it.
#ifndef KVMWAIT_SHOW_HTML_ACCOUNT_H
#define KVMWAIT_SHOW_HTML_ACCOUNT_H

#include "ledger/counts_rows.h"
#include "ledger/states_lines.h"

#include <stdio.h>

/* A section of rows by VM and vCPU. The caller frees; NULL where no row has states. */
char *html_account_section(size_t host, const struct counts_rows *rows);
/* A section with the states over time, where intervals were recorded: at most max_lines vCPUs; and the object of JSON that it is drawn from. */
void html_account_lines(FILE *f, size_t host, const struct states_lines *l, size_t max_lines);
void html_account_data(FILE *f, const struct states_lines *l, size_t max_lines);

#endif
