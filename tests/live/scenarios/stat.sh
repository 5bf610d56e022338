# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Counts of kvmwait stat, beside what the guests did.

# Each event, with the maps read all the time; then the same as prometheus.
counts() {
	pause=pause=23
	[ -z "$no_pause" ] || pause=''
	cat >guest.sh <<-SH
		kvmwait-guest -n web --stay 1 hlt=31@0 hlt=37@1 hlt-user=19 yield:1=41 hv-spin=7 $pause >web.json
		kvmwait-guest -n runnable --stay 1 busy=1@1 yield:1=43@0 >runnable.json
	SH
	kvmwait stat -f json -i 0.2 --by vm,vcpu,event,source -o counts.ndjson -- sh guest.sh 2>err
	echo $? >status
	cat web.json runnable.json >did.json
	kvmwait stat -f prometheus -i 0.5 --hist -o counts.prom -- sh guest.sh 2>>err
	echo $? >prom.status
	cat web.json runnable.json >prom.did.json
	kvmwait stat --counts -f json -i 0.2 --by vm,vcpu,event,source -o alone.ndjson -- sh guest.sh 2>>err
	echo $? >alone.status
	cat web.json runnable.json >alone.did.json
	ls -a >files
}

# As fast as a guest can, with the maps read all the time; then halts of known number, and one that goes on for long.
rates() {
	cat >guest.sh <<-'SH'
		kvmwait-guest -c 1 -n storm --op-timeout 900 yield:1=60013 >storm.json
		kvmwait-guest -n halts --stay 1 hlt=53 hlt-user=29 >halts.json
		kvmwait-guest -c 1 -n asleep --stay 1 hlt-long=1 >asleep.json
	SH
	kvmwait stat -f json -i 0.5 --hist -o rates.ndjson -- sh guest.sh 2>err
	echo $? >status
	kvmwait stat -o table -- kvmwait-guest -n web --stay 1 hlt=17 >/dev/null 2>>err
	echo $? >table.status
}

# What is asked of the guest in $plan, or all it can, under stat and under stat --counts.
totals() {
	exits_begin
	for how in stat counts; do
		echo "kvmwait-guest --stay 2 $plan >$how.did.json" >guest.sh
		set --
		[ $how = stat ] || set -- --counts
		kvmwait stat "$@" -f json --by vm,vcpu,event,source -o $how.ndjson -- sh guest.sh 2>>err
		echo $? >>status
	done
	exits_end
}

# ---- judge ----

# counts_hold FILE EXPRESSION: of the records, with $total for the rows of all the time.
counts_hold() {
	jq -e -s "(map(select(.type == \"stat\" and .total)) | .[0].rows) as \$total | $2" "$1" >/dev/null ||
		{ jq -c 'select(.type == "end" or (.type == "stat" and .total))' "$1" | head -c 3000; return 1; }
}

# What the guests say they did, by process, vCPU, event and source.
did_counts() {
	jq -s -c 'map(.did[]) | map(select(.count != null and .count > 0)) | group_by([.pid, .vcpu, .event, .source]) |
		map([.[0].pid, .[0].vcpu, .[0].event, .[0].source, (map(.count) | add)])[]' "$1"
}

