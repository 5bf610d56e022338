# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Where guests spin, with stand-ins for bpftrace; a part of tests/cli/run. With the real one, on real kernels:
# tests/live/scenarios/guest-ip.sh.
# shellcheck disable=SC2154 # top, kvmwait and the captured roots are those of tests/cli/run

# shellcheck source=tests/cli/room.sh
. "$here/room.sh"
room_make "$r612"

# ---- the program ----

places() { grep -cE "^[[:space:]]*printf\(\"w .* $2 .*@%llx:%llu@.*, \\\$g_ip, \\\$g_what\);$" "$1"; }
program_of() { "$kvmwait" plan --root "$1" --program "$2" >"program.$3"; }
test_that 'guest_ip: the program of 6.12' program_of "$r612" guest_ip x86
test_that 'guest_ip: every spin ends in its place' test "$(places program.x86 'ple svm')$(places program.x86 'pv_yield kvm')$(places program.x86 'pv_yield hyperv')$(places program.x86 'pv_yield xen')" = 1111
test_that 'guest_ip: a HLT does not' test "$(grep -c 'printf("w .* hlt .*@' program.x86)" = 0
test_that 'guest_ip: the tracepoint kvm_exit is there' grep -qx 'tracepoint:kvm:kvm_exit' program.x86
test_that 'guest_ip: 5.10 has no encrypted registers' program_of "$r5" guest_ip x86-5.10
test_that 'guest_ip: 5.10 reads none' test "$(grep -c guest_state_protected program.x86-5.10)" = 0
test_that 'guest_ip: arm64' program_of "$(root_of 6.12 cloud-arm64)" guest_ip arm64
test_that 'guest_ip: arm64 has no tracepoint for it' test "$(grep -c '^tracepoint:kvm:kvm_exit$' program.arm64)$(places program.arm64 'ple wfe')" = 01
variant tracepoints "$r612"; rm -r made/tracepoints/sys/kernel/btf
test_that 'guest_ip: not with tracepoints alone, and why' plan_has made/tracepoints '.script == "x86-tracepoint.bt" and
	([.scripts[] | select(.part == "guest_ip" and .script != "guest_ip-arm64.part") | .chosen] == [false, false]) and
	([.scripts[] | select(.part == "guest_ip").reason] | any(test("does not go with x86-tracepoint.bt|guest_state_protected")))'

# ---- trace ----

# Two VMs of one address, a user's address, a HLT, and a guest whose registers are encrypted.
stand_in spins <<'SH'
cat /proc/self/fd/3 >/tmp/program
attach
wait='43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00'
echo "w 1000 0 4711 4712 0 ple svm -1 $wait@ffffffff8100101a:7@"
echo "w 2000 0 4711 4712 0 ple svm -1 $wait@401000:3@"
echo "w 3000 0 4711 4713 1 pv_yield kvm 1 $wait@ffffffff81002000:7@"
echo "w 4000 0 4711 4712 0 hlt kvm -1 $wait"
echo "w 5000 0 4721 4722 0 ple svm -1 $wait@ffffffff8100101a:7@"
echo "w 6000 0 4721 4722 0 ple svm -1 $wait@0:0@"
wait_for_end; counted 6
SH
printf '%s\n' 'ffffffff81002000 T secret_yield' 'ffffffff81001000 t secret_spin.part.0' 'ffffffff81003000 T behind' >"$room/tmp/map"
test_that 'trace --guest-ip --guest-symbols: exit 0' traces spins 0 -d 0.05 --guest-ip --guest-symbols 4711=/tmp/map
test_that 'address, mode and name, as far as they are known' has spins 'map(select(.type == "wait") | [.pid, .event, .guest_ip, .guest_mode, .guest_symbol]) == [
	[4711, "ple", -2130702310, "kernel", "secret_spin.part.0+0x1a"], [4711, "ple", 4198400, "user", null], [4711, "pv_yield", -2130698240, "kernel", "secret_yield+0x0"],
	[4711, "hlt", null, null, null], [4721, "ple", -2130702310, "kernel", null], [4721, "ple", null, null, null]]'
