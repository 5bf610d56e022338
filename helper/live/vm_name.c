// SPDX-License-Identifier: Apache-2.0
// Names of VMs, from the command line or the cgroup of their process; read in user space, never in a probe.
#include "live/vm_name.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/table.h"
#include "base/text.h"
#include "live/root_helper.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CMDLINE_LIMIT_BYTES (256u << 10)
#define CGROUP_LIMIT_BYTES (64u << 10)
#define STAT_LIMIT_BYTES (16u << 10)
#define NAME_LIMIT_BYTES 128u
#define CHECK_INTERVAL_NS NS_PER_S

/* ---- bytes that others chose, with no NUL behind them ---- */

struct span {
	const char *at;
	size_t n;
};

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && !memcmp(s.at, text, s.n);
}

static bool span_is_any(struct span s, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_is(s, texts[i]))
			return true;
	return false;
}

static struct span span_from(struct span s, size_t skip)
{
	return (struct span){ s.at + skip, s.n - skip };
}

/* Takes `prefix` off where it is there. */
static bool span_cut_start(struct span *s, const char *prefix)
{
	size_t length = strlen(prefix);

	if (s->n < length || memcmp(s->at, prefix, length))
		return false;
	*s = span_from(*s, length);
	return true;
}

static bool span_cut_end(struct span *s, const char *suffix)
{
	size_t length = strlen(suffix);

	if (s->n < length || memcmp(s->at + s->n - length, suffix, length))
		return false;
	s->n -= length;
	return true;
}

/* Takes off what stands before the first `separator`, and that; all where there is none. False at the end. */
static bool span_next(struct span *rest, char separator, struct span *ret)
{
	const char *end = rest->n ? memchr(rest->at, separator, rest->n) : NULL;

	if (!rest->n)
		return false;
	*ret = (struct span){ rest->at, end ? (size_t)(end - rest->at) : rest->n };
	*rest = span_from(*rest, ret->n + !!end);
	return true;
}

/* Takes the last part of a path off. */
static struct span span_last_part(struct span *path)
{
	const char *slash;
	struct span part;

	while (path->n && path->at[path->n - 1] == '/')
		path->n--;
	slash = path->n ? memrchr(path->at, '/', path->n) : NULL;
	part = slash ? span_from(*path, (size_t)(slash - path->at) + 1) : *path;
	path->n -= part.n;
	return part;
}

/* The caller frees; NULL where nothing is left. */
static char *clean_name(struct span s)
{
	size_t n = s.n > NAME_LIMIT_BYTES ? NAME_LIMIT_BYTES : s.n;
	char *name;

	if (!n)
		return NULL;
	name = xcalloc(4 * n + 1, 1);
	text_clean(s.at, n, name);
	return name;
}

/* ---- what an option of a VMM says ---- */

/*
 * One item of a QEMU option list: up to a comma, where a doubled comma is one of the item. Returns its length in
 * raw (cut at its size) and how much of the text it took.
 */
static size_t take_item(struct span text, char *raw, size_t size, size_t *ret_taken)
{
	size_t length = 0, i = 0;

	while (i < text.n) {
		char c = text.at[i++];

		if (c == ',' && (i == text.n || text.at[i] != ','))
			break;
		i += c == ',';
		if (length < size)
			raw[length++] = c;
	}
	*ret_taken = i;
	return length;
}

/* "web", "web,debug-threads=on" or "debug-threads=on,guest=web". */
static char *name_of_list(struct span text)
{
	static const char key[] = "guest=";
	char raw[sizeof(key) - 1 + NAME_LIMIT_BYTES];
	char *name = NULL;

	for (size_t at = 0, taken; at < text.n; at += taken) {
		struct span item = { raw, take_item(span_from(text, at), raw, sizeof(raw), &taken) };
		bool keyed = span_cut_start(&item, key);

		if (!item.n || (!keyed && (at || memchr(item.at, '=', item.n))))
			continue;
		free(name);
		name = clean_name(item);
	}
	return name;
}

/*
 * "path=/run/web01.sock" or the path alone: the file's name; where that says nothing, the name of the directory.
 * libvirt calls the file NAME-socket, Kata ID/clh-api.sock.
 */
