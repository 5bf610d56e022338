# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2094,SC2154
# What followed each wait, beside what the kernel shows in other ways.

# A HLT each way, yields to nobody and to a vCPU that could run, beside KVM's wake-up tracepoint and its own counters.
outcome() {
	mkdir $T/instances/wakeup
	echo 65536 >$T/instances/wakeup/buffer_size_kb
	echo 1 >$T/instances/wakeup/events/kvm/kvm_vcpu_wakeup/enable
	case $machine in
	arm64) echo 'kvmwait-guest -n halts --stay 2 wfi=31@0 wfi=37@1 wfe=41 >guest.json' >guest.sh ;;
	*) cat >guest.sh <<-'SH' ;;
		kvmwait-guest -n halts --stay 1 hlt=31@0 hlt=37@1 hlt-user=19 >halts.json
		kvmwait-guest -n nobody --stay 1 yield:77=23 hv-spin=7 >nobody.json
		cat /sys/kernel/debug/kvm/directed_yield_successful >yielded.before 2>/dev/null
		kvmwait-guest -n runnable --stay 2 busy=1@1 yield:1=41@0 >runnable.json &
		while ! grep -q '^"could_not"' runnable.json 2>/dev/null; do sleep 0.1; done
		cat /sys/kernel/debug/kvm/directed_yield_successful >yielded.after 2>/dev/null
		wait
	SH
	esac
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	cat $T/instances/wakeup/trace >wakeup
	rmdir $T/instances/wakeup
	kvmwait convert -f table trace.ndjson >table
}

# A thread is moved from CPU to CPU while it waits; needs two of them.
migrate() {
	cat >guest.sh <<-'SH'
		kvmwait-guest -n moved -c 1 --op-timeout 300 hlt=2003 >moved.json &
		guest=$!
		vm=''
		while kill -0 $guest 2>/dev/null; do
			[ -n "$vm" ] || vm=$(grep -l "[g]uest=moved-kvm" /proc/[0-9]*/cmdline 2>/dev/null | head -n 1 | cut -d/ -f3)
			for mask in 1 2; do
				for t in /proc/${vm:-none}/task/*; do taskset -p $mask ${t##*/} >/dev/null 2>&1; done
			done
		done
		wait
	SH
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
}

# ---- judge ----

# outcomes TRACE FILTER: the outcomes that the jq filter holds for, as one array.
outcomes() { jq -c -s "[.[] | select(.type == \"outcome\") | select($2)]" "$1"; }

# holds TRACE EXPRESSION: of the whole trace as an array.
holds() { jq -e -s "$2" "$1" >/dev/null || { jq -s -c '[.[] | select(.type == "outcome")] | group_by([.vm, .event, .end, .halt, .boosted]) | map([.[0].vm, .[0].event, .[0].end, .[0].halt, .[0].boosted, length])' "$1"; return 1; }; }

every_wait_has_one() {
	holds "$1" '([.[] | select(.type == "wait") | [.tid, .ts, .event, .source, .vcpu, .vm]] | sort) ==
		([.[] | select(.type == "outcome") | [.tid, .wait_ts, .event, .source, .vcpu, .vm]] | sort)'
}

