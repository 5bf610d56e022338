# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# No name is left in a redacted bundle, and all of it can be read as before; a part of tests/bundle/run.
# shellcheck disable=SC2154 # namespaces and kvmwait are those of tests/bundle/run

# What must not be found: as it is, without regard to case.
originals='kvmnode17 kvmnode17.corp.example.org corp.example.org storage-b2 alice77 wonderland Bob.Builder_9 guest-web-frontend-0042 db§master
	10.20.30.40 2001:db8:77::1 52:54:00:c0:ff:ee 52-54-00-c0-ff-ee 5254.00c0.ffee 0A1E140A /srv/homes/alice77'
# Of identifiers that have a form, whatever host they are of.
originals+=' c4-5e-1f 0225:90ff 002590c4 00:2d:0d:91 10.20.30.9 S4EVNX0M12 8a0a2f39 a1b2c3d4e5f6 01603ba01234 iqn.2001-04 example:disk1 nqn.2014-08 C3NzaC1lZDI1 uNiVztksCs'
# Parts of the long name that a thread's name has room for.
originals+=' guest-web-front guest-web-f'
# What became of them where a member may not be called so.
originals+=' guest_x2dweb db__master'

cat >names.sh <<'SH'
# In namespaces of its own: other names of host and users.
printf 'root:x:0:0::/:/bin/sh\nalice77:x:1000:1000:Alice Wonderland,,,:/srv/homes/alice77:/bin/sh\nBob.Builder_9:x:1001:1001::/srv/wonderland:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >passwd
printf '127.0.0.1 localhost\n10.20.30.40 kvmnode17.corp.example.org kvmnode17 # x\n2001:db8:77::1 storage-b2\n' >hosts
hostname kvmnode17 && mount --bind passwd /etc/passwd && mount --bind hosts /etc/hosts || exit 9
SUDO_USER=alice77 "$kvmwait" bundle --redact -d 1 --items redact.list "$@"
SH
meta='{"type":"meta","schema":1,"kvmwait":"0.1","kernel":"6.1-kvmnode17","arch":"x86_64","script":"x86-5.17.bt","filters":{"vms":["guest-web-frontend-0042"]}}'
{
	"$kvmwait" convert -f json "$top/tests/cli/input/some.wire" | jq -c --argjson n 0 'if .type == "wait" then .vm = (["guest-web-frontend-0042", "db§master", "101", "sched"][.ts % 4]) |
		.comm = (["CPU 0/KVM", "CPU 1/guest-web", "guest-web-front", "w-guest-web-f\\xff"][.cpu % 4]) else . end'
} >record.ndjson
printf '%s\n' "$meta" >meta.ndjson
cat >text.txt <<'TEXT'
kernel: KVM on KVMNODE17 (kvmnode17.corp.example.org) by alice77, Bob.Builder_9@storage-b2:/srv/homes/alice77/x
guest=guest-web-frontend-0042,debug-threads=on db§master db\xc2\xa7master db%C2%A7master "db\u00a7master"
10.20.30.40:22 [2001:db8:77::1]:80 2001:DB8:77:0:0:0:0:1 52:54:00:c0:ff:ee 52-54-00-C0-FF-EE 5254.00c0.ffee 52%3A54%3a00%3Ac0%3aff%3Aee
vnet0_guest%2Dweb%2Dfrontend%2D0042 machine-qemu\x2d3\x2dguest\x2dweb\x2dfrontend\x2d0042.scope
BOOTIF=01-00-25-90-c4-5e-1f fe80::225:90ff:fec4:5e1f/64 0225:90ff:fec4:5e1f enx002590c45e1f 80:00:02:08:fe:80:00:00:00:00:00:00:f4:52:14:03:00:2d:0d:91
netroot=iscsi:@10.20.30.9::3260:1:iqn.2001-04.com.example:disk1 root=UUID=8a0a2f39-1b2c-4d5e-8f90-a1b2c3d4e5f6 nqn.2014-08.org.nvmexpress:uuid:8a0a2f39-1b2c-4d5e-8f90-a1b2c3d4e5f6
nvme0: serial=S4EVNX0M123456 wwpn=500601603ba01234 50:06:01:60:3b:a0:12:34 /dev/disk/by-id/ata-X_S4EVNX0M123456-part1
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0a1b2c3d4e5f6g7h8i9j0k+l/m2n3o4p5q6r7s8t9u= SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDsUWpjoc9r8pDkZVE
comm=67756573742d7765622d66726f6e74656e642d30303432 sched_switch: sched 101
TEXT
printf '{\n "host": "kvmnode17",\n "by": "\\u0061lice77",\n "n": 9223372036854775807,\n "vm": "guest-web-frontend-0042"\n}\n' >pretty.json
printf 'BTF\0sched_switch\0kvmnode17\0x\0' >binary.bin
mkdir -p 'cgroups/machine-qemu\x2d1\x2dguest\x2dweb\x2dfrontend\x2d0042.scope' 'cgroups/db§master'
echo 100 >'cgroups/machine-qemu\x2d1\x2dguest\x2dweb\x2dfrontend\x2d0042.scope/cpu.weight'
echo max >'cgroups/db§master/cpu.max'
cat >says.sh <<'SH'
#!/bin/sh
echo "no route to kvmnode17 (10.20.30.40)" >&2
exit 3
SH
chmod +x says.sh
items redact "record.ndjson 9 4M run /bin/cat $work/record.ndjson" "meta.ndjson 9 1M run /bin/cat $work/meta.ndjson" "notes/ 9 1M file $work/text.txt $work/pretty.json $work/binary.bin /etc/hosts /etc/passwd" \
	"cg/ 9 1M file $work/cgroups/*/*" "says 9 1M run $work/says.sh" 'bundle/plan.json 20 4M run %kvmwait% plan --json' 'capture/ 20 64M run %kvmwait% capture %out%' 'host/ 9 4M file /proc/sys/kernel/hostname /proc/cmdline'

