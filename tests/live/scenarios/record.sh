# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Recordings of kvmwait record, beside what the guests did.

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

# A VM with both vCPUs busy and a process of the host on the CPU of vCPU 1, recorded with the account of each second. It wants
# three CPUs: the tracer has CPU 0.
hogged() {
	cat >hog.sh <<-'SH'
		await() { i=0; until "$@"; do i=$((i + 1)); [ $i -lt 240 ] || return 1; sleep 0.25; done; }
		vm() { grep -l '[g]uest=a-' /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | head -n 1; }
		tid_of() { for t in /proc/$(vm)/task/*; do ! grep -q "^CPU $1/" $t/comm 2>/dev/null || echo ${t##*/}; done; }
		is_there() { [ -n "$(tid_of 0)" ] && [ -n "$(tid_of 1)" ]; }
		taskset 6 kvmwait-guest -n a --op-timeout 300 --gate never busy=1 >a.json &
		await is_there
		for t in /proc/$(vm)/task/*; do grep -q "^CPU " $t/comm || taskset -p 1 ${t##*/} >/dev/null; done
		taskset -p 4 $(tid_of 0) >/dev/null
		taskset -p 2 $(tid_of 1) >/dev/null
		taskset 2 hog &
		sleep 6
	SH
	taskset 1 kvmwait record --blame -i 1 -o hog.ndjson -- sh hog.sh 2>err
	echo $? >status
	killall -9 kvmwait-guest hog 2>/dev/null
	wait
	{
		kvmwait why --rules /why.list -f json hog.ndjson >why.json
		kvmwait report --json hog.ndjson >report.json
		kvmwait report hog.ndjson >report.table
		kvmwait report --html -o report.html hog.ndjson
	} 2>>err
}

# ---- judge ----

prepare_hogged() {
	put "$top/share/why.list" /why.list
	printf '#!/bin/sh\nwhile :; do :; done\n' >"$work/$row.hog"
	chmod 755 "$work/$row.hog"
	put "$work/$row.hog" /usr/bin/hog
}

# all_of RECORDS EXPRESSION: of the list of all records.
all_of() { jq -e -s "$2" "$1" >/dev/null || { jq -c 'select(.type == "stat")' "$1" | head -c 3000; return 1; }; }

