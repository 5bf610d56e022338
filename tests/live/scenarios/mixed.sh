# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# A kernel on which one function cannot be probed: what rests on it comes from tracepoints, the rest stays exact.

# A list of traceable functions without it lies over the kernel's own.
mixed() {
	grep -v '^kvm_vcpu_on_spin\b' $T/available_filter_functions >functions
	mount --bind functions $T/available_filter_functions
	kvmwait plan --json >plan.json
	cat >guest.sh <<-'SH'
		kvmwait-guest --stay 2 $1 >guest.json
		echo $? >guest.status
	SH
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh "$plan" 2>err
	echo $? >status
	kvmwait stat -f json --by vm,vcpu,event,source -o stat.ndjson -- \
		sh -c 'kvmwait-guest --stay 1 hlt=31@0 hlt=37@1 yield:1=41 hv-spin=7 >stat.did.json' 2>>err
	echo $? >stat.status
	kvmwait trace -e hlt -o hlt.ndjson -- kvmwait-guest -c 1 hlt=43 yield:1=5 >/dev/null 2>>err
	echo $? >hlt.status
	umount $T/available_filter_functions
}

# ---- judge ----

# By event and source: what the guest did, and of what the tracepoints give, what KVM rejects or hands on as well.
mixed_sums() {
	local expected seen
	expected=$(jq -c '[(.did[] | select(.source != "xen" and .count != null) | {event, source, count}),
		(.must_not_count[] | {count} + ({"nested-pause": {event: "ple", source: "svm"}, "hv-var": {event: "pv_yield", source: "hyperv"}}[.op] // empty))]
		| group_by([.event, .source]) | map([.[0].event, .[0].source, (map(.count) | add)])' "$1/guest.json")
	seen=$(jq -c -s '[.[] | select(.type == "wait")] | group_by([.event, .source]) | map([.[0].event, .[0].source, length])' "$1/trace.ndjson")
	[ "$expected" = "$seen" ] || { echo "expected $expected, seen $seen"; return 1; }
}

# The sources that are exact, by process, thread, vCPU and target.
exact_rest() {
	jq -c '.did |= map(select(.event == "hlt" or .source == "kvm"))' "$1/guest.json" >"$1/exact.json"
	jq -c 'select(.type != "wait" or .event == "hlt" or .source == "kvm")' "$1/trace.ndjson" >"$1/exact.ndjson"
	is_equal "$1/exact.json" "$1/exact.ndjson"
}

judge_mixed() {
	local d=$1
	test_that "$2 the plan has both scripts" jq -e '.script as $s | .events == {ple: "inferred", hlt: "exact", pv_yield: .events.pv_yield} and
		([.scripts[] | select(.script == $s).sources[] | select(.fallback == "x86-tracepoint.bt") | .source] == ["svm", "hyperv"])' "$d/plan.json"
	test_that "$2 trace ends well" test "$(cat "$d/status" "$d/stat.status" "$d/hlt.status" | tr '\n' ' ')" = '0 0 0 '
	test_that "$2 the guest ends well" guest_is_well "$d"
	test_that "$2 HLTs and yields are the guest's, each" exact_rest "$d"
	test_that "$2 the others are what the tracepoints can tell" mixed_sums "$d"
	test_that "$2 the record names the second script" jq -e -s '.[0] | [.fallbacks[].script] == ["x86-tracepoint.bt"] and
		([.probes[] | select(.fallback) | [.event, .fidelity]] == [["ple", "inferred"], ["pv_yield", "inferred"]])' "$d/trace.ndjson"
	test_that "$2 the audit is of what is exact" jq -e -s '.[-1].audit | any(.[]; .counter == "halt_exits") and
		all(.[]; .why == null and .difference == 0 and .kernel == .seen)' "$d/trace.ndjson"
	judge_trace "$d/trace.ndjson" "$2"
	test_that "$2 stat: every count is the guest's" total_is_the_guests "$d/stat.did.json" "$d/stat.ndjson"
	test_that "$2 what is not wanted costs nothing: 43 HLTs, of them all, without a tracepoint" jq -e -s '(map(select(.type == "wait")) | length) == 43' "$d/hlt.ndjson"
}
