# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# A bundle while a guest runs. Sourced by inside.sh.

# The guest does what it has to do when the recording has begun.
bundle() {
	kvmwait plan --json >plan.json
	recording() { grep -qs '"type":"meta"' .b.tar.zst.*/*; }
	(
		await recording
		sleep 1
		kvmwait-guest -n bundled --op-timeout 300 hlt=31@0 hlt=37@1 yield:5=17 hv-spin=13 pause=11 >guest.json
		echo $? >guest.status
		# KVM's own counters are those of the VMs that there are
		exec kvmwait-guest -n later --stay 600 busy=1@0 >/dev/null
	) &
	later=$!
	kvmwait bundle -d 25 --items /bundle.list -o b.tar.zst >name 2>err
	echo $? >status
	kvmwait bundle -d 1 --items /bundle.list --redact -o r.tar.zst >name.redacted 2>err.redacted
	echo $? >status.redacted
	kill $later
	wait
}
