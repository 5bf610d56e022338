#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kernels of distributions that no test machine runs, made of captured ones: what sets each of them apart, and nothing else.
#   tests/roots/distributions.sh --table          the table of share/doc/MATRIX.md
#   tests/roots/distributions.sh DIRECTORY        makes them in DIRECTORY/NAME; KVMWAIT_ROOTS holds the unpacked roots
# A distribution is a function dist_NAME that is handed the directory of the copy. Its kernel is not the distribution's: what
# the plan makes of such a shape is tested, not the distribution.
set -euo pipefail

# NAME | what it imitates | captured root it is made of | known from
list='rhel-8 | RHEL 8: release 4.18, functions of 5.17, no BTF of modules, no kvm_vcpu in that of the kernel | 6.12 cloud-amd64 | made-up root
rhel-9.0 | RHEL 9.0: release 5.14, names of functions of 5.14 | 5.10 cloud-amd64 | made-up root; their arguments read from source
rhel-9.6 | RHEL 9.6: release 5.14, functions of 6.x | 6.12 cloud-amd64 | made-up root
ubuntu-22.04 | Ubuntu 22.04: release 5.15, names of functions of 5.15 | 5.10 cloud-amd64 | made-up root; their arguments read from source
ubuntu-24.04 | Ubuntu 24.04: release 6.8, functions of 6.1 | 6.1 cloud-amd64 | made-up root
openeuler-22.03 | openEuler 22.03 on arm64: release 5.10, yields and WFx handlers of its own | 5.10 cloud-arm64 | made-up root; its handlers read from source; 5.10 itself is live above
talos | Talos: ThinLTO, KVM built in, its functions renamed .llvm.NUMBER | 6.12 cloud-amd64 | made-up root
cachyos | CachyOS: ThinLTO with CFI: .llvm.NUMBER, .cfi_jt, __cfi_ | 7.3 cloud-amd64 | made-up root
live-patch | a live patch with a second kvm_emulate_halt | 6.12 cloud-amd64 | made-up root
no-btf | no BTF at all | 6.12 cloud-amd64 | made-up root
newer-btf | BTF with a kind of type that libbpf does not know | 7.3 cloud-amd64 | made-up root'

release() { echo "$2" >"$1/proc/sys/kernel/osrelease"; }
functions() { sed -i -E "$2" "$1/proc/kallsyms" "$1/sys/kernel/tracing/available_filter_functions"; }
without_module_btf() { rm -f "$1/sys/kernel/btf/kvm"; }

dist_rhel_8() {
	release "$1" 4.18.0-553.el8_10.x86_64
	without_module_btf "$1"
	# a name of the same length: no struct of that name is left
	sed -i 's/\x00kvm_vcpu\x00/\x00kvm_gone\x00/' "$1/sys/kernel/btf/vmlinux"
}
dist_rhel_9_0() { release "$1" 5.14.0-70.el9.x86_64; }
dist_rhel_9_6() { release "$1" 5.14.0-570.el9_6.x86_64; }
dist_ubuntu_22_04() { release "$1" 5.15.0-160-generic; }
dist_openeuler_22_03() {
	release "$1" 5.10.0-216.0.0.115.oe2203sp4.aarch64
	printf '0000000000000000 %s\n' 'T kvm_pvsched_kick_vcpu' 't tec_exit_wfx' >>"$1/proc/kallsyms"
	printf '%s\n' kvm_pvsched_kick_vcpu tec_exit_wfx >>"$1/sys/kernel/tracing/available_filter_functions"
}
dist_ubuntu_24_04() { release "$1" 6.8.0-90-generic; }
dist_talos() {
	: >"$1/proc/modules"
	functions "$1" 's/[\t ]\[kvm.*//; s/\b(kvm_sched_yield|kvm_vcpu_on_spin)\b/\1.llvm.14276925113217353261/'
	without_module_btf "$1"
}
dist_cachyos() {
	functions "$1" 's/\bkvm_sched_yield\b/kvm_sched_yield.llvm.9876543210/'
	printf '0000000000000000 t %s\t[kvm]\n' __cfi_kvm_emulate_halt kvm_emulate_halt.cfi_jt >>"$1/proc/kallsyms"
}
dist_live_patch() { printf '0000000000000000 t kvm_emulate_halt\t[livepatch_1]\n' >>"$1/proc/kallsyms"; }
dist_no_btf() { rm -r "$1/sys/kernel/btf"; }
# The kind of the first type, behind its name's offset of 32 bits and 24 bits of its own, becomes 31.
dist_newer_btf() { printf '\x1f' | dd of="$1/sys/kernel/btf/vmlinux" bs=1 seek=31 conv=notrunc status=none; }

trim() { sed -E 's/^ +| +$//g' <<<"$1"; }

if [ "${1:-}" = --table ]; then
	cat <<-'MD'

		## Distributions

		The kernels above are *live*. Those of these distributions were not run: each is a captured kernel with what sets the
		distribution apart (`tests/roots/distributions.sh`), and `tests/cli/run` holds the plan for it against what it is to be.
		*Read from source*: the captured kernel is older there, and has no BTF of modules that could say it; the plan goes by the
		names of functions and the range.

	MD
	echo '| shape | made of | known from |'
	echo '|---|---|---|'
	while IFS='|' read -r _ what from known; do echo "| $(trim "$what") | $(trim "$from") | $(trim "$known") |"; done <<<"$list"
	exit
fi
while IFS='|' read -r name _ from _; do
	name=$(trim "$name") from=$(trim "$from")
	series=${from%% *}
	root=$(find "$KVMWAIT_ROOTS" -maxdepth 1 -regex ".*/${series//./\\.}\\.[0-9.]*\\([+-][a-z0-9]*\\)?-${from#* }" | sort -V | tail -n 1)
	mkdir -p "$1"
	rm -rf "${1:?}/$name"
	cp -r "$root" "$1/$name"
	"dist_${name//[-.]/_}" "$1/$name"
done <<<"$list"
