// SPDX-License-Identifier: Apache-2.0
// Tests of helper/redact*.c: names and addresses in every dress, and what has to stay.
#include "unit.h"

#include "base/memory.h"
#include "bundle/redact_host.h"

static struct redact *some_names(void)
{
	struct redact *r = redact_new();

	redact_vocabulary(r, "type wait event pv_yield sched_switch comm vm ts kvm root dev");
	redact_add(r, REDACT_HOST, "node7.example.com");
	redact_add(r, REDACT_HOST, "node7");
	redact_add(r, REDACT_VM, "web01");
	redact_add(r, REDACT_VM, "a-very-long-machine-name");
	redact_add(r, REDACT_VM, "my vm");
	redact_add(r, REDACT_VM, "sched");
	redact_add(r, REDACT_VM, "101");
	redact_add(r, REDACT_VM, "kvm");
	redact_add(r, REDACT_USER, "bob");
	redact_add(r, REDACT_HOME, "/srv/h/bob");
	return r;
}

static void check_text(int line, const char *text, const char *expected)
{
	struct redact *r = some_names();
	size_t n;
	char *out = redact_text(r, text, strlen(text), &n);

	unit_checks++;
	if (strcmp(out, expected) != 0 || n != strlen(expected))
		unit_fail(__FILE__, line, "'%s' became '%s', not '%s'", text, out, expected);
	if (redact_is_left(r, out, n))
		unit_fail(__FILE__, line, "a name is left in '%s'", out);
	free(out);
	redact_free(r);
}
#define TEXT(text, expected) check_text(__LINE__, text, expected)

static void test_names(void)
{
	TEXT("", "");
	TEXT("nothing here", "nothing here");
	TEXT("on node7.example.com:", "on host-1:");
	TEXT("NODE7, Node7", "host-1, host-1");
	TEXT("xnode7y", "xhost-1y"); /* from 5 bytes on anywhere */
	TEXT("web01 node7 web01", "vm-1 host-1 vm-1");
	TEXT("vm_web01_disk0.qcow2", "vm_vm-1_disk0.qcow2");
	TEXT("bob: bobbin, bob_x, kabob", "user-1: bobbin, user-1_x, kabob");
	TEXT("/srv/h/bob/x", "home-1/x");
	TEXT("a-very-long-mac", "vm-1"); /* 15 bytes of it */
	TEXT("a-very-long-machine-names", "vm-1s");
}

static void test_what_stays(void)
{
	TEXT("sched_switch sched_other sched", "sched_switch vm-1_other vm-1");
	TEXT("kvm 101 /dev/kvm", "kvm 101 /dev/kvm");
	TEXT("12:34:56 6.12.117 std::string :: 0000:00:1f.2 1-2,3-4", "12:34:56 6.12.117 std::string :: 0000:00:1f.2 1-2,3-4");
	TEXT("256.1.1.1 1.2.3.1000 1-2-3-4-5 00:11:22:33:44", "256.1.1.1 1.2.3.1000 1-2-3-4-5 00:11:22:33:44");
}

static void test_addresses(void)
{
	TEXT("10.0.0.5, 10.0.0.5; 10.0.0.50", "ip-1, ip-1; ip-2");
	TEXT("[10.0.0.5]:80 ip-10-0-0-5.internal", "[ip-1]:80 ip-ip-1.internal");
	TEXT("fe80::1 FE80:0:0:0:0:0:0:1 fe80::1%eth0", "ip-1 ip-1 ip-1%eth0");
	TEXT("2001:db8::10.1.2.3.", "ip-1.");
	TEXT("52:54:00:aB:cd:ef 52-54-00-AB-CD-EF 5254.00ab.cdef", "mac-1 mac-1 mac-1");
	TEXT("mac=52:54:00:ab:cd:ef,x", "mac=mac-1,x");
	TEXT("ip=10.0.0.1: 10.0.0.1.443", "ip=ip-1: ip-1.443");
}

