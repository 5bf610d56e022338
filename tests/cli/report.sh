# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016
# kvmwait report on a recording whose course is known (input/recording.ndjson, 4 s of two VMs), whole, cut and mixed.
# Sourced by tests/cli/run.

mkdir -p "$work/reports"
whole=$here/input/recording.ndjson
report() { (cd "$here/input" && "$kvmwait" report "$@"); }
# reports EXPRESSION ARG...: what jq says of the report as JSON, whatever its exit code.
reports() {
	local expression=$1
	shift
	"$kvmwait" report --json "$@" 2>/dev/null >reports/report || true
	jq -e "$expression" reports/report >/dev/null || { jq -c 'del(.files[].meta)' reports/report | head -c 2000; return 1; }
}

test_that 'report' expected report.table report -i 1 recording.ndjson
test_that 'report --by vm,event,source -f csv' expected report.csv report -i 2 --by vm,event,source -f csv recording.ndjson
test_that 'report --hist --top halted' expected report.hist report --hist --top halted recording.ndjson
# web01's vCPU 0 is halted 0.5, 1 and 0.25 s of the first seconds; its vCPU 1 polls 1.5 us, and is halted in the last
test_that 'report -i 1: a HLT counts where it was' reports '[.files[0].intervals[] | [.rows[] | select(.pid == 4711) | .vcpu, .halted_ns]] ==
	[[0, 500000000, 1, 0], [0, 1000000000], [0, 250000000, 1, 1500], [1, 1000000000]]' -i 1 "$whole"
test_that 'report: the total' reports '.files[0].total | .ns == 4000000000 and ([.rows[] | [.vm, .vcpu, .waits, .ple, .ple_boosted, .hlt, .pv_yield, .boosted, .halted_ns, .ready_ns]] ==
	[["db02", 0, 1, 1, 0, 0, 0, 0, 0, 0], ["web01", 0, 5, 4, 1, 1, 0, 1, 1750000000, 100000000], ["web01", 1, 3, 0, 0, 2, 1, 1, 1000001500, 0]])' "$whole"
test_that 'report --from --to' reports '.files[0].total | .ns == 1500000000 and ([.rows[] | select(.vm == "web01" and .vcpu == 0) | .halted_ns, .ple] == [1250000000, 0])' --from 1 --to 2.5 "$whole"
test_that 'report --from --to: the balance is that of all' reports '.files[0].balance | .balances and .counted == 17' --from 1 --to 2.5 "$whole"
report_record_schema() {
	"$kvmwait" trace --schema | jq '{"$schema": ."$schema", oneOf}' >schema.json
	reports true -i 1 --hist "$whole" && jq -c '.files[0] | .intervals[], .total' reports/report >reports/stats && fits_schema reports/stats
}
test_that 'report --json: its tables are stat records' report_record_schema

# With a blame record, of which strings are anybody's.
jq -c 'if .type == "end" then { type: "blame", vms: [{ vm: "web01", pid: 4711, vcpus: 2, unseen: 1, spins: 5, blamed: 3, unblamed: 1, unknown: 1 }],
	rows: [{ vm: "web01", pid: 4711, vcpu: 1, culprit: { kind: "host", pid: 17, tid: 18, comm: "a\u001bb" }, spins: 3, share: 6000, targeted: 2, ready_ns: 1234567 },
	{ vm: "web01", pid: 4711, vcpu: 0, culprit: { kind: "vcpu", pid: 9, tid: 9, comm: "CPU 3/KVM", vm: "db02", vcpu: 3 }, spins: 1, share: 2000, targeted: 0, ready_ns: 5000 },
	{ vm: "web01", pid: 4711, vcpu: 0, culprit: { kind: "idle" }, spins: 1, share: 2000, targeted: 0, ready_ns: 0 }], more: 7 }, . else . end' "$whole" >reports/blame.ndjson
test_that 'a blame record as a table' expected report.blame "$kvmwait" report reports/blame.ndjson

# ---- the findings ----

