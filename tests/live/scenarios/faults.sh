# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2046,SC2086,SC2154
# Faults around a trace on a real kernel. With stand-ins for bpftrace: tests/cli/faults.sh.

# probes NAME: what of probes is attached in the kernel.
probes() { cat /sys/kernel/debug/kprobes/list $T/enabled_functions $T/kprobe_events 2>/dev/null >"$1.probes"; }
gone() { await no_bpftrace && echo gone >"$1.gone"; probes "$1"; }
status_of() { wait $1; echo $? >"$2.status"; }
# a trace in the background, once it is attached
begin() {
	name=$1
	shift
	kvmwait "$@" >$name.ndjson 2>$name.err &
	trace=$!
	await has_meta $name.ndjson
}
# has_waits FILE N: so many have come so far.
has_waits() { [ "$(grep -c '"type":"wait"' "$1")" = "$2" ]; }

# bpftrace or kvmwait is killed, or stopped.
killed() {
	probes before
	begin mid trace
	kvmwait-guest -c 1 hlt-user=23 >guest.json
	await has_waits mid.ndjson 23
	kill -KILL $(pidof bpftrace)
	status_of $trace mid
	gone mid
	begin twice trace
	kill -STOP $(pidof bpftrace)
	kill -INT $trace
	sleep 0.5
	kill -INT $trace
	status_of $trace twice
	gone twice
	# before anything is attached: its map of BTF, or the first probe
	kvmwait trace >early.ndjson 2>early.err &
	trace=$!
	attaching() { for p in $(pidof bpftrace); do ! tr '\0' ' ' </proc/$p/cmdline | grep -q ' -B line ' || echo $p; done | grep .; }
	await attaching >early.pid
	kill -STOP $(cat early.pid)
	kill -INT $trace
	status_of $trace early
	gone early
}

# The VM ends while its vCPU halts; a thread takes another name; the wall clock is set back.
guests() {
	begin vm trace --outcome
	for n in 1 2 3; do
		kvmwait-guest -c 1 -n asleep$n --op-timeout 900 hlt=1000003 >/dev/null 2>&1 &
		guest=$!
		asleep() { grep -q asleep$n-kvm vm.ndjson; }
		await asleep
		kill -KILL $(pid_of asleep$n-kvm)
		wait $guest
	done
	date >before
	date -s '2001-02-03 04:05:06' >after
	kvmwait-guest -c 1 --stay 3 -n 'g]:$1 "}' --comm "$(printf '@x[1]: 5\n\033c')" --comm "$(printf 'printf("%%s")\377')" yield:1=13 yield:2=17 >guest.json
	kill -TERM $trace
	status_of $trace vm
}

# KVM is not there, comes, loses its vendor's module, goes and comes again.
modules() {
	# a VM whose process has ended may hold its modules for a moment more
	is_removed() { rmmod "$1" 2>rmmod.err; }
	kvm_goes() { await is_removed kvm_amd && { [ -n "$1" ] || await is_removed kvm; } || { cat rmmod.err >&2; return 1; }; }
	kvm_comes() { [ -e /sys/module/kvm ] || insmod /modules/kvm.ko; insmod /modules/kvm-amd.ko; }
	kvm_goes
	kvmwait trace -d 1 >without.ndjson 2>without.err
	echo $? >without.status
	# KVM comes while the symbols are read, after the list of modules
	kvmwait trace --wait >amid.ndjson 2>amid.err &
	trace=$!
	# shellcheck disable=SC2010 # what ls says of links
	reads_symbols() { ls -l /proc/[0-9]*/fd 2>/dev/null | grep -qE '/kallsyms|/available_filter_functions'; }
	i=0
	until reads_symbols || [ $i -ge 2000 ]; do i=$((i + 1)); done
	killall -STOP kvmwait
	reads_symbols
	echo $? >amid.read
	kvm_comes
	killall -CONT kvmwait
	await has_meta amid.ndjson
	kvmwait-guest -c 1 hlt-user=5 >amid.json
	kill -INT $trace
	status_of $trace amid
	kvm_goes
	kvmwait trace --wait >wait.ndjson 2>wait.err &
	trace=$!
	await grep -q 'waiting for it' wait.err
	kvm_comes
	await has_meta wait.ndjson
	kvmwait-guest -c 1 hlt-user=19 >1.json
	kvm_goes vendor
	lsmod >vendorless
	kvm_comes
	kvmwait-guest -c 1 hlt-user=7 >2.json
	await has_waits wait.ndjson 26
	kvm_goes && kvm_comes || kill $trace
	lsmod >loaded
	status_of $trace wait
	gone wait
	kvmwait trace -o again.ndjson -- kvmwait-guest -c 1 hlt-user=11 >/dev/null 2>again.err
	echo $? >again.status
}

