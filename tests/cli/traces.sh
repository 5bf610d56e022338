# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Traces of other tools, and kvmwait's own ftrace and csv, read back; a part of tests/cli/run.
# The traces of tests/cli/input/traces are of one kvmwait-guest on Linux 6.12 (AMD, emulated), without symbols and the formats of
# tracepoints that do not matter: trace-cmd 3.1 with -C boot, cat trace with record-tgid, trace-cmd report, perf script 6.1.
# shellcheck disable=SC2154 # top, kvmwait and here are those of tests/cli/run

mkdir -p traces
traces=$here/input/traces
zstd -dqf "$traces/trace-v6.dat.zst" -o traces/v6.dat
trace-cmd convert -i traces/v6.dat -o traces/v7.dat --file-version 7 --compression zstd >traces/v7.log 2>&1 || rm -f traces/v7.dat

# rows FILE [QUERY]: [tid, vcpu, event, source, target, count] of the waits in NDJSON.
rows() { jq -c -s '[.[] | select(.type == "wait") | [.tid, .vcpu, .event, .source, .target]] | group_by(.) | map(.[0] + [length])[]' "$1"; }
did() { jq -c '[.did[] | [.tid, .vcpu, .event, .source, .target, .count]] | sort[]' "$traces/trace.guest.json"; }
counts_are_the_guests() {
	"$kvmwait" convert -f json "$1" >"$1.ndjson" 2>traces/said && diff <(did) <(rows "$1.ndjson") && [ "$(did | wc -l)" = 10 ]
}
valid_converted() {
	"$kvmwait" trace --schema | jq '{"$schema": ."$schema", type: "array", items: del(."$schema")}' >traces/schema
	jq -s . "$1" >traces/array
	/usr/bin/jsonschema -i traces/array traces/schema
}
test_that 'trace.dat, format 6: each wait of the guest' counts_are_the_guests traces/v6.dat
test_that 'trace.dat, format 7, compressed: each wait of the guest' counts_are_the_guests traces/v7.dat
test_that 'trace.dat: both formats give the same' bash -c 'cmp traces/v6.dat.ndjson traces/v7.dat.ndjson'
test_that 'trace.dat: nothing is exact' jq -e -s '.[0] | .type == "meta" and .input.format == "trace.dat" and .input.clock == "boot" and
	([.probes[].fidelity] | unique == ["absent", "inferred"]) and .kernel == "6.12.118+deb13-cloud-amd64" and .arch == "x86_64"' traces/v6.dat.ndjson
test_that 'trace.dat: each wait has an outcome, each HLT was waited for' jq -e -s '[.[] | select(.type == "outcome")] | length == 40 and all(.end != "unseen") and
	([.[] | select(.event == "hlt")] | length == 10 and all(.halt == "blocked" and .ns >= .off_ns and .off_ns > 0))' traces/v6.dat.ndjson
