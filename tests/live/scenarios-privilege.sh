# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Privileges of a trace on a real kernel; runs inside the machine, judged by judge-privilege.sh.

# Who is who is told from inside the command: its parent is kvmwait, whose other children are the rest.
privilege() {
	paranoid=$(cat /proc/sys/kernel/perf_event_paranoid)
	echo "$paranoid" >paranoid
	cat >look.sh <<-'SH'
		cat /proc/$$/status >command.status
		cat /proc/$PPID/status >kvmwait.status
		for p in /proc/[0-9]*; do
			[ "$(awk '$1 == "PPid:" { print $2 }' $p/status 2>/dev/null)" = $PPID ] || continue
			[ $p != /proc/$$ ] || continue
			case $(tr '\0' ' ' <$p/cmdline) in
			*bpftrace*/proc/self/fd/3*)
				cat $p/status >bpftrace.status
				tr '\0' '\n' <$p/environ | sort >bpftrace.environ
				readlink $p/cwd >bpftrace.cwd ;;
			*) cat $p/status >>others.status ;;
			esac
		done
		pwd >command.cwd
		echo "$SECRET" >command.environ
		kvmwait-guest -n mine -c 1 --stay 1 hlt-user=23 >guest.json
	SH
	SECRET='a word' LD_BIND_NOW=1 BPFTRACE_STRLEN=8 kvmwait trace -o trace.ndjson -- sh look.sh 2>err
	echo $? >status
	# Without what distributions add to the kernel.
	mkdir plain
	echo 2 >/proc/sys/kernel/perf_event_paranoid
	(cd plain && kvmwait trace -o trace.ndjson -- sh ../look.sh 2>err; echo $? >status)
	echo "$paranoid" >/proc/sys/kernel/perf_event_paranoid
	kvmwait trace -o bare.ndjson -- sh -c 'kill -9 $PPID; sleep 1' 2>>err
	await no_bpftrace && echo gone >killed.bpftrace
	grep -l '[k]vmwait' /proc/[0-9]*/cmdline >killed.left 2>/dev/null

	# Names of VMs that are another user's.
	chmod 666 /dev/kvm
	su nobody -s /bin/sh -c 'kvmwait-guest -n theirs -c 1 --op-timeout 900 hlt=1000000@0' >/dev/null 2>&1 &
	await pid_of theirs-kvm >/dev/null
	# A file that is replaced, in a directory of another user.
	mkdir textfile
	chown 1000 textfile
	kvmwait stat -i 1 -d 3 -f openmetrics -o textfile/kvmwait.prom 2>stat.err
	echo $? >stat.status
	ls -ln textfile >textfile.ls
	cp textfile/kvmwait.prom stat.prom
	bound "$(cat /bounds)" kvmwait stat -i 1 -d 3 -f openmetrics -o textfile.bound.prom 2>bound.err
	echo $? >bound.status
	kvmwait blame -d 1 -f json >blame.json 2>blame.err || true
	kill "$(pid_of theirs-kvm)"
	wait

	refusals
}

# What root does not run, and where it does not write: all of it ends before bpftrace is started.
refused() {
	n=$1
	shift
	"$@" >"$n.out" 2>"$n.err"
	echo $? >"$n.status"
}
refusals() {
	mkdir -m 1777 /tmp/open
	cp -R /usr/share/kvmwait/scripts /tmp/open/scripts
	chown -R 1000 /tmp/open/scripts
	refused scripts env KVMWAIT_SCRIPTS=/tmp/open/scripts kvmwait trace -d 1
	chown -R 0:0 /tmp/open/scripts
	chmod 777 /tmp/open/scripts
	refused writable env KVMWAIT_SCRIPTS=/tmp/open/scripts kvmwait stat -d 1
	chmod 755 /tmp/open/scripts
	chown 1000 /tmp/open/scripts/stat.part
	refused part env KVMWAIT_SCRIPTS=/tmp/open/scripts kvmwait stat -d 1
	cp /usr/bin/bpftrace /tmp/open/bpftrace
	chmod 777 /tmp/open/bpftrace
	refused tracer kvmwait trace -d 1 --bpftrace /tmp/open/bpftrace
	refused check kvmwait check --bpftrace /tmp/open/bpftrace
	ln -s /out/privilege/hit /tmp/open/link
	chown -h 1000 /tmp/open/link
	refused link kvmwait trace -d 1 -o /tmp/open/link
	echo theirs >/tmp/open/file
	chown 1000 /tmp/open/file
	refused file kvmwait trace -d 1 -o /tmp/open/file
	cp /tmp/open/file file.after
	mkdir here
	printf '#!/bin/sh\necho ran >/out/privilege/hit\n' >here/only-here
	chmod +x here/only-here
	(cd here && PATH=:.:$PATH refused ../path kvmwait trace -o /dev/null -- only-here)
	ls -l hit >hit.ls 2>&1
}
