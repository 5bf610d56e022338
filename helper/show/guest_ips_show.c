// SPDX-License-Identifier: Apache-2.0
// Where guests spin, as a table for a person and as JSON.
#include "show/guest_ips_show.h"

#include "show/stream.h"

#include <inttypes.h>

#define PRINTED_ROWS 10u
#define JSON_ROWS 1000u

void guest_ips_name(struct guest_ip_vm *vms, size_t n, struct vmnames *names, struct guest_symbols *symbols)
{
	for (size_t i = 0; i < n; i++) {
		if (!vms[i].vm && names)
			vms[i].vm = vmnames_get(names, vms[i].pid);
		for (size_t j = 0; j < vms[i].n_rows; j++)
			guest_symbols_name(symbols, vms[i].pid, vms[i].vm, &vms[i].rows[j].place);
	}
}

/* In hundredths of a percent, rounded. */
static uint64_t share_of(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)(((unsigned __int128)part * 10000 + whole / 2) / whole) : 0;
}

static uint64_t spins_from(const struct guest_ip_vm *vm, size_t first)
{
	uint64_t spins = 0;

	for (size_t i = first; i < vm->n_rows; i++)
		spins += vm->rows[i].spins;
	return spins;
}

static void print_row(FILE *f, const struct guest_ip_vm *vm, const struct guest_ip_row *row)
{
	uint64_t share = share_of(row->spins, vm->spins);
	const char *mode = guest_mode_name(&row->place);

	fprintf(f, "%12" PRIu64 " %4" PRIu64 ".%02" PRIu64 "  %-6s ", row->spins, share / 100, share % 100, mode ? mode : "-");
	if (row->place.known & GUEST_IP)
		fprintf(f, "%016" PRIx64, row->place.ip);
	else
		fputs("not known", f);
	if (row->place.symbol)
		fprintf(f, "  %s+0x%" PRIx64, row->place.symbol, row->place.offset);
	putc('\n', f);
}

static void print_vm(FILE *f, const struct guest_ip_vm *vm, const char *label)
{
	fprintf(f, "\nwhere %s spins:\n%12s %7s  %-6s %-16s  %s\n", label, "SPINS", "SHARE%", "MODE", "ADDRESS", "FUNCTION");
	for (size_t i = 0; i < vm->n_rows && i < PRINTED_ROWS; i++)
		print_row(f, vm, &vm->rows[i]);
	if (vm->n_rows > PRINTED_ROWS)
		fprintf(f, "%12" PRIu64 " spins at %zu more addresses\n", spins_from(vm, PRINTED_ROWS), vm->n_rows - PRINTED_ROWS);
	if (vm->spins > vm->placed)
		fprintf(f, "%12" PRIu64 " spins at addresses that there was no room for\n", vm->spins - vm->placed);
}

void guest_ips_print(FILE *f, const struct guest_ip_vm *vms, size_t n, struct vm_labels *labels)
{
	for (size_t i = 0; i < n; i++)
		vm_label(labels, vms[i].vm, vms[i].pid);
	for (size_t i = 0; i < n; i++)
		print_vm(f, &vms[i], vm_label(labels, vms[i].vm, vms[i].pid));
}

static void write_json_row(FILE *f, const struct guest_ip_vm *vm, const struct guest_ip_row *row)
{
	const char *mode = guest_mode_name(&row->place);

	fprintf(f, "{\"spins\":%" PRIu64 ",\"share\":%" PRIu64, row->spins, share_of(row->spins, vm->spins));
	if (row->place.known & GUEST_IP)
		fprintf(f, ",\"guest_ip\":%" PRId64, (int64_t)row->place.ip);
	if (mode)
		fprintf(f, ",\"guest_mode\":\"%s\"", mode);
	if (row->place.symbol)
		fprintf(f, ",\"guest_symbol\":\"%s+0x%" PRIx64 "\"", row->place.symbol, row->place.offset);
	putc('}', f);
}

static void write_json_vm(FILE *f, const struct guest_ip_vm *vm)
{
	fputs("{\"vm\":", f);
	if (vm->vm)
		stream_quoted(f, vm->vm);
	else
		fprintf(f, "\"%" PRIu32 "\"", vm->pid);
	fprintf(f, ",\"pid\":%" PRIu32 ",\"spins\":%" PRIu64 ",\"unplaced\":%" PRIu64, vm->pid, vm->spins, vm->spins - vm->placed);
	if (vm->n_rows > JSON_ROWS)
		fprintf(f, ",\"more\":%zu", vm->n_rows - JSON_ROWS);
	fputs(",\"rows\":[", f);
	for (size_t i = 0; i < vm->n_rows && i < JSON_ROWS; i++) {
		if (i)
			putc(',', f);
		write_json_row(f, vm, &vm->rows[i]);
	}
	fputs("]}", f);
}

void guest_ips_write_json(FILE *f, const struct guest_ip_vm *vms, size_t n)
{
	putc('[', f);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putc(',', f);
		write_json_vm(f, &vms[i]);
	}
	putc(']', f);
}