test_that 'trace.dat: fits the JSON Schema' valid_converted traces/v6.dat.ndjson
test_that 'trace.dat: report' bash -c '"$kvmwait" report --by vcpu,event --json traces/v6.dat 2>traces/said | jq -e ".files[0] | .balance.problems == [] and ([.total.rows[].waits] | add == 40)"'
test_that 'trace.dat: what it cannot tell is said once' bash -c '"$kvmwait" convert -f csv traces/v6.dat 2>&1 >traces/csv | grep -c "does not name processes" | grep -qx 1'
test_that 'trace.dat: converted records are reported without a problem' "$kvmwait" report traces/v6.dat.ndjson
test_that 'trace.dat that is compressed as a whole' says 'has to be decompressed first' 1 "$kvmwait" convert "$traces/trace-v6.dat.zst"
test_that 'trace.dat from a pipe' bash -c 'cat traces/v6.dat | "$kvmwait" convert - 2>traces/said; [ $? = 1 ] && grep -q "cannot be read from a pipe: name the file" traces/said'
test_that 'trace.dat as standard input' bash -c '"$kvmwait" convert -f json - <traces/v6.dat 2>traces/said | cmp - traces/v6.dat.ndjson'
test_that 'trace.dat: a list that is missing' bash -c 'mkdir -p traces/none; KVMWAIT_SCRIPTS=traces/none "$kvmwait" convert traces/v6.dat 2>traces/said; [ $? = 1 ] && grep -q "cannot read .traces/none/tracepoints.list" traces/said'
# Wherever it is cut, an error says so.
cut_dat() {
	local size at
	size=$(stat -c %s "$1")
	for at in $(seq 997 "$3" "$((size - 99))"); do
		head -c "$at" "$1" >traces/cut.dat
		says "$2" 1 "$kvmwait" convert -f json traces/cut.dat || { echo "at $at"; return 1; }
	done
}
test_that 'trace.dat, format 6, cut short' cut_dat traces/v6.dat 'libtracecmd (cannot|crashed)|its reader ended' 4999
test_that 'trace.dat, format 7, cut short' cut_dat traces/v7.dat 'libtracecmd (cannot|crashed)|its reader ended' 1999
# damaged SEED: some bytes are others. kvmwait itself lives.
damaged() {
	local code=0
	python3 - "$1" <<-'PY'
		import random, sys
		random.seed(int(sys.argv[1]))
		data = bytearray(open('traces/v6.dat', 'rb').read())
		for _ in range(7):
			data[random.randrange(10, 25000)] = random.randrange(256)
		open('traces/damaged.dat', 'wb').write(data)
	PY
	timeout 60 "$kvmwait" convert -f json traces/damaged.dat >traces/out 2>traces/said || code=$?
	case $code in
	0 | 5) ;;
	1) grep -q . traces/said ;;
	*) echo "exit $code"; return 1 ;;
	esac
}
damages() { local seed; for seed in $(seq 23); do damaged "$seed" || { echo "seed $seed"; return 1; }; done; }
test_that 'trace.dat with damages: kvmwait lives' damages

# exits FILE: [tid, vcpu, count] of lines with such an exit, by another reader.
exits_in() {
	sed -nE "s|^ *CPU [01]/KVM[- ] *([0-9]+).*kvm_exit: +vcpu ([0-9]+) reason $2 rip.*|[\\1,\\2]|p" "$1" | sort | uniq -c | awk '{ print $2, $1 }'
}
text_is_counted() {
	local pair
	"$kvmwait" convert -f json "$traces/$1.text" >"traces/$1.ndjson" 2>traces/said || { cat traces/said; return 1; }
	for pair in hlt:hlt pause:ple; do
		diff <(exits_in "$traces/$1.text" "${pair%:*}") <(jq -c "select(.type == \"wait\" and .event == \"${pair#*:}\") | [.tid, .vcpu]" "traces/$1.ndjson" |
			sort | uniq -c | awk '{ print $2, $1 }') || return 1
	done
	[ "$(exits_in "$traces/$1.text" pause | wc -l)" -ge 1 ] && valid_converted "traces/$1.ndjson"
}
for f in tracefs report perf; do test_that "$f: the exits that another reader finds" text_is_counted $f; done
test_that 'tracefs: processes where they were recorded' jq -e -s '[.[] | select(.type == "wait")] | length > 9 and all(.pid > 0 and .vm == (.pid | tostring))' traces/tracefs.ndjson
test_that 'perf: threads where processes are not known' jq -e -s '[.[] | select(.type == "wait")] | length > 9 and all(.pid == 0 and .vm == "thread \(.tid)")' traces/perf.ndjson
test_that 'a trace through a pipe' bash -c 'cat "$0/perf.text" | "$kvmwait" convert -f json - 2>traces/said | cmp - traces/perf.ndjson' "$traces"
test_that 'a trace that is compressed' bash -c 'zstd -qc "$0/perf.text" >traces/perf.zst; "$kvmwait" convert -f json traces/perf.zst 2>traces/said | cmp - traces/perf.ndjson' "$traces"

# lines TEXT: as a file.
lines() { printf '%b' "$1" >traces/lines; }
# gives TEXT EXIT JQ: what comes of lines.
gives() {
	local code=0
	lines "$1"
	"$kvmwait" convert -f json traces/lines >traces/out 2>traces/said || code=$?
	[ "$code" = "$2" ] || { echo "exit $code"; cat traces/said; return 1; }
	jq -e -s "$3" traces/out >/dev/null || { cat traces/out; return 1; }
}
exit_of() { printf ' %s %s [000] %s: kvm:kvm_exit: vcpu %s reason %s rip 0x8067 info1 0x0\\n' "$@"; }
test_that 'SVM by libtraceevent, VMX by the kernel' gives "$(exit_of 'CPU 0/KVM' 7 1.000001 0 EXIT_HLT)$(exit_of 'CPU 0/KVM' 7 1.000002 0 PAUSE_INSTRUCTION)" 0 \
	'[.[] | select(.type == "wait") | [.event, .source]] == [["hlt", "kvm"], ["ple", "vmx"]]'
