// SPDX-License-Identifier: Apache-2.0
// Names of VMs, from the command line or the cgroup of their process; read in user space, never in a probe.
#ifndef KVMWAIT_LIVE_VM_NAME_H
#define KVMWAIT_LIVE_VM_NAME_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/*
 * A name is what whoever started the VM calls it: nobody vouches for it, and two VMs may have the same. It comes
 * cleaned by text_clean(), from at most 128 bytes of what was given, and is never empty. Where there is none, the
 * functions return NULL, and the TGID stands for the VM.
 */

struct vmnames;
/* Names of the processes below `root`: "" or a directory with a proc/ in it. */
struct vmnames *vmnames_new(const char *root);
void vmnames_free(struct vmnames *names);

/*
 * The name of the VM of a process, or NULL. Borrowed; it stays valid until vmnames_free(), whatever becomes of the
 * process. It is read once a process: the time at which the process started, looked at no more than once a second,
 * tells whether its TGID has been given to another. So a name is at most a second behind such a change, and that of a
 * process that has ended stays until then, since its last events may still come.
 */
const char *vmnames_get(struct vmnames *names, uint32_t tgid);

/* Reads it now: from the command line, else from the cgroup. The caller frees. */
char *vmname_of_process(const char *root, uint32_t tgid);
/* Adds the ids by which the VM's management knows it, such as Proxmox's number or a UUID; cleaned as a name is. */
void vmname_ids_of_process(const char *root, uint32_t tgid, struct strings *ids);
/* From the bytes of /proc/TGID/cmdline, whose first word says which VMM it is. The caller frees. */
char *vmname_from_cmdline(const char *cmdline, size_t n);
/* From the bytes of /proc/TGID/cgroup. The caller frees. */
char *vmname_from_cgroup(const char *cgroup, size_t n);

#endif
