#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted arm64 machine: does the scenarios that are named and leaves what they gave in /out/SCENARIO.
# Judges nothing; tests/live/suite-arm64 does, outside.
#   sh inside-arm64.sh SCENARIO[:SCRIPT]...
T=/sys/kernel/tracing
export PATH=/usr/bin:/bin

await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 600 ] || return 1; sleep 0.1; done; }
pid_of() { grep -l "[g]uest=$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }

# traps_begin, traps_end FILE: counts every trapped WFI and WFE by tracefs, as lines of "IS_WFE TID COUNT".
traps_begin() {
	mkdir $T/instances/traps
	echo 'hist:keys=is_wfe,common_pid:size=4096' >$T/instances/traps/events/kvm/kvm_wfx_arm64/trigger
}
traps_end() {
	cat $T/instances/traps/events/kvm/kvm_wfx_arm64/hist >hist
	rmdir $T/instances/traps
	if grep -q '^ *Dropped: 0$' hist; then
		sed -n 's/^{ is_wfe: *\([0-9]*\), common_pid: *\([0-9]*\) } hitcount: *\([0-9]*\)$/\1 \2 \3/p' hist >"$1"
	fi
}

# A WFI that is not trapped keeps the CPU until the next interrupt, from those who are to send it: few of them then.
case $(cat /proc/cmdline) in
*wfi_trap_policy=notrap*) plan='-c 1 --op-timeout 60 wfi=3 wfe=17 suspended=3 psci-suspend=5' ;;
*) plan='-c 3' ;;
esac

# A plan under trace, beside KVM's own tracepoint.
exact() {
	kvmwait plan --json >plan.json
	cat >guest.sh <<-'SH'
		kvmwait-guest --stay 2 $1 >guest.json
		echo $? >guest.status
	SH
	traps_begin
	kvmwait trace -o trace.ndjson -- sh guest.sh "$plan" 2>err
	echo $? >status
	traps_end traps
}

# The script as it stands, by hand.
hand() {
	echo 'kvmwait-guest >guest.json' >guest.sh
	traps_begin
	bpftrace -B line -c "/bin/sh guest.sh" /usr/share/kvmwait/scripts/"$1".bt 0 0 0 0 0 0 0 0 >wire 2>err
	echo $? >status
	traps_end traps
}

# Two machines, of which one process, one vCPU and one event is wanted.
filters() {
	for n in a b; do kvmwait-guest -n $n --gate go wfi=11 wfe=13 psci-suspend=7 >$n.json & done
	all_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ]; }
	await all_there
	pid_of b-kvm >b-kvm.pid
	cat >go.sh <<-'SH'
		touch go
		while ! { grep -q could_not a.json && grep -q could_not b.json; }; do sleep 0.1; done
	SH
	kvmwait trace -p "$(cat b-kvm.pid)" --vcpu 1 -e hlt -o one.ndjson -- sh go.sh 2>err
	echo $? >status
	wait
}

# What followed each wait, beside KVM's wake-up tracepoint.
outcome() {
	mkdir $T/instances/wakeup
	echo 65536 >$T/instances/wakeup/buffer_size_kb
	echo 1 >$T/instances/wakeup/events/kvm/kvm_vcpu_wakeup/enable
	kvmwait trace --outcome -o trace.ndjson -- kvmwait-guest -n halts --stay 2 wfi=31@0 wfi=37@1 wfe=41 >guest.json 2>err
	echo $? >status
	cat $T/instances/wakeup/trace >wakeup
	rmdir $T/instances/wakeup
}

selftest() {
	kvmwait selftest --json >result.json 2>err
	echo $? >status
}

check() {
	kvmwait check --json >check.json 2>err
	echo $? >status
	kvmwait capture root >capture.txt
	kvmwait plan --json >plan.live
	kvmwait plan --json --root root >plan.root
}

# shellcheck source=tests/live/scenarios-stat.sh
. /scenarios-stat.sh

for s; do
	dir=/out/$(echo "$s" | tr : -)
	mkdir -p "$dir"
	cd "$dir" || exit 1
	start=$(cut -d. -f1 /proc/uptime)
	"${s%%:*}" "${s#*:}"
	echo "$s took $(($(cut -d. -f1 /proc/uptime) - start)) s of the machine's time, which began $start s ago"
done
