// SPDX-License-Identifier: Apache-2.0
// The audit of a running trace: reads the counters that KVM keeps by itself in debugfs, and holds them against what the
// probes counted.
//
// For each VM debugfs has a directory named by the thread that created it and the VM's file descriptor, "1234-11", with a
// file for each counter and a directory for each vCPU. The directory of all of them is opened as root; what lies below
// can be read by anybody.
#include "live/kept_counters.h"

#include "base/clock.h"
#include "base/digits.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/text.h"
#include "live/root_helper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_BYTES 64

struct kept {
	const struct counter *counter; /* of the part */
	bool is_exact;		       /* so is the event */
	bool is_wanted;		       /* by the filter */
	uint64_t seen, since, also;
	bool also_known; /* the script prints its map while it runs, not at the end alone */
	char *why;     /* why it cannot be read; NULL: it can */
	bool was_read; /* of at least one VM */
	char *missing; /* why, where a VM had no file for it; it counts only if no VM ever has one: files come after the directory */
	uint64_t running_least; /* what KVM had counted at least, at running_ns */
};

struct kept_counters {
	const struct program *program;
	int directory_fd; /* -1: not to be had */
	struct kept kept[AUDIT_COUNTERS];
	size_t n;
	uint64_t n_lines;
	char *why; /* nothing can be read; NULL: it can */
	struct audit *audit;
	uint64_t running_ns; /* of the last judgement while the trace goes on; 0: none */
};

/* ---- one VM ---- */

/* 0 or -errno. */
static int read_value(int vm_fd, const char *name, uint64_t *ret)
{
	CLEANUP_FD int fd = openat(vm_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[VALUE_BYTES];
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return -errno;
	return n && digits_take(text, text + n, ret) ? 0 : -EINVAL;
}

/* Each vCPU has a directory; a VM that ends meanwhile has none. */
static unsigned int count_vcpus(int vm_fd)
{
	struct strings names = { 0 };
	unsigned int n = 0;

	directory_list_open(vm_fd, &names);
	for (size_t i = 0; i < names.n; i++)
		n += starts_with(names.items[i], "vcpu") && isdigit((unsigned char)names.items[i][4]);
	strings_done(&names);
	return n;
}

/* The process of a thread; 0: not known. */
static uint32_t process_of(uint32_t tid)
{
	CLEANUP_FREE char *status = NULL;
	const char *line;
	uint64_t tgid;

	if (root_helper_read(tid, ROOT_HELPER_STATUS, 65536, &status, NULL))
		return 0;
	line = strstr(status, "\nTgid:\t");
	if (!line || !digits_take(line + 7, line + strlen(line), &tgid) || tgid > UINT32_MAX)
		return 0;
	return (uint32_t)tgid;
}

/* Is the VM of this directory one of those that are traced? Where that cannot be known, nothing can be audited. */
static bool is_traced(struct kept_counters *k, const char *name)
{
	const struct filter *f = &k->program->filter;
	uint64_t tid;
	uint32_t pid;

	if (!f->n_tgids)
		return true;
	pid = digits_take(name, name + strlen(name), &tid) && tid <= UINT32_MAX ? process_of((uint32_t)tid) : 0;
	if (!pid && !k->why)
		k->why = xasprintf("the process of the VM '%s' in debugfs is not known, so that --pid cannot be applied to it", name);
	for (size_t i = 0; i < f->n_tgids; i++)
		if (f->tgids[i] == pid)
			return true;
	return false;
}

static void read_vm(struct kept_counters *k, const char *name)
{
	CLEANUP_FD int fd = openat(k->directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	uint64_t values[AUDIT_COUNTERS] = { 0 };
	unsigned int n_vcpus;

	if (fd < 0 || !is_traced(k, name))
		return; /* it has ended, or is none of ours */
	n_vcpus = count_vcpus(fd);
	for (size_t i = 0; i < k->n; i++) {
		int err = k->kept[i].is_wanted ? read_value(fd, k->kept[i].counter->name, &values[i]) : 0;

		if (!err) {
			k->kept[i].was_read = true;
			continue;
		}
		if (faccessat(k->directory_fd, name, F_OK, 0))
			return; /* it ended meanwhile */
		if (err == -ENOENT) {
			free(k->kept[i].missing);
			k->kept[i].missing = xasprintf("this kernel has no '%s/%s' in debugfs", name, k->kept[i].counter->name);
			return;
		}
		if (!k->kept[i].why)
			k->kept[i].why = xasprintf("'%s/%s' in debugfs cannot be read: %s", name, k->kept[i].counter->name, strerror(-err));
	}
	audit_vm(k->audit, name, n_vcpus, values);
}

/* ---- all of them ---- */

void kept_counters_read(struct kept_counters *k, enum audit_reading reading)
{
	struct strings names = { 0 };
	int err;

	if (!k || k->why)
		return;
	audit_read_begin(k->audit, reading, clock_ns(CLOCK_BOOTTIME));
	err = directory_list_open(k->directory_fd, &names);
	for (size_t i = 0; i < names.n; i++)
		if (isdigit((unsigned char)names.items[i][0]) && strchr(names.items[i], '-'))
			read_vm(k, names.items[i]);
	audit_read_end(k->audit, clock_ns(CLOCK_BOOTTIME));
	strings_done(&names);
	if (err && !k->why)
		k->why = xasprintf("KVM's directory in debugfs cannot be read: %s", strerror(-err));
}

static const struct verdict *find_part(const struct program *program)
{
	for (size_t i = 0; i < program->n_parts; i++)
		if (program->parts[i]->script->n_counters)
			return program->parts[i];
	return NULL;
}

/* The script's own fidelity of what a counter is about. */
static bool is_exact(const struct program *program, const struct counter *c)
{
	const struct verdict *v = program->script;

	for (size_t i = 0; i < v->n_sources; i++)
		if (!strcmp(v->sources[i].event, c->event) && !strcmp(v->sources[i].source, c->source))
			return v->sources[i].fidelity == FIDELITY_EXACT;
	return false;
}

static char *why_no_directory(const char *path, int err)
{
	if (err == EACCES || err == EPERM)
		return xasprintf("'%s' can be read by root only", path);
	return xasprintf("'%s': %s; mount it with: mount -t debugfs none /sys/kernel/debug", path, strerror(err));
}

struct kept_counters *kept_counters_open(const struct program *program)
{
	const struct verdict *part = find_part(program);
	CLEANUP_FREE char *path = part ? xasprintf("/sys/kernel/debug/%s", part->script->module) : NULL;
	struct kept_counters *k;

	if (!part)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->program = program;
	k->n = part->script->n_counters;
	for (size_t i = 0; i < k->n; i++) {
		const struct counter *c = &part->script->counters[i];

		k->kept[i] = (struct kept){
			.counter = c,
			.is_exact = is_exact(program, c),
			.is_wanted = !program->filter.events || (program->filter.events & event_bit(c->event)),
		};
	}
	k->audit = audit_new(k->n);
	k->directory_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->directory_fd < 0)
		k->why = why_no_directory(path, errno);
	else if (program->filter.vcpu_mask)
		k->why = xstrdup("KVM counts by VM, and --vcpu selects vCPUs");
	kept_counters_read(k, AUDIT_BEFORE);
	return k;
}

void kept_counters_free(struct kept_counters *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++) {
		free(k->kept[i].why);
		free(k->kept[i].missing);
	}
	if (k->directory_fd >= 0)
		close(k->directory_fd);
	free(k->why);
	audit_free(k->audit);
	free(k);
}

