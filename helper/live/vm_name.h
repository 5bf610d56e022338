// SPDX-License-Identifier: Apache-2.0
// Names of VMs: read from the processes that run them, and remembered by TGID.
#ifndef KVMWAIT_LIVE_VM_NAME_H
#define KVMWAIT_LIVE_VM_NAME_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/*
 * Whoever starts a VM chooses its name: it is unverified, and two VMs can have the same. It is cleaned by text_clean()
 * and never empty. A VM without a name is NULL here, and is shown by its TGID.
 */

struct vmnames;
/* Names of the processes below `root`: "" or a directory with a proc/ in it. */
struct vmnames *vmnames_new(const char *root);
void vmnames_free(struct vmnames *names);

/*
 * The name of the VM of a process, or NULL. Borrowed, valid until vmnames_free().
 * The name is read once for each process. At most once a second the start time of the process is compared, which
 * changes when the TGID is used again: a name is at most one second out of date. The name of a process that has ended
 * stays, because its last events can arrive later.
 */
const char *vmnames_get(struct vmnames *names, uint32_t tgid);

/* Reads it now: from the command line, else from the cgroup. The caller frees. */
char *vmname_of_process(const char *root, uint32_t tgid);
/* Adds the ids by which the VM's management knows it, such as Proxmox's number or a UUID; cleaned as a name is. */
void vmname_ids_of_process(const char *root, uint32_t tgid, struct strings *ids);

#endif
