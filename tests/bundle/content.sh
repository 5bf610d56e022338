# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is in a bundle of the shipped list, on a made-up host; a part of tests/bundle/run.
# shellcheck disable=SC2154 # namespaces, kvmwait, top and work are those of tests/bundle/run

# ---- settings: each of these files is taken where the host has it ----

expected_files='
	proc/sys/kernel/split_lock_mitigate proc/sys/kernel/sched_rt_runtime_us proc/sys/kernel/numa_balancing proc/sys/kernel/numa_balancing_promote_rate_limit_MBps
	sys/kernel/debug/sched/features sys/kernel/debug/sched/base_slice_ns sys/kernel/debug/sched/numa_balancing/scan_delay_ms sys/kernel/debug/sched_features
	sys/kernel/sched_ext/state sys/kernel/sched_ext/nr_rejected sys/kernel/sched_ext/root/ops
	sys/kernel/mm/transparent_hugepage/enabled sys/kernel/mm/transparent_hugepage/defrag sys/kernel/mm/transparent_hugepage/khugepaged/defrag
	sys/kernel/mm/ksm/run sys/kernel/mm/ksm/pages_sharing
	sys/devices/system/cpu/smt/active sys/devices/system/cpu/smt/control
	sys/devices/system/cpu/cpu3/cpufreq/scaling_governor sys/devices/system/cpu/cpu3/cpufreq/scaling_driver sys/devices/system/cpu/intel_pstate/no_turbo
	sys/devices/system/cpu/cpu3/microcode/version sys/devices/system/cpu/cpu3/thermal_throttle/core_throttle_count
	sys/devices/system/clocksource/clocksource0/current_clocksource sys/devices/system/clocksource/clocksource0/available_clocksource'
for file in $expected_files; do
	mkdir -p "host/${file%/*}"
	echo "x of $file" >"host/$file"
done
# The shipped patterns, of the made-up host.
awk '$4 == "file"' "$top/share/bundle.list" | sed "s| /| $work/host/|g" >host.list
takes_all() {
	local file bad=0
	bundle --items host.list -o host.tar.zst >out 2>said || { cat said; return 1; }
	manifest host.tar.zst | jq -r '.items[] | select(.status == "ok") | .source' | sort -u >taken.list
	for file in $expected_files; do grep -qxF "$work/host/$file" taken.list || { echo "not taken: $file"; bad=1; }; done
	return "$bad"
}
test_that 'the shipped list takes the settings that a support engineer asks for' takes_all

# ---- the kernel's log ----