/* ---- what the probes saw ---- */

void kept_counters_vcpu_ended(struct kept_counters *k, const struct wire_audit *line)
{
	if (!k)
		return;
	k->n_lines++;
	audit_vcpu_ended(k->audit, line->ts_ns, line->pid, line->n_vcpus, line->values);
}

uint64_t kept_counters_lines(const struct kept_counters *k)
{
	return k ? k->n_lines : 0;
}

void kept_counters_wait(struct kept_counters *k, const struct wait_event *w)
{
	for (size_t i = 0; k && i < k->n; i++) {
		if (strcmp(k->kept[i].counter->event, w->event) || strcmp(k->kept[i].counter->source, w->source))
			continue;
		k->kept[i].seen++;
		k->kept[i].since += w->ts_ns >= audit_begun_ns(k->audit);
	}
}

bool kept_counters_take_line(struct kept_counters *k, const char *line, size_t n)
{
	for (size_t i = 0; k && i < k->n; i++) {
		const char *map = k->kept[i].counter->map;
		size_t length = map ? strlen(map) : 0;
		const char *end = line + n;
		uint64_t value;

		if (!map || n < length + 4 || *line != '@' || memcmp(line + 1, map, length) || memcmp(line + 1 + length, ": ", 2))
			continue;
		if (digits_take(line + length + 3, end, &value) != end || !value)
			continue;
		k->kept[i].also = value - 1; /* the script begins it with 1 */
		k->kept[i].also_known = true;
		return true;
	}
	return false;
}

