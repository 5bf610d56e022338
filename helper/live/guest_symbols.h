// SPDX-License-Identifier: Apache-2.0
// Names of functions in guests' kernels, from a System.map or /proc/kallsyms of the guest.
#ifndef KVMWAIT_LIVE_GUEST_SYMBOLS_H
#define KVMWAIT_LIVE_GUEST_SYMBOLS_H

#include "record/event.h"

struct guest_symbols;
struct guest_symbols *guest_symbols_new(void);
/* NULL is fine here and below: then no file was given. */
void guest_symbols_free(struct guest_symbols *g);

/*
 * Opens the file of "VM=FILE" or "VM=FILE+0xOFFSET": symbols of the VM of that name, id or TGID, at addresses that are so
 * much higher than those in the file. 0, or -errno with ret_error (the caller frees): -EINVAL the text has not that form.
 */
int guest_symbols_open(struct guest_symbols *g, const char *text, char **ret_error);
/*
 * Reads all of the files, which guests made: to be called without privileges. `live`: VMs run on this host, and can be given by
 * an id of their management. 0, or -EBADMSG with ret_error (the caller frees).
 */
int guest_symbols_read(struct guest_symbols *g, bool live, char **ret_error);

/* Reads the ids of a process while it is there. */
void guest_symbols_meet(struct guest_symbols *g, uint32_t pid, const char *vm);
/*
 * Sets symbol and offset of a place in the kernel of this VM: of the function that the address lies in, borrowed as long as
 * g. They stay as they are where nothing is known of it.
 */
void guest_symbols_name(struct guest_symbols *g, uint32_t pid, const char *vm, struct guest_place *place);

#endif