cat >kept.log <<'LOG'
watchdog: BUG: soft lockup - CPU#3 stuck for 26s! [worker-7:4711]
CPU: 3 PID: 4711 Comm: worker-7 Not tainted 6.12.107 #1
RIP: 0010:smp_call_function_many_cond+0x12a/0x580
Call Trace:
NMI watchdog: Watchdog detected hard LOCKUP on cpu 5
x86/split lock detection: #AC: worker/4712 took a split_lock trap at address: 0x55d0c8a4b1c0
x86/split lock detection: #DB: db/4713 took a bus_lock trap at address: 0x7f0000001000
INFO: task jbd2/nvme0n1:812 blocked for more than 120 seconds.
"echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
task:jbd2/nvme0n1 state:D stack:0 pid:812 tgid:812 ppid:2
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: 	3-....: (5250 ticks this GP) idle=1a2c/1/0x4000000000000000
rcu: rcu_preempt kthread starved for 5252 jiffies! g1241 f0x0 RCU_GP_WAIT_FQS(5)
mce: CPU3: Core temperature is above threshold, cpu clock is throttled (total events = 12)
CPU3: Package temperature/speed normal
clocksource: timekeeping watchdog on CPU1: Marking clocksource 'tsc' as unstable because the skew is too large:
tsc: Marking TSC unstable due to clocksource watchdog
mce: [Hardware Error]: Machine check events logged
{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4
perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate
sched_ext: BPF scheduler "lavd" enabled
sched: RT throttling activated
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=db,pid=99,uid=0
microcode: Current revision: 0x0b000040
kvm [4711]: vcpu0, guest rIP: 0xffffffff81062a94 disabled perfctr wrmsr
LOG
cat >dropped.log <<'LOG'
usb 1-1: new high-speed USB device number 2 using xhci_hcd
EXT4-fs (nvme0n1p2): mounted filesystem with ordered data mode
eth0: link is up at 1000 Mbps
audit: type=1400 apparmor="STATUS"
LOG
sort -R kept.log dropped.log >all.log
keeps_what_matters() {
	awk -v log_file="$work/all.log" '$4 == "lines" { $5 = log_file; print }' "$top/share/bundle.list" >log.list
	bundle --items log.list -o log.tar.zst >out 2>said || { cat said; return 1; }
	diff <(tar --zstd -xOf log.tar.zst kernel.log | sort) <(sort kept.log)
}
test_that 'the kernel log keeps lockups, split locks, hung tasks, stalls, throttling, clocks and machine checks, and no more' keeps_what_matters

# ---- the cgroups of VMs, of both versions, on a made-up host ----

# process TGID COMM: one that holds a VM; thread TGID TID COMM LINE...: with these lines in its cgroup file.
process() {
	mkdir -p "p/$1/fd" && ln -sf anon_inode:kvm-vm "p/$1/fd/5" && ln -sf anon_inode:kvm-vcpu:0 "p/$1/fd/6" && printf 'qemu\0-name\0%s\0' "$2" >"p/$1/cmdline"
	printf '%s (qemu) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n' "$1" >"p/$1/stat"
}
thread() {
	mkdir -p "p/$1/task/$2" && printf 'Name:\t%s\nCpus_allowed_list:\t0-1\n' "$3" >"p/$1/task/$2/status" && echo "$3" >"p/$1/task/$2/comm" && printf '%s\n' "${@:4}" >"p/$1/task/$2/cgroup"
	[ "$3" != main ] || cp "p/$1/task/$2/cgroup" "p/$1/cgroup"
}
# group FILE...: each holds its name.
group() { local f; for f; do mkdir -p "${f%/*}" && echo "${f#fs/}" >"$f"; done; }
mkdir -p p/self
cat >p/self/mountinfo <<MOUNTS
20 1 0:20 / /proc rw - proc proc rw
31 23 0:28 / $work/fs rw,relatime - tmpfs tmpfs rw,mode=755
41 31 0:38 / $work/fs/unified rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate
42 31 0:29 / $work/fs/cpu,cpuacct rw,relatime shared:10 - cgroup cgroup rw,cpu,cpuacct
43 31 0:30 /pods $work/fs/cpuset rw,relatime - cgroup cgroup rw,cpuset
44 31 0:31 / $work/fs/memory rw,relatime - cgroup cgroup rw,memory
MOUNTS
process 300 web01
thread 300 300 main '0::/machine.slice/machine-qemu\x2d1\x2dweb01.scope/libvirt/emulator'
thread 300 301 'CPU 0/KVM' '0::/machine.slice/machine-qemu\x2d1\x2dweb01.scope/libvirt/vcpu0'
process 400 101
thread 400 400 main '0::/qemu.slice/101.scope'
process 500 pod
thread 500 500 main '0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-77.scope' '4:memory:/other' '3:cpuset:/pods/a/b' '2:cpu,cpuacct:/kubepods/a'
process 600 fc
thread 600 600 main '0::/firecracker/fc-1' '2:cpu,cpuacct:/../outside' '3:cpuset:/elsewhere'
mkdir -p p/700/task/700 && echo '0::/user.slice/shell' >p/700/task/700/cgroup # no VM
v2=fs/unified
group "$v2"/cpu.stat "$v2"/machine.slice/{cpu.max,cpu.stat,cpu.weight,cpuset.cpus.effective,memory.max} "$v2/machine.slice/machine-qemu\\x2d1\\x2dweb01.scope"/{cpu.max,cpu.stat} \
	"$v2/machine.slice/machine-qemu\\x2d1\\x2dweb01.scope/libvirt"/{cpu.stat,vcpu0/cpu.max,vcpu0/cpuset.cpus,emulator/cpu.max} "$v2"/qemu.slice/{cpu.weight,101.scope/cpu.max} \
	"$v2"/kubepods.slice/kubepods-burstable.slice/{cpu.max,cri-containerd-77.scope/cpu.max} "$v2"/firecracker/fc-1/{cpu.max,cpuset.cpus} "$v2"/user.slice/{cpu.max,shell/cpu.max} \
	fs/cpu,cpuacct/{cpu.shares,outside/cpu.shares} fs/cpu,cpuacct/kubepods/a/{cpu.cfs_quota_us,cpu.cfs_period_us,cpu.shares,cpu.stat} fs/cpuset/{cpuset.cpus,a/b/cpuset.cpus,elsewhere/cpuset.cpus} fs/memory/other/{memory.limit,cpu.max}
# A backslash stands doubled in manifest.json and vms.json, as in all that text_clean() wrote.
# All that was made, but what no VM is in, or no hierarchy with the CPU's controllers.
find fs -type f ! -path '*/user.slice/*' ! -path '*/outside/*' ! -path '*/elsewhere/*' ! -path 'fs/memory/*' ! -name 'memory.*' | sort >cgroups.expected
grep -E '^(cgroups/|vms.json) ' "$top/share/bundle.list" >cgroups.list || true
takes_cgroups() {
	rm -rf cg cg.tar.zst
	"${namespaces[@]}" bash -c 'mount --bind p /proc && exec "$kvmwait" bundle --items cgroups.list -o cg.tar.zst' >out 2>said || { cat said; return 1; }
	mkdir cg && tar --zstd -xf cg.tar.zst -C cg
	diff <(jq -r '.items[] | select(.name == "cgroups/" and .status == "ok") | .source' cg/manifest.json | sed "s|^$work/||; s|\\\\\\\\|\\\\|g" | sort) cgroups.expected || return 1
	[ "$(cat "cg/cgroups$work/fs/cpuset/a/b/cpuset.cpus")" = cpuset/a/b/cpuset.cpus ]
}
says_whose() { jq -e '[.vms[] | select(.vm == "web01").threads[] | .cgroups[0]] | sort == [("emulator", "vcpu0") | "0::/machine.slice/machine-qemu\\\\x2d1\\\\x2dweb01.scope/libvirt/" + .]' cg/vms.json || { cat cg/vms.json; return 1; }; }
# A cookie is the kernel's word for the thread: what Python hears from it, or null.
says_cookie() {
	local tid=$$ expected
	process "$tid" cookie && thread "$tid" "$tid" main '0::/'
	takes_cgroups || return 1
	expected=$(python3 -c 'import ctypes, sys; c = ctypes.c_uint64(0); print("null" if ctypes.CDLL(None).prctl(62, 0, int(sys.argv[1]), 0, ctypes.byref(c)) else c.value)' "$tid")
	rm -r "p/${tid:?}"
	[ "$(jq -c '.vms[] | select(.vm == "cookie").threads[0] | [has("core_sched_cookie"), .core_sched_cookie]' cg/vms.json)" = "[true,$expected]" ] || { echo "not $expected"; cat cg/vms.json; return 1; }
}
no_vm() {
	mv p/self self && rm -rf p none.tar.zst && mkdir p && mv self p/self
	"${namespaces[@]}" bash -c 'mount --bind p /proc && exec "$kvmwait" bundle --items cgroups.list -o none.tar.zst' >out 2>said || { cat said; return 1; }
	has none.tar.zst '[.items[] | select(.name == "cgroups/") | .status] == ["absent"]'
}
if "${namespaces[@]}" true 2>/dev/null; then
	test_that 'cgroups: the files of every VM, from its threads to the root, of v1 and v2' takes_cgroups
	test_that 'cgroups: vms.json says which are whose' says_whose
	test_that 'core scheduling: the cookie of each thread' says_cookie
	test_that 'cgroups: no VM is no failure' no_vm
else
	skip_that 'cgroups: the files of every VM' 'this user may not make namespaces'
fi

# ---- the findings ----

why_is_first() { [ "$("$kvmwait" bundle ${shipped[@]+"${shipped[@]}"} --list | awk 'NR > 1 { print $1 }' | sort | head -n 1)" = 0-why.txt ]; }
test_that 'the findings are the first file by name' why_is_first
# Of the shipped item, but of a recording: this machine may have no VM.
why_has() {
	local recording=$top/tests/html/host1.zst
	{
		echo "record.ndjson 60 64M run /usr/bin/zstd -qdc $recording"
		sed -n "s|^\(0-why.txt .* why\) .*|\1 $recording|p" "$top/share/bundle.list"
	} >why.list
	bundle --items why.list "$@" -o why.tar.zst >out 2>said || { cat said; return 1; }
	tar --zstd -xOf why.tar.zst 0-why.txt >why.txt && grep -q ': vCPU 1 could run and waited 13 % of the time for hog (431), a thread of the host' why.txt || { cat why.txt; return 1; }
}
test_that 'the findings are in a bundle' why_has
test_that 'the findings name the VM' grep -q '^web01-kvm: vCPU 1 ' why.txt
test_that 'the findings are in a bundle with --redact' why_has --redact
test_that 'the findings with --redact: a token for the VM' bash -c 'grep -q "^vm-[^ ]*: vCPU 1 " why.txt && ! grep -q "web01" why.txt || { cat why.txt; exit 1; }'
