// SPDX-License-Identifier: Apache-2.0
// The processes: the parent starts one for each VM and waits; each makes its VM and looks after its vCPUs.
#ifndef KVMWAIT_GUEST_MACHINE_H
#define KVMWAIT_GUEST_MACHINE_H

#include "host.h"
#include "plan.h"

/* A VM's name, "NAME-FLAVOUR"; the caller frees it. */
char *machine_name(const char *name, enum flavour flavour);
/*
 * Starts all the VMs the plan wants, opens the barrier once the file gate exists (NULL: at once), waits until
 * all is done. 0 or -errno; the plan has the results.
 */
int machines_run(struct plan *plan, int plan_fd, const char *name, const char *gate);
/* Keeps the VMs as long as the plan says, then ends their processes. */
void machines_end(struct plan *plan);

/* Whether these are the arguments of a VM's process, and its main. */
bool machine_is_child(int argc, char *const argv[]);
int machine_main(char *const argv[]);

#endif