static void test_escapes(void)
{
	TEXT("my%20vm and my\\x20vm and my\\u0020vm", "vm-1 and vm-1 and vm-1");
	TEXT("machine-qemu\\x2d1\\x2dweb01.scope", "machine-qemu\\x2d1\\x2dvm-1.scope");
	TEXT("%77%65b01", "vm-1");
	TEXT("%2577eb01", "vm-1"); /* twice */
	TEXT("5254%3A00", "5254%3A00");
	TEXT("52%3A54%3A00%3Aab%3Acd%3Aef", "mac-1");
	TEXT("10%2e0%2e0%2e5", "ip-1");
	TEXT("7765623031", "vm-1"); /* in hex, as the audit log has what is not printable */
	TEXT("100% \\ %zz \\x \\u12", "100% \\ %zz \\x \\u12");
}

static void test_strange_names(void)
{
	struct redact *r = redact_new();
	static const char text[] = "x\"y\\ a\\x0ab host-1 host-2";
	char *out;
	size_t n;

	redact_add(r, REDACT_VM, "x\"y\\\\"); /* as text_clean() has x"y\ */
	redact_add(r, REDACT_VM, "a\\x0ab");
	redact_add(r, REDACT_HOST, "host-1"); /* what a token would be */
	redact_add(r, REDACT_HOST, "");
	out = redact_text(r, text, strlen(text), &n);
	CHECK_STR(out, "vm-1 vm-2 host-2 host-2");
	free(out);
	redact_free(r);
}

/* Names that tokens would bring back: it ends, and nothing is left. */
static void test_names_like_tokens(void)
{
	static const char *const names[] = { "vm-", "user-", "-1vm", "web01", "vm-1x", "redac", "vm1x2" };
	struct redact *r = redact_new();
	static const char text[] = "web01x web01 vm-1x user-1 redacted vm-1vm-1";
	char *out;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		redact_add(r, REDACT_VM, names[i]);
	out = redact_text(r, text, strlen(text), &n);
	CHECK(!redact_is_left(r, out, n));
	free(out);
	redact_free(r);
}

static void check_file(int line, const char *data, size_t n, const char *expected, size_t n_expected)
{
	struct redact *r = some_names();
	char *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	redact_learn(r, data, n);
	CHECK_INT(redact_write(r, data, n, f), 0);
	fclose(f);
	unit_checks++;
	if (size != n_expected || memcmp(out, expected, size) != 0)
		unit_fail(__FILE__, line, "it became '%s', not '%s'", out, expected);
	free(out);
	redact_free(r);
}
#define A_FILE(data, expected) check_file(__LINE__, data, sizeof(data) - 1, expected, sizeof(expected) - 1)

static void test_files(void)
{
	A_FILE("", "");
	A_FILE("web01\nbob", "vm-1\nuser-1");
	A_FILE("web01\n\n", "vm-1\n\n");
	/* numbers beyond 2^53, spaces and escapes stay as they were */
	A_FILE("{\"type\":\"wait\", \"ts\":18446744073709551615,\"comm\":\"CPU 0/KVM\",\"vm\":\"web01\"}\n{\"x\":1e400}\n",
	       "{\"type\":\"wait\", \"ts\":18446744073709551615,\"comm\":\"CPU 0/KVM\",\"vm\":\"vm-1\"}\n{\"x\":1e400}\n");
	/* a VM that nobody knew of, and one with a weak name: both are what "vm" says */
	A_FILE("{\"vm\":\"db99x\"}\n{\"why\":\"db99x\",\"vm\":\"101\"}\n{\"n\":101,\"vm\":\"kvm\"}\n",
	       "{\"vm\":\"vm-1\"}\n{\"why\":\"vm-1\",\"vm\":\"vm-2\"}\n{\"n\":101,\"vm\":\"vm-3\"}\n");
	/* names behind JSON's own escapes, and in keys */
	A_FILE("[\"\\u0077eb01\",\"my\\u0020vm\",\"web\\/01\"]", "[\"vm-1\",\"vm-2\",\"web\\/01\"]");
	A_FILE("{\"web01\": {\"vm\": 1}}", "{\"vm-1\": {\"vm\": 1}}");
	/* pretty: JSON only as a whole */
	A_FILE("{\n \"why\": \"bob \\\"x\\\"\"\n}\n", "{\n \"why\": \"user-1 \\\"x\\\"\"\n}\n");
	/* the last line was cut off */
	A_FILE("{\"a\":\"bob\"}\n{\"a\":\"bob", "{\"a\":\"user-1\"}\n{\"a\":\"user-1");
}

