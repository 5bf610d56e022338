// SPDX-License-Identifier: Apache-2.0
// There is one KVM for all arm64 processors.
#include "host.h"

const char host_next_step[] = "the kernel must have been started at EL2, and with KVM";

void host_identify(struct host *host)
{
	host->vmx = false;
}

const char *host_vendor(const struct host *host)
{
	(void)host;
	return "arm";
}
