// SPDX-License-Identifier: Apache-2.0
// How often each VM spun at which of its addresses: from records, or from the map of the part 'guest_ip_counts'.
#include "ledger/guest_ips.h"

#include "base/cursor.h"
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

/* A recording may come from a stranger; in a live trace bpftrace's maps are the limit. */
#define RECORDED_MAX 65536u
#define VMS_MAX 65536u

struct vm_entry {
	struct guest_ip_vm vm;
	char *name; /* owned: what vm.vm points to */
};

/* An address of a VM; or, of the map, one of a vCPU. */
struct place_entry {
	const struct vm_entry *vm;
	int64_t key; /* of the map; of records 0 */
	struct guest_place place; /* the symbol is owned */
	uint64_t spins;
};

struct guest_ips {
	struct table vms, places;
	struct guest_ip_vm *sorted;
	size_t n_sorted;
};

static uint64_t hash_vm(const void *entry)
{
	const struct vm_entry *e = entry;

	return table_hash_bytes(table_hash_bytes(0, &e->vm.pid, sizeof(e->vm.pid)), e->name ? e->name : "", e->name ? strlen(e->name) : 0);
}

static bool same_vm(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	return x->vm.pid == y->vm.pid && !strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

static uint64_t hash_place(const void *entry)
{
	const struct place_entry *e = entry;
	uint64_t hash = table_hash_bytes(0, &e->vm, sizeof(const struct vm_entry *));

	hash = table_hash_bytes(hash, &e->key, sizeof(e->key));
	hash = table_hash_bytes(hash, &e->place.ip, sizeof(e->place.ip));
	return table_hash_bytes(hash, &e->place.known, sizeof(e->place.known));
}

static bool same_place(const void *a, const void *b)
{
	const struct place_entry *x = a, *y = b;

	return x->vm == y->vm && x->key == y->key && x->place.ip == y->place.ip && x->place.known == y->place.known;
}

struct guest_ips *guest_ips_new(void)
{
	struct guest_ips *g = xcalloc(1, sizeof(*g));

	g->vms = (struct table){ .hash = hash_vm, .same = same_vm };
	g->places = (struct table){ .hash = hash_place, .same = same_place };
	return g;
}

static void sorted_done(struct guest_ips *g)
{
	for (size_t i = 0; i < g->n_sorted; i++)
		free(g->sorted[i].rows);
	free(g->sorted);
	g->sorted = NULL;
	g->n_sorted = 0;
}

static void free_vm(void *entry)
{
	struct vm_entry *e = entry;

	free(e->name);
	free(e);
}

static void free_place(void *entry)
{
	struct place_entry *e = entry;

	free((char *)(uintptr_t)e->place.symbol);
	free(e);
}

void guest_ips_free(struct guest_ips *g)
{
	if (!g)
		return;
	sorted_done(g);
	table_done(&g->places, free_place);
	table_done(&g->vms, free_vm);
	free(g);
}

/* NULL: there are too many. */
static struct vm_entry *find_vm(struct guest_ips *g, uint32_t pid, const char *name)
{
	struct vm_entry *e = table_find(&g->vms, &(struct vm_entry){ .vm.pid = pid, .name = (char *)(uintptr_t)name });

	if (e || g->vms.n == VMS_MAX)
		return e;
	e = xcalloc(1, sizeof(*e));
	e->name = name ? xstrdup(name) : NULL;
	e->vm = (struct guest_ip_vm){ .pid = pid, .vm = e->name };
	table_add(&g->vms, e);
	return e;
}

static struct place_entry *find_place(struct guest_ips *g, const struct vm_entry *vm, int64_t key, const struct guest_place *place, size_t most)
{
	struct place_entry wanted = { .vm = vm, .key = key, .place = *place }, *e = table_find(&g->places, &wanted);

	if (e || g->places.n >= most)
		return e;
	e = xcalloc(1, sizeof(*e));
	*e = wanted;
	e->place.symbol = place->symbol ? xstrdup(place->symbol) : NULL;
	table_add(&g->places, e);
	return e;
}

void guest_ips_take_wait(struct guest_ips *g, const struct wait_event *w)
{
	struct vm_entry *vm = event_is_spin(event_bit(w->event)) ? find_vm(g, w->pid, w->vm) : NULL;
	struct place_entry *e = vm ? find_place(g, vm, 0, &w->guest, RECORDED_MAX) : NULL;

	if (vm)
		vm->vm.spins++;
	if (e)
		e->spins++;
}

/* ---- the map ---- */

/* bpftrace prints a signed number; one above INT64_MAX comes to the same. */
static bool take_number(struct cursor *c, uint64_t *ret)
{
	bool negative = cursor_take_text(c, "-");

	if (!cursor_take_u64(c, ret))
		return false;
	if (negative)
		*ret = 0 - *ret;
	return true;
}

/* "@g_n[KEY, IP, WHAT]: N" */
enum guest_ips_line guest_ips_take_line(struct guest_ips *g, const char *line, size_t n)
{
	struct cursor c = { line, line + n };
	struct guest_place place = { 0 };
	uint64_t key, known, spins;
	struct vm_entry *vm;
	struct place_entry *e;

	if (!cursor_take_text(&c, "@g_n["))
		return GUEST_IPS_OTHER;
	if (!take_number(&c, &key) || !cursor_take_text(&c, ", ") || !take_number(&c, &place.ip) || !cursor_take_text(&c, ", ") ||
	    !take_number(&c, &known) || !cursor_take_text(&c, "]: ") || !take_number(&c, &spins) || c.p != c.end || key > INT64_MAX ||
	    spins > INT64_MAX || known > (GUEST_IP | GUEST_MODE | GUEST_KERNEL))
		return GUEST_IPS_MALFORMED;
	if (!key) /* what gave the map its types */
		return GUEST_IPS_TAKEN;
	place.known = (unsigned int)known;
	vm = find_vm(g, (uint32_t)(key >> 16 & 0x3fffff), NULL);
	e = vm ? find_place(g, vm, (int64_t)key, &place, SIZE_MAX) : NULL;
	if (e)
		e->spins = spins;
	return GUEST_IPS_TAKEN;
}

void guest_ips_set_spins(struct guest_ips *g, uint32_t pid, uint64_t spins)
{
	struct vm_entry *vm = spins ? find_vm(g, pid, NULL) : NULL;

	if (vm)
		vm->vm.spins = spins;
}

/* ---- rows ---- */

static int compare_vms(const void *a, const void *b)
{
	const struct guest_ip_vm *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->vm ? x->vm : "", y->vm ? y->vm : "");
}

