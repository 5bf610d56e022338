# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# kvmwait selftest.

selftest() {
	kvmwait selftest --json ${no_pause:+--skip pause,hv-pause,hv-rep-pause} >result.json 2>err
	echo $? >status
}

# ---- judge ----

judge_selftest() {
	local d=$1 rows=3
	[ "$machine" != arm64 ] || rows=2
	test_that "$2 passes" test "$(cat "$d/status")" = 0
	test_that "$2 says so, with counts" jq -e --argjson rows $rows '.passed and .counted == .received and ([.rows[] | select(.verdict != "ok")] | length) == 0 and (.rows | length) >= $rows' "$d/result.json"
	case $machine in
	amd) test_that "$2 names what it could not exercise" jq -e '[.could_not[].op] | index("ap-reset-hold")' "$d/result.json" ;;
	intel) test_that "$2 saw events of every kind" jq -e '.passed and .counted == .received and
		(.rows | map(select(.seen > 0) | .event) | unique == ["hlt", "ple", "pv_yield"])' "$d/result.json" ;;
	esac
}
