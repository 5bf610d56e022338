# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2016,SC2154
# Where guests spin, beside the addresses of the guests' own instructions.

spots() {
	# where the code of kvmwait-guest lies in its guests, which is all that there is of a kernel
	code=00008000
	case $machine in
	arm64) plan='-c 2 wfe=31@0 wfe=37@1' code=40001000 ;;
	intel) plan='-c 2 pause=3@0 yield:1=41@0 hv-spin=43@1' ;;
	*) plan='-c 2 pause=31@0 pause=37@1 pause-cpl3=29@0 yield:1=41@0 hv-spin=43@1' ;;
	esac
	[ -z "$no_pause" ] || plan='-c 2 yield:1=41@0 hv-spin=43@1'
	echo "kvmwait-guest -n spots --stay 2 $plan >guest.json" >guest.sh
	printf '0000000000000000 T before\n00000000%s t spin_code\n00000000f0000000 T behind\n' $code >System.map
	kvmwait trace --guest-ip --guest-symbols spots-kvm=System.map -o trace.ndjson -- sh guest.sh 2>err
	echo $? >status
	mv guest.json trace.json
	for how in stat counts; do
		set --
		[ $how = stat ] || set -- --counts
		kvmwait stat "$@" --guest-ip --guest-symbols spots-kvm=System.map -f json -o $how.ndjson -- sh guest.sh 2>>err
		echo $? >>status
		mv guest.json $how.json
	done
}

# ---- judge ----

# did_spots GUEST: VM, address, mode, count and name of what the guest did, where it knows the count. The file names the
# addresses of one VM in kernel mode.
did_spots() {
	local base=$((0x8000))
	[ "$machine" != arm64 ] || base=$((0x40001000))
	jq -r --argjson base $base '[.did[] | select(.ip and .count)] | group_by([.vm, .ip, .mode])[] |
		"\(.[0].vm) \(.[0].ip) \(.[0].mode) \(map(.count) | add) \(if .[0].vm == "spots-kvm" and .[0].mode == "kernel" then .[0].ip - $base else "-" end)"' "$1" |
		while read -r vm ip mode count offset; do
			[ "$offset" = - ] || offset=$(printf 'spin_code+0x%x' "$offset")
			echo "$vm $ip $mode $count $offset"
		done | sort
}
# seen_spots GUEST TRACE: the same of the trace.
seen_spots() {
	jq -r -s --slurpfile guest "$1" '($guest[0].did | map(select(.count == null).event)) as $unknown |
		map(select(.type == "wait" and .event != "hlt" and (.event | IN($unknown[]) | not))) | group_by([.vm, .guest_ip, .guest_mode])[] |
		"\(.[0].vm) \(.[0].guest_ip) \(.[0].guest_mode) \(length) \(.[0].guest_symbol // "-")"' "$2" | sort
}
# Also where the guest does not know how many of its PAUSEs exit: each spin is at one of its addresses, and each address was seen.
addresses_are_the_guests() {
	diff <(jq -r '.did[] | select(.ip) | "\(.vm) \(.event) \(.ip) \(.mode)"' "$1" | sort -u) \
		<(jq -r 'select(.type == "wait" and .event != "hlt") | "\(.vm) \(.event) \(.guest_ip) \(.guest_mode)"' "$2" | sort -u)
}
spots_are_the_guests() { [ -n "$(did_spots "$1")" ] && diff <(did_spots "$1") <(seen_spots "$1" "$2"); }

# totals_are_the_guests GUEST STAT: the same of the totals. An address whose count the guest does not know is left out.
totals_are_the_guests() {
	[ -n "$(did_spots "$1")" ] && diff <(did_spots "$1") <(jq -r --slurpfile guest "$1" '($guest[0].did | map(select(.count == null) | [.vm, .ip])) as $unknown |
		select(.type == "stat" and .total).guests[] | .vm as $vm | .rows[] | select([$vm, .guest_ip] | IN($unknown[]) | not) |
		"\($vm) \(.guest_ip) \(.guest_mode) \(.spins) \(.guest_symbol // "-")"' "$2" | sort)
}
# Of each VM: the addresses hold all its spins.
all_spins_are_placed() {
	jq -e -s 'map(select(.type == "stat" and .total)) | last | (.rows | group_by(.vm) | map({(.[0].vm): (map(.ple + .pv_yield) | add)}) | add) as $spins |
		.guests | length > 0 and all(.unplaced == 0 and .spins == $spins[.vm] and .spins == (.rows | map(.spins) | add))' "$1" ||
		{ jq -c 'select(.type == "stat" and .total)' "$1"; return 1; }
}
# histogram_is_the_guests GUEST REPORT: lines of SPINS SHARE% MODE ADDRESS [FUNCTION], for each VM.
histogram_is_the_guests() {
	local unknown
	unknown=$(jq -r '[.did[] | select(.count == null).ip] | unique[]' "$1")
	diff <(did_spots "$1") <(awk '/^where .* spins:$/ { vm = $2; next } vm && $4 ~ /^[0-9a-f]+$/ && length($4) == 16 { print vm, $4, $3, $1, $5 ? $5 : "-" }' "$2" |
		while read -r vm ip rest; do
			ip=$((16#$ip))
			[ "$ip" = "$unknown" ] || echo "$vm $ip $rest"
		done | sort)
}

judge_spots() {
	local d=$1 how
	test_that "$2 ends well" test "$(tr '\n' ' ' <"$d/status")" = '0 0 0 '
	judge_trace "$d/trace.ndjson" "$2"
	test_that "$2 every spin is at its instruction, in its mode, under its name" spots_are_the_guests "$d/trace.json" "$d/trace.ndjson"
	test_that "$2 the addresses are those of the guest's instructions" addresses_are_the_guests "$d/trace.json" "$d/trace.ndjson"
	for how in stat counts; do
		test_that "$2 $how: every address with its count, in its mode, under its name" totals_are_the_guests "$d/$how.json" "$d/$how.ndjson"
		test_that "$2 $how: no more and no less than all spins" all_spins_are_placed "$d/$how.ndjson"
		test_that "$2 $how: fits the JSON Schema" valid_schema "$d/$how.ndjson"
	done
	"$kvmwait" report "$d/trace.ndjson" >"$d/report"
	test_that "$2 report: the same histogram" histogram_is_the_guests "$d/trace.json" "$d/report"
}