/* ---- the judgement ---- */

static void judge_one(const struct kept_counters *k, size_t i, uint64_t lost, kept_counters_waits_fn *waits_of, void *context,
		      json_t *object, char *ret_differs)
{
	const struct kept *kept = &k->kept[i];
	const struct counter *c = kept->counter;
	struct audit_seen seen = { .all = kept->seen, .since = kept->since, .lost = lost, .sees_ends = true };
	struct audit_result result;

	if (waits_of) {
		seen.all = seen.since = waits_of(context, c->event, c->source);
		seen.lost = 0; /* no line is printed that could be lost */
	}
	seen.all += kept->also;
	seen.since += kept->also; /* without times: at most so many */
	audit_judge(k->audit, i, &seen, &result);
	json_object_set_new(object, "seen", json_integer((json_int_t)seen.all));
	json_object_set_new(object, "kernel", json_integer((json_int_t)result.kernel_least));
	if (result.bounded)
		json_object_set_new(object, "kernel_most", json_integer((json_int_t)result.kernel_most));
	if (result.in_flight)
		json_object_set_new(object, "in_flight", json_integer((json_int_t)result.in_flight));
	json_object_set_new(object, "difference", json_integer((json_int_t)result.difference));
	if (result.difference && !*ret_differs)
		snprintf(ret_differs, AUDIT_WORDS_BYTES, "KVM counted %" PRIu64 " %s (%s), the probes %" PRIu64,
			 result.difference < 0 ? result.kernel_least : result.kernel_most, c->event, c->name, seen.all);
}

/* The reason why a counter cannot be compared, or NULL. */
static const char *why_not(const struct kept_counters *k, const struct kept *kept)
{
	if (k->why)
		return k->why;
	if (!kept->is_wanted)
		return "the event is not traced";
	if (!kept->is_exact)
		return "the event is not exact on this kernel";
	if (kept->why)
		return kept->why;
	return kept->was_read ? NULL : kept->missing;
}

static json_t *begin_object(const struct counter *c, const char *why)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "counter", c->name, "event", c->event, "source", c->source);

	if (why)
		json_object_set_new(object, "why", json_string(why));
	return object;
}

json_t *kept_counters_judge(const struct kept_counters *k, uint64_t lost, kept_counters_waits_fn *waits_of, void *context,
			    char ret_differs[AUDIT_WORDS_BYTES])
{
	json_t *list = k ? json_array() : NULL;

	for (size_t i = 0; k && i < k->n; i++) {
		const char *why = why_not(k, &k->kept[i]);
		json_t *object = begin_object(k->kept[i].counter, why);

		if (!why)
			judge_one(k, i, lost, waits_of, context, object, ret_differs);
		json_array_append_new(list, object);
	}
	return list;
}

/*
 * What was read last may be later than what the kernel had counted up to counted_ns, so the reading of the call before is taken,
 * if it is earlier.
 */
static void judge_running(const struct kept_counters *k, struct kept *kept, uint64_t counted_ns, uint64_t seen, json_t *object)
{
	struct audit_result result;

	audit_judge(k->audit, (size_t)(kept - k->kept), &(struct audit_seen){ .all = seen, .since = seen }, &result);
	if (k->running_ns && k->running_ns <= counted_ns) {
		int64_t difference = seen + result.in_flight < kept->running_least ? (int64_t)(seen - kept->running_least) : 0;

		json_object_set_new(object, "seen", json_integer((json_int_t)seen));
		json_object_set_new(object, "kernel", json_integer((json_int_t)kept->running_least));
		json_object_set_new(object, "difference", json_integer(difference));
	} else {
		json_object_set_new(object, "why", json_string("not compared yet"));
	}
	kept->running_least = result.kernel_least;
}

json_t *kept_counters_judge_running(struct kept_counters *k, uint64_t counted_ns, kept_counters_waits_fn *waits_of, void *context)
{
	json_t *list = k ? json_array() : NULL;

	for (size_t i = 0; k && i < k->n; i++) {
		struct kept *kept = &k->kept[i];
		const struct counter *c = kept->counter;
		const char *why = why_not(k, kept);
		json_t *object;

		if (!why && c->map && !kept->also_known)
			why = "compared at the end";
		object = begin_object(c, why);
		if (!why)
			judge_running(k, kept, counted_ns, waits_of(context, c->event, c->source) + kept->also, object);
		json_array_append_new(list, object);
	}
	if (k)
		k->running_ns = clock_ns(CLOCK_BOOTTIME);
	return list;
}
