# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A room: a root directory that shows the facts of a captured kernel and runs this machine's programs, so that
# kvmwait traces there with a stand-in for bpftrace. No privilege where user namespaces are open to all.
# shellcheck disable=SC2154 # top, work and the captured roots are those of tests/cli/run

# room_make ROOT: a room of that captured kernel, in $room; what a stand-in can change in it stays in it.
room_make() {
	local d
	room=$work/room
	rm -rf "$room"
	cp -r "$1" "$room"
	mkdir -p "$room/real" "$room/tmp" "$room/small" "$room$top"
	ln -s ../real/self "$room/proc/self"
	for d in usr bin sbin lib lib32 lib64 dev etc; do
		if [ -L "/$d" ]; then cp -P "/$d" "$room/$d"; elif [ -d "/$d" ]; then mkdir -p "$room/$d"; fi
	done
	cat >"$work/enter" <<-'SH'
		# enter ROOM TREE COMMAND...
		set -e
		room=$1 tree=$2
		shift 2
		for d in usr bin sbin lib lib32 lib64 dev etc; do
			[ ! -d /$d ] || [ -L /$d ] || mount --rbind /$d "$room/$d"
		done
		mount --rbind /proc "$room/real"
		mount --rbind "$tree" "$room$tree"
		[ -z "$small_size" ] || mount -t tmpfs -o size="$small_size" small "$room/small"
		ln -s "../real/$$" "$room/proc/$$" # the leak checker looks there
		exec chroot "$room" "$@"
	SH
}

# in_room COMMAND...: runs it there, with signals as a terminal leaves them; its process is the caller's child, so that in the background $! is it.
in_room() { exec env --default-signal ${within[@]+"${within[@]}"} unshare ${as_user[@]+"${as_user[@]}"} -m sh "$work/enter" "$room" "$top" "$@"; }
as_user=() within=()
[ "$(id -u)" = 0 ] || as_user=(-r)

# stand_in NAME [VERSION] <<BODY: a bpftrace of that version; BODY is what it does when it is to trace. It has attach(),
# up to the moment at which everything is attached, waits(), wait_for_end() and counted().
stand_in() {
	{
		printf '#!/bin/sh\n[ "$1" != --version ] || { echo "bpftrace v%s"; exit 0; }\n' "${2:-0.23.2}"
		cat <<-'SH'
			echo $$ >>"/tmp/${0##*/}.pids"
			attach() { echo 'kvmwait-wire 1 x86-5.17'; read -r ready; echo "$ready"; }
			wait_for_end() { cat >/dev/null; }
			# counted N: the kernel counts the first line as well
			counted() { echo "@counted: $(($1 + 1))"; }
			# waits FROM TO: a HLT a microsecond
			waits() { seq -f "w %.0f000 0 4711 4712 0 hlt kvm -1 43 50 55 20 30 2f 4b 56 4d 00 00 00 00 00 00 00" "$1" "$2"; }
		SH
		cat
	} >"$room/$1"
	chmod +x "$room/$1"
}

# traces NAME CODE [OPTION]...: the command ends with that code; what it gave is in NAME.ndjson, what it said in NAME.said.
traces() {
	local name=$1 want=$2 code=0
	shift 2
	(within=(timeout -s KILL 60); in_room "$kvmwait" trace --bpftrace "/$name" "$@") >"$name.ndjson" 2>"$name.said" </dev/null || code=$?
	[ "$code" = "$want" ] || { echo "exit $code, not $want"; cat -v "$name.said"; return 1; }
}
# said NAME PATTERN: kvmwait said so, and nothing that a terminal obeys.
said() {
	grep -qE "$2" "$1.said" || { cat -v "$1.said"; return 1; }
	if LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$1.said"; then cat -v "$1.said"; return 1; fi
}
# has NAME FILTER: of all the records.
has() { jq -e -s "$2" "$1.ndjson" >/dev/null || { tail -n 3 "$1.ndjson" | cut -c 1-400; cat -v "$1.said"; return 1; }; }
# none_left NAME: nothing of that stand-in; it leads a group of processes.
none_left() {
	local i pid left
	for i in 1 2 3 4 5 6 7 8 9 10; do
		left=''
		for pid in $(cat "$room/tmp/$1.pids"); do left+=$(sed -n "s/^\([0-9]*\) (\(.*\)) [^Z] [0-9]* $pid .*/\1 \2;/p" /proc/[0-9]*/stat 2>/dev/null || true); done
		[ -n "$left" ] || return 0
		sleep 0.1
	done
	echo "left: $left"
	return 1
}
# until_true COMMAND...: waits for it, ten seconds at most.
until_true() {
	local i
	for ((i = 0; i < 200; i++)); do
		if "$@"; then return 0; fi
		sleep 0.05
	done
	return 1
}