# A small disk fills up while events come.
disk() {
	mkdir -p small
	mount -t tmpfs -o size=64k small small
	kvmwait trace -o small/trace.ndjson -- kvmwait-guest -c 1 yield:1=2003 >/dev/null 2>err
	echo $? >disk.status
	cat small/trace.ndjson >trace.ndjson
	umount small
	gone disk
}

# What a host hides: tracefs, BTF, addresses; at last, what it forbids. The next scenario needs another machine.
hidden() {
	kptr=$(cat /proc/sys/kernel/kptr_restrict)
	for n in 1 2; do
		echo $n >/proc/sys/kernel/kptr_restrict
		kvmwait trace -o kptr$n.ndjson -- kvmwait-guest -c 1 hlt-user=13 yield:1=17 >kptr$n.json 2>kptr$n.err
		echo $? >kptr$n.status
	done
	echo $kptr >/proc/sys/kernel/kptr_restrict
	mkdir -p nothing
	mount --bind nothing /sys/kernel/btf
	kvmwait trace -o btf.ndjson -- kvmwait-guest -c 1 hlt-user=13 >btf.json 2>btf.err
	echo $? >btf.status
	kvmwait check >btf.check 2>&1
	umount /sys/kernel/btf
	umount $T
	umount /sys/kernel/debug
	kvmwait trace -d 1 >tracefs.ndjson 2>tracefs.err
	echo $? >tracefs.status
	kvmwait check >tracefs.check 2>&1
	mount -t tracefs tracefs $T
	mount -t debugfs debugfs /sys/kernel/debug
	# CAP_PERFMON and CAP_BPF; and with CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE, for tracefs
	as 65534 38,39 /bin/sh /usr/bin/kvmwait trace -d 1 >caps.ndjson 2>caps.err
	echo $? >caps.status
	as 65534 1,2,38,39 /usr/bin/bpftrace -e 'BEGIN { printf("begun\n"); exit(); }' >caps.bpftrace 2>&1
	mount -t securityfs securityfs /sys/kernel/security
	echo integrity >/sys/kernel/security/lockdown
	kvmwait trace -o integrity.ndjson -- kvmwait-guest -c 1 hlt-user=13 >integrity.json 2>integrity.err
	echo $? >integrity.status
	echo confidentiality >/sys/kernel/security/lockdown
	kvmwait trace -d 1 >confidentiality.ndjson 2>confidentiality.err
	echo $? >confidentiality.status
	kvmwait check >confidentiality.check 2>&1
}

# Not root, with the capabilities that it takes where bpftrace asks for these; the kernel's own default for perf events.
capable() {
	chmod 777 .
	chmod 666 /dev/kvm
	paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	# DAC_OVERRIDE, DAC_READ_SEARCH, SYSLOG, PERFMON, BPF
	as 65534 1,2,34,38,39 /bin/sh /usr/bin/kvmwait trace -o trace.ndjson -- kvmwait-guest -c 1 hlt-user=11 yield:1=13 >guest.json 2>err
	echo $? >status
	as 65534 1,2,34,38,39 /bin/sh /usr/bin/kvmwait stat -f json -o stat.ndjson -- kvmwait-guest -c 1 hlt-user=11 yield:1=13 >stat.json 2>stat.err
	echo $? >stat.status
	as 65534 38,39 /bin/sh /usr/bin/kvmwait trace -d 1 >few.ndjson 2>few.err
	echo $? >few.status
	echo $paranoid >/proc/sys/kernel/perf_event_paranoid
}

