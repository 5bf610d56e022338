# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What can go wrong around a trace, with stand-ins for bpftrace; a part of tests/cli/run. With the real one, on real
# kernels: tests/live/scenarios/faults.sh.
# shellcheck disable=SC2154 # top, kvmwait and the captured roots are those of tests/cli/run

# shellcheck source=tests/cli/room.sh
. "$here/room.sh"
room_make "$r612"

# This one takes as long as kvmwait is patient: it runs beside all that follows, and is judged last.
stand_in haunted <<'SH'
attach; waits 1 3; wait_for_end; counted 3
setsid sh -c 'echo $$ >/tmp/haunt; exec sleep 300' &
SH
(traces haunted 0 -d 0.05) >haunted.judged 2>&1 & haunted=$!

stand_in good <<'SH'
attach; waits 1 3; wait_for_end; counted 3
SH
test_that 'a stand-in that does as bpftrace: exit 0' traces good 0 -d 0.05
test_that 'a stand-in: three events, balanced' has good '.[0].type == "meta" and (map(select(.type == "wait")) | length) == 3 and
	(.[-1] | .counted == 3 and .received == 3 and .lost == 0 and .unbalanced == 0 and .why == "the time is up")'

stand_in lists <<'SH'
cat "$BPFTRACE_AVAILABLE_FUNCTIONS_TEST" >/tmp/listed
attach; waits 1 3; wait_for_end; counted 3
SH
test_that 'bpftrace need not read all functions of the kernel: exit 0' traces lists 0 -d 0.05
listed() { sort "$room/tmp/listed" | uniq -d | cmp - /dev/null && grep -qx 'kvm_sched_yield \[kvm\]' "$room/tmp/listed" &&
	[ -z "$(grep -vxFf "$room/sys/kernel/tracing/available_filter_functions" "$room/tmp/listed")" ]; }
