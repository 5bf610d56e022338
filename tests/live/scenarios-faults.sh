# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154,SC2086
# Faults around a trace on a real kernel; sourced by inside.sh. With stand-ins for bpftrace: tests/cli/faults.sh.

# probes NAME: what of probes is attached in the kernel.
probes() { cat /sys/kernel/debug/kprobes/list $T/enabled_functions $T/kprobe_events 2>/dev/null >"$1.probes"; }
gone() { await no_bpftrace && echo gone >"$1.gone"; probes "$1"; }
status_of() { wait $1; echo $? >"$2.status"; }
# a trace in the background, once it is attached
begin() {
	name=$1
	shift
	kvmwait "$@" >$name.ndjson 2>$name.err &
	trace=$!
	await has_meta $name.ndjson
}
# has_waits FILE N: so many have come so far.
has_waits() { [ "$(grep -c '"type":"wait"' "$1")" = "$2" ]; }

# bpftrace or kvmwait is killed, or stopped.
killed() {
	probes before
	begin mid trace
	kvmwait-guest -c 1 hlt-user=23 >guest.json
	await has_waits mid.ndjson 23
	kill -KILL $(pidof bpftrace)
	status_of $trace mid
	gone mid
	begin twice trace
	kill -STOP $(pidof bpftrace)
	kill -INT $trace
	sleep 0.5
	kill -INT $trace
	status_of $trace twice
	gone twice
	# before anything is attached: its map of BTF, or the first probe
	kvmwait trace >early.ndjson 2>early.err &
	trace=$!
	attaching() { for p in $(pidof bpftrace); do ! tr '\0' ' ' </proc/$p/cmdline | grep -q ' -B line ' || echo $p; done | grep .; }
	await attaching >early.pid
	kill -STOP $(cat early.pid)
	kill -INT $trace
	status_of $trace early
	gone early
}

# The VM ends while its vCPU halts; a thread takes another name; the wall clock is set back.
guests() {
	begin vm trace --outcome
	for n in 1 2 3; do
		kvmwait-guest -c 1 -n asleep$n --op-timeout 900 hlt=1000003 >/dev/null 2>&1 &
		guest=$!
		asleep() { grep -q asleep$n-kvm vm.ndjson; }
		await asleep
		kill -KILL $(pid_of asleep$n-kvm)
		wait $guest
	done
	date >before
	date -s '2001-02-03 04:05:06' >after
	kvmwait-guest -c 1 --stay 3 -n 'g]:$1 "}' --comm "$(printf '@x[1]: 5\n\033c')" --comm "$(printf 'printf("%%s")\377')" yield:1=13 yield:2=17 >guest.json
	kill -TERM $trace
	status_of $trace vm
}

# KVM is not there, comes, loses its vendor's module, goes and comes again.
modules() {
	# a VM whose process has ended may hold its modules for a moment more
	is_removed() { rmmod "$1" 2>rmmod.err; }
	kvm_goes() { await is_removed kvm_amd && { [ -n "$1" ] || await is_removed kvm; } || { cat rmmod.err >&2; return 1; }; }
	kvm_comes() { [ -e /sys/module/kvm ] || insmod /modules/kvm.ko; insmod /modules/kvm-amd.ko; }
	kvm_goes
	kvmwait trace -d 1 >without.ndjson 2>without.err
	echo $? >without.status
	# KVM comes while the symbols are read, after the list of modules
	kvmwait trace --wait >amid.ndjson 2>amid.err &
	trace=$!
	reads_symbols() { ls -l /proc/[0-9]*/fd 2>/dev/null | grep -qE '/kallsyms|/available_filter_functions'; }
	i=0
	until reads_symbols || [ $i -ge 2000 ]; do i=$((i + 1)); done
	killall -STOP kvmwait
	reads_symbols
	echo $? >amid.read
	kvm_comes
	killall -CONT kvmwait
	await has_meta amid.ndjson
	kvmwait-guest -c 1 hlt-user=5 >amid.json
	kill -INT $trace
	status_of $trace amid
	kvm_goes
	kvmwait trace --wait >wait.ndjson 2>wait.err &
	trace=$!
	await grep -q 'waiting for it' wait.err
	kvm_comes
	await has_meta wait.ndjson
	kvmwait-guest -c 1 hlt-user=19 >1.json
	kvm_goes vendor
	lsmod >vendorless
	kvm_comes
	kvmwait-guest -c 1 hlt-user=7 >2.json
	await has_waits wait.ndjson 26
	kvm_goes && kvm_comes || kill $trace
	lsmod >loaded
	status_of $trace wait
	gone wait
	kvmwait trace -o again.ndjson -- kvmwait-guest -c 1 hlt-user=11 >/dev/null 2>again.err
	echo $? >again.status
}