test_that 'trace --guest-ip: fits the JSON Schema' fits_schema spins.ndjson
test_that 'nothing of the symbols reaches the program' test -s "$room/tmp/program" -a -z "$(grep secret "$room/tmp/program")"
cp spins.ndjson spins.saved
in_form() { traces spins 0 -d 0.05 --guest-ip --guest-symbols 4711=/tmp/map -f "$1" && cut -d' ' -f1- spins.ndjson >"spins.$1"; }
test_that 'trace --guest-ip -f table' in_form table
test_that 'table: mode, address and function' grep -qE ' ple +svm +- +kernel ffffffff8100101a secret_spin.part.0\+0x1a$' spins.table
test_that 'trace --guest-ip -f csv' in_form csv
test_that 'csv: three columns more' test "$(sed -n '2p;5p' spins.csv | cut -d, -f10-)" = "-1,-2130702310,kernel,secret_spin.part.0+0x1a
-1,,,"
test_that 'trace --guest-ip -f ftrace' in_form ftrace
ftrace_again() { "$kvmwait" convert -f ftrace spins.saved | diff spins.ftrace -; }
test_that 'ftrace: without them, as ever' ftrace_again
test_that 'convert: the records come back as they were' test "$("$kvmwait" convert -f json spins.saved)" = "$(cat spins.saved)"
test_that 'an offset of the addresses' traces spins 0 -d 0.05 --guest-ip --guest-symbols 4711=/tmp/map+0x10
test_that 'an offset of the addresses: the name' has spins '[.[] | select(.type == "wait").guest_symbol] == ["secret_spin.part.0+0xa", null, "secret_spin.part.0+0xff0", null, null, null]'

# hostile NAME TEXT PATTERN: such a file of symbols ends the trace, which says why.
hostile() {
	printf "$2" >"$room/tmp/hostile"
	test_that "symbols: $1: exit 1" traces spins 1 -d 0.05 --guest-ip --guest-symbols 4711=/tmp/hostile
	test_that "symbols: $1: said" said spins "$3"
}
hostile 'another file' 'root:x:0:0\n' "'/tmp/hostile' is not the System.map or kallsyms of a guest: line 1: not of the form 'ADDRESS TYPE NAME'"
hostile 'a name with an escape' '1000 T f\n2000 T g\033[2J\n' 'line 2: a name with other than letters'
hostile 'all addresses hidden' '0000000000000000 T f\n0000000000000000 T g\n' 'all addresses are 0: read /proc/kallsyms as root'
hostile 'empty' '' 'it has no functions'
hostile 'a long line' "$(printf '1000 T %02000d' 0)\n" 'line 1: too long'
test_that 'symbols: nothing is left of bpftrace' none_left spins
test_that 'symbols: no such file' traces spins 1 -d 0.05 --guest-ip --guest-symbols 4711=/tmp/none
test_that 'symbols: no such file: said' said spins "cannot open the symbols of a guest: '/tmp/none': No such file or directory"
test_that 'symbols: a directory' traces spins 1 -d 0.05 --guest-ip --guest-symbols 4711=/tmp

# ---- stat ----

stand_in counts <<'SH'
attach; wait_for_end
awk 'BEGIN {
	key = (4712 * 4194304 + 4711) * 65536; other = (4713 * 4194304 + 4711) * 65536 + 1; third = (4722 * 4194304 + 4721) * 65536
	printf "@s_n[%.0f, 3]: 61\n@s_n[%.0f, 5]: 41\n@s_n[%.0f, 3]: 5\n", key, other, third
	printf "@g_n[0, 0, 0]: 0\n@g_n[%.0f, -2130702310, 7]: 31\n@g_n[%.0f, 4198400, 3]: 23\n", key, key
	printf "@g_n[%.0f, -2130698240, 7]: 37\n@g_n[%.0f, -2130702310, 7]: 4\n@g_n[%.0f, 0, 0]: 5\n", other, other, third
}'
counted 107
SH
# counts CODE [OPTION]...: stat with that stand-in.
counts() {
	local want=$1 code=0
	shift
	(within=(timeout -s KILL 60); in_room "$kvmwait" stat --bpftrace /counts -d 0.05 "$@") >counts.ndjson 2>counts.said </dev/null || code=$?
	[ "$code" = "$want" ] || { echo "exit $code, not $want"; cat -v counts.said; return 1; }
}
test_that 'stat --guest-ip: exit 0' counts 0 -f json --guest-ip --guest-symbols 4711=/tmp/map
test_that 'stat --guest-ip: by VM, most spins first, and what found no room' has counts 'map(select(.type == "stat" and .total)) | last | .guests == [
	{"vm": "4711", "pid": 4711, "spins": 102, "unplaced": 7, "rows": [
		{"spins": 37, "share": 3627, "guest_ip": -2130698240, "guest_mode": "kernel", "guest_symbol": "secret_yield+0x0"},
		{"spins": 35, "share": 3431, "guest_ip": -2130702310, "guest_mode": "kernel", "guest_symbol": "secret_spin.part.0+0x1a"},
		{"spins": 23, "share": 2255, "guest_ip": 4198400, "guest_mode": "user"}]},
	{"vm": "4721", "pid": 4721, "spins": 5, "unplaced": 0, "rows": [{"spins": 5, "share": 10000}]}]'
