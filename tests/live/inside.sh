#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted machine: does the scenarios that are named and leaves what they gave in /out/SCENARIO.
# Judges nothing; tests/live/suite does, outside.
#   sh inside.sh SCENARIO[:SCRIPT]...
T=/sys/kernel/tracing
export PATH=/usr/bin:/bin

# On 5.10 a PAUSE that exits is never stepped over under emulation.
case $(uname -r) in 5.10.*) no_pause=--no-pause ;; *) no_pause='' ;; esac

complete() { grep -q '^"could_not"' "$1" 2>/dev/null && [ "$(tail -c 2 "$1")" = '}' ]; }
await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 600 ] || return 1; sleep 0.1; done; }
has_meta() { grep -q '"type":"meta"' "$1" 2>/dev/null; }
no_bpftrace() { ! pidof bpftrace >/dev/null; }
# The pattern is none that it matches itself: the command line of grep is looked at as well.
pid_of() { grep -l "[g]uest=$1" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }

# The standard plan under trace, beside KVM's own counters.
exact() {
	for r in 119 120; do # SVM: PAUSE, HLT
		mkdir $T/instances/$r
		echo 65536 >$T/instances/$r/buffer_size_kb
		echo "exit_reason == $r" >$T/instances/$r/events/kvm/kvm_exit/filter
		echo 1 >$T/instances/$r/events/kvm/kvm_exit/enable
	done
	cat >guest.sh <<-'SH'
		kvmwait-guest --stay 2 $1 >guest.json
		echo $? >guest.status
	SH
	(await complete guest.json && cat /sys/kernel/debug/kvm/halt_exits >halt_exits) &
	kvmwait trace -o trace.ndjson -- sh guest.sh $no_pause 2>err
	echo $? >status
	wait
	for r in 119 120; do
		cat $T/instances/$r/per_cpu/cpu*/stats >exits.$r
		rmdir $T/instances/$r
	done
}

# The script as it stands, by hand.
hand() {
	[ -e /sys/kernel/btf/kvm ] || export BPFTRACE_BTF=/sys/kernel/btf/vmlinux
	export BPFTRACE_PERF_RB_PAGES=1024
	echo "kvmwait-guest $no_pause >guest.json" >guest.sh
	bpftrace -B line -c "/bin/sh guest.sh" /usr/share/kvmwait/scripts/"$1".bt 0 0 0 0 0 0 0 0 >wire 2>err
	echo $? >status
	unset BPFTRACE_BTF BPFTRACE_PERF_RB_PAGES
}