static char *name_of_socket(struct span text)
{
	static const char *const endings[] = { ".sock", ".socket", "-socket" };
	static const char *const common[] = { "", "api", "ch", "ch-api", "clh", "clh-api", "cloud-hypervisor", "fc", "fc-api", "firecracker",
					      "hypervisor", "vmm" };
	static const char *const places[] = { "", "tmp", "run", "root", "cloud-hypervisor", "firecracker" };
	struct span path = text, rest = text, item, part;

	while (span_next(&rest, ',', &item)) {
		if (span_cut_start(&item, "fd="))
			return NULL;
		if (span_cut_start(&item, "path=")) {
			path = item;
			break;
		}
	}
	part = span_last_part(&path);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (span_cut_end(&part, endings[i]))
			break;
	if (!span_is_any(part, common, ARRAY_SIZE(common)))
		return clean_name(part);
	part = span_last_part(&path);
	return span_is_any(part, places, ARRAY_SIZE(places)) ? NULL : clean_name(part);
}

/* The sandbox of gVisor, "runsc-sandbox ... boot ... ID": runsc appends the id as the last argument. */
static char *name_of_sandbox(struct span cmdline)
{
	struct span arg, last = { "", 0 };
	bool boot = false;

	while (span_next(&cmdline, '\0', &arg)) {
		last = boot ? arg : last;
		boot = boot || span_is(arg, "boot");
	}
	return clean_name(last);
}

/* muvm runs one VM for each user and knows no names. */
static char *name_of_muvm(struct span cmdline)
{
	(void)cmdline;
	return xstrdup("muvm");
}

/* microvm.nix starts a VMM with "microvm@NAME" as its first word. */
static char *name_of_first_word(struct span cmdline)
{
	struct span word;

	return span_next(&cmdline, '\0', &word) && span_cut_start(&word, "microvm@") ? clean_name(word) : NULL;
}

#define VIRTUALBOX_OPTIONS                                                                                                       \
	.options = { { "-comment", clean_name }, { "-startvm", clean_name } }, .ids = { "-startvm" }, .joined = true, .one_dash = true

/*
 * The VMMs and the options of each that give a name. A row applies to a program whose file name is `program`, or
 * begins so and goes on with other than a letter or digit, such as a version; the last row applies to every other,
 * since many programs follow QEMU and many names are given to QEMU itself.
 */
static const struct vmm {
	const char *program;
	struct vmm_option {
		const char *text;
		char *(*name)(struct span value);
	} options[2];  /* the first that gives a name counts */
	const char *ids[2]; /* options that give an id, as the VMM's management knows the VM */
	bool joined;   /* "--id=X" is as good as "--id X", and "--" ends the options */
	bool one_dash; /* "--name" is as good as "-name" */
	char *(*whole)(struct span cmdline); /* instead of options */
} vmms[] = {
	/* the jailer passes --id on */
	{ "firecracker", .options = { { "--id", clean_name }, { "--api-sock", name_of_socket } }, .joined = true },
	{ "cloud-hypervisor", .options = { { "--api-socket", name_of_socket } }, .joined = true }, /* it knows no names */
	{ "crosvm", .options = { { "--name", clean_name } }, .joined = true },
	{ "lkvm", .options = { { "--name", clean_name } }, .joined = true },
	/* with the VMM in the shim's own process */
	{ "containerd-shim-kata", .options = { { "-id", clean_name } }, .joined = true, .one_dash = true },
	{ "VBoxHeadless", VIRTUALBOX_OPTIONS },
	{ "VBoxSDL", VIRTUALBOX_OPTIONS },
	{ "VirtualBoxVM", VIRTUALBOX_OPTIONS },
	{ "runsc", .whole = name_of_sandbox },
	{ "muvm", .whole = name_of_muvm },
	{ "microvm", .whole = name_of_first_word },
	/* -avd is an option of Android's emulator, -id of Proxmox's QEMU */
	{ "", .options = { { "-name", name_of_list }, { "-avd", clean_name } }, .ids = { "-id", "-uuid" }, .one_dash = true },
};

