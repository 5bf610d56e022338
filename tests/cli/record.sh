# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2016,SC2034
# kvmwait record with a stand-in for bpftrace, on a captured kernel that is mounted over this machine's own in a
# namespace; then kvmwait report on what came of it. Sourced by tests/cli/run.

rec=$work/record
mkdir -p "$rec/small" "$rec/proc"

# Says what bpftrace says: lines once it is attached, or a storm until the trace ends; then the count.
cat >"$rec/bpftrace" <<'SH'
#!/bin/sh
cd "${0%/*}" || exit 1
[ "$1" != --version ] || { echo 'bpftrace v0.23.2'; exit; }
echo 'kvmwait-wire 1 x86-5.17'
read -r ready
echo "$ready"
cat lines
if [ -e storm ]; then
	rm -f stop
	exec 4<&0
	(cat <&4 >/dev/null; echo >stop) &
	awk 'BEGIN { for (;;) {
		if (n % 1000 == 0) { if ((getline line <"stop") > 0) break; close("stop") }
		# targets that do not compress well, so that a file fills up soon
		printf "w %d%06d 0 100 101 0 pv_yield kvm %d%d 43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00\n", 1000 + n / 1000000,
			n % 1000000, rand() * 1000000000, rand() * 1000000000
		n++ }
		printf "@counted: %d\n", n + 1 }'
	exit
fi
cat >/dev/null
cat counted
SH
chmod +x "$rec/bpftrace"

# in_kernel COMMAND...: as root of a namespace, with the files of that kernel and a disk of 1 MB on small/.
if unshare -m true 2>/dev/null; then own=-m; elif unshare -rm true 2>/dev/null; then own=-rm; else own=''; fi
cat >"$rec/in-kernel" <<SH
#!/bin/sh
exec unshare $own sh -c '
	mount --rbind /proc "$rec/proc" && mount -t tmpfs none /proc && cp -r "\$0/proc/." /proc/ || exit 90
	ln -s "$rec/proc/self" /proc/self && ln -s "$rec/proc/\$\$" /proc/ || exit 90
	mount --bind "\$0/sys" /sys && mount -t tmpfs -o size=1m,mode=777 none "$rec/small" || exit 90
	exec "\$@"' "$work/$r612" "\$@"
SH
printf '#!/bin/sh\nexec "%s/in-kernel" "%s" record --bpftrace "%s/bpftrace" "$@"\n' "$rec" "$kvmwait" "$rec" >"$rec/record"
chmod +x "$rec/in-kernel" "$rec/record"
record() { "$rec/record" "$@"; }

