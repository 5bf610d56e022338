// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/vm_list.c: which processes hold a VM, and what a name means, on a made-up proc/.
#include "unit.h"

#include "base/file.h"
#include "base/text.h"
#include "live/vm_list.h"

/* A process with a command line of words, and the links of its open files, each ended by a newline. */
static void make_process(const char *root, unsigned int tgid, const char *words, const char *links)
{
	CLEANUP_FREE char *fds = xasprintf("%s/proc/%u/fd", root, tgid);
	CLEANUP_FREE char *path = xasprintf("proc/%u/cmdline", tgid);
	CLEANUP_FREE char *cmdline = xstrdup(words);
	struct strings targets = { 0 };

	for (char *p = cmdline; *p; p++)
		if (*p == ' ')
			*p = '\0';
	unit_write(root, path, cmdline, strlen(words) + 1);
	CHECK_INT(directory_make(fds), 0);
	strings_split(&targets, links, "\n");
	for (size_t i = 0; i < targets.n; i++) {
		CLEANUP_FREE char *fd = xasprintf("%s/%zu", fds, i);

		CHECK_INT(symlink(targets.items[i], fd), 0);
	}
	strings_done(&targets);
}

#define TWO_VCPUS "/dev/null\nanon_inode:kvm-vm\nanon_inode:kvm-vcpu:0\nanon_inode:kvm-vcpu:1\nsocket:[1]\n"

/* A host; the caller frees its path. */
static char *make_host(const char *name)
{
	char *root = unit_path(name);

	make_process(root, 300, "qemu -name guest=web01", TWO_VCPUS);
	make_process(root, 20, "firecracker --id fc-1", "anon_inode:kvm-vm\nanon_inode:kvm-vcpu:0\n");
	make_process(root, 1000, "qemu -m 512", "anon_inode:kvm-vm\nanon_inode:kvm-vcpu\nanon_inode:kvm-vcpu-stats:0\n");
	make_process(root, 1001, "qemu -name twin", TWO_VCPUS);
	make_process(root, 1002, "qemu -name twin", TWO_VCPUS);
	make_process(root, 1003, "qemu -name 300", "anon_inode:kvm-vm\n");
	make_process(root, 1004, "qemu -name a\nb", TWO_VCPUS);
	/* no VMs: nothing open, KVM alone, a vCPU alone, files that only look so */
	make_process(root, 1, "init", "");
	make_process(root, 2, "qemu -name no", "/dev/kvm\nanon_inode:kvm-vcpu:0\n");
	make_process(root, 3, "qemu -name no", "/tmp/anon_inode:kvm-vm\n/anon_inode:kvm-vm\nanon_inode:kvm-vm-x\nanon_inode:kvm-v\nanon_inode:[kvm]\n");
	unit_write_text(root, "proc/self/cmdline", "qemu");
	unit_write_text(root, "proc/0/cmdline", "qemu");
	unit_write_text(root, "proc/99999999999/cmdline", "qemu");
	unit_write_text(root, "proc/1005/cmdline", "qemu"); /* it ended while we looked */
	return root;
}

static void lists(void)
{
	static const struct vm expected[] = {
		{ .tgid = 20, .name = (char *)"fc-1", .n_vcpus = 1 },
		{ .tgid = 300, .name = (char *)"web01", .n_vcpus = 2 },
		{ .tgid = 1000, .name = NULL, .n_vcpus = 1 },
		{ .tgid = 1001, .name = (char *)"twin", .n_vcpus = 2 },
		{ .tgid = 1002, .name = (char *)"twin", .n_vcpus = 2 },
		{ .tgid = 1003, .name = (char *)"300", .n_vcpus = 0 },
		{ .tgid = 1004, .name = (char *)"a\\x0ab", .n_vcpus = 2 },
	};
	CLEANUP_FREE char *root = make_host("lists");
	struct vmlist list;

	CHECK_INT(vmlist_read(root, &list), 0);
	CHECK_INT(list.n, ARRAY_SIZE(expected));
	CHECK_INT(list.n_hidden, 0);
	for (size_t i = 0; i < list.n; i++) {
		CHECK_INT(list.items[i].tgid, expected[i].tgid);
		CHECK_STR(list.items[i].name, expected[i].name);
		CHECK_INT(list.items[i].n_vcpus, expected[i].n_vcpus);
	}
	vmlist_done(&list);
	CHECK_INT(list.n, 0);
	vmlist_done(&list);
}

