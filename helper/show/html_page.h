// SPDX-License-Identifier: Apache-2.0
// kvmwait report --html: one page that needs nothing but itself, from the records of one or more recordings.
#ifndef KVMWAIT_SHOW_HTML_PAGE_H
#define KVMWAIT_SHOW_HTML_PAGE_H

#include "record/event.h"

struct html_page;
struct html_page *html_page_new(void);
void html_page_free(struct html_page *h);

/* Recordings are kept apart by their number, from 0 on. What it is called by, such as its path. */
void html_page_name(struct html_page *h, size_t recording, const char *name);
/* Something is wrong with it, such as being cut short: a sentence that stands on the page. */
void html_page_damage(struct html_page *h, size_t recording, const char *sentence);
/* The first section, as findings_write_html() makes it; it is the page's from now on. */
void html_page_findings(struct html_page *h, size_t recording, char *section);
/* A section with where guests spin, as guest_ips_write_html() makes it; it is the page's from now on. */
void html_page_places(struct html_page *h, size_t recording, char *section);
/* A section with the account of each vCPU, as html_account_section() makes it, or NULL; the page's from now on. */
void html_page_account(struct html_page *h, size_t recording, char *section);
/* A record in the order of the recording; nothing of it is borrowed. */
void html_page_take(struct html_page *h, size_t recording, const struct record *r);
/* Once, at the end. 0, or -errno where the page cannot be written. */
int html_page_write(struct html_page *h, FILE *f);

#endif
