# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2086,SC2154
# The audit where the probes do not see what KVM does: kprobes are switched off in the middle of a trace. That it agrees
# where they do is judged of every trace (judge.sh). And the audit of one VM of two, and without debugfs.

audit() {
	kprobes=/sys/kernel/debug/kprobes/enabled
	# while the VM that is not seen is still there, and after it has ended
	for when in running ended; do
		cat >$when.sh <<-SH
			kvmwait-guest -n seen --stay 1 $wait=31 >$when.seen.json
			echo 0 >$kprobes
			kvmwait-guest -n dead --stay 4 $wait=37 >$when.dead.json &
			sleep 3
			[ $when = running ] || wait
			echo 1 >$kprobes
		SH
		kvmwait trace -o $when.ndjson -- sh $when.sh 2>$when.err
		echo $? >$when.status
		await no_guest
	done
	kvmwait-guest -n a --stay 1 --gate go $wait=31 >a.json &
	kvmwait-guest -n b --stay 1 --gate go $wait=37 >b.json &
	both_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ]; }
	await both_there
	cat >go.sh <<-'SH'
		touch go
		while ! { grep -q could_not a.json && grep -q could_not b.json; }; do sleep 0.1; done
	SH
	kvmwait trace --vm b-kvm -o one.ndjson -- sh go.sh 2>one.err
	echo $? >one.status
	wait
	kvmwait stat -f json -o stat.ndjson -- kvmwait-guest $wait=41 2>stat.err
	echo $? >stat.status
	umount /sys/kernel/debug
	kvmwait trace -o hidden.ndjson -- kvmwait-guest $wait=41 2>hidden.err
	echo $? >hidden.status
	mount -t debugfs none /sys/kernel/debug
}
no_guest() { ! pidof kvmwait-guest >/dev/null; }

# ---- judge ----

# Each of two vCPUs does what the guest is asked for: 2 x 31 = 62, 2 x 37 = 74, 2 x 41 = 82.

# audit_of TRACE: the one for hlt, in the end record.
audit_of() { jq -c 'select(.type == "end").audit[] | select(.event == "hlt")' "$1"; }
audit_is() { audit_of "$1" | jq -e "$2" || { audit_of "$1"; return 1; }; }

judge_audit() {
	local d=$1 when
	for when in running ended; do
		test_that "$2 $when: balanced all the same" balanced "$d/$when.ndjson"
		test_that "$2 $when: KVM counted more than the probes" audit_is "$d/$when.ndjson" '.seen == 62 and .kernel >= 62 + 37 and .difference == .seen - .kernel'
		test_that "$2 $when: exit status 5" test "$(cat "$d/$when.status")" = 5
		test_that "$2 $when: named, with the next step" grep -q "the audit fails: KVM counted .* hlt .*kvmwait selftest" "$d/$when.err"
	done
	test_that "$2 of one VM alone" audit_is "$d/one.ndjson" '.seen == 74 and .kernel == 74 and .difference == 0'
	test_that "$2 of one VM: ends well" test "$(cat "$d/one.status")" = 0
	test_that "$2 stat" audit_is "$d/stat.ndjson" '.seen == 82 and .kernel == 82 and .kernel_most == 82 and .difference == 0'
	test_that "$2 stat: ends well" test "$(cat "$d/stat.status")" = 0
	test_that "$2 without debugfs: the record says why" audit_is "$d/hidden.ndjson" 'has("seen") == false and (.why | test("debugfs"))'
	test_that "$2 without debugfs: ends well" test "$(cat "$d/hidden.status")" = 0
}
