# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What is not relied on, not followed and not kept; a part of tests/cli/run. What needs a real trace is in
# tests/live/scenarios/privilege.sh.
# shellcheck disable=SC2154 # top, here, kvmwait and the captured roots are those of tests/cli/run

some=$here/input/some.wire
shared=$work/shared
mkdir -m 1777 "$shared"
converts_to() { "$kvmwait" convert -f csv -o "$1" "$some" && "$kvmwait" convert -f csv "$some" | cmp - "${2:-$1}"; }

# ---- outputs ----

test_that '-o makes a file' converts_to made.csv
longer() { yes | head -n 5000 >longer.csv; converts_to longer.csv; }
test_that '-o empties a file that is longer' longer
test_that '-o makes a file for all to read, less the umask' bash -c 'umask 027; "$kvmwait" convert -o masked "$0" && test "$(stat -c %a masked)" = 640' "$some"
ln -sf linked-to.csv linked.csv
test_that '-o follows a link of our own' converts_to linked.csv linked-to.csv
mkdir -p below/deep
ln -sfn ../below/deep below/there
test_that '-o follows links of directories' converts_to below/there/../deep/x.csv below/deep/x.csv
ln -sfn "$work/below" absolute
test_that '-o follows a link with a whole path' converts_to absolute/deep/y.csv below/deep/y.csv
ln -sf "$work/ours.csv" "$shared/ours"
test_that '-o follows a link of our own where all can write' converts_to "$shared/ours" ours.csv
test_that '-o /dev/stdout is standard output' bash -c '"$kvmwait" convert -f csv -o /dev/stdout "$0" | cmp - <("$kvmwait" convert -f csv "$0")' "$some"
test_that '-o takes a descriptor of /proc' bash -c '"$kvmwait" convert -f csv -o /proc/self/fd/7 "$0" 7>seventh.csv && "$kvmwait" convert -f csv "$0" | cmp - seventh.csv' "$some"
piped() { rm -f fifo; mkfifo fifo; cat fifo >from-fifo & "$kvmwait" convert -f csv -o fifo "$some"; wait $!; "$kvmwait" convert -f csv "$some" | cmp - from-fifo; }
test_that '-o takes a pipe' piped
ln -sf loop-b loop-a; ln -sf loop-a loop-b
test_that '-o: links that lead nowhere' says "'loop-a': Too many levels of symbolic links" 1 "$kvmwait" convert -o loop-a "$some"
test_that '-o: a directory' says "'below': Is a directory" 1 "$kvmwait" convert -o below "$some"
test_that '-o: a directory that is missing' says "'missing/x': No such file or directory" 1 "$kvmwait" convert -o missing/x "$some"
test_that '-o: a file for a directory' says "'made.csv/x': Not a directory" 1 "$kvmwait" convert -o made.csv/x "$some"
test_that '-o: no name' says "'': No such file or directory" 1 "$kvmwait" convert -o '' "$some"
ln "made.csv" "$shared/second"
test_that '-o: a second name where all can write is refused' says "second' has another name elsewhere" 1 "$kvmwait" convert -o "$shared/second" "$some"
untouched() { [ "$(cat "$1")" = "$2" ] || { cat "$1"; return 1; }; }

