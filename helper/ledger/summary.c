// SPDX-License-Identifier: Apache-2.0
// A stream in one table: how many waits, by VM, vCPU, event and source, how often, from when to when.
#include "ledger/summary.h"

#include "base/clock.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Whoever writes the stream chooses the keys: more of them than any host has are one row. */
#define ROWS_MAX 65536u

/* A row is of one vCPU, of a VM, or of all. */
enum scope {
	SCOPE_ALL,
	SCOPE_VM,
	SCOPE_VCPU,
};

struct row {
	enum scope scope;
	uint32_t pid;
	int64_t vcpu;
	char event[NAME_BYTES], source[NAME_BYTES];
	char *vm; /* NULL: the TGID stands for it */
	uint64_t n, first_ns, last_ns;
};

/* Rows, and where to find them: an open table of their numbers and 1, at least twice as large. */
struct rows {
	struct row *rows;
	size_t n, room;
	uint32_t *table;
	size_t table_size; /* a power of two */
};

struct summary {
	struct rows rows;
	struct row others; /* for which there was no room */
	uint64_t start_ns; /* of the trace, where that is known */
	uint64_t outcomes;
};

static void rows_init(struct rows *r)
{
	*r = (struct rows){ .room = 256, .table_size = 1024 };
	r->rows = xcalloc(r->room, sizeof(*r->rows));
	r->table = xcalloc(r->table_size, sizeof(*r->table));
}

static void rows_done(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->rows[i].vm);
	free(r->rows);
	free(r->table);
}

struct summary *summary_new(void)
{
	struct summary *s = xcalloc(1, sizeof(*s));

	rows_init(&s->rows);
	return s;
}

void summary_free(struct summary *s)
{
	if (!s)
		return;
	rows_done(&s->rows);
	free(s);
}

static size_t hash_of(const struct row *key)
{
	uint64_t h = key->pid * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)key->vcpu;

	h = (h ^ (unsigned char)*key->event ^ (uint64_t)(unsigned char)*key->source << 8) * UINT64_C(0xff51afd7ed558ccd);
	return (size_t)(h >> 32);
}

static bool is_same(const struct row *a, const struct row *b)
{
	if (a->pid != b->pid || a->vcpu != b->vcpu || a->scope != b->scope || memcmp(a->event, b->event, NAME_BYTES) ||
	    memcmp(a->source, b->source, NAME_BYTES))
		return false;
	return a->vm == b->vm || (a->vm && b->vm && !strcmp(a->vm, b->vm));
}

/* Where the row is, or would be. */
static uint32_t *find(const struct rows *r, const struct row *key)
{
	size_t mask = r->table_size - 1, i = hash_of(key) & mask;

	while (r->table[i] && !is_same(&r->rows[r->table[i] - 1], key))
		i = (i + 1) & mask;
	return &r->table[i];
}

static void grow(struct rows *r)
{
	r->room *= 2;
	r->rows = xrealloc(r->rows, r->room, sizeof(*r->rows));
	free(r->table);
	r->table_size *= 2;
	r->table = xcalloc(r->table_size, sizeof(*r->table));
	for (size_t i = 0; i < r->n; i++)
		*find(r, &r->rows[i]) = (uint32_t)i + 1;
}

/* The row of the key, which is made where it is missing; its name of the VM is copied then. */
static struct row *get(struct rows *r, const struct row *key)
{
	uint32_t *found = find(r, key);
	struct row *row;

	if (*found)
		return &r->rows[*found - 1];
	if (r->n == r->room) {
		grow(r);
		found = find(r, key);
	}
	*found = (uint32_t)r->n + 1;
	row = &r->rows[r->n++];
	*row = *key;
	row->vm = key->vm ? xstrdup(key->vm) : NULL;
	return row;
}

static void add(struct row *to, uint64_t n, uint64_t first_ns, uint64_t last_ns)
{
	if (!to->n || first_ns < to->first_ns)
		to->first_ns = first_ns;
	if (last_ns > to->last_ns)
		to->last_ns = last_ns;
	to->n += n;
}

static void take_wait(struct summary *s, const struct wait_event *w)
{
	struct row key = { .scope = SCOPE_VCPU, .pid = w->pid, .vcpu = w->vcpu, .vm = (char *)w->vm }, *row = &s->others;

	memcpy(key.event, w->event, sizeof(key.event));
	memcpy(key.source, w->source, sizeof(key.source));
	if (s->rows.n < ROWS_MAX)
		row = get(&s->rows, &key);
	else if (*find(&s->rows, &key))
		row = &s->rows.rows[*find(&s->rows, &key) - 1];
	add(row, 1, w->ts_ns, w->ts_ns);
}