# A small disk fills up while events come.
disk() {
	mkdir -p small
	mount -t tmpfs -o size=64k small small
	kvmwait trace -o small/trace.ndjson -- kvmwait-guest -c 1 yield:1=2003 >/dev/null 2>err
	echo $? >disk.status
	cat small/trace.ndjson >trace.ndjson
	umount small
	gone disk
}

# What a host hides: tracefs, BTF, addresses; at last, what it forbids. The next scenario needs another machine.
hidden() {
	kptr=$(cat /proc/sys/kernel/kptr_restrict)
	for n in 1 2; do
		echo $n >/proc/sys/kernel/kptr_restrict
		kvmwait trace -o kptr$n.ndjson -- kvmwait-guest -c 1 hlt-user=13 yield:1=17 >kptr$n.json 2>kptr$n.err
		echo $? >kptr$n.status
	done
	echo $kptr >/proc/sys/kernel/kptr_restrict
	mkdir -p nothing
	mount --bind nothing /sys/kernel/btf
	kvmwait trace -o btf.ndjson -- kvmwait-guest -c 1 hlt-user=13 >btf.json 2>btf.err
	echo $? >btf.status
	kvmwait check >btf.check 2>&1
	umount /sys/kernel/btf
	umount $T
	umount /sys/kernel/debug
	kvmwait trace -d 1 >tracefs.ndjson 2>tracefs.err
	echo $? >tracefs.status
	kvmwait check >tracefs.check 2>&1
	mount -t tracefs tracefs $T
	mount -t debugfs debugfs /sys/kernel/debug
	# CAP_PERFMON and CAP_BPF; and with CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE, for tracefs
	as 65534 38,39 /bin/sh /usr/bin/kvmwait trace -d 1 >caps.ndjson 2>caps.err
	echo $? >caps.status
	as 65534 1,2,38,39 /usr/bin/bpftrace -e 'BEGIN { printf("begun\n"); exit(); }' >caps.bpftrace 2>&1
	mount -t securityfs securityfs /sys/kernel/security
	echo integrity >/sys/kernel/security/lockdown
	kvmwait trace -o integrity.ndjson -- kvmwait-guest -c 1 hlt-user=13 >integrity.json 2>integrity.err
	echo $? >integrity.status
	echo confidentiality >/sys/kernel/security/lockdown
	kvmwait trace -d 1 >confidentiality.ndjson 2>confidentiality.err
	echo $? >confidentiality.status
	kvmwait check >confidentiality.check 2>&1
}

# Not root, with the capabilities that it takes where bpftrace asks for these; the kernel's own default for perf events.
capable() {
	chmod 777 .
	chmod 666 /dev/kvm
	paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	# DAC_OVERRIDE, DAC_READ_SEARCH, SYSLOG, PERFMON, BPF
	as 65534 1,2,34,38,39 /bin/sh /usr/bin/kvmwait trace -o trace.ndjson -- kvmwait-guest -c 1 hlt-user=11 yield:1=13 >guest.json 2>err
	echo $? >status
	as 65534 38,39 /bin/sh /usr/bin/kvmwait trace -d 1 >few.ndjson 2>few.err
	echo $? >few.status
	echo $paranoid >/proc/sys/kernel/perf_event_paranoid
}

# 1,024 threads of vCPUs in 16 VMs, each with events of its own.
threads() {
	cat >guest.sh <<-'SH'
		n=0
		while [ $n -lt 16 ]; do
			n=$((n + 1))
			kvmwait-guest -n vm$n -c 64 --gate go --op-timeout 600 --stay 4 yield:$n=3 >$1.$n.json 2>>guest.err &
		done
		all_there() { [ "$(cat /proc/[0-9]*/task/*/comm 2>/dev/null | grep -c '^CPU [0-9]*/KVM$')" = 1024 ]; }
		i=0
		until all_there; do i=$((i + 1)); [ $i -lt 300 ] || break; sleep 1; done
		touch go
		wait
	SH
	kvmwait trace -o trace.ndjson -- sh guest.sh trace 2>err
	echo $? >status
	rm go
	kvmwait stat -f json -o stat.ndjson -- sh guest.sh stat 2>>err
	echo $? >stat.status
}