/* NULL for a program that none of the rows but the last serves. */
static const struct vmm *vmm_of(struct span program)
{
	struct span file = span_last_part(&program);

	for (size_t i = 0; i + 1 < ARRAY_SIZE(vmms); i++) {
		struct span rest = file;

		if (span_cut_start(&rest, vmms[i].program) && (!rest.n || !isalnum((unsigned char)*rest.at)))
			return &vmms[i];
	}
	return NULL;
}

/* Is `arg` the option `text`? Also gives its value where that is part of the argument. */
static bool is_option(const struct vmm *vmm, const char *text, struct span arg, struct span *ret_value, bool *ret_joined)
{
	struct span value = arg, rest = arg;

	if (vmm->one_dash && span_cut_start(&rest, "--"))
		value = span_from(arg, 1);
	if (!span_cut_start(&value, text))
		return false;
	*ret_joined = vmm->joined && span_cut_start(&value, "=");
	if (*ret_joined)
		*ret_value = value;
	return *ret_joined || !value.n;
}

/* The last value of an option counts. */
static struct span option_value(const struct vmm *vmm, const char *text, struct span cmdline)
{
	struct span value = { "", 0 }, arg;
	bool joined;

	while (span_next(&cmdline, '\0', &arg)) {
		if (vmm->joined && span_is(arg, "--"))
			break;
		if (is_option(vmm, text, arg, &value, &joined) && !joined)
			span_next(&cmdline, '\0', &value);
	}
	return value;
}

static char *name_of_command(const struct vmm *vmm, struct span cmdline)
{
	char *name = vmm->whole ? vmm->whole(cmdline) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(vmm->options) && vmm->options[i].text && !name; i++)
		name = vmm->options[i].name(option_value(vmm, vmm->options[i].text, cmdline));
	return name;
}

/* What the file of the program is called decides, then what it was called when it was started. */
static const struct vmm *vmm_from(struct span exe, struct span cmdline)
{
	const struct vmm *vmm = vmm_of(exe);
	struct span first;

	if (!vmm && span_next(&cmdline, '\0', &first))
		vmm = vmm_of(first);
	return vmm ? vmm : &vmms[ARRAY_SIZE(vmms) - 1];
}

static char *name_from(struct span exe, struct span cmdline)
{
	return name_of_command(vmm_from(exe, cmdline), cmdline);
}

char *vmname_from_cmdline(const char *cmdline, size_t n)
{
	return name_from((struct span){ "", 0 }, (struct span){ cmdline, n });
}

/* ---- what a cgroup says ---- */

/* The cgroups that are made for one VM. */
static const struct {
	const char *before, *behind;
	bool escaped; /* by systemd: \xNN */
	bool driver;  /* libvirt's may stand before the name */
} scopes[] = {
	{ "machine-", ".scope", true, true }, /* systemd-machined: of libvirt, systemd-vmspawn and others */
	{ "", ".libvirt-qemu", false, true }, /* libvirt without systemd */
	{ "", ".libvirt-ch", false, true },
	{ "microvm@", ".service", true, false }, /* microvm.nix */
};

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes \xNN; returns the length in out. */
static size_t unescape(struct span s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < size; i++) {
		int high = i + 3 < s.n && s.at[i] == '\\' && s.at[i + 1] == 'x' ? hex_value(s.at[i + 2]) : -1;
		int low = high >= 0 ? hex_value(s.at[i + 3]) : -1;

		out[n++] = low >= 0 ? (char)(high << 4 | low) : s.at[i];
		i += low >= 0 ? 3 : 0;
	}
	return n;
}

/* libvirt makes "DRIVER-ID-NAME" of a name, in older versions "DRIVER-NAME". A container is no VM. */
static struct span without_driver(struct span s)
{
	struct span rest = s;
	size_t digits = 0;

	if (span_cut_start(&rest, "lxc-"))
		return (struct span){ s.at, 0 };
	if (!span_cut_start(&rest, "qemu-") && !span_cut_start(&rest, "ch-"))
		return s;
	while (digits < rest.n && isdigit((unsigned char)rest.at[digits]))
		digits++;
	if (digits && digits < rest.n && rest.at[digits] == '-')
		rest = span_from(rest, digits + 1);
	return rest;
}

