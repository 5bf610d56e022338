# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# On a host; a part of tests/bench/run: start-up, what tracing costs a guest, how fast events come through. The host
# is a stock kernel in an emulator whose time goes by instructions: 4 ns each, so nothing else on the machine is measured.
# shellcheck disable=SC2154 # top, work, build, rounds and kvmwait are those of tests/bench/run

host=$work/host

# rival NAME: a program of this machine with all that it is linked with, to be put into the other.
rival() {
	local path lib loader dir=$work/rivals/$1
	path=$(readlink -f "$(command -v "$1")") || return 1
	mkdir -p "$dir"
	loader=$(ldd "$path" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p')
	for lib in "$path" $(ldd "$path" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p') "$loader"; do cp -L "$lib" "$dir/"; done
	printf '#!/bin/sh\nexec /usr/libexec/%s/%s --library-path /usr/libexec/%s --argv0 %s /usr/libexec/%s/%s "$@"\n' \
		"$1" "${loader##*/}" "$1" "$1" "$1" "${path##*/}" >"$dir.sh"
	chmod +x "$dir.sh"
}

boot_host() {
	rival perf && rival trace-cmd || return 1
	"$top/tests/live/run" --icount --kernel 6.12 --bpftrace 0.23 --timeout 1800 --out "$host" --put "$here/inside.sh:/inside.sh" \
		--put "$work/rivals/perf:/usr/libexec/perf" --put "$work/rivals/perf.sh:/usr/bin/perf" \
		--put "$work/rivals/trace-cmd:/usr/libexec/trace-cmd" --put "$work/rivals/trace-cmd.sh:/usr/bin/trace-cmd" \
		-- sh /inside.sh "$@" >"$work/host.log" 2>&1
}

# The one in the middle of lines on standard input.
middle() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# loop_us HOW OP: microseconds of one round of a guest's loop.
loop_us() { jq -r ".did[] | select(.op == \"$2\") | .ns / .count / 1000" "$host/cost/$1.json" | middle; }
# bpf_us HOW OP: those that BPF programs took of it.
bpf_us() { awk -v op="$2" '$1 == op { printf "%.3f", ($4 - $2) / $6 / 1000 }' "$host/cost/$1.bpf"; }

# compare WHAT US BESIDE US [LIMIT]
compare() {
	local ratio
	ratio=$(calc "$2 / $4")
	row "$1" "$(calc "$2") us" "$3: $(calc "$4") us" "$ratio times as long" "${5:+at most $5}" "$ratio <= ${5:-0}"
}

report_cost() {
	local op how name mine label
	for op in pause yield hlt; do
		for mine in counts stat; do
			label="a guest's $op, under kvmwait stat"
			[ "$mine" = stat ] || label="$label --counts"
			compare "$label" "$(loop_us $mine $op)" 'under a bare count()' "$(loop_us count $op)" 1.3
			for how in recording perf perf-kvm; do
				case $how in recording) name='trace-cmd record' ;; perf) name='perf record' ;; *) name='perf kvm stat record' ;; esac
				compare "$label" "$(loop_us $mine $op)" "under $name" "$(loop_us $how $op)" 1
			done
		done
		compare "a guest's $op, under kvmwait trace" "$(loop_us trace $op)" 'under trace-cmd record' "$(loop_us recording $op)" 1
		for how in count counts stat trace outcome recording; do
			compare "a guest's $op, under $how" "$(loop_us $how $op)" 'with no tracing' "$(loop_us none $op)"
		done
	done
	for op in pause yield:1 hlt; do
		for how in counts stat trace outcome; do
			compare "BPF run time of a $op: $how" "$(bpf_us $how $op)" 'bare count()' "$(bpf_us count $op)"
		done
	done
}

# scale_us VCPUS: microseconds of BPF programs for a yield.
scale_us() { awk -v n="$1" '$1 == n { printf "%.3f", ($4 - $2) / $6 / 1000 }' "$host/scale/scale.bpf"; }

report_scale() {
	local n one counted did
	one=$(scale_us 1)
	for n in 1 64 1024; do
		counted=$(jq -s 'map(select(.type == "stat" and .total)) | last | [(.rows | length), ([.rows[].waits] | add)] | @csv' -r "$host/scale/$n.ndjson")
		did=$n,$(jq -s 'map(.did[].count) | add' "$host/scale/$n".*.json)
		if [ "$counted" != "$did" ]; then
			echo "bench: stat counted vCPUs,yields $counted of $did" >&2
			return 1
		fi
		row "kvmwait stat, BPF run time of a yield, $n vCPUs" "$(scale_us $n) us" "1 vCPU: $one us" "$(calc "$(scale_us $n) / $one") times as long" \
			'at most 1.5' "$(scale_us $n) / $one <= 1.5"
	done
}

