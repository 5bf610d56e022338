// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page with the account of each vCPU: its time by state, as the recording has it.
#ifndef KVMWAIT_SHOW_HTML_ACCOUNT_H
#define KVMWAIT_SHOW_HTML_ACCOUNT_H

#include "ledger/counts_rows.h"

/* A section of rows by VM and vCPU. The caller frees; NULL where no row has states. */
char *html_account_section(size_t host, const struct counts_rows *rows);

#endif
