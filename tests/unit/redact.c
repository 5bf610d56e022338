// SPDX-License-Identifier: Apache-2.0
// Tests of helper/redact*.c: names and addresses in every dress, and what has to stay.
#include "unit.h"

#include "base/memory.h"
#include "bundle/redact_find.h"
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

static void test_hardware_addresses(void)
{
	/* a hardware type before it, as pxelinux and DHCP write it */
	TEXT("BOOTIF=01-00-25-90-c4-5e-1f quiet 00:25:90:c4:5e:1f", "BOOTIF=mac-1 quiet mac-1");
	TEXT("BOOTIF=01-00-25-90-C4-5E-1F,x", "BOOTIF=mac-1,x");
	TEXT("lease 01:00:25:90:c4:5e:1f 20:00:25:90:c4:5e:1f", "lease mac-1 mac-1");
	/* InfiniBand: 20 bytes, a GUID of 8 */
	TEXT("link/infiniband 80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:2d:0d:91 brd", "link/infiniband mac-1 brd");
	TEXT("guid f452:1403:002d:0d91, 0002:c903:00f7:2a1b", "guid wwn-1, wwn-2");
	/* made of a MAC: in IPv6, alone, in pairs */
	TEXT("fe80::225:90ff:fec4:5e1f/64 00:25:90:c4:5e:1f", "ip-1/64 mac-1");
	TEXT("225:90ff:fec4:5e1f 0225:90ff:fec4:5e1f 00:25:90:ff:fe:c4:5e:1f 0025.90c4.5e1f", "mac-1 mac-1 mac-1 mac-1");
	TEXT("0:25:90:c4:5e:1f 0025-90c4-5e1f enx002590c45e1f: 00_25_90_c4_5e_1f", "mac-1 mac-1 enxmac-1: mac-1");
	/* what follows is no part of it */
	TEXT("00:25:90:c4:5e:1f:8080 00:25:90:c4:5e:1f.22 00:25:90:c4:5e:1fvnet0", "mac-1:8080 mac-1.22 mac-1vnet0");
	TEXT("aa:bb:cc:dd:ee:ff::1", "ip-1");
}

static void test_ports_and_zones(void)
{
	TEXT("10.20.30.9::3260", "ip-1::3260");
	TEXT("netroot=iscsi:@10.20.30.9::3260:1:iqn.2001-04.com.example:disk.1", "netroot=iscsi:@ip-1::3260:1:iscsi-1");
	TEXT("ip=10.0.0.5::10.0.0.1:255.255.255.0:x:eth0:none", "ip=ip-1::ip-2:ip-3:x:eth0:none");
	TEXT("10.0.0.1-10.0.0.9 10.0.0.0/24 10.0.0.1:22,10.0.0.1", "ip-1-ip-2 ip-3/24 ip-1:22,ip-1");
	TEXT("[2001:db8::7]:443 2001:db8::7/64 fe80::7%br0 fe80::7%25br0", "[ip-1]:443 ip-1/64 ip-2%br0 ip-2%25br0");
	TEXT("ip-2001:db8::1 ip-10-0-0-5", "ip-ip-1 ip-ip-2"); /* no tokens of ours */
}

