# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154
# Counts of kvmwait stat, beside what the guests did. Sourced by inside.sh and its like.

# Each event, with the maps read all the time; then the same as openmetrics.
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
	kvmwait stat -f openmetrics -i 0.5 --hist -o counts.prom -- sh guest.sh 2>>err
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
	for how in stat counts; do
		echo "kvmwait-guest --stay 2 $plan >$how.did.json" >guest.sh
		set --
		[ $how = stat ] || set -- --counts
		kvmwait stat "$@" -f json --by vm,vcpu,event,source -o $how.ndjson -- sh guest.sh 2>>err
		echo $? >>status
	done
}