static int compare_places(const void *a, const void *b)
{
	const struct guest_ip_row *x = a, *y = b;

	if (x->place.ip != y->place.ip)
		return x->place.ip < y->place.ip ? -1 : 1;
	return (x->place.known > y->place.known) - (x->place.known < y->place.known);
}

static int compare_spins(const void *a, const void *b)
{
	const struct guest_ip_row *x = a, *y = b;

	if (x->spins != y->spins)
		return x->spins > y->spins ? -1 : 1;
	return compare_places(a, b);
}

/* The addresses of all vCPUs become those of their VM. */
static void merge_rows(struct guest_ip_vm *vm)
{
	size_t kept = 0;

	if (vm->n_rows)
		qsort(vm->rows, vm->n_rows, sizeof(*vm->rows), compare_places);
	for (size_t i = 0; i < vm->n_rows; i++) {
		vm->placed += vm->rows[i].spins;
		if (kept && !compare_places(&vm->rows[kept - 1], &vm->rows[i]))
			vm->rows[kept - 1].spins += vm->rows[i].spins;
		else
			vm->rows[kept++] = vm->rows[i];
	}
	vm->n_rows = kept;
	if (kept)
		qsort(vm->rows, kept, sizeof(*vm->rows), compare_spins);
	if (vm->spins < vm->placed)
		vm->spins = vm->placed;
}

size_t guest_ips_vms(struct guest_ips *g, struct guest_ip_vm **ret)
{
	const struct place_entry *e;
	struct vm_entry *vm;
	bool any = false;
	size_t cursor = 0;

	sorted_done(g);
	g->sorted = xcalloc(g->vms.n, sizeof(*g->sorted));
	while ((vm = table_next(&g->vms, &cursor)))
		g->sorted[g->n_sorted++] = vm->vm;
	if (g->n_sorted)
		qsort(g->sorted, g->n_sorted, sizeof(*g->sorted), compare_vms);
	for (cursor = 0; (e = table_next(&g->places, &cursor));) {
		struct guest_ip_vm *own = bsearch(&e->vm->vm, g->sorted, g->n_sorted, sizeof(*g->sorted), compare_vms);

		if (!own) /* every place is of a VM in the table */
			continue;
		any |= e->place.known != 0;
		own->rows = xgrow(own->rows, own->n_rows, sizeof(*own->rows));
		own->rows[own->n_rows++] = (struct guest_ip_row){ .place = e->place, .spins = e->spins };
	}
	for (size_t i = 0; i < g->n_sorted; i++)
		merge_rows(&g->sorted[i]);
	*ret = g->sorted;
	return any ? g->n_sorted : 0;
}