static void test_storage(void)
{
	TEXT("root=UUID=8a0a2f39-1B2c-4d5e-8f90-a1b2c3d4e5f6 ro", "root=UUID=uuid-1 ro");
	TEXT("kubepods-burstable-pod8a0a2f39_1b2c_4d5e_8f90_a1b2c3d4e5f6.slice 8a0a2f391b2c4d5e8f90a1b2c3d4e5f6", "kubepods-burstable-poduuid-1.slice uuid-1");
	TEXT("machine-qemu\\x2d1\\x2d8a0a2f39\\x2d1b2c\\x2d4d5e\\x2d8f90\\x2da1b2c3d4e5f6.scope", "machine-qemu\\x2d1\\x2duuid-1.scope");
	TEXT("rd.md.uuid=3aaa0122:29827cfa:5331ad66:ca767371 IEhNTk-8Wq3-hdXN-9s7d-Ab12-Cd34-Ef56Gh", "rd.md.uuid=uuid-1 uuid-2");
	TEXT("50:06:01:60:3b:a0:12:34 0x500601603ba01234 naa.500601603BA01234 wwpn=500601603ba01234", "wwn-1 wwn-1 wwn-1 wwpn=wwn-1");
	TEXT("nn-0x200000109b579ef6:pn-0x100000109b579ef6 scsi-3500601603ba01234-part1 eui.0025385b71b0cd12", "nn-wwn-1:pn-wwn-2 scsi-wwn-3-part1 wwn-4");
	TEXT("/dev/disk/by-id/wwn-0x5000c500a1b2c3d4-part2 mpath-3600508b400105e210000900000490000", "/dev/disk/by-id/wwn-wwn-1-part2 mpath-wwn-2");
	TEXT("nqn.2014-08.org.nvmexpress:uuid:8a0a2f39-1b2c-4d5e-8f90-a1b2c3d4e5f6, NQN.2014-08.org.nvmexpress:UUID:8a0a2f39-1b2c-4d5e-8f90-a1b2c3d4e5f6.",
	     "nqn-1, nqn-1.");
	TEXT("nqn.2014.08.org.nvmexpress:144d144dS4EVNX0M123456 ", "nqn-1 ");
	TEXT("ip-10.20.30.9:3260-iscsi-iqn.2001-04.com.example:web01%3adisk1-lun-0 eui.02004567a425678d", "ip-ip-1:3260-iscsi-iscsi-1-lun-0 wwn-1");
	TEXT("serial=S4EVNX0M123456,id=x Serial Number: S4EVNX0M123456; ID_SERIAL_SHORT=\"S4EV-77\"", "serial=serial-1,id=x Serial Number: serial-1; ID_SERIAL_SHORT=\"serial-2\"");
	TEXT("/dev/disk/by-id/ata-Samsung_SSD_860_S3Z1NB0K123456A-part3 t10.ATA_X_77 nvme.144d-5334-53414d-00000001", "/dev/disk/by-id/serial-1-part3 t10.serial-2 nvme.serial-3");
	A_FILE("{\"serial\":\"S4EVNX0M\",\"wwpn\":\"500601603ba01234\",\"n\":\"S4EVNX0M\",\"model\":\"X 9000\"}",
	       "{\"serial\":\"serial-1\",\"wwpn\":\"wwn-1\",\"n\":\"S4EVNX0M\",\"model\":\"X 9000\"}");
}

static void test_keys(void)
{
	TEXT("x ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0a1b2c3d4e5f6g7h8i9j0k+l/m2n3o4p5q6r7s8t9u= root@node7", "x ssh-ed25519 key-1 root@host-1");
	TEXT("256 SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDsUWpjoc9r8pDkZVE node7 (ED25519)", "256 SHA256:key-1 host-1 (ED25519)");
	TEXT("MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48.", "MD5:key-1.");
}

/* What looks alike and must stay. */
static void check_stays(int line, const char *text)
{
	check_text(line, text, text);
}
#define STAYS(text) check_stays(__LINE__, text)

