// SPDX-License-Identifier: Apache-2.0
// Names of VMs, from the command line of their process; read in user space, never in a probe.
#ifndef KVMWAIT_VMNAME_H
#define KVMWAIT_VMNAME_H

#include "util.h"

struct vmnames;
struct vmnames *vmnames_new(void);
void vmnames_free(struct vmnames *names);

/*
 * The name of the VM of a process, as "-name NAME" or "-name guest=NAME,..." gives it, cleaned by
 * text_clean(); NULL where it has none. Borrowed; looked up once for each process.
 */
const char *vmnames_get(struct vmnames *names, uint32_t tgid);
/* The same from the bytes of /proc/TGID/cmdline; the caller frees. */
char *vmname_from_cmdline(const char *cmdline, size_t n);

#endif
