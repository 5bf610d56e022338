# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The account of kvmwait stat beside what the kernel itself accounts for the same threads.

# A VM that halts, polls, yields and goes on in the VMM, with a busy process on the same CPU for a while; one that is
# stopped; and one that ends while it counts. Polls are made long enough for some to be paid off.
account() {
	echo 5000000 >/sys/module/kvm/parameters/halt_poll_ns
	cat >guest.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 100 ] || return 1; sleep 0.1; done; }
		pid_of() { grep -l "[g]uest=$1-" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		there() { for t in /proc/$(pid_of $1)/task/*; do ! grep -q '^CPU 0/' $t/comm 2>/dev/null || return 0; done; return 1; }
		witness switches >switches.before
		rm -f /dev/shm/end
		witness /dev/shm/end >samples &
		kvmwait-guest -c 1 -n web --op-timeout 60 --stay 2 $1-long=1 $1=211 $2=311 $1-long=1 >web.json &
		web=$!
		await there web
		sleep 4.5
		(while :; do :; done) &
		hog=$!
		sleep 1.5
		kill $hog
		kvmwait-guest -c 1 -n short $1=53 >short.json
		kvmwait-guest -c 1 -n stopped --op-timeout 60 --stay 1 $1-long=1 >stopped.json &
		stopped=$!
		await there stopped
		pid=$(pid_of stopped)
		sleep 1
		kill -STOP $pid
		sleep 2.5
		kill -CONT $pid
		wait $web $stopped
		touch /dev/shm/end
		wait
	SH
	case $machine in arm64) set -- wfi wfe ;; *) set -- hlt yield:0 ;; esac
	kvmwait stat -f json -i 1 -o account.ndjson -- sh guest.sh "$1" "$2" 2>err
	echo $? >status
}

# ---- judge ----

# Time goes by instructions: what else the machine of the test does is not measured, and a HLT of seconds takes none.
prepare_account() {
	put_tool witness
	[ "$machine" != amd ] || options+=(--icount)
}

judge_account() {
	local line
	while read -r line; do
		case $line in
		'ok '*) test_that "$2 ${line#ok }" true ;;
		*) test_that "$2 ${line#FAIL }" false ;;
		esac
	done < <("$here/account.py" "$1" "$1.ledger")
	test_that "$2 stat ends well" test "$(cat "$1/status")" = 0
	test_that "$2 fits the JSON Schema" valid_schema "$1/account.ndjson"
}
