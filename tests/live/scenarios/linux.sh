# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2046,SC2154
# Guests that are not ours: a stock QEMU/KVM boots two VMs with Debian's kernel while kvmwait traces.

linux() {
	# name:vcpus. Linux asks KVM for a yield when it interrupts two other CPUs or more, so one VM has three.
	echo 'debian01:2 debian02:3' >vms
	cat >vms.sh <<-'SH'
		H=/hypervisor
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 3000 ] || return 1; sleep 0.2; done; }
		now() { cut -d' ' -f1 /proc/uptime; }

		# counters NAME: what KVM says of the VM, in debugfs; a VM's directory is called PID-FD.
		counters() {
			for d in /sys/kernel/debug/kvm/*-*/; do
				pid=${d%-*} pid=${pid##*/}
				if grep -q "guest=$1," /proc/"$pid"/cmdline; then (cd "$d" && grep -s . -- *_exits) fi
			done
		}

		# commands NAME: what QEMU is told, in its control protocol. A VM that is off stays, stopped, until QEMU is to quit: KVM
		# keeps its counters as long, and they stand still.
		commands() {
			echo '{"execute": "qmp_capabilities"}'
			await grep -q '"event": "STOP"' "$1.qmp"
			counters "$1" >"$1.debugfs"
			echo '{"execute": "query-cpus-fast", "id": "cpus"}'
			echo '{"execute": "query-stats", "arguments": {"target": "vcpu"}, "id": "stats"}'
			echo '{"execute": "quit"}'
		}

		# vm NAME VCPUS: a VM, from its start to its end. noxsave: what emulation offers of XSAVE does not fit together, and Linux
		# 7.3 falls over it. cmos_init: without a clock chip it waits for one.
		vm() {
			start=$(now)
			commands "$1" | $H/lib64/ld-linux-x86-64.so.2 --library-path $H/lib64:$H/usr/lib/x86_64-linux-gnu \
				$H/usr/bin/qemu-system-x86_64 -L $H/usr/share/qemu -L $H/usr/share/seabios -name "guest=$1,debug-threads=on" \
				-accel kvm -cpu host -M microvm -smp "$2" -m 192 -nodefaults -no-user-config -display none -no-reboot -no-shutdown \
				-qmp stdio -serial "file:$1.console" -kernel /guest/vmlinuz -initrd /guest/initramfs.gz \
				-append "console=ttyS0 quiet panic=-1 reboot=t mitigations=off nokaslr noxsave random.trust_cpu=on initcall_blacklist=cmos_init" \
				>"$1.qmp" 2>"$1.err"
			echo $? >"$1.status"
			echo "$1 was there from $start to $(now) s of the machine's time"
		}

		for v; do vm "${v%:*}" "${v#*:}" & done
		wait
	SH
	# The guests run the kernel of this machine, without KASLR.
	cat /proc/kallsyms >kallsyms
	text=$(sed -n 's/^\([0-9a-f]*\) T _text$/\1/p' kallsyms)
	offset=$(printf '0x%x' $((0xffffffff81000000 - 0x$text)))
	exits_begin
	begun=$(cut -d' ' -f1 /proc/uptime)
	kvmwait trace --guest-ip --guest-symbols debian01=kallsyms+"$offset" --guest-symbols debian02=kallsyms+"$offset" \
		-o trace.ndjson -- sh vms.sh $(cat vms) 2>err
	echo $? >status
	echo "the trace was there from $begun to $(cut -d' ' -f1 /proc/uptime) s of the machine's time"
	exits_end
}

# ---- judge ----

