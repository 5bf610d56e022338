// SPDX-License-Identifier: Apache-2.0
// Whose processor this is.
#include "host.h"

#include <cpuid.h>
#include <string.h>

#include "common.h"

const char host_next_step[] = "load kvm_intel or kvm_amd, and see that virtualization is on in the firmware";

/* The vendors whose processors have VMX; Hygon's have SVM, as AMD's. */
static bool cpu_has_vmx(void)
{
	static const char *const vmx[] = { "GenuineIntel", "CentaurHauls", "  Shanghai  " };
	unsigned int eax, id[3];

	if (!__get_cpuid(0, &eax, &id[0], &id[2], &id[1]))
		return false;
	for (unsigned int i = 0; i < ARRAY_SIZE(vmx); i++) {
		if (memcmp(id, vmx[i], sizeof(id)) == 0)
			return true;
	}
	return false;
}

void host_identify(struct host *host)
{
	host->vmx = cpu_has_vmx();
}

const char *host_vendor(const struct host *host)
{
	return host->vmx ? "vmx" : "svm";
}
