# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Scenarios of kvmwait why, each with a cause that is built, or with none. They want four CPUs: the tracers and all threads
# of VMMs have CPU 0, vCPUs of VM a the CPUs 1 and 2, other VMs CPU 3. Only vCPUs, and causes, are on CPUs of vCPUs.

# why CASE: measures for some seconds. The VMs are made, moved to their CPUs and stopped before anything is measured: how
# long that takes does not count. Time goes by instructions, so that the load of the machine that emulates does not matter.
why() {
	mkdir -p /tmp/cg
	mount -t cgroup2 cgroup2 /tmp/cg 2>/dev/null
	echo +cpu >/tmp/cg/cgroup.subtree_control
	cat >why.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 240 ] || return 1; sleep 0.25; done; }
		pid_of() { grep -l "[g]uest=$1-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		tid_of() { for t in /proc/$(pid_of "$1")/task/*; do ! grep -q "^CPU $2/" $t/comm 2>/dev/null || echo ${t##*/}; done; }
		is_there() { [ -n "$(tid_of "$1" 0)" ] && [ -n "$(tid_of "$1" 1)" ]; }
		# vm NAME FIRST SECOND ARGUMENT...: a VM whose vCPU 0 is on the CPU of the mask FIRST and vCPU 1 on that of SECOND
		vm() {
			name=$1 first=$2 second=$3
			shift 3
			kvmwait-guest -n $name --op-timeout 3600 "$@" >$name.json &
			await is_there $name
			taskset -p $first $(tid_of $name 0) >/dev/null
			taskset -p $second $(tid_of $name 1) >/dev/null
			sleep 0.2
			kill -STOP $(pid_of $name)
			pid_of $name >>vms
		}
		gate=/dev/shm/gate
		busy='--gate never busy=1'
		poll=/sys/module/kvm/parameters/halt_poll_ns

		build() {
			echo 200000 >$poll
			echo 0 >${poll}_shrink
			case $1 in
			idle) vm a 4 2 hlt-long=100 ;;
			siblings) vm a 2 2 $busy ;;
			lock-* ) vm a 4 2 --gate $gate pause=1000000000@0 busy=1@1 ;;
			brief-lock) vm a 4 2 --gate $gate pause=2000@0 hlt-long=100@0 busy=1@1 ;;
			yield-hog) vm a 4 2 --gate $gate yield:1=1000000000@0 busy=1@1 ;;
			brief-yield) vm a 4 2 --gate $gate yield:1=2000@0 hlt-long=100@0 busy=1@1 ;;
			kick-*)
				case $1 in kick-blocked) echo 0 >$poll ;; *) echo 5000000 >$poll ;; esac
				vm a 4 2 --gate $gate hlt=1000000000@1 kick=1000000000@0 ;;
			polling-*)
				echo 5000000 >$poll
				vm a 4 2 hlt=1000000000@1 hlt-long=100@0
				# a poll that has grown, and never gives up
				[ $1 = polling-pays ] || { echo 1 >${poll}_shrink; echo 300000 >$poll; } ;;
			halts | tracer | lossy)
				vm a 4 2 $busy
				vm b 8 8 hlt=1000000000 ;;
			*) vm a 4 2 $busy ;;
			esac
			case $1 in
			neighbour) vm b 8 2 $busy ;;
			overcommit) for n in b c d; do vm $n 8 2 $busy; done ;;
			quota*)
				leaf=/tmp/cg/quota limit=20000
				mkdir -p $leaf
				if [ $1 = quota-above ]; then
					leaf=/tmp/cg/quota/vm/leaf
					mkdir -p $leaf
					echo +cpu >/tmp/cg/quota/cgroup.subtree_control
				fi
				[ $1 != quota-wide ] || limit=300000
				echo "$limit 100000" >/tmp/cg/quota/cpu.max
				echo $(pid_of a) >$leaf/cgroup.procs ;;
			esac
		}
		measured() {
			case $1 in
			hog | lock-hog | yield-hog | kick-hog) taskset 2 hog & ;;
			hog-elsewhere) hog & ;;
			rt-hog) pin 1 hog /dev/shm/rt /proc/$(pid_of a) & ;;
			crowd) taskset 2 crowd & ;;
			esac
			kill -CONT $(cat vms)
			touch $gate
			case $1 in
			paused)
				sleep 0.1
				kill -STOP $(pid_of a) ;;
			asleep)
				for i in 1 2 3 4 5 6 7 8 9 10; do
					sleep 0.2
					kill -STOP $(pid_of a)
					sleep 0.2
					kill -CONT $(pid_of a)
				done ;;
			moved)
				t=$(tid_of a 0)
				for i in 1 2 3 4 5 6 7 8 9 10; do
					taskset -p 8 $t >/dev/null
					sleep 0.2
					taskset -p 4 $t >/dev/null
					sleep 0.2
				done ;;
			lossy)
				kill -STOP $(pidof bpftrace)
				sleep 3
				kill -CONT $(pidof bpftrace) ;;
			esac
			sleep 3
		}
		"$@"
	SH
	rm -f vms /dev/shm/gate /dev/shm/rt
	tracer=1
	case $1 in tracer) tracer=2 ;; esac
	taskset 1 sh why.sh build "$1" >build.log 2>&1
	taskset $tracer kvmwait why --rules /why.list -f json -o why.json -- taskset 1 sh why.sh measured "$1" 2>err
	echo $? >status
	# the VMs outlive the measurement, so that their cgroups have names when it ends
	killall -9 kvmwait-guest hog crowd pin 2>/dev/null
	await no_guests
	rmdir /tmp/cg/quota/vm/leaf /tmp/cg/quota/vm /tmp/cg/quota 2>/dev/null
}
no_guests() { ! pidof kvmwait-guest >/dev/null; }

