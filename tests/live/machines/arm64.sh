# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # tests/live/run and suite set and read these
# The arm64 machine: QEMU, a CPU with EL2. KVM is built into the kernel, and told to trap every WFE and WFI: by itself it
# traps them only while a CPU has more than one thread to run, or not at all.

takes='image cpus policy'
of=-arm64
tty=ttyAMA
built=$top/build/arm64

machine_prepare() {
	qemu_binary=$("$here/fetch" qemu-arm64)/qemu-system-aarch64 || die "no qemu-system-aarch64"
	case ${policy:-trap} in
	trap | notrap) append="kvm-arm.wfe_trap_policy=${policy:-trap} kvm-arm.wfi_trap_policy=${policy:-trap} $append" ;;
	default) ;;
	*) die "no such policy: $policy" ;;
	esac
	[ -z "$image" ] || return 0
	image=$("$here/fetch" kernel-arm64 "$kernel")/vmlinuz || die "no kernel $kernel"
}

machine_start() {
	qemu_start "$qemu_binary" -M virt,virtualization=on,gic-version=3 -cpu neoverse-n1 -append "$append"
}

# ---- rows of tests/live/suite ----

# kernel:bpftrace[:policy] scenarios. The policy is KVM's, for what it traps. "7" is the newest of the 7.x series.
row_option=--policy row_timeout=300
rows='
6.12:0.23 exact hand:arm64 filters outcome totals check selftest spots portable
7:0.27 exact hand:arm64 outcome selftest
6.1:0.17:default exact hand:arm64
5.10:0.17:default exact hand:arm64-5.10
6.12:0.27:default exact
6.12:0.23:notrap exact'
