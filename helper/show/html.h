// SPDX-License-Identifier: Apache-2.0
// Writes pieces of HTML: text that can never become markup, times in units for people, bars, and the page's own style
// and program, which are part of this binary.
#ifndef KVMWAIT_SHOW_HTML_H
#define KVMWAIT_SHOW_HTML_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Of share/report/, NUL-terminated. */
extern const char html_style[], html_program[];

/* Text of this program's, or text that text_clean() made, as text or within a quoted attribute. */
void html_text(FILE *f, const char *clean);
/* Text of anybody's; NULL is "". */
void html_foreign(FILE *f, const char *text);
/* Text that should have been through text_clean() before it was saved, but was read from anybody's file. */
void html_recleaned(FILE *f, const char *text);
/* The same as a string of JSON that can stand within a script element. */
void html_json_recleaned(FILE *f, const char *text);

/* "12.3 ms", and as a data element which holds all of it. */
void html_duration_text(FILE *f, uint64_t ns);
void html_duration(FILE *f, uint64_t ns);
/* A cell of a table; there can be thousands of them. */
void html_count_cell(FILE *f, uint64_t n);
void html_duration_cell(FILE *f, uint64_t ns);

/* A bar, from left to right; what it shows stands beside it in numbers. */
struct html_part {
	const char *class; /* of the style */
	uint64_t size;
};
void html_bar(FILE *f, const struct html_part *parts, size_t n, uint64_t whole);

/* A string of JSON: of each bin the part of whole_ns in 4095ths, two digits to the base of 64. What is there at all is not 0. */
void html_shares(FILE *f, const uint64_t *ns, size_t n_bins, uint64_t whole_ns);

/* What a Content-Security-Policy calls such a text: "sha256-" and base64; the caller frees. */
char *html_csp_hash(const char *text);

#endif