busy=$top/tests/html/host1.zst
same_findings() { diff <("$kvmwait" why -f json "$busy" | jq -S 'del(.file)') <("$kvmwait" report --json "$busy" | jq -S '.files[0].why') && [ "$("$kvmwait" report --json "$busy" | jq '.files[0].why.findings | length')" = 1 ]; }
test_that 'report --json: the findings are those of why' same_findings
above_the_balance() { "$kvmwait" report "$busy" | sed -n 2,3p >reports/findings && diff reports/findings <("$kvmwait" why "$busy" | sed -n 2,3p) && grep -q '^web01-kvm: vCPU 1 could run and waited 13 %' reports/findings; }
test_that 'report: the findings stand below the heading, as why words them' above_the_balance
without_findings() { ! "$kvmwait" report "$@" "$busy" | grep -q 'hog (431), a thread of the host'; }
test_that 'report -f csv: no findings' without_findings -f csv
test_that 'report --from: no findings, which are about all of it' without_findings --from 1
no_rules() {
	mkdir -p reports/alone/bin reports/alone/share/kvmwait/why.list && cp "$kvmwait" reports/alone/bin/
	says "the report has no findings: cannot read the rules: '.*/share/kvmwait/why.list'" 0 reports/alone/bin/kvmwait report "$busy"
}
test_that 'report without the rules: a note' no_rules

# ---- the audit ----

with_audit() { jq -c --argjson difference "$1" 'if .type == "end" then . + { audit: [{ counter: "halt_exits", event: "hlt", source: "kvm", seen: 3,
	kernel: (3 - $difference), difference: $difference }, { counter: "yields", event: "pv_yield", source: "kvm", why: "not read" }] } else . end' "$whole"; }
