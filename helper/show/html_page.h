// SPDX-License-Identifier: Apache-2.0
// kvmwait report --html: one page that needs nothing but itself, from the records of one or more recordings.
#ifndef KVMWAIT_SHOW_HTML_PAGE_H
#define KVMWAIT_SHOW_HTML_PAGE_H

#include "record/event.h"

struct report_html;
struct report_html *report_html_new(void);
void report_html_free(struct report_html *h);

/* Recordings are kept apart by their number, from 0 on. What it is called by, such as its path. */
void report_html_name(struct report_html *h, size_t recording, const char *name);
/* Something is wrong with it, such as being cut short: a sentence that stands on the page. */
void report_html_damage(struct report_html *h, size_t recording, const char *sentence);
/* A record in the order of the recording; nothing of it is borrowed. */
void report_html_take(struct report_html *h, size_t recording, const struct record *r);
/* Once, at the end. 0, or -errno where the page cannot be written. */
int report_html_write(struct report_html *h, FILE *f);

#endif