void summary_take(struct summary *s, const struct record *r)
{
	if (r->type == RECORD_WAIT)
		take_wait(s, &r->wait);
	else if (r->type == RECORD_OUTCOME)
		s->outcomes += r->outcome.end != OUTCOME_UNSEEN;
	else if (r->type == RECORD_META)
		s->start_ns = (uint64_t)json_integer_value(json_object_get(json_object_get(r->object, "clock"), "boottime"));
}

/* ---- the table ---- */

static const char *vm_text(const struct row *row, char *number, size_t size)
{
	if (row->scope == SCOPE_ALL)
		return "all";
	if (row->vm)
		return row->vm;
	snprintf(number, size, "%" PRIu32, row->pid);
	return number;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* All, then each VM and its vCPUs. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	char x_number[16], y_number[16];
	int order = compare_numbers(x->scope != SCOPE_ALL, y->scope != SCOPE_ALL);

	if (!order)
		order = strcmp(vm_text(x, x_number, sizeof(x_number)), vm_text(y, y_number, sizeof(y_number)));
	if (!order)
		order = compare_numbers(x->pid, y->pid);
	if (!order)
		order = compare_numbers(x->scope, y->scope);
	if (!order)
		order = compare_numbers((uint64_t)x->vcpu, (uint64_t)y->vcpu);
	if (!order)
		order = strcmp(x->event, y->event);
	return order ? order : strcmp(x->source, y->source);
}

/* Adds the rows of VMs, and of all. */
static void add_wider(struct rows *to, const struct rows *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct row *row = &from->rows[i];
		struct row key = *row;

		key.n = key.first_ns = key.last_ns = 0;
		add(get(to, &key), row->n, row->first_ns, row->last_ns);
		key.vcpu = 0;
		key.scope = SCOPE_VM;
		add(get(to, &key), row->n, row->first_ns, row->last_ns);
		key.pid = 0;
		key.vm = NULL;
		key.scope = SCOPE_ALL;
		add(get(to, &key), row->n, row->first_ns, row->last_ns);
	}
}

/* "  123.456789", after the start of the trace; an event may precede that by a hair. */
static void put_time(FILE *f, uint64_t ts_ns, uint64_t start_ns)
{
	uint64_t since_ns = ts_ns > start_ns ? ts_ns - start_ns : 0;

	fprintf(f, " %6" PRIu64 ".%06" PRIu64, since_ns / NS_PER_S, since_ns / 1000 % 1000000);
}

static void put_row(FILE *f, const struct row *row, const struct row *whole, uint64_t start_ns)
{
	uint64_t ns = whole->last_ns - whole->first_ns;
	char number[16], vcpu[24] = "all", rate[32] = "-";

	if (row->scope == SCOPE_VCPU)
		snprintf(vcpu, sizeof(vcpu), "%" PRId64, row->vcpu);
	if (ns)
		snprintf(rate, sizeof(rate), "%.1f", (double)row->n * (double)NS_PER_S / (double)ns);
	fprintf(f, "%-16s %4s  %-9s %-7s %12" PRIu64 " %12s", vm_text(row, number, sizeof(number)), vcpu, row->event, row->source, row->n, rate);
	put_time(f, row->first_ns, start_ns);
	put_time(f, row->last_ns, start_ns);
	fputc('\n', f);
}

void summary_write(struct summary *s, FILE *file)
{
	struct row whole = { 0 };
	struct rows all;

	rows_init(&all);
	add_wider(&all, &s->rows);
	qsort(all.rows, all.n, sizeof(*all.rows), compare_rows);
	for (size_t i = 0; i < s->rows.n; i++)
		add(&whole, s->rows.rows[i].n, s->rows.rows[i].first_ns, s->rows.rows[i].last_ns);
	if (s->others.n)
		add(&whole, s->others.n, s->others.first_ns, s->others.last_ns);
	if (!s->start_ns || s->start_ns > whole.last_ns)
		s->start_ns = whole.first_ns;
	fprintf(file, "%-16s %4s  %-9s %-7s %12s %12s %13s %13s\n", "VM", "VCPU", "EVENT", "SOURCE", "COUNT", "RATE(/s)", "FIRST(s)", "LAST(s)");
	for (size_t i = 0; i < all.n; i++)
		put_row(file, &all.rows[i], &whole, s->start_ns);
	if (s->others.n)
		fprintf(file, "%" PRIu64 " more waits: the stream has too many kinds of VM, vCPU, event and source for one table\n", s->others.n);
	if (s->outcomes)
		fprintf(file, "%" PRIu64 " outcomes\n", s->outcomes);
	rows_done(&all);
}
