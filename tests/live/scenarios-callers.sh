# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2094
# How KVM came to each event. Sourced by inside.sh.

callers() {
	echo 'kvmwait-guest -c 1 --stay 5 hlt=3 pause=5 yield=7 hv-spin=11 xen-yield=13 >guest.json' >guest.sh
	kvmwait trace --callers -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	echo 2 >/proc/sys/kernel/kptr_restrict
	echo 'kvmwait-guest -c 1 hlt-user=17 >guest2.json' >guest.sh
	kvmwait trace --callers -o hidden.ndjson -- sh guest.sh 2>>err
	echo $? >>status
	echo 0 >/proc/sys/kernel/kptr_restrict
	kvmwait convert -f table trace.ndjson >table
}