# total_is_the_guests DID STAT: where the guest does not know its count, as with Intel's PAUSE, the row is left out.
total_is_the_guests() {
	diff <(did_counts "$1") <(jq -c --slurpfile guests "$1" '($guests | map(.did[] | select(.count == null) | [.pid, .vcpu, .event, .source])) as $unknown |
		select(.type == "stat" and .total).rows[] | [.pid, .vcpu, .event, .source] as $key | select($unknown | index([$key]) | not) |
		$key + [.waits]' "$2" | sort_rows) && [ -n "$(did_counts "$1")" ]
}

sort_rows() { jq -s -c 'sort[]'; }

# kvmwait_waits_total{vm="web-kvm",pid="4711",vcpu="0",event="hlt",source="kvm"} 31
prom_is_the_guests() {
	diff <(did_counts "$1") <(sed -nE 's/^kvmwait_waits_total\{vm="[^"]*",pid="([0-9]+)",vcpu="([0-9]+)",event="([a-z_]+)",source="([a-z]+)"\} ([0-9]+)$/[\1,\2,"\3","\4",\5]/p' "$2" | sort_rows)
}

# Every line a comment, a sample of a family that has been announced, or the end.
prom_is_sound() {
	awk '/^# HELP / { help[$3] = 1; next }
		/^# TYPE / { type[$3] = $4; next }
		$0 == "# EOF" { ended = 1; next }
		ended || !/^kvmwait_[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)+\})? [0-9]+(\.[0-9]+)?$/ { print "line " NR ": " $0; bad = 1; exit }
		{ name = $1; sub(/\{.*/, "", name); if (!(name in type)) sub(/_(bucket|sum|count)$/, "", name)
		  if (!(name in type) || !(name in help)) { print "no type: " $0; bad = 1; exit } }
		END { exit bad || !ended }' "$1"
}

promtool_passes() { promtool check metrics <"$1"; }

judge_counts() {
	local d=$1
	test_that "$2 stat ends well" test "$(cat "$d/status" "$d/prom.status" "$d/alone.status" | tr '\n' ' ')" = '0 0 0 '
	test_that "$2 every count is the guest's" total_is_the_guests "$d/did.json" "$d/counts.ndjson"
	test_that "$2 --counts: every count is the guest's" total_is_the_guests "$d/alone.did.json" "$d/alone.ndjson"
	test_that "$2 prometheus has the audit, which agrees" test "$(grep -cE '^kvmwait_audit_difference\{.*\} 0$' "$d/counts.prom")" = "$(jq 'select(.type == "end").audit | length' "$d/counts.ndjson")"
	test_that "$2 --counts: the kernel counted as many, and no more is told" counts_hold "$d/alone.ndjson" '.[-1] | .type == "end" and
		.counted == ($total | map(.waits) | add) and .received == .counted and .lost == 0 and .unbalanced == 0 and .missed == null and
		($total | all(has("boosted") | not))'
	test_that "$2 --counts: fits the JSON Schema" valid_schema "$d/alone.ndjson"
	test_that "$2 the kernel counted as many, and nothing was missed" counts_hold "$d/counts.ndjson" '.[-1] | .type == "end" and
		.counted == ($total | map(.waits) | add) and .received == .counted and .lost == 0 and .unbalanced == 0 and .malformed == 0 and .missed == null'
	test_that "$2 there were intervals, and no more in them than in all" counts_hold "$d/counts.ndjson" \
		'[.[] | select(.type == "stat" and (.total | not))] | length >= 2 and ([.[].rows[].waits] | add) <= ($total | map(.waits) | add)'
	test_that "$2 43 yields to a vCPU that could run boosted it" counts_hold "$d/counts.ndjson" \
		'$total | map(select(.vm == "runnable-kvm")) | length == 1 and .[0].waits == 43 and .[0].boosted == 43'
	test_that "$2 fits the JSON Schema" valid_schema "$d/counts.ndjson"
	test_that "$2 prometheus: every count is the guest's" prom_is_the_guests "$d/prom.did.json" "$d/counts.prom"
	test_that "$2 prometheus: every sample has help and type" prom_is_sound "$d/counts.prom"
	if command -v promtool >/dev/null; then
		test_that "$2 prometheus: promtool takes it" promtool_passes "$d/counts.prom"
	else
		skip_that "$2 prometheus: promtool takes it" 'promtool (of Prometheus) is not here'
	fi
	test_that "$2 no half-written file is left" test -z "$(grep -E 'counts\.prom\..' "$d/files")"
}

