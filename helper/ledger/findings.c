// SPDX-License-Identifier: Apache-2.0
// What kvmwait why concludes: the rules applied to the stat, blame and end records of one time.
#include "ledger/findings.h"

#include "base/clock.h"
#include "base/memory.h"
#include "plan/select.h"
#include "record/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL UINT64_C(10000) /* 100 % in hundredths of a percent */
#define MOST (10000 * ALL)

/* ---- fields ---- */

/* "culprit.kind" is the member kind of the member culprit. */
static json_t *field_of(json_t *figures, const char *field)
{
	size_t n = strcspn(field, ".");
	CLEANUP_FREE char *head = xstrndup(field, n);
	json_t *value = json_object_get(figures, head);

	return field[n] ? json_object_get(value, field + n + 1) : value;
}

static bool number_of(json_t *figures, const char *field, uint64_t *ret)
{
	const json_t *value = field_of(figures, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* Hundredths of a percent, a million percent at most; 0 of 0 is 0. */
static uint64_t share_of(uint64_t part, uint64_t whole)
{
	unsigned __int128 share = whole ? (unsigned __int128)part * ALL / whole : 0;

	return share < MOST ? (uint64_t)share : MOST;
}

static bool condition_holds(const struct rule_condition *c, json_t *figures)
{
	const char *word = json_string_value(field_of(figures, c->field));
	uint64_t value, whole;

	if (c->operator == RULE_IS || c->operator == RULE_IS_NOT)
		return word && !strcmp(word, c->word) == (c->operator == RULE_IS);
	if (!number_of(figures, c->field, &value))
		return false;
	if (c->of && (!number_of(figures, c->of, &whole) || !whole))
		return false;
	value = c->of ? share_of(value, whole) : value;
	return c->operator == RULE_AT_LEAST ? value >= c->number : value < c->number;
}

static bool rule_holds(const struct rule *rule, json_t *figures)
{
	for (size_t i = 0; i < rule->n_conditions; i++)
		if (!condition_holds(&rule->conditions[i], figures))
			return false;
	return condition_holds(&rule->threshold, figures);
}

/* Adds the numbers of one object to those of another. Other members stay as the first had them. */
static void add_figures(json_t *to, json_t *from)
{
	const char *name;
	json_t *value;

	json_object_foreach(from, name, value) {
		json_t *old = json_object_get(to, name);

		if (!old)
			json_object_set(to, name, value);
		else if (json_is_integer(old) && json_is_integer(value))
			json_object_set_new(to, name, json_integer((json_int_t)((uint64_t)json_integer_value(old) +
										(uint64_t)json_integer_value(value))));
	}
}

/* ---- rows ---- */

static bool same_member(json_t *a, json_t *b, const char *name)
{
	const json_t *x = json_object_get(a, name), *y = json_object_get(b, name);

	return (!x && !y) || (x && y && json_equal(x, y));
}

static bool same_vm(json_t *a, json_t *b)
{
	return same_member(a, b, "pid") && same_member(a, b, "vm");
}

static json_t *row_of_vcpu(json_t *vcpus, json_t *row)
{
	json_t *candidate;
	size_t i;

	json_array_foreach(vcpus, i, candidate) {
		if (same_vm(candidate, row) && same_member(candidate, row, "vcpu"))
			return candidate;
	}
	return NULL;
}

/* The rows of the stat record. Where it has no wall time of each vCPU, its own length is that. */
static json_t *vcpu_rows(json_t *stat)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(json_object_get(stat, "rows"), i, row) {
		json_t *figures = json_copy(row);

		if (!json_object_get(figures, "wall_ns"))
			json_object_set(figures, "wall_ns", json_object_get(stat, "ns"));
		json_array_append_new(rows, figures);
	}
	return rows;
}

/* How long a vCPU of the blame record was there: the sum of its states. */
static json_t *wall_of(json_t *row)
{
	static const char *const states[] = { "run_ns", "ready_ns", "blocked_ns", "unknown_ns" };
	uint64_t wall_ns = 0;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		wall_ns += json_count(row, states[i]);
	return json_integer((json_int_t)wall_ns);
}

/* The rows of the blame record, with the wall time of the vCPU that was kept waiting. */
static json_t *culprit_rows(json_t *blame)
{
	json_t *rows = json_array(), *row;
	size_t i;

	json_array_foreach(json_object_get(blame, "rows"), i, row) {
		json_t *figures = json_copy(row), *vcpu = row_of_vcpu(json_object_get(blame, "vcpus"), row);

		if (vcpu)
			json_object_set_new(figures, "wall_ns", wall_of(vcpu));
		json_array_append_new(rows, figures);
	}
	return rows;
}

/* The rows of the vCPUs of each VM, added up, with what blame has on the VM. */
static json_t *vm_rows(json_t *vcpus, json_t *blame)
{
	json_t *vms = json_array(), *row, *vm = NULL;
	size_t i, j;

	json_array_foreach(vcpus, i, row) {
		json_array_foreach(vms, j, vm) {
			if (same_vm(vm, row))
				break;
		}
		if (j == json_array_size(vms)) {
			vm = json_copy(row);
			json_object_del(vm, "vcpu");
			json_array_append_new(vms, vm);
		} else {
			json_t *pid = json_incref(json_object_get(vm, "pid"));

			add_figures(vm, row);
			json_object_del(vm, "vcpu");
			json_object_set_new(vm, "pid", pid);
		}
	}
	json_array_foreach(json_object_get(blame, "vms"), i, row) {
		json_array_foreach(vms, j, vm) {
			if (same_vm(vm, row))
				json_object_update_missing(vm, row);
		}
	}
	return vms;
}

static json_t *run_rows(json_t *end)
{
	json_t *rows = json_array();

	if (end)
		json_array_append(rows, end);
	return rows;
}

/* ---- findings ---- */

static int compare_vcpus(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void add_vcpu(struct finding *f, json_t *row)
{
	const json_t *vcpu = json_object_get(row, "vcpu");

	if (!json_is_integer(vcpu))
		return;
	for (size_t i = 0; i < f->n_vcpus; i++)
		if (f->vcpus[i] == json_integer_value(vcpu))
			return;
	f->vcpus = xgrow(f->vcpus, f->n_vcpus, sizeof(*f->vcpus));
	f->vcpus[f->n_vcpus++] = json_integer_value(vcpu);
}

static struct finding *find_finding(struct findings *all, const struct rule *rule, json_t *row)
{
	for (size_t i = 0; i < all->n; i++) {
		struct finding *f = &all->items[i];

		if (f->rule == rule && same_vm(f->figures, row) &&
		    (rule->scope != RULE_CULPRIT || same_member(f->figures, row, "culprit")))
			return f;
	}
	return NULL;
}

static void take_row(struct findings *all, const struct rule *rule, json_t *row, bool inferred)
{
	struct finding *f = find_finding(all, rule, row);

	if (!f) {
		all->items = xgrow(all->items, all->n, sizeof(*all->items));
		f = &all->items[all->n++];
		*f = (struct finding){
			.rule = rule,
			.vm = json_string_value(json_object_get(row, "vm")),
			.pid = (uint32_t)json_integer_value(json_object_get(row, "pid")),
			.inferred = inferred,
			.figures = json_copy(row),
		};
	} else {
		add_figures(f->figures, row);
		json_object_set_new(f->figures, "pid", json_integer(f->pid));
	}
	add_vcpu(f, row);
}

/* ---- what can be asked ---- */

/* The fidelity of an event over all its sources: the worst of those that exist. False where the trace was made without it. */
static bool fidelity_in(json_t *meta, const char *event, enum fidelity *ret, const char **ret_why)
{
	enum fidelity worst = FIDELITY_ABSENT;
	bool any = false, known = false;
	json_t *probe;
	size_t i;

	json_array_foreach(json_object_get(meta, "probes"), i, probe) {
		const char *name = json_string_value(json_object_get(probe, "event"));
		const char *text = json_string_value(json_object_get(probe, "fidelity"));

		if (!name || !text || strcmp(name, event) != 0)
			continue;
		known = true;
		*ret_why = json_string_value(json_object_get(probe, "why"));
		if (!strcmp(text, fidelity_name(FIDELITY_INFERRED)))
			worst = FIDELITY_INFERRED;
		else if (!strcmp(text, fidelity_name(FIDELITY_EXACT)) && !any)
			worst = FIDELITY_EXACT;
		any = any || strcmp(text, fidelity_name(FIDELITY_ABSENT)) != 0;
	}
	*ret = any ? worst : FIDELITY_ABSENT;
	return known;
}

/* The first field of a condition that no row has. */
static const char *missing_field(const struct rule_condition *c, json_t *rows)
{
	bool have = false, have_of = !c->of;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		have = have || field_of(row, c->field);
		have_of = have_of || field_of(row, c->of);
	}
	return have ? have_of ? NULL : c->of : c->field;
}

/* Can the rule be asked? Else why not; the caller frees. */
static char *gap_of(const struct rule *rule, json_t *meta, json_t *rows, bool *ret_inferred)
{
	*ret_inferred = false;
	if (!rows)
		return xstrdup("not recorded");
	for (size_t i = 0; i < rule->needs.n; i++) {
		const char *why = NULL;
		enum fidelity fidelity;

		if (!fidelity_in(meta, rule->needs.items[i], &fidelity, &why))
			return xstrdup("not recorded");
		if (fidelity == FIDELITY_ABSENT)
			return xasprintf("%s cannot be measured on this kernel%s%s", rule->needs.items[i], why ? ": " : "", why ? why : "");
		*ret_inferred |= fidelity == FIDELITY_INFERRED;
	}
	if (json_array_size(rows)) {
		const char *missing = missing_field(&rule->threshold, rows);

		for (size_t i = 0; i < rule->n_conditions && !missing; i++)
			missing = missing_field(&rule->conditions[i], rows);
		if (missing)
			return xasprintf("'%s' was not recorded", missing);
	}
	return NULL;
}

static int compare_findings(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if ((x->rule->scope == RULE_RUN) != (y->rule->scope == RULE_RUN))
		return x->rule->scope == RULE_RUN ? -1 : 1;
	if (x->cost != y->cost)
		return x->cost < y->cost ? 1 : -1;
	return x->rule->line < y->rule->line ? -1 : x->rule->line > y->rule->line;
}

/* Moves each symptom behind the first culprit of its VM. */
static void sort_symptoms(struct findings *all)
{
	for (size_t i = all->n; i-- > 0;) {
		const struct finding f = all->items[i];
		size_t j = i + 1;

		while (f.rule->symptom && j < all->n && (all->items[j].rule->scope != RULE_CULPRIT || all->items[j].pid != f.pid))
			j++;
		if (!f.rule->symptom || j == all->n)
			continue;
		memmove(&all->items[i], &all->items[i + 1], (j - i) * sizeof(f));
		all->items[j] = f;
	}
}

void findings_make(const struct rules *rules, json_t *meta, json_t *stat, json_t *blame, json_t *end, struct findings *ret)
{
	json_t *vcpus = stat ? vcpu_rows(stat) : NULL;
	json_t *rows[RULE_SCOPES] = {
		[RULE_CULPRIT] = blame ? culprit_rows(blame) : NULL,
		[RULE_VCPU] = vcpus,
		[RULE_VM] = stat ? vm_rows(vcpus, blame) : NULL,
		[RULE_RUN] = end ? run_rows(end) : NULL,
	};
	struct findings all = { .n_vms = json_array_size(rows[RULE_VM]), .n_vcpus = json_array_size(rows[RULE_VCPU]) };

	for (size_t i = 0; i < rules->n; i++) {
		const struct rule *rule = &rules->items[i];
		bool inferred;
		char *why = gap_of(rule, meta, rows[rule->scope], &inferred);
		json_t *row;
		size_t j;

		if (why) {
			all.gaps = xgrow(all.gaps, all.n_gaps, sizeof(*all.gaps));
			all.gaps[all.n_gaps++] = (struct finding_gap){ .rule = rule, .why = why };
			continue;
		}
		json_array_foreach(rows[rule->scope], j, row) {
			if (rule_holds(rule, row))
				take_row(&all, rule, row, inferred);
		}
	}
	for (size_t i = 0; i < all.n; i++) {
		struct finding *f = &all.items[i];

		number_of(f->figures, f->rule->threshold.field, &f->cost);
		number_of(f->figures, f->rule->threshold.of, &f->whole);
		if (f->n_vcpus)
			qsort(f->vcpus, f->n_vcpus, sizeof(*f->vcpus), compare_vcpus);
	}
	if (all.n)
		qsort(all.items, all.n, sizeof(*all.items), compare_findings);
	sort_symptoms(&all);
	for (size_t i = 0; i < RULE_SCOPES; i++)
		json_decref(rows[i]);
	*ret = all;
}

void findings_done(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].vcpus);
		json_decref(f->items[i].figures);
	}
	for (size_t i = 0; i < f->n_gaps; i++)
		free(f->gaps[i].why);
	free(f->items);
	free(f->gaps);
	*f = (struct findings){ 0 };
}

uint64_t finding_share(const struct finding *f)
{
	return share_of(f->cost, f->whole);
}

/* ---- text ---- */

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

	number_of(culprit, "tid", &tid);
	if (vm && number_of(culprit, "vcpu", &vcpu))
		fprintf(f, "%s vCPU %" PRIu64, vm, vcpu);
	else if (comm)
		fprintf(f, "%s (%" PRIu64 ")", comm, tid);
	else
		fputs("an unknown thread", f);
}

static void put_value(FILE *f, json_t *figures, const char *field)
{
	const char *word = json_string_value(field_of(figures, field));
	size_t n = strlen(field);
	uint64_t value;

	if (word)
		fputs(word, f);
	else if (!number_of(figures, field, &value))
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
	else if (number_of(finding->figures, part, &a) && number_of(finding->figures, of + strlen(" % of "), &b))
		put_share(f, share_of(a, b));
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
