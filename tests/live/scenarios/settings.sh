# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2086
# Settings of a host on a real kernel: each gives a right stream or a refusal.

# settled NAME COMMAND...: its status, and what it said, in files of that name.
settled() {
	name=$1
	shift
	"$@" >$name.out 2>$name.err
	echo $? >$name.status
}

# The commands that trace, at one level of kernel.perf_event_paranoid: it decides whether bpftrace has CAP_SYS_ADMIN.
#   paranoid:LEVEL[+COMMAND]...
paranoid() {
	level=${1%%+*}
	commands=$(echo "$1" | cut -d+ -s -f2- | tr + ' ')
	echo "${commands:=trace stat record blame}" >commands
	before=$(cat /proc/sys/kernel/perf_event_paranoid)
	echo $level >/proc/sys/kernel/perf_event_paranoid
	for c in $commands; do
		echo "kvmwait-guest -c 1 hlt-user=13 yield:1=17 >$c.guest" >$c.sh
		case $c in
		trace) settled $c kvmwait trace --outcome -o $c.ndjson -- sh $c.sh ;;
		stat) settled $c kvmwait stat -f json -o $c.ndjson -- sh $c.sh ;;
		record) settled $c kvmwait record -o $c.recording -- sh $c.sh ;;
		blame) settled $c kvmwait blame -f json -o $c.json -- sh $c.sh ;;
		esac
	done
	echo $before >/proc/sys/kernel/perf_event_paranoid
}

# A list that is wrong about this bpftrace (0.24 or later): it fails without CAP_SYS_ADMIN, and is started again with it.
widened() {
	before=$(cat /proc/sys/kernel/perf_event_paranoid)
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	cp -R /usr/share/kvmwait/scripts /usr/share/kvmwait/wrong
	sed -i '/^raw-tracepoints/s/| id$/| yes/' /usr/share/kvmwait/wrong/bpftrace.list
	echo 'kvmwait-guest -c 1 hlt-user=13 yield:1=17 >stat.guest' >stat.sh
	settled stat env KVMWAIT_SCRIPTS=/usr/share/kvmwait/wrong kvmwait stat -f json -o stat.ndjson -- sh stat.sh
	echo $before >/proc/sys/kernel/perf_event_paranoid
}

# What makes probes on functions dead: all of it is refused. Without debugfs it cannot be asked, and the trace is right.
dead() {
	echo 0 >/proc/sys/kernel/ftrace_enabled
	settled ftrace kvmwait trace -d 1
	settled ftrace-stat kvmwait stat -d 1
	settled ftrace-check kvmwait check
	echo 1 >/proc/sys/kernel/ftrace_enabled
	echo 0 >/sys/kernel/debug/kprobes/enabled
	settled kprobes kvmwait trace -d 1
	settled kprobes-record kvmwait record -o recording -d 1
	settled kprobes-check kvmwait check
	echo 1 >/sys/kernel/debug/kprobes/enabled
	# a function that the kernel forbids, as a file of another kernel would name it
	{ cat /sys/kernel/debug/kprobes/blacklist; printf '0x1-0x2\tkvm_vcpu_on_spin\n'; } >blacklist
	mount --bind blacklist /sys/kernel/debug/kprobes/blacklist
	settled blacklist kvmwait trace -d 1
	umount /sys/kernel/debug/kprobes/blacklist
	umount /sys/kernel/debug
	settled debugfs kvmwait trace -o debugfs.ndjson -- sh -c 'kvmwait-guest -c 1 hlt-user=13 yield:1=17 >debugfs.guest'
	mount -t debugfs debugfs /sys/kernel/debug
}

# As a pod or a toolbox has it: namespaces of its own, of PIDs or of mounts, networks and hosts' names alone.
pod() {
	cat >guest.sh <<-'SH'
		kvmwait-guest -n outside -c 1 --stay 2 hlt-user=13 yield:1=17 >guest.json
	SH
	settled own unshare -p -m -f sh -c 'mount -t proc proc /proc; kvmwait trace -d 1'
	settled own-stat unshare -p -m -f sh -c 'mount -t proc proc /proc; kvmwait stat -d 1'
	settled own-check unshare -p -m -f sh -c 'mount -t proc proc /proc; kvmwait check'
	unshare -m -n -u -i kvmwait trace -o host.ndjson >host.out 2>host.err &
	trace=$!
	await has_meta host.ndjson
	sh guest.sh
	kill -TERM $trace
	wait $trace
	echo $? >host.status
}

