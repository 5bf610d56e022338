// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/vm_name.c: the name of a VM from the command line or the cgroup of its process.
#include "unit.h"

#include "base/text.h"
#include "live/vm_name.h"
#include "live/vmm.h"

#include <signal.h>
#include <sys/wait.h>

/* The name from bytes that nothing stands behind; the caller frees. */
static char *name_of(const void *cmdline, size_t n)
{
	CLEANUP_FREE char *exact = unit_exact(cmdline, n);

	return vmm_name((struct view){ "", 0 }, (struct view){ exact, n });
}

/* A literal with its inner NULs and the last. */
#define CHECK_NAME(cmdline, expected)                                                                                            \
	do {                                                                                                                     \
		CLEANUP_FREE char *name_ = name_of(cmdline, sizeof(cmdline));                                                    \
		CHECK_STR(name_, expected);                                                                                      \
	} while (0)
/* Without the last. */
#define CHECK_NAME_CUT(cmdline, expected)                                                                                        \
	do {                                                                                                                     \
		CLEANUP_FREE char *name_ = name_of(cmdline, sizeof(cmdline) - 1);                                                \
		CHECK_STR(name_, expected);                                                                                      \
	} while (0)

static void forms(void)
{
	CHECK_NAME("/usr/bin/kvm\0-id\0" "100\0-name\0web01,debug-threads=on\0-smp\0" "4", "web01"); /* Proxmox */
	CHECK_NAME("qemu\0-name\0guest=default_web01,debug-threads=on", "default_web01");		     /* KubeVirt */
	CHECK_NAME("qemu-system-x86_64\0-name\0guest=web01,debug-threads=on\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-name\0web01\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-name\0web01,process=x\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-m\0" "512\0-name\0guest=web01", "web01");
	CHECK_NAME("-name\0web01", "web01");
	CHECK_NAME("qemu\0--name\0guest=web01", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on,guest=web01", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on,guest=web01,process=x", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on", NULL);
	CHECK_NAME("qemu\0-name\0debug-threads=on,web01", NULL); /* a flag of that name, were there one */
	CHECK_NAME("qemu\0-name\0a,guest=b", "b"); /* the last one counts, as in QEMU */
	CHECK_NAME("qemu\0-name\0web 01 (old)", "web 01 (old)");
	CHECK_NAME("qemu\0-name\0guest=\"x\"", "\"x\"");
}

static void none(void)
{
	CHECK_STR(name_of("", 0), NULL);
	CHECK_NAME("", NULL);
	CHECK_NAME("qemu", NULL);
	CHECK_NAME("qemu\0-m\0" "512", NULL);
	CHECK_NAME("qemu\0-names\0web01", NULL);
	CHECK_NAME("qemu\0x-name\0web01", NULL);
	CHECK_NAME("qemu\0name\0web01", NULL);
	CHECK_NAME("qemu\0-name=web01", NULL);
	CHECK_NAME("qemu\0-name\0", NULL);
	CHECK_NAME("qemu\0-name\0\0-m\0" "512", NULL);
	CHECK_NAME("qemu\0-name\0guest=", NULL);
	CHECK_NAME("qemu\0-name\0guest=,debug-threads=on", NULL);
	CHECK_NAME("qemu\0-name\0,debug-threads=on", NULL);
	CHECK_NAME("\0\0\0\0", NULL);
}

/* Only the program that an option belongs to makes a name of it. */
static void vmms(void)
{
	CHECK_NAME("firecracker\0--id\0fc-1\0--api-sock\0/run/fc.sock", "fc-1");
	CHECK_NAME("/usr/bin/firecracker\0--api-sock\0/run/x\0--id\0fc-1", "fc-1");
	CHECK_NAME("/firecracker-v1.7.0-x86_64\0--id=fc-1", "fc-1"); /* as old jailers had it */
	CHECK_NAME("firecracker\0--id\0fc-1\0--start-time-us\0" "1\0--\0--id\0other", "fc-1");
	CHECK_NAME("firecracker\0-name\0web01", NULL);
	CHECK_NAME("firecracker\0--api-sock\0/run/web01.sock", "web01");
	CHECK_NAME("firecracker\0--id", NULL);
	CHECK_NAME("firecracker\0--id\0", NULL);
	CHECK_NAME("firecracker\0--id=", NULL);
	CHECK_NAME("firecracker\0--identity\0x", NULL);
	CHECK_NAME("firecracker\0--id\0--id\0x", "--id"); /* a name that looks like an option */
	CHECK_NAME("firecrackers\0--id\0x", NULL);
	CHECK_NAME("/opt/firecracker/qemu\0--id\0x", NULL);
	CHECK_NAME("crosvm\0run\0--name\0arc\0--cpus\0" "2\0vmlinux", "arc");
	CHECK_NAME("/apex/bin/crosvm\0--log-level=info\0run\0--name=arc", "arc");
	CHECK_NAME("crosvm\0run\0-s\0/run/vm.sock\0vmlinux", NULL);
	CHECK_NAME("crosvm\0run\0--name\0guest=a,b", "guest=a,b"); /* QEMU's list is QEMU's */
	CHECK_NAME("crosvm\0run\0-name\0x", NULL);
	CHECK_NAME("lkvm\0run\0--name\0tiny\0-k\0bzImage", "tiny");
	CHECK_NAME("./lkvm-static\0run\0--name=tiny", "tiny");
	CHECK_NAME("lkvm\0run\0-n\0mode=user", NULL); /* that is the network */
	CHECK_NAME("containerd-shim-kata-v2\0-namespace\0k8s.io\0-id\0" "2415e1\0-debug", "2415e1");
	CHECK_NAME("containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0" "2415e1", NULL);
	CHECK_NAME("stratovirt\0-name\0web01\0-machine\0q35", "web01"); /* as QEMU does */
	CHECK_NAME("\0firecracker\0--id\0x", NULL);
	CHECK_NAME("firecracker/\0--id\0x", "x");
	CHECK_NAME("/\0-name\0x", "x");
}

/* cloud-hypervisor knows no names; the socket by which it is reached has one. */
static void sockets(void)
{
	CHECK_NAME("cloud-hypervisor\0--api-socket\0path=/run/vms/web01.sock\0--cpus\0" "boot=2", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/run/vms/web01.sock", "web01");
	CHECK_NAME("cloud-hypervisor-static\0--api-socket=path=/run/vms/web01", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/run/libvirt/ch/web01-socket", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/run/vc/vm/2415e1/clh-api.sock", "2415e1"); /* Kata */
	CHECK_NAME("cloud-hypervisor\0--api-socket\0path=/var/lib/vms/web01/ch.sock", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0web01.socket", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0x=y,path=/run/web01.sock,z", "web01");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/run/a,b.sock", "a,b");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/run/a\nb.sock", "a\\x0ab");
	CHECK_NAME("cloud-hypervisor\0--api-socket\0/tmp/cloud-hypervisor.sock", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0path=/run/cloud-hypervisor/api.sock", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0api.sock", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0fd=3", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0path=", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0///", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0.sock", NULL);
	CHECK_NAME("cloud-hypervisor\0--api-socket\0", NULL);
	CHECK_NAME_CUT("cloud-hypervisor\0--api-socket\0/", NULL);
	CHECK_NAME_CUT("cloud-hypervisor\0--api-socket\0p", "p");
}

/* The name from the lines of a cgroup file that nothing stands behind. */
#define CHECK_CGROUP(text, expected)                                                                                             \
	do {                                                                                                                     \
		CLEANUP_FREE char *exact_ = unit_exact(text, sizeof(text) - 1);                                                  \
		CLEANUP_FREE char *name_ = vmm_name_of_cgroup((struct view){ exact_, sizeof(text) - 1 });                                         \
		CHECK_STR(name_, expected);                                                                                      \
	} while (0)

/* Without --id the socket gives the name, as for cloud-hypervisor. */
static void firecracker_sockets(void)
{
	CHECK_NAME("firecracker\0--api-sock\0/run/vms/web01.socket\0--config-file\0/etc/web.json", "web01");
	CHECK_NAME("firecracker\0--api-sock=/tmp/web01.sock", "web01");
	CHECK_NAME("firecracker\0--id\0\0--api-sock\0web01.sock", "web01");
	CHECK_NAME("firecracker\0--api-sock\0/run/a.sock\0--id\0b", "b");
	CHECK_NAME("firecracker\0--api-sock\0/var/lib/vms/web01/firecracker.socket", "web01");
	CHECK_NAME("firecracker\0--api-sock\0/run/firecracker.socket", NULL); /* its default */
	CHECK_NAME("firecracker\0--api-sock\0/tmp/firecracker.sock", NULL);
	CHECK_NAME("firecracker\0--api-sock", NULL);
	CHECK_NAME("firecracker\0--no-api\0--config-file\0/etc/web.json", NULL);
	CHECK_NAME("firecracker\0--\0--api-sock\0/run/web01.sock", NULL);
	CHECK_NAME("qemu\0--api-sock\0/run/web01.sock", NULL);
}

static void desktops(void)
{
	CHECK_NAME("/usr/lib/virtualbox/VBoxHeadless\0--comment\0web 01\0--startvm\0cb568998-d8b4-40d4-a6e7-c92aea5aee3d\0--vrde\0config",
		   "web 01");
	CHECK_NAME("VBoxHeadless\0-startvm\0web01", "web01");
	CHECK_NAME("VBoxHeadless\0--startvm=web01", "web01");
	CHECK_NAME("/usr/lib/virtualbox/VirtualBoxVM\0--comment\0web01\0--startvm\0x\0--no-startvm-errormsgbox", "web01");
	CHECK_NAME("VBoxSDL\0--comment\0web01\0--startvm\0x", "web01");
	CHECK_NAME("VirtualBoxVM\0-name\0web01", NULL);
	CHECK_NAME("VBoxHeadless\0--comment", NULL);
	CHECK_NAME("qemu\0--comment\0web01", NULL);
	CHECK_NAME("/opt/android/emulator/qemu/linux-x86_64/qemu-system-x86_64-headless\0-avd\0Pixel_6_API_34\0-no-window", "Pixel_6_API_34");
	CHECK_NAME("qemu-system-x86_64\0-avd\0a,b=c", "a,b=c"); /* no list */
	CHECK_NAME("qemu-system-x86_64\0-avd\0a\0-name\0b", "b");
	CHECK_NAME("qemu-system-x86_64\0-name\0debug-threads=on\0-avd\0a", "a");
	CHECK_NAME("qemu-system-x86_64\0-avd", NULL);
	CHECK_NAME("qemu-system-x86_64\0-avd-arch\0x86", NULL);
	CHECK_NAME("/usr/bin/muvm\0--\0glxgears\0-name\0x", "muvm");
	CHECK_NAME("muvmx\0-name\0x", "x");
}

static void sandboxes(void)
{
	CHECK_NAME("runsc-sandbox\0--root=/run/docker/runtime-runc/moby\0--platform=kvm\0boot\0--bundle=/run/x\0--user-log-fd\0" "7\0" "2415e1",
		   "2415e1");
	CHECK_NAME("/usr/local/bin/runsc\0boot\0--attached\0" "2415e1", "2415e1");
	CHECK_NAME("runsc-sandbox\0boot", NULL);
	CHECK_NAME("runsc-sandbox\0boot\0", NULL);
	CHECK_NAME("runsc\0run\0" "2415e1", NULL); /* the command that waits for the sandbox */
	CHECK_NAME("runsc-sandbox\0boot\0boot", "boot");
	CHECK_NAME("runscx\0boot\0" "2415e1", NULL);
}

static void microvms(void)
{
	CHECK_NAME("microvm@web01\0-M\0microvm", "web01");
	CHECK_NAME("microvm@web01\0-name\0x", "web01");
	CHECK_NAME("microvm@\0-M\0microvm", NULL);
	CHECK_NAME("microvm\0-name\0x", NULL);
	CHECK_CGROUP("0::/system.slice/system-microvm.slice/microvm@web01.service\n", "web01");
	CHECK_CGROUP("0::/system.slice/system-microvm.slice/microvm@qemu-1-web\\x2001.service/x\n", "qemu-1-web 01"); /* libvirt gave none */
	CHECK_CGROUP("0::/system.slice/system-microvm.slice/microvm@.service\n", NULL);
	CHECK_CGROUP("0::/system.slice/microvm-virtiofsd@web01.service\n", NULL);
}

/* The jailer's cgroup, PROGRAM/ID. */
static void jails(void)
{
	CHECK_CGROUP("0::/firecracker/fc-1\n", "fc-1");
	CHECK_CGROUP("4:cpu:/firecracker/551e7604-e35c-42b3-b825-416853441234\n", "551e7604-e35c-42b3-b825-416853441234");
	CHECK_CGROUP("0::/vms.slice/firecracker-v1.7.0-x86_64/fc-1\n", "fc-1");
	CHECK_CGROUP("0::/firecracker\n", NULL);
	CHECK_CGROUP("0::/firecracker/\n", NULL);
	CHECK_CGROUP("0::/firecracker/100.scope\n", NULL);
	CHECK_CGROUP("0::/firecracker.slice/fc-1\n", NULL);
	CHECK_CGROUP("0::/firecrackers/fc-1\n", NULL);
	CHECK_CGROUP("0::/firecracker-containerd/fc-1\n", NULL);
	CHECK_CGROUP("0::/system.slice/firecracker.service\n", NULL);
}

static void cgroups(void)
{
	CHECK_CGROUP("0::/machine.slice/machine-qemu\\x2d1\\x2dweb01.scope/libvirt/emulator\n", "web01");
	CHECK_CGROUP("0::/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d01.scope", "web-01");
	CHECK_CGROUP("12:cpuset:/machine.slice/machine-qemu\\x2d3\\x2ddb.scope/vcpu0\n1:name=systemd:/machine.slice/machine-qemu\\x2d3\\x2ddb.scope\n0::/\n",
		     "db");
	CHECK_CGROUP("3:cpu,cpuacct:/user.slice\n0::/machine.slice/machine-qemu\\x2d3\\x2ddb.scope\n", "db");
	CHECK_CGROUP("0::/machine.slice/machine-ch\\x2d1\\x2dweb01.scope\n", "web01");
	CHECK_CGROUP("0::/machine.slice/machine-qemu\\x2dweb01.scope\n", "web01"); /* as older libvirts had it */
	CHECK_CGROUP("0::/machine.slice/machine-web01.scope\n", "web01");
	CHECK_CGROUP("0::/machine.slice/machine-outer.scope/x/machine-qemu\\x2d1\\x2dinner.scope/libvirt\n", "inner");
	CHECK_CGROUP("4:memory:/machine/qemu-1-web01.libvirt-qemu/emulator\n", "web01");
	CHECK_CGROUP("4:memory:/machine/web01.libvirt-qemu\n", "web01");
	CHECK_CGROUP("4:memory:/machine/qemu-1.libvirt-qemu\n", "1");
	CHECK_CGROUP("4:memory:/machine/qemu-1-a\\x2db.libvirt-qemu\n", "a\\\\x2db"); /* not systemd's: not undone */
	CHECK_CGROUP("0::/machine.slice/machine-bull\\xf0\\x9f\\x92\\xa9.scope\n", "bull\xf0\x9f\x92\xa9");
	CHECK_CGROUP("0::/machine.slice/machine-a\\x0a\\x00\\xff.scope\n", "a\\x0a\\x00\\xff");
	CHECK_CGROUP("0::/machine.slice/machine-a\\x2.scope\n", "a\\\\x2");
	CHECK_CGROUP("0::/machine.slice/machine-a\\xzz\\.scope\n", "a\\\\xzz\\\\");
}

static void cgroups_of_no_vm(void)
{
	CHECK_CGROUP("", NULL);
	CHECK_CGROUP("\n\n", NULL);
	CHECK_CGROUP("0::/\n", NULL);
	CHECK_CGROUP("0::/user.slice/user-0.slice/session-1.scope\n", NULL);
	CHECK_CGROUP("0::/qemu.slice/100.scope\n", NULL);
	CHECK_CGROUP("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-2415e1.scope\n", NULL);
	CHECK_CGROUP("0::/system.slice/machine-web01.service\n", NULL);
	CHECK_CGROUP("0::/machine.slice/machine-lxc\\x2d1\\x2dbox.scope\n", NULL); /* a container */
	CHECK_CGROUP("0::/machine/lxc-1-box.libvirt-lxc\n", NULL);
	CHECK_CGROUP("0::/machine.slice/machine-.scope\n", NULL);
	CHECK_CGROUP("0::/machine.slice/machine-qemu\\x2d1\\x2d.scope\n", NULL);
	CHECK_CGROUP("0::/machine.slice/machine.scope\n", NULL);
	CHECK_CGROUP("machine-web01.scope\n", NULL); /* no line of that file */
	CHECK_CGROUP("0:machine-web01.scope\n", NULL);
	CHECK_CGROUP("0::", NULL);
	CHECK_CGROUP(":::::\n/", NULL);
}

/* The option without a value, as the last thing there is. */
static void value_missing(void)
{
	CHECK_NAME("qemu\0-name", NULL);
	CHECK_NAME_CUT("qemu\0-name", NULL);
	CHECK_NAME_CUT("-name", NULL);
	CHECK_NAME_CUT("qemu\0-name\0", NULL);
	CHECK_NAME_CUT("qemu\0-nam", NULL);
}

/* QEMU doubles a comma that is part of a value. */
static void commas(void)
{
	CHECK_NAME("qemu\0-name\0guest=a,,b,debug-threads=on", "a,b");
	CHECK_NAME("qemu\0-name\0guest=a,,,b", "a,");
	CHECK_NAME("qemu\0-name\0a,,", "a,");
	CHECK_NAME("qemu\0-name\0a,", "a");
	CHECK_NAME_CUT("qemu\0-name\0a,", "a");
	CHECK_NAME_CUT("qemu\0-name\0a,,", "a,");
	CHECK_NAME_CUT("qemu\0-name\0,", NULL);
}

/* A command line that was cut off has no NUL at its end. */
static void not_terminated(void)
{
	CHECK_NAME_CUT("qemu\0-name\0web01", "web01");
	CHECK_NAME_CUT("qemu\0-name\0guest=web01", "web01");
	CHECK_NAME_CUT("qemu\0-name\0guest=web01,x", "web01");
	CHECK_NAME_CUT("qemu\0-name\0g", "g");
	CHECK_NAME_CUT("qemu\0-name\0guest", "guest");
	CHECK_NAME_CUT("qemu\0-name\0guest=", NULL);
}

static void unprintable(void)
{
	CHECK_NAME("qemu\0-name\0a\nb", "a\\x0ab");
	CHECK_NAME("qemu\0-name\0\x1b]0;owned\x07", "\\x1b]0;owned\\x07");
	CHECK_NAME("qemu\0-name\0guest=a\\b", "a\\\\b");
	CHECK_NAME("qemu\0-name\0guest=M\xc3\xbcller", "M\xc3\xbcller");
	CHECK_NAME("qemu\0-name\0guest=\xff\xe2\x80\xae" "evil", "\\xff\\xe2\\x80\\xaeevil");
}

/* 128 bytes of a name are kept, however many it has. */
static void long_names(void)
{
	CLEANUP_FREE char *line = xcalloc(5000, 1);
	CLEANUP_FREE char *printable = NULL;
	CLEANUP_FREE char *control = NULL;
	CLEANUP_FREE char *just = NULL;

	memcpy(line, "qemu\0-name\0guest=", 17);
	memset(line + 17, 'x', 4096);
	printable = name_of(line, 17 + 4096);
	CHECK_INT(strlen(printable), 128);
	CHECK_INT(strspn(printable, "x"), 128);
	memset(line + 17, '\n', 4096);
	control = name_of(line, 17 + 4096);
	CHECK_INT(strlen(control), 4 * 128);
	CHECK(starts_with(control, "\\x0a\\x0a"));
	memset(line + 17, 'y', 128);
	line[17 + 128] = ',';
	just = name_of(line, 17 + 4096);
	CHECK_INT(strlen(just), 128);
	CHECK_INT(strspn(just, "y"), 128);
}

static void long_names_elsewhere(void)
{
	static const char *const heads[] = { "firecracker\n--id\n", "crosvm\n--name=", "cloud-hypervisor\n--api-socket\npath=/run/" };
	CLEANUP_FREE char *name = NULL;
	char line[5000] = "0::/machine.slice/machine-qemu\\x2d1\\x2d";
	size_t n = strlen(line);

	memset(line + n, 'x', 4096);
	memcpy(line + n + 4096, ".scope", 6);
	name = vmm_name_of_cgroup((struct view){ line, n + 4096 + 6 });
	CHECK(strlen(name) >= 100 && strlen(name) <= 128);
	CHECK_INT(strspn(name, "x"), strlen(name));
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		CLEANUP_FREE char *other = NULL;

		n = strlen(heads[i]);
		for (size_t k = 0; k < n; k++)
			line[k] = heads[i][k] == '\n' ? '\0' : heads[i][k];
		memset(line + n, '\xff', 4096);
		other = name_of(line, n + 4096);
		CHECK_INT(strlen(other), 4 * 128);
	}
}

/* Nothing makes it read or write where it must not. */
static void random_bytes(void)
{
	static const char *const parts[] = {
		"-name", "\0", "guest=", ",", "x", "\xe2\x80", "-n", "\n", "--id", "firecracker", "crosvm", "cloud-hypervisor", "--api-socket",
		"path=", "/", ".sock", "fd=", "=", "--", "machine-", ".scope", "\\x2d", "\\x", "qemu-", "1-", ":", "::/", ".libvirt-qemu",
		"runsc", "boot", "microvm@", ".service", "VBoxSDL", "-comment", "-avd",
	};

	unit_random_seed(5);
	for (unsigned int i = 0; i < 60000; i++) {
		char line[128];
		size_t n = 0;
		CLEANUP_FREE char *exact = NULL, *name = NULL, *scope = NULL;

		while (n < 100) {
			const char *part = parts[unit_random(ARRAY_SIZE(parts))];
			size_t length = *part ? strlen(part) : 1;

			memcpy(line + n, part, length);
			n += length;
		}
		n = unit_random(n);
		name = name_of(line, n);
		CHECK(!name || (*name && strlen(name) <= 4 * n));
		exact = unit_exact(line, n);
		scope = vmm_name_of_cgroup((struct view){ exact, n });
		CHECK(!scope || (*scope && strlen(scope) <= 4 * n));
	}
}

/* ---- processes ---- */

/* Writes what proc/ says of a process; without `cgroup` there is none. */
static void make_process(const char *root, const char *tgid, const char *comm, unsigned int start, const void *cmdline, size_t n,
			 const char *cgroup)
{
	CLEANUP_FREE char *stat_path = xasprintf("proc/%s/stat", tgid);
	CLEANUP_FREE char *cmdline_path = xasprintf("proc/%s/cmdline", tgid);
	CLEANUP_FREE char *cgroup_path = xasprintf("proc/%s/cgroup", tgid);
	CLEANUP_FREE char *stat = xasprintf("%s (%s) S 1 2 3 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 4 0 %u 1234 56 18446744073709551615 0\n",
					    tgid, comm, start);

	unit_write_text(root, stat_path, stat);
	unit_write(root, cmdline_path, cmdline, n);
	if (cgroup)
		unit_write_text(root, cgroup_path, cgroup);
}
#define MAKE_PROCESS(root, tgid, comm, start, cmdline, cgroup)                                                                   \
	make_process(root, tgid, comm, start, cmdline, sizeof(cmdline), cgroup)

/* The command line before the cgroup, and the file of the program before what it was called. */
static void evidence(void)
{
	static const char scope[] = "0::/machine.slice/machine-qemu\\x2d1\\x2dscope.scope\n";
	CLEANUP_FREE char *root = unit_path("evidence");
	CLEANUP_FREE char *exe = xasprintf("%s/proc/13/exe", root);
	struct {
		uint32_t tgid;
		const char *name;
	} expected[] = { { 10, "web01" }, { 11, "scope" }, { 12, NULL }, { 13, "fc-1" }, { 14, NULL }, { 15, NULL } };

	MAKE_PROCESS(root, "10", "qemu", 1, "qemu\0-name\0web01", scope);
	MAKE_PROCESS(root, "11", "cloud-hyperviso", 1, "cloud-hypervisor\0--api-socket\0fd=3", scope);
	MAKE_PROCESS(root, "12", "qemu", 1, "qemu", "0::/user.slice\n");
	MAKE_PROCESS(root, "13", "vmm", 1, "vmm\0--id\0fc-1\0-name\0x", scope);
	CHECK_INT(symlink("/jail/fc-1/firecracker (deleted)", exe), 0);
	MAKE_PROCESS(root, "14", "vmm", 1, "vmm\0--id\0fc-1", NULL);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		CLEANUP_FREE char *name = vmname_of_process(root, expected[i].tgid);

		CHECK_STR(name, expected[i].name);
	}
}