static char *name_of_scope(struct span part)
{
	char raw[2 * NAME_LIMIT_BYTES]; /* with what libvirt puts before it */

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		struct span s = part;

		if (!span_cut_end(&s, scopes[i].behind) || !span_cut_start(&s, scopes[i].before))
			continue;
		if (scopes[i].escaped)
			s = (struct span){ raw, unescape(s, raw, sizeof(raw)) };
		return clean_name(scopes[i].driver ? without_driver(s) : s);
	}
	return NULL;
}

/* Firecracker's jailer makes PROGRAM/ID; the id has only letters, digits and '-', so it is no unit of systemd. */
static char *name_of_jail(struct span parent, struct span part)
{
	struct span program = span_last_part(&parent);

	if (!span_cut_start(&program, "firecracker") || (program.n && !span_cut_start(&program, "-v")))
		return NULL;
	for (size_t i = 0; i < part.n; i++)
		if (!isalnum((unsigned char)part.at[i]) && part.at[i] != '-')
			return NULL;
	return clean_name(part);
}

/* Lines are "ID:CONTROLLERS:PATH"; the innermost cgroup that is a VM's counts, and the first line that has one. */
char *vmname_from_cgroup(const char *cgroup, size_t n)
{
	struct span rest = { cgroup, n }, line, part;
	char *name = NULL;

	while (!name && span_next(&rest, '\n', &line)) {
		if (!span_next(&line, ':', &part) || !span_next(&line, ':', &part))
			continue;
		while (!name && line.n) {
			part = span_last_part(&line);
			name = name_of_scope(part);
			if (!name)
				name = name_of_jail(line, part);
		}
	}
	return name;
}

/* ---- what /proc says ---- */

/* A file of a process: of this system by the root helper, since most are not ours; of a captured root as it lies there. */
static int read_of(const char *root, uint32_t tgid, enum root_helper_file file, size_t limit_bytes, char **ret_text, size_t *ret_size)
{
	static const char *const names[] = { [ROOT_HELPER_CMDLINE] = "cmdline", [ROOT_HELPER_CGROUP] = "cgroup", [ROOT_HELPER_STAT] = "stat" };
	CLEANUP_FREE char *path = NULL;

	if (!*root)
		return root_helper_read(tgid, file, limit_bytes, ret_text, ret_size);
	path = xasprintf("%s/proc/%" PRIu32 "/%s", root, tgid, names[file]);
	return file_read(path, limit_bytes, ret_text, ret_size);
}

/* Where the link to the program leads. Its length, or -1. */
static ssize_t read_exe(const char *root, uint32_t tgid, char *exe, size_t size)
{
	CLEANUP_FD int fd = *root ? -1 : root_helper_open(tgid, ROOT_HELPER_EXE);
	CLEANUP_FREE char *path = *root ? xasprintf("%s/proc/%" PRIu32 "/exe", root, tgid) : xasprintf("/proc/self/fd/%d", fd);

	return readlink(path, exe, size);
}

char *vmname_of_process(const char *root, uint32_t tgid)
{
	CLEANUP_FREE char *cmdline = NULL;
	CLEANUP_FREE char *cgroup = NULL;
	char exe[PATH_MAX], *name = NULL;
	ssize_t length = read_exe(root, tgid, exe, sizeof(exe));
	size_t n;

	if (!read_of(root, tgid, ROOT_HELPER_CMDLINE, CMDLINE_LIMIT_BYTES, &cmdline, &n))
		name = name_from((struct span){ exe, length > 0 ? (size_t)length : 0 }, (struct span){ cmdline, n });
	if (!name && !read_of(root, tgid, ROOT_HELPER_CGROUP, CGROUP_LIMIT_BYTES, &cgroup, &n))
		name = vmname_from_cgroup(cgroup, n);
	return name;
}