# Settings as a matrix of their own, one after the other on one machine. settings:PART[+PART]...
settings() {
	for part in $(echo "$1" | tr + ' '); do "settings_$part"; done
}

# Who may use perf events, and who sees the kernel's addresses.
settings_levels() {
	paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
	kptr=$(cat /proc/sys/kernel/kptr_restrict)
	for pair in -1:0 1:1 2:2 3:0; do
		echo ${pair%:*} >/proc/sys/kernel/perf_event_paranoid
		echo ${pair#*:} >/proc/sys/kernel/kptr_restrict
		cat /proc/sys/kernel/perf_event_paranoid /proc/sys/kernel/kptr_restrict | tr '\n' ' ' >level$pair.set
		settled level$pair kvmwait trace --outcome -o level$pair.ndjson -- sh -c "kvmwait-guest -c 1 --stay 1 hlt-user=13 yield:1=17 >level$pair.guest"
	done
	echo $paranoid >/proc/sys/kernel/perf_event_paranoid
	echo $kptr >/proc/sys/kernel/kptr_restrict
}

# tracefs below debugfs alone, where it is mounted as soon as somebody looks; not at all. Without debugfs: the scenario dead.
settings_mounts() {
	umount $T
	settled below kvmwait trace -o below.ndjson -- sh -c 'kvmwait-guest -c 1 --stay 1 hlt-user=13 yield:1=17 >below.guest'
	umount /sys/kernel/debug/tracing 2>/dev/null
	mkdir -p nothing
	mount --bind nothing /sys/kernel/debug/tracing
	ls /sys/kernel/debug/tracing $T >none.files
	settled none kvmwait trace -d 1
	settled none-check kvmwait check
	umount /sys/kernel/debug/tracing
	mount -t tracefs tracefs $T
}

# A VM whose name is that of its cgroup alone, for a kvmwait in COMMAND...: vm_in CGROUP NAME COMMAND...
vm_in() {
	cgroup=$1 name=$2
	shift 2
	rm -f go
	kvmwait-guest -n hidden -c 1 --gate go --stay 3 hlt-user=13 yield:1=17 >$name.guest &
	guest=$!
	both_there() { [ -n "$(pid_of hidden-kvm)" ] && [ -n "$(pid_of hidden-noirqchip)" ]; }
	await both_there
	printf 'qemu-system-x86_64\0' >cmdline
	for pid in $(pid_of hidden-kvm) $(pid_of hidden-noirqchip); do
		echo $pid >"$cgroup/cgroup.procs"
		mount --bind cmdline /proc/$pid/cmdline
		cat /proc/$pid/cgroup
	done >$name.cgroups
	echo "touch go; until grep -q could_not $name.guest; do sleep 0.1; done" >go.sh
	settled $name "$@" -o $name.ndjson -- sh go.sh
	wait $guest
}

# cgroup v1 and v2, as libvirt and systemd use them; and from a cgroup namespace that has another root than the VM's cgroup.
settings_cgroups() {
	mkdir -p /tmp/v1 /tmp/v2
	mount -t cgroup -o cpu cgroup /tmp/v1
	mount -t cgroup2 cgroup2 /tmp/v2
	v1=/tmp/v1/machine/qemu-2-old.libvirt-qemu
	v2='/tmp/v2/machine.slice/machine-qemu\x2d1\x2dnew.scope'
	mkdir -p $v1 "$v2" /tmp/v2/pod/container '/tmp/v2/machine.slice/machine-qemu\x2d1\x2dnested.scope'
	vm_in $v1 old kvmwait trace
	vm_in "$v2" new kvmwait trace
	echo 'echo $$ >/tmp/v2/pod/container/cgroup.procs; exec nested kvmwait trace --vm nested "$@"' >nested.sh
	vm_in '/tmp/v2/machine.slice/machine-qemu\x2d1\x2dnested.scope' nested sh nested.sh
}

# ---- judge ----

# ends_as NAME CODE, says NAME PATTERN: of one that was settled.
ends_as() { [ "$(cat "$1.status" 2>/dev/null)" = "$2" ] || { cat "$1.status" "$1.err"; return 1; }; }
says_so() { grep -qE -e "$2" "$1.err" "$1.out" || { cat "$1.err" "$1.out"; return 1; }; }
silent() { ! grep . "$1.err"; }

# programs_fit RECORDING: raw tracepoints ran where the recording's bpftrace could have them, and its program has what ran.
programs_fit() {
	local raw
	raw=$(jq -r 'select(.type == "plan").program' "$1" | grep -c '^rawtracepoint:' || true)
	[ "$2" = "$([ "$raw" -gt 0 ] && echo raw || echo plain)" ] || { echo "$raw raw tracepoints"; return 1; }
}

# From 0.24 on bpftrace attaches raw tracepoints of a module with CAP_SYS_ADMIN alone, which it has from level 3 on; 0.17 has none.
judge_paranoid() {
	local d=$1 c kind=raw
	case $row in *:0.17*) kind=plain ;; *:0.27*) [ "${3%%+*}" -ge 3 ] || kind=plain ;; esac
	# shellcheck disable=SC2013 # words of one line
	for c in $(cat "$d/commands"); do
		test_that "$2 $c ends well" ends_as "$d/$c" 0
		test_that "$2 $c says nothing" silent "$d/$c"
		case $c in
		trace)
			test_that "$2 trace: every count is the guest's" is_equal "$d/trace.guest" "$d/trace.ndjson"
			test_that "$2 trace: received + lost = counted" balanced "$d/trace.ndjson"
			test_that "$2 trace: each wait has its outcome" jq -e -s 'map(select(.type == "outcome" and .end != "unseen")) | length == 30' "$d/trace.ndjson" ;;
		stat)
			test_that "$2 stat: 13 HLTs and 17 yields" jq -e -s '(map(select(.type == "stat" and .total)) | last | .rows) |
				(map(.hlt) | add) == 13 and (map(.pv_yield) | add) == 17 and (map(.waits) | add) == 30' "$d/stat.ndjson" ;;
		record)
			"$kvmwait" convert -f json -o "$d/record.ndjson" "$d/record.recording"
			test_that "$2 record: every count is the guest's" is_equal "$d/record.guest" "$d/record.ndjson"
			test_that "$2 record: the program is the one that ran" programs_fit "$d/record.recording" $kind ;;
		blame) test_that "$2 blame: received = counted, 30 waits and more" jq -e '.end | .counted == .received and .received >= 30 and .lost == 0 and .unbalanced == 0' "$d/blame.json" ;;
		esac
	done
}

