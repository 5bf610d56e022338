# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# The standard guest under kvmwait trace, and under a script by hand, beside KVM's own counters.

exact() {
	ls /sys/module >modules
	kvmwait plan --json >plan.json
	cat >guest.sh <<-'SH'
		kvmwait-guest --stay 2 $1 >guest.json
		echo $? >guest.status
	SH
	exits_begin
	(await complete guest.json && cat /sys/kernel/debug/kvm/halt_exits >halt_exits) &
	kvmwait trace -o trace.ndjson -- sh guest.sh "$plan" 2>err
	echo $? >status
	wait
	exits_end
}

# The script as it stands, by hand.
hand() {
	case $machine:$(uname -r) in
	arm64:[6-9].*) ;;
	*) [ -e /sys/kernel/btf/kvm ] || export BPFTRACE_BTF=/sys/kernel/btf/vmlinux ;;
	esac
	export BPFTRACE_PERF_RB_PAGES=1024
	echo "kvmwait-guest $no_pause >guest.json" >guest.sh
	exits_begin
	bpftrace -B line -c "/bin/sh guest.sh" /usr/share/kvmwait/scripts/"$1".bt >wire 2>err
	echo $? >status
	exits_end
	unset BPFTRACE_BTF BPFTRACE_PERF_RB_PAGES
}

# ---- judge ----

# AMD: every count is the guest's. KVM's own exit counts: a HLT or PAUSE of a nested guest exits as well, and is no event.
reason_agrees() {
	local dir=$1 reason=$2 event=$3 nested=$4 exits did
	[ -s "$dir/exits" ] || { echo 'tracefs counted nothing'; return 1; }
	exits=$(awk -v reason="$reason" '$1 == reason { n += $4 } END { print n + 0 }' "$dir/exits")
	did=$(jq "([.did[] | select(.event == \"$event\") | .count] + [.must_not_count[] | select(.op == \"$nested\") | .count]) | add // 0" "$dir/guest.json")
	[ "$exits" = "$did" ] || { echo "kvm_exit counts $exits, the guest did $did"; return 1; }
}

halt_exits_agree() {
	local seen
	seen=$(jq -s '[.[] | select(.type == "wait" and .event == "hlt")] | length' "$1/trace.ndjson")
	[ "$(cat "$1/halt_exits")" = "$seen" ] || { echo "halt_exits $(cat "$1/halt_exits"), seen $seen"; return 1; }
}

exact_amd() {
	local d=$1
	test_that "$2 every count is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson"
	test_that "$2 HLT exits of tracefs agree" reason_agrees "$d" 120 hlt nested-hlt
	test_that "$2 PAUSE exits of tracefs agree" reason_agrees "$d" 119 ple nested-pause
	test_that "$2 halt_exits of debugfs agrees" halt_exits_agree "$d"
}

# Intel: when a PAUSE exits is up to the processor's window, so the pause-loop exits are as many as KVM's tracepoint counted.

# exits_agree DIR REASON EVENT SOURCE: for each thread and vCPU, KVM's tracepoint counted as many VM exits of the
# reason as there are events; and there are some.
exits_agree() {
	local exits seen
	exits=$(awk -v reason="$2" '$1 == reason { print $2, $3, $4 }' "$1/exits" | sort)
	seen=$(jq -r --arg event "$3" --arg source "$4" \
		'select(.type == "wait" and .event == $event and .source == $source) | "\(.tid) \(.vcpu)"' "$1/trace.ndjson" |
		sort | uniq -c | awk '{ print $2, $3, $1 }' | sort)
	[ -n "$exits" ] && [ "$exits" = "$seen" ] || { echo 'tid, vCPU, count'; diff <(echo "$exits") <(echo "$seen"); return 1; }
}

plan_is_intel() {
	jq -e '.vendor == "vmx" and .events == {ple: "exact", hlt: "exact", pv_yield: "exact"}' "$1/plan.json" &&
		grep -qx kvm_intel "$1/modules" && ! grep -qx kvm_amd "$1/modules"
}

# Each PAUSE of a Hyper-V guest, those after a rejected call included, is in a VM of its own.
pauses_by_vm() { jq -e -s '[.[] | select(.event == "ple") | .vm] | unique == ["guest-hyperv", "guest-kvm"]' "$1"; }

# What must not count was done as well: without it the equalities say little.
did_the_rest() {
	jq -e '.must_not_count | map(.op) | unique |
		contains(["kick", "yield-cpl3", "yield-unoffered", "hv-rep", "hv-rep-pause", "hv-var"])' "$1"
}

exact_intel() {
	local d=$1
	test_that "$2 plan: vendor vmx, kvm_amd absent, all exact" plan_is_intel "$d"
	test_that "$2 every HLT and yield is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson"
	test_that "$2 what must not count was done" did_the_rest "$d/guest.json"
	test_that "$2 HLT exits of tracefs agree, by vCPU" exits_agree "$d" 12 hlt kvm
	test_that "$2 pause-loop exits of tracefs agree, by vCPU" exits_agree "$d" 40 ple vmx
	test_that "$2 pause-loop exits in each VM that pauses" pauses_by_vm "$d/trace.ndjson"
}

# arm64: every count is the guest's, and what KVM traps depends on the policy of the row.