comm0='43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00'
# lines COUNTED LINE...: what the stand-in says.
lines() {
	local counted=$1
	shift
	rm -f "$rec/storm"
	: >"$rec/lines"
	[ $# = 0 ] || printf '%s\n' "$@" >"$rec/lines"
	printf '@counted: %s\n' $((counted + 1)) >"$rec/counted" # the first line counts as well
}
storm() { lines 0; touch "$rec/storm"; }

recordings() {
	local now n
	now=$(awk '{ printf "%d000000000", $1 + 1 }' /proc/uptime)
	# vCPU 0: HLTs of 1,500 ns polled and 3 ms blocked, a pause-loop exit that boosted vCPU 1; vCPU 1: a yield, and a HLT that
	# goes on at the end
	lines 9 "w $((now + 1000)) 0 100 101 0 hlt kvm -1 $comm0" \
		"o $((now + 2500)) $((now + 1000)) 0 100 101 0 run 1 1400 -1 0 0 0 0" \
		"w $((now + 5000)) 0 100 101 0 hlt kvm -1 $comm0" \
		"o $((now + 3005000)) $((now + 5000)) 1 100 101 0 run 2 2990000 -1 0 2900000 60000 0" \
		"w $((now + 4000000)) 0 100 101 0 ple svm -1 $comm0" \
		"o $((now + 4010000)) $((now + 4000000)) 0 100 101 0 run 0 0 1 102 5000 4000 0" \
		"w $((now + 5000000)) 1 100 102 1 pv_yield kvm 77 $comm0" \
		"o $((now + 5003000)) $((now + 5000000)) 1 100 102 1 run 0 0 -1 0 0 0 1" \
		"w $((now + 6000000)) 1 100 102 1 hlt kvm -1 $comm0"
	test_that 'record: a trace into a file' exits 0 record -d 0.3 -o "$rec/some.ndjson"
	test_that 'record: meta, plan, ..., end' valid "$rec/some.ndjson"
	test_that 'record: for its owner alone' test "$(stat -c %a "$rec/some.ndjson")" = 600
	test_that 'record: every record fits the schema' fits_schema "$rec/some.ndjson"
	test_that 'record: the plan is that of plan --json' jq -e -s --slurpfile plan <("$kvmwait" plan --json --root "$work/$r612") \
		'.[1].plan == ($plan[0] | walk(if type == "object" then with_entries(select(.value != null)) else . end))' "$rec/some.ndjson"
	# bpftrace 0.23 has raw tracepoints, which cost less; the recording has the program that ran, with the end of the trace
	test_that 'record --no-account' exits 0 record --no-account -d 0.3 -o "$rec/events.ndjson"
	test_that 'record --no-account: no states' jq -e -s 'all(.type != "stat") and ([.[0].parts[].script] == ["outcome.part", "audit-x86.part"])' "$rec/events.ndjson"
	test_that 'record: one record of states at the end' jq -e -s 'map(.type == "stat" and .total) | index(true) == length - 2' "$rec/some.ndjson"
	test_that 'record --interval --no-account' exits 2 record --no-account -i 1 -o "$rec/none"
	test_that 'record --no-account: the program is that of plan --program, with raw tracepoints' bash -c 'jq -r -j "select(.type == \"plan\").program" "$0/events.ndjson" |
		sed -E "/^\t+if \(@stop != 0\) \{\$/{N;N;d}; /^\tif \(tid == [0-9]+\) \{\$/{N;N;d}" | diff - <("$kvmwait" plan --root "$1" --program outcome,audit) | grep "^[<>]" | diff - <(printf "%s\n" "< rawtracepoint:kvm_entry" "> tracepoint:kvm:kvm_entry")' "$rec" "$work/$r612"
	test_that 'record: the host is named' jq -e -s --arg host "$(uname -n)" '.[0].host == $host' "$rec/some.ndjson"
	test_that 'record: convert reads it' bash -c '"$kvmwait" convert -f json "$0/some.ndjson" | cmp - "$0/some.ndjson"' "$rec"
	test_that 'record: again into the same file' exits 0 record -d 0.3 -o "$rec/some.ndjson"
	test_that 'record: NAME.zst is compressed' exits 0 record -d 0.3 -o "$rec/some.zst"
	test_that 'record: zstd reads it' bash -c 'zstd -dcq "$0/some.zst" >"$0/some.unzst"' "$rec"
	test_that 'record: and it is a recording' valid "$rec/some.unzst"
	for n in ndjson zst; do
		test_that "report: some.$n balances" exits 0 "$kvmwait" report --json -o "$rec/$n.report" "$rec/some.$n"
		# hist: 1.5 us in the bucket from 1,024 ns, 3 ms in that from 2^21
		test_that "report: some.$n, vCPU by vCPU" jq -e '.files | length == 1 and .[0].total.ns as $ns | .[0].balance.balances and .[0].balance.counted == 9 and
			.[0].balance.waits == 5 and .[0].balance.outcomes == 4 and .[0].balance.unseen == 1 and (.[0].total.rows | length == 2 and
			(.[0] | .pid == 100 and .vcpu == 0 and .waits == 3 and .hlt == 2 and .ple == 1 and .ple_boosted == 1 and .boosted == 1 and .pv_yield == 0 and .polled == 1 and
				.blocked == 1 and .unwaited == 0 and .gone == 0 and .halted_ns == 3001500 and .max_ns == 3000000 and .ready_ns == 64000) and
			(.[1] | .vcpu == 1 and .waits == 2 and .hlt == 1 and .pv_yield == 1 and .pv_yield_boosted == 0 and .polled + .blocked == 0 and .p50_ns == 0 and
				.halted_ns > 0 and .halted_ns < $ns))' "$rec/$n.report"
	done
	"$kvmwait" report --hist --json "$rec/some.ndjson" >"$rec/hist.report" || true
	test_that 'report --hist' jq -e '.files[0].total.rows[0].hist == [{from_ns: 1024, count: 1}, {from_ns: 2097152, count: 1}]' "$rec/hist.report"
	"$kvmwait" report --by event,source --json "$rec/some.ndjson" >"$rec/by.report" || true
	test_that 'report --by event,source' jq -e '[.files[0].total.rows[] | [.event, .source, .waits, .boosted]] ==
		[["hlt", "kvm", 3, 0], ["ple", "svm", 1, 1], ["pv_yield", "kvm", 1, 0]]' "$rec/by.report"

	test_that 'record --no-outcome' exits 0 record -d 0.3 --no-outcome --no-account -o "$rec/bare.ndjson"
	test_that 'record --no-outcome --no-account: no part but the audit' jq -e -s '[.[0].parts[].script] == ["audit-x86.part"]' "$rec/bare.ndjson"

	# ---- ends ----
	storm
	test_that 'record --max-size: ends by itself, exit 0' exits 0 timeout 60 "$rec/record" --no-outcome --max-size 1M -o "$rec/max.ndjson"
	test_that 'record --max-size: in good order' valid "$rec/max.ndjson"
	test_that 'record --max-size: and why' jq -e -s '.[-1] | .why == "the file is full" and .received + .lost == .counted and .unbalanced == 0' "$rec/max.ndjson"
	test_that 'record --max-size: the file is no larger, and not much smaller' bash -c 'n=$(stat -c %s "$0"); [ $n -le 1048576 ] && [ $n -gt 900000 ]' "$rec/max.ndjson"
	test_that 'record --max-size: report agrees' exits 0 "$kvmwait" report "$rec/max.ndjson"
	test_that 'record --max-size, compressed' exits 0 record --no-outcome --max-size 1M -o "$rec/max.zst"
	test_that 'record --max-size, compressed: no larger' bash -c 'n=$(stat -c %s "$0"); [ $n -le 1048576 ] && [ $n -gt 600000 ]' "$rec/max.zst"
	test_that 'record --max-size, compressed: report agrees' exits 0 "$kvmwait" report "$rec/max.zst"
	test_that 'record --max-size, compressed: frames of 4 MiB, found by the table at the end' frames_stand_alone "$rec/max.zst"
	test_that 'a full disk: exit 1, and what to do' says 'No space left.*can be read.*--max-size' 1 record --no-outcome -o "$rec/small/full.ndjson"
	for n in ndjson zst; do
		"$rec/in-kernel" sh -c 'ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 "$0" record --bpftrace "$1/bpftrace" --no-outcome -o "$1/small/full.$2"; cp "$1/small/full.$2" "$1/"' "$kvmwait" "$rec" "$n" 2>/dev/null || true
		test_that "a full disk, $n: what is there is read, and said to be cut short" says 'cut short after [0-9.]+ s: the end record is missing' 5 "$kvmwait" report "$rec/full.$n"
	done
	test_that 'a full disk: only whole records' bash -c 'tail -c 1 "$0" | cmp -s - <(echo) && jq -c . "$0" >/dev/null' "$rec/full.ndjson"
	test_that 'ulimit -f: exit 1, and what to do' says 'File too large.*ulimit -f' 1 bash -c 'ulimit -f 512; "$0/record" --no-outcome -o "$0/limit.ndjson"' "$rec"
	test_that 'ulimit -f: only whole records' bash -c 'jq -c . "$0" | wc -l | grep -qx "$(wc -l <"$0")"' "$rec/limit.ndjson"
	test_that 'record -o - into a pipe that closes: no failure' bash -c '{ "$0/record" --no-outcome -o -; echo $? >"$0/pipe.code"; } | head -n 1 >/dev/null; test "$(cat "$0/pipe.code")" = 0' "$rec"
	test_that 'Ctrl-C: exit 0' exits 0 timeout --preserve-status -s INT 4 "$rec/record" --no-outcome -o "$rec/int.zst"
	"$kvmwait" report --json "$rec/int.zst" >"$rec/int.report" || true
	test_that 'Ctrl-C: all of it in good order' jq -e '.files[0].balance | .balances and .why == "interrupted" and .waits > 0' "$rec/int.report"

	# ---- files that are not written ----
	lines 0
	ln -sf "$rec/target" "$rec/link"
	test_that 'record: a link is not followed' says 'it is a link' 1 record -d 0.1 -o "$rec/link"
	test_that 'record: and nothing was made of it' test ! -e "$rec/target"
	mkfifo -m 600 "$rec/fifo"
	test_that 'record: a fifo' says 'no regular file' 1 record -d 0.1 -o "$rec/fifo"
	test_that 'record: a device' says 'no regular file' 1 record -d 0.1 -o /dev/full
	test_that 'record: a directory' says 'directory' 1 record -d 0.1 -o "$rec"
	ln -f "$rec/some.ndjson" "$rec/other-name"
	test_that 'record: a file with two names' says 'hard links' 1 record -d 0.1 -o "$rec/some.ndjson"
	rm "$rec/other-name"
	test_that 'record: what was there is as it was' valid "$rec/some.ndjson"
}

# frames_stand_alone FILE: zstd takes each frame that the seek table names by itself, and together they are the file.
frames_stand_alone() {
	/usr/bin/python3 - "$1" <<'PY'
import struct, subprocess, sys
data = open(sys.argv[1], "rb").read()
n, flags, magic = struct.unpack("<IBI", data[-9:])
assert magic == 0x8F92EAB1 and flags == 0 and n >= 2, (n, flags, magic)
table = data[-9 - 8 * n - 8:]
assert struct.unpack("<II", table[:8]) == (0x184D2A5E, 8 * n + 9)
at, text = 0, b""
for i in range(n):
    packed, size = struct.unpack_from("<II", table, 8 + 8 * i)
    out = subprocess.run(["zstd", "-dcq"], input=data[at:at + packed], capture_output=True, check=True).stdout
    assert len(out) == size and out.endswith(b"\n") and (size < (5 << 20)), (i, size, len(out))
    at, text = at + packed, text + out
assert at == len(data) - len(table)
assert text == subprocess.run(["zstd", "-dcq", sys.argv[1]], capture_output=True, check=True).stdout
PY
}

if [ -n "$own" ]; then
	recordings
else
	skip_that 'kvmwait record with a stand-in for bpftrace' 'no namespace can be made here (unshare -m)'
fi