if [ "$(id -u)" = 0 ]; then
	echo secret >victim
	ln -sf "$work/victim" "$shared/trap"; chown -h 12345 "$shared/trap"
	test_that '-o: the link of another user is refused' says "trap' is another user's link" 1 "$kvmwait" convert -o "$shared/trap" "$some"
	ln -sfn "$work/below" "$shared/way"; chown -h 12345 "$shared/way"
	test_that '-o: a directory behind such a link is refused' says "way' is another user's link" 1 "$kvmwait" convert -o "$shared/way/z" "$some"
	test_that 'capture: so it is' says "way' is another user's link" 1 "$kvmwait" capture "$shared/way/captured"
	test_that 'capture: nothing was made behind it' test ! -e below/captured
	echo theirs >"$shared/theirs"; chown 12345 "$shared/theirs"
	test_that '-o: the file of another user is refused' says "theirs' is another user's" 1 "$kvmwait" convert -o "$shared/theirs" "$some"
	mkdir "$shared/dir"; chown 12345 "$shared/dir"
	test_that 'capture: the directory of another user is refused' says "dir' is another user's" 1 "$kvmwait" capture "$shared/dir"
	test_that 'what was there is as it was' eval 'untouched victim secret && untouched "$shared/theirs" theirs'

	# ---- what root relies on ----
	cp -R "$top/scripts" trusted
	finding() { { KVMWAIT_SCRIPTS=$1 "$kvmwait" check --json --bpftrace "$2" || true; } | jq -e --arg what "$3" --arg text "$4" \
		'[.findings[] | select(.what == $what and (.text | contains($text)))] | length == 1' >/dev/null; }
	scripts_are() { finding "$1" /bin/true scripts "$2"; }
	bpftrace_is() { finding "$work/trusted" "$1" bpftrace "$2"; }
	printf '#!/bin/sh\necho bpftrace v0.23.2\n' >fake-bpftrace; chmod 755 fake-bpftrace
	test_that 'scripts of root are taken' scripts_are "$work/trusted" "'$work/trusted'"
	test_that 'scripts by a relative path are' scripts_are ./trusted "'./trusted'"
	test_that 'a bpftrace of root is taken' bpftrace_is "$work/fake-bpftrace" 'version 0.23.2'
	chmod 775 trusted
	test_that 'the group of root is root' scripts_are "$work/trusted" "'$work/trusted'"
	chgrp 12345 trusted
	test_that 'another group that can write is not' scripts_are "$work/trusted" "trusted' can be written by others than root"
	chgrp 0 trusted; chmod 777 trusted
	test_that 'scripts in a directory that all can write are refused' scripts_are "$work/trusted" "trusted' can be written by others than root"
	chmod 1777 trusted
	test_that 'from one that is sticky, what is of root is taken' scripts_are "$work/trusted" "'$work/trusted'"
	cp trusted/x86-5.17.bt trusted/added.bt; chown 12345 trusted/added.bt
	test_that 'and what another user adds is not' scripts_are "$work/trusted" "added.bt' belongs to uid 12345"
	rm trusted/added.bt
	chmod 755 trusted; chown 12345 trusted
	test_that 'scripts of another user are refused' scripts_are "$work/trusted" "trusted' belongs to uid 12345"
	chown 0 trusted; chown 12345 trusted/x86-5.17.bt
	test_that 'one script of another user is' scripts_are "$work/trusted" "x86-5.17.bt' belongs to uid 12345"
	chown 0 trusted/x86-5.17.bt; chmod 666 trusted/stat.part
	test_that 'one script that all can write is' scripts_are "$work/trusted" "stat.part' can be written by others than root"
	chmod 644 trusted/stat.part
	ln -sfn "$work/trusted" "$shared/scripts"; chown -h 12345 "$shared/scripts"
	test_that 'a link of another user to them is' scripts_are "$shared/scripts" "scripts' belongs to uid 12345"
	ln -sfn trusted by-link
	test_that 'a link of root to them is taken' scripts_are "$work/by-link" "'$work/by-link'"
	mkdir above; chown 12345 above; cp -R trusted above/; cp -p fake-bpftrace above/
	test_that 'a directory above that is another user'"'s is refused" scripts_are "$work/above/trusted" "above' belongs to uid 12345"
	test_that 'so it is for bpftrace' bpftrace_is "$work/above/fake-bpftrace" "above' belongs to uid 12345"
	chmod 757 fake-bpftrace
	test_that 'a bpftrace that all can write is refused' bpftrace_is "$work/fake-bpftrace" "fake-bpftrace' can be written by others than root"
	printf '#!/bin/sh\ntouch %s/was-run\n' "$work" >fake-bpftrace
	KVMWAIT_SCRIPTS=$work/trusted "$kvmwait" check --bpftrace "$work/fake-bpftrace" >/dev/null 2>&1 || true
	test_that 'and is not run' test ! -e was-run
	KVMWAIT_SCRIPTS=$work/above/trusted "$kvmwait" list >list.untrusted
	test_that 'reading them is no matter' cmp list.untrusted <("$kvmwait" list)

	# ---- what a reader keeps ----
	# status_of FIELD COMMAND...: that field of /proc/PID/status once it waits for its input.
	status_while_reading() {
		rm -f slow; mkfifo slow
		"$@" <slow >/dev/null 2>&1 &
		local pid=$!
		exec 9>slow
		head -n 3 "$some" >&9
		# it has dropped when it has taken the lines
		for _ in $(seq 100); do
			grep -q '^Uid:.65534' "/proc/$pid/status" && break
			sleep 0.05
		done
		cat "/proc/$pid/status" >status
		exec 9>&-
		wait "$pid" || true
	}
	field() { awk -v f="$1:" '$1 == f { print $2 }' status; }
	status_while_reading "$kvmwait" convert -f json -
	test_that 'convert is nobody' test "$(field Uid) $(field Gid)" = '65534 65534'
	test_that 'convert has no capability' test "$(field CapPrm) $(field CapEff) $(field CapBnd) $(field NoNewPrivs)" = '0000000000000000 0000000000000000 0000000000000000 1'
	mkdir -m 700 private; cp -R "$r612" private/root; find private/root -type f -exec chmod 600 {} +
	test_that 'plan --root reads what only root may' plan_has private/root '.script == "x86-5.17.bt"'
	cp "$some" private/some; chmod 600 private/some
	test_that 'convert reads and writes what only root may' converts_to private/out.csv
else
	skip_that 'what other users could do' 'only root makes the files of other users'
fi

# ---- capture ----

mkdir -p captured
(cd captured && mkdir -p proc/sys/kernel && ln -s "$work/elsewhere" proc/sys/kernel/osrelease)
"$kvmwait" capture --force captured >/dev/null 2>&1 || true
test_that 'capture --force replaces a link, and does not write through it' test ! -L captured/proc/sys/kernel/osrelease -a -s captured/proc/sys/kernel/osrelease -a ! -e elsewhere
rm -rf captured; mkdir captured elsewhere; ln -s ../elsewhere captured/proc
test_that 'capture --force: a link for a directory is refused' says "'/proc/.*': Not a directory|'/proc/.*': Too many levels" 1 "$kvmwait" capture --force captured
test_that 'nothing was written behind it' test -z "$(ls elsewhere)"