with_audit 0 >reports/audited.ndjson
with_audit -4 >reports/differs.ndjson
test_that 'report: an audit that agrees' exits 0 report "$work/reports/audited.ndjson"
audit_lines() { [ "$("$kvmwait" report reports/audited.ndjson | grep '^audit: ')" = "audit: hlt 3 agrees with KVM's halt_exits 3
audit: pv_yield was not compared with KVM's yields: not read" ]; }
test_that 'report: the audit in words' audit_lines
test_that 'report: the audit as JSON' reports '.files[0].balance | .balances and (.audit | length) == 2 and .audit[0].seen == 3' reports/audited.ndjson
test_that 'report: an audit that differs' exits 5 report "$work/reports/differs.ndjson"
test_that 'report: an audit that differs is a problem' reports '.files[0].balance | (.balances | not) and .problems == ["the audit differs: hlt 3 differs from KVM\u0027s halt_exits 7"]' reports/differs.ndjson
page_differs() { "$kvmwait" report --html -o reports/differs.html reports/differs.ndjson; grep -q 'The audit differs: hlt 3 differs from' reports/differs.html && ! grep -q 'Complete: no event was lost' reports/differs.html; }
test_that 'report --html: an audit that differs' page_differs

# Two VMs of one name: tables show the process id beside it, records do not change.
sed 's/"db02"/"web01"/' reports/blame.ndjson >reports/twins.ndjson
twins_in() { # of each command's table: rows that begin with the label of one or of both
	"$kvmwait" report "$@" reports/twins.ndjson >reports/twins && grep -q '^web01 (4711) ' reports/twins && grep -q '^web01 (99) ' reports/twins &&
		! grep -E '^web01 +[0-9-]' reports/twins
}
test_that 'report: two VMs of one name' twins_in
test_that 'report --by vm: two VMs of one name' twins_in --by vm
test_that 'report -i: two VMs of one name' twins_in -i 3
test_that 'blame: two VMs of one name' bash -c 'grep -qE "^web01 \(4711\) +0 .*web01 \(9\) vCPU 3 " reports/twins'
test_that 'report --json: two VMs of one name' reports '[.files[0].total.rows[] | [.vm, .pid]] | unique == [["web01", 99], ["web01", 4711]]' reports/twins.ndjson
test_that 'convert -f summary: two VMs of one name' bash -c '"$kvmwait" convert -f summary reports/twins.ndjson | grep -cE "^web01 \((99|4711)\) +all " | grep -qx 4'
test_that 'convert -f table: two VMs of one name' bash -c '"$kvmwait" convert -f table reports/twins.ndjson | grep -E " web01 \(99\) +0 "'
test_that 'convert -f json: the name stays' bash -c '"$kvmwait" convert -f json reports/twins.ndjson | jq -es "[.[] | select(.type == \"wait\").vm] | unique == [\"web01\"]"'
test_that 'convert -f csv: the name stays' bash -c '"$kvmwait" convert -f csv reports/twins.ndjson | grep -q ",99,100,\"CPU 0/KVM\",\"web01\","'

# ---- where something is missing ----

lines_of() { wc -l <"$1"; }
cut_after() { head -n "$2" "$whole" >"$1"; }
cut_after reports/no-end.ndjson $(($(lines_of "$whole") - 1))
test_that 'no end record: told, exit 5' says "cut short after 3\.000 s: the end record is missing" 5 "$kvmwait" report reports/no-end.ndjson
test_that 'no end record: all that is there counts' reports '.files[0] | .balance.cut_short and (.balance.balances | not) and ([.total.rows[].waits] | add) == 9' reports/no-end.ndjson
cut_everywhere() {
	local size at code
	size=$(stat -c %s "$1")
	for ((at = 0; at < size; at += $2)); do
		head -c "$at" "$1" >reports/cut
		code=0
		"$kvmwait" report --json reports/cut >reports/cut.json 2>reports/cut.err || code=$?
		case $code in
		1) grep -qE 'is no recording|nothing of it can be read' reports/cut.err && [ "$(zstd -dcfq reports/cut 2>/dev/null | wc -l)" = 0 ] || { echo "at $at: $(cat reports/cut.err)"; return 1; } ;;
		5) jq -e --argjson n "$(jq -R -s '[split("\n")[:-1][] | select(test("\"wait\"")) ] | length' <(zstd -dcfq reports/cut 2>/dev/null))" \
			'.files[0] | .balance.cut_short and .balance.waits >= $n and .balance.waits <= 9' reports/cut.json >/dev/null || { echo "at $at: $(cat reports/cut.err)"; return 1; } ;;
		0) jq -e '.files[0].balance | .balances and .waits == 9' reports/cut.json >/dev/null && [ "$3" = tail ] || { echo "at $at: exit 0"; return 1; } ;;
		*) echo "at $at: exit $code"; return 1 ;;
		esac
	done
}
test_that 'cut at many places: never more than was there, never silent' cut_everywhere "$whole" 211 no
zstd -qf "$whole" -o reports/whole.zst
test_that 'compressed by zstd itself' reports '.files[0].balance | .balances and .waits == 9' reports/whole.zst
# what is cut off its last bytes can be its checksum alone
test_that 'compressed, cut at many places' cut_everywhere reports/whole.zst 97 tail
{ head -n 5 "$whole"; printf 'what\n{"type":"wait"}\n\377\376\n'; tail -n +6 "$whole"; } >reports/dirty.ndjson
test_that 'lines that are no records: counted, the first is named' says '3 lines are no records; line 6: no valid JSON' 5 "$kvmwait" report reports/dirty.ndjson
test_that 'lines that are no records: the others count' reports '.files[0].balance | .waits == 9 and .outcomes == 8 and .counted == 17' reports/dirty.ndjson
grep -v '"ts":102502000000' "$whole" >reports/short.ndjson
test_that 'a record that is missing: told' says 'speaks of 17 records received, 16 are here' 5 "$kvmwait" report reports/short.ndjson
test_that 'another kind of file' says 'is no recording' 1 "$kvmwait" report "$top/Makefile"
test_that 'counts of stat' says "holds counts of 'kvmwait stat'" 1 "$kvmwait" report <(echo '{"type":"stat","ts":1,"ns":1,"total":true,"full":false,"by":[],"rows":[]}')
test_that 'no such file' says "'nothing': No such file" 1 "$kvmwait" report nothing
test_that 'a directory' says 'Is a directory' 1 "$kvmwait" report reports

