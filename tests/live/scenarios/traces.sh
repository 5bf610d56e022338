# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2094,SC2154
# Traces of trace-cmd, of tracefs and of perf, read outside of the machine that they were made on.

traces() {
	pause='pause=17'
	[ -z "$no_pause" ] || pause=''
	# shellcheck disable=SC2086 # a list
	echo "kvmwait-guest -n web $no_pause hlt=13 yield:1=11 hv-spin=7 kick=5 yield-cpl3=3 $pause >\$1.json" >guest.sh
	trace-cmd record -C boot -e kvm -e sched -o trace.dat sh guest.sh dat >dat.log 2>&1
	echo $? >status
	echo 1 >"$T/options/record-tgid"
	for e in kvm/kvm_exit kvm/kvm_entry kvm/kvm_hypercall kvm/kvm_hv_hypercall kvm/kvm_vcpu_wakeup sched/sched_switch sched/sched_wakeup; do
		echo 1 >"$T/events/$e/enable"
	done
	echo 16384 >"$T/buffer_size_kb"
	sh guest.sh text
	echo 0 >"$T/tracing_on"
	cat "$T/trace" >tracefs.text
	echo 0 >"$T/events/enable"
	echo 1 >"$T/tracing_on"
	# perf begins when all probes are attached: a tracepoint that first comes after 8192 lines is none for outcomes
	kvmwait trace -o own.ndjson -- perf record -q -a -m 4096 -e 'kvm:*' -e 'sched:*' -o perf.data sh guest.sh perf >perf.log 2>&1
	echo $? >perf.status
	{
		perf script --show-lost-events -i perf.data >perf.text
		perf script -F +pid --ns -i perf.data >perf-pid.text
		# a buffer of one page
		perf record -q -a -m 1 -e 'kvm:*' -e 'sched:*' -o lost.data sh guest.sh lost
		perf script --show-lost-events -i lost.data >lost.text
	} >>perf.log 2>&1
	rm -f perf.data lost.data
}

# ---- judge ----

# perf of Debian, and trace-cmd of this machine.
prepare_traces() {
	root_with perf || return 1
	# shellcheck disable=SC2016 # for the shell inside
	printf '#!/bin/sh\nexec /perf/lib64/ld-linux-x86-64.so.2 --library-path /perf/lib/x86_64-linux-gnu:/perf/usr/lib/x86_64-linux-gnu /perf/usr/bin/perf "$@"\n' >"$work/$row.perf"
	chmod +x "$work/$row.perf"
	put "$work/$row.perf" /usr/bin/perf
	prepare_trace_cmd
}