/* The TGID of a process that has ended goes to another. */
static void reuse(void)
{
	CLEANUP_FREE char *root = unit_path("reuse");
	CLEANUP_FREE char *ended = unit_path("reuse/proc/22");
	struct vmnames *names = vmnames_new(root);
	const char *first, *same;

	MAKE_PROCESS(root, "20", ") S 1 (\n) R 9", 100, "qemu\0-name\0old", NULL);
	MAKE_PROCESS(root, "21", "qemu", 100, "qemu\0-name\0same", NULL);
	MAKE_PROCESS(root, "22", "qemu", 100, "qemu\0-name\0ended", NULL);
	MAKE_PROCESS(root, "23", "qemu", 100, "qemu\0-name\0one", NULL);
	first = vmnames_get(names, 20);
	same = vmnames_get(names, 21);
	CHECK_STR(first, "old");
	CHECK_STR(same, "same");
	CHECK_STR(vmnames_get(names, 22), "ended");
	CHECK_STR(vmnames_get(names, 23), "one");
	CHECK_STR(vmnames_get(names, 24), NULL);
	MAKE_PROCESS(root, "20", ") S 1 (\n) R 9", 200, "qemu\0-name\0new", NULL);
	MAKE_PROCESS(root, "21", "qemu", 200, "qemu\0-name\0same", NULL);
	unit_remove(ended);
	MAKE_PROCESS(root, "23", "qemu", 100, "qemu\0-name\0two", NULL); /* the same process: not read again */
	MAKE_PROCESS(root, "24", "qemu", 300, "qemu\0-name\0late", NULL);
	CHECK(vmnames_get(names, 20) == first); /* looked at a moment ago */
	usleep(1100 * 1000);
	CHECK_STR(vmnames_get(names, 20), "new");
	CHECK_STR(first, "old"); /* an event may still have it */
	CHECK(vmnames_get(names, 21) == same);
	CHECK_STR(vmnames_get(names, 22), "ended");
	CHECK_STR(vmnames_get(names, 23), "one");
	CHECK_STR(vmnames_get(names, 24), "late");
	vmnames_free(names);
}

