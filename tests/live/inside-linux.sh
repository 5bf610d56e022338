#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted machine: boots Linux in QEMU/KVM while kvmwait traces, and leaves in /out what the trace says
# and what KVM itself counted. Judges nothing; tests/live/suite-linux does, outside.
#   sh inside-linux.sh NAME:VCPUS...      (all of these VMs at once)
T=/sys/kernel/tracing
H=/hypervisor
export PATH=/usr/bin:/bin

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

if [ "$1" = vms ]; then
	shift
	for v; do vm "${v%:*}" "${v#*:}" & done
	wait
	exit
fi

cd /out || exit 1
mkdir $T/instances/exits
echo 'hist:keys=exit_reason,common_pid,vcpu_id:size=4096 if exit_reason == 119 || exit_reason == 120' \
	>$T/instances/exits/events/kvm/kvm_exit/trigger # SVM: PAUSE, HLT
start=$(now)
kvmwait trace -o trace.ndjson -- sh "$0" vms "$@" 2>err
echo $? >status
echo "the trace was there from $start to $(now) s of the machine's time"
cat $T/instances/exits/events/kvm/kvm_exit/hist >hist
rmdir $T/instances/exits
