# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# How the scenarios of kvmwait blame are judged; sourced by suite.

# judge_blame DIR NAME: every spin is blamed on what the scenario was built for, and nothing else is.
judge_blame() {
	local d=$1 culprit=''
	case ${d##*-} in
	hog) culprit='.kind == "host" and .comm == "hog"' ;;
	vcpu) culprit='.kind == "vcpu" and .comm == "CPU 1/KVM" and .pid == $b.vms[0].pid and .tid == $b.vms[0].vcpus[1].tid and .vcpu == 1' ;;
	self) culprit='.kind == "self" and .comm == "CPU 0/KVM" and .pid == $a.vms[0].pid and .tid == $a.vms[0].vcpus[0].tid and .vcpu == 0' ;;
	esac
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	test_that "$2 received + lost = counted, nothing lost" jq -e '.end | .counted == .received and .lost == 0 and .unbalanced == 0 and .late == 0 and .received > 211' "$d/blame.json"
	test_that "$2 the guest spun 211 times" jq -e '[.did[] | select(.vcpu == 0) | .count] == [211]' "$d/a.json"
	if [ -z "$culprit" ]; then
		test_that "$2 211 spins, none is blamed on anybody" jq -e '.blame == [] and
			[.vms[] | {spins, vcpus, unseen, blamed, unblamed, unknown}] == [{spins: 211, vcpus: 2, unseen: 0, blamed: 0, unblamed: 211, unknown: 0}]' "$d/blame.json"
		return
	fi
	test_that "$2 211 spins, all blamed" jq -e '[.vms[] | {spins, vcpus, unseen, blamed, unblamed, unknown}] ==
		[{spins: 211, vcpus: 2, unseen: 0, blamed: 211, unblamed: 0, unknown: 0}]' "$d/blame.json"
	test_that "$2 all on ${d##*-}, waiting for vCPU 1" jq -e -c -n --slurpfile blame "$d/blame.json" --slurpfile a "$d/a.json" --slurpfile b \
		"$([ -e "$d/b.json" ] && echo "$d/b.json" || echo /dev/null)" '($a[0]) as $a | ($b[0]) as $b | [$blame[0].blame[] | select(.spins > 0)] |
		if length == 1 and (.[0] | .pid == $a.vms[0].pid and .vcpu == 1 and .spins == 211 and .share == 10000 and (.culprit | '"$culprit"'))
		then true else ., false end'
	test_that "$2 the time is told" jq -e '.blame[0].ready_ns > 0' "$d/blame.json"
}
