// SPDX-License-Identifier: Apache-2.0
// What the process of a bundle's item does: it reads files, lines or VMs, or becomes a program. Never returns.
#include "bundle/sources.h"

#include "base/clean_text.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/output.h"
#include "base/process.h"
#include "base/text.h"
#include "live/cgroups.h"
#include "live/vm_list.h"
#include "record/event.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 8192
#define THREADS_MAX 4096
#define KMSG "/dev/kmsg"
#define KMSG_RECORD_BYTES 16384

__attribute__((noreturn)) static void end(int code)
{
	if (output_flush(stdout) && !code)
		code = 1;
	_exit(code); /* nothing that the parent registered runs here */
}

__attribute__((noreturn)) static void give_up(const char *what, int err)
{
	dprintf(STDERR_FILENO, "'%s': %s\n", what, strerror(err));
	end(1);
}

/* ---- files ---- */

/* A file that does not wait for anything, and is no link; /dev/kmsg is the only device. */
static int open_source(const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && (S_ISREG(st.st_mode) || (S_ISCHR(st.st_mode) && !strcmp(path, KMSG))))
		return fd;
	close(fd);
	return S_ISDIR(st.st_mode) ? -EISDIR : -ENODEV;
}

/* Copies up to *left bytes. 0, -EFBIG where there is more, or -errno. */
static int copy_file(const char *from, const char *to, uint64_t *left)
{
	CLEANUP_FD int in = open_source(from);
	CLEANUP_FD int out = -1;

	if (in < 0)
		return in;
	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return out < 0 ? -errno : file_copy(in, out, left);
}

static void tell(int err, int32_t number, bool truncated, const char *path)
{
	const struct bundle_told told = { .error = err, .number = number, .truncated = truncated };

	fwrite(&told, sizeof(told), 1, stdout);
	fwrite(path, 1, strlen(path) + 1, stdout);
}

/* The first directory of a pattern that could not be read, and why. */
static int refused_errno;
static char refused_path[512];

static int note_refused(const char *path, int err)
{
	if (!refused_errno && err != ENOENT && err != ENOTDIR) {
		refused_errno = err;
		snprintf(refused_path, sizeof(refused_path), "%s", path);
	}
	return 0;
}

static void take_file(const char *path, const char *staged, uint64_t *left, int32_t *number)
{
	CLEANUP_FREE char *to = xasprintf("%s.%d", staged, *number);
	int err;

	if (*number >= FILES_MAX || !*left) {
		tell(EFBIG, -1, false, path);
		return;
	}
	err = copy_file(path, to, left);
	if (err && err != -EFBIG) {
		unlink(to);
		tell(-err, -1, false, path);
	} else {
		tell(0, (*number)++, err != 0, path);
	}
}

void bundle_files(const struct bundle_item *item, const char *staged, uint64_t limit_bytes)
{
	int32_t number = 0;

	for (size_t i = 0; i < item->words.n; i++) {
		const char *pattern = item->words.items[i];
		glob_t found = { 0 };

		refused_errno = 0;
		if (!strpbrk(pattern, "*?[")) {
			take_file(pattern, staged, &limit_bytes, &number);
			continue;
		}
		if (glob(pattern, 0, note_refused, &found))
			tell(refused_errno ? refused_errno : ENOENT, -1, false, refused_errno ? refused_path : pattern);
		for (size_t j = 0; j < found.gl_pathc; j++) {
			struct stat st;

			/* A pattern means the files among what it fits. */
			if (!lstat(found.gl_pathv[j], &st) && S_ISREG(st.st_mode))
				take_file(found.gl_pathv[j], staged, &limit_bytes, &number);
		}
		globfree(&found);
	}
	end(0);
}