# ---- judge ----

prepare_why() {
	put "$top/share/why.list" /why.list
	printf '#!/bin/sh\nwhile :; do :; done\n' >"$work/$row.hog"
	printf '#!/bin/sh\nwhile :; do /bin/busybox true; done\n' >"$work/$row.crowd"
	chmod 755 "$work/$row.hog" "$work/$row.crowd"
	put "$work/$row.hog" /usr/bin/hog
	put "$work/$row.crowd" /usr/bin/crowd
	put_tool pin
	options+=(--icount)
}

# CASE|TWIN|RULE|CONDITION|WORDS: the first finding is by RULE and fulfils CONDITION (jq). Without RULE there is no finding.
why_cases() {
	cat <<-'LIST'
		busy||||both vCPUs busy, each on a CPU of its own
		idle||||both vCPUs halted
		hog|busy|host-thread|.vm == "a-kvm" and .culprit.comm == "hog"|a busy thread on the CPU of vCPU 1
		rt-hog|busy|host-thread|.vm == "a-kvm" and .culprit.comm == "hog"|the same with real-time priority
		hog-elsewhere||||a busy thread on a CPU without vCPUs
		crowd|busy|host-thread|.vm == "a-kvm" and .culprit.comm == "crowd"|a shell that starts short programs on the CPU of vCPU 1
		neighbour|busy|neighbour|.culprit.vm != .vm|a vCPU of another VM on the CPU of vCPU 1
		overcommit|busy|neighbour|.culprit.vm != .vm|vCPUs of three other VMs on it
		siblings|busy|siblings-stacked|.culprit.vm == "a-kvm"|both vCPUs on one CPU
		quota|busy|quota|.culprit.cgroup == "/tmp/cg/quota"|cpu.max of 20 ms in 100 ms on the cgroup of the VM
		quota-above|busy|quota|.culprit.cgroup == "/tmp/cg/quota"|the same two levels above the VM
		quota-wide||||cpu.max that the VM does not reach
		lock-hog|lock-busy|host-thread|.vm == "a-kvm" and .culprit.comm == "hog"|vCPU 0 spins for vCPU 1, which shares its CPU with a busy thread
		lock-busy|brief-lock|lock-busy|.vm == "a-kvm"|vCPU 0 spins for vCPU 1, which runs
		brief-lock||||vCPU 0 spins 2,000 times, then halts
		yield-hog|brief-yield|host-thread|.culprit.comm == "hog"|vCPU 0 yields to vCPU 1, which shares its CPU with a busy thread
		brief-yield||||vCPU 0 yields 2,000 times, then halts
		kick-hog|kick-polled|host-thread|.culprit.comm == "hog"|vCPU 0 wakes vCPU 1 all the time, which shares its CPU with a busy thread
		kick-blocked|kick-polled|short-halts|.vm == "a-kvm"|vCPU 0 wakes vCPU 1 all the time, no halt polling
		kick-polled||||vCPU 0 wakes vCPU 1 all the time, with halt polling of up to 5 ms, the CPU free
		polling-burns|polling-pays|polling-wasted|.vm == "a-kvm"|polls of 0.3 ms that never give up, halts of 0.6 ms
		polling-pays||||polls of up to 5 ms, halts of 0.6 ms
		paused|busy|paused|.vm == "a-kvm"|the VM is stopped after 0.1 s
		asleep|busy|asleep-in-host|.vm == "a-kvm"|the VM is stopped for half of the time
		moved||||a busy vCPU is moved between two free CPUs
		tracer|halts|host-thread|.culprit.comm == "bpftrace"|the tracer on the CPU of a vCPU, and many halts elsewhere
		lossy|halts|lost-records|true|the tracer is stopped while another VM halts all the time
		halts||||many halts of another VM
	LIST
}

# judge_why DIR NAME CASE: the first finding is the built cause; a case without a cause has no finding.
judge_why() {
	local d=$1 rule condition
	IFS='|' read -r _ _ rule condition _ < <(why_cases | grep "^$3|")
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	if [ "$rule" ]; then
		test_that "$2 the first finding is $rule" jq -e -c --arg rule "$rule" \
			"if .findings[0] | .rule == \$rule and ($condition) then true else [.findings[] | {rule, vm, vcpus, share, text}], false end" "$d/why.json"
	else
		test_that "$2 no finding" jq -e -c 'if .findings == [] and .vcpus >= 1 then true else [.findings[] | {rule, vm, vcpus, share, text}], false end' "$d/why.json"
	fi
}
