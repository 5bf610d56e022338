// SPDX-License-Identifier: Apache-2.0
// The names and addresses of this host, for redact.h: of the host, its users, its VMs, its network interfaces and its disks.
#include "bundle/redact_host.h"

#include "base/file.h"
#include "base/text.h"
#include "live/vm_list.h"

#include <glob.h>
#include <ifaddrs.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define FILE_LIMIT_BYTES (8u << 20)
#define FIRST_UID 1000
#define NOBODY_UID 65534
#define SERIAL_BYTES 5

/* "web01.example.com": as it is, the first label, and the domain, which tells as much. */
static void add_host_name(struct redact *r, const char *name)
{
	static const char *const everywhere[] = { "localhost", "ip6-", "ip6", "localdomain", "broadcasthost" };
	const char *dot = strchr(name, '.');

	for (size_t i = 0; i < ARRAY_SIZE(everywhere); i++)
		if (starts_with(name, everywhere[i]))
			return;
	redact_add(r, REDACT_HOST, name);
	if (dot) {
		CLEANUP_FREE char *label = xstrndup(name, (size_t)(dot - name));

		redact_add(r, REDACT_HOST, label);
		if (strchr(dot + 1, '.'))
			redact_add(r, REDACT_HOST, dot + 1);
	}
}

/* Calls for the lines of a file, less what stands behind #. */
static void each_line(const char *root, const char *path, void (*take)(struct redact *, char *), struct redact *r)
{
	CLEANUP_FREE char *full = xasprintf("%s%s", root, path);
	CLEANUP_FREE char *text = NULL;

	if (file_read(full, FILE_LIMIT_BYTES, &text, NULL))
		return;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);

		line[strcspn(line, "#")] = '\0';
		take(r, trim_end(line));
		p += n + (p[n] == '\n');
	}
}

static void take_hosts(struct redact *r, char *line)
{
	struct strings words = { 0 };

	strings_split(&words, line, " \t");
	for (size_t i = 1; i < words.n; i++)
		add_host_name(r, words.items[i]);
	strings_done(&words);
}

static void take_hostname(struct redact *r, char *line)
{
	if (*line)
		add_host_name(r, line);
}

static void take_passwd(struct redact *r, char *line)
{
	char *fields[6] = { line }; /* name, password, UID, GID, full name, home */
	uint64_t uid;

	for (size_t i = 1; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strchr(fields[i - 1], ':');
		if (!fields[i])
			return;
		*fields[i]++ = '\0';
	}
	fields[5][strcspn(fields[5], ":")] = '\0';
	fields[4][strcspn(fields[4], ",")] = '\0';
	if (parse_u64(fields[2], &uid) || uid < FIRST_UID || uid == NOBODY_UID)
		return;
	redact_add(r, REDACT_USER, fields[0]);
	if (strchr(fields[4], ' '))
		redact_add(r, REDACT_USER, fields[4]);
	if (strlen(fields[5]) > 4 && strcmp(fields[5], "/home") != 0)
		redact_add(r, REDACT_HOME, fields[5]);
}

static void add_interfaces(struct redact *r)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all))
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			redact_add_ipv4(r, (const uint8_t *)&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr);
		else if (i->ifa_addr->sa_family == AF_PACKET && ((const struct sockaddr_ll *)(const void *)i->ifa_addr)->sll_halen == 6)
			redact_add_mac(r, ((const struct sockaddr_ll *)(const void *)i->ifa_addr)->sll_addr);
	}
	freeifaddrs(all);
}

/* A serial number has letters and digits; what is not set says so in words, and a mere number cannot be told from others. */
static void add_serial(struct redact *r, const char *text)
{
	size_t n = strlen(text), digits = 0, letters = 0;

	for (const char *p = text; *p; p++) {
		digits += *p >= '0' && *p <= '9';
		letters += (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
	}
	if (n >= SERIAL_BYTES && digits && letters && !strchr(text, ' '))
		redact_add(r, REDACT_SERIAL, text);
}

static void take_serial(struct redact *r, char *line)
{
	add_serial(r, skip_space(line));
}

/* What a line of udev's database says of a disk (udevadm-info(8)): E:ID_SERIAL_SHORT=S4EVNX0M123456. */
static void take_udev(struct redact *r, char *line)
{
	static const char *const names[] = { "E:ID_SERIAL_SHORT=", "E:ID_SCSI_SERIAL=" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (starts_with(line, names[i]))
			add_serial(r, line + strlen(names[i]));
}

static void add_serials(struct redact *r, const char *root)
{
	static const char *const patterns[] = { "/sys/class/dmi/id/*_serial", "/sys/class/dmi/id/*_asset_tag", "/sys/class/nvme/*/serial", "/sys/block/*/serial",
						"/run/udev/data/b*" };

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		CLEANUP_FREE char *pattern = xasprintf("%s%s", root, patterns[i]);
		glob_t found = { 0 };

		if (!glob(pattern, 0, NULL, &found))
			for (size_t j = 0; j < found.gl_pathc; j++)
				each_line("", found.gl_pathv[j], starts_with(patterns[i], "/run") ? take_udev : take_serial, r);
		globfree(&found);
	}
}

static void add_user(struct redact *r, const char *variable)
{
	const char *name = getenv(variable);

	if (name && *name && strcmp(name, "root") != 0)
		redact_add(r, REDACT_USER, name);
}

void redact_add_vms(struct redact *r, const char *root)
{
	struct vmlist list = { 0 };

	if (vmlist_read(root, &list))
		return;
	for (size_t i = 0; i < list.n; i++)
		if (list.items[i].name)
			redact_add(r, REDACT_VM, list.items[i].name);
	vmlist_done(&list);
}

void redact_add_host(struct redact *r, const char *root)
{
	struct utsname u;

	if (!*root && !uname(&u))
		add_host_name(r, u.nodename);
	each_line(root, "/etc/hostname", take_hostname, r);
	each_line(root, "/etc/hosts", take_hosts, r);
	each_line(root, "/etc/passwd", take_passwd, r);
	add_serials(r, root);
	redact_add_vms(r, root);
	if (*root)
		return;
	add_user(r, "SUDO_USER");
	add_user(r, "LOGNAME");
	add_interfaces(r);
}
