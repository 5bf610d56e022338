#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs inside the booted machine: what tracing costs a guest, how long it takes to attach, and how many events a second
# come through. Judges nothing, and leaves what it measured in /out; tests/bench/host.sh reads it, outside.
#   sh inside.sh cost|scale|attach|loss...
export PATH=/usr/bin:/bin

uptime_ms() { awk '{ print int($1 * 1000) }' /proc/uptime; }

# ---- cost ----

rounds=1009 # of a loop

# Rounds of the three loops in one VM, one after the other.
loops() {
	set -- "$1" ''
	i=0
	while [ $i -lt "$1" ]; do
		set -- "$1" "$2 pause=$rounds yield:1=$rounds hlt=199"
		i=$((i + 1))
	done
	echo "$2"
}

# The BPF programs of all bpftraces: run time and runs so far.
cat >/usr/bin/bpf-time <<'SH'
#!/bin/sh
for p in $(pidof bpftrace); do cat /proc/$p/fdinfo/* 2>/dev/null; done |
	awk '$1 == "prog_id:" { new = !seen[$2]++ } new && $1 == "run_time_ns:" { ns += $2 } new && $1 == "run_cnt:" { n += $2 } END { print ns + 0, n + 0 }'
SH
chmod +x /usr/bin/bpf-time

# The bare rival: one probe on the function of each loop, and a count.
bare='kprobe:kvm_vcpu_on_spin { @a = count(); } kprobe:kvm_sched_yield { @b = count(); } kprobe:kvm_emulate_halt { @c = count(); }'

# traced HOW SCRIPT: runs a script under a tracer.
traced() {
	case $1 in
	none*) sh "$2" ;;
	count) bpftrace -e "$bare" -c "/bin/sh $2" ;;
	stat) kvmwait stat -f json -o stat.ndjson -- sh "$2" ;;
	counts) kvmwait stat --counts -f json -o counts.ndjson -- sh "$2" ;;
	trace*) kvmwait trace -f json -o trace.ndjson -- sh "$2" ;;
	outcome) kvmwait trace --outcome -f json -o outcome.ndjson -- sh "$2" ;;
	recording) trace-cmd record -q -e kvm:kvm_exit -e kvm:kvm_hypercall -o trace.dat sh "$2" ;;
	perf) perf record -q -a -e kvm:kvm_exit -e kvm:kvm_hypercall -o perf.data sh "$2" ;;
	perf-kvm) perf kvm stat record -a -o kvm.data sh "$2" ;;
	esac >/dev/null 2>"$1.err" || echo "$* ended with $?" >>failed
}

cost() {
	for how in none count counts stat trace outcome recording perf perf-kvm none.2; do
		echo "kvmwait-guest -c 1 --op-timeout 120 $(loops 5) >$how.json" >loops.sh
		traced "$how" loops.sh
		rm -f trace.dat perf.data kvm.data
	done
	# What the BPF programs themselves take, by the kernel's own account: OP NS RUNS NS RUNS, before and after, ROUNDS.
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	for how in count counts stat trace outcome; do
		cat >bpf.sh <<-SH
			for op in pause yield:1 hlt; do
				before=\$(bpf-time)
				kvmwait-guest -c 1 --op-timeout 120 \$op=$rounds >/dev/null
				echo \$op \$before \$(bpf-time) $rounds >>$how.bpf
			done
		SH
		traced "$how" bpf.sh
	done
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
}

# ---- scale ----

yields=131072

# As many yields by more and more vCPUs, 64 a VM: what the BPF programs of stat take for them.
scale() {
	echo 1 >/proc/sys/kernel/bpf_stats_enabled
	for vcpus in 1 64 1024; do
		cat >scale.sh <<-SH
			vms=$(((vcpus + 63) / 64))
			i=0
			while [ \$i -lt \$vms ]; do
				i=\$((i + 1))
				kvmwait-guest -c $((vcpus < 64 ? vcpus : 64)) --gate go --op-timeout 600 yield:64=$((yields / vcpus)) >$vcpus.\$i.json &
			done
			until [ "\$(cat /proc/[0-9]*/task/*/comm 2>/dev/null | grep -c '^CPU [0-9]*/KVM\$')" = $vcpus ]; do sleep 1; done
			before=\$(bpf-time)
			touch go
			wait
			echo $vcpus \$before \$(bpf-time) $yields >>scale.bpf
			rm go
		SH
		kvmwait stat -f json -o $vcpus.ndjson -- sh scale.sh 2>$vcpus.err || echo "scale $vcpus ended with $?" >>failed
	done
	echo 0 >/proc/sys/kernel/bpf_stats_enabled
}

