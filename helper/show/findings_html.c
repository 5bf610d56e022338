// SPDX-License-Identifier: Apache-2.0
// The findings as the first section of the HTML page.
#include "base/memory.h"
#include "show/finding_text.h"
#include "show/findings_show.h"
#include "show/html.h"

#include <inttypes.h>

#define MAX_ON_PAGE 30 /* findings */

/* Texts of rules come with names from the recording in them. */
static void put_finding(FILE *f, const struct finding *finding)
{
	CLEANUP_FREE char *say = finding_text(finding, finding->rule->say);
	CLEANUP_FREE char *next = finding_text(finding, finding->rule->next);
	uint64_t share = finding_share(finding);

	fprintf(f, "<li><p><strong>%" PRIu64 ".%" PRIu64 " %%</strong> ", share / 100, share / 10 % 10);
	if (finding->vm) {
		fputs("<bdi>", f);
		html_recleaned(f, finding->vm);
		fprintf(f, "</bdi> <span class=\"pid\">pid %" PRIu32 "</span>: ", finding->pid);
	}
	html_recleaned(f, say);
	fprintf(f, ". <span class=\"pid\">%s</span></p>\n<p class=\"hint\">Next: ", finding_fidelity(finding));
	html_recleaned(f, next);
	if (finding->rule->see) {
		fputs("; ", f);
		html_recleaned(f, finding->rule->see);
	}
	fputs(".</p></li>\n", f);
}

static void put_gaps(FILE *f, const struct rules *rules, const struct findings *findings)
{
	if (!findings->n_gaps)
		return;
	fprintf(f, "<details><summary>%zu of %zu rules could not be applied</summary><ul class=\"plain\">\n", findings->n_gaps, rules->n);
	for (size_t i = 0; i < findings->n_gaps; i++) {
		fputs("<li>", f);
		html_recleaned(f, findings->gaps[i].rule->name);
		fputs(": ", f);
		html_recleaned(f, findings->gaps[i].why);
		fputs("</li>\n", f);
	}
	fputs("</ul></details>\n", f);
}

void findings_write_html(FILE *f, const struct rules *rules, const struct findings *findings, size_t recording)
{
	CLEANUP_FREE char *scope = findings_scope_text(rules, findings);
	size_t shown = findings->n < MAX_ON_PAGE ? findings->n : MAX_ON_PAGE;

	fprintf(f, "<section aria-labelledby=\"h%zu-findings\"><h3 id=\"h%zu-findings\">Findings</h3>\n", recording, recording);
	if (shown)
		fputs("<ol class=\"findings\">\n", f);
	for (size_t i = 0; i < shown; i++)
		put_finding(f, &findings->items[i]);
	if (shown)
		fputs("</ol>\n", f);
	if (findings->n > shown)
		fprintf(f, "<p class=\"note\">%zu findings of smaller shares are left out; <code>kvmwait why -f json</code> has all.</p>\n",
			findings->n - shown);
	if (*scope)
		fprintf(f, "<p class=\"note\">%c%s.</p>\n", *scope - 'a' + 'A', scope + 1);
	put_gaps(f, rules, findings);
	fputs("</section>\n", f);
}