test_that 'fields that perf cannot print' gives ' qemu 7 [000] 1.000001: kvm:kvm_exit: [FAILED TO PARSE] exit_reason=119 guest_rip=0x1 isa=2 vcpu_id=3\n' 0 \
	'[.[] | select(.type == "wait") | [.event, .source, .vcpu]] == [["ple", "svm", 3]]'
test_that 'nanoseconds, pid/tid' gives ' CPU 0/KVM 5/7 [012] 1.000000001: kvm:kvm_exit: vcpu 0 reason hlt rip 0x1\n' 0 \
	'[.[] | select(.type == "wait") | [.ts, .cpu, .pid, .tid, .vm]] == [[1000000001, 12, 5, 7, "5"]]'
test_that 'without vCPU: that of an entry on the thread' gives ' a-7 [000] 1.000001: kvm_exit: reason hlt rip 0x1\n a-7 [000] 1.000002: kvm_entry: vcpu 6\n' 0 \
	'[.[] | select(.type == "wait") | [.vcpu, .tid]] == [[6, 7]]'
test_that 'without vCPU: that of the name' gives ' CPU 5/KVM-7 [000] d..1. 1.000001: kvm_wfx_arm64: Guest executed wfe at: 0x80\n' 0 \
	'[.[] | select(.type == "wait") | [.event, .source, .vcpu]] == [["ple", "wfe", 5]]'
test_that 'without vCPU: left out and said' gives ' qemu-7 [000] d..1. 1.000001: kvm_wfx_arm64: Guest executed wfi at: 0x80\n' 5 'all(.type != "wait")'
test_that 'without vCPU: how many' grep -q '1 waits are left out' traces/said
test_that 'a target of 64 bits' gives ' CPU 0/KVM-7 [000] 1.000001: kvm_hypercall: nr 0xb a0 0x8000000000000000 a1 0x0\n' 0 'any(.type == "wait" and .event == "pv_yield")'
test_that 'a target of 64 bits is exact' grep -q '"target":-9223372036854775808}' traces/out
test_that 'KICK_CPU is no yield' gives ' CPU 0/KVM-7 [000] 1.000001: kvm_hypercall: nr 0x5 a0 0x0 a1 0x0\n' 0 'all(.type != "wait")'
test_that 'Xen: from user mode, and a poll, are no yield' gives ' CPU 0/KVM-7 [000] 1.000001: kvm_xen_hypercall: cpl 3 nr 0x1d a0 0x0 a1\n CPU 0/KVM-7 [000] 1.000002: kvm_xen_hypercall: cpl 0 nr 0x1d a0 0x3 a1\n' 0 'all(.type != "wait")'
test_that 'a name that forges a frame' gives "$(exit_of 'a-1 [0] 1.0: b:' 7 1.000001 0 hlt)" 0 '[.[] | select(.type == "wait") | [.comm, .tid]] == [["a-1 [0] 1.0: b:", 7]]'
test_that 'a name with an escape' gives "$(exit_of 'a\033[31m' 7 1.000001 0 hlt)" 0 '[.[] | select(.type == "wait").comm] == ["a\\x1b[31m"]'
switch=' x-1 [000] 1.000002: sched_switch: prev_comm=a prev_pid=9 b prev_pid=7 prev_prio=120 prev_state=S ==> next_comm= next_pid=7 c next_pid=9 next_prio=120\n'
test_that 'a name that forges a switch' gives "$(exit_of a 7 1.000001 0 hlt)$switch a-7 [000] 1.000005: kvm_entry: vcpu 0, rip 0x1\n" 0 \
	'[.[] | select(.type == "outcome") | [.ns, .off_ns]] == [[4000, 0]]'
