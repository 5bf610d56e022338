# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Recordings of kvmwait record, beside what the guests did. Sourced by inside.sh.

# Plain; compressed, with blame; one that is killed; one that is ended by Ctrl-C; a storm into a small file.
recorded() {
	pause=pause=23
	[ -z "$no_pause" ] || pause=''
	cat >guest.sh <<-SH
		kvmwait-guest -n web --stay 1 hlt=31@0 hlt=37@1 hlt-user=19 yield:1=41 hv-spin=7 $pause >\$1.web.json
		kvmwait-guest -n runnable --stay 1 busy=1@1 yield:1=43@0 >\$1.runnable.json
	SH
	kvmwait record -o plain.ndjson -- sh guest.sh plain 2>err
	echo $? >plain.status
	kvmwait record --blame -o packed.ndjson.zst -- sh guest.sh packed 2>>err
	echo $? >packed.status
	kvmwait record -o killed.ndjson.zst 2>>err &
	pid=$!
	await test -s killed.ndjson.zst
	kvmwait-guest -n web hlt=29 >/dev/null
	has_all() { kvmwait report --by event --json killed.ndjson.zst 2>/dev/null | grep -qE '"waits": *58\b'; }
	await has_all # what is buffered goes into the file every second
	kill -KILL $pid
	wait $pid
	kvmwait record -z -o int.rec 2>>err &
	pid=$!
	await test -s int.rec
	kvmwait-guest -n web hlt=29 >int.json
	kill -INT $pid
	wait $pid
	echo $? >int.status
	await no_bpftrace
	kvmwait record --no-outcome --max-size 1M -o full.ndjson -- kvmwait-guest -c 1 -n storm --op-timeout 900 yield:1=100000000 >full.json 2>>err
	echo $? >full.status
	ls -l >files
	su nobody -s /bin/sh -c 'kvmwait report -' <packed.ndjson.zst >nobody.table 2>>err
	echo $? >nobody.status
}
