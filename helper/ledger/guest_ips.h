// SPDX-License-Identifier: Apache-2.0
// How often each VM spun at which of its addresses: from records, or from the map of the part 'guest_ip_counts'.
#ifndef KVMWAIT_LEDGER_GUEST_IPS_H
#define KVMWAIT_LEDGER_GUEST_IPS_H

#include "record/event.h"

struct guest_ips;
struct guest_ips *guest_ips_new(void);
void guest_ips_free(struct guest_ips *g); /* NULL is fine */

/* A wait of any kind. Of addresses that are too many the spins are counted, and in no row. */
void guest_ips_take_wait(struct guest_ips *g, const struct wait_event *w);

enum guest_ips_line {
	GUEST_IPS_OTHER, /* not of the map */
	GUEST_IPS_TAKEN,
	GUEST_IPS_MALFORMED,
};
/* Takes a line of the map without its newline; of a key that comes again the last value counts. */
enum guest_ips_line guest_ips_take_line(struct guest_ips *g, const char *line, size_t n);
/* All spins of a VM of the map, those in no key as well. */
void guest_ips_set_spins(struct guest_ips *g, uint32_t pid, uint64_t spins);

struct guest_ip_row {
	struct guest_place place; /* whoever shows it can put a name in */
	uint64_t spins;
};

struct guest_ip_vm {
	uint32_t pid;
	const char *vm;		  /* NULL: not known, as of a VM of the map */
	uint64_t spins, placed;	  /* placed: of these, in a row */
	struct guest_ip_row *rows; /* most spins first; one can have a place of which nothing is known */
	size_t n_rows;
};

/* VMs that spun, by pid, in *ret; all is borrowed until something is taken. Returns how many; 0 where no place is known of any. */
size_t guest_ips_vms(struct guest_ips *g, struct guest_ip_vm **ret);

#endif