static void test_thread_names(void)
{
	/* 15 bytes, and the end is the beginning of a VM's name */
	A_FILE("{\"comm\":\"CPU 0/a-very-lo\"}", "{\"comm\":\"CPU 0/vm-1\"}");
	A_FILE("{\"comm\":\"worker-A-VERY-\"}", "{\"comm\":\"worker-A-VERY-\"}"); /* 14 bytes: it was not cut */
	A_FILE("{\"comm\":\"a-very-long-mac\"}", "{\"comm\":\"vm-1\"}");
	A_FILE("{\"comm\":\"CPU 0/KVM\"}", "{\"comm\":\"CPU 0/KVM\"}");
	A_FILE("{\"comm\":\"vhost-web01\"}", "{\"comm\":\"vhost-vm-1\"}");
}

static void test_binary(void)
{
	A_FILE("\0\1web01\0sched_switch\0sched\0\377", "\0\1xxxxx\0sched_switch\0xxxxx\0\377");
}

static void test_known_addresses(void)
{
	struct redact *r = redact_new();
	static const char text[] = "0500000A:0016 0a000005 x0a000005 5254 52540012abcd 00000000";
	char *out;
	size_t n;

	redact_add_ipv4(r, (const uint8_t[]){ 10, 0, 0, 5 });
	redact_add_ipv4(r, (const uint8_t[]){ 0, 0, 0, 0 });
	redact_add_mac(r, (const uint8_t[]){ 0x52, 0x54, 0, 0x12, 0xab, 0xcd });
	redact_add_mac(r, (const uint8_t[]){ 0, 0, 0, 0, 0, 0 });
	out = redact_text(r, text, strlen(text), &n);
	CHECK_STR(out, "ip-1:0016 ip-1 x0a000005 5254 mac-1 00000000");
	free(out);
	redact_free(r);
}

static void test_map(void)
{
	struct redact *r = some_names();
	json_t *map;
	size_t n;

	free(redact_text(r, "web01 10.0.0.5", 14, &n));
	map = redact_map(r);
	CHECK_STR(json_string_value(json_object_get(json_object_get(map, "tokens"), "vm-1")), "web01");
	CHECK_STR(json_string_value(json_object_get(json_object_get(map, "tokens"), "ip-1")), "10.0.0.5");
	CHECK_INT(json_object_size(json_object_get(map, "tokens")), 2);
	CHECK_INT(json_array_size(json_object_get(map, "kept")), 2);
	CHECK_STR(json_string_value(json_array_get(json_object_get(map, "kept"), 0)), "101");
	json_decref(map);
	redact_free(r);
}

static void test_host(void)
{
	const char *root = unit_directory();
	struct redact *r = redact_new();
	static const char text[] = "kvmhost9.corp.example.org corp.example.org kvmhost9 storage2 localhost ip6-allnodes alice99 Alice Doe daemon99 nobody99 "
				   "/srv/alice99/x";
	char *out;
	size_t n;

	unit_write_text(root, "etc/hostname", "kvmhost9\n");
	unit_write_text(root, "etc/hosts", "127.0.0.1 localhost\n# 1.2.3.4 comment77\n::1 ip6-allnodes\n10.0.0.1\tkvmhost9.corp.example.org storage2 # x\nbad\n");
	unit_write_text(root, "etc/passwd", "root:x:0:0:root:/:/bin/sh\ndaemon99:x:999:1::/:/bin/sh\nalice99:x:1000:1000:Alice Doe,,,:/srv/alice99:/bin/sh\n"
						  "nobody99:x:65534:65534::/:/bin/sh\nbroken99:x\n\n");
	redact_add_host(r, root);
	out = redact_text(r, text, strlen(text), &n);
	CHECK_STR(out, "host-1 host-2 host-3 host-4 localhost ip6-allnodes user-1 user-2 daemon99 nobody99 home-1/x");
	free(out);
	redact_free(r);
}

static const struct unit_test tests[] = {
	{ "names", test_names },
	{ "what stays", test_what_stays },
	{ "addresses", test_addresses },
	{ "escapes", test_escapes },
	{ "strange names", test_strange_names },
	{ "names like tokens", test_names_like_tokens },
	{ "files", test_files },
	{ "names of threads", test_thread_names },
	{ "binary files", test_binary },
	{ "known addresses", test_known_addresses },
	{ "the map", test_map },
	{ "a host", test_host },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