times_are_sound() {
	holds "$1" '[.[] | select(.type == "outcome")] | length > 0 and
		all(.ready_ns <= .off_ns and .off_ns <= .ns and .ns == .ts - .wait_ts and (.halt_ns // 0) <= .ns)'
}

# KVM's own words for each HLT of the VM: "wait time 12345 ns, polling valid" or "poll time ..."
wakeups_agree() {
	local told seen tids
	tids=$(outcomes "$1/trace.ndjson" '.vm == "halts-kvm"' | jq -r '[.[].tid] | unique | join("|")')
	told=$(sed -nE "s/.*-($tids) +\\[.*kvm_vcpu_wakeup: (wait|poll) time ([0-9]+) ns.*/\\2 \\3/p" "$1/wakeup" | sort)
	seen=$(outcomes "$1/trace.ndjson" '.vm == "halts-kvm" and (.halt // "none") != "none"' |
		jq -r '.[] | "\({blocked: "wait", polled: "poll"}[.halt]) \(.halt_ns)"' | sort)
	[ -n "$seen" ] && [ "$told" = "$seen" ] || { diff <(echo "$told") <(echo "$seen") | head; return 1; }
}

# hlts_done FILE ASKED FILTER: the WFIs that were trapped; with those that were not they are as many as were asked for.
hlts_done() {
	jq "[.did, .must_not_count] | map([.[] | select(.op == \"wfi\" and $3).count] | add // 0) |
		if add == $2 then .[0] else error(\"\(add) WFIs, not $2\") end" "$1"
}

outcome_of_arm64() {
	local d=$1
	test_that "$2 every count is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson"
	test_that "$2 all WFIs woken" holds "$d/trace.ndjson" "[.[] | select(.type == \"outcome\" and .event == \"hlt\")] |
		length == $(hlts_done "$d/guest.json" 68 true) and length > 0 and all(.woken and .end == \"run\")"
}

outcome_of_x86() {
	local d=$1 boosted
	test_that "$2 68 HLTs, and all 68 woken" holds "$d/trace.ndjson" '[.[] | select(.type == "outcome" and .vm == "halts-kvm")] |
		length == 68 and all(.event == "hlt" and .woken and .end == "run")'
	test_that "$2 a HLT that blocked was off the CPU" holds "$d/trace.ndjson" '[.[] | select(.halt == "blocked")] | length > 0 and all(.off_ns > 0)'
	test_that "$2 38 HLTs without a local APIC went to user space" holds "$d/trace.ndjson" '[.[] | select(.type == "outcome" and .vm == "halts-noirqchip")] |
		length == 38 and all(.end == "user" and .halt == "none" and .woken == false)'
	test_that "$2 46 yields to nobody boosted nobody" holds "$d/trace.ndjson" '[.[] | select(.type == "outcome" and .vm == "nobody-kvm")] |
		length == 46 and all(.boosted == -1 and .boosted_tid == 0)'
	test_that "$2 41 yields to a vCPU that could run boosted it" holds "$d/trace.ndjson" '[.[] | select(.type == "outcome" and .vm == "runnable-kvm")] |
		length == 41 and all(.boosted == 1 and .boosted_tid > 0) and any(.ready_ns > 0)'
	if [ -s "$d/yielded.after" ]; then # from 5.13 on
		boosted=$(outcomes "$d/trace.ndjson" '.source == "kvm" and .vm == "runnable-kvm" and .boosted >= 0' | jq length)
		test_that "$2 as KVM's own counter has it" test "$(($(cat "$d/yielded.after") - $(cat "$d/yielded.before")))" = "$boosted"
	fi
	test_that "$2 the table says so" grep -qE -- '-> pv_yield, ran again after .*, boosted vCPU 1$' "$d/table"
}

judge_outcome() {
	local d=$1
	test_that "$2 trace ends well" test "$(cat "$d/status")" = 0
	judge_trace "$d/trace.ndjson" "$2"
	test_that "$2 every wait has its outcome" every_wait_has_one "$d/trace.ndjson"
	test_that "$2 0 <= ready <= off <= all the time" times_are_sound "$d/trace.ndjson"
	test_that "$2 polled or blocked, and for how long, as KVM told it" wakeups_agree "$d"
	case $machine in
	arm64) outcome_of_arm64 "$@" ;;
	*) outcome_of_x86 "$@" ;;
	esac
}

judge_migrate() {
	local d=$1
	test_that "$2 trace ends well" test "$(cat "$d/status")" = 0
	test_that "$2 received + lost = counted" balanced "$d/trace.ndjson"
	test_that "$2 every wait has its outcome" every_wait_has_one "$d/trace.ndjson"
	test_that "$2 0 <= ready <= off <= all the time" times_are_sound "$d/trace.ndjson"
	test_that "$2 2003 HLTs, some of which ended on another CPU" holds "$d/trace.ndjson" '[.[] | select(.type == "outcome")] |
		length == 2003 and any(.cpu != .cpu_before) and all(.woken)'
}
