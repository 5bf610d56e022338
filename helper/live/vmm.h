// SPDX-License-Identifier: Apache-2.0
// The virtual machine monitors (VMMs) that kvmwait knows: how their command lines and cgroups name a VM.
#ifndef KVMWAIT_LIVE_VMM_H
#define KVMWAIT_LIVE_VMM_H

#include "base/view.h"
#include "base/text.h"

/*
 * A name or id is made of at most 128 bytes of the input, cleaned by text_clean(), and is never empty. The caller
 * frees; NULL if there is none.
 */

/* `exe` is the path of the program, or empty; then the first word of `cmdline` decides which VMM it is. `cmdline` is
 * the content of /proc/TGID/cmdline. */
char *vmm_name(struct view exe, struct view cmdline);
/* Adds the ids by which the VM's management knows it, such as Proxmox's number or a UUID. */
void vmm_ids(struct view exe, struct view cmdline, struct strings *ids);
/* From the content of /proc/TGID/cgroup. */
char *vmm_name_of_cgroup(struct view cgroup);

#endif
