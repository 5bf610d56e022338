// SPDX-License-Identifier: Apache-2.0
// The part of the HTML page that single records fill: what was traced and how exactly, the balance, the plan, blame.
#ifndef KVMWAIT_SHOW_HTML_FACTS_H
#define KVMWAIT_SHOW_HTML_FACTS_H

#include "base/text.h"

#include <jansson.h>

/* Objects of records, NULL where there was none; what they hold may be of any type. */
struct html_facts {
	size_t host; /* number of the recording; ids on the page begin with it */
	json_t *meta, *plan, *blame, *end;
	uint64_t lost;	       /* sum of the lost records */
	struct strings damage; /* what is wrong with the file */
};
void html_facts_done(struct html_facts *p);

/* Is nothing missing that was asked for? */
bool html_facts_complete(const struct html_facts *p);
/* Is each of the three events exact from every source that the kernel has, and was each asked for? */
bool html_facts_all_events(const struct html_facts *p);

/* The balance, whether it is complete, and what was traced. */
void html_facts_top(FILE *f, const struct html_facts *p);
void html_facts_blame(FILE *f, const struct html_facts *p);

#endif