# trace-cmd of this machine with all that it needs.
prepare_trace_cmd() {
	local dir=$work/$row.trace-cmd path loader lib
	path=$(command -v trace-cmd) || return 1
	loader=$(ldd "$path" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p')
	rm -rf "$dir"
	mkdir -p "$dir/lib"
	for lib in "$path" $(ldd "$path" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p') $loader; do cp -L "$lib" "$dir/lib/"; done
	printf '#!/bin/sh\nexec /usr/libexec/trace-cmd/%s --library-path /usr/libexec/trace-cmd /usr/libexec/trace-cmd/trace-cmd "$@"\n' "${loader##*/}" >"$dir/trace-cmd"
	chmod +x "$dir/trace-cmd"
	put "$dir/lib" /usr/libexec/trace-cmd
	put "$dir/trace-cmd" /usr/bin/trace-cmd
}

# traced_is_did GUEST TRACE: [tid, vcpu, event, source, count], all of them and no other. A call from the guest's user mode, which
# KVM refuses, is in the trace: that is why it is inferred. A kick is not.
traced_is_did() {
	"$kvmwait" convert -f json "$2" >"$2.ndjson" 2>"$2.said" || { tail -n 5 "$2.said"; return 1; }
	diff <(jq -c '[.did[], (.must_not_count[] | select(.op == "yield-cpl3") + {event: "pv_yield", source: "kvm"}) | select(.count > 0)] | group_by([.tid, .vcpu, .event, .source]) |
			map([.[0].tid, .[0].vcpu, .[0].event, .[0].source, ([.[].count] | add)]) | sort[]' "$1") \
		<(jq -c -s '[.[] | select(.type == "wait") | [.tid, .vcpu, .event, .source]] | group_by(.) | map(.[0] + [length])[]' "$2.ndjson") &&
		jq -e '(.must_not_count | map(.op) | unique | length) == 2' "$1"
}

# same_waits GUEST OWN CONVERTED: of process, thread, vCPU, event and source as many, but for the calls that KVM refused.
same_waits() {
	diff <(jq -c -s '[.[] | select(.type == "wait") | [.pid, .tid, .vcpu, .event, .source]] | group_by(.) | map(.[0] + [length])[]' "$2") \
		<(jq -c -s --slurpfile guest "$1" '($guest[0].must_not_count | map(select(.op == "yield-cpl3") | {([.pid, .tid, .vcpu, "pv_yield", "kvm"] | tojson): .count}) | add) as $refused |
			[.[] | select(.type == "wait") | [.pid, .tid, .vcpu, .event, .source]] | group_by(.) | map(.[0] + [length - ($refused[.[0] | tojson] // 0)])[]' "$3")
}

# perf_lost TEXT: the losses that perf tells, in the end record and in the exit status.
perf_lost() {
	local code=0 sum
	sum=$(awk '/ PERF_RECORD_LOST lost / { n += $NF } END { print n + 0 }' "$1")
	"$kvmwait" convert -f json "$1" >"$1.ndjson" 2>"$1.said" || code=$?
	[ "$sum" -gt 0 ] && [ $code = 5 ] && grep -q "the tracer lost $sum events" "$1.said" && jq -e --argjson sum "$sum" 'select(.type == "end").lost == $sum' "$1.ndjson" ||
		{ echo "perf: $sum; exit $code"; cat "$1.said"; tail -n 1 "$1.ndjson"; return 1; }
}

judge_traces() {
	local d=$1
	test_that "$2 trace-cmd recorded" test "$(cat "$d/status")" = 0
	test_that "$2 trace.dat: every count is the guest's" traced_is_did "$d/dat.json" "$d/trace.dat"
	test_that "$2 tracefs: every count is the guest's" traced_is_did "$d/text.json" "$d/tracefs.text"
	test_that "$2 trace.dat: inferred, of this kernel, by its clock" jq -e -s --slurpfile did "$d/dat.json" '.[0] | .kernel == $did[0].kernel and
		.input.clock == "boot" and ([.probes[].fidelity] | unique == ["absent", "inferred"])' "$d/trace.dat.ndjson"
	# KVM does not wait where an interrupt is pending already
	test_that "$2 trace.dat: each HLT ended, with the time that KVM waited" jq -e -s '[.[] | select(.type == "outcome" and .event == "hlt")] | length == 26 and
		all(.end == "run" and (.halt == "none") == (.halt_ns == 0) and .ns >= .off_ns) and any(.halt == "blocked")' "$d/trace.dat.ndjson"
	test_that "$2 tracefs: the process of each VM" jq -e -s --slurpfile did "$d/text.json" '[.[] | select(.type == "wait").pid] | unique == ([$did[0].did[].pid] | unique)' "$d/tracefs.text.ndjson"
	test_that "$2 fits the JSON Schema" valid_schema "$d/trace.dat.ndjson"
	test_that "$2 perf recorded beside kvmwait" test "$(cat "$d/perf.status")" = 0
	judge_trace "$d/own.ndjson" "$2 beside perf:"
	test_that "$2 perf script: every count is the guest's" traced_is_did "$d/perf.json" "$d/perf.text"
	test_that "$2 perf script -F +pid --ns: every count is the guest's" traced_is_did "$d/perf.json" "$d/perf-pid.text"
	test_that "$2 perf script: the same waits as kvmwait saw, but for those that KVM refused" same_waits "$d/perf.json" "$d/own.ndjson" "$d/perf-pid.text.ndjson"
	test_that "$2 perf script -F +pid: the process of each VM" jq -e -s --slurpfile did "$d/perf.json" '[.[] | select(.type == "wait").pid] | unique == ([$did[0].did[].pid] | unique)' "$d/perf-pid.text.ndjson"
	test_that "$2 perf script: each HLT ended" jq -e -s '[.[] | select(.type == "outcome" and .event == "hlt")] | length == 26 and all(.end == "run")' "$d/perf.text.ndjson"
	test_that "$2 perf script --show-lost-events: as many as perf lost" perf_lost "$d/lost.text"
	test_that "$2 perf script: fits the JSON Schema" valid_schema "$d/perf-pid.text.ndjson"
}