judge_widened() {
	local d=$1
	test_that "$2 ends well" ends_as "$d/stat" 0
	test_that "$2 the note" says_so "$d/stat" '^kvmwait: bpftrace lacks a capability: it is started again with CAP_SYS_ADMIN$'
	test_that "$2 the note alone" test "$(wc -l <"$d/stat.err")" = 1
	test_that "$2 13 HLTs and 17 yields" jq -e -s '(map(select(.type == "stat" and .total)) | last | .rows) |
		(map(.hlt) | add) == 13 and (map(.pv_yield) | add) == 17 and (map(.waits) | add) == 30' "$d/stat.ndjson"
}

judge_pod() {
	local d=$1 n
	for n in own own-stat; do
		test_that "$2 $n: exit 4" ends_as "$d/$n" 4
		test_that "$2 $n: the reason and the next step" says_so "$d/$n" 'PID namespace of its own, .*: run it in that of the host .docker --pid=host, hostPID in Kubernetes.$'
	done
	test_that "$2 check finds it: exit 4" ends_as "$d/own-check" 4
	test_that "$2 check finds it" says_so "$d/own-check" '^BAD +namespace'
	test_that "$2 the host's PIDs: exit 0" ends_as "$d/host" 0
	test_that "$2 the host's PIDs: every count is the guest's" is_equal "$d/guest.json" "$d/host.ndjson"
	test_that "$2 the host's PIDs: the VM has its name" jq -e -s 'map(select(.type == "wait") | .vm) | unique == ["outside-kvm", "outside-noirqchip"]' "$d/host.ndjson"
	test_that "$2 the host's PIDs: received + lost = counted" balanced "$d/host.ndjson"
}

