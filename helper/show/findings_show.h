// SPDX-License-Identifier: Apache-2.0
// What kvmwait why prints: the findings as sentences, as JSON, as gauges or as HTML.
#ifndef KVMWAIT_SHOW_FINDINGS_SHOW_H
#define KVMWAIT_SHOW_FINDINGS_SHOW_H

#include "ledger/findings.h"

#include <stdio.h>

/* What is shown beside the findings. */
struct findings_frame {
	const char *heading;	/* of a recording: its name, fit to print; or NULL */
	bool brief;		/* few lines, above something else */
	bool have_tracer;
	uint64_t tracer_share;	/* CPU time of bpftrace and kvmwait, in hundredths of a percent of one CPU times all CPUs */
};

/* A screen of text: the worst findings, the rest as a number. */
void findings_print(FILE *f, const struct rules *rules, const struct findings *findings, const struct findings_frame *frame);
/* All of it. */
json_t *findings_json(const struct rules *rules, const struct findings *findings, const struct findings_frame *frame);
/* The shares as gauges. */
void findings_write_openmetrics(FILE *f, const struct rules *rules, const struct findings *findings, const struct findings_frame *frame);
/* A section of the HTML page, for the recording of this number. */
void findings_write_html(FILE *f, const struct rules *rules, const struct findings *findings, size_t recording);
/* Where nothing was found: a clause without a full stop, or "". The caller frees. */
char *findings_scope_text(const struct rules *rules, const struct findings *findings);
/* "measured" or "inferred". */
const char *finding_fidelity(const struct finding *f);
/* Could the rule be applied? */
bool findings_asked(const struct findings *findings, const struct rule *rule);
/* The rules themselves, as kvmwait why --list shows them. */
void rules_print(FILE *f, const struct rules *rules);

#endif