# 1,031 threads of vCPUs in 17 VMs, each with events of its own: 64 in each but the last.
threads() {
	cat >guest.sh <<-'SH'
		n=0
		while [ $n -lt 17 ]; do
			n=$((n + 1)) vcpus=64
			[ $n -lt 17 ] || vcpus=7
			kvmwait-guest -n vm$n -c $vcpus --gate go --op-timeout 600 --stay 4 yield:$n=3 >$1.$n.json 2>>guest.err &
		done
		all_there() { [ "$(cat /proc/[0-9]*/task/*/comm 2>/dev/null | grep -c '^CPU [0-9]*/KVM$')" = 1031 ]; }
		i=0
		until all_there; do i=$((i + 1)); [ $i -lt 300 ] || break; sleep 1; done
		touch go
		wait
	SH
	kvmwait trace -o trace.ndjson -- sh guest.sh trace 2>err
	echo $? >status
	rm go
	kvmwait stat --max-vcpus 1031 -f json -o stat.ndjson -- sh guest.sh stat 2>>err
	echo $? >stat.status
}

# ---- judge ----

prepare_modules() { put "$("$here/fetch" kernel "$kernel")/modules" /modules; }
prepare_hidden() { put_tool as; }
prepare_capable() { put_tool as; }

ends_with() { test_that "$2: exit $3" test "$(cat "$1.status" 2>/dev/null)" = "$3"; }
is_said() { grep -qE -e "$2" "$1" || { cat -v "$1"; return 1; }; }
# last FILE FILTER: of the end record.
last() { jq -e -s ".[-1] | $2" "$1" >/dev/null || { tail -n 2 "$1"; return 1; }; }
nothing_left() {
	test_that "$2: no bpftrace is left" test -e "$1.gone"
	test_that "$2: no probe is left" test ! -s "$1.probes"
}

judge_killed() {
	local d=$1
	test_that "$2 no probe before" test ! -s "$d/before.probes"
	ends_with "$d/mid" "$2 bpftrace killed in mid-stream" 5
	test_that "$2 bpftrace killed in mid-stream: 23 events, and the count is not known" last "$d/mid.ndjson" \
		'.type == "end" and .why == "bpftrace was killed" and .bpftrace_status == 137 and .received == 23 and (has("counted") | not)'
	test_that "$2 bpftrace killed in mid-stream: said" is_said "$d/mid.err" 'count is not known'
	nothing_left "$d/mid" "$2 bpftrace killed in mid-stream"
	ends_with "$d/twice" "$2 two SIGINTs" 5
	test_that "$2 two SIGINTs: the count is not known" last "$d/twice.ndjson" '.why == "interrupted" and .bpftrace_status == 137 and (has("counted") | not)'
	nothing_left "$d/twice" "$2 two SIGINTs"
	test_that "$2 stopped while it attaches: it was so" test -s "$d/early.pid" -a ! -s "$d/early.ndjson"
	ends_with "$d/early" "$2 stopped while it attaches" 1
	test_that "$2 stopped while it attaches: said" is_said "$d/early.err" 'stopped before the probes were attached'
	nothing_left "$d/early" "$2 stopped while it attaches"
}

judge_guests() {
	local d=$1
	ends_with "$d/vm" "$2 SIGTERM" 0
	test_that "$2 received + lost = counted" balanced "$d/vm.ndjson"
	test_that "$2 nothing lost, nothing late" lossless "$d/vm.ndjson"
	test_that "$2 in time order, with the wall clock set back" in_order "$d/vm.ndjson"
	test_that "$2 the wall clock was set back, and the stream says so" jq -e -s '.[0].clock.realtime > .[-1].clock.realtime and
		.[0].clock.boottime < .[-1].clock.boottime and .[-1].why == "terminated"' "$d/vm.ndjson"
	test_that "$2 three VMs killed while they halt: each HLT has its end" jq -e -s '[range(3) as $n | map(select(.vm == "asleep\($n + 1)-kvm")) |
		(map(select(.type == "wait")) | length) as $waits | $waits > 0 and (map(select(.type == "outcome" and .end != "unseen")) | length) == $waits] == [true, true, true]' "$d/vm.ndjson"
	test_that "$2 two names of one thread, 13 and 17 events" jq -e -s 'map(select(.type == "wait" and .event == "pv_yield")) |
		(map(.tid) | unique | length) == 1 and (group_by(.target) | map([.[0].target, length, (map(.comm) | unique)])) ==
		[[1, 13, ["@x[1]: 5\\x0a\\x1bc"]], [2, 17, ["printf(\"%s\")\\xff"]]]' "$d/vm.ndjson"
	test_that "$2 the name of the VM" jq -e -s 'map(select(.event == "pv_yield" and .type == "wait") | .vm) | unique == ["g]:$1 \"}-kvm"]' "$d/vm.ndjson"
	test_that "$2 fits the JSON Schema" valid_schema "$d/vm.ndjson"
}