prepare_settings() { put_tool nested; }

judge_settings() {
	local part
	for part in ${3//+/ }; do "judge_settings_$part" "$1" "$2"; done
}

# exact_as TRACE: what holds of a trace of 13 HLTs and 17 yields by the guest of the same name.
exact_as() {
	test_that "$2: exit 0" ends_as "$1" 0
	test_that "$2: says nothing" silent "$1"
	test_that "$2: every count is the guest's" is_equal "$1.guest" "$1.ndjson"
	test_that "$2: 30 waits" jq -e -s 'map(select(.type == "wait")) | length == 30' "$1.ndjson"
	judge_trace "$1.ndjson" "$2:"
}

judge_settings_levels() {
	local d=$1 pair
	for pair in -1:0 1:1 2:2 3:0; do
		test_that "$2 perf_event_paranoid and kptr_restrict are $pair" test "$(cat "$d/level$pair.set")" = "${pair/:/ } "
		exact_as "$d/level$pair" "$2 $pair"
		test_that "$2 $pair: each wait has its outcome" jq -e -s 'map(select(.type == "outcome" and .end != "unseen")) | length == 30' "$d/level$pair.ndjson"
	done
}

judge_settings_mounts() {
	local d=$1
	exact_as "$d/below" "$2 tracefs below debugfs alone"
	test_that "$2 no tracefs: none is there" test "$(grep -vc ':$' "$d/none.files")" = 1
	test_that "$2 no tracefs: exit 3" ends_as "$d/none" 3
	test_that "$2 no tracefs: the reason" says_so "$d/none" 'tracefs is not mounted'
	test_that "$2 no tracefs: check finds it" ends_as "$d/none-check" 3
	test_that "$2 no tracefs: the next step" says_so "$d/none-check" '-> mount -t tracefs tracefs /sys/kernel/tracing'
}

judge_settings_cgroups() {
	local d=$1 name
	for name in old new nested; do
		exact_as "$d/$name" "$2 $name"
		test_that "$2 $name: the VM has its name from its cgroup" jq -e -s --arg name $name 'map(select(.type == "wait") | .vm) | unique == [$name]' "$d/$name.ndjson"
	done
	test_that "$2 old: it is in a cgroup of v1" grep -qE '^[0-9]+:cpu[^:]*:/machine/qemu-2-old\.libvirt-qemu$' "$d/old.cgroups"
	test_that "$2 new: it is in one of v2" grep -qxF '0::/machine.slice/machine-qemu\x2d1\x2dnew.scope' "$d/new.cgroups"
}

judge_dead() {
	local d=$1 n
	for n in ftrace ftrace-stat kprobes kprobes-record blacklist; do test_that "$2 $n: exit 4" ends_as "$d/$n" 4; done
	for n in ftrace ftrace-stat; do
		test_that "$2 $n: the reason and the next step" says_so "$d/$n" 'kernel.ftrace_enabled is 0.*: sysctl kernel.ftrace_enabled=1$'
	done
	for n in kprobes kprobes-record; do
		test_that "$2 $n: the reason and the next step" says_so "$d/$n" 'kprobes/enabled. is 0.*: echo 1 >/sys/kernel/debug/kprobes/enabled$'
	done
	test_that "$2 blacklist: the function" says_so "$d/blacklist" "forbids probes on 'kvm_vcpu_on_spin'"
	for n in ftrace kprobes; do
		test_that "$2 check finds $n: exit 4" ends_as "$d/$n-check" 4
		test_that "$2 check finds $n" says_so "$d/$n-check" '^BAD +kprobes .* attach, and never fire$'
	done
	test_that "$2 without debugfs: exit 0" ends_as "$d/debugfs" 0
	test_that "$2 without debugfs: every count is the guest's" is_equal "$d/debugfs.guest" "$d/debugfs.ndjson"
	test_that "$2 without debugfs: received + lost = counted" balanced "$d/debugfs.ndjson"
}