void bundle_cgroups(const struct bundle_item *item, const char *staged, uint64_t limit_bytes)
{
	struct strings directories = { 0 };
	struct vmlist vms = { 0 };
	int32_t number = 0;
	int err = vmlist_read("", &vms);

	if (err)
		give_up("/proc", -err);
	err = cgroups_of_vms("", &vms, &directories);
	if (err)
		give_up("/proc/self/mountinfo", -err);
	/* A cgroup has the files of its version and of its controllers alone: the others are not missing. */
	for (size_t i = 0; i < directories.n; i++) {
		for (size_t j = 0; j < item->words.n; j++) {
			CLEANUP_FREE char *path = xasprintf("%s/%s", directories.items[i], item->words.items[j]);

			if (!access(path, F_OK))
				take_file(path, staged, &limit_bytes, &number);
		}
	}
	if (!directories.n)
		tell(vms.n_hidden ? EACCES : ENOENT, -1, false, vms.n_hidden ? "/proc" : "the cgroup of a VM");
	end(0);
}

/* ---- lines ---- */

static bool is_wanted(const struct bundle_item *item, const char *line)
{
	for (size_t i = 1; i < item->words.n; i++)
		if (strcasestr(line, item->words.items[i]))
			return true;
	return false;
}

/* The kernel's log, a record a read: "6,1234,5678901,-;text", the third number in microseconds. */
static int read_kmsg(const struct bundle_item *item, int fd)
{
	char record[KMSG_RECORD_BYTES];

	for (;;) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		const char *text;
		uint64_t us = 0;

		if (n < 0 && errno == EPIPE) /* it was overwritten meanwhile; the next one is there */
			continue;
		if (n <= 0)
			return n < 0 && errno != EAGAIN ? -errno : 0;
		record[n] = '\0';
		text = strchr(record, ';');
		if (!text || sscanf(record, "%*u,%*u,%" SCNu64, &us) != 1)
			continue;
		record[strcspn(record, "\n")] = '\0';
		if (is_wanted(item, text + 1))
			printf("[%5" PRIu64 ".%06" PRIu64 "] %s\n", us / 1000000, us % 1000000, text + 1);
	}
}

void bundle_lines(const struct bundle_item *item)
{
	const char *path = item->words.items[0];
	int fd = open_source(path), err;
	CLEANUP_FREE char *line = NULL;
	size_t room = 0;
	FILE *f;

	if (fd < 0)
		give_up(path, -fd);
	if (!strcmp(path, KMSG)) {
		err = read_kmsg(item, fd);
		if (err)
			give_up(path, -err);
		end(0);
	}
	f = fdopen(fd, "r");
	while (f && getline(&line, &room, f) > 0)
		if (is_wanted(item, line))
			fputs(line, stdout);
	if (!f || ferror(f))
		give_up(path, errno);
	end(0);
}

/* ---- VMs ---- */

/* The value behind a name in /proc/TGID/task/TID/status; the caller frees, NULL where there is none. */
static char *status_value(const char *status, const char *name)
{
	const char *found = strstr(status, name);

	found = found ? skip_space(found + strlen(name)) : NULL;
	return found ? xstrndup(found, strcspn(found, "\n")) : NULL;
}

/* Threads with different cookies never share a core (core scheduling); 0: none, null: this kernel does not say. */
static json_t *core_cookie(uint64_t tid)
{
	uint64_t cookie = 0;

	return prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, (unsigned long)tid, 0UL, &cookie) ? json_null() : json_integer((json_int_t)cookie);
}

/* The lines of a thread's cgroup file: which of the bundle's cgroups are its own. */
static json_t *cgroups_json(const char *tasks, const char *tid)
{
	CLEANUP_FREE char *path = xasprintf("%s/%s/cgroup", tasks, tid);
	CLEANUP_FREE char *text = NULL;
	json_t *array = json_array();
	struct strings lines = { 0 };

	if (!file_read(path, 1 << 16, &text, NULL))
		strings_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		CLEANUP_FREE char *clean = xcalloc(4 * strlen(lines.items[i]) + 1, 1);

		text_clean(lines.items[i], strlen(lines.items[i]), clean);
		json_array_append_new(array, json_string(clean));
	}
	strings_done(&lines);
	return array;
}

