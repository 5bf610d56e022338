#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted Intel machine: does the scenarios that are named and leaves what they gave in /out/SCENARIO.
# Judges nothing; tests/live/suite-intel does, outside.
#   sh inside-intel.sh SCENARIO[:SCRIPT]...
T=/sys/kernel/tracing
export PATH=/usr/bin:/bin

# exits_begin, exits_end FILE: counts every VM exit by tracefs, as lines of "REASON TID VCPU COUNT".
exits_begin() {
	mkdir $T/instances/exits
	echo 'hist:keys=exit_reason,common_pid,vcpu_id:size=4096' >$T/instances/exits/events/kvm/kvm_exit/trigger
}
exits_end() {
	cat $T/instances/exits/events/kvm/kvm_exit/hist >hist
	rmdir $T/instances/exits
	if grep -q '^ *Dropped: 0$' hist; then
		sed -n 's/^{ exit_reason: *\([0-9]*\), common_pid: *\([0-9]*\), vcpu_id: *\([0-9]*\) } hitcount: *\([0-9]*\)$/\1 \2 \3 \4/p' hist >"$1"
	fi
}

# The standard plan under trace, beside KVM's own tracepoint.
exact() {
	ls /sys/module >modules
	kvmwait plan --json >plan.json
	cat >guest.sh <<-'SH'
		kvmwait-guest --stay 2 >guest.json
		echo $? >guest.status
	SH
	exits_begin
	kvmwait trace -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	exits_end exits
}

# The script as it stands, by hand.
hand() {
	export BPFTRACE_PERF_RB_PAGES=1024
	echo 'kvmwait-guest >guest.json' >guest.sh
	exits_begin
	bpftrace -B line -c "/bin/sh guest.sh" /usr/share/kvmwait/scripts/"$1".bt 0 0 0 0 0 0 0 0 >wire 2>err
	echo $? >status
	exits_end exits
	unset BPFTRACE_PERF_RB_PAGES
}

selftest() {
	kvmwait selftest --json >result.json 2>err
	echo $? >status
}

# shellcheck source=tests/live/scenarios-stat.sh
. /scenarios-stat.sh
plan=''

# With the VM exits that KVM's own tracepoint saw.
counted() {
	exits_begin
	totals
	exits_end exits
}

for s; do
	dir=/out/$(echo "$s" | tr : -)
	mkdir -p "$dir"
	cd "$dir" || exit 1
	start=$(cut -d. -f1 /proc/uptime)
	"${s%%:*}" "${s#*:}"
	echo "$s took $(($(cut -d. -f1 /proc/uptime) - start)) s of the machine's time, which began $start s ago"
done