static void describes(void)
{
	CLEANUP_FREE char *root = make_host("describes");
	CLEANUP_FREE char *some = NULL;
	CLEANUP_FREE char *all = NULL;
	struct vmlist list;

	CHECK_INT(vmlist_read(root, &list), 0);
	some = vmlist_describe(&list, 3);
	all = vmlist_describe(&list, 7);
	CHECK_STR(some, "fc-1 (20), web01 (300), 1000 and 4 more");
	CHECK_STR(all, "fc-1 (20), web01 (300), 1000, twin (1001), twin (1002), 300 (1003), a\\x0ab (1004)");
	vmlist_done(&list);
}

static void no_proc(void)
{
	CLEANUP_FREE char *root = unit_path("nowhere");
	CLEANUP_FREE char *why = NULL;
	struct vmlist list;
	uint32_t tgid;
	size_t n = 0;

	CHECK_INT(vmlist_read(root, &list), -ENOENT);
	CHECK_INT(vmlist_resolve(root, "x", &tgid, 1, &n, &why), -ENOENT);
	CHECK_HAS(why, "nowhere/proc': No such file");
}

/* What a name adds to a list that holds four and has `had` already. */
static void check_resolve(const char *root, const char *name, uint32_t had, int err, const char *expected)
{
	uint32_t tgids[4] = { had };
	size_t n = !!had;
	CLEANUP_FREE char *text = xstrdup("");
	CLEANUP_FREE char *why = NULL;

	CHECK_INT(vmlist_resolve(root, name, tgids, ARRAY_SIZE(tgids), &n, &why), err);
	for (size_t i = 0; i < n; i++) {
		char *more = xasprintf("%s%s%u", text, i ? " " : "", tgids[i]);

		free(text);
		text = more;
	}
	CHECK_STR(text, expected);
	CHECK(!why == !err);
}

static void resolves(void)
{
	CLEANUP_FREE char *root = make_host("resolves");

	check_resolve(root, "web01", 0, 0, "300");
	check_resolve(root, "web01", 7, 0, "7 300");
	check_resolve(root, "web01", 300, 0, "300");
	check_resolve(root, "twin", 0, 0, "1001 1002");
	check_resolve(root, "twin", 1002, 0, "1002 1001");
	check_resolve(root, "fc-1", 0, 0, "20");
	check_resolve(root, "1000", 0, 0, "1000"); /* it has no name */
	check_resolve(root, "1001", 0, 0, "1001");
	check_resolve(root, "300", 0, 0, "1003"); /* a name before a TGID */
	check_resolve(root, "a\\x0ab", 0, 0, "1004");
	check_resolve(root, "a\nb", 0, -ENOENT, "");
	check_resolve(root, "web", 7, -ENOENT, "7");
	check_resolve(root, "web011", 0, -ENOENT, "");
	check_resolve(root, "WEB01", 0, -ENOENT, "");
	check_resolve(root, "web*", 0, -ENOENT, "");
	check_resolve(root, "no", 0, -ENOENT, "");
	check_resolve(root, "2", 0, -ENOENT, ""); /* a process, but no VM */
	check_resolve(root, "+1000", 0, -ENOENT, "");
	check_resolve(root, "4294968296", 0, -ENOENT, ""); /* 1000 + 2^32 */
	check_resolve(root, "", 0, -ENOENT, "");
}