judge_hogged() {
	local d=$1 states='[.run_ns, .spin_ns, .poll_ns, .halt_ns, .ready_ns, .host_ns]'
	test_that "$2 record ends well" test "$(cat "$d/status")" = 0
	test_that "$2 fits the JSON Schema" valid_schema "$d/hog.ndjson"
	test_that "$2 the states are the wall time to the ns, in each row" all_of "$d/hog.ndjson" \
		"[.[] | select(.type == \"stat\") | .rows[]] | length >= 8 and all(($states | add) == .wall_ns)"
	test_that "$2 one record of all the time, five intervals at least, each begins where the one before ends" all_of "$d/hog.ndjson" \
		'[.[] | select(.type == "stat")] | (map(select(.total)) | length == 1) and (map(select(.total | not)) | length >= 5 and
			([.[:-1], .[1:]] | transpose | all(.[0].ts == .[1].ts - .[1].ns)))'
	test_that "$2 the intervals add up to all the time, state by state" all_of "$d/hog.ndjson" \
		"def sums: group_by([.pid, .vcpu]) | map([.[0].pid, .[0].vcpu, (map($states) | transpose | map(add))]);
		([.[] | select(.type == \"stat\" and .total) | .rows[]] | sums) == ([.[] | select(.type == \"stat\" and (.total | not)) | .rows[]] | sums)"
	test_that "$2 the report has the states that were recorded" jq -e -n --slurpfile records "$d/hog.ndjson" --slurpfile report "$d/report.json" \
		"def states: map([.pid, .vcpu, .wall_ns, $states]) | sort;
		(\$report[0].files[0].total.rows | states) == (\$records | map(select(.type == \"stat\" and .total)) | .[0].rows | states)"
	test_that "$2 vCPU 1, which shares its CPU, was ready for more than vCPU 0, and for a tenth of the time" jq -e '.files[0].total.rows | map(select(.vm == "a-kvm")) |
		map(select(.vcpu == 1))[0] as $one | map(select(.vcpu == 0))[0] as $zero | $one.ready_ns > $zero.ready_ns and $one.ready_ns * 10 >= $one.wall_ns' "$d/report.json"
	test_that "$2 the table has states" grep -qE 'VCPU +run% +spin% +poll% +halt% +ready% +host% ' "$d/report.table"
	test_that "$2 why finds the process in the recording" jq -e -c 'if .findings[0] | .rule == "host-thread" and .vm == "a-kvm" and .culprit.comm == "hog"
		then true else [.findings[] | {rule, vm, vcpus, share, text}], false end' "$d/why.json"
}

# reported FILE: as JSON, by all there is.
reported() { "$kvmwait" report --by vm,vcpu,event,source --json "$1"; }

# report_is_the_guests GUEST FILE: each process, vCPU, event and source, and how often.
report_is_the_guests() {
	diff <(did_counts "$1") <(reported "$2" | jq -c '.files[0].total.rows[] | [.pid, .vcpu, .event, .source, .waits]' | sort_rows) &&
		[ -n "$(did_counts "$1")" ]
}

# report_holds FILE EXPRESSION: of the report's only file.
report_holds() { { reported "$1" 2>/dev/null || true; } | jq -e ".files[0] | $2" >/dev/null || { reported "$1" | jq -c '.files[0] | del(.meta)' | head -c 2000; return 1; }; }

# The counts of the records themselves, by another reader.
report_is_the_records() {
	diff <(zstd -dcfq "$1" | jq -c -s '[.[] | select(.type == "wait") | [.pid, .vcpu, .event, .source]] | group_by(.) | map(.[0] + [length])[]') \
		<(reported "$1" | jq -c '.files[0].total.rows[] | [.pid, .vcpu, .event, .source, .waits]' | sort_rows)
}

judge_recorded() {
	local d=$1 f
	test_that "$2 record ends well" test "$(cat "$d"/{plain,packed,int,full}.status | tr '\n' ' ')" = '0 0 0 0 '
	for f in plain:plain.ndjson packed:packed.ndjson.zst; do
		cat "$d/${f%%:*}".{web,runnable}.json >"$d/did.json"
		test_that "$2 ${f%%:*}: every count of the report is the guest's" report_is_the_guests "$d/did.json" "$d/${f#*:}"
		test_that "$2 ${f%%:*}: and it balances, with nothing lost" report_holds "$d/${f#*:}" '.balance | .balances and .lost == 0 and .late == 0 and .unseen == 0'
		test_that "$2 ${f%%:*}: as the records have it" report_is_the_records "$d/${f#*:}"
		test_that "$2 ${f%%:*}: 43 yields to a vCPU that could run boosted it" report_holds "$d/${f#*:}" \
			".total.rows | map(select(.pid == $(jq '.vms[0].pid' "$d/${f%%:*}.runnable.json"))) | length == 1 and .[0].waits == 43 and .[0].boosted == 43"
		test_that "$2 ${f%%:*}: each HLT has its end" bash -c '"$0" report --json "$1" | jq -e ".files[0].total.rows | map(select(.hlt > 0)) |
			length == 4 and all(.hlt == .polled + .blocked + .unwaited + .gone)"' "$kvmwait" "$d/${f#*:}"
	done
	test_that "$2 fits the JSON Schema" valid_schema "$d/plain.ndjson"
	zstd -dcq "$d/packed.ndjson.zst" >"$d/packed.ndjson"
	test_that "$2 compressed, with blame: fits the JSON Schema" valid_schema "$d/packed.ndjson"
	test_that "$2 blame knows every spin" jq -e -s --slurpfile did "$d/did.json" '(map(select(.type == "blame")) | length == 1) and
		([.[] | select(.type == "blame").vms[].spins] | add) == ([$did[].did[] | select(.event != "hlt") | .count] | add)' "$d/packed.ndjson"
	test_that "$2 the program is the one for this kernel" jq -e -s '.[1].type == "plan" and (.[1].program | test("kprobe:kvm")) and .[1].plan.script == .[0].script' "$d/plain.ndjson"
	test_that "$2 killed: what was in the file is read, and said to be cut short" report_holds "$d/killed.ndjson.zst" \
		'.balance.cut_short and .balance.balances == false and ([.total.rows[] | select(.event == "hlt") | .waits] | add) == 58'
	test_that "$2 Ctrl-C: all of it" report_holds "$d/int.rec" '.balance | .balances and .why == "interrupted" and .waits == 58'
	test_that "$2 a full file: in good order, no larger than it may be" report_holds "$d/full.ndjson" '.balance | .balances and .why == "the file is full"'
	test_that "$2 a full file: 1 MiB at most, for root alone" grep -qE '^-rw------- .* (9[0-9]{5}|10[0-3][0-9]{4}|104[0-7][0-9]{3}|10485[0-7][0-9]) .* full.ndjson$' "$d/files"
	test_that "$2 report needs no privilege" test "$(cat "$d/nobody.status")" = 0
	test_that "$2 and makes a table" grep -qE '^web-kvm +1 ' "$d/nobody.table"
}
