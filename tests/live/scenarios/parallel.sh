# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# CPUs that run at once, which elsewhere take turns: storms on all of them, threads that move between them, maps that are read
# meanwhile. Every count is exact.

# Four VMs, a storm each, and a fifth whose two vCPUs halt, wake and move all the time.
parallel() {
	cat >guest.sh <<-'SH'
		for n in 0 1 2 3; do
			taskset $((1 << n)) kvmwait-guest -n storm$n -c 1 --stay 1 --op-timeout 300 yield:$n=2003 >$1.$n.json &
		done
		kvmwait-guest -n moved -c 2 --stay 1 --op-timeout 300 hlt=211 hv-spin=401 >$1.moved.json &
		moved=$!
		mask=1
		while kill -0 $moved 2>/dev/null; do
			for vm in $(grep -l '[g]uest=moved-' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
				for t in /proc/$vm/task/*; do
					taskset -p $mask ${t##*/} >/dev/null 2>&1
					mask=$((mask == 8 ? 1 : mask * 2))
				done
			done
		done
		wait
	SH
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh trace 2>err
	echo $? >status
	kvmwait stat -f json -i 0.2 --by vm,vcpu,event,source -o stat.ndjson -- sh guest.sh stat 2>>err
	echo $? >>status
	kvmwait stat --counts -f json -i 0.2 --by vm,vcpu,event,source -o counts.ndjson -- sh guest.sh counts 2>>err
	echo $? >>status
	grep -c ^processor /proc/cpuinfo >cpus
}

# ---- judge ----

prepare_parallel() { options+=(--parallel); }

# all_did DIR NAME: one document of all that the guests did.
all_did() { jq -s -c '{did: (map(.did) | add), must_not_count: (map(.must_not_count) | add), could_not: (map(.could_not) | add)}' "$1/$2".*.json >"$1/$2.did"; }

judge_parallel() {
	local d=$1 how
	test_that "$2 four CPUs" test "$(cat "$d/cpus")" = 4
	for how in trace stat counts; do
		all_did "$d" $how
		test_that "$2 $how: the guests did it all" jq -e '(.could_not | length) == 0 and ([.did[] | select(.event == "pv_yield" and .source == "kvm") | .count] | add) == 4 * 2003 and
			([.did[] | select(.event == "hlt") | .count] | add) == 2 * 211' "$d/$how.did"
	done
	test_that "$2 all end well" test "$(tr '\n' ' ' <"$d/status")" = '0 0 0 '
	test_that "$2 trace: every count is the guests'" is_equal "$d/trace.did" "$d/trace.ndjson"
	# 0.17 reads one CPU's buffer after the other: in a storm events come late, and the end record counts them
	case $row in
	*:0.17:*)
		test_that "$2 trace: received + lost = counted" balanced "$d/trace.ndjson"
		test_that "$2 trace: nothing lost" jq -e -s '.[-1] | .lost == 0 and .unreported == 0' "$d/trace.ndjson"
		test_that "$2 trace: in time order, or counted as late" jq -e -s '.[-1].late as $late | map(select(.type == "wait" or (.type == "outcome" and .end != "unseen")) | .ts) |
			reduce .[] as $ts ({last: 0, back: 0}; if $ts < .last then .back += 1 else .last = $ts end) | .back <= $late' "$d/trace.ndjson"
		test_that "$2 trace: the audit agrees" audit_agrees "$d/trace.ndjson" ;;
	*) judge_trace "$d/trace.ndjson" "$2 trace:" ;;
	esac
	test_that "$2 trace: events on each CPU" jq -e -s 'map(select(.type == "wait") | .cpu) | unique == [0, 1, 2, 3]' "$d/trace.ndjson"
	test_that "$2 trace: each wait has its outcome, and some end on another CPU" jq -e -s '(map(select(.type == "wait")) | length) as $waits |
		map(select(.type == "outcome" and .end != "unseen")) | length == $waits and any(.cpu != .cpu_before)' "$d/trace.ndjson"
	for how in stat counts; do
		test_that "$2 $how: every count is the guests'" total_is_the_guests "$d/$how.did" "$d/$how.ndjson"
		test_that "$2 $how: the audit agrees" audit_agrees "$d/$how.ndjson"
		test_that "$2 $how: nothing lost" jq -e -s '.[-1] | .lost == 0 and .unbalanced == 0 and .counted == .received' "$d/$how.ndjson"
	done
}
