# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For test scripts: one line a test, counts, and the closing line.

passed=0 failed=0 skipped=0
unselected='' # set in a section that is not to run

# test_that NAME COMMAND...: the test passes if the command does; else what it printed is shown.
test_that() {
	local name=$1 said
	shift
	[ -z "$unselected" ] || return 0
	if said=$("$@" 2>&1 </dev/null); then
		passed=$((passed + 1))
		printf 'ok   %s\n' "$name"
	else
		failed=$((failed + 1))
		printf 'FAIL %s\n' "$name"
		[ -z "$said" ] || printf '%s\n' "$said" | head -n 20 | sed 's/^/     /'
		return 0
	fi
}

skip_that() {
	[ -z "$unselected" ] || return 0
	skipped=$((skipped + 1))
	printf 'skip %s: %s\n' "$1" "$2"
}

progress() { if [ -t 2 ]; then printf '     %s\n' "$1" >&2; fi; }

# summary: the closing line; ends the script.
summary() {
	printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	[ "$failed" = 0 ] || exit 1
	[ "$passed" -gt 0 ] || { echo 'no test was run' >&2; exit 1; }
	exit 0
}
