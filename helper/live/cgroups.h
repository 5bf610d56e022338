// SPDX-License-Identifier: Apache-2.0
// The cgroups that limit the CPU time of the VMs: for every thread of a VM, from its own cgroup up to the root.
#ifndef KVMWAIT_LIVE_CGROUPS_H
#define KVMWAIT_LIVE_CGROUPS_H

#include "base/text.h"
#include "live/vm_list.h"

#include <stdint.h>

/*
 * Adds the directories of these cgroups, each once, parents behind their children: of cgroup v2, and of the hierarchies of
 * v1 that have cpu, cpuacct or cpuset. `root` is "" or a directory with a proc/ in it; the directories begin with it.
 * A cgroup outside of this process's cgroup namespace or mounts is left out. 0, or -errno where the mounts cannot be read.
 */
int cgroups_of_vms(const char *root, const struct vmlist *vms, struct strings *ret);

/*
 * The directory of the cgroup with that inode, which is the thread's or one above it; the caller frees. NULL where it is not
 * found: the thread has ended or moved, or the cgroup is outside of this process's cgroup namespace or mounts.
 */
char *cgroup_by_inode(uint32_t tid, uint64_t inode);

#endif
