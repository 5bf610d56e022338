# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# Filters of processes, vCPUs and events.

# Two VMs, of which one process, one vCPU and one event is wanted.
filters_arm64() {
	for n in a b; do kvmwait-guest -n $n --gate go wfi=11 wfe=13 psci-suspend=7 >$n.json & done
	all_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ]; }
	await all_there
	pid_of b-kvm >b-kvm.pid
	cat >go.sh <<-'SH'
		touch go
		while ! { grep -q could_not a.json && grep -q could_not b.json; }; do sleep 0.1; done
	SH
	kvmwait trace -p "$(cat b-kvm.pid)" --vcpu 1 -e hlt -o one.ndjson -- sh go.sh 2>err
	echo $? >status
	wait
}

filters() {
	[ $machine != arm64 ] || { filters_arm64; return; }
	for n in a b; do kvmwait-guest -n $n --stay 1 --gate go "hlt=$([ $n = a ] && echo 31 || echo 37)" yield:5=17 hv-spin=13 pause=11 >$n.json & done
	all_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ] && [ -n "$(pid_of a-hyperv)" ]; }
	await all_there
	pid_of a-kvm >a-kvm.pid
	pid_of b-kvm >b-kvm.pid
	cat >go.sh <<-'SH'
		touch go
		while ! { grep -q could_not a.json && grep -q could_not b.json; }; do sleep 0.1; done
	SH
	kvmwait trace -p "$(cat a-kvm.pid)" --vcpu 1 -e pv_yield -o one.ndjson -- sh go.sh 2>err
	echo $? >one.status
	wait
	rm go
	for n in a b; do kvmwait-guest -n $n --stay 1 --gate go hlt=41 yield:5=17 pause=11 >$n.json & done
	more_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ]; }
	await more_there
	kvmwait trace --vm a-kvm -p "$(pid_of b-kvm)" --vcpu 0 -e hlt,ple -o two.ndjson -- sh go.sh 2>>err
	echo $? >two.status
	wait
}

# ---- judge ----

filters_of_arm64() {
	local d=$1 hlts
	hlts=$(hlts_done "$d/b.json" 11 '.vcpu == 1') || true
	test_that "$2 trace ends well" test "$(cat "$d/status")" = 0
	test_that "$2 one process, one vCPU, one event: its WFIs and nothing else" jq -e -s --argjson pid "$(cat "$d/b-kvm.pid")" --argjson hlts "$hlts" \
		'map(select(.type == "wait")) | length == $hlts and $hlts > 0 and all(.pid == $pid and .vcpu == 1 and .event == "hlt" and .source == "wfi")' "$d/one.ndjson"
	test_that "$2 the kernel counted only these" jq -e -s --argjson hlts "$hlts" '.[-1] | .counted == $hlts and .lost == 0' "$d/one.ndjson"
}

judge_filters() {
	local d=$1
	[ "$machine" != arm64 ] || { filters_of_arm64 "$@"; return; }
	test_that "$2 one process, one vCPU, one event: 17 yields and nothing else" jq -e -s --argjson pid "$(cat "$d/a-kvm.pid")" \
		'map(select(.type == "wait")) | length == 17 and all(.pid == $pid and .vcpu == 1 and .event == "pv_yield" and .target == 5)' "$d/one.ndjson"
	test_that "$2 the kernel counted only these" jq -e -s '.[-1] | .counted == 17 and .lost == 0' "$d/one.ndjson"
	test_that "$2 meta says the filters" jq -e -s '.[0].filters == {events: ["pv_yield"], tgids: [(.[1].pid)], vcpus: [1]}' "$d/one.ndjson"
	test_that "$2 two processes, two events" jq -e -s 'map(select(.type == "wait")) | map(.event + .vm) | group_by(.) | map([.[0], length])
		== [["hlta-kvm", 41], ["hltb-kvm", 41], ["plea-kvm", 11], ["pleb-kvm", 11]]' "$d/two.ndjson"
	test_that "$2 both end well" test "$(cat "$d/one.status" "$d/two.status" | tr '\n' ' ')" = '0 0 '
}
