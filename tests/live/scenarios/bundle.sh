# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# A bundle while a guest runs, judged by other programs.

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

# ---- judge ----

# This machine's libarchive with all that it needs, to lie beside kvmwait.
libarchive_files() {
	local library
	library=/usr/lib/$(gcc -print-multiarch)/libarchive.so.13
	printf '%s\n' "$library"
	ldd "$library" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p'
}

prepare_bundle() {
	local file
	put "$top/share/bundle.list" /bundle.list
	put "$top/share/why.list" /usr/local/share/kvmwait/why.list
	for file in $(libarchive_files); do put "$file" "/usr/libexec/kvmwait/${file##*/}"; done
}

hashes_agree() { (cd "$1" && jq -r '.items[] | select(.path) | "\(.sha256)  \(.path)"' manifest.json | sha256sum -c --quiet --strict -); }
plan_is_the_live_one() { diff <("$kvmwait" plan --json --root "$1/bundle/capture") "$1/plan.json"; }
# counter BUNDLE-DIR WHEN NAME
counter() { cat "$1/$2/sys/kernel/debug/kvm/$3"; }
counted() { [ $(($(counter "$1" after exits) - $(counter "$1" before exits))) -ge "$2" ]; }
items_are_well() { jq -e --arg names "$2" '[.items[] | select(.name as $n | $names | split(" ") | index($n)) | select(.status != "ok")] == []' "$1/manifest.json" >/dev/null || { jq -c '.items[] | select(.status == "failed")' "$1/manifest.json"; return 1; }; }

judge_bundle() {
	local d=$1 b=$1/bundle
	rm -rf "$b" "$d/redacted"
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
	test_that "$2 the guest ends well" guest_is_well "$d"
	test_that "$2 it is read" "$kvmwait" bundle --extract "$b" "$d/b.tar.zst"
	test_that "$2 hashes are those of sha256sum" hashes_agree "$b"
	test_that "$2 the plan of what was captured is the live one" plan_is_the_live_one "$d"
	test_that "$2 all there: plan, record, counts, counters, bpftrace, VMs, log, findings" items_are_well "$b" \
		'bundle/plan.json bundle/bpftrace.txt bundle/bpftrace-version capture/ vms.json record.ndjson stat.ndjson 0-why.txt kernel.log bundle.log'
	test_that "$2 what was recorded is what the guest did" is_equal "$d/guest.json" "$b/record.ndjson"
	judge_trace "$b/record.ndjson" "$2"
	test_that "$2 every wait has its outcome" every_wait_has_one "$b/record.ndjson"
	test_that "$2 KVM's own counter went on meanwhile" counted "$b" 1
	test_that "$2 report finds the recording in it" bash -c '"$0" report --json "$1" | jq -e ".files | length == 1"' "$kvmwait" "$d/b.tar.zst"
	test_that "$2 report has the audit of it" bash -c '"$0" report "$1" | grep -x "audit: hlt 68 agrees with KVM.s halt_exits 68"' "$kvmwait" "$d/b.tar.zst"
	test_that "$2 --redact ends well" test "$(cat "$d/status.redacted")" = 0
	test_that "$2 --redact: it is read" "$kvmwait" bundle --extract "$d/redacted" "$d/r.tar.zst"
	test_that "$2 --redact: the plan is the live one" bash -c 'diff <("$0" plan --json --root "$1/redacted/capture") "$1/plan.json"' "$kvmwait" "$d"
	test_that "$2 --redact: no name of the VM is left" bash -c '! zstd -qdc "$0" | grep -qa "later-kvm"' "$d/r.tar.zst"
	test_that "$2 --redact: the VM has a token" jq -e '[.tokens[]] | index("later-kvm")' "$d/r.tar.zst.redactions.json"
}
