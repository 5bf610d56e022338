#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted machine: does the scenarios that are named and leaves what they gave in /out/SCENARIO.
# Judges nothing; tests/live/suite does, outside. /scenarios holds the first half of each file of tests/live/scenarios.
#   sh inside.sh amd|intel|arm64 SCENARIO[:ARGUMENT]...
# shellcheck disable=SC2034 # the scenarios use what is set here
T=/sys/kernel/tracing
export PATH=/usr/bin:/bin
machine=$1
shift

# What the standard guest is asked for: everything it can do. On 5.10 a PAUSE that exits is never stepped over under
# emulation. On arm64 a WFI that is not trapped keeps the CPU until the next interrupt, from those who are to send it:
# few of them then.
no_pause='' plan=''
case $machine:$(uname -r) in
arm64:*)
	case $(cat /proc/cmdline) in
	*wfi_trap_policy=notrap*) plan='-c 1 --op-timeout 60 wfi=3 wfe=17 suspended=3 psci-suspend=5' ;;
	*) plan='-c 3' ;;
	esac
	;;
*:5.10.*) no_pause=--no-pause plan=--no-pause ;;
esac

# A HLT, as the guest of this machine calls it.
case $machine in arm64) wait=wfi ;; *) wait=hlt ;; esac

complete() { grep -q '^"could_not"' "$1" 2>/dev/null && [ "$(tail -c 2 "$1")" = '}' ]; }
await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 600 ] || return 1; sleep 0.1; done; }
has_meta() { grep -q '"type":"meta"' "$1" 2>/dev/null; }
no_bpftrace() { ! pidof bpftrace >/dev/null; }
# The pattern is none that it matches itself: the command line of grep is looked at as well.
pid_of() { grep -l "[g]uest=$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }

# exits_begin, exits_end: KVM's own tracepoint counts every VM exit, as lines of "REASON TID VCPU COUNT" in the file exits;
# on arm64 every WFI and WFE that was trapped, as "IS_WFE TID COUNT". There is no file where the kernel dropped a key.
case $machine in
arm64) exit_event=kvm_wfx_arm64 exit_keys=is_wfe,common_pid ;;
*) exit_event=kvm_exit exit_keys=exit_reason,common_pid,vcpu_id ;;
esac
# A kernel without histograms (5.10, cloud) counts SVM's exits for PAUSE and HLT alone, all threads together; WFIs and WFEs are
# counted by line there.
svm_reasons='119 120'
exits_begin() {
	mkdir $T/instances/exits
	if echo "hist:keys=$exit_keys:size=4096" >$T/instances/exits/events/kvm/$exit_event/trigger; then return; fi
	rmdir $T/instances/exits
	if [ "$machine" = arm64 ]; then
		mkdir $T/instances/exits.wfx
		echo 65536 >$T/instances/exits.wfx/buffer_size_kb
		echo 1 >$T/instances/exits.wfx/events/kvm/$exit_event/enable
		return
	fi
	for r in $svm_reasons; do
		mkdir "$T/instances/exits.$r"
		echo 65536 >"$T/instances/exits.$r"/buffer_size_kb
		echo "exit_reason == $r" >"$T/instances/exits.$r"/events/kvm/kvm_exit/filter
		echo 1 >"$T/instances/exits.$r"/events/kvm/kvm_exit/enable
	done
}
exits_end() {
	if [ -e $T/instances/exits ]; then
		cat $T/instances/exits/events/kvm/$exit_event/hist >hist
		rmdir $T/instances/exits
		if grep -q '^ *Dropped: 0$' hist; then
			awk '/^[{] .*hitcount:/ { gsub(/[a-z_]+:|[{},]/, ""); $1 = $1; print }' hist >exits
		fi
		return
	fi
	if [ "$machine" = arm64 ]; then
		cat $T/instances/exits.wfx/trace >wfx
		rmdir $T/instances/exits.wfx
		awk '/entries-written:/ { split($3, n, "/") }
			match($0, /-[0-9]+ +\[[0-9]+\] /) { split(substr($0, RSTART + 1), w, " "); count[/ wfe at/ + 0 " " w[1]]++ }
			END { if (n[1] == n[2] && n[1] > 0) for (k in count) print k, count[k] }' wfx | grep . >exits || rm exits
		return
	fi
	for r in $svm_reasons; do
		awk -v reason="$r" '$1 == "entries:" || $1 == "overrun:" { n += $2 } END { print reason, "-", "-", n + 0 }' \
			"$T/instances/exits.$r"/per_cpu/cpu*/stats >>exits
		rmdir "$T/instances/exits.$r"
	done
}

# shellcheck source=/dev/null
for f in /scenarios/*.sh; do . "$f"; done

for s; do
	name=${s%%:*} argument=${s#*:}
	dir=/out/$(echo "$s" | tr : -)
	mkdir -p "$dir"
	cd "$dir" || exit 1
	start=$(cut -d. -f1 /proc/uptime)
	"$name" "$argument"
	echo "$s took $(($(cut -d. -f1 /proc/uptime) - start)) s of the machine's time, which began $start s ago"
done
