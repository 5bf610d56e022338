// SPDX-License-Identifier: Apache-2.0
// Gives up what a process does not need: capabilities, the user root, files it inherited. For others than root all of
// this does nothing; they have nothing to give up. System calls as they are: libcap would be a library for five calls.
#include "base/privilege.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INITIAL_PID_NAMESPACE 4026531836u /* PROC_PID_INIT_INO of the kernel */
#define NOBODY 65534u /* the kernel's own number for whom it does not know */

static int get_capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &header, data) ? -errno : 0;
}

static uint64_t both(uint32_t low, uint32_t high)
{
	return low | (uint64_t)high << 32;
}

bool privilege_is_namespaced(void)
{
	struct stat ns;

	return !stat("/proc/self/ns/pid", &ns) && ns.st_ino != INITIAL_PID_NAMESPACE;
}

uint64_t privilege_effective(void)
{
	struct __user_cap_data_struct data[2];

	return get_capabilities(data) ? 0 : both(data[0].effective, data[1].effective);
}

/* Does the kernel have it? CAP_BPF and CAP_PERFMON came with 5.8; CAP_SYS_ADMIN was all there was before. */
static bool is_known(int capability)
{
	return prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
}

bool privilege_can_trace(void)
{
	uint64_t has = privilege_effective(), both_new = PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON);

	return has & PRIVILEGE(CAP_SYS_ADMIN) || (has & both_new) == both_new;
}

/* Names of its own user it can look up; files of tracefs and addresses of functions it has to read. */
bool privilege_suffices(void)
{
	uint64_t wanted = PRIVILEGE(CAP_DAC_READ_SEARCH) | PRIVILEGE(CAP_DAC_OVERRIDE) | PRIVILEGE(CAP_SYSLOG);

	return privilege_can_trace() && (privilege_effective() & wanted) == wanted;
}

static int set_effective(uint64_t wanted, uint64_t *ret_before)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int err = get_capabilities(data);

	if (err)
		return err;
	*ret_before = both(data[0].effective, data[1].effective);
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted & (uint32_t)(wanted >> (32 * i));
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/*
 * Do these open the event that bpftrace's output goes through? Distributions have kernels that ask for CAP_SYS_ADMIN where
 * perf_event_paranoid is 3 and more, whatever else one has.
 */
static bool opens_events(uint64_t set)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_BPF_OUTPUT };
	uint64_t before, small;
	int fd, err;

	if (set_effective(set, &before))
		return true;
	fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	err = errno;
	if (fd >= 0)
		close(fd);
	set_effective(before, &small);
	return fd >= 0 || (err != EACCES && err != EPERM);
}

uint64_t privilege_of_bpftrace(void)
{
	/* It reads tracefs and /proc/kallsyms with addresses; from 0.25 it asks for the right to override modes as well. */
	uint64_t set = PRIVILEGE(CAP_DAC_READ_SEARCH) | PRIVILEGE(CAP_DAC_OVERRIDE) | PRIVILEGE(CAP_SYSLOG) | PRIVILEGE(CAP_SYS_RESOURCE);

	if (geteuid())
		return privilege_effective();
	if (!is_known(CAP_BPF))
		return set | PRIVILEGE(CAP_SYS_ADMIN);
	set |= PRIVILEGE(CAP_BPF) | PRIVILEGE(CAP_PERFMON);
	return opens_events(set) ? set : set | PRIVILEGE(CAP_SYS_ADMIN);
}

/* The bounding set is what root gets anew with an exec. */
static int limit_bounds(uint64_t keep)
{
	for (int i = 0; i < 64 && is_known(i); i++)
		if (!(keep & PRIVILEGE(i)) && prctl(PR_CAPBSET_READ, i, 0, 0, 0) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return -errno;
	return 0;
}

/* Without CAP_SETPCAP the bounds stay; what could be gained by an exec stays out by no_new_privs all the same. */
static int gain_nothing_beyond(uint64_t keep)
{
	int err = limit_bounds(keep);

	if (err && err != -EPERM)
		return err;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	int err = get_capabilities(data);

	if (err)
		return err;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int privilege_limit(uint64_t keep)
{
	int err;

	if (geteuid())
		return 0;
	err = gain_nothing_beyond(keep);
	return err ? err : set_capabilities(keep);
}

/* What a sanitizer needs to look for leaks at the end; ptrace() of us is for nobody else. */
static void stay_private(void)
{
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#else
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

/*
 * Root of a user namespace without such a user, or one that was started without CAP_SETUID, stays what it is: a root that
 * is little already, and without any capability now.
 */
static bool can_stay(int result)
{
	return !result || errno == EINVAL || errno == EPERM;
}

int privilege_drop(uint64_t keep)
{
	int err;

	if (geteuid())
		return 0;
	err = gain_nothing_beyond(keep);
	if (err)
		return err;
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0))
		return -errno;
	if (!can_stay(setgroups(0, NULL)) || !can_stay(setresgid(NOBODY, NOBODY, NOBODY)) ||
	    !can_stay(setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	stay_private();
	return set_capabilities(keep);
}

static void close_files(unsigned int first, unsigned int last)
{
	if (first > last || !syscall(SYS_close_range, first, last, 0))
		return;
	for (long fd = first, end = sysconf(_SC_OPEN_MAX); fd < end && fd <= (long)last; fd++) /* before 5.9 */
		close((int)fd);
}

void privilege_close_files(int first, int last)
{
	close_files(STDERR_FILENO + 1, (unsigned int)first - 1);
	close_files((unsigned int)last + 1, UINT_MAX);
}
