// SPDX-License-Identifier: Apache-2.0
// The sentences of kvmwait why: the texts of rules with figures filled in.
#include "show/finding_text.h"

#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_share(FILE *f, uint64_t share)
{
	if (share >= 1000 || share % 100 == 0)
		fprintf(f, "%" PRIu64 " %%", (share + 50) / 100);
	else
		fprintf(f, "%" PRIu64 ".%" PRIu64 " %%", share / 100, share / 10 % 10);
}

static void put_duration(FILE *f, uint64_t ns)
{
	if (ns >= NS_PER_S)
		fprintf(f, "%" PRIu64 ".%" PRIu64 " s", ns / NS_PER_S, ns / (NS_PER_S / 10) % 10);
	else if (ns >= NS_PER_MS)
		fprintf(f, "%" PRIu64 ".%" PRIu64 " ms", ns / NS_PER_MS, ns / (NS_PER_MS / 10) % 10);
	else
		fprintf(f, "%" PRIu64 " us", ns / 1000);
}

static void put_vcpus(FILE *f, const struct finding *finding)
{
	const int64_t *v = finding->vcpus;
	size_t n = finding->n_vcpus;

	fprintf(f, n == 1 ? "vCPU" : "vCPUs");
	if (n > 2 && v[n - 1] - v[0] == (int64_t)n - 1) {
		fprintf(f, " %" PRId64 " to %" PRId64, v[0], v[n - 1]);
		return;
	}
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%" PRId64, !i ? " " : i + 1 == n ? " and " : ", ", v[i]);
}

/* "web01 vCPU 3", "sh (340)". Names in records are cleaned. */
static void put_culprit(FILE *f, json_t *culprit)
{
	const char *vm = json_string_value(json_object_get(culprit, "vm")), *comm = json_string_value(json_object_get(culprit, "comm"));
	uint64_t tid = 0, vcpu = 0;

	figures_number(culprit, "tid", &tid);
	if (vm && figures_number(culprit, "vcpu", &vcpu))
		fprintf(f, "%s vCPU %" PRIu64, vm, vcpu);
	else if (comm)
		fprintf(f, "%s (%" PRIu64 ")", comm, tid);
	else
		fputs("an unknown thread", f);
}

static void put_value(FILE *f, json_t *figures, const char *field)
{
	const char *word = json_string_value(figures_field(figures, field));
	size_t n = strlen(field);
	uint64_t value;

	if (word)
		fputs(word, f);
	else if (!figures_number(figures, field, &value))
		fputs("?", f);
	else if (n > 3 && !strcmp(field + n - 3, "_ns"))
		put_duration(f, value);
	else
		fprintf(f, "%" PRIu64, value);
}

static void put_field(FILE *f, const struct finding *finding, const char *field)
{
	const char *of = strstr(field, " % of ");
	CLEANUP_FREE char *part = xstrndup(field, of ? (size_t)(of - field) : strlen(field));
	uint64_t a = 0, b = 0;

	if (!strcmp(field, "share"))
		put_share(f, finding_share(finding));
	else if (!strcmp(field, "vcpus"))
		put_vcpus(f, finding);
	else if (!strcmp(field, "culprit"))
		put_culprit(f, json_object_get(finding->figures, "culprit"));
	else if (!of)
		put_value(f, finding->figures, part);
	else if (figures_number(finding->figures, part, &a) && figures_number(finding->figures, of + strlen(" % of "), &b))
		put_share(f, figures_share(a, b));
	else
		fputs("?", f);
}

char *finding_text(const struct finding *finding, const char *text)
{
	char *result = NULL;
	size_t size;
	FILE *f = open_memstream(&result, &size);

	if (!f)
		abort();
	while (*text) {
		size_t n = strcspn(text, "{");

		fwrite(text, 1, n, f);
		text += n;
		if (*text) {
			size_t length = strcspn(text + 1, "}");
			CLEANUP_FREE char *field = xstrndup(text + 1, length);

			put_field(f, finding, field);
			text += length + 1 + (text[length + 1] == '}');
		}
	}
	fclose(f);
	return result;
}