# ---- attach ----

# From the start to the moment that the command under the tracer runs.
attach() {
	echo 'awk "{ print int(\$1 * 1000) }" /proc/uptime >begun.txt' >begun.sh
	kvmwait plan --program none >bare.bt
	[ -e /sys/kernel/btf/kvm ] || export BPFTRACE_BTF=/sys/kernel/btf/vmlinux
	script=$(kvmwait plan | sed -n 's/^script \([^ ]*\) .*/\1/p')
	for i in 1 2 3 4 5; do
		for program in bare.bt "$KVMWAIT_SCRIPTS/$script"; do
			start=$(uptime_ms)
			bpftrace -B line -c '/bin/sh begun.sh' "$program" >/dev/null 2>>err
			echo "$i ${program##*/} $start $(cat begun.txt)" >>times.txt
			rm begun.txt
		done
		start=$(uptime_ms)
		kvmwait trace -f json -o attach.ndjson -- sh begun.sh 2>>err
		echo "$i kvmwait $start $(cat begun.txt)" >>times.txt
		rm begun.txt
		start=$(uptime_ms)
		kvmwait plan >/dev/null
		echo "$i plan $start $(uptime_ms)" >>times.txt
		start=$(uptime_ms)
		cat /proc/kallsyms /sys/kernel/tracing/available_filter_functions >/dev/null
		echo "$i lists $start $(uptime_ms)" >>times.txt
	done
	echo "$script" >script
	# For the plan with all of the types and symbols that there are, outside.
	kvmwait capture root >/dev/null
	cp /sys/kernel/btf/* root/sys/kernel/btf/
	cat /proc/kallsyms >root/proc/kallsyms
}

# ---- loss ----

# stream SECONDS PERCENT NAME: a guest yields as fast as so much of a CPU's time allows, under a trace.
stream() {
	echo "$(($2 * 1000)) 100000" >/cg/guest/cpu.max
	cat >stream.sh <<-SH
		sh -c 'echo \$\$ >/cg/guest/cgroup.procs; exec kvmwait-guest -c 1 --op-timeout 900 yield:1=100000000' >/dev/null 2>&1 &
		sleep $1
		kill \$!
		wait
	SH
	kvmwait trace -f json -o "$3.ndjson" -- sh stream.sh 2>>err
	echo $? >"$3.status"
	tail -n 1 "$3.ndjson" >"$3.end"
	grep -m 1 '"type":"wait"' "$3.ndjson" >"$3.first"
	grep '"type":"wait"' "$3.ndjson" | tail -n 1 >"$3.last"
	rm "$3.ndjson"
}

is_whole() { grep -q '"lost":0,' "$1.end"; }

loss() {
	mkdir -p /cg
	mount -t cgroup2 none /cg
	echo +cpu >/cg/cgroup.subtree_control
	mkdir /cg/guest
	best=0
	for percent in 5 10 20 30 40 60 100; do
		stream 6 $percent $percent
		is_whole $percent || break
		best=$percent
	done
	echo $best >best
	# a minute of what held for seconds; where it does not, of less
	while [ $best -gt 0 ]; do
		stream 60 $best minute
		echo $best >minute.percent
		! is_whole minute || break
		best=$((best / 2))
	done
	# and a storm without a break, counted in the kernel: nothing may be missing
	kvmwait stat -f json -i 1 --by vm,vcpu,event -o storm.ndjson -- sh -c 'kvmwait-guest -c 1 --op-timeout 900 yield:1=200003 >storm.json' 2>>err
}

mount -t tmpfs out /out # the disk is small, and no matter here
for s; do
	mkdir -p "/out/$s"
	cd "/out/$s" || exit 1
	start=$(uptime_ms)
	$s
	echo "$s took $((($(uptime_ms) - start) / 1000)) s of the machine's time"
done