# Every count per (pid, tid, vCPU, event, source, target) is the guest's. Where nothing is trapped both have none.
is_the_guests() {
	if [ "${third:-trap}" = notrap ]; then
		[ "$(compare "$1/guest.json" "$1/trace.ndjson")" = 'DIFFERENT 0 of 0 keys' ] || { cat "$1/trace.ndjson.compared"; return 1; }
	else
		# Before 5.14 nobody tells the guest which of its WFEs were trapped: these are held against KVM's tracepoint and counters alone.
		jq -c '(.did[] | select(.assumed and .event == "ple") | .count) = null' "$1/guest.json" >"$1/guest.known"
		is_equal "$1/guest.known" "$1/trace.ndjson"
	fi
}

# traps_agree DIR: for each thread, KVM's tracepoint counted as many WFIs and WFEs as the trace has events.
traps_agree() {
	[ -e "$1/exits" ] || { echo 'tracefs counted nothing'; return 1; }
	jq -r 'select(.type == "wait") | "\(if .event == "ple" then 1 else 0 end) \(.tid)"' "$1/trace.ndjson" | sort | uniq -c |
		awk '{ print $2, $3, $1 }' | sort >"$1/seen"
	sort "$1/exits" | diff - "$1/seen"
}

# what_was_done DIR: the guest did all it was to do; with nothing trapped, nothing of it counts. Nor does a WFI or WFE whose
# interrupt or event came before it: that one is not trapped in any case.
what_was_done() {
	local suspended='["suspended"]' # from 5.19 on user space can suspend a vCPU
	case $row in 5.*) suspended='[]' ;; esac
	jq -e --arg policy "${third:-trap}" --argjson suspended "$suspended" '([.did[].op] | unique) as $did |
		([.must_not_count[].op] | unique) as $not | (["psci-suspend"] + $suspended) as $quiet |
		([.could_not[].op] | unique) == ["suspended"] - $suspended and
		if $policy == "trap" then $did == $suspended + ["wfe", "wfi"] and $not - ["wfe", "wfi"] == $quiet
		elif $policy == "notrap" then $did == [] and $not == $quiet + ["wfe", "wfi"]
		else ($did + $not | unique) == $quiet + ["wfe", "wfi"] end' "$1/guest.json"
}

arm64_events() {
	local d=$1
	test_that "$2 the guest did everything" what_was_done "$d"
	test_that "$2 every count is the guest's" is_the_guests "$d"
	test_that "$2 KVM's own tracepoint agrees" traps_agree "$d"
}

exact_arm64() {
	local script=arm64.bt
	case $row in 5.*) script=arm64-5.10.bt ;; esac
	test_that "$2 the plan is arm64, exact" jq -e --arg script "$script" '.script == $script and
		.events == {ple: "exact", hlt: "exact", pv_yield: "absent"}' "$1/plan.json"
	arm64_events "$@"
}

# Each VM began and ended within the trace: no tolerance, on either side.
audit_is_exact() {
	jq -e -s '.[-1].audit | length > 0 and all(.[]; .why == null and .difference == 0 and .kernel == .seen and .kernel_most == .seen)' "$1" ||
		{ jq -c 'select(.type == "end").audit' "$1"; return 1; }
}

judge_exact() {
	local d=$1
	test_that "$2 trace ends well" test "$(cat "$d/status")" = 0
	test_that "$2 the guest ends well" guest_is_well "$d"
	"exact_$machine" "$@"
	test_that "$2 the audit is exact" audit_is_exact "$d/trace.ndjson"
	judge_trace "$d/trace.ndjson" "$2"
}

# The tracepoints do not know what KVM makes of an exit: these events come on top, and no others do. On Intel the number of
# pause-loop exits is not the guest's.
tracepoint_sums() {
	local expected seen
	expected=$(jq -c --arg machine $machine '[(.did[] | select(.source != "xen" and .count != null) | {event, source, count}),
		(.must_not_count[] | {count} + ({"nested-hlt": {event: "hlt", source: "kvm"}, "nested-pause": {event: "ple", source: "svm"},
		"yield-cpl3": {event: "pv_yield", source: "kvm"}, "yield-unoffered": {event: "pv_yield", source: "kvm"},
		"hv-var": {event: "pv_yield", source: "hyperv"}}[.op] // empty))]
		| map(select($machine != "intel" or .event != "ple"))
		| group_by([.event, .source]) | map([.[0].event, .[0].source, (map(.count) | add)])' "$1/guest.json")
	seen=$(jq -c -s --arg machine $machine '[.[] | select(.type == "wait" and ($machine != "intel" or .event != "ple"))] | group_by([.event, .source]) |
		map([.[0].event, .[0].source, length])' "$1/trace.ndjson")
	[ "$expected" = "$seen" ] || { echo "expected $expected, seen $seen"; return 1; }
}

judge_hand() {
	local d=$1
	test_that "$2 bpftrace ends well" test "$(cat "$d/status")" = 0
	test_that "$2 convert reads the lines" "$kvmwait" convert -f json -o "$d/trace.ndjson" "$d/wire"
	case $machine:$3 in
	*tracepoint) test_that "$2 counts what the tracepoints can tell" tracepoint_sums "$d" ;;
	arm64:*) arm64_events "$@" ;;
	*) test_that "$2 every count is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson" ;;
	esac
	case $machine in
	intel) test_that "$2 pause-loop exits of tracefs agree, by vCPU" exits_agree "$d" 40 ple vmx ;;
	amd) test_that "$2 lines are readable" grep -qE '^w [0-9]+ 0 [0-9]+ [0-9]+ [01] hlt kvm -1 43 50 55 20 3[01] ' "$d/wire" ;;
	esac
}
