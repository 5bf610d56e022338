# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Scenarios of kvmwait blame in which a CPU quota or another thread keeps a vCPU off its CPU. They want two CPUs.

# causes WHAT: a VM is busy on its one vCPU, on CPU 1, for some seconds of the machine. own: its cgroup has a quota; above: a
# cgroup two levels above it has; shared: it shares the CPU with a thread of the host; paused: it is stopped by a signal for two
# seconds, and its cgroup is frozen for one.
causes() {
	mkdir -p /tmp/cgroup
	mount -t cgroup2 none /tmp/cgroup 2>/dev/null
	cat >causes.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 240 ] || return 1; sleep 0.25; done; }
		pid_of() { grep -l "[g]uest=$1-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		tid_of() { for t in /proc/$(pid_of "$1")/task/*; do ! grep -q "^CPU 0/" $t/comm 2>/dev/null || echo ${t##*/}; done; }
		there() { [ -n "$(tid_of a)" ]; }
		ticks() { sed 's/.*) //' /proc/$pid/task/$tid/stat | cut -d' ' -f12; }
		runs() { [ "$(ticks)" -ge "$1" ]; }
		vm=/tmp/cgroup quota=''
		case $1 in
		own) vm=/tmp/cgroup/vm quota=$vm ;;
		paused) vm=/tmp/cgroup/vm ;;
		above) vm=/tmp/cgroup/top/middle/vm quota=/tmp/cgroup/top ;;
		esac
		mkdir -p $vm
		for d in /tmp/cgroup /tmp/cgroup/top /tmp/cgroup/top/middle; do [ $vm = /tmp/cgroup ] || [ ! -e $d ] || echo +cpu >$d/cgroup.subtree_control; done
		[ -z "$quota" ] || echo 30000 100000 >$quota/cpu.max
		rm -f stop
		(exec sh -c 'echo $$ >'$vm/cgroup.procs'; exec taskset 2 kvmwait-guest -n a -c 1 --op-timeout 240 --gate stop busy=1@0') >a.json &
		await there
		pid=$(pid_of a) tid=$(tid_of a)
		case $1 in shared) taskset 2 sh -c 'while [ ! -e stop ]; do :; done' & ;; esac
		await runs 40
		# pause SEC ON OFF: the time at least and at most, from /proc/uptime, which is in hundredths of a second
		now() { cut -d' ' -f1 /proc/uptime; }
		pause() { a=$(now); eval "$2"; b=$(now); sleep $1; c=$(now); eval "$3"; d=$(now); echo $a $b $c $d; }
		case $1 in
		paused)
			# neither happens at once
			pause 2 "kill -STOP $pid; await grep -q '^State:.T' /proc/$pid/task/$tid/status" "kill -CONT $pid" >stopped
			await runs 50
			pause 1 "echo 1 >$vm/cgroup.freeze; await grep -q '^frozen 1' $vm/cgroup.events" "echo 0 >$vm/cgroup.freeze" >frozen
			;;
		esac
		[ -z "$quota" ] || { echo max 100000 >$quota/cpu.max; cat $quota/cpu.stat >cpu.stat; stat -c %i $quota >inode; }
		await runs 60
		cat /proc/$pid/task/$tid/schedstat >schedstat
		touch stop
		wait
	SH
	taskset 1 kvmwait blame -f json -o blame.json -- sh causes.sh "$1" 2>err
	echo $? >status
}

# ---- judge ----

# judge_causes DIR NAME: the rows of the vCPU add up to its time runnable, and the longest is what the scenario was built for.
judge_causes() {
	local d=$1 longest what
	case ${d##*-} in
	own | above) longest='.culprit | .kind == "throttled" and .quota_ns == 30000000 and .period_ns == 100000000' ;;
	shared) longest='.culprit.kind == "host"' ;;
	paused) longest='.culprit.kind | . == "host" or . == "wakeup"' ;;
	esac
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	test_that "$2 received + lost = counted, nothing lost" jq -e '.end | .counted == .received and .lost == 0 and .unbalanced == 0 and .late == 0' "$d/blame.json"
	test_that "$2 rows add up to the time runnable, nothing unknown" jq -e '([.blame[].all_ns] | add) == .vcpus[0].ready_ns and
		(.vcpus | length) == 1 and .vcpus[0].unknown_ns == 0' "$d/blame.json"
	test_that "$2 the longest is ${d##*-}" jq -e ".blame[0] | $longest" "$d/blame.json"
	for what in stopped frozen; do
		[ -e "$d/$what" ] || continue
		test_that "$2 $what as long as it was" jq -e --arg what $what --argjson t "[$(tr ' ' ',' <"$d/$what")]" '[.sleeps[] | select(.in == $what)] |
			length == 1 and .[0].times == 1 and (.[0].ns / 1e9 | . >= $t[2] - $t[1] - 0.01 and . <= $t[3] - $t[0] + 0.01)' "$d/blame.json"
	done
	test_that "$2 blocked time is HLTs and sleeps" jq -e '([.sleeps[].ns] | add // 0) == ([.vcpus[].host_ns] | add) and
		all(.vcpus[]; .blocked_ns == .halt_ns + .host_ns)' "$d/blame.json"
	[ -e "$d/inode" ] || return 0
	test_that "$2 it is the quota of that cgroup" jq -e --arg inode "$(cat "$d/inode")" \
		'.blame[0].culprit.cgroup | . == "inode \($inode)" or startswith("/tmp/cgroup/")' "$d/blame.json"
	# cpu.stat counts from before the vCPU was there
	test_that "$2 cpu.stat has as much, or more" jq -e --argjson us "$(sed -n 's/^throttled_usec //p' "$d/cpu.stat")" \
		'.blame[0].all_ns <= $us * 1000' "$d/blame.json"
}
