# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Privileges of a trace on a real kernel.

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

# ---- judge ----

prepare_privilege() {
	unit_bounds >"$work/$row.bounds"
	put "$work/$row.bounds" /bounds
	put_tool bound
}

# caps NAME...: a mask of capabilities by their numbers (linux/capability.h).
caps() {
	local n mask=0
	for n; do mask=$((mask | 1 << n)); done
	printf '%016x' "$mask"
}
# has STATUS FIELD VALUE: a line of /proc/PID/status.
has() {
	local is
	is=$(awk -v f="$2:" '$1 == f { $1 = ""; sub(/^ /, ""); print; exit }' "$1")
	[ "$is" = "$3" ] || { echo "$2 is '$is', not '$3'"; return 1; }
}
all_have() { awk -v f="$2:" -v want="$3" '$1 == f { n++; if ($2 != want) bad = 1 } END { exit bad || n < 1 }' "$1"; }
nothing_but() { [ -s "$1" ] && ! grep -vE "$2" "$1"; }
refusal() { [ "$(cat "$1.status")" = "$2" ] && grep -qE "$3" "$1.err" || { cat "$1.status" "$1.err"; return 1; }; }

# The capabilities that the hardened service has, by number.
unit_bounds() {
	sed -n 's/^CapabilityBoundingSet=//p' "$top/share/systemd/kvmwait-stat.service.d/hardening.conf" | tr ' ' '\n' |
		while read -r name; do awk -v name="$name" '$1 == "#define" && $2 == name { print $3 }' /usr/include/linux/capability.h; done | paste -sd,
}