# planned TRACE: what a plan is made of that a host without KVM's modules would get otherwise.
planned() { jq -c 'select(.type == "meta") | [.vendor, .script, .probes]' "$1"; }

judge_modules() {
	local d=$1
	ends_with "$d/without" "$2 KVM not loaded" 4
	test_that "$2 KVM not loaded: the next step" is_said "$d/without.err" 'load kvm_amd or kvm_intel with modprobe, or wait for it with --wait'
	ends_with "$d/amid" "$2 KVM loaded while the plan is made" 0
	test_that "$2 KVM loaded while the plan is made: it was" test "$(cat "$d/amid.read")" = 0
	test_that "$2 KVM loaded while the plan is made: the plan is that of a KVM that is there" test "$(planned "$d/amid.ndjson")" = "$(planned "$d/again.ndjson")"
	test_that "$2 KVM loaded while the plan is made: 5 events" last "$d/amid.ndjson" '.received == 5 and .counted == 5'
	test_that "$2 --wait: says what for" is_said "$d/wait.err" 'kvm_amd or kvm_intel is not loaded: waiting for it'
	test_that "$2 --wait: the vendor is known" jq -e -s '.[0].vendor == "svm"' "$d/wait.ndjson"
	test_that "$2 kvm_amd goes in mid-trace" test "$(grep -oE '^kvm(_amd)? ' "$d/vendorless")" = 'kvm '
	test_that "$2 kvm_amd comes again in mid-trace: 19 events before, 7 after" balanced "$d/wait.ndjson"
	test_that "$2 kvm unloaded in mid-trace: it ends" last "$d/wait.ndjson" '.why == "the module was unloaded" and .received == 26 and .counted == 26'
	test_that "$2 kvm unloaded in mid-trace: it came again" is_said "$d/loaded" '^kvm_amd '
	ends_with "$d/wait" "$2 kvm unloaded in mid-trace" 1
	test_that "$2 kvm unloaded in mid-trace: said" is_said "$d/wait.err" 'was unloaded, and its probes with it'
	nothing_left "$d/wait" "$2 kvm unloaded in mid-trace"
	ends_with "$d/again" "$2 the next trace" 0
	test_that "$2 the next trace: 11 events" last "$d/again.ndjson" '.received == 11 and .counted == 11'
}

judge_disk() {
	local d=$1 n
	ends_with "$d/disk" "$2" 1
	test_that "$2 named" is_said "$d/err" "'small/trace.ndjson': No space left on device; it ends early"
	n=$(jq -R 'fromjson? | select(.type == "wait") | .target' "$d/trace.ndjson" | grep -c '^1$' || true)
	test_that "$2 what was written is readable" test "${n:-0}" -gt 200 -a "$n" -lt 2003
	test_that "$2 and convert says that it is not whole" bash -c '"$0" convert -f csv "$1" >"$1.csv" 2>"$1.said"; [ $? = 1 -o $? = 5 ] && [ "$(grep -c ",pv_yield," "$1.csv")" = "$2" ]' \
		"$kvmwait" "$d/trace.ndjson" "$n"
	nothing_left "$d/disk" "$2"
}

