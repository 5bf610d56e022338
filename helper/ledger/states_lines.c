// SPDX-License-Identifier: Apache-2.0
// The states of vCPUs over time, from the stat records of intervals.
#include "ledger/states_lines.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_WIDTH_NS 1000000

static uint64_t hash_line(const void *entry)
{
	const struct states_line *l = entry;

	return table_hash_bytes(table_hash_bytes(l->pid + 1, &l->vcpu, sizeof(l->vcpu)), l->vm, strlen(l->vm));
}

static bool same_line(const void *a, const void *b)
{
	const struct states_line *x = a, *y = b;

	return x->pid == y->pid && x->vcpu == y->vcpu && !strcmp(x->vm, y->vm);
}

struct states_lines *states_lines_new(void)
{
	struct states_lines *l = xcalloc(1, sizeof(*l));

	l->by_key = (struct table){ .hash = hash_line, .same = same_line };
	l->width_ns = FIRST_WIDTH_NS;
	return l;
}

void states_lines_free(struct states_lines *l)
{
	if (!l)
		return;
	table_done(&l->by_key, NULL);
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i]->vm);
		free(l->items[i]);
	}
	free(l->items);
	free(l);
}

/* ---- bins ---- */

static void fold(struct states_bins *bins)
{
	for (size_t s = 0; s < COUNTS_STATES; s++)
		for (size_t i = 0; i < STATES_BINS; i++)
			bins->ns[s][i] = 2 * i < STATES_BINS ? bins->ns[s][2 * i] + bins->ns[s][2 * i + 1] : 0;
}

/* Two bins become one, until the end of the interval has a place. */
static void grow(struct states_lines *l, uint64_t length_ns)
{
	while ((length_ns - 1) / l->width_ns >= STATES_BINS) {
		fold(&l->all);
		for (size_t i = 0; i < l->n; i++)
			fold(&l->items[i]->bins);
		l->width_ns *= 2;
	}
}

/* What is spread evenly over an interval of so many ns comes to this in its first part. */
static uint64_t part_of(uint64_t ns, uint64_t part_ns, uint64_t whole_ns)
{
	return (uint64_t)((unsigned __int128)ns * part_ns / whole_ns);
}

/* Differences of what came to until each border, so that the bins add up to all of it. */
static void spread(const struct states_lines *l, struct states_bins *bins, const struct account_states *s, const struct counts_times *times)
{
	uint64_t from_ns = s->from_ns - l->start_ns, until_ns = s->until_ns - l->start_ns;

	for (size_t i = from_ns / l->width_ns; i <= (until_ns - 1) / l->width_ns; i++) {
		uint64_t a_ns = i * l->width_ns > from_ns ? i * l->width_ns : from_ns;
		uint64_t b_ns = until_ns - i * l->width_ns > l->width_ns ? (i + 1) * l->width_ns : until_ns;

		for (size_t state = 0; state < COUNTS_STATES; state++)
			bins->ns[state][i] += part_of(times->ns[state], b_ns - from_ns, until_ns - from_ns) -
					      part_of(times->ns[state], a_ns - from_ns, until_ns - from_ns);
	}
}

static struct states_line *line_of(struct states_lines *l, const struct vcpu_states *vcpu)
{
	struct states_line *line = table_find(&l->by_key, &(struct states_line){ .pid = vcpu->pid, .vm = vcpu->vm, .vcpu = vcpu->vcpu });

	l->beyond |= !line && l->n == STATES_LINES;
	if (line || l->n == STATES_LINES)
		return line;
	line = xcalloc(1, sizeof(*line));
	line->pid = vcpu->pid;
	line->vm = xstrdup(vcpu->vm);
	line->vcpu = vcpu->vcpu;
	table_add(&l->by_key, line);
	l->items = xgrow(l->items, l->n, sizeof(*l->items));
	l->items[l->n++] = line;
	return line;
}

static void take_states(struct states_lines *l, const struct account_states *s)
{
	if (!l->n_intervals++)
		l->start_ns = l->last_ns = s->from_ns;
	grow(l, s->until_ns - l->start_ns);
	l->last_ns = s->until_ns > l->last_ns ? s->until_ns : l->last_ns;
	for (size_t i = 0; i < s->n; i++) {
		struct states_line *line = line_of(l, &s->items[i]);

		spread(l, &l->all, s, &s->items[i].times);
		if (line)
			spread(l, &line->bins, s, &s->items[i].times);
	}
}

void states_lines_take(struct states_lines *l, json_t *stat)
{
	struct account_states s;

	account_states_read(stat, &s);
	/* they come in order; what somebody else wrote before the first has no place */
	if (s.n && !s.total && s.until_ns > s.from_ns && (!l->n_intervals || s.from_ns >= l->start_ns))
		take_states(l, &s);
	account_states_done(&s);
}

size_t states_lines_n_bins(const struct states_lines *l)
{
	return l->n_intervals ? (l->last_ns - l->start_ns - 1) / l->width_ns + 1 : 0;
}
