# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # tests/live/run and suite set and read these
# The AMD machine: QEMU without hardware virtualization, a CPU with SVM and the pause filter.

takes='image modules cpus modargs icount parallel'
module_names='irqbypass kvm kvm-amd'

machine_prepare() {
	local dir
	command -v qemu-system-x86_64 >/dev/null || die "qemu-system-x86_64 is missing: install qemu-system-x86"
	[ -z "$image" ] || return 0
	dir=$("$here/fetch" kernel "$kernel") || die "no kernel $kernel"
	image=$dir/vmlinuz
	modules=${modules:-$dir/modules}
	mapfile -t drivers < <(sed "s|^|$dir/drivers/|" "$dir/drivers/order")
}

# no_timer_check: on a busy host the kernel's test of the timer may find no tick, and panics. invtsc: KVM on PREEMPT_RT
# wants it.
machine_start() {
	qemu_start qemu-system-x86_64 -M q35 \
		-cpu max,la57=off,cx16=off,x-force-features=on,pause-filter=on,pfthreshold=on,invtsc=on \
		${icount:+-icount shift=2,sleep=off} -append "$append no_timer_check"
}

# ---- rows of tests/live/suite ----

# kernel:bpftrace[:cpus[:NAME]] scenarios. "7" is the newest of the 7.x series; a name tells a row from another one. The
# longest come first, so that two are at work to the end.
row_option=--cpus rows_at_once=2
rows='
6.12:0.23:1 stop loss storm readme counts rates outcome recorded
6.12:0.23 exact hand:x86-5.17 hand:x86-tracepoint check selftest hostile filters privilege
6.12:0.23:4 why:busy why:idle why:hog why:neighbour why:siblings why:quota hogged
6.12:0.23:1:libarchive bundle
6.12:0.23:1:faults killed guests threads modules disk dead pod paranoid:1+stat hidden
7:0.27 exact hand:x86-5.17 selftest counts rates outcome paranoid:2 spots mixed
5.10:0.17 exact hand:x86-5.3 hand:x86-tracepoint selftest counts rates outcome recorded spots
6.12:0.17 exact hand:x86-5.17 loss paranoid:2+trace+stat settings:levels mixed
6.12:0.27 exact hand:x86-5.17 hand:x86-tracepoint loss storm capable paranoid:-1+stat widened settings:levels hidden
6.12:0.23:1:guest-ip spots
6.12:0.23:2 blame:hog blame:vcpu blame:self blame:nobody causes:above causes:shared causes:paused
6.12:0.23:1:audit audit
6.12:0.23:1:account account
5.10:0.17:2 blame:hog blame:vcpu blame:self blame:nobody causes:above causes:shared causes:paused
6.12:0.27:2 exact migrate loss:0 loss:1
7:0.27:2 blame:hog blame:vcpu blame:self blame:nobody causes:above causes:shared causes:paused
6.1:0.17:4:parallel parallel
6.12:0.23:1:portable portable
6.12:0.27:4:parallel parallel
6.12:0.23:1:linux linux
6.12:0.23:1:libbpfcc callers
6.12:0.23:1:settings settings:mounts+cgroups
6.12-o3:0.23 exact hand:x86-5.17
6.1:0.27 exact hand:x86-5.17
6.1:0.17 exact
6.12:0.23:1:traces traces
5.10:0.17:1:traces traces'
