# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# The one-liners of the README.

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

# ---- judge ----

prepare_readme() {
	oneliners >"$work/oneliners"
	put "$work/oneliners" /oneliners
}

oneliners() { sed -n '/^## Runbook one-liners/,/^In this order/p' "$top/README.md" | sed -n '/^```sh/,/^```$/p' | grep -v '^```'; }

judge_readme() {
	local d=$1 i
	test_that "$2 there are six one-liners" test "$(wc -l <"$work/oneliners")" = 6
	for i in 1 2 3 4 5 6; do
		test_that "$2 one-liner $i works" test "$(cat "$d/$i.status")" = 0 -a -s "$d/$i.out" -a ! -s "$d/$i.err"
	done
	test_that "$2 1: which vCPUs spin" grep -qE '^ +[0-9]+ "db02-kvm",0$' "$d/1.out"
	test_that "$2 2: who yields to whom" grep -qE '^ +[0-9]+ "db02-kvm",0,kvm,1$' "$d/2.out"
	test_that "$2 3: what one VM does" grep -qE '^ +[0-9]+ 0,hlt$' "$d/3.out"
	test_that "$2 4: whether anything was lost" jq -e '.type == "end" and .lost == 0 and .received > 0' "$d/4.out"
	test_that "$2 5: as ftrace text" grep -qE ': kvm_sched_event: vcpu [01] event [a-z_]+ target -?[0-9]+$' "$d/5.out"
	test_that "$2 6: a captured kernel" grep -q '^script x86-5.17.bt ' "$d/6.out"
}