# What a guest does once it is up: it sleeps and works on each CPU, and meanwhile has the kernel patch its own code, what
# interrupts all other CPUs each time. Then it turns itself off.
guest_initramfs() {
	rm -rf "$work/guest"
	mkdir -p "$work/guest/bin"
	cp "$("$here/fetch" busybox)/busybox" "$work/guest/bin/"
	cat >"$work/guest/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox mkdir -p /proc
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin
cpus=$(grep -c ^processor /proc/cpuinfo)
echo "Linux $(uname -r), $cpus CPUs"
n=0
while [ $n -lt $cpus ]; do
	(for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; done; seq 1 20000 | md5sum >/dev/null) &
	taskset -p $((1 << n)) $! >/dev/null
	n=$((n + 1))
done
for i in 0 1 0 1 0 1 0 1 0 1; do echo $i >/proc/sys/kernel/sched_schedstats; done
wait
echo "all done"
poweroff -f
INIT
	chmod +x "$work/guest/init"
	(cd "$work/guest" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs.gz"
}

prepare_linux() {
	root_with hypervisor || return 1
	guest_initramfs
	put "$work/initramfs.gz" /guest/initramfs.gz
	put "$("$here/fetch" kernel "$kernel")/vmlinuz" /guest/vmlinuz
}

# A count is a line of TID VCPU COUNT, and there is none for 0.

# seen DIR VM EVENT: what the trace has.
seen() {
	jq -r --arg vm "$2" --arg event "$3" 'select(.type == "wait" and .vm == $vm and .event == $event) | "\(.tid) \(.vcpu)"' "$1/trace.ndjson" |
		sort | uniq -c | awk '{ print $2, $3, $1 }' | sort
}

# stat_of DIR VM NAME: what KVM counted for each vCPU, as QEMU read it.
stat_of() {
	jq -r -s --arg name "$3" '(map(select(.id == "cpus"))[0].return | map({(."qom-path"): .}) | add) as $cpus |
		map(select(.id == "stats"))[0].return[] | $cpus[."qom-path"] as $cpu |
		"\($cpu."thread-id") \($cpu."cpu-index") \(.stats[] | select(.name == $name) | .value | select(. > 0))"' "$1/$2.qmp" | sort
}

# exits_of DIR REASON: what KVM's tracepoint counted, of all VMs.
exits_of() { [ -e "$1/exits" ] && awk -v reason="$2" '$1 == reason { print $2, $3, $4 }' "$1/exits" | sort; }

seen_of_all() { local v; for v in $vms; do seen "$1" "${v%:*}" "$2"; done | sort; }
all_exits_agree() { exits_of "$1" "$2" >"$1/exits.$2" && seen_of_all "$1" "$3" | diff "$1/exits.$2" -; }
stats_agree() { stat_of "$1" "$2" "$3" >"$1/$2.$3" && seen "$1" "$2" "$4" | diff "$1/$2.$3" -; }

# The guest itself had every CPU, and came to its end.
guest_ran() {
	grep -q "^Linux .*, $3 CPUs" "$1/$2.console" && grep -q '^all done' "$1/$2.console" && [ "$(cat "$1/$2.status")" = 0 ] ||
		{ cat "$1/$2.console" "$1/$2.err"; return 1; }
}

# At least one HLT a vCPU, and in sum what KVM's file for the VM says.
halts_agree() {
	local sum
	sum=$(seen "$1" "$2" hlt | awk '{ n += $3 } END { print n + 0 }')
	[ "$(seen "$1" "$2" hlt | wc -l)" = "$3" ] && grep -qx "halt_exits:$sum" "$1/$2.debugfs" ||
		{ echo "seen $sum"; cat "$1/$2.debugfs"; return 1; }
}

# Every record has a VM, and the thread's name fits the vCPU.
names_fit() {
	jq -e -s --arg vms "$vms" '($vms | [splits(" ") | sub(":.*"; "")]) as $names | map(select(.type == "wait")) |
		all((.vm | IN($names[])) and .comm == "CPU \(.vcpu)/KVM") and (map([.pid, .vm]) | unique | length) == ($names | length)' "$1/trace.ndjson"
}

# A guest names the APIC id of another of its CPUs, which microvm numbers from 0.
targets_fit() {
	jq -e -s --arg vm "$2" --argjson vcpus "$3" 'map(select(.vm == $vm and .event == "pv_yield")) |
		all(.source == "kvm" and .target >= 0 and .target < $vcpus and .target != .vcpu)' "$1/trace.ndjson"
}

# guest_code DIR: the kernel's code as it is before the kernel patches it, of the very kernel that the guests ran. The kernel
# patches no PAUSE, and none in: no entry of .altinstructions holds one.
guest_code() {
	local image at release
	image=$("$here/fetch" kernel "$kernel")/vmlinuz
	at=$(LC_ALL=C grep -abom1 -P '\x28\xb5\x2f\xfd' "$image" | head -n 1 | cut -d: -f1)
	tail -c +$((at + 1)) "$image" | zstd -dcq >"$1/vmlinux" 2>/dev/null
	release=$(sed -n 's/^Linux \([^ ]*\), .*/\1/p' "$1"/*.console | sort -u)
	[ -n "$release" ] && LC_ALL=C grep -aqF "Linux version $release (" "$1/vmlinux" ||
		{ echo "the guests ran '$release'"; LC_ALL=C grep -aom1 'Linux version [^ ]* ' "$1/vmlinux"; return 1; }
}

# insn_at ADDRESS: two bytes of the code there, in hex. The first segment holds it, from ffffffff81000000 on.
insn_at() { od -An -tx1 -j $(($1 + 0x7f000000 + code_at)) -N 2 "$d/vmlinux" | tr -d ' '; }

# all_at DIR EVENT BYTES: each of these events is in kernel mode, in a function of the kernel and at an instruction that begins
# so, and there are some; or in the firmware, below 1 MiB, which has no names.
all_at() {
	local ip n=0
	jq -e -s --arg event "$2" 'map(select(.type == "wait" and .event == $event)) |
		all(.guest_mode == "kernel" and (if .guest_ip < 0 then .guest_symbol else .guest_ip < 1048576 and (has("guest_symbol") | not) end))' \
		"$1/trace.ndjson" >/dev/null || { echo 'not all have a place'; return 1; }
	for ip in $(jq --arg event "$2" 'select(.type == "wait" and .event == $event and .guest_ip < 0).guest_ip' "$1/trace.ndjson" | sort -u); do
		n=$((n + 1))
		[ "$(insn_at "$ip")" = "$3" ] || { echo "$ip: $(insn_at "$ip"), not $3"; return 1; }
	done
	[ $n -gt 0 ]
}

judge_places() {
	local d=$1 name=$2 code_at
	test_that "$name the code of the guests' kernel" guest_code "$d"
	code_at=$(readelf -lW "$d/vmlinux" | awk '$1 == "LOAD" && $3 == "0xffffffff81000000" { print $2 }')
	if [ -n "$(seen_of_all "$d" ple)" ]; then
		test_that "$name every pause-loop exit is at a PAUSE of the guest's kernel" all_at "$d" ple f390
	fi
	if [ -n "$(seen_of_all "$d" pv_yield)" ]; then
		test_that "$name every yield is in the one function that yields" jq -e -s 'map(select(.type == "wait" and .event == "pv_yield")) |
			all(.guest_mode == "kernel" and (.guest_symbol | startswith("kvm_smp_send_call_func_ipi+0x")))' "$d/trace.ndjson"
	fi
}

judge_vm() {
	local d=$1 vm=$2 vcpus=$3 name=$4
	test_that "$name $vm booted Linux on $vcpus vCPUs" guest_ran "$d" "$vm" "$vcpus"
	test_that "$name $vm: hlt is halt_exits of debugfs" halts_agree "$d" "$vm" "$vcpus"
	test_that "$name $vm: hlt is halt_exits of each vCPU" stats_agree "$d" "$vm" halt_exits hlt
	test_that "$name $vm: pv_yield is directed_yield_attempted of each vCPU" stats_agree "$d" "$vm" directed_yield_attempted pv_yield
	test_that "$name $vm: yields are for another vCPU" targets_fit "$d" "$vm" "$vcpus"
}

judge_linux() {
	local d=$1 name=$2 v vms
	vms=$(cat "$1/vms")
	test_that "$name trace ends well" test "$(cat "$d/status")" = 0
	judge_trace "$d/trace.ndjson" "$name"
	test_that "$name every record has its VM and the vCPU's thread" names_fit "$d"
	test_that "$name HLT exits of tracefs agree" all_exits_agree "$d" 120 hlt
	test_that "$name PAUSE exits of tracefs agree" all_exits_agree "$d" 119 ple
	for v in $vms; do judge_vm "$d" "${v%:*}" "${v#*:}" "$name"; done
	judge_places "$d" "$name"
	[ -n "$(seen_of_all "$d" ple)" ] || skip_that "$name ple" 'no vCPU had to spin'
	[ -n "$(seen_of_all "$d" pv_yield)" ] || skip_that "$name pv_yield" 'no guest had a reason to yield'
}