test_that 'stat --guest-ip: fits the JSON Schema' fits_schema counts.ndjson
test_that 'stat --guest-ip -f table: exit 0' counts 0 --guest-ip --guest-symbols 4711=/tmp/map
test_that 'stat --guest-ip -f table' expected stat-guest-ip sed -n '/^where/,$p' counts.ndjson
test_that 'stat without it has none' counts 0 -f json
test_that 'stat without it: no field' has counts 'map(select(.type == "stat")) | all(has("guests") | not)'
for format in csv openmetrics prometheus; do
	test_that "stat --guest-ip -f $format: usage" says "^kvmwait: --guest-ip cannot be shown as $format: use -f table or -f json$" 2 "$kvmwait" stat --guest-ip -f $format
done

# ---- report ----

test_that 'report: exit 0' exits 0 "$kvmwait" report --guest-symbols 4721="$room/tmp/map" spins.saved -o spins.report
test_that 'report: the same, and names of another VM' expected report-guest-ip sed -n '/^where/,$p' spins.report
test_that 'report --json: the same figures' test "$("$kvmwait" report --json spins.saved | jq -c '.files[0].total.guests | map([.pid, .spins, (.rows | map(.spins) | add)])')" = '[[4711,3,3],[4721,2,2]]'
test_that 'report: without addresses no section' test "$(grep -v guest_ip spins.saved | "$kvmwait" report - 2>/dev/null | grep -c '^where')" = 0
echo 'root:x:0:0' >no-symbols
test_that 'report: a file of symbols that is none' says 'line 1: not of the form' 1 "$kvmwait" report --guest-symbols 4711=no-symbols spins.saved
test_that 'report -f csv: says which form has it' says "csv has no room for where guests spin: use -f table, -f json or --html" 0 "$kvmwait" report -f csv spins.saved
test_that 'report -f csv without addresses: nothing to say' bash -c 'grep -v guest_ip spins.saved | "$kvmwait" report -f csv - 2>&1 >/dev/null | { ! grep "room for"; }'
# the cells of the page's tables of places, by VM
page_places() {
	"$kvmwait" report --html "$@" spins.saved >places.html && python3 - places.html <<-'PY'
		import html, re, sys
		text = open(sys.argv[1]).read()
		for table in re.findall(r'<table><caption>(.*?)</table>', text, re.S):
		    print(html.unescape(re.sub('<.*?>', '', table.split('</caption>')[0])))
		    for row in re.findall(r'<tr>(<td>.*?)</tr>', table, re.S):
		        print(*[html.unescape(re.sub('<.*?>', '', c)) or '|' for c in re.findall(r'<td.*?>(.*?)</td>', row, re.S)])
	PY
}
# the same of the table on a terminal, whose figures are judged above
table_places() {
	"$kvmwait" report "$@" spins.saved | awk '/^where .* spins:/ { vm = $2; in_it = 1; getline; next } !NF { in_it = 0 }
		in_it { rows[vm] = rows[vm] sprintf("%s | %s %s %s%s %s\n", $1, $2, $3, $4, $4 == "not" ? " known" : "", $4 == "not" || NF < 5 ? "|" : $5); n[vm] += $1; if (!(vm in seen)) { seen[vm]; order[++k] = vm } }
		END { for (i = 1; i <= k; i++) printf "%s: %d spins\n%s", order[i], n[order[i]], rows[order[i]] }'
}
same_places() { [ "$(table_places "$@" | wc -l)" = 7 ] && diff <(table_places "$@") <(page_places "$@"); }
test_that 'report --html: the places of the table' same_places
test_that 'report --html --guest-symbols: with their names' same_places --guest-symbols 4711="$room/tmp/map"
test_that 'report --html: no section without addresses' bash -c '! grep -v guest_ip spins.saved | "$kvmwait" report --html - 2>/dev/null | grep "Where guests spin"'
hostile_places() {
	jq -c 'if .type == "wait" then .vm = "<b>evil</b>" else . end' spins.saved >evil.saved
	"$kvmwait" report --html evil.saved >evil.html && grep -q '&lt;b&gt;evil&lt;/b&gt;' evil.html && ! grep -q "<b>evil" evil.html
}
test_that 'report --html: a name of a VM is no markup' hostile_places

# ---- usage ----

for command in trace stat; do
	test_that "$command --guest-symbols without --guest-ip: usage" says 'names the addresses of --guest-ip: give both' 2 "$kvmwait" $command --guest-symbols 4711="$room/tmp/map"
	test_that "$command --guest-symbols without a file: usage" says "invalid value 'web' for --guest-symbols: must be VM=FILE or VM=FILE\+0xOFFSET" 2 "$kvmwait" $command --guest-ip --guest-symbols web
done
