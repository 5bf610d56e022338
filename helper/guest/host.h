// SPDX-License-Identifier: Apache-2.0
// What this host's KVM is, and can do.
#ifndef KVMWAIT_GUEST_HOST_H
#define KVMWAIT_GUEST_HOST_H

#include <stdbool.h>
#include <stdint.h>

struct host {
	int kvm_fd;
	bool vmx;		/* on x86: Intel's, else AMD's */
	char release[65];
};

/* 0 or -errno of opening /dev/kvm; -EPROTO where it is another API. The caller closes kvm_fd. */
int host_open(struct host *host);
/* "svm" or "vmx", as sources of events are called; "arm". In the directory of the architecture, as the next two. */
const char *host_vendor(const struct host *host);
void host_identify(struct host *host);
/* What to do where there is no /dev/kvm. */
extern const char host_next_step[];

/* What KVM_CHECK_EXTENSION says, 0 where it fails. */
int host_cap(const struct host *host, long cap);
/* Whether a boolean or numeric parameter of a module is on; false where there is none. */
bool host_module_param(const char *module, const char *param);

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t host_now_ns(void);

#endif
