// SPDX-License-Identifier: Apache-2.0
// Findings as gauges, for alert rules. What stands here is OpenMetrics 1.0, and read alike as Prometheus's text format 0.0.4.
#include "base/clean_text.h"
#include "base/memory.h"
#include "show/findings_show.h"
#include "show/stream.h"

#include <inttypes.h>
#include <string.h>

static void put_family(FILE *f, const char *name, const char *help)
{
	fprintf(f, "# HELP kvmwait_%s %s\n# TYPE kvmwait_%s gauge\n", name, help, name);
}

static void put_ratio(FILE *f, uint64_t hundredths)
{
	fprintf(f, "%" PRIu64 ".%04" PRIu64 "\n", hundredths / 10000, hundredths % 10000);
}

static bool is_same_series(const struct finding *a, const struct finding *b)
{
	return a->rule == b->rule && a->pid == b->pid && !a->vm == !b->vm && (!a->vm || !strcmp(a->vm, b->vm));
}

/* A VM can have several findings of one rule, of different culprits: the first is the worst, and names are no labels. */
static bool is_worst(const struct findings *findings, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (is_same_series(&findings->items[j], &findings->items[i]))
			return false;
	return true;
}

static void put_finding(FILE *f, const struct finding *finding)
{
	CLEANUP_FREE char *vm = text_recleaned(finding->vm);

	fprintf(f, "kvmwait_finding_share_ratio{rule=\"%s\"", finding->rule->name);
	if (finding->vm) {
		fputs(",vm=", f);
		stream_quoted(f, vm);
		fprintf(f, ",pid=\"%" PRIu32 "\"", finding->pid);
	}
	fprintf(f, ",fidelity=\"%s\"} ", finding_fidelity(finding));
	put_ratio(f, finding_share(finding));
}

void findings_write_openmetrics(FILE *f, const struct rules *rules, const struct findings *findings, const struct findings_frame *frame)
{
	put_family(f, "finding_share_ratio", "The part of the time that a finding costs; of several by one rule in one VM the largest.");
	for (size_t i = 0; i < findings->n; i++)
		if (is_worst(findings, i))
			put_finding(f, &findings->items[i]);
	put_family(f, "rule_asked", "1 where the rule could be applied, 0 where what it needs was not measured.");
	for (size_t i = 0; i < rules->n; i++)
		fprintf(f, "kvmwait_rule_asked{rule=\"%s\"} %d\n", rules->items[i].name, findings_asked(findings, &rules->items[i]));
	put_family(f, "why_vcpus", "vCPUs that the rules were applied to.");
	fprintf(f, "kvmwait_why_vcpus %zu\n", findings->n_vcpus);
	if (frame->have_tracer) {
		put_family(f, "why_tracer_share_ratio", "The part of the CPU time of the host that the measurement took.");
		fputs("kvmwait_why_tracer_share_ratio ", f);
		put_ratio(f, frame->tracer_share);
	}
	fputs("# EOF\n", f);
}