judge_privilege() {
	local d=$1 bpftrace f
	# DAC_OVERRIDE 1, DAC_READ_SEARCH 2, SYS_RESOURCE 24, SYSLOG 34, PERFMON 38, BPF 39; SYS_ADMIN 21 where Debian wants it
	bpftrace=$(caps 1 2 24 34 38 39)
	[ "$(cat "$d/paranoid")" -lt 3 ] || bpftrace=$(caps 1 2 21 24 34 38 39)
	test_that "$2 the trace ends well" test "$(cat "$d/status")" = 0
	test_that "$2 all is seen" jq -e -s 'map(select(.type == "wait" and .vm == "mine-noirqchip")) | length == 23' "$d/trace.ndjson"
	test_that "$2 received + lost = counted" balanced "$d/trace.ndjson"
	for f in CapPrm CapEff CapBnd; do
		test_that "$2 bpftrace: $f is what it takes" has "$d/bpftrace.status" $f "$bpftrace"
	done
	test_that "$2 bpftrace: CapAmb is nothing" has "$d/bpftrace.status" CapAmb "$(caps)"
	test_that "$2 bpftrace gains nothing" has "$d/bpftrace.status" NoNewPrivs 1
	test_that "$2 bpftrace: nothing of the environment" nothing_but "$d/bpftrace.environ" '^(PATH=/usr/sbin:|HOME=/$|LC_ALL=C$|TERM=dumb$|BPFTRACE_(COLOR|PERF_RB_PAGES|BTF|MAP_KEYS_MAX|MAX_MAP_KEYS)=|BPFTRACE_AVAILABLE_FUNCTIONS_TEST=/proc/self/fd/4$)'
	test_that "$2 bpftrace runs in /" test "$(cat "$d/bpftrace.cwd")" = /
	test_that "$2 kvmwait is nobody" has "$d/kvmwait.status" Uid $'65534 65534 65534 65534'
	test_that "$2 kvmwait is in no group" has "$d/kvmwait.status" Gid $'65534 65534 65534 65534'
	test_that "$2 kvmwait: it may signal, and no more" has "$d/kvmwait.status" CapPrm "$(caps 5)"
	test_that "$2 kvmwait: so are the bounds" has "$d/kvmwait.status" CapBnd "$(caps 5)"
	test_that "$2 kvmwait gains nothing" has "$d/kvmwait.status" NoNewPrivs 1
	# the stopper: none; the root helper: SYS_PTRACE 19, SYS_NICE 23
	test_that "$2 two others" test "$(grep -c ^CapPrm: "$d/others.status")" = 2
	test_that "$2 the others: nothing, and two capabilities" test "$(awk '$1 == "CapPrm:" { print $2 }' "$d/others.status" | sort | xargs)" = "$(caps) $(caps 19 23)"
	test_that "$2 the others gain nothing" all_have "$d/others.status" NoNewPrivs 1
	test_that "$2 the command is root as before" has "$d/command.status" Uid '0 0 0 0'
	test_that "$2 the command has all capabilities" grep -qE '^CapEff:.*[0-9a-f]*ffffffff$' "$d/command.status"
	test_that "$2 the command may gain" has "$d/command.status" NoNewPrivs 0
	test_that "$2 the command is where we are, with our environment" test "$(cat "$d/command.cwd" "$d/command.environ" | xargs)" = '/out/privilege a word'
	test_that "$2 the kernel as it comes from upstream: the trace ends well" test "$(cat "$d/plain/status")" = 0
	test_that "$2 ... all is seen" jq -e -s 'map(select(.type == "wait" and .vm == "mine-noirqchip")) | length == 23' "$d/plain/trace.ndjson"
	test_that "$2 ... without SYS_ADMIN" has "$d/plain/bpftrace.status" CapBnd "$(caps 1 2 24 34 38 39)"
	test_that "$2 SIGKILL leaves no bpftrace" test -e "$d/killed.bpftrace"
	test_that "$2 SIGKILL leaves nothing of kvmwait" test ! -s "$d/killed.left"
	test_that "$2 stat ends well" test "$(cat "$d/stat.status")" = 0 -a ! -s "$d/stat.err"
	test_that "$2 another user's VM has its name" grep -q 'vm="theirs-kvm"' "$d/stat.prom"
	test_that "$2 the file is whole, and for all to read" grep -qE '^-rw-r--r-- .* kvmwait\.prom$' "$d/textfile.ls"
	test_that "$2 nothing is left beside it" test "$(grep -c kvmwait "$d/textfile.ls")" = 1
	test_that "$2 the last line of the file" test "$(tail -n 1 "$d/stat.prom")" = '# EOF'
	test_that "$2 within the bounds of the service it counts as well" test "$(cat "$d/bound.status")" = 0 -a ! -s "$d/bound.err"
	test_that "$2 and names VMs" grep -q 'vm="theirs-kvm"' "$d/textfile.bound.prom"
	test_that "$2 blame reads names as well" test ! -s "$d/blame.err"
	test_that "$2 scripts of another user are refused" refusal "$d/scripts" 4 "refused.*'/tmp/open/scripts' belongs to uid 1000; 'sudo make install'"
	test_that "$2 scripts that all can write are refused" refusal "$d/writable" 4 "refused.*'/tmp/open/scripts' can be written by others than root"
	test_that "$2 one part of another user is refused" refusal "$d/part" 4 "refused.*'/tmp/open/scripts/stat.part' belongs to uid 1000"
	test_that "$2 a bpftrace that all can write is refused" refusal "$d/tracer" 4 "refused.*'/tmp/open/bpftrace' can be written by others than root"
	test_that "$2 check names it, and does not run it" grep -qE "^BAD +bpftrace +not root's alone: '/tmp/open/bpftrace' can be written" "$d/check.out"
	test_that "$2 a link of another user is not followed" refusal "$d/link" 1 "'/tmp/open/link' is another user's link"
	test_that "$2 a file of another user is not written" refusal "$d/file" 1 "'/tmp/open/file' is another user's"
	test_that "$2 and holds what it held" test "$(cat "$d/file.after")" = theirs
	test_that "$2 a command in the directory one is in is not found" refusal "$d/path" 1 "could not be run: 'only-here': No such file"
	test_that "$2 nothing of that was run or written" grep -q 'No such file' "$d/hit.ls"
}
