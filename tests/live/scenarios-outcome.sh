# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# What followed each wait, beside what the kernel tells by other ways. Sourced by inside.sh.

# A HLT each way, yields to nobody and to a vCPU that could run, beside KVM's wake-up tracepoint and its own counters.
outcome() {
	mkdir $T/instances/wakeup
	echo 65536 >$T/instances/wakeup/buffer_size_kb
	echo 1 >$T/instances/wakeup/events/kvm/kvm_vcpu_wakeup/enable
	cat >guest.sh <<-'SH'
		kvmwait-guest -n halts --stay 1 hlt=31@0 hlt=37@1 hlt-user=19 >halts.json
		kvmwait-guest -n nobody --stay 1 yield:77=23 hv-spin=7 >nobody.json
		cat /sys/kernel/debug/kvm/directed_yield_successful >yielded.before 2>/dev/null
		kvmwait-guest -n runnable --stay 2 busy=1@1 yield:1=41@0 >runnable.json &
		while ! grep -q '^"could_not"' runnable.json 2>/dev/null; do sleep 0.1; done
		cat /sys/kernel/debug/kvm/directed_yield_successful >yielded.after 2>/dev/null
		wait
	SH
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	cat $T/instances/wakeup/trace >wakeup
	rmdir $T/instances/wakeup
	kvmwait convert -f table trace.ndjson >table
}

# A thread is moved from CPU to CPU while it waits; needs two of them.
migrate() {
	cat >guest.sh <<-'SH'
		kvmwait-guest -n moved -c 1 --op-timeout 300 hlt=2003 >moved.json &
		guest=$!
		vm=''
		while kill -0 $guest 2>/dev/null; do
			[ -n "$vm" ] || vm=$(grep -l "[g]uest=moved-kvm" /proc/[0-9]*/cmdline 2>/dev/null | head -n 1 | cut -d/ -f3)
			for mask in 1 2; do
				for t in /proc/${vm:-none}/task/*; do taskset -p $mask ${t##*/} >/dev/null 2>&1; done
			done
		done
		wait
	SH
	kvmwait trace --outcome -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
}
