# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Scenarios of kvmwait why, each with a cause that is built, or with none. They want three CPUs: the tracers have CPU 0.

# why CASE: measures for six seconds. What follows CASE in each branch is all that differs from its healthy twin.
why() {
	mkdir -p /tmp/cg
	mount -t cgroup2 cgroup2 /tmp/cg 2>/dev/null
	echo +cpu >/tmp/cg/cgroup.subtree_control
	cat >why.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 240 ] || return 1; sleep 0.25; done; }
		pid_of() { grep -l "[g]uest=$1-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		tid_of() { for t in /proc/$(pid_of "$1")/task/*; do ! grep -q "^CPU $2/" $t/comm 2>/dev/null || echo ${t##*/}; done; }
		is_there() { [ -n "$(tid_of "$1" 0)" ] && [ -n "$(tid_of "$1" 1)" ]; }
		runs() { [ "$(sed 's/.*) //' /proc/$1/task/$2/stat | cut -d' ' -f12)" -ge 5 ]; }
		# vm NAME FIRST SECOND OP...: a VM whose vCPU 0 is on the CPU of the mask FIRST and vCPU 1 on that of SECOND
		vm() {
			name=$1 first=$2 second=$3
			shift 3
			taskset $((first | second)) kvmwait-guest -n $name --op-timeout 300 "$@" >$name.json &
			await is_there $name
			# the VM's other threads are the VMM, which can be in a vCPU's way
			for t in /proc/$(pid_of $name)/task/*; do grep -q "^CPU " $t/comm || taskset -p 1 ${t##*/} >/dev/null; done
			taskset -p $first $(tid_of $name 0) >/dev/null
			taskset -p $second $(tid_of $name 1) >/dev/null
		}
		case $1 in
		idle) vm a 4 2 hlt-long=2 ;;
		siblings) vm a 2 2 --gate never busy=1 ;;
		*) vm a 4 2 --gate never busy=1 ;;
		esac
		case $1 in
		hog) taskset 2 hog & ;;
		neighbour) vm b 4 2 --gate never busy=1 ;;
		overcommit) for n in b c d; do vm $n 4 2 --gate never busy=1; done ;;
		quota | quota-above)
			leaf=/tmp/cg/quota
			mkdir $leaf
			if [ $1 = quota-above ]; then
				leaf=/tmp/cg/quota/vm/leaf
				mkdir -p $leaf
				echo +cpu >/tmp/cg/quota/cgroup.subtree_control
			fi
			echo '20000 100000' >/tmp/cg/quota/cpu.max
			echo $(pid_of a) >$leaf/cgroup.procs ;;
		esac
		sleep 6
	SH
	taskset 1 kvmwait why --rules /why.list -f json -o why.json -- sh why.sh "$1" 2>err
	echo $? >status
	# the VMs outlive the measurement, so that their cgroups have names when it ends
	killall -9 kvmwait-guest hog 2>/dev/null
	wait
}

# ---- judge ----

prepare_why() {
	put "$top/share/why.list" /why.list
	printf '#!/bin/sh\nwhile :; do :; done\n' >"$work/$row.hog"
	chmod 755 "$work/$row.hog"
	put "$work/$row.hog" /usr/bin/hog
}

# judge_why DIR NAME CASE: the first finding is the built cause; a case without a cause has no finding.
judge_why() {
	local d=$1 rule='' culprit=true vm='.vm == "a-kvm"'
	case $3 in
	hog) rule=host-thread culprit='.culprit.comm == "hog"' ;;
	neighbour | overcommit) rule=neighbour vm='.culprit.vm != .vm' ;;
	siblings) rule=siblings-stacked culprit='.culprit.vm == "a-kvm"' ;;
	quota | quota-above) rule=quota culprit='.culprit.cgroup == "/tmp/cg/quota"' ;;
	esac
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	if [ "$rule" ]; then
		test_that "$2 the first finding is $rule" jq -e -c --arg rule "$rule" \
			"if .findings[0] | .rule == \$rule and ($vm) and ($culprit) then true else [.findings[] | {rule, vm, vcpus, share, text}], false end" "$d/why.json"
	else
		test_that "$2 no finding" jq -e -c 'if .findings == [] and .vcpus >= 1 then true else [.findings[] | {rule, vm, vcpus, share, text}], false end' "$d/why.json"
	fi
}
