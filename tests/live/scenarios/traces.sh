# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2094,SC2154
# Traces of trace-cmd and of tracefs, read outside of the machine that they were made on.

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
}

# ---- judge ----

# trace-cmd of this machine with all that it needs.
prepare_traces() {
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
}