test_that 'bpftrace need not read all functions of the kernel: lines of its list' listed
# From 0.25 on by an option, and no longer by the environment; -c names a program that is there.
stand_in options 0.27.1 <<'SH'
env >/tmp/environment
printf '%s\n' "$@" >/tmp/arguments
cat "$(sed -n '/^--traceable-functions$/{n;p;}' /tmp/arguments)" >/tmp/listed
attach; waits 1 3; wait_for_end; counted 3
SH
rm "$room/tmp/listed"
test_that 'the list of functions for bpftrace 0.27: exit 0' traces options 0 -d 0.05
test_that 'the list of functions for bpftrace 0.27: lines of its list' listed
test_that 'the list of functions for bpftrace 0.27: not in its environment' bash -c '! grep AVAILABLE_FUNCTIONS "$1/tmp/environment"' bash "$room"
cat_is_there() { [[ $(sed -n '/^-c$/{n;p;}' "$room/tmp/arguments") == /*/cat ]]; }
test_that 'the command of bpftrace is cat, by its whole path' cat_is_there

# ---- a bpftrace that is none ----

test_that 'no bpftrace: exit 4' traces no-such 4
test_that 'no bpftrace: the next step' said no-such "bpftrace is missing: '/no-such': install the package bpftrace"
stand_in old 0.15.0 </dev/null
test_that 'bpftrace too old: exit 4' traces old 4
test_that 'bpftrace too old: says why, and which is needed' said old "'/old': version 0.15.0 cannot run BEGIN: .*; install 0.16 or later"
printf '#!/bin/sh\nprintf "\\033]0;x\\007\\033[2Jbpftrace v\\033[31m"\n' >"$room/other"
chmod +x "$room/other"
test_that 'another program: exit 4' traces other 4
test_that 'another program: what it said is printable' said other "invalid answer to --version: '.x1b]0;x"
printf '#!/bin/sh\nexec yes "bpftrace vx"\n' >"$room/endless"
chmod +x "$room/endless"
test_that 'a version without end: exit 4' traces endless 4
printf '#!/bin/sh\n[ "$1" != --version ] || { echo bpftrace v0.23.2; exit; }\nexec /dev/null\n' >"$room/no-exec"
chmod +x "$room/no-exec"
test_that 'one that ends at once: exit 1' traces no-exec 1
test_that 'one that ends at once: what it said' said no-exec 'ended before it attached its probes; it printed:'
stand_in wordy <<'SH'
echo 'stdin:1:1-2: ERROR: the cause' >&2; seq -f 'WARNING: no matter %.0f' 30 >&2; exit 1
SH
test_that 'one that ends with an error, and many warnings: exit 1' traces wordy 1
wordy() { sed -n '/the cause/,$p' wordy.said | head -n 14 | diff - <(printf '  %s\n' 'stdin:1:1-2: ERROR: the cause' ...; seq -f '  WARNING: no matter %.0f' 19 30); }
test_that 'one that ends with an error, and many warnings: the error is shown' wordy

stand_in needy <<'SH'
grep '^CapBnd:' /proc/self/status >>/tmp/needy.caps
[ "$(grep -c . /tmp/needy.caps)" != 1 ] || { echo 'ERROR: No BTF found for kvm:kvm_entry.' >&2; exit 1; }
attach; waits 1 3; wait_for_end; counted 3
SH
# One capability more is tried where root has it to give, and bpftrace was without: kernels differ, so this is read from the first start.
lacks_admin() { local bounds; bounds=$(sed -n '1s/.*:\t//p' "$room/tmp/needy.caps"); [ "$(id -u)" = 0 ] && [ $((0x$bounds >> 21 & 1)) = 0 ]; }
code=0
(traces needy 0 -d 0.05) >/dev/null || code=1
if lacks_admin; then
	test_that 'a capability is missing: bpftrace starts again, exit 0' test $code = 0
	test_that 'a capability is missing: the note' said needy '^kvmwait: bpftrace lacks a capability: it is started again with CAP_SYS_ADMIN$'
	test_that 'a capability is missing: three events, balanced' has needy '(map(select(.type == "wait")) | length) == 3 and (.[-1] | .counted == 3 and .unbalanced == 0 and .why == "the time is up")'
	gains() { local caps; mapfile -t caps < <(sed 's/.*:\t//' "$room/tmp/needy.caps"); [ ${#caps[@]} = 2 ] && [ $((0x${caps[0]} ^ 0x${caps[1]})) = $((1 << 21)) ]; }
	test_that 'a capability is missing: CAP_SYS_ADMIN and nothing else is added' gains
else
	test_that 'a capability is missing: there is none to add, exit 1' test $code = 1
fi
stand_in broken <<'SH'
echo x >>/tmp/broken.runs; echo 'stdin:1:1-2: ERROR: syntax error' >&2; exit 1
SH
test_that 'another error: exit 1' traces broken 1
test_that 'another error: bpftrace starts once' test "$(grep -c x "$room/tmp/broken.runs")" = 1

# ---- hanging ----

stand_in hanging <<'SH'
echo 'Attaching 9 probes...'; sleep 300
SH
test_that 'hanging at start: --attach-timeout ends it' traces hanging 1 --attach-timeout 0.5
test_that 'hanging at start: says so, and the last words' said hanging 'bpftrace had not attached its probes after 0.5 s; it printed:'
test_that 'hanging at start: nothing is left of it' none_left hanging
# ends_by NAME CODE SIGNAL...: it is traced, and sent the signals once FILE exists in the room.
ends_by() {
	local name=$1 want=$2 code=0 pid
	shift 2
	rm -f "$room/tmp/there"
	(in_room "$kvmwait" trace --bpftrace "/$name") >"$name.ndjson" 2>"$name.said" </dev/null & pid=$!
	until_true test -e "$room/tmp/there" || { kill -KILL "$pid"; return 1; }
	for s; do kill "-$s" "$pid"; sleep 0.1; done
	wait "$pid" || code=$?
	[ "$code" = "$want" ] || { echo "exit $code, not $want"; cat -v "$name.said"; return 1; }
}
stand_in hung <<'SH'
touch /tmp/there; sleep 300
SH
test_that 'hanging at start: one Ctrl-C ends it' ends_by hung 1 INT
test_that 'hanging at start: Ctrl-C, and says where it was' said hung 'stopped before the probes were attached'
test_that 'hanging at start: nothing is left after Ctrl-C' none_left hung
printf '#!/bin/sh\necho $$ >>/tmp/dumb.pids; touch /tmp/there; exec sleep 300\n' >"$room/dumb"
chmod +x "$room/dumb"
test_that 'hanging at --version: Ctrl-C ends it at once' ends_by dumb 130 INT
test_that 'hanging at --version: nothing is left' none_left dumb
test_that 'hanging at --version: --attach-timeout ends it' traces dumb 4 --attach-timeout 0.5
test_that 'hanging at --version: says so' said dumb "'/dumb': it does not answer --version within 0.5 s"
printf '#!/bin/sh\necho $$ >>/tmp/mute.pids; sleep 300\n' >"$room/mute"
chmod +x "$room/mute"
test_that 'hanging in a program of its own at --version: --attach-timeout ends it' traces mute 4 --attach-timeout 0.5
test_that 'hanging in a program of its own at --version: nothing is left' none_left mute
stand_in stubborn <<'SH'
trap '' INT TERM
attach; waits 1 3; touch /tmp/there; sleep 300
SH
test_that 'hanging at the end: a second Ctrl-C kills it' ends_by stubborn 5 INT INT
test_that 'hanging at the end: the count is not known' has stubborn '.[-1] | .why == "interrupted" and .bpftrace_status == 137 and .received == 3 and .counted == null'
test_that 'hanging at the end: nothing is left' none_left stubborn
stand_in ending <<'SH'
attach; waits 1 3; touch /tmp/there; wait_for_end; counted 3
SH
for signal in INT TERM HUP; do
	test_that "SIG$signal ends a trace in order" ends_by ending 0 $signal
	test_that "SIG$signal: balanced" has ending "(map(select(.type == \"wait\")) | length) == 3 and
		(.[-1] | .counted == 3 and .received == 3 and .why == \"$([ $signal = INT ] && echo interrupted || echo terminated)\")"
done
test_that 'SIGKILL of kvmwait' ends_by ending 137 KILL
test_that 'SIGKILL of kvmwait: no bpftrace is left' none_left ending
terminal() { timeout 20 script -qec "unshare ${as_user[*]} -m sh '$work/enter' '$room' '$top' '$kvmwait' $1" /dev/null >terminal 2>&1 </dev/null || true; grep -q "$2" terminal || { cat -v terminal; return 1; }; }
test_that 'on a terminal: how long it has been attaching' terminal 'trace --bpftrace /hanging --attach-timeout 2.5' 'kvmwait: attaching, 2 s'

# ---- what it prints ----

stand_in garbage <<'SH'
head -c 100000 /dev/zero | tr '\0' '\33'; printf '\n\033[2J\033]0;owned\007 attach failed\n\377\200\n' | tee /dev/stderr; exit 1
SH
test_that 'garbage: exit 1' traces garbage 1
test_that 'garbage: what is shown of it is printable' said garbage '\\x1b\[2J\\x1b\]0;owned\\x07 attach failed'
stand_in chatty <<'SH'
attach; waits 1 3; printf '\033[31mWARNING\033[0m\n' >&2; printf 'on \233stdout\n'; wait_for_end; counted 3
SH
test_that '-v: exit 0' traces chatty 0 -d 0.05 -v
test_that '-v: what bpftrace says is printable' said chatty 'bpftrace: .x1b\[31mWARNING'
stand_in forged <<'SH'
attach; waits 1 3; { waits 4 9; counted 99; echo kvmwait-ready; } >&2; echo kvmwait-ready; wait_for_end; counted 3
SH
test_that 'lines like a script'\''s on standard error: exit 0' traces forged 0 -d 0.05
test_that 'lines like a script'\''s on standard error: no events' has forged '(map(select(.type == "meta")) | length) == 1 and
	(.[-1] | .counted == 3 and .received == 3 and .malformed == 0)'
stand_in half <<'SH'
attach; waits 1 3; printf 'w 4000 0 4711 4712 0 hlt kv'; exit 0
SH
test_that 'half a line: exit 5' traces half 5
test_that 'half a line: told, the whole ones are there' has half '.[-1] | .received == 3 and .malformed == 1 and .counted == null'
stand_in halved <<'SH'
attach; waits 1 3; printf 'w 4000 0 4711 4712 0 hlt kv\n'; wait_for_end; counted 4
SH
test_that 'a line that lacks its end: exit 5' traces halved 5 -d 0.05
test_that 'a line that lacks its end: told' has halved '.[-1] | .received == 3 and .malformed == 1 and .counted == 4 and .lost == 0 and .unbalanced == 1'
stand_in wide <<'SH'
attach; waits 1 2; head -c 100000000 /dev/zero | tr '\0' x; echo; waits 3 3; wait_for_end; counted 3
SH
bounded() { (ulimit -v 400000; traces "$@"); }
[ -n "${ASAN_OPTIONS:-}" ] && bounded() { traces "$@"; } # which reserves terabytes
test_that '100 MB without a newline: exit 0 in bounded memory' bounded wide 0 -d 0.05
test_that '100 MB without a newline: what follows is read' has wide '.[-1] | .received == 3 and .counted == 3 and .malformed == 0'
stand_in wide-wait <<'SH'
attach; printf 'w '; head -c 10000000 /dev/zero | tr '\0' 1; echo; waits 3 3; wait_for_end; counted 2
SH
test_that 'an event of 10 MB: exit 5' traces wide-wait 5 -d 0.05
test_that 'an event of 10 MB: one line malformed' has wide-wait '.[-1] | .received == 1 and .malformed == 1'

# ---- the balance ----

stand_in uncounted <<'SH'
attach; waits 1 3; exit 0
SH
test_that 'ends without a count: exit 5' traces uncounted 5
test_that 'ends without a count: says that it is not known' said uncounted "count is not known .bpftrace ended; bpftrace ended with 0."
test_that 'ends without a count: nor does the record claim it' has uncounted '.[-1] | .received == 3 and .counted == null and .why == "bpftrace ended"'
stand_in killed <<'SH'
attach; waits 1 3; kill -KILL $$
SH
test_that 'killed in mid-stream: exit 5' traces killed 5
test_that 'killed in mid-stream: the record says so' has killed '.[-1] | .received == 3 and .counted == null and .why == "bpftrace was killed" and .bpftrace_status == 137'
stand_in short <<'SH'
attach; waits 1 3; wait_for_end; counted 10
SH
test_that 'more counted than came: lost, exit 0' traces short 0 -d 0.05
test_that 'more counted than came: to the event' has short '.[-1] | .received == 3 and .counted == 10 and .lost == 7 and .unreported == 7'
stand_in long <<'SH'
attach; waits 1 3; wait_for_end; counted 2
SH
test_that 'more came than counted: exit 5' traces long 5 -d 0.05
test_that 'more came than counted: by how much' has long '.[-1] | .received == 3 and .counted == 2 and .unbalanced == -1'
stand_in many <<'SH'
attach
awk 'BEGIN { for (i = 0; i < 20480; i++) printf "w %d000 %d %d %d %d hlt kvm -1 43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00\n",
	i + 1, i % 64, 5000 + int(i % 1024 / 64), 10000 + i % 1024, i % 64 }'
wait_for_end; counted 20480
SH
test_that '1,024 threads: exit 0' traces many 0 -d 0.05
test_that '1,024 threads: 20 events of each' has many '[.[] | select(.type == "wait") | [.pid, .tid, .vcpu]] | length == 20480 and (group_by(.) | length == 1024 and all(length == 20))'
# eight hours of sleep, a year, and back to where it was
stand_in asleep <<'SH'
attach; waits 1 3; waits 28800000001 28800000003; waits 31536000000001 31536000000003; wait_for_end; counted 9
SH
test_that 'gaps as of a suspended host: exit 0' traces asleep 0 -d 0.05
test_that 'gaps as of a suspended host: all there, in order' has asleep '[.[] | select(.type == "wait") | .ts] ==
	[1000, 2000, 3000, 28800000001000, 28800000002000, 28800000003000, 31536000000001000, 31536000000002000, 31536000000003000] and (.[-1] | .late == 0 and .counted == .received)'
stand_in backwards <<'SH'
attach; waits 28800000001 28800000003; sleep 1; waits 1 3; wait_for_end; counted 6
SH
test_that 'events that come too late: exit 0' traces backwards 0 -d 0.05
test_that 'events that come too late: told, none is dropped' has backwards '(map(select(.type == "wait")) | length) == 6 and (.[-1] | .late == 3 and .counted == .received)'

# ---- where it is written to ----

stand_in flood <<'SH'
attach; waits 1 20000; wait_for_end; counted 20000
SH
test_that 'a full device: exit 1' traces flood 1 -d 0.05 -o /dev/full
test_that 'a full device: named' said flood "'/dev/full': No space left on device; it ends early"
# ends_early NAME: what was written is whole lines of the stream from its start; the last one may be cut.
ends_early() {
	local n code=0
	n=$(jq -R 'fromjson? | select(.type == "wait") | .ts' "$1" | wc -l)
	[ "$n" -gt 100 ] && [ "$n" -lt 20000 ] || { echo "$n events"; return 1; }
	"$kvmwait" convert -f csv "$1" >cut.csv 2>cut.said || code=$?
	case $code in 1) grep -q 'cut short' cut.said || return 1 ;; 5) ;; *) echo "exit $code"; return 1 ;; esac
	[ "$(grep -c ',hlt,' cut.csv)" = "$n" ] && [ "$(sed -n 2p cut.csv | cut -d, -f1)" = 1000 ] || { head -n 3 cut.csv; return 1; }
}
limited() { (ulimit -f 64; traces "$@"); }
test_that 'a limit of file size: exit 1' limited flood 1 -d 0.05 -o /tmp/limited
test_that 'a limit of file size: named' said flood "'/tmp/limited': File too large; it ends early"
test_that 'a limit of file size: what was written is readable' ends_early "$room/tmp/limited"
test_that 'a limit of file size: no bpftrace is left' none_left flood
full() {
	(in_room sh -c '"$1" trace --bpftrace /flood -d 0.05 -o /small/full & ln -s "../real/$!" "/proc/$!"; wait $!; code=$?; cat /small/full; exit $code' sh "$kvmwait") >full.ndjson 2>flood.said </dev/null || [ $? = 1 ]
}
test_that 'a full disk: exit 1' env small_size=64k bash -c "$(declare -f full in_room); $(declare -p work room top kvmwait as_user); full"
test_that 'a full disk: named' said flood "'/small/full': No space left on device; it ends early"
test_that 'a full disk: what was written is readable' ends_early full.ndjson
for fds in '>&-' '<&- >&- 2>&-'; do
	test_that "-o with $fds: exit 0" bash -c "$(declare -f in_room); $(declare -p work room top kvmwait as_user); (in_room \"\$kvmwait\" trace --bpftrace /good -d 0.05 -o /tmp/closed) $fds"
	test_that "-o with $fds: nothing but records in the file" jq -e -s '.[0].type == "meta" and (.[-1] | .received == 3 and .counted == 3)' "$room/tmp/closed"
done
test_that 'standard output closed: exit 1' bash -c "$(declare -f in_room); $(declare -p work room top kvmwait as_user); (in_room \"\$kvmwait\" trace --bpftrace /good -d 0.05) >&- 2>good.said; [ \$? = 1 ]"
test_that 'standard output closed: named' said good "'standard output': Bad file descriptor"
reads_one() { rm -f code; { (within=(timeout 20); in_room "$kvmwait" trace --bpftrace /flood) 2>head.said </dev/null; echo $? >code; } | head -n 1 >/dev/null; [ "$(cat code)" = 0 ] && [ ! -s head.said ] || { cat code head.said; return 1; }; }
test_that '| head: ends quietly' reads_one
test_that '| head: no bpftrace is left' none_left flood

# ---- the host ----

# as in sysfs, each time the directory is another
load() { mkdir -p "$room/sys/module/new"; rm -rf "$room/sys/module/kvm"; mv "$room/sys/module/new" "$room/sys/module/kvm"; printf 'kvm 1 1 kvm_amd, Live 0x0\nkvm_amd 1 0 - %s 0x0\n' "${1:-Live}" >"$room/proc/modules.new"; mv "$room/proc/modules.new" "$room/proc/modules"; }
unload() { : >"$room/proc/modules"; [ ! -e "$room/sys/module/kvm" ] || mv -T "$room/sys/module/kvm" "$room/sys/old"; }
load
stand_in unloading <<'SH'
attach; waits 1 3; touch /tmp/there; wait_for_end; counted 3
SH
unloaded_while() {
	local code=0 pid
	rm -f "$room/tmp/there"
	(in_room "$kvmwait" trace --bpftrace /unloading -d 30) >unloading.ndjson 2>unloading.said </dev/null & pid=$!
	until_true test -e "$room/tmp/there"
	unload
	[ "$1" = gone ] || load
	rm -rf "$room/sys/old"
	wait "$pid" || code=$?
	[ "$code" = 1 ] || { echo "exit $code"; cat unloading.said; return 1; }
}
for how in gone again; do
	load
	test_that "KVM unloaded during a trace ($how): exit 1" unloaded_while $how
	test_that "KVM unloaded during a trace ($how): says so" said unloading 'was unloaded, and its probes with it'
	test_that "KVM unloaded during a trace ($how): balanced so far" has unloading '.[-1] | .received == 3 and .counted == 3 and .why == "the module was unloaded"'
done
for fact in proc/kallsyms sys/kernel/tracing sys/kernel/btf; do cp -r "$room/$fact" "$room/tmp/${fact##*/}"; done
no_kvm() {
	unload
	rm -rf "$room/sys/old"
	sed -i '/\[kvm/d' "$room/proc/kallsyms" "$room/sys/kernel/tracing/available_filter_functions"
	rm -rf "$room/sys/kernel/btf/kvm" "$room/sys/kernel/tracing/events/kvm"
}
kvm_comes() {
	for fact in proc/kallsyms sys/kernel/tracing sys/kernel/btf; do rm -r "${room:?}/$fact"; cp -r "$room/tmp/${fact##*/}" "$room/$fact"; done
	load Loading
	sleep 0.5 # still at it
	[ ! -s good.ndjson ] || return 1
	load
}
no_kvm
test_that 'KVM not loaded: exit 4' traces good 4 -d 0.05
test_that 'KVM not loaded: the next step' said good 'KVM is not loaded: load kvm_amd or kvm_intel with modprobe, or wait for it with --wait'
waits_for_kvm() {
	local pid
	rm -f good.ndjson good.said
	(in_room "$kvmwait" "$@" --wait --bpftrace /good -d 0.05) >good.ndjson 2>good.said </dev/null & pid=$!
	until_true grep -q waiting good.said && kvm_comes || { kill "$pid"; return 1; }
	wait "$pid" || { echo "exit $?"; cat good.said; return 1; }
}
test_that '--wait waits for KVM' waits_for_kvm trace
test_that '--wait: says what for' said good '^kvmwait: kvm_amd or kvm_intel is not loaded: waiting for it$'
test_that '--wait: then it traces' has good '.[0].vendor == "svm" and .[-1].counted == 3'
test_that '--wait where KVM is loaded: no wait' traces good 0 -d 0.05 --wait
test_that '--wait where KVM is loaded: no word' test ! -s good.said
no_kvm
for command in trace stat blame; do
	stopped_waiting() {
		local code=0 pid
		rm -f good.said
		(in_room "$kvmwait" $command --wait --bpftrace /good) >good.ndjson 2>good.said </dev/null & pid=$!
		until_true grep -q waiting good.said
		kill -INT "$pid"
		wait "$pid" || code=$?
		[ "$code" = 1 ] && said good 'stopped while it waited for kvm_amd or kvm_intel'
	}
	test_that "$command --wait: Ctrl-C ends it" stopped_waiting
done
kvm_comes 2>/dev/null || load
rm -rf "$room/sys/kernel/tracing"
test_that 'tracefs not mounted: exit 3' traces good 3
test_that 'tracefs not mounted: says so' said good 'x86-5.17.bt +.*tracefs is not mounted'
check_says() { (in_room "$kvmwait" check --bpftrace /good) >check.txt 2>&1 || true; grep -A1 -E "$1" check.txt | grep -q -- "-> $2" || { cat check.txt; return 1; }; }
test_that 'tracefs not mounted: check has the next step' check_says '^BAD +tracefs' 'mount -t tracefs'
cp -r "$room/tmp/tracing" "$room/sys/kernel/tracing"
rm -rf "$room/sys/kernel/btf"
test_that 'BTF missing: tracepoints, and meta says inferred' traces good 0 -d 0.05
test_that 'BTF missing: nothing is called exact' has good '.[0] | .script == "x86-tracepoint.bt" and ([.probes[].fidelity] | index("exact") | not) and ([.probes[].fidelity] | index("inferred"))'
test_that 'BTF missing: check has the next step' check_says '^BAD +BTF' 'boot a kernel with CONFIG_DEBUG_INFO_BTF'
cp -r "$room/tmp/btf" "$room/sys/kernel/btf"
mkdir -p "$room/sys/kernel/security"
echo 'none integrity [confidentiality]' >"$room/sys/kernel/security/lockdown"
test_that 'lockdown: exit 4' traces good 4
test_that 'lockdown: the next step' said good 'locked down .confidentiality., .*: boot it without lockdown=confidentiality'
echo 'none [integrity] confidentiality' >"$room/sys/kernel/security/lockdown"
test_that 'lockdown for integrity is none of ours' traces good 0 -d 0.05
rm -r "$room/sys/kernel/security"
echo 2 >"$room/proc/sys/kernel/kptr_restrict"
test_that 'kptr_restrict 2: no address is asked for' traces good 0 -d 0.05
test_that 'kptr_restrict 2, --callers: exit 4' traces good 4 -d 0.05 --callers
test_that 'kptr_restrict 2, --callers: the next step' said good 'hides its addresses from root too, and --callers needs them: .*sysctl kernel.kptr_restrict=1'
cp "$room/proc/modules" modules
sed -i '/^kvm_amd /d' "$room/proc/modules"
test_that 'kptr_restrict 2, the vendor unknown: no address is asked for' traces good 0 -d 0.05
cp modules "$room/proc/modules"
# switch FILE VALUE CASE PATTERN: with this value in a file of the kernel nothing is traced, and check says so.
switch() {
	local file=$room$1 before=''
	mkdir -p "${file%/*}"
	if [ -e "$file" ]; then before=$(cat "$file"); fi
	printf '%b\n' "$2" >"$file"
	test_that "$3: exit 4" traces good 4 -d 0.05
	test_that "$3: the reason and the next step" said good "$4"
	test_that "$3: check finds it" finds "$4"
	if [ -n "$before" ]; then echo "$before" >"$file"; else rm "$file"; fi
}
finds() { local code=0; (in_room "$kvmwait" check --bpftrace /good --json) >check.json 2>/dev/null || code=$?
	[ $code != 0 ] && jq -e --arg re "$1" '.able == false and any(.findings[]; .level == "BAD" and (.text + ": " + (.next // "") | test($re)))' check.json >/dev/null || { jq -c .findings[] check.json; return 1; }; }
switch /proc/sys/kernel/ftrace_enabled 0 'ftrace is off' 'kernel.ftrace_enabled is 0.: probes on functions attach, and never fire: sysctl kernel.ftrace_enabled=1$'
switch /sys/kernel/debug/kprobes/enabled 0 'kprobes are off' 'kprobes/enabled. is 0.: probes on functions attach, and never fire: echo 1 >/sys/kernel/debug/kprobes/enabled$'
switch /sys/kernel/debug/kprobes/blacklist '0x1-0x2\tother\n0x3-0x4\tkvm_vcpu_on_spin' 'a function on the blacklist' "forbids probes on 'kvm_vcpu_on_spin' .*: boot a kernel that allows it$"
mkdir -p "$room/sys/kernel/livepatch/fix/kvm/kvm_sched_yield,1"
switch /sys/kernel/livepatch/fix/enabled 1 'a live patch' "live patch 'fix' replaces 'kvm_sched_yield': .*: echo 0 >/sys/kernel/livepatch/fix/enabled, for the time of the trace$"
echo 0 >"$room/sys/kernel/livepatch/fix/enabled"
echo 1 >"$room/proc/sys/kernel/ftrace_enabled"
echo 1 >"$room/sys/kernel/debug/kprobes/enabled"
printf '0x1-0x2\tother\n' >"$room/sys/kernel/debug/kprobes/blacklist"
test_that 'switches that are on, a live patch that is off: none of ours' traces good 0 -d 0.05
rm -r "$room/sys/kernel/livepatch" "$room/sys/kernel/debug" "$room/proc/sys/kernel/ftrace_enabled"
echo 1 >"$room/proc/sys/kernel/kptr_restrict"
test_that 'kptr_restrict 1 is none of ours' traces good 0 -d 0.05
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$room/tmp/run" && cp "$kvmwait" "$room/tmp/run/kvmwait" && chmod -R a+rX "$room"
	nobody() { (in_room setpriv --reuid 65534 --clear-groups env KVMWAIT_SCRIPTS=/tmp/scripts /tmp/run/kvmwait trace --bpftrace /good -d 0.05) >good.ndjson 2>good.said; [ $? = 4 ]; }
	cp -r "$KVMWAIT_SCRIPTS" "$room/tmp/scripts"
	chmod -R a+rX "$room/tmp/scripts"
	test_that 'without privilege: exit 4' nobody
	test_that 'without privilege: the next step' said good 'attaching probes needs root: run it with sudo'
fi

# ---- the one that was begun with ----

haunted_ends() { [ "$haunted_code" = 0 ] || { cat haunted.judged; return 1; }; }
haunted_code=0
wait "$haunted" || haunted_code=$?
kill "$(cat "$room/tmp/haunt")"
test_that 'somebody else holds the pipes of bpftrace: exit 0' haunted_ends
test_that 'somebody else holds the pipes of bpftrace: balanced' has haunted '.[-1] | .counted == 3 and .received == 3'
