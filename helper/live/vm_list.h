// SPDX-License-Identifier: Apache-2.0
// The VMs that run on this host, found by the files their processes hold open, and the way from a name to a TGID.
#ifndef KVMWAIT_LIVE_VM_LIST_H
#define KVMWAIT_LIVE_VM_LIST_H

#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* A process that holds a VM. */
struct vm {
	uint32_t tgid;
	char *name;	/* as in vmname.h, or NULL: the TGID stands for it */
	struct strings ids; /* as vmname_ids_of_process() gives them */
	size_t n_vcpus; /* files of vCPUs it has open */
};

struct vmlist {
	struct vm *items; /* by TGID */
	size_t n;
	size_t n_hidden; /* processes whose files may not be looked at; none for root */
};

/*
 * The VMs of the processes below `root`, "" or a directory with a proc/ in it. One that starts later is not among
 * them, and a process that inherited the file of a VM is. 0, or -errno where there is no proc/.
 */
int vmlist_read(const char *root, struct vmlist *ret);
void vmlist_done(struct vmlist *list);

/* "web01 (1234), 1300 and 3 more": at most `max` of them, a TGID for one without a name. The caller frees. */
char *vmlist_describe(const struct vmlist *list, size_t max);

/*
 * Adds the TGIDs of the VMs below `root` that `name` means to a list that holds `max`: of every VM with exactly this
 * name, else of every VM with this id of its management (a UUID in any case), else of the VM with this TGID. None comes
 * twice. 0, or -errno with ret_error (the caller frees) and the list
 * as it was: -ENOENT there is none, -EACCES none was found and some processes are hidden, -ERANGE they are too many.
 */
int vmlist_resolve(const char *root, const char *name, uint32_t *tgids, size_t max, size_t *n_tgids, char **ret_error);

#endif
