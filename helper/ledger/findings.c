// SPDX-License-Identifier: Apache-2.0
// What kvmwait why concludes: the rules applied to the stat, blame and end records of one time.
#include "ledger/findings.h"

#include "base/memory.h"
#include "plan/select.h"
#include "record/event.h"

#include <stdlib.h>
#include <string.h>

#define ALL UINT64_C(10000) /* 100 % in hundredths of a percent */
#define MOST (10000 * ALL)

/* ---- fields ---- */

json_t *figures_field(json_t *figures, const char *field)
{
	size_t n = strcspn(field, ".");
	CLEANUP_FREE char *head = xstrndup(field, n);
	json_t *value = json_object_get(figures, head);

	return field[n] ? json_object_get(value, field + n + 1) : value;
}

bool figures_number(json_t *figures, const char *field, uint64_t *ret)
{
	const json_t *value = figures_field(figures, field);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

uint64_t figures_share(uint64_t part, uint64_t whole)
{
	unsigned __int128 share = whole ? (unsigned __int128)part * ALL / whole : 0;

	return share < MOST ? (uint64_t)share : MOST;
}

static bool condition_holds(const struct rule_condition *c, json_t *figures)
{
	const char *word = json_string_value(figures_field(figures, c->field));
	uint64_t value, whole;

	if (c->operator == RULE_IS || c->operator == RULE_IS_NOT)
		return word && !strcmp(word, c->word) == (c->operator == RULE_IS);
	if (!figures_number(figures, c->field, &value))
		return false;
	if (c->of && (!figures_number(figures, c->of, &whole) || !whole))
		return false;
	value = c->of ? figures_share(value, whole) : value;
	return c->operator == RULE_AT_LEAST ? value >= c->number : value < c->number;
}

static bool rule_holds(const struct rule *rule, json_t *figures)
{
	for (size_t i = 0; i < rule->n_conditions; i++)
		if (!condition_holds(&rule->conditions[i], figures))
			return false;
	return condition_holds(&rule->threshold, figures);
}

/* Adds the numbers of one object to those of another. Other members, and sums that do not fit, stay as the first had them. */
static void add_figures(json_t *to, json_t *from)
{
	const char *name;
	json_int_t sum;
	json_t *value;

	json_object_foreach(from, name, value) {
		json_t *old = json_object_get(to, name);

		if (!old)
			json_object_set(to, name, value);
		else if (json_is_integer(old) && json_is_integer(value) &&
			 !__builtin_add_overflow(json_integer_value(old), json_integer_value(value), &sum))
			json_object_set_new(to, name, json_integer(sum));
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
		have = have || figures_field(row, c->field);
		have_of = have_of || figures_field(row, c->of);
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

		figures_number(f->figures, f->rule->threshold.field, &f->cost);
		figures_number(f->figures, f->rule->threshold.of, &f->whole);
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
	return figures_share(f->cost, f->whole);
}
