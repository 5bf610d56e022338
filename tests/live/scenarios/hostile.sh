# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Names that break lines, tables and JSON.

hostile() {
	cat >all.sh <<-'SH'
		kvmwait-guest -c 1 -n 'a"b\c' --comm "$(printf 'x\nw 1 0 1 1')" --stay 1 hlt-user=13 >1.json
		kvmwait-guest -c 1 -n '=cmd,x' --comm "$(printf '"}\\\033[31m\377')" --stay 1 hlt-user=17 >2.json
		kvmwait-guest -c 1 -n "$(printf 'n\nl')" --comm '@counted: 99999' --stay 1 hlt-user=19 >3.json
	SH
	kvmwait trace -o trace.ndjson -- sh all.sh 2>err
	echo $? >status
}

# ---- judge ----

judge_hostile() {
	local d=$1
	test_that "$2 all there" jq -e -s '[.[] | select(.type == "wait")] | group_by(.comm) | map(length) | sort == [13, 17, 19]' "$d/trace.ndjson"
	test_that "$2 a newline in comm is told, not obeyed" jq -e -s '[.[] | select(.comm == "x\\x0aw 1 0 1 1")] | length == 13' "$d/trace.ndjson"
	test_that "$2 quotes, escapes, invalid UTF-8" jq -e -s '[.[] | select(.comm == "\"}\\\\\\x1b[31m\\xff")] | length == 17' "$d/trace.ndjson"
	test_that "$2 a comm like a count" jq -e -s '[.[] | select(.comm == "@counted: 99999")] | length == 19' "$d/trace.ndjson"
	test_that "$2 names of VMs" jq -e -s '[.[] | select(.type == "wait") | .vm] | unique == ["=cmd,x-noirqchip", "a\"b\\\\c-noirqchip", "n\\x0al-noirqchip"]' "$d/trace.ndjson"
	test_that "$2 received + lost = counted" balanced "$d/trace.ndjson"
	test_that "$2 fits the JSON Schema" valid_schema "$d/trace.ndjson"
	"$kvmwait" convert -f table "$d/trace.ndjson" >"$d/table"
	test_that "$2 no control character in the table" test -z "$(LC_ALL=C tr -d '\n\40-\176\200-\377' <"$d/table")"
}
