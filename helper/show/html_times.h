// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page that a timeline fills: time lines, rates, histograms, tables, and the data they are drawn from.
#ifndef KVMWAIT_SHOW_HTML_TIMES_H
#define KVMWAIT_SHOW_HTML_TIMES_H

#include "ledger/timeline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct html_times {
	const struct timeline *timeline;
	size_t host; /* number of the recording; ids on the page begin with it */
	bool all_waits; /* each wait is in the recording: all three events were asked for and are exact, and nothing is missing */
	size_t max_lines, max_vms, max_vcpus; /* of the picture, and of the tables */
};
void html_times_figures(FILE *f, const struct html_times *p);
void html_times_lines(FILE *f, const struct html_times *p);
void html_times_tables(FILE *f, const struct html_times *p);
/* An object of JSON, fit for a script element. */
void html_times_data(FILE *f, const struct html_times *p);

#endif