/* A stat file that says nothing of the start: no name, since nobody could tell when it is out of date. */
static void bad_stat(void)
{
	static const char *const stats[] = { "", ")", "30 (x", "30 (x) S 1 2", "30 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20\n" };
	CLEANUP_FREE char *root = unit_path("bad-stat");

	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		struct vmnames *names = vmnames_new(root);

		MAKE_PROCESS(root, "30", "x", 1, "qemu\0-name\0x", NULL);
		unit_write_text(root, "proc/30/stat", stats[i]);
		CHECK_STR(vmnames_get(names, 30), NULL);
		vmnames_free(names);
	}
}

/* The name of a process that runs, asked for again, and after it has ended. */
static void processes(void)
{
	struct vmnames *names = vmnames_new("");
	int ready[2], hold[2];
	char byte;
	pid_t pid;

	CHECK_STR(vmnames_get(names, (uint32_t)getpid()), NULL);
	CHECK_INT(pipe(ready), 0);
	CHECK_INT(pipe(hold), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(ready[1], STDOUT_FILENO);
		dup2(hold[0], STDIN_FILENO);
		execl("/bin/sh", "qemu", "-c", "echo; read line", "-name", "guest=web01,debug-threads=on", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_STR(vmnames_get(names, (uint32_t)pid), "web01");
	CHECK_STR(vmnames_get(names, (uint32_t)getpid()), NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(hold[0]);
	close(hold[1]);
	CHECK_STR(vmnames_get(names, (uint32_t)pid), "web01"); /* its last events may still come */
	CHECK_STR(vmnames_get(names, UINT32_MAX), NULL);
	vmnames_free(names);
	vmnames_free(NULL);
}

static const struct unit_test tests[] = {
	{ "forms", forms },
	{ "none", none },
	{ "vmms", vmms },
	{ "sockets", sockets },
	{ "firecracker_sockets", firecracker_sockets },
	{ "desktops", desktops },
	{ "sandboxes", sandboxes },
	{ "microvms", microvms },
	{ "jails", jails },
	{ "cgroups", cgroups },
	{ "cgroups_of_no_vm", cgroups_of_no_vm },
	{ "value_missing", value_missing },
	{ "commas", commas },
	{ "not_terminated", not_terminated },
	{ "unprintable", unprintable },
	{ "long_names", long_names },
	{ "long_names_elsewhere", long_names_elsewhere },
	{ "random_bytes", random_bytes },
	{ "evidence", evidence },
	{ "reuse", reuse },
	{ "bad_stat", bad_stat },
	{ "processes", processes },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