test_that 'a cut line of a known tracepoint' gives "$(exit_of a 7 1.000001 0 hlt) a-7 [000] 1.0000\n a-7 [00 kvm_exit: vcpu 0\n" 1 '[.[] | select(.type == "wait")] | length == 1'
test_that 'a cut line of a known tracepoint is named' grep -q 'line 3: it names a tracepoint but has not the form' traces/said
test_that 'a known tracepoint with an unknown text' gives "$(exit_of a 7 1.000001 0 hlt) a-7 [000] 1.000002: kvm_exit: something else\n" 1 '.[-1].malformed == 1'
test_that 'the last line is cut' gives "$(exit_of a 7 1.000001 0 hlt) a-7 [000] 1.000002: kvm_exit: vcpu 0 reas" 1 '.[-1].malformed == 1'
test_that 'a clock that is a counter' gives ' a-7 [000] 12345678: kvm_exit: vcpu 0 reason hlt rip 0x1\n' 1 '.[-1].malformed == 1'
test_that 'a clock that is a counter is named' grep -q 'the clock is a counter' traces/said
test_that 'lost events' gives "# entries-in-buffer/entries-written: 1/30   #P:1\n$(exit_of a 7 1.000001 0 hlt)CPU:1 [LOST 13 EVENTS]\n" 5 '.[-1].lost == 42'
test_that 'lost events: said' grep -q 'the tracer lost 42 events' traces/said
test_that 'lost events: report' says 'the tracer lost 42 events' 5 "$kvmwait" report traces/lines
lost_of_perf=' ld-linux-x86-64     321 [000]    67.745880: PERF_RECORD_LOST lost 36\n'
test_that 'lost events of perf' gives "$(exit_of a 7 1.000001 0 hlt)$lost_of_perf$lost_of_perf" 5 '.[-1].lost == 72 and ([.[] | select(.type == "wait")] | length == 1)'
test_that 'lost events of perf: a name is none' gives "$(exit_of 'PERF_RECORD_LOS' 7 1.000001 0 hlt)" 0 '.[-1].lost == 0'
test_that 'lost events of perf: a text is none' gives " a 7 [000] 1.000001: kvm:kvm_exit: vcpu 0 reason hlt rip 0x1: PERF_RECORD_LOST lost 36\\n" 0 '.[-1].lost == 0'
test_that 'lost events of perf: what it does not tell' jq -e -s 'any(.[0].input.notes[]; test("show-lost-events"))' traces/out
test_that 'lost events, not how many' gives "$(exit_of a 7 1.000001 0 hlt)CPU:1 [EVENTS DROPPED]\n" 5 '.[-1].lost == 0'
test_that 'no outcomes without an entry' gives "$(exit_of a 7 1.000001 0 hlt)" 0 'all(.type != "outcome") and any(.[0].input.notes[]; test("there are no outcomes"))'

# kvmwait's own
same_csv() { "$kvmwait" convert -f csv "$here/input/some.wire" >traces/own.csv && "$kvmwait" convert -f csv traces/own.csv 2>traces/said | cmp - traces/own.csv; }
test_that 'csv is read back' same_csv
same_ftrace() { "$kvmwait" convert -f ftrace "$here/input/some.wire" >traces/own.ftrace && "$kvmwait" convert -f ftrace traces/own.ftrace 2>traces/said | cmp - traces/own.ftrace; }
test_that 'ftrace is read back' same_ftrace
printf '{"type":"wait","ts":9007199254740993,"cpu":1,"pid":7,"tid":8,"comm":"=a,\\"b\\\\x1b","vm":"v\\"1","vcpu":2,"event":"ple","source":"vmx","target":-9223372036854775808}\n' >traces/odd.ndjson
test_that 'csv and ftrace: odd names, large numbers' bash -c '"$kvmwait" convert -f csv traces/odd.ndjson >traces/odd.csv 2>/dev/null; "$kvmwait" convert -f json traces/odd.csv 2>/dev/null | sed -n 2p | cmp - traces/odd.ndjson'
odd_ftrace() { "$kvmwait" convert -f ftrace traces/odd.ndjson >traces/odd.ftrace 2>/dev/null; "$kvmwait" convert -f json traces/odd.ftrace 2>traces/said | grep -F '"comm":"=a,\"b\\x1b"' | grep -q '"target":-9223372036854775808'; }
test_that 'ftrace: an odd name' odd_ftrace
test_that 'csv: a cell too few' bash -c 'head -n 1 traces/own.csv >traces/few.csv; echo 1,2,3 >>traces/few.csv; "$kvmwait" convert traces/few.csv 2>traces/said; [ $? = 1 ] && grep -q "line 2: it has not the cells of a wait" traces/said'
test_that 'csv: report' "$kvmwait" report traces/own.csv
test_that 'the lines of a script: report' "$kvmwait" report "$here/input/some.wire"