void vmname_ids_of_process(const char *root, uint32_t tgid, struct strings *ids)
{
	CLEANUP_FREE char *cmdline = NULL;
	char exe[PATH_MAX];
	ssize_t length = read_exe(root, tgid, exe, sizeof(exe));
	const struct vmm *vmm;
	size_t n;

	if (read_of(root, tgid, ROOT_HELPER_CMDLINE, CMDLINE_LIMIT_BYTES, &cmdline, &n))
		return;
	vmm = vmm_from((struct span){ exe, length > 0 ? (size_t)length : 0 }, (struct span){ cmdline, n });
	for (size_t i = 0; i < ARRAY_SIZE(vmm->ids) && vmm->ids[i]; i++) {
		CLEANUP_FREE char *id = clean_name(option_value(vmm, vmm->ids[i], (struct span){ cmdline, n }));

		if (id)
			strings_add(ids, id);
	}
}

/* Field 22 of stat, in ticks. The name of the process, field 2, may hold anything, but ends with the last ')'. */
static int process_start(const char *root, uint32_t tgid, uint64_t *ret_ticks)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *number = NULL;
	const char *field;
	size_t n;
	int err = read_of(root, tgid, ROOT_HELPER_STAT, STAT_LIMIT_BYTES, &text, &n);

	if (err)
		return err;
	field = memrchr(text, ')', n);
	for (int i = 2; i < 22 && field; i++)
		field = strchr(field + 1, ' ');
	if (!field)
		return -EINVAL;
	number = xstrndup(field + 1, strcspn(field + 1, " \n"));
	return parse_u64(number, ret_ticks);
}

/* ---- names that were read before ---- */

struct vm_entry {
	uint32_t tgid;
	bool known; /* start_ticks and name are those of one process */
	uint64_t start_ticks, checked_ns;
	char *name;
};

struct vmnames {
	char *root;
	struct table entries;  /* by process */
	struct vm_entry *last; /* most events come in runs of one VM */
	struct strings gone;   /* events that are still held have them */
};

static uint64_t hash_tgid(const void *entry)
{
	const struct vm_entry *e = entry;

	return table_hash_bytes(0, &e->tgid, sizeof(e->tgid));
}

static bool same_tgid(const void *a, const void *b)
{
	const struct vm_entry *x = a, *y = b;

	return x->tgid == y->tgid;
}

struct vmnames *vmnames_new(const char *root)
{
	struct vmnames *names = xcalloc(1, sizeof(*names));

	names->entries = (struct table){ .hash = hash_tgid, .same = same_tgid };
	names->root = xstrdup(root);
	return names;
}

static void entry_free(void *p)
{
	struct vm_entry *e = p;

	free(e->name);
	free(e);
}

void vmnames_free(struct vmnames *names)
{
	if (!names)
		return;
	table_done(&names->entries, entry_free);
	strings_done(&names->gone);
	free(names->root);
	free(names);
}

static void replace_name(struct vmnames *names, struct vm_entry *e, char *name)
{
	if (e->name && name && !strcmp(e->name, name)) {
		free(name);
		return;
	}
	if (e->name) {
		names->gone.items = xrealloc(names->gone.items, names->gone.n + 1, sizeof(*names->gone.items));
		names->gone.items[names->gone.n++] = e->name;
	}
	e->name = name;
}

static void look(struct vmnames *names, struct vm_entry *e)
{
	uint64_t before, after;
	char *name;

	if (process_start(names->root, e->tgid, &before) || (e->known && e->start_ticks == before))
		return;
	name = vmname_of_process(names->root, e->tgid);
	e->known = !process_start(names->root, e->tgid, &after) && after == before;
	e->start_ticks = before;
	if (e->known)
		replace_name(names, e, name);
	else
		free(name);
}

static struct vm_entry *find_entry(struct vmnames *names, uint32_t tgid)
{
	struct vm_entry *entry = table_find(&names->entries, &(struct vm_entry){ .tgid = tgid });

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->tgid = tgid;
		table_add(&names->entries, entry);
	}
	return entry;
}

const char *vmnames_get(struct vmnames *names, uint32_t tgid)
{
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC_COARSE); /* it costs a fourth: this is asked for each event */

	if (!names->last || names->last->tgid != tgid)
		names->last = find_entry(names, tgid);
	if (!names->last->checked_ns || now_ns - names->last->checked_ns >= CHECK_INTERVAL_NS) {
		names->last->checked_ns = now_ns;
		look(names, names->last);
	}
	return names->last->name;
}
