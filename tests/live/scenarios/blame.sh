# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Scenarios of kvmwait blame. They want two CPUs.

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

# ---- judge ----

prepare_blame() { put_tool pin; }

# judge_blame DIR NAME: every spin is blamed on what the scenario was built for, and nothing else is.
judge_blame() {
	local d=$1 culprit=''
	case ${d##*-} in
	hog) culprit='.kind == "host" and .comm == "hog"' ;;
	vcpu) culprit='.kind == "vcpu" and .comm == "CPU 1/KVM" and .pid == $b.vms[0].pid and .tid == $b.vms[0].vcpus[1].tid and .vcpu == 1' ;;
	self) culprit='.kind == "self" and .comm == "CPU 0/KVM" and .pid == $a.vms[0].pid and .tid == $a.vms[0].vcpus[0].tid and .vcpu == 0' ;;
	esac
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	test_that "$2 received + lost = counted, nothing lost" jq -e '.end | .counted == .received and .lost == 0 and .unbalanced == 0 and .late == 0 and .received > 211' "$d/blame.json"
	test_that "$2 the guest spun 211 times" jq -e '[.did[] | select(.vcpu == 0) | .count] == [211]' "$d/a.json"
	if [ -z "$culprit" ]; then
		test_that "$2 211 spins, none is blamed on anybody" jq -e '[.blame[] | select(.spins > 0)] == [] and
			[.vms[] | {spins, vcpus, unseen, blamed, unblamed, unknown}] == [{spins: 211, vcpus: 2, unseen: 0, blamed: 0, unblamed: 211, unknown: 0}]' "$d/blame.json"
		return
	fi
	test_that "$2 211 spins, all blamed" jq -e '[.vms[] | {spins, vcpus, unseen, blamed, unblamed, unknown}] ==
		[{spins: 211, vcpus: 2, unseen: 0, blamed: 211, unblamed: 0, unknown: 0}]' "$d/blame.json"
	test_that "$2 all on ${d##*-}, waiting for vCPU 1" jq -e -c -n --slurpfile blame "$d/blame.json" --slurpfile a "$d/a.json" --slurpfile b \
		"$([ -e "$d/b.json" ] && echo "$d/b.json" || echo /dev/null)" '($a[0]) as $a | ($b[0]) as $b | [$blame[0].blame[] | select(.spins > 0)] |
		if length == 1 and (.[0] | .pid == $a.vms[0].pid and .vcpu == 1 and .spins == 211 and .share == 10000 and (.culprit | '"$culprit"'))
		then true else ., false end'
	test_that "$2 the time is told" jq -e '[.blame[] | select(.spins > 0)][0] | .ready_ns > 0 and .all_ns >= .ready_ns' "$d/blame.json"
}
