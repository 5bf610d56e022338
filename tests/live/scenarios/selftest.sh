# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# kvmwait selftest.

selftest() {
	kvmwait selftest --json ${no_pause:+--skip pause,hv-pause,hv-rep-pause} >result.json 2>err
	echo $? >status
}

# ---- judge ----

# every_row_is_ok DIR NAME ROWS: not on Intel, where the guest does not know how often a PAUSE exits.
every_row_is_ok() {
	test_that "$2 says so, with counts" jq -e --argjson rows "$3" '.passed and .counted == .received and ([.rows[] | select(.verdict != "ok")] | length) == 0 and (.rows | length) >= $rows' "$1/result.json"
}

judge_selftest() {
	local d=$1
	test_that "$2 passes" test "$(cat "$d/status")" = 0
	case $machine in
	amd)
		every_row_is_ok "$d" "$2" 3
		test_that "$2 names what it could not exercise" jq -e '[.could_not[].op] | index("ap-reset-hold")' "$d/result.json"
		;;
	arm64) every_row_is_ok "$d" "$2" 2 ;;
	intel) test_that "$2 saw events of every kind" jq -e '.passed and .counted == .received and
		(.rows | map(select(.seen > 0) | .event) | unique == ["hlt", "ple", "pv_yield"])' "$d/result.json" ;;
	esac
}
