# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# How a trace ends, and what is lost on the way.

# Ends of all kinds: Ctrl-C, a reader that has seen enough, a kill that cannot be caught, a full disk.
stop() {
	kvmwait trace >int.ndjson 2>err &
	pid=$!
	await has_meta int.ndjson
	kvmwait-guest hlt-user=23 >guest.json
	kill -INT $pid
	wait $pid
	echo $? >int.status
	no_bpftrace && echo gone >int.bpftrace
	(kvmwait trace -d 20 2>pipe.err; echo $? >pipe.status) | head -n 1 >pipe.ndjson &
	await has_meta pipe.ndjson
	kvmwait-guest hlt-user=23 >/dev/null
	await test -s pipe.status
	await no_bpftrace && echo gone >pipe.bpftrace
	kvmwait trace >kill.ndjson 2>>err &
	pid=$!
	await has_meta kill.ndjson
	kill -KILL $pid
	await no_bpftrace && echo gone >kill.bpftrace
	sleep 1
	cat /sys/kernel/debug/kprobes/list >kill.kprobes
	kvmwait trace -d 1 -o /dev/full 2>full.err
	echo $? >full.status
	kvmwait trace -d 2 >term.ndjson 2>>err
	echo $? >term.status
}

# bpftrace does not read while a storm goes on: its buffers overrun. It tells of a loss with the next event that it
# reads, so there is one more, once what was buffered has come out. loss:CPU has the events on that CPU.
loss() {
	case $1 in loss) cpu=0 ;; *) cpu=$1 ;; esac
	cat >storm.sh <<-'SH'
		kill -STOP $(pidof bpftrace)
		taskset $((1 << cpu)) kvmwait-guest -c 1 yield:1=60013 >guest.json
		before=$(wc -c <trace.ndjson)
		kill -CONT $(pidof bpftrace)
		same=0
		while [ $same -lt 3 ]; do
			sleep 1
			now=$(wc -c <trace.ndjson)
			same=$((now > before && now == last ? same + 1 : 0))
			last=$now
		done
		taskset $((1 << cpu)) kvmwait-guest -c 1 yield:1=17 >more.json
		sleep 2
	SH
	cpu=$cpu kvmwait trace -o trace.ndjson -- sh storm.sh 2>err
	echo $? >status
}

# Events come faster than they can be read, and do not stop by themselves.
storm() {
	kvmwait-guest -c 1 --op-timeout 900 yield:1=100000000 >/dev/null 2>&1 &
	guest=$!
	kvmwait trace -d 2 -o trace.ndjson 2>err
	echo $? >status
	kill -0 $guest && echo alive >guest
	kill $guest
	wait
}

# ---- judge ----

judge_stop() {
	local d=$1
	test_that "$2 Ctrl-C ends with the end record" jq -e -s '.[-1] | .type == "end" and .why == "interrupted" and .received == 46 and .counted == 46' "$d/int.ndjson"
	test_that "$2 Ctrl-C is no failure" test "$(cat "$d/int.status")" = 0
	test_that "$2 Ctrl-C leaves no bpftrace" test -e "$d/int.bpftrace"
	test_that "$2 a closed pipe ends it quietly" test "$(cat "$d/pipe.status")" = 0 -a ! -s "$d/pipe.err"
	test_that "$2 a closed pipe leaves no bpftrace" test -e "$d/pipe.bpftrace"
	test_that "$2 SIGKILL leaves no bpftrace" test -e "$d/kill.bpftrace"
	test_that "$2 SIGKILL leaves no probe" test ! -s "$d/kill.kprobes"
	test_that "$2 a full disk fails" test "$(cat "$d/full.status")" = 1
	test_that "$2 a full disk is named" grep -q "'/dev/full': No space left on device" "$d/full.err"
	test_that "$2 -d ends by itself" jq -e -s '.[-1] | .why == "the time is up" and .bpftrace_status == null' "$d/term.ndjson"
	test_that "$2 -d is no failure" test "$(cat "$d/term.status")" = 0
	test_that "$2 -d: received + lost = counted" balanced "$d/term.ndjson"
}

# From 0.24 on bpftrace adds up what each CPU lost with a loop that ends before the highest one.
forgets_the_highest_cpu() { [ "$(printf '%s\n' 0.24 "$1" | sort -V | head -n 1)" = 0.24 ]; }

judge_loss() {
	local d=$1 version cpu=${3#loss} cpus=${third:-1}
	IFS=: read -r _ version _ <<<"$row"
	test_that "$2 events were lost, and said so" jq -e -s '.[-1].lost > 0 and (map(select(.type == "lost") | .lost) | add) == .[-1].lost' "$d/trace.ndjson"
	# The last line of the VM's only vCPU, which the audit asks for, can be lost as well: then it is counted, the audit has no
	# upper bound, and the events are one less.
	test_that "$2 received + lost = counted = what the guest did" jq -e -s '.[-1] | .received + .lost == .counted and
		(.counted == 60030 or (.counted == 60031 and all(.audit[]; has("kernel_most") | not)))' "$d/trace.ndjson"
	if forgets_the_highest_cpu "$version" && [ "${cpu:-0}" = $((cpus - 1)) ]; then
		test_that "$2 bpftrace reported no loss: they are of the highest CPU" jq -e -s '.[-1] | .unreported == .lost' "$d/trace.ndjson"
	else
		test_that "$2 bpftrace reported every loss" jq -e -s '.[-1].unreported == 0' "$d/trace.ndjson"
	fi
	test_that "$2 received is what came out" balanced "$d/trace.ndjson"
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
}

judge_storm() {
	local d=$1
	test_that "$2 the guest still yields" test -e "$d/guest"
	test_that "$2 the trace ended in time" jq -e -s '.[-1].why == "the time is up"' "$d/trace.ndjson"
	test_that "$2 received + lost = counted" balanced "$d/trace.ndjson"
	test_that "$2 ends well" test "$(cat "$d/status")" = 0
}
