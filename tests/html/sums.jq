# SPDX-License-Identifier: Apache-2.0
# What the tables of a report have to say, from the records themselves: jq -s -f sums.jq RECORDING.
# A jq before 1.7 keeps numbers as doubles: exact up to 2^53.

def total(f): map(f) | add // 0;

# Of one vCPU, all with one thread: since when what has gone on, and what that came to.
def gaps($until): sort_by(.ts, (if .type == "outcome" then 0 else 1 end)) | reduce .[] as $r ({ between: 0, unknown: 0, at: null, runs: false };
	if $r.type == "wait" then
		(if .at == null then . elif .runs then .between += $r.ts - .at else .unknown += $r.ts - .at end)
	elif $r.end == "unseen" then .unknown += $r.ts - $r.wait_ts
	else . end
	| .at = $r.ts | .runs = ($r.type == "outcome" and $r.end == "run") | .waits = ($r.type == "wait"))
	| if .waits and $until then .unknown += $until - .at else . end;

def sums($until): map(select(.type == "wait")) as $w | map(select(.type == "outcome" and .end != "unseen")) as $o | gaps($until) as $gaps
	| {
		ple: ($w | map(select(.event == "ple")) | length),
		hlt: ($w | map(select(.event == "hlt")) | length),
		pv_yield: ($w | map(select(.event == "pv_yield")) | length),
		"gave the CPU away": ($o | map(select((.boosted // -1) >= 0 or (.boosted_tid // 0) > 0)) | length),
		spinning: ($o | map(select(.event == "ple")) | total(.ns - .ready_ns)),
		yielding: ($o | map(select(.event == "pv_yield")) | total(.ns - .ready_ns)),
		"ready": ($o | total(.ready_ns)),
		"halted, blocked": ($o | map(select(.halt == "blocked")) | total(.ns - .ready_ns)),
		"halted, polled": ($o | map(select(.halt == "polled")) | total(.ns - .ready_ns)),
		"halted, KVM did not wait": ($o | map(select(.halt == "none")) | total(.ns - .ready_ns)),
		"between waits": $gaps.between,
		unknown: $gaps.unknown,
		"longest HLT": ($o | map(select(.event == "hlt" and .end != "gone") | .ns) | max // 0)
	};

(map(select(.type == "end"))[0].clock.boottime // (map(select(.type == "wait" or .type == "outcome") | .ts) | max)) as $until
	| map(select(.type == "wait" or .type == "outcome")) | group_by([.pid, .vcpu])
	| map(sums($until) + { vm: .[0].vm, pid: .[0].pid, vcpu: .[0].vcpu })
	| {
		vcpus: sort_by(.pid, .vcpu),
		vms: (group_by(.pid) | map(. as $g | reduce (.[0] | keys[]) as $k ({}; .[$k] =
			if $k == "longest HLT" then ($g | map(.[$k]) | max) elif $k == "vm" or $k == "pid" or $k == "vcpu" then $g[0][$k]
			else ($g | map(.[$k]) | add) end) | del(.vcpu)))
	}
