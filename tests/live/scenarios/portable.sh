# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2046,SC2154
# The portable archive on a host that has busybox and bpftrace, and nothing else; then as NixOS has it, with no program in /usr/bin and
# only sh in /bin. The machine is not what it was afterwards: the last scenario of its row.

portable() {
	case $machine in arm64) halts=wfi=13 ;; *) halts=hlt-user=13 ;; esac
	rm -rf /usr/bin/kvmwait /usr/bin/kvmwait-guest /usr/libexec /usr/share/kvmwait
	unset KVMWAIT_SCRIPTS
	find / -xdev -type f ! -path '/out/*' ! -path '/scenarios/*' >files
	mkdir -p '/srv/with a blank'
	tar -xzf /portable.tar.gz -C '/srv/with a blank'
	tools=$(echo '/srv/with a blank'/kvmwait-*/bin)
	"$tools/kvmwait" --version >version
	"$tools/kvmwait" check >check.txt 2>&1
	echo $? >check.status
	"$tools/kvmwait" plan >plan.txt 2>&1
	echo $? >plan.status
	"$tools/kvmwait" selftest --json >selftest.json 2>selftest.err
	echo $? >selftest.status
	"$tools/kvmwait" trace --callers -d 1 >callers.out 2>callers.err
	echo $? >callers.status
	# NixOS
	nix=/run/current-system/sw/bin
	mkdir -p $nix
	mv /usr/bin/bpftrace $nix/
	mv /bin/busybox $nix/
	for f in /bin/*; do [ ! -L "$f" ] || [ "$f" = /bin/sh ] || $nix/busybox mv "$f" $nix/; done
	$nix/busybox ln -sf $nix/busybox /bin/sh
	export PATH=$nix
	find /bin /usr/bin -type f -o -type l >nix.files
	"$tools/kvmwait" trace -o nix.ndjson -- "$tools/kvmwait-guest" -c 1 $halts >nix.guest 2>nix.err
	echo $? >nix.status
	PATH=/nowhere "$tools/kvmwait" trace -d 1 >missing.out 2>missing.err
	echo $? >missing.status
	mkdir -p /tmp/open
	mv $nix/bpftrace /tmp/open/
	chmod 777 /tmp/open
	PATH=/tmp/open:$nix "$tools/kvmwait" trace -d 1 >open.out 2>open.err
	echo $? >open.status
}

# ---- judge ----

prepare_portable() {
	local of=x86_64
	[ "$machine" != arm64 ] || of=arm64
	"$top/share/portable" "$of" >"$work/$row.portable"
	put "$top/$(cat "$work/$row.portable")" /portable.tar.gz
}

# nothing_else DIR: busybox, bpftrace, its libraries and loader, what the test put there.
nothing_else() { ! grep -vE '^/(bin/busybox|usr/bin/bpftrace|(usr/)?lib(64)?/.*\.so[.0-9]*|etc/(passwd|group)|run/command|inside\.sh|portable\.tar\.gz)$' "$1/files"; }
ends_so() { [ "$(cat "$1.status")" = "$2" ] || { cat "$1.status" "$1".*; return 1; }; }

judge_portable() {
	local d=$1 script=x86-5.17.bt
	[ "$machine" != arm64 ] || script=arm64.bt
	test_that "$2 the host has busybox and bpftrace, and nothing else" nothing_else "$d"
	test_that "$2 --version" grep -qx "$("$kvmwait" --version)" "$d/version"
	test_that "$2 check: this host is able" ends_so "$d/check" 0
	test_that "$2 check: the scripts are those beside it" grep -qE "^ok +scripts +'/srv/with a blank/kvmwait-[^/]*/share/kvmwait/scripts'$" "$d/check.txt"
	test_that "$2 plan: exit 0" ends_so "$d/plan" 0
	test_that "$2 plan: the script" grep -q "script $script" "$d/plan.txt"
	test_that "$2 selftest passes" ends_so "$d/selftest" 0
	test_that "$2 selftest: counts are the guest's" jq -e '.passed and .counted == .received and all(.rows[]; .verdict == "ok") and (.rows | length) >= 2' "$d/selftest.json"
	test_that "$2 --callers: refused" ends_so "$d/callers" 4
	test_that "$2 --callers: the next step" grep -q "names of callers need libbpfcc: the portable kvmwait cannot load 'libbcc.so.0': install kvmwait as a package, or build it" "$d/callers.err"
	test_that "$2 as NixOS has it: /bin/sh alone" test "$(cat "$d/nix.files")" = /bin/sh
	test_that "$2 as NixOS has it: exit 0" ends_so "$d/nix" 0
	test_that "$2 as NixOS has it: every count is the guest's" is_equal "$d/nix.guest" "$d/nix.ndjson"
	judge_trace "$d/nix.ndjson" "$2 as NixOS has it:"
	test_that "$2 bpftrace not in PATH: exit 4" ends_so "$d/missing" 4
	test_that "$2 bpftrace not in PATH: the next step" grep -q 'bpftrace is missing: it is neither in /usr/bin nor in a directory of PATH .* give its path with --bpftrace' "$d/missing.err"
	test_that "$2 bpftrace where all can write: exit 4" ends_so "$d/open" 4
	test_that "$2 bpftrace where all can write: not taken" grep -q 'that root alone can change: install the package bpftrace' "$d/open.err"
}
