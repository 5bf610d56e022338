// SPDX-License-Identifier: Apache-2.0
// The virtual machine monitors (VMMs) that kvmwait knows: how their command lines and cgroups name a VM.
#include "live/vmm.h"

#include "base/clean_text.h"
#include "base/digits.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LIMIT_BYTES 128u

/* The caller frees; NULL where nothing is left. */
static char *clean_name(struct view s)
{
	size_t n = s.n > NAME_LIMIT_BYTES ? NAME_LIMIT_BYTES : s.n;
	char *name;

	if (!n)
		return NULL;
	name = xcalloc(4 * n + 1, 1);
	text_clean(s.at, n, name);
	return name;
}

/* ---- the values of options ---- */

/*
 * One item of a QEMU option list: up to a comma, where a doubled comma is one of the item. Returns its length in
 * raw (cut at its size) and how much of the text it took.
 */
static size_t take_item(struct view text, char *raw, size_t size, size_t *ret_taken)
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
static char *name_of_list(struct view text)
{
	static const char key[] = "guest=";
	char raw[sizeof(key) - 1 + NAME_LIMIT_BYTES];
	char *name = NULL;

	for (size_t at = 0, taken; at < text.n; at += taken) {
		struct view item = { raw, take_item(view_from(text, at), raw, sizeof(raw), &taken) };
		bool keyed = view_cut_start(&item, key);

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
static char *name_of_socket(struct view text)
{
	static const char *const endings[] = { ".sock", ".socket", "-socket" };
	static const char *const common[] = { "", "api", "ch", "ch-api", "clh", "clh-api", "cloud-hypervisor", "fc", "fc-api", "firecracker",
					      "hypervisor", "vmm" };
	static const char *const places[] = { "", "tmp", "run", "root", "cloud-hypervisor", "firecracker" };
	struct view path = text, rest = text, item, part;

	while (view_next(&rest, ',', &item)) {
		if (view_cut_start(&item, "fd="))
			return NULL;
		if (view_cut_start(&item, "path=")) {
			path = item;
			break;
		}
	}
	part = view_last_part(&path);
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (view_cut_end(&part, endings[i]))
			break;
	if (!view_is_any(part, common, ARRAY_SIZE(common)))
		return clean_name(part);
	part = view_last_part(&path);
	return view_is_any(part, places, ARRAY_SIZE(places)) ? NULL : clean_name(part);
}

/* The sandbox of gVisor, "runsc-sandbox ... boot ... ID": runsc appends the id as the last argument. */
static char *name_of_sandbox(struct view cmdline)
{
	struct view arg, last = { "", 0 };
	bool boot = false;

	while (view_next(&cmdline, '\0', &arg)) {
		last = boot ? arg : last;
		boot = boot || view_is(arg, "boot");
	}
	return clean_name(last);
}

/* muvm runs one VM for each user and knows no names. */
static char *name_of_muvm(struct view cmdline)
{
	(void)cmdline;
	return xstrdup("muvm");
}

/* microvm.nix starts a VMM with "microvm@NAME" as its first word. */
static char *name_of_first_word(struct view cmdline)
{
	struct view word;

	return view_next(&cmdline, '\0', &word) && view_cut_start(&word, "microvm@") ? clean_name(word) : NULL;
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
		char *(*name)(struct view value);
	} options[2];  /* the first that gives a name counts */
	const char *ids[2]; /* options that give an id, as the VMM's management knows the VM */
	bool joined;   /* "--id=X" is as good as "--id X", and "--" ends the options */
	bool one_dash; /* "--name" is as good as "-name" */
	char *(*whole)(struct view cmdline); /* instead of options */
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
static const struct vmm *vmm_of(struct view program)
{
	struct view file = view_last_part(&program);

	for (size_t i = 0; i + 1 < ARRAY_SIZE(vmms); i++) {
		struct view rest = file;

		if (view_cut_start(&rest, vmms[i].program) && (!rest.n || !isalnum((unsigned char)*rest.at)))
			return &vmms[i];
	}
	return NULL;
}

/* Is `arg` the option `text`? Also gives its value where that is part of the argument. */
static bool is_option(const struct vmm *vmm, const char *text, struct view arg, struct view *ret_value, bool *ret_joined)
{
	struct view value = arg, rest = arg;

	if (vmm->one_dash && view_cut_start(&rest, "--"))
		value = view_from(arg, 1);
	if (!view_cut_start(&value, text))
		return false;
	*ret_joined = vmm->joined && view_cut_start(&value, "=");
	if (*ret_joined)
		*ret_value = value;
	return *ret_joined || !value.n;
}

/* The last value of an option counts. */
static struct view option_value(const struct vmm *vmm, const char *text, struct view cmdline)
{
	struct view value = { "", 0 }, arg;
	bool joined;

	while (view_next(&cmdline, '\0', &arg)) {
		if (vmm->joined && view_is(arg, "--"))
			break;
		if (is_option(vmm, text, arg, &value, &joined) && !joined)
			view_next(&cmdline, '\0', &value);
	}
	return value;
}

static char *name_of_command(const struct vmm *vmm, struct view cmdline)
{
	char *name = vmm->whole ? vmm->whole(cmdline) : NULL;

	for (size_t i = 0; i < ARRAY_SIZE(vmm->options) && vmm->options[i].text && !name; i++)
		name = vmm->options[i].name(option_value(vmm, vmm->options[i].text, cmdline));
	return name;
}

/* What the file of the program is called decides, then what it was called when it was started. */
static const struct vmm *vmm_from(struct view exe, struct view cmdline)
{
	const struct vmm *vmm = vmm_of(exe);
	struct view first;

	if (!vmm && view_next(&cmdline, '\0', &first))
		vmm = vmm_of(first);
	return vmm ? vmm : &vmms[ARRAY_SIZE(vmms) - 1];
}

char *vmm_name(struct view exe, struct view cmdline)
{
	return name_of_command(vmm_from(exe, cmdline), cmdline);
}

void vmm_ids(struct view exe, struct view cmdline, struct strings *ids)
{
	const struct vmm *vmm = vmm_from(exe, cmdline);

	for (size_t i = 0; i < ARRAY_SIZE(vmm->ids) && vmm->ids[i]; i++) {
		CLEANUP_FREE char *id = clean_name(option_value(vmm, vmm->ids[i], cmdline));

		if (id)
			strings_add(ids, id);
	}
}

/* ---- cgroups ---- */

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

/* Undoes \xNN; returns the length in out. */
static size_t unescape(struct view s, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n && n < size; i++) {
		int high = i + 3 < s.n && s.at[i] == '\\' && s.at[i + 1] == 'x' ? digits_hex_value(s.at[i + 2]) : -1;
		int low = high >= 0 ? digits_hex_value(s.at[i + 3]) : -1;

		out[n++] = low >= 0 ? (char)(high << 4 | low) : s.at[i];
		i += low >= 0 ? 3 : 0;
	}
	return n;
}

/* libvirt makes "DRIVER-ID-NAME" of a name, in older versions "DRIVER-NAME". A container is no VM. */
static struct view without_driver(struct view s)
{
	struct view rest = s;
	size_t digits = 0;

	if (view_cut_start(&rest, "lxc-"))
		return (struct view){ s.at, 0 };
	if (!view_cut_start(&rest, "qemu-") && !view_cut_start(&rest, "ch-"))
		return s;
	while (digits < rest.n && isdigit((unsigned char)rest.at[digits]))
		digits++;
	if (digits && digits < rest.n && rest.at[digits] == '-')
		rest = view_from(rest, digits + 1);
	return rest;
}

static char *name_of_scope(struct view part)
{
	char raw[2 * NAME_LIMIT_BYTES]; /* with what libvirt puts before it */

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		struct view s = part;

		if (!view_cut_end(&s, scopes[i].behind) || !view_cut_start(&s, scopes[i].before))
			continue;
		if (scopes[i].escaped)
			s = (struct view){ raw, unescape(s, raw, sizeof(raw)) };
		return clean_name(scopes[i].driver ? without_driver(s) : s);
	}
	return NULL;
}

/* Firecracker's jailer makes PROGRAM/ID; the id has only letters, digits and '-', so it is no unit of systemd. */
static char *name_of_jail(struct view parent, struct view part)
{
	struct view program = view_last_part(&parent);

	if (!view_cut_start(&program, "firecracker") || (program.n && !view_cut_start(&program, "-v")))
		return NULL;
	for (size_t i = 0; i < part.n; i++)
		if (!isalnum((unsigned char)part.at[i]) && part.at[i] != '-')
			return NULL;
	return clean_name(part);
}

/* Lines are "ID:CONTROLLERS:PATH"; the innermost cgroup that is a VM's counts, and the first line that has one. */
char *vmm_name_of_cgroup(struct view cgroup)
{
	struct view line, part;
	char *name = NULL;

	while (!name && view_next(&cgroup, '\n', &line)) {
		if (!view_next(&line, ':', &part) || !view_next(&line, ':', &part))
			continue;
		while (!name && line.n) {
			part = view_last_part(&line);
			name = name_of_scope(part);
			if (!name)
				name = name_of_jail(line, part);
		}
	}
	return name;
}
