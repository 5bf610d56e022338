// SPDX-License-Identifier: Apache-2.0
// Where guests spin, as a table for a person, as JSON, and as a section of the HTML page.
#include "show/guest_ips_show.h"

#include "show/html.h"
#include "show/stream.h"

#include <inttypes.h>

#define PRINTED_ROWS 10u
#define JSON_ROWS 1000u
#define HTML_VMS 64u

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

static void write_html_row(FILE *f, const struct guest_ip_vm *vm, const struct guest_ip_row *row)
{
	const struct html_part part = { "s-accent", share_of(row->spins, vm->spins) };
	const char *mode = guest_mode_name(&row->place);

	fprintf(f, "<tr><td>%" PRIu64 "</td><td class=wide>", row->spins);
	html_bar(f, &part, 1, 10000);
	fprintf(f, "</td><td>%" PRIu64 ".%02" PRIu64 "</td><td class=t>%s</td><td class=t>", part.size / 100, part.size % 100, mode ? mode : "-");
	if (row->place.known & GUEST_IP)
		fprintf(f, "%016" PRIx64, row->place.ip);
	else
		fputs("not known", f);
	fputs("</td><td class=t>", f);
	if (row->place.symbol) {
		html_recleaned(f, row->place.symbol);
		fprintf(f, "+0x%" PRIx64, row->place.offset);
	}
	fputs("</td></tr>\n", f);
}

static void write_html_vm(FILE *f, const struct guest_ip_vm *vm, const char *label)
{
	fputs("<div class=\"scroll\" role=\"region\" aria-label=\"Where a VM spins\" tabindex=\"0\"><table><caption><bdi>", f);
	html_recleaned(f, label);
	fprintf(f, "</bdi>: %" PRIu64 " spins", vm->spins);
	if (vm->n_rows > PRINTED_ROWS)
		fprintf(f, ", %" PRIu64 " of them at %zu more addresses", spins_from(vm, PRINTED_ROWS), vm->n_rows - PRINTED_ROWS);
	if (vm->spins > vm->placed)
		fprintf(f, ", %" PRIu64 " of them at addresses that there was no room for", vm->spins - vm->placed);
	fputs("</caption><thead><tr><th class=\"n\" scope=\"col\">spins</th><th class=\"wide\" scope=\"col\">share of the VM's spins</th>"
	      "<th class=\"n\" scope=\"col\">%</th><th scope=\"col\">mode</th><th scope=\"col\">address</th><th scope=\"col\">function</th></tr></thead>"
	      "<tbody data-table=\"places\">\n", f);
	for (size_t i = 0; i < vm->n_rows && i < PRINTED_ROWS; i++)
		write_html_row(f, vm, &vm->rows[i]);
	fputs("</tbody></table></div>\n", f);
}

void guest_ips_write_html(FILE *f, size_t recording, const struct guest_ip_vm *vms, size_t n, struct vm_labels *labels)
{
	fprintf(f, "<section aria-labelledby=\"h%zu-places\"><h3 id=\"h%zu-places\">Where guests spin</h3>\n"
		   "<p class=\"hint\">The guest's instruction at each pause-loop exit and yield, and whether the guest was in kernel mode.</p>\n",
		recording, recording);
	for (size_t i = 0; i < n; i++)
		vm_label(labels, vms[i].vm, vms[i].pid);
	for (size_t i = 0; i < n && i < HTML_VMS; i++)
		write_html_vm(f, &vms[i], vm_label(labels, vms[i].vm, vms[i].pid));
	if (n > HTML_VMS)
		fprintf(f, "<p class=\"note\">%zu more VMs are left out.</p>\n", n - HTML_VMS);
	fputs("</section>\n", f);
}
