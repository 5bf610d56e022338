# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Post-processing; a part of tests/bench/run. The lines of a script to every form, beside what else can do that.
# shellcheck disable=SC2154 # work, build, rounds and kvmwait are those of tests/bench/run

events=${BENCH_EVENTS:-10000000}
long_events=$((events * 10)) # for the memory
mawk_events=$((events / 5)) jq_events=$((events / 20)) scale_events=$((events / 5)) recorded=1000000
scales='1 64 1024' # vCPUs

make_lines() {
	[ "$(tail -n 1 "$work/lines" 2>/dev/null)" = "@counted: $((events + 1))" ] || "$build/generate" "$events" >"$work/lines"
	for n in "$mawk_events" "$jq_events" $((events / 10)); do "$build/generate" "$n" >"$work/lines.$n"; done
	"$kvmwait" convert -f json "$work/lines" >"$work/json"
	"$kvmwait" convert -f json "$work/lines.$jq_events" >"$work/json.$jq_events"
	for form in ftrace csv; do "$kvmwait" convert -f "$form" "$work/lines" >"$work/$form"; done
	for n in $scales; do "$build/generate" "$scale_events" "$n" | "$kvmwait" convert -f json - >"$work/vcpus.$n"; done
}

# The rival has to do the same work, else it is none.
same_as_mawk() {
	cmp <(mawk -f "$here/ndjson.awk" "$work/lines.$jq_events" | sort) <(grep '"type":"wait"' "$work/json.$jq_events" | sort) ||
		{ echo 'bench: mawk and kvmwait do not write the same' >&2; exit 1; }
}

# with_tracefs COMMAND...: where it is not mounted, it is for this command.
# shellcheck disable=SC2016 # the inner shell expands it
with_tracefs() {
	if [ -e /sys/kernel/tracing/events ]; then "$@"; else
		unshare -m bash -c 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$@"' - "$@"
	fi
}
system_calls() { dd if=/dev/zero of=/dev/null bs=1 count=$((recorded / 2)) status=none; }
export recorded
export -f system_calls

record_perf() { with_tracefs perf record -q -c 1 -m 64M -e raw_syscalls:sys_enter -o "$work/perf.data" -- bash -c system_calls; }
# Not with 'trace-cmd record': it needs a kernel with function tracing, whatever is recorded.
# shellcheck disable=SC2016 # the inner shell expands it
record_trace_cmd() {
	with_tracefs bash -c 'set -e
		cd /sys/kernel/tracing
		size=$(cat buffer_size_kb) on=$(cat tracing_on)
		echo 131072 >buffer_size_kb
		echo >trace
		echo 1 >tracing_on
		echo 1 >events/raw_syscalls/sys_enter/enable
		system_calls
		echo 0 >events/raw_syscalls/sys_enter/enable
		trace-cmd extract -o "$1"
		echo >trace
		echo "$on" >tracing_on
		echo "${size%% *}" >buffer_size_kb' - "$work/trace.dat"
}

# recorded_with NAME COMMAND...: makes a recording and counts its events into $work/NAME.events; false where it cannot.
recorded_with() {
	local name=$1 why
	shift
	if "$@" >"$work/$name.log" 2>&1 && read_back "$name" >"$work/$name.text" 2>>"$work/$name.log"; then
		grep -c 'sys_enter' "$work/$name.text" >"$work/$name.events" && rm "$work/$name.text" && return
	fi
	why=$(tail -n 1 "$work/$name.log")
	row "$name" 'not measured here' '' ''
	note "No recording for $name could be made on this machine: ${why:-no events}."
	return 1
}
read_back() { case $1 in 'perf script') perf script -i "$work/perf.data" ;; *) trace-cmd report "$work/trace.dat" ;; esac; }