# As many pause-loop exits in both totals as VM exits of that reason.
pauses_agree() {
	local exits
	exits=$(awk '$1 == 40 { n += $4 } END { print n + 0 }' "$1/exits")
	[ "$exits" -gt 0 ] && jq -s -c --argjson exits "$exits" -e '[.[] | select(.type == "stat" and .total).rows[] | select(.event == "ple").waits] | add == $exits' "$1/stat.ndjson" "$1/counts.ndjson"
}

# The plan of "totals", by stat and by stat --counts.
judge_totals() {
	local d=$1 how
	test_that "$2 stat ends well" test "$(tr '\n' ' ' <"$d/status")" = '0 0 '
	for how in stat counts; do
		test_that "$2 $how: every count is the guest's" total_is_the_guests "$d/$how.did.json" "$d/$how.ndjson"
		test_that "$2 $how: the kernel counted as many, and nothing was missed" counts_hold "$d/$how.ndjson" '.[-1] | .type == "end" and
			.counted == ($total | map(.waits) | add) and .received == .counted and .lost == 0 and .unbalanced == 0 and .malformed == 0 and .missed == null'
		test_that "$2 $how: fits the JSON Schema" valid_schema "$d/$how.ndjson"
	done
	[ "$machine" != intel ] || test_that "$2 pause-loop exits of tracefs agree" pauses_agree "$d"
}

judge_rates() {
	local d=$1
	test_that "$2 stat ends well" test "$(cat "$d/status" "$d/table.status" | tr '\n' ' ')" = '0 0 '
	test_that "$2 a storm loses nothing" counts_hold "$d/rates.ndjson" \
		'$total | map(select(.vm == "storm-kvm")) | length == 1 and .[0].pv_yield == 60013 and .[0].waits == 60013'
	test_that "$2 the kernel counted as many" counts_hold "$d/rates.ndjson" \
		'.[-1] | .counted == ($total | map(.waits) | add) and .received == .counted and .lost == 0 and .missed == null'
	test_that "$2 each HLT polled, blocked or not waited for" counts_hold "$d/rates.ndjson" '[$total[] | select(.vm == "halts-kvm" or .vm == "halts-noirqchip")] |
		length == 4 and all(.hlt == .polled + .blocked + .unwaited and .gone == 0 and .hlt == (.hist | map(.count) | add)) and
		all(.[]; .hlt == (if .vm == "halts-kvm" then 53 else 29 end)) and all(.[] | select(.vm != "halts-kvm"); .unwaited == 29)'
	test_that "$2 p50 <= p99 <= max, halted and ready within the time" counts_hold "$d/rates.ndjson" '[.[] | select(.type == "stat") | .ns as $ns | .rows[] | .ns = $ns] |
		length > 0 and all(.p50_ns <= .p99_ns and .p99_ns <= .max_ns and .halted_ns <= .ns and .ready_ns <= .ns)'
	test_that "$2 a HLT that goes on is halted time" counts_hold "$d/rates.ndjson" '[.[] | select(.type == "stat" and (.total | not)) | .ns as $ns |
		.rows[] | select(.vm == "asleep-kvm" and .halted_ns > $ns * 0.95)] | length >= 2'
	test_that "$2 and one HLT, however many intervals" counts_hold "$d/rates.ndjson" '[$total[] | select(.vm == "asleep-kvm") | {hlt, blocked, gone}] ==
		[{hlt: 1, blocked: 1, gone: 0}] and ([$total[] | select(.vm == "asleep-kvm").halted_ns][0] | . >= 4900000000)'
	test_that "$2 fits the JSON Schema" valid_schema "$d/rates.ndjson"
	test_that "$2 one table without an interval" test "$(grep -c '^VM ' "$d/table")" = 1
	test_that "$2 with what was lost" grep -qE '^[^ ]+ [^ ]+  [a-z0-9.-]+\.bt  exact: .*  total [0-9]+\.[0-9] s  lost 0$' "$d/table"
	test_that "$2 and the VM's vCPUs" test "$(grep -cE '^web-kvm +[01] ' "$d/table")" = 2
}