/* The ids by which Proxmox, libvirt, OpenStack and VirtualBox know a VM. */
static void ids(void)
{
	CLEANUP_FREE char *root = unit_path("ids");

	make_process(root, 4001, "/usr/bin/kvm -id 101 -name web,debug-threads=on", TWO_VCPUS);
	make_process(root, 4002, "/usr/bin/kvm -id 102 -name web,debug-threads=on", TWO_VCPUS);
	make_process(root, 4003, "qemu -name guest=instance-0000002a -uuid 0AB33EB8-2751-4b6a-8d3f-6f3a1f1f9a11", TWO_VCPUS);
	make_process(root, 4004, "VBoxHeadless --comment box --startvm cb568998-d8b4-40d4-a6e7-c92aea5aee3d", TWO_VCPUS);
	make_process(root, 4005, "kvm -id 103 -name 101", TWO_VCPUS);
	make_process(root, 4006, "kvm -id 4001 -name same", TWO_VCPUS);
	make_process(root, 4007, "crosvm run --name c -id 107", TWO_VCPUS);
	make_process(root, 4008, "kvm -m 512 -id", TWO_VCPUS);
	check_resolve(root, "web", 0, 0, "4001 4002");
	check_resolve(root, "102", 0, 0, "4002");
	check_resolve(root, "101", 0, 0, "4005"); /* a name before an id */
	check_resolve(root, "4001", 0, 0, "4006"); /* an id before a TGID */
	check_resolve(root, "4002", 0, 0, "4002");
	check_resolve(root, "instance-0000002a", 0, 0, "4003");
	check_resolve(root, "0ab33eb8-2751-4b6a-8d3f-6f3a1f1f9a11", 0, 0, "4003");
	check_resolve(root, "0ab33eb8-2751-4b6a-8d3f-6f3a1f1f9a1", 0, -ENOENT, "");
	check_resolve(root, "cb568998-d8b4-40d4-a6e7-c92aea5aee3d", 0, 0, "4004");
	check_resolve(root, "WEB", 0, -ENOENT, "");
	check_resolve(root, "107", 0, -ENOENT, ""); /* no option of crosvm */
	check_resolve(root, "", 0, -ENOENT, "");
}

static void messages(void)
{
	CLEANUP_FREE char *root = make_host("messages");
	CLEANUP_FREE char *empty = unit_path("empty");
	CLEANUP_FREE char *missing = NULL;
	CLEANUP_FREE char *none = NULL;
	CLEANUP_FREE char *full = NULL;
	uint32_t tgids[2] = { 7 };
	size_t n = 1;

	CHECK_INT(vmlist_resolve(root, "x", tgids, 2, &n, &missing), -ENOENT);
	CHECK_HAS(missing, "no VM 'x' is running; there are: fc-1 (20), web01 (300), 1000, ");
	CHECK_HAS(missing, "-p takes a TGID");
	unit_write_text(empty, "proc/1/cmdline", "init");
	CHECK_INT(vmlist_resolve(empty, "x", tgids, 2, &n, &none), -ENOENT);
	CHECK_HAS(none, "no VM 'x' is running, and no other");
	CHECK_INT(vmlist_resolve(root, "twin", tgids, 2, &n, &full), -ERANGE);
	CHECK_HAS(full, "more than 2 VMs: 'twin' exceeds the limit");
	CHECK_INT(n, 1);
	for (unsigned int i = 0; i < 20; i++)
		make_process(root, 5000 + i, "qemu -name many", TWO_VCPUS);
	free(missing);
	missing = NULL;
	CHECK_INT(vmlist_resolve(root, "x", tgids, 2, &n, &missing), -ENOENT);
	CHECK_HAS(missing, "many (5002) and 17 more;");
}

/* Where files may not be looked at, that is what is said. Root may look at all. */
static void hidden(void)
{
	CLEANUP_FREE char *root = make_host("hidden");
	CLEANUP_FREE char *fds = unit_path("hidden/proc/300/fd");
	CLEANUP_FREE char *why = NULL;
	uint32_t tgids[2];
	size_t n = 0;
	bool all = !geteuid();

	CHECK_INT(chmod(fds, 0), 0);
	CHECK_INT(vmlist_resolve(root, "fc-1", tgids, 2, &n, &why), 0);
	CHECK_INT(vmlist_resolve(root, "x", tgids, 2, &n, &why), all ? -ENOENT : -EACCES);
	CHECK_HAS(why, all ? "is running; there are" : "run it with sudo");
	CHECK_INT(chmod(fds, 0700), 0);
}

/* This process holds no VM, and the real proc/ can be read. */
static void this_host(void)
{
	struct vmlist list;

	CHECK_INT(vmlist_read("", &list), 0);
	for (size_t i = 0; i < list.n; i++)
		CHECK(list.items[i].tgid != (uint32_t)getpid());
	vmlist_done(&list);
}

static const struct unit_test tests[] = {
	{ "lists", lists },	  { "describes", describes }, { "no_proc", no_proc },	  { "resolves", resolves },
	{ "ids", ids },
	{ "messages", messages }, { "hidden", hidden },	      { "this_host", this_host },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
