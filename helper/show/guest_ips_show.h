// SPDX-License-Identifier: Apache-2.0
// Where guests spin, as a table for a person, as JSON, and as a section of the HTML page.
#ifndef KVMWAIT_SHOW_GUEST_IPS_SHOW_H
#define KVMWAIT_SHOW_GUEST_IPS_SHOW_H

#include "ledger/guest_ips.h"
#include "live/guest_symbols.h"
#include "live/vm_name.h"
#include "show/vm_label.h"

#include <stdio.h>

/*
 * The VMs of a map get their names, and the addresses those of functions where there are such; either may be NULL. In place:
 * all of it is borrowed from where it came from.
 */
void guest_ips_name(struct guest_ip_vm *vms, size_t n, struct vmnames *names, struct guest_symbols *symbols);
/* For each VM, which has its name by now: its addresses with most spins. */
void guest_ips_print(FILE *f, const struct guest_ip_vm *vms, size_t n, struct vm_labels *labels);
/* A list, as the schema has it. */
void guest_ips_write_json(FILE *f, const struct guest_ip_vm *vms, size_t n);
/* A section of the page of this recording. */
void guest_ips_write_html(FILE *f, size_t recording, const struct guest_ip_vm *vms, size_t n, struct vm_labels *labels);

#endif