none_left() {
	local name found=0
	# the archive as it is, what is packed in it, and its listing
	zstd -qdc "$1" >raw.tar
	tar -tvf raw.tar >raw.list
	for name in $originals; do
		! LC_ALL=C grep -aiF -- "$name" raw.tar raw.list || { echo "left: $name"; found=1; }
		case ${1##*/} in *"$name"*) echo "left in the file's name: $name"; found=1 ;; esac
	done
	return "$found"
}
reads_json() {
	"$kvmwait" convert -f json red/record.ndjson >again.ndjson || return 1
	# as many records as before, with the same numbers, and as many VMs
	local what='[.[] | del(.vm, .comm, .why)]'
	[ "$(jq -sc "$what" record.ndjson)" = "$(jq -sc "$what" red/record.ndjson)" ] || { echo 'other records'; return 1; }
	[ "$(jq -s '[.[].vm // empty] | unique | length' red/record.ndjson)" = 4 ] || { jq -sc '[.[].vm] | unique' red/record.ndjson; return 1; }
	jq -e '.n == 9223372036854775807 and (.host | startswith("host-"))' "red/notes$work/pretty.json" >/dev/null
}
# The VM of one name has one token in all files, and the map says whose it is.
is_stable() {
	local token
	token=$(jq -r '.tokens | to_entries[] | select(.value == "guest-web-frontend-0042") | .key' "$1.redactions.json")
	[ -n "$token" ] && grep -q "guest=$token,debug" "red/notes$work/text.txt" && grep -q "\"vm\": \"$token\"" "red/notes$work/pretty.json" && grep -q "\"vm\":\"$token\"" red/record.ndjson &&
		[ "$(find red/cg -path "*$token.scope*" -name cpu.weight | wc -l)" = 1 ] || { echo "token '$token'"; find red/cg; cat "red/notes$work/text.txt"; return 1; }
}
weak_stay() { grep -q 'sched_switch: sched 101$' "red/notes$work/text.txt" && ! grep -qE '"vm":"(101|sched)"' red/record.ndjson && grep -q "the name '101' is a number" said; }
redacted_plan() {
	"$kvmwait" plan --json --root red/capture >there.json || [ $? = 3 ]
	diff <(jq -S 'del(.kernel)' red/bundle/plan.json) <(jq -S 'del(.kernel)' there.json)
}

if "${namespaces[@]}" true 2>/dev/null; then
	mkdir redacted
	test_that '--redact: a bundle' exits 0 "${namespaces[@]}" sh names.sh -o redacted/b.tar.zst
	test_that '--redact: what the map is' grep -q "stands for what is in 'redacted/b.tar.zst.redactions.json': do not send" said
	test_that '--redact: only the map beside it' bash -c '[ "$(ls -A redacted | tr "\n" " ")" = "b.tar.zst b.tar.zst.redactions.json " ]'
	test_that '--redact: the map is for its owner' test "$(stat -c %a redacted/b.tar.zst.redactions.json)" = 600
	test_that '--redact: the names were in what was collected' bash -c 'for n in kvmnode17 alice77 guest-web-frontend-0042 10.20.30.40; do grep -qF -- "$n" text.txt || exit 1; done'
	test_that '--redact: none of the names is left anywhere' none_left redacted/b.tar.zst
	test_that '--redact: whole' is_whole redacted/b.tar.zst
	cp said said.redact
	"$kvmwait" bundle --extract red redacted/b.tar.zst
	cp said.redact said
	test_that '--redact: records are read as before' reads_json
	test_that '--redact: a name has one token everywhere' is_stable redacted/b.tar.zst
	test_that '--redact: numbers and common words stay in text, not as VMs' weak_stay
	test_that '--redact: plan --root works on it' redacted_plan
	test_that '--redact: names in binary files are overwritten' bash -c 'printf "BTF\0sched_switch\0xxxxxxxxx\0x\0" | cmp - "red/notes$0/binary.bin"' "$work"
	test_that '--redact: the manifest has tokens in reasons' bash -c 'jq -e "any(.items[]; .name == \"says\" and (.why | test(\"no route to host-[0-9]+ .ip-[0-9]+.\")))" red/manifest.json'
	(cd redacted && rm -f ./*)
	in_directory() { (cd redacted && sed 's|printf .root|cd ..; &|; s|^SUDO|cd redacted; SUDO|; s|redact.list|../redact.list|' ../names.sh >../names2.sh && "${namespaces[@]}" sh ../names2.sh >/dev/null 2>&1 && find . -type f | grep -qE '^\./kvmwait-host-[0-9]+-[0-9-]+\.tar\.zst$'); }
	test_that '--redact: the name it gets by itself has a token' in_directory
else
	skip_that '--redact: a bundle' 'this user may not make namespaces'
fi