# ---- many files ----

sed 's/"host":"alpha"/"host":"b\\\\x0aeta\\"<"/; s/web01/mail/' "$whole" >'reports/b;a"d.ndjson'
test_that 'many files: host by host' reports '[.files[] | [.host, ([.total.rows[].vm] | unique)]] ==
	[["alpha", ["db02", "web01"]], ["b\\x0aeta\"<", ["db02", "mail"]], ["alpha", ["db02", "web01"]]]' "$whole" 'reports/b;a"d.ndjson' reports/whole.zst
test_that 'many files: one is missing, the others are told' bash -c '"$kvmwait" report "$0" nothing "$0" >reports/table 2>/dev/null; [ $? = 1 ] && [ "$(grep -c "^== alpha" reports/table)" = 2 ]' "$whole"
sed '1s/"host":"alpha",//' "$whole" >reports/nameless.ndjson
test_that 'a host without a name goes by its file' reports '.files[0].host == "reports/nameless.ndjson"' reports/nameless.ndjson
cat "$whole" "$whole" >reports/twice.ndjson
test_that 'two recordings in one file are two' reports '.files | length == 2 and all(.balance.balances) and .[1].part == 2' reports/twice.ndjson
test_that 'standard input' bash -c '"$kvmwait" report --json - <"$0" | jq -e ".files[0].balance.balances"' "$whole"
test_that 'a csv of many files has one heading' bash -c '[ "$("$kvmwait" report -f csv "$0" "$0" | grep -c "^host,file,ts,")" = 1 ]' "$whole"
sed 's/\[{"script":"outcome.part","sha256":"00"}\]/[]/' "$whole" | grep -v '"outcome"' | sed 's/"counted":17,"received":17,"outcomes":8/"counted":9,"received":9/' >reports/bare.ndjson
test_that 'without outcomes: what is not known is not told as 0' reports '.files[0] | .balance.balances and (.total.rows[0] | has("waits") and has("hlt") and (has("halted_ns") or has("boosted") or has("polled") or has("ready_ns") | not))' reports/bare.ndjson
test_that 'without outcomes: nor in the table' bash -c '"$kvmwait" report reports/bare.ndjson | grep -E "^web01 +0 " | grep -qE "^web01 +0 +1\.0 +- +0\.3 +- +- +- +- +- +0 +- +-$"'

# ---- usage and output ----

test_that 'report without a file' says 'report needs a recording' 2 "$kvmwait" report
test_that 'report -i nonsense' says "invalid value '0.01' for --interval: must be a number of seconds, at least 0.1" 2 "$kvmwait" report -i 0.01 "$whole"
test_that 'report -f openmetrics' says 'must be one of table, json, csv$' 2 "$kvmwait" report -f openmetrics "$whole"
test_that 'report --to before --from' says 'is not after' 2 "$kvmwait" report --from 3 --to 2 "$whole"
test_that 'report onto its input: refused' bash -c 'cp "$0" reports/same; "$kvmwait" report -o reports/same reports/same 2>/dev/null; [ $? = 2 ] && cmp "$0" reports/same' "$whole"
test_that 'report: a full disk is said' says 'No space left' 1 "$kvmwait" report -o /dev/full "$whole"
test_that 'report: a closed pipe is no error' bash -c '{ "$kvmwait" report -i 0.1 $(yes "$0" | head -n 200) 2>reports/err; echo $? >reports/code; } | head -n 1 >/dev/null; [ "$(cat reports/code)" = 0 ]' "$whole"
test_that 'record without a file' says 'record needs a file' 2 "$kvmwait" record -d 1
for size in 0 1K 1023K 5X 1MB -1 99999999999999999999 18446744073709551615G; do
	test_that "record --max-size $size" says "invalid value '$size' for --max-size: must be a number of bytes, or of K, M or G, at least 1M" 2 "$kvmwait" record --max-size $size -o x
done
