# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# For the tests of documents: one line a check, and what the programs say of themselves. Wants $kvmwait.

passed=0 failed=0

ok() {
	printf 'ok %s\n' "$1"
	passed=$((passed + 1))
}

bad() {
	printf 'FAIL %s: %s\n' "$1" "$2"
	failed=$((failed + 1))
}

# check NAME WHY: passes where WHY is empty.
check() {
	if [[ $2 ]]; then bad "$1" "${2//$'\n'/, }"; else ok "$1"; fi
}

# same NAME LEFT LEFT_LINES RIGHT RIGHT_LINES: both hold the same lines, in any order, and at least one.
same() {
	local left right why=''
	left=$(comm -23 <(sort -u <<<"$3") <(sort -u <<<"$5") | sed '/^$/d')
	right=$(comm -13 <(sort -u <<<"$3") <(sort -u <<<"$5") | sed '/^$/d')
	[[ ! $left ]] || why="in $2 but not in $4: ${left//$'\n'/, }"
	[[ ! $right ]] || why+="${why:+; }in $4 but not in $2: ${right//$'\n'/, }"
	[[ $3 || $5 ]] || why="neither $2 nor $4 says anything"
	check "$1" "$why"
}

# ---- what the programs say ----

# Options of a help text as "-d,--duration SEC"; a line of another form comes as it is, and so differs.
help_options() {
	sed -nE '/^ {2,6}-/ {
		s/^ +((-[A-Za-z0-9]), )?--([a-z0-9-]+)( \[?[A-Z][^ ]*)?( .*)?$/\2,--\3\4/
		s/^,//
		p
	}' <<<"$1"
}

# "NAME TEXT"
help_commands() { sed -nE '/^commands:/,/^$/ s/^  ([a-z]+) +(.*)/\1 \2/p' <<<"$1"; }

usage_of() { sed -n 's/^usage: //p' <<<"$1"; }

# What can stand behind an option, from what the command says of a value that cannot:
# "invalid value '-' for --format: must be one of table, json" -> its list
values() {
	("$kvmwait" "$1" "$2" - --help 2>&1 || true) | sed -nE 's/.*: must be one of //; T; s/, /\n/g; p'
}

# "-d,--duration SEC" -> -d= and --duration=
option_words() {
	sed -nE 's/^(.*) .+$/\1= /; s/,(.*)= $/=\n\1=/; s/= $/=/; s/,/\n/; p' <<<"$1"
}
