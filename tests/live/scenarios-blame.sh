# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Scenarios of kvmwait blame; sourced by inside.sh. They want two CPUs.

# blame WHO: VM a spins on its vCPU 0 while vCPU 1, the holder, is kept off CPU 1 by WHO: a thread of the host (hog), a
# vCPU of VM b (vcpu), the spinning vCPU (self), or nobody. All else stays on CPU 0, and whoever has CPU 1 has it
# until the spinning is over: real-time priority, with neither throttling nor a server for the other threads, nor the
# watchdog, which has a thread of the highest class (migration/1) run for an instant every few seconds: long enough for a
# spin where CPUs are emulated in turn.
blame() {
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	echo 0 >/proc/sys/kernel/watchdog
	for f in /sys/kernel/debug/sched/fair_server/cpu*/runtime; do
		[ ! -e "$f" ] || echo 0 >"$f"
	done
	cat >blame.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 120 ] || return 1; sleep 0.5; done; }
		pid_of() { grep -l "[g]uest=$1-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		tid_of() { for t in /proc/$(pid_of "$1")/task/*; do ! grep -q "^CPU $2/" $t/comm 2>/dev/null || echo ${t##*/}; done; }
		there() { [ -n "$(tid_of "$1" 0)" ] && [ -n "$(tid_of "$1" 1)" ]; }
		# five ticks of it have been in user space, which the guest is part of
		runs() { [ "$(sed 's/.*) //' /proc/$1/task/$2/stat | cut -d' ' -f12)" -ge 5 ]; }
		# pause-loop exits, and once yields; 5.10 never gets over a PAUSE under emulation
		case $1:$(uname -r) in vcpu:* | *:5.10.*) spin=hv-spin busy=hv-busy ;; *) spin=pause busy=busy ;; esac

		gate=/dev/shm/go
		rm -f $gate
		kvmwait-guest -n a --op-timeout 120 --gate $gate $busy=1@1 $spin=211@0 >a.json &
		await there a
		a=$(pid_of a) spinner=$(tid_of a 0) holder=$(tid_of a 1)
		pin 1 $holder
		await runs $a $holder
		case $1 in
		hog) alone=hog ;;
		vcpu)
			kvmwait-guest -n b --op-timeout 120 --gate stop busy=1@1 >b.json &
			await there b
			b=$(pid_of b) alone=$(tid_of b 1)
			await runs $b $alone
			;;
		self) alone=$spinner ;;
		nobody) alone=$holder ;;
		esac
		pin 1 $alone $gate /proc/$a/task/$spinner
		touch stop
		wait
	SH
	taskset 1 kvmwait blame -f json -o blame.json -- sh blame.sh "$1" 2>err
	echo $? >status
}
