# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every part of the benchmark needs: times of commands that take turns, their medians, rows of the table.

# $work: files that are made; $build: measure and generate; $rounds: how often each command is timed.
# shellcheck disable=SC2154 # tests/bench/run has them
times=$work/times
mkdir -p "$times"
# BENCH_WITH='chrt -f 1' on a machine that has other work too: each command goes first then, and the others get as long
# after it.
read -r -a before <<<"${BENCH_WITH:-}"

# timed NAME COMMAND...: runs it and keeps its time.
timed() {
	local name=$1
	shift
	# shellcheck disable=SC2154
	"$build/measure" "$times/$name" "${before[@]}" "$@" || { echo "bench: $name failed: $*" >&2; return 1; }
	[ ${#before[@]} = 0 ] || sleep "$(tail -n 1 "$times/$name" | cut -d' ' -f1)"
}

# piped NAME COMMAND...: the same for the command with a pipe as its output, whose other end cat reads.
# shellcheck disable=SC2016 # the inner shell expands it
piped() {
	local name=$1
	shift
	timed "$name" bash -c '"$@" | cat >/dev/null; exit "${PIPESTATUS[0]}"' - "$@"
}

# median NAME: the seconds that stand in the middle.
median() { cut -d' ' -f1 "$times/$1" | sort -n | awk '{ s[NR] = $1 } END { print s[int((NR + 1) / 2)] }'; }
# peak_kib NAME: the most memory of all runs.
peak_kib() { cut -d' ' -f2 "$times/$1" | sort -n | tail -n 1; }
# per_event NAME EVENTS: nanoseconds.
per_event() { calc "$(median "$1") * 1e9 / $2"; }

calc() { awk "BEGIN { printf \"%.4g\", $1 }"; }
holds() { awk "BEGIN { exit !($1) }"; }

# row WHAT FIGURE BESIDE RATIO [GOAL CONDITION]: a line of the table. The condition says whether the goal is reached.
# shellcheck disable=SC2154
row() {
	local verdict=''
	if [ -n "${5:-}" ]; then
		verdict=yes
		holds "$6" || verdict=NO
	fi
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-}" "$verdict" >>"$rows"
}

# note TEXT: something that the reader of the table has to know.
# shellcheck disable=SC2154
note() { printf '%s\n' "$1" >>"$notes"; }