# attach_ms WHO
attach_ms() { awk -v who="$1" '$2 == who { print $4 - $3 }' "$host/attach/times.txt" | middle; }

report_attach() {
	local ours bare fitted plan own root=$host/attach/root
	ours=$(attach_ms kvmwait) bare=$(attach_ms "$(cat "$host/attach/script")") fitted=$(attach_ms bare.bt) plan=$(attach_ms plan)
	own=$((plan - $(attach_ms lists)))
	row 'from kvmwait trace to attached' "$ours ms" "bpftrace with the script: $bare ms" "$(calc "$ours / $bare") times as long" \
		'at most 1.05' "$ours / $bare <= 1.05"
	row 'the same' "$ours ms" "bpftrace with the program of plan --program: $fitted ms" "$(calc "$ours / $fitted") times as long"
	row 'kvmwait plan, on the same host' "$plan ms" "kvmwait trace to attached: $ours ms" "$(calc "$plan / $ours") of it" \
		'less than 0.1' "$plan / $ours < 0.1"
	row 'the same, without the time in which cat reads both lists' "$own ms" "kvmwait trace to attached: $ours ms" "$(calc "$own / $ours") of it"
	for _ in $(seq "$rounds"); do
		find "$root" -type f -exec dd of={} oflag=nocache conv=notrunc,fdatasync count=0 status=none \;
		timed plan-cold "$kvmwait" plan --root "$root" >/dev/null
		timed plan-warm "$kvmwait" plan --root "$root" >/dev/null
	done
	row 'plan, with all types and symbols of a kernel, warm' "$(calc "$(median plan-warm) * 1000") ms" \
		"cold: $(calc "$(median plan-cold) * 1000") ms" '' 'less than 60 ms' "$(median plan-warm) < 0.06"
}

# end_of NAME FIELD: a number of the end record of a stream.
end_of() { jq -r ".$2" "$host/loss/$1.end"; }

report_loss() {
	local d=$host/loss percent rate beyond counted
	percent=$(cat "$d/minute.percent")
	rate=$(jq -n "$(end_of minute received) / ($(jq .ts "$d/minute.last") - $(jq .ts "$d/minute.first")) * 1000000000 | floor")
	row 'a minute of kvmwait trace, nothing lost' "$rate events/s" "a guest with $percent % of the only CPU" '' 'lost 0' "$(end_of minute lost) == 0"
	beyond=$(for f in "$d"/[0-9]*.end; do if ! grep -q '"lost":0,' "$f"; then basename "$f" .end; fi; done | sort -n | head -n 1)
	if [ -n "$beyond" ]; then
		row "the same with $beyond % of it" "received $(end_of "$beyond" received), lost $(end_of "$beyond" lost)" \
			"counted $(end_of "$beyond" counted)" '' 'received + lost = counted' \
			"$(end_of "$beyond" received) + $(end_of "$beyond" lost) == $(end_of "$beyond" counted)"
	fi
	counted=$(jq -s 'map(select(.type == "stat" and .total)) | last | [.rows[].waits] | add' "$d/storm.ndjson")
	row 'kvmwait stat in a storm of yields' "$counted counted" "the guest did $(jq '.did[0].count' "$d/storm.json")" '' 'equal' \
		"$counted == $(jq '.did[0].count' "$d/storm.json")"
}

on_a_host() {
	if ! boot_host cost scale attach loss; then
		row 'on a host' 'not measured here' '' ''
		note "No host could be emulated on this machine: $(tail -n 1 "$work/host.log")"
		return
	fi
	if cat "$host"/*/failed 2>/dev/null; then
		echo 'bench: on the host something failed, see above' >&2
		return 1
	fi
	report_cost
	report_scale
	report_attach
	report_loss
	note 'Costs on a host are of a stock 6.12 kernel with bpftrace 0.23 on one emulated CPU, whose clock counts instructions (4 ns each):'
	note 'the tracer and the guest share that CPU. "pause", "yield" and "hlt" are round trips of loops in the guest.'
	note 'The plan with all types and symbols is timed on the machine of the benchmark itself, and shares its load.'
}
