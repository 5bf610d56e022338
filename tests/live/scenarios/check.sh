# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# kvmwait check, capture and plan, with and without privilege.

check() {
	kvmwait check >check.txt 2>err
	echo $? >status
	kvmwait check --json >check.json
	kvmwait capture root >capture.txt
	kvmwait plan --json >plan.live
	kvmwait plan --json --root root >plan.root
	su nobody -s /bin/sh -c 'kvmwait trace' >nobody.out 2>nobody.err
	echo $? >nobody.status
	su nobody -s /bin/sh -c 'kvmwait plan' >nobody.plan 2>&1
	echo $? >nobody.plan.status
	kvmwait trace --bpftrace /nonexistent >missing.out 2>missing.err
	echo $? >missing.status
	# a line of the kernel's own, to hold the frame of -f ftrace against
	echo boot >$T/trace_clock
	echo 1 >$T/events/sched/sched_switch/enable
	sleep 0.2
	echo 0 >$T/events/sched/sched_switch/enable
	grep sched_switch $T/trace | tail -n 20 >ftrace
}

# ---- judge ----

# The frame of a line up to the event: as the kernel prints it, but for the width of names and numbers.
frame() { sed -E 's/^ *[^ ].*-[0-9]+ +\[/TASK [/; s/[0-9]+\.[0-9]{6}: [a-z_]+: .*/TIME: EVENT/; s/\] [^ ]{5} /] FLAGS /; s/[0-9]/9/g' "$1" | sort -u; }

judge_check() {
	local d=$1
	test_that "$2 this host is able" test "$(cat "$d/status")" = 0
	test_that "$2 --json says so" jq -e '.able and (.findings | length) > 8' "$d/check.json"
	test_that "$2 a captured root plans as the host does" cmp "$d/plan.live" "$d/plan.root"
	test_that "$2 a captured root is small" test "$(tar -c -C "$d/root" . | xz | wc -c)" -lt 300000
	test_that "$2 without privilege: exit 4" test "$(cat "$d/nobody.status")" = 4
	test_that "$2 without privilege: the next step" grep -q 'run it with sudo' "$d/nobody.err"
	test_that "$2 plan needs no privilege" test "$(cat "$d/nobody.plan.status")" = 0
	test_that "$2 without bpftrace: exit 4" test "$(cat "$d/missing.status")" = 4
	"$kvmwait" convert -f ftrace "$work/$row/exact/trace.ndjson" | grep -v '^#' >"$d/ours" || true
	test_that "$2 -f ftrace has the kernel's own frame" test "$(frame "$d/ftrace" | sed 's/  */ /g')" = "$(frame "$d/ours" | sed 's/  */ /g')"
	test_that "$2 -f ftrace has the same columns" test "$(awk '{ print index($0, "[") }' "$d/ftrace" | sort -u | head -n 1)" = "$(awk '{ print index($0, "[") }' "$d/ours" | sort -u | head -n 1)"
}
