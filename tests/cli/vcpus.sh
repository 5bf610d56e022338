# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# How many vCPUs 'kvmwait stat' has room for, with stand-ins for bpftrace; a part of tests/cli/run. With the real one:
# scenario "threads" of tests/live/scenarios/faults.sh.
# shellcheck disable=SC2154 # top, kvmwait and the captured roots are those of tests/cli/run

# shellcheck source=tests/cli/room.sh
. "$here/room.sh"
room_make "$r612"

# yielders NAME VCPUS: a stand-in whose maps hold 3 yields of each of so many vCPUs, and 3,093 were counted; the script's
# line 5 is a yield of KVM.
yielders() {
	stand_in "$1" <<-SH
		echo "\$BPFTRACE_MAX_MAP_KEYS" >/tmp/keys
		attach; wait_for_end
		awk 'BEGIN { for (i = 0; i < $2; i++) printf "@s_n[%.0f, 5]: 3\n", ((20000 + i) * 4194304 + 4711) * 65536 + i }'
		counted 3093
	SH
}
yielders many 1031
yielders fewer 1024
# counts NAME [OPTION]...: stat with that stand-in; its exit code and the room in each map.
counts() {
	local name=$1 code=0
	shift
	(within=(timeout -s KILL 60); in_room "$kvmwait" stat --bpftrace "/$name" -d 0.05 -f json "$@") >"$name.ndjson" 2>"$name.said" </dev/null || code=$?
	echo "$code $(cat "$room/tmp/keys")"
}
test_that 'room for 1,024 vCPUs where no VM runs' test "$(counts many)" = "0 $((1024 * 32))"
test_that '--max-vcpus 2053: so much room' test "$(counts many --max-vcpus 2053)" = "0 $((2053 * 32))"
test_that '1,031 vCPUs: each in its row, 3 yields' has many '(map(select(.type == "stat" and .total)) | last | .rows) as $rows |
	($rows | length) == 1031 and ($rows | all(.waits == 3 and .pv_yield == 3)) and ([$rows[].vcpu] | sort) == [range(1031)] and
	(.[-1] | .counted == 3093 and .received == 3093 and .lost == 0)'
test_that '--max-vcpus 2053 --counts: so much room' test "$(counts many --max-vcpus 2053 --counts)" = "0 $((2053 * 8))"

# vm_with TGID VCPUS: a process that holds a VM with so many vCPUs.
vm_with() {
	local n
	mkdir -p "$room/proc/$1/fd"
	ln -s anon_inode:kvm-vm "$room/proc/$1/fd/3"
	for ((n = 0; n < $2; n++)); do ln -s "anon_inode:kvm-vcpu:$n" "$room/proc/$1/fd/$((n + 10))"; done
}
vm_with 4711 521
vm_with 4712 523
test_that 'room for twice as many vCPUs as run' test "$(counts many)" = "0 $((2 * (521 + 523) * 32))"
stand_in roomy <<'SH'
echo "$BPFTRACE_MAX_MAP_KEYS" >/tmp/keys
attach; waits 1 3; wait_for_end; counted 3
SH
test_that 'trace: room by thread for as many' traces roomy 0 -d 0.05
test_that 'trace: 4 keys a vCPU' test "$(cat "$room/tmp/keys")" = $((2 * (521 + 523) * 4))
test_that 'more vCPUs than there is room for: exit 0' test "$(counts fewer --max-vcpus 1024)" = "0 $((1024 * 32))"
test_that 'more vCPUs than there is room for: said' said fewer '^kvmwait: 21 waits are in no row: there are more vCPUs than the 1024 .* --max-vcpus gives room for more$'
test_that 'more vCPUs than there is room for: lost' has fewer '.[-1] | .counted == 3093 and .received == 3072 and .lost == 21'

# ---- the VMs that run ----

# vm_called TGID ARGUMENT...: its command line; field 22 of stat is when it started.
vm_called() {
	printf '%s\0' "${@:2}" >"$room/proc/$1/cmdline"
	echo "$1 (qemu) S$(printf ' %.0s0' $(seq 3 21)) 1000 0" >"$room/proc/$1/stat"
}
vm_called 4711 qemu -name web -id 101
vm_called 4712 qemu -name web -uuid 6e1f2c34-0000-4000-8000-00000000002a
vm_with 4713 3
in_this_room() { (within=(timeout -s KILL 60); in_room "$@") >out 2>said </dev/null; }
test_that 'list --vms: exit 0' in_this_room "$kvmwait" list --vms
vms_listed() { grep -vE '^ *[0-9]+ +[0-9]+  ' out | diff - <(printf '%7s %5s  %-24s %s\n' PID VCPUS NAME IDS) && grep -E '^ *471[123] ' out | diff - <(cat <<-'VMS'
	   4711   521  web                      101
	   4712   523  web                      6e1f2c34-0000-4000-8000-00000000002a
	   4713     3  -                        -
	VMS
); }
test_that 'list --vms: names and ids' vms_listed
test_that 'list --vms --json: exit 0' in_this_room "$kvmwait" list --vms --json
test_that 'list --vms --json: names and ids' jq -e 'map(select(.pid >= 4711 and .pid <= 4713)) == [
	{"pid": 4711, "vm": "web", "ids": ["101"], "vcpus": 521}, {"pid": 4712, "vm": "web", "ids": ["6e1f2c34-0000-4000-8000-00000000002a"], "vcpus": 523},
	{"pid": 4713, "ids": [], "vcpus": 3}]' out
stand_in twins <<'SH'
attach; waits 1 3; wait_for_end; counted 3
SH
test_that 'two running VMs of one name: a table' traces twins 0 -d 0.05 -f table
test_that 'two running VMs of one name: the first row has the process id' test "$(grep -c 'web (4711) ' twins.ndjson)" = 3
