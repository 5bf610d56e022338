# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2094
# How KVM came to each event. Sourced by inside.sh.

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