static void test_look_alikes(void)
{
	STAYS("Linux 6.12.107-1 5.14.0-427.13.1.el9_4 4.18.0-553.8.1.el8_10 1.2.3");
	STAYS("2026-11-28T00:48:39.123456 00:48:39 20261128-004839 [12345.678901] 2026-11-28 00:48");
	STAYS("ffffffff81a2b3c4 T kvm_vcpu_on_spin 0xffff888104a3b000 0x00007ffd1234abcd 0000000000000000 t x [kvm]");
	STAYS("0000:00:1f.2 pci0000:00 00:1f.0 8086:a0c8 1-2:1.0 host0:0:0:0 2:0:1:7");
	STAYS("16384 64M 1073741824 5123456789012345 1764290919123456789 0x2000000000000000 5555555555555555");
	STAYS("ff,ffffffff,00000000 0-3,8-11 000001ffffffffff 0xffffffffffffffff");
	STAYS("usb usb1: SerialNumber: 0000:00:14.0 SerialNumber=1 Serial: 8250/16550 driver, 32 ports serial8250: ttyS0 serial=0 -serial mon:stdio");
	STAYS("bpf_prog_57cd311f2e27366b_sd_devices [bpf] srcversion 5F2B9C1D0E3A4B5C6D7E8F9");
	STAYS("d670460b4b4aece5915caf5c68d12f560a9fe3e4 sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	STAYS("00000000-0000-0000-0000-000000000000 00000000000000000000000000000000 12345678901234567890123456789012");
	STAYS("std::string x::y 1:2:3:4:5:6 iqn. nqn.x iqn.target naa.12 eui. t10 AAAA SHA256: mac-1 ip-1 serial=serial-x");
	STAYS("halt_poll_ns=200000 kvm.ignore_msrs=1 isolcpus=2-7,34-39 hugepagesz=1G crashkernel=512M");
}

/* ---- properties: random values in each notation, in many places ---- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A way to write a value, see write_value(). */
struct notation {
	enum redact_kind kind;
	const char *form;
	size_t same; /* notations with the same number, not 0, have the same token */
};

static const struct notation notations[] = {
	{ REDACT_MAC, "@0:@1:@2:@3:@4:@5", 1 },
	{ REDACT_MAC, "@0-@1-@2-@3-@4-@5", 1 },
	{ REDACT_MAC, "@0_@1_@2_@3_@4_@5", 1 },
	{ REDACT_MAC, "@0@1.@2@3.@4@5", 1 },
	{ REDACT_MAC, "01-@0-@1-@2-@3-@4-@5", 1 },
	{ REDACT_MAC, "01:@0:@1:@2:@3:@4:@5", 1 },
	{ REDACT_MAC, "06:@0:@1:@2:@3:@4:@5", 1 },
	{ REDACT_MAC, "@0:@1:@2:ff:fe:@3:@4:@5", 1 },
	{ REDACT_MAC, "80:00:02:08:fe:80:00:00:00:00:00:00:@0:@1:@2:@3:@4:@5:@6:@7", 0 },
	{ REDACT_IP, "fe80::@0@1:@2ff:fe@3:@4@5", 0 },
	{ REDACT_IP, "2001:db8:@0@1:@2@3:@4@5:@6@7:@8@9:@a@b", 0 },
	{ REDACT_IP, "$0.$1.$2.$3", 2 },
	{ REDACT_IP, "$0-$1-$2-$3", 2 },
	{ REDACT_IP, "$0%2e$1%2e$2%2e$3", 2 },
	{ REDACT_UUID, "@0@1@2@3-@4@5-@6@7-@8@9-@a@b@c@d@e@f", 3 },
	{ REDACT_UUID, "@0@1@2@3_@4@5_@6@7_@8@9_@a@b@c@d@e@f", 3 },
	{ REDACT_UUID, "@0@1@2@3\\x2d@4@5\\x2d@6@7\\x2d@8@9\\x2d@a@b@c@d@e@f", 3 },
	{ REDACT_UUID, "@0@1@2@3:@4@5@6@7:@8@9@a@b:@c@d@e@f", 3 },
	{ REDACT_WWN, "50:@1:@2:@3:@4:@5:@6:@7", 4 },
	{ REDACT_WWN, "0x50@1@2@3@4@5@6@7", 4 },
	{ REDACT_WWN, "naa.50@1@2@3@4@5@6@7", 4 },
	{ REDACT_WWN, "eui.50@1@2@3@4@5@6@7", 4 },
	{ REDACT_WWN, "naa.60@1@2@3@4@5@6@7@8@9@a@b@c@d@e@f", 0 },
	{ REDACT_NQN, "nqn.2014-08.org.nvmexpress:uuid:@0@1@2@3-@4@5-@6@7-@8@9-@a@b@c@d@e@f", 0 },
	{ REDACT_NQN, "nqn.1988-11.com.example:a@0@1.b_@2@3:c@4", 5 },
	{ REDACT_NQN, "nqn.1988-11.com.example%3aa@0@1.b_@2@3%3Ac@4", 0 },
	{ REDACT_ISCSI, "iqn.2001-04.com.example:a@0@1.b-@2@3:c@4", 0 },
	{ REDACT_KEY, "SHA256:@0@1@2@3@4@5@6@7@8@9+/@a@b@c@d@e@f@0@1@2xyz", 0 },
	{ REDACT_KEY, "AAAAC3NzaC1lZDI1NTE5AAAAI@0@1@2@3@4@5@6@7@8@9+/@a@b@c@d@e@f@0@1@2xyz==", 0 },
};

/* The value in a notation: @N is byte N in hex, $N in decimal. */
static char *write_value(const char *form, const uint8_t value[16], bool upper)
{
	char *out = xcalloc(strlen(form) * 4 + 1, 1), *p = out;

	for (; *form; form++) {
		if (*form != '@' && *form != '$') {
			*p++ = *form;
			continue;
		}
		p += sprintf(p, *form == '$' ? "%u" : upper ? "%02X" : "%02x", value[form[1] <= '9' ? form[1] - '0' : form[1] - 'a' + 10]);
		form++;
	}
	return out;
}

/* Between these it stands as it is; what is before and behind stays. */
static const char *const places[][2] = {
	{ "", "" }, { " ", "\n" }, { "x=", "," }, { "(", ")" }, { "[", "]" }, { "\"", "\"" }, { "at ", ": gone" }, { "a/", "/b" }, { "<", ">" }, { "_", ";" }, { "{'", "'}" },
	{ "\t", "\t" }, { "kernel: ", " is up" },
};

static void test_notations(void)
{
	for (size_t i = 0; i < 400 * ARRAY_SIZE(notations); i++) {
		const struct notation *a = &notations[i % ARRAY_SIZE(notations)];
		const char *const *place = places[random_number() % ARRAY_SIZE(places)];
		struct redact *r = redact_new();
		uint8_t value[16];
		CLEANUP_FREE char *one = NULL;
		CLEANUP_FREE char *text = NULL;
		CLEANUP_FREE char *expected = NULL;
		CLEANUP_FREE char *out = NULL;
		CLEANUP_FREE char *token = NULL;
		size_t n;

		/* No byte is what the notation itself or a place has, none 0: such a value has other notations. */
		for (size_t j = 0; j < sizeof(value); j++)
			value[j] = (uint8_t)(0x11 + random_number() % (0xef - 0x11));
		one = write_value(a->form, value, random_number() % 2);
		if (starts_with(a->form, "AAAA") && strchr(place[1], '/')) /* a letter of base64 */
			place = places[0];
		text = xasprintf("%s%s%s", place[0], one, place[1]);
		out = redact_text(r, text, strlen(text), &n);
		token = xasprintf("%s-1", redact_prefixes[a->kind]);
		expected = xasprintf("%s%s%s%s", place[0], !strncmp(a->form, "SHA256:", 7) ? "SHA256:" : "", token, place[1]);
		CHECK_STR(out, expected);
		CHECK(!redact_is_left(r, out, n));
		for (size_t j = 0; a->same && j < ARRAY_SIZE(notations); j++) {
			CLEANUP_FREE char *other = write_value(notations[j].form, value, random_number() % 2);
			CLEANUP_FREE char *again = notations[j].same == a->same ? redact_text(r, other, strlen(other), &n) : NULL;

			if (again)
				CHECK_STR(again, token);
		}
		redact_free(r);
	}
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
				   "/srv/alice99/x cz0 CZJ0429X77 To be filled None x_S4EVNX0M123456_y WD-77ABC X9000 nvme-533445564e58304d313233343536";
	char *out;
	size_t n;

	unit_write_text(root, "etc/hostname", "kvmhost9\n");
	unit_write_text(root, "etc/hosts", "127.0.0.1 localhost\n# 1.2.3.4 comment77\n::1 ip6-allnodes\n10.0.0.1\tkvmhost9.corp.example.org storage2 # x\nbad\n");
	unit_write_text(root, "etc/passwd", "root:x:0:0:root:/:/bin/sh\ndaemon99:x:999:1::/:/bin/sh\nalice99:x:1000:1000:Alice Doe,,,:/srv/alice99:/bin/sh\n"
						  "nobody99:x:65534:65534::/:/bin/sh\nbroken99:x\n\n");
	unit_write_text(root, "sys/class/dmi/id/product_serial", "CZJ0429X77\n");
	unit_write_text(root, "sys/class/dmi/id/board_serial", "To be filled by O.E.M. 1\n");
	unit_write_text(root, "sys/class/dmi/id/chassis_asset_tag", "None\n");
	unit_write_text(root, "sys/class/nvme/nvme0/serial", "S4EVNX0M123456      \n");
	unit_write_text(root, "run/udev/data/b8:0", "S:disk/by-id/x\nE:ID_SERIAL_SHORT=WD-77ABC\nE:ID_MODEL=X9000\n");
	redact_add_host(r, root);
	out = redact_text(r, text, strlen(text), &n);
	CHECK_STR(out, "host-1 host-2 host-3 host-4 localhost ip6-allnodes user-1 user-2 daemon99 nobody99 home-1/x "
		       "cz0 serial-1 To be filled None x_serial-2_y serial-3 X9000 nvme-serial-2");
	free(out);
	redact_free(r);
}

static const struct unit_test tests[] = {
	{ "names", test_names },
	{ "what stays", test_what_stays },
	{ "addresses", test_addresses },
	{ "hardware addresses", test_hardware_addresses },
	{ "ports and zones", test_ports_and_zones },
	{ "storage", test_storage },
	{ "keys", test_keys },
	{ "look-alikes", test_look_alikes },
	{ "notations", test_notations },
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
