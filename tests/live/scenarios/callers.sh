# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2094,SC2154
# How KVM came to each event.

callers() {
	echo 'kvmwait-guest -c 1 --stay 5 hlt=3 pause=5 yield=7 hv-spin=11 xen-yield=13 >guest.json' >guest.sh
	kvmwait trace --callers -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	# bpftrace finds no address of the kernel then
	echo 2 >/proc/sys/kernel/kptr_restrict
	kvmwait trace --callers -d 1 -o hidden.ndjson 2>hidden.err
	echo $? >>status
	kvmwait check >hidden.check
	echo 0 >/proc/sys/kernel/kptr_restrict
	kvmwait convert -f table trace.ndjson >table
}

# ---- judge ----

# root_with_libbpfcc BPFTRACE: a root with it, and beside kvmwait this machine's libbpfcc with all that it needs.
root_with_libbpfcc() {
	local root=$work/root-$1 library lib
	library=/usr/lib/$(gcc -print-multiarch)/libbcc.so.0
	rm -rf "$root"
	cp -al "$("$here/fetch" bpftrace "$1")/root" "$root" 2>/dev/null || cp -aT "$("$here/fetch" bpftrace "$1")/root" "$root"
	mkdir -p "$root/usr/libexec/kvmwait"
	for lib in "$library" $(ldd "$library" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p'); do cp -L "$lib" "$root/usr/libexec/kvmwait/"; done
	printf '%s\n' "$root"
}

prepare_callers() { options+=(--root "$(root_with_libbpfcc "$bpftrace")"); }

# come_by TRACE SOURCE COUNT FIRST ANY: so many events of the source, each with that function first, and that one in its chain.
come_by() {
	jq -e -s --arg source "$2" --argjson count "$3" --arg first "$4" --arg any "$5" \
		'[.[] | select(.type == "wait" and .event + "-" + .source == $source) | .callers] | length == $count and
		all((.[0] | test("^" + $first + "$")) and any(.[]; test("^" + $any)) and any(.[]; . == "kvm_vcpu_ioctl"))' "$1" >/dev/null ||
		{ jq -c 'select(.type == "wait") | [.source, .callers]' "$1" | sort | uniq -c; return 1; }
}

judge_callers() {
	local d=$1
	test_that "$2 ends well, and not at all where addresses are hidden" test "$(tr '\n' ' ' <"$d/status")" = '0 4 '
	judge_trace "$d/trace.ndjson" "$2"
	test_that "$2 every count is the guest's" is_equal "$d/guest.json" "$d/trace.ndjson"
	test_that "$2 a HLT" come_by "$d/trace.ndjson" hlt-kvm 3 '(kvm_emulate_halt(_noskip)?|handle_fastpath_hlt)' kvm_arch_vcpu_ioctl_run
	test_that "$2 a pause-loop exit" come_by "$d/trace.ndjson" ple-svm 5 kvm_vcpu_on_spin pause_interception
	test_that "$2 a yield of KVM" come_by "$d/trace.ndjson" pv_yield-kvm 7 kvm_sched_yield '_*kvm_emulate_hypercall'
	test_that "$2 a yield of Hyper-V" come_by "$d/trace.ndjson" pv_yield-hyperv 11 kvm_vcpu_on_spin kvm_hv_hypercall
	test_that "$2 a yield of Xen" come_by "$d/trace.ndjson" pv_yield-xen 13 kvm_vcpu_on_spin kvm_xen_hypercall
	test_that "$2 the table has the chains" grep -q '^ *kvm_vcpu_on_spin <- pause_interception <- ' "$d/table"
	test_that "$2 hidden addresses: the next step" grep -q 'sysctl kernel.kptr_restrict=1' "$d/hidden.err"
	test_that "$2 hidden addresses: check says why, and the next step" grep -q 'kptr_restrict' "$d/hidden.check"
}
