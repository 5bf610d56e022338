// SPDX-License-Identifier: Apache-2.0
// What this host's KVM is, and can do.
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

int host_open(struct host *host)
{
	struct utsname uts;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		close(fd);
		return -EPROTO;
	}
	host->kvm_fd = fd;
	host_identify(host);
	uname(&uts);
	snprintf(host->release, sizeof(host->release), "%s", uts.release);
	return 0;
}

int host_cap(const struct host *host, long cap)
{
	int value = ioctl(host->kvm_fd, KVM_CHECK_EXTENSION, cap);

	return value < 0 ? 0 : value;
}

bool host_module_param(const char *module, const char *param)
{
	char path[128], value = 'N';
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module, param);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fread(&value, 1, 1, f) != 1)
		value = 'N';
	fclose(f);
	return value != 'N' && value != '0';
}

int64_t host_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return timespec_ns(&ts);
}