judge_hidden() {
	local d=$1 n
	for n in 1 2; do
		ends_with "$d/kptr$n" "$2 kptr_restrict $n" 0
		test_that "$2 kptr_restrict $n: every count is the guest's" is_equal "$d/kptr$n.json" "$d/kptr$n.ndjson"
		judge_trace "$d/kptr$n.ndjson" "$2 kptr_restrict $n:"
	done
	# by tracepoints, for which bpftrace wants BTF or the kernel's headers
	ends_with "$d/btf" "$2 no BTF, no headers" 1
	test_that "$2 no BTF, no headers: said" is_said "$d/btf.err" 'Could not find kernel headers|BTF'
	test_that "$2 no BTF, no headers: the next step" is_said "$d/btf.check" '-> boot a kernel with CONFIG_DEBUG_INFO_BTF'
	ends_with "$d/tracefs" "$2 no tracefs" 3
	test_that "$2 no tracefs: said" is_said "$d/tracefs.err" 'tracefs is not mounted'
	test_that "$2 no tracefs: the next step" is_said "$d/tracefs.check" '-> mount -t tracefs'
	ends_with "$d/caps" "$2 CAP_BPF and CAP_PERFMON without root" 4
	test_that "$2 CAP_BPF and CAP_PERFMON without root: the next step" is_said "$d/caps.err" 'needs root: run it with sudo'
	ends_with "$d/integrity" "$2 lockdown=integrity" 0
	test_that "$2 lockdown=integrity: every count is the guest's" is_equal "$d/integrity.json" "$d/integrity.ndjson"
	ends_with "$d/confidentiality" "$2 lockdown=confidentiality" 4
	test_that "$2 lockdown=confidentiality: the next step" is_said "$d/confidentiality.err" 'boot it without lockdown=confidentiality'
	test_that "$2 lockdown=confidentiality: check says so" is_said "$d/confidentiality.check" '^BAD +lockdown'
}

judge_capable() {
	local d=$1
	test_that "$2 five capabilities and not root: exit 0" test "$(cat "$d/status")" = 0
	test_that "$2 five capabilities and not root: every count is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson"
	judge_trace "$d/trace.ndjson" "$2"
	ends_with "$d/stat" "$2 five capabilities and not root: stat" 0
	test_that "$2 five capabilities and not root: stat has 11 HLTs and 13 yields" jq -e -s '(map(select(.type == "stat" and .total)) | last | .rows) |
		(map(.hlt) | add) == 11 and (map(.pv_yield) | add) == 13' "$d/stat.ndjson"
	ends_with "$d/few" "$2 CAP_BPF and CAP_PERFMON alone" 4
	test_that "$2 CAP_BPF and CAP_PERFMON alone: the next step" is_said "$d/few.err" 'give CAP_BPF, CAP_PERFMON, CAP_SYSLOG, CAP_DAC_READ_SEARCH and CAP_DAC_OVERRIDE$'
}

# did_three FILE...: in each of 17 VMs each vCPU did 3 yields, 1,031 in all.
did_three() { jq -e -s 'length == 17 and all([.did[].count] | all(. == 3)) and (map(.did | length) | sort) == [7, (range(16) | 64)]' "$@"; }

judge_threads() {
	local d=$1
	test_that "$2 1,031 vCPUs did 3 yields each" did_three "$d"/trace.*.json
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	judge_trace "$d/trace.ndjson" "$2"
	test_that "$2 3 events of each of 1,031 threads" jq -e -s 'map(select(.type == "wait") | [.pid, .tid, .vcpu, .event, .target]) |
		group_by(.) | length == 1031 and all(length == 3)' "$d/trace.ndjson"
	test_that "$2 each VM's are its own" jq -e -s 'map(select(.type == "wait")) | all(.vm == "vm\(.target)-kvm") and (map(.pid) | unique | length) == 17' "$d/trace.ndjson"
	test_that "$2 1,031 vCPUs did 3 yields each again" did_three "$d"/stat.*.json
	test_that "$2 stat ends well" test "$(cat "$d/stat.status")" = 0
	test_that "$2 stat has each of them: 3 yields" jq -e -s '(map(select(.type == "stat" and .total)) | last | .rows) |
		length == 1031 and all(.pv_yield == 3 and .waits == 3) and ([.[] | [.pid, .vcpu]] | unique | length) == 1031' "$d/stat.ndjson"
	test_that "$2 stat lost none" jq -e -s '.[-1] | .counted == 3093 and .received == 3093 and .lost == 0' "$d/stat.ndjson"
}
