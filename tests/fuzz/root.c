// SPDX-License-Identifier: Apache-2.0
// A captured root: files with a NUL between them, in the order of the table; an empty one is left out. Every script
// of this tree gets a verdict, in words that may go to a terminal and into JSON.
#include "fuzz.h"

#include "base/file.h"
#include "plan/select.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

static const char *const files[] = {
	"/proc/sys/kernel/osrelease",
	"/proc/sys/kernel/arch",
	"/proc/modules",
	"/proc/kallsyms",
	"/sys/kernel/tracing/available_filter_functions",
	"/sys/kernel/tracing/events/kvm/kvm_exit/format",
	"/sys/kernel/tracing/events/kvm/kvm_hypercall/format",
	"/sys/kernel/btf/vmlinux", /* the rest, NULs and all */
};

static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_root(void)
{
	snprintf(root, sizeof(root), "%s/kvmwait-fuzz.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	MUST(mkdtemp(root));
	atexit(remove_root);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char *path = xasprintf("%s%s", root, files[i]);

		*strrchr(path, '/') = '\0';
		MUST(!directory_make(path));
		free(path);
	}
	{
		char *kprobe = xasprintf("%s/sys/bus/event_source/devices/kprobe", root);

		MUST(!directory_make(kprobe));
		free(kprobe);
	}
}

static void write_file(const char *name, const uint8_t *data, size_t size)
{
	char *path = xasprintf("%s%s", root, name);

	if (size)
		MUST(!file_write(path, data, size));
	else
		unlink(path);
	free(path);
}

static void write_files(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		bool last = i + 1 == ARRAY_SIZE(files);
		const uint8_t *nul = size && !last ? memchr(data, '\0', size) : NULL;
		size_t n = nul ? (size_t)(nul - data) : size;

		write_file(files[i], data, n);
		data += n + (nul != NULL);
		size -= n + (nul != NULL);
	}
}

static void check_verdict(const struct verdict *v)
{
	MUST(v->reason);
	fuzz_must_be_printable(v->reason);
	for (size_t i = 0; i < v->n_sources; i++) {
		fuzz_must_be_printable(v->sources[i].why);
		for (size_t j = 0; j < v->sources[i].functions.n; j++)
			fuzz_must_be_printable(v->sources[i].functions.items[j]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct script *scripts;
	static size_t n_scripts;
	struct kernel k;
	struct plan plan;
	char *why = NULL;

	if (!scripts) {
		make_root();
		MUST(!scripts_load("scripts", &scripts, &n_scripts, &why));
	}
	write_files(data, size);
	if (kernel_load(root, scripts, n_scripts, &k, &why)) {
		MUST(why);
		fuzz_must_be_printable(why);
		free(why);
		return 0;
	}
	MUST(!why);
	fuzz_must_be_printable(k.release);
	fuzz_must_be_printable(k.arch);
	plan_make(&k, scripts, n_scripts, &plan);
	for (size_t i = 0; i < plan.n_verdicts; i++)
		check_verdict(&plan.verdicts[i]);
	plan_done(&plan);
	kernel_done(&k);
	return 0;
}