/* Where the threads of a VM may run: a vCPU that is pinned waits for that CPU alone. */
static json_t *threads_json(uint32_t tgid)
{
	CLEANUP_FREE char *path = xasprintf("/proc/%" PRIu32 "/task", tgid);
	json_t *threads = json_array();
	struct strings names = { 0 };

	directory_list(path, &names);
	for (size_t i = 0; i < names.n && json_array_size(threads) < THREADS_MAX; i++) {
		CLEANUP_FREE char *file = xasprintf("%s/%s/status", path, names.items[i]);
		CLEANUP_FREE char *comm_file = xasprintf("%s/%s/comm", path, names.items[i]);
		CLEANUP_FREE char *status = NULL;
		CLEANUP_FREE char *comm = file_line(comm_file);
		CLEANUP_FREE char *cpus = NULL;
		char clean[4 * COMM_BYTES * 4 + 1];
		uint64_t tid;

		if (parse_u64(names.items[i], &tid) || file_read(file, 1 << 16, &status, NULL))
			continue;
		cpus = status_value(status, "\nCpus_allowed_list:");
		text_clean(comm ? comm : "", comm ? strnlen(comm, 4 * (size_t)COMM_BYTES) : 0, clean);
		json_array_append_new(threads, json_pack("{s:I, s:s, s:s?, s:o, s:o}", "tid", (json_int_t)tid, "comm", clean, "cpus_allowed", cpus,
							 "cgroups", cgroups_json(path, names.items[i]), "core_sched_cookie", core_cookie(tid)));
	}
	strings_done(&names);
	return threads;
}

void bundle_vms(void)
{
	json_t *vms = json_array(), *object;
	struct vmlist list = { 0 };
	int err = vmlist_read("", &list);

	if (err)
		give_up("/proc", -err);
	for (size_t i = 0; i < list.n; i++)
		json_array_append_new(vms, json_pack("{s:I, s:s?, s:I, s:o}", "tgid", (json_int_t)list.items[i].tgid, "vm", list.items[i].name,
						     "vcpus", (json_int_t)list.items[i].n_vcpus, "threads",
						     threads_json(list.items[i].tgid)));
	object = json_pack("{s:o, s:I}", "vms", vms, "hidden_processes", (json_int_t)list.n_hidden);
	json_dumpf(object, stdout, JSON_INDENT(1));
	putchar('\n');
	end(0);
}

/* ---- programs ---- */

static char *fill_in(const char *word, const struct collector *c, const char *out, uint64_t limit_bytes)
{
	if (!strcmp(word, "%out%"))
		return xstrdup(out);
	if (!strcmp(word, "%size%"))
		return xasprintf("%" PRIu64, limit_bytes);
	if (!strcmp(word, "%duration%"))
		return xasprintf("%" PRIu64, c->duration_s);
	if (!strcmp(word, "%bpftrace%"))
		return xstrdup(c->bpftrace ? c->bpftrace : "");
	return xstrdup(word);
}

void bundle_program(const struct bundle_item *item, const struct collector *c, const char *out, uint64_t limit_bytes)
{
	static char *const environment[] = { PROCESS_ENVIRONMENT, NULL };
	bool self = !strcmp(item->words.items[0], "%kvmwait%");
	char **argv = xcalloc(item->words.n + 1, sizeof(*argv));

	for (size_t i = 0; i < item->words.n; i++)
		argv[i] = fill_in(item->words.items[i], c, out, limit_bytes);
	if (self) {
		optind = 0; /* getopt begins anew */
		end(c->self((int)item->words.n, argv));
	}
	if (!*argv[0]) {
		dprintf(STDERR_FILENO, "bpftrace is missing: install the package bpftrace\n");
		end(1);
	}
	signal(SIGPIPE, SIG_DFL);
	execve(argv[0], argv, environment);
	give_up(argv[0], errno);
}
