// SPDX-License-Identifier: Apache-2.0
// The names and addresses of this host, for redact.h: of the host, its users, its VMs and its network interfaces.
#ifndef KVMWAIT_BUNDLE_REDACT_HOST_H
#define KVMWAIT_BUNDLE_REDACT_HOST_H

#include "bundle/redact.h"

/*
 * Adds what is known below `root` ("" for this host): /etc/hostname, /etc/hosts, users of /etc/passwd from UID 1000 on with
 * their home directories, VMs that run; for "" also the node name, SUDO_USER, and the addresses of interfaces.
 */
void redact_add_host(struct redact *r, const char *root);
/* VMs alone: they come and go. */
void redact_add_vms(struct redact *r, const char *root);

#endif
