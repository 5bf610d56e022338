// SPDX-License-Identifier: Apache-2.0
// The VMs that run on this host, found by the files their processes hold open, and the way from a name or an id to a TGID.
#include "live/vm_list.h"

#include "base/text.h"
#include "live/vm_name.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define NAMED_IN_MESSAGES 10

/*
 * What KVM calls its files (kvm_dev_ioctl_create_vm, create_vcpu_fd in virt/kvm/kvm_main.c). No file of a user can
 * be called so: the link to it begins with a slash.
 */
static const char vm_file[] = "anon_inode:kvm-vm";
static const char vcpu_file[] = "anon_inode:kvm-vcpu"; /* ":N" follows */

static void cleanup_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define CLEANUP_DIRECTORY __attribute__((cleanup(cleanup_directory)))

/* Looks at the files of a process: does it hold a VM? Counts its vCPUs. 0 or -errno. */
static int look_at_files(const char *root, uint32_t tgid, bool *ret_vm, size_t *n_vcpus)
{
	CLEANUP_FREE char *path = xasprintf("%s/proc/%" PRIu32 "/fd", root, tgid);
	CLEANUP_DIRECTORY DIR *d = opendir(path);
	const struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		char link[64];
		ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		if (!strcmp(link, vm_file))
			*ret_vm = true;
		else if (starts_with(link, vcpu_file) && (link[sizeof(vcpu_file) - 1] == ':' || !link[sizeof(vcpu_file) - 1]))
			++*n_vcpus;
	}
	return 0;
}

static int compare_vms(const void *a, const void *b)
{
	const struct vm *x = a, *y = b;

	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

int vmlist_read(const char *root, struct vmlist *ret)
{
	CLEANUP_FREE char *path = xasprintf("%s/proc", root);
	CLEANUP_DIRECTORY DIR *d = opendir(path);
	struct vmlist list = { 0 };
	const struct dirent *entry;

	if (!d)
		return -errno;
	while ((entry = readdir(d))) {
		struct vm vm = { 0 };
		uint64_t tgid;
		bool holds_vm = false;
		int err;

		if (parse_u64(entry->d_name, &tgid) || !tgid || tgid > INT32_MAX)
			continue;
		vm.tgid = (uint32_t)tgid;
		err = look_at_files(root, vm.tgid, &holds_vm, &vm.n_vcpus);
		list.n_hidden += err == -EACCES || err == -EPERM;
		if (err || !holds_vm)
			continue;
		vm.name = vmname_of_process(root, vm.tgid);
		vmname_ids_of_process(root, vm.tgid, &vm.ids);
		list.items = xrealloc(list.items, list.n + 1, sizeof(*list.items));
		list.items[list.n++] = vm;
	}
	if (list.n)
		qsort(list.items, list.n, sizeof(*list.items), compare_vms);
	*ret = list;
	return 0;
}

void vmlist_done(struct vmlist *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].name);
		strings_done(&list->items[i].ids);
	}
	free(list->items);
	*list = (struct vmlist){ 0 };
}

char *vmlist_describe(const struct vmlist *list, size_t max)
{
	struct strings parts = { 0 };
	CLEANUP_FREE char *named = NULL;
	size_t shown = list->n < max ? list->n : max;

	for (size_t i = 0; i < shown; i++) {
		const struct vm *vm = &list->items[i];
		CLEANUP_FREE char *part = vm->name ? xasprintf("%s (%" PRIu32 ")", vm->name, vm->tgid) : xasprintf("%" PRIu32, vm->tgid);

		strings_add(&parts, part);
	}
	named = strings_join(&parts, ", ");
	strings_done(&parts);
	return list->n > shown ? xasprintf("%s and %zu more", named, list->n - shown) : xstrdup(named);
}

static bool have_tgid(const uint32_t *tgids, size_t n, uint32_t tgid)
{
	for (size_t i = 0; i < n; i++)
		if (tgids[i] == tgid)
			return true;
	return false;
}

static bool has_name(const struct vm *vm, const char *name)
{
	return vm->name && !strcmp(vm->name, name);
}

static bool has_id(const struct vm *vm, const char *id)
{
	for (size_t i = 0; i < vm->ids.n; i++)
		if (!strcasecmp(vm->ids.items[i], id))
			return true;
	return false;
}

static bool has_tgid(const struct vm *vm, const char *number)
{
	uint64_t tgid;

	return !parse_u64(number, &tgid) && tgid == vm->tgid;
}

static int resolve(const struct vmlist *list, const char *name, uint32_t *tgids, size_t max, size_t *n_tgids, char **ret_error)
{
	CLEANUP_FREE char *running = list->n ? vmlist_describe(list, NAMED_IN_MESSAGES) : NULL;
	static bool (*const ways[])(const struct vm *vm, const char *name) = { has_name, has_id, has_tgid };
	size_t found = 0, n = *n_tgids;

	for (size_t way = 0; way < ARRAY_SIZE(ways) && !found; way++) {
		for (size_t i = 0; i < list->n; i++) {
			uint32_t tgid = list->items[i].tgid;

			if (!ways[way](&list->items[i], name))
				continue;
			found++;
			if (have_tgid(tgids, n, tgid))
				continue;
			if (n == max) {
				*ret_error = xasprintf("more than %zu VMs: '%s' exceeds the limit; omit --vm and -p and filter the output by vm",
						       max, name);
				return -ERANGE;
			}
			tgids[n++] = tgid;
		}
	}
	if (found) {
		*n_tgids = n;
		return 0;
	}
	if (list->n_hidden)
		*ret_error = xasprintf("no VM '%s' among the processes that may be looked at: run it with sudo", name);
	else if (running)
		*ret_error = xasprintf("no VM '%s' is running; there are: %s; -p takes a TGID", name, running);
	else
		*ret_error = xasprintf("no VM '%s' is running, and no other; start it first, or give -p the TGID of a process", name);
	return list->n_hidden ? -EACCES : -ENOENT;
}

int vmlist_resolve(const char *root, const char *name, uint32_t *tgids, size_t max, size_t *n_tgids, char **ret_error)
{
	struct vmlist list = { 0 };
	int err = vmlist_read(root, &list);

	if (err) {
		*ret_error = xasprintf("'%s/proc': %s", root, strerror(-err));
		return err;
	}
	err = resolve(&list, name, tgids, max, n_tgids, ret_error);
	vmlist_done(&list);
	return err;
}