postprocess() {
	local have_perf='' have_trace_cmd='' form n
	make_lines
	same_as_mawk
	if recorded_with 'perf script' record_perf; then have_perf=yes; fi
	if recorded_with 'trace-cmd report' record_trace_cmd; then have_trace_cmd=yes; fi
	for _ in $(seq "$rounds"); do
		for form in json ftrace csv; do
			piped "floor-$form" cat "$work/$form"
			piped "$form" "$kvmwait" convert -f "$form" "$work/lines"
		done
		timed summary "$kvmwait" convert -f summary "$work/lines" >/dev/null
		piped back "$kvmwait" convert -f json "$work/json"
		timed back-summary "$kvmwait" convert -f summary "$work/json" >/dev/null
		for n in $scales; do timed "report-$n" "$kvmwait" report "$work/vcpus.$n" >/dev/null; done
		piped mawk mawk -f "$here/ndjson.awk" "$work/lines.$mawk_events"
		piped jq jq -c . "$work/json.$jq_events"
		[ -z "$have_perf" ] || piped perf perf script -i "$work/perf.data"
		[ -z "$have_trace_cmd" ] || piped trace-cmd trace-cmd report "$work/trace.dat"
	done
	for n in $((events / 10)) $long_events; do
		timed "memory-$n" bash -c 'set -o pipefail; "$0" "$1" | "$2" convert -f json - | "$2" report - >/dev/null' "$build/generate" "$n" "$kvmwait"
	done
	report_postprocess
}

# against NAME EVENTS WHAT TIMES [GOAL]: a rival, and how many times faster the NDJSON of kvmwait is.
against() {
	local ns ratio
	ns=$(per_event "$1" "$2")
	ratio=$(calc "$ns / $(per_event json "$events")")
	row "$3" "$ns ns" 'NDJSON of kvmwait' "$ratio times as long" "${4:+at least $4}" "$ratio >= ${4:-0}"
}

report_postprocess() {
	local form goal ns floor ratio short long rate
	for form in json ftrace csv; do
		ns=$(per_event "$form" "$events") floor=$(per_event "floor-$form" "$events")
		ratio=$(calc "$ns / $floor") goal=''
		[ "$form" != json ] || goal='at most 1.5'
		row "lines to $form, into a pipe" "$ns ns" "cat of the same bytes: $floor ns" "$ratio times as long" "$goal" "$ratio <= 1.5"
	done
	against mawk "$mawk_events" 'mawk: the same NDJSON, unsorted' 4
	against jq "$jq_events" 'jq -c . of the NDJSON' 25
	[ ! -e "$times/perf" ] || against perf "$(cat "$work/perf script.events")" 'perf script of a recording' 20
	[ ! -e "$times/trace-cmd" ] || against trace-cmd "$(cat "$work/trace-cmd report.events")" 'trace-cmd report of a recording'
	rate=$(calc "$events / $(median summary) / 1e6")
	row 'lines to the summary' "$(per_event summary "$events") ns" '' "$rate M events/s" 'at least 10' "$rate >= 10"
	ns=$(per_event back "$events")
	row 'NDJSON to NDJSON' "$ns ns" 'lines to NDJSON' "$(calc "$ns / $(per_event json "$events")") times as long"
	row 'NDJSON to the summary' "$(per_event back-summary "$events") ns" '' "$(calc "$events / $(median back-summary) / 1e6") M events/s"
	ns=$(per_event report-1 "$scale_events")
	for n in 64 1024; do
		ratio=$(calc "$(per_event "report-$n" "$scale_events") / $ns")
		row "report, of $n vCPUs" "$(per_event "report-$n" "$scale_events") ns" "of one: $ns ns" "$ratio times as long" 'at most 1.5' "$ratio <= 1.5"
	done
	short=$(peak_kib "memory-$((events / 10))") long=$(peak_kib "memory-$long_events")
	row "memory for $long_events lines to NDJSON and on to a report" "$long KiB" "$((events / 10)) lines: $short KiB" "$(calc "$long / $short") times as much" \
		'at most 1.1, below 32 MiB' "$long / $short <= 1.1 && $long < 32768"
	note "Times of post-processing are for one event. mawk was given $mawk_events events and jq $jq_events, the others $events;"
	note "perf script and trace-cmd report read recordings of some $recorded system calls. mawk's records were compared with ours."
}