filters() {
	for n in a b; do kvmwait-guest -n $n --stay 1 --gate go "hlt=$([ $n = a ] && echo 31 || echo 37)" yield:5=17 hv-spin=13 pause=11 >$n.json & done
	all_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ] && [ -n "$(pid_of a-hyperv)" ]; }
	await all_there
	pid_of a-kvm >a-kvm.pid
	pid_of b-kvm >b-kvm.pid
	cat >go.sh <<-'SH'
		touch go
		while ! { grep -q could_not a.json && grep -q could_not b.json; }; do sleep 0.1; done
	SH
	kvmwait trace -p "$(cat a-kvm.pid)" --vcpu 1 -e pv_yield -o one.ndjson -- sh go.sh 2>err
	echo $? >one.status
	wait
	rm go
	for n in a b; do kvmwait-guest -n $n --stay 1 --gate go hlt=41 yield:5=17 pause=11 >$n.json & done
	more_there() { [ -n "$(pid_of a-kvm)" ] && [ -n "$(pid_of b-kvm)" ]; }
	await more_there
	kvmwait trace --vm a-kvm -p "$(pid_of b-kvm)" --vcpu 0 -e hlt,ple -o two.ndjson -- sh go.sh 2>>err
	echo $? >two.status
	wait
}

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
# reads, so there is one more, once what was buffered has come out.
loss() {
	cat >storm.sh <<-'SH'
		kill -STOP $(pidof bpftrace)
		kvmwait-guest -c 1 yield:1=60013 >guest.json
		before=$(wc -c <trace.ndjson)
		kill -CONT $(pidof bpftrace)
		same=0
		while [ $same -lt 3 ]; do
			sleep 1
			now=$(wc -c <trace.ndjson)
			same=$((now > before && now == last ? same + 1 : 0))
			last=$now
		done
		kvmwait-guest -c 1 yield:1=17 >more.json
		sleep 2
	SH
	kvmwait trace -o trace.ndjson -- sh storm.sh 2>err
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

hostile() {
	cat >all.sh <<-'SH'
		kvmwait-guest -c 1 -n 'a"b\c' --comm "$(printf 'x\nw 1 0 1 1')" --stay 1 hlt-user=13 >1.json
		kvmwait-guest -c 1 -n '=cmd,x' --comm "$(printf '"}\\\033[31m\377')" --stay 1 hlt-user=17 >2.json
		kvmwait-guest -c 1 -n "$(printf 'n\nl')" --comm '@counted: 99999' --stay 1 hlt-user=19 >3.json
	SH
	kvmwait trace -o trace.ndjson -- sh all.sh 2>err
	echo $? >status
}

selftest() {
	kvmwait selftest --json ${no_pause:+--skip pause,hv-pause,hv-rep-pause} >result.json 2>err
	echo $? >status
}

# The one-liners of the README, as they stand but for sudo and shorter, while VMs are busy.
readme() {
	kvmwait-guest -n web01 --op-timeout 900 hlt=1000000@0 >/dev/null 2>&1 &
	web=$!
	# each stays until its name has been read, so that one-liners need some seconds to see the next
	(while [ ! -e stop ]; do kvmwait-guest -n db02 -c 1 --stay 1 yield:1=29 pause=23 >/dev/null; done) &
	await pid_of web01-kvm >/dev/null
	# busybox has no pgrep
	printf '#!/bin/sh\ngrep -l "$2" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | sort -n | head -n 1\n' >/usr/bin/pgrep
	chmod +x /usr/bin/pgrep
	n=0
	sed -e 's/sudo //g' -e 's/-d 10/-d 4/' -e 's/sleep 10/sleep 1/' /oneliners | while IFS= read -r line; do
		n=$((n + 1))
		sh -c "$line" >$n.out 2>$n.err
		echo $? >$n.status
	done
	kill $web
	touch stop
	wait
}

check() {
	kvmwait check >check.txt 2>err
	echo $? >status
	kvmwait check --json >check.json
	kvmwait capture root >capture.txt
	kvmwait plan --json >plan.live
	kvmwait plan --json --root root >plan.root
	su nobody -s /bin/sh -c 'kvmwait trace' >nobody.out 2>nobody.err
	echo $? >nobody.status
	su nobody -s /bin/sh -c 'kvmwait plan' >nobody.plan 2>&1
	echo $? >nobody.plan.status
	kvmwait trace --bpftrace /nonexistent >missing.out 2>missing.err
	echo $? >missing.status
	# a line of the kernel's own, to hold the frame of -f ftrace against
	echo boot >$T/trace_clock
	echo 1 >$T/events/sched/sched_switch/enable
	sleep 0.2
	echo 0 >$T/events/sched/sched_switch/enable
	grep sched_switch $T/trace | tail -n 20 >ftrace
}

# shellcheck source=/dev/null
for f in /scenarios-*.sh; do . "$f"; done

for s; do
	name=${s%%:*} argument=${s#*:}
	dir=/out/$(echo "$s" | tr : -)
	mkdir -p "$dir"
	cd "$dir" || exit 1
	start=$(cut -d. -f1 /proc/uptime)
	"$name" "$argument"
	echo "$s took $(($(cut -d. -f1 /proc/uptime) - start)) s of the machine's time"
done
