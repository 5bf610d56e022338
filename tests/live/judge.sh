# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# How the live suites judge a trace, whatever machine it comes from. Set by the caller: here, kvmwait.

# As text: numbers beyond 2^53 would not survive jq.
quoted_targets() { sed -E 's/"target":(-?[0-9]+)/"target":"\1"/g' "$1"; }

# compare GUEST TRACE: every count per (pid, tid, vCPU, event, source, target) beside the guest's; the last line
# sums it up.
compare() {
	jq -n -r -f "$here/compare.jq" --slurpfile guest <(quoted_targets "$1") --slurpfile trace <(quoted_targets "$2") >"$2.compared" 2>&1
	tail -n 1 "$2.compared"
}

# is_equal GUEST TRACE: they are equal, and there are some.
is_equal() { case $(compare "$1" "$2") in equal*) ;; *) cat "$2.compared"; return 1 ;; esac; }

# guest_is_well DIR: the guest did what it was to do; else what it says about it.
guest_is_well() {
	[ "$(cat "$1/guest.status")" = 0 ] || { echo "status $(cat "$1/guest.status")"; jq -c '.could_not[]' "$1/guest.json"; return 1; }
}

# balanced TRACE: the end record says counted = received + lost, received is the number of waits and outcomes.
balanced() {
	jq -e -s '(map(select(.type == "wait" or (.type == "outcome" and .end != "unseen"))) | length) as $n | .[-1] |
		.type == "end" and .received == $n and .counted == .received + .lost and .unbalanced == 0 and .malformed == 0' "$1" >/dev/null
}

lossless() { jq -e -s '.[-1] | .lost == 0 and .unreported == 0 and .late == 0' "$1" >/dev/null; }
in_order() { jq -e -s 'map(select(.type == "wait" or .type == "outcome") | .ts) | . == sort' "$1" >/dev/null; }
starts_with_meta() { jq -e -s '.[0].type == "meta" and (map(select(.type == "meta")) | length) == 1' "$1" >/dev/null; }

valid_schema() {
	"$kvmwait" trace --schema | jq '{"$schema": ."$schema", type: "array", items: del(."$schema")}' >"$1.schema"
	jq -s . "$1" >"$1.array"
	/usr/bin/jsonschema -i "$1.array" "$1.schema"
}

# The counts are those of the counters that KVM keeps by itself, as far as these can say anything of what was asked for.
audit_agrees() {
	jq -e -s '.[-1].audit | length > 0 and all(.[]; if .why then .why | test("not traced|by VM|not exact|debugfs") else .difference == 0 end)' "$1" ||
		{ jq -c 'select(.type == "end").audit' "$1"; return 1; }
}

# judge_trace TRACE NAME: what holds of every trace with nothing lost.
judge_trace() {
	test_that "$2 received + lost = counted" balanced "$1"
	test_that "$2 nothing lost, nothing late" lossless "$1"
	test_that "$2 in time order" in_order "$1"
	test_that "$2 meta comes first" starts_with_meta "$1"
	test_that "$2 the audit agrees" audit_agrees "$1"
	test_that "$2 output fits the JSON Schema" valid_schema "$1"
}
