# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Captured roots and records from strangers; a part of tests/cli/run. Whatever they hold, kvmwait ends soon, reads
# nothing outside the root, and what it prints is printable.
# shellcheck disable=SC2154 # top, kvmwait and the captured roots are those of tests/cli/run

# soon COMMAND...: it does not hang.
soon() { timeout -s KILL 20 "$@"; }
# refused ROOT PATTERN: exit 1, and stderr says why.
refused() { says "$2" 1 soon "$kvmwait" plan --root "$1"; }
# survives ROOT: a plan, no plan, or an error; no crash, no hang, no control character.
survives() {
	local code=0
	soon "$kvmwait" plan --root "$1" >out 2>&1 || code=$?
	case $code in 0 | 1 | 3) ;; *) echo "exit $code"; cat out; return 1 ;; esac
	if LC_ALL=C grep -aqP '[\x00-\x08\x0b-\x1f\x7f]' out; then cat -v out; return 1; fi
	[ "$code" = 1 ] || soon "$kvmwait" plan --json --root "$1" | jq -e .kernel >/dev/null
}

facts='proc/sys/kernel/osrelease proc/sys/kernel/arch proc/modules proc/kallsyms
	sys/kernel/tracing/available_filter_functions sys/kernel/btf/vmlinux sys/kernel/btf/kvm'
for fact in $facts; do
	variant strange "$r612"; mv "made/strange/$fact" made/elsewhere; ln -s ../../../../elsewhere "made/strange/$fact"
	test_that "$fact is a link: refused" refused made/strange "/$fact': a link"
	rm "made/strange/$fact"; mkfifo "made/strange/$fact"
	test_that "$fact is a pipe: refused" refused made/strange "/$fact': neither a file nor a directory"
	if [ "$(id -u)" = 0 ] && rm "made/strange/$fact" && mknod "made/strange/$fact" c 1 5 2>/dev/null; then # /dev/zero
		test_that "$fact is a device: refused" refused made/strange "/$fact': neither a file nor a directory"
	else
		skip_that "$fact is a device: refused" 'only root makes devices'
	fi
	rm -f "made/strange/$fact"; truncate -s 1G "made/strange/$fact"
	test_that "$fact is 1 GiB: refused" refused made/strange "/$fact': larger than that of any kernel"
	rm "made/strange/$fact"; mkdir "made/strange/$fact"
	test_that "$fact is a directory: refused" refused made/strange "/$fact': Is a directory"
done
for above in proc proc/sys/kernel sys/kernel/btf; do
	variant strange "$r612"; rm -rf made/elsewhere; mv "made/strange/$above" made/elsewhere
	ln -s "$work/made/elsewhere" "made/strange/$above"
	test_that "$above is a link: refused" refused made/strange "': a link"
done
variant strange "$r612"; rm -r made/strange/sys/kernel/tracing; mkdir -p made/elsewhere; cp -r "$r612/sys/kernel/tracing" made/elsewhere/
ln -s "$work/made/elsewhere/tracing" made/strange/sys/kernel/tracing
test_that 'tracing is a link: as if it were not there' plan_has made/strange '.script == null'
variant strange "$r612"
for f in made/strange/sys/kernel/tracing/events/kvm/*/format; do rm "$f"; mkfifo "$f"; done
test_that 'pipes for tracepoints: the reason says so' plan_has made/strange '[.scripts[].sources[].why // "" | test("kvm:.*: neither a file nor a directory")] | any'

variant strange "$r612"; printf '6.12.1\033[2J\n' >made/strange/proc/sys/kernel/osrelease
test_that 'a release with an escape: refused' refused made/strange "osrelease': holds what is not printable"
variant strange "$r612"; printf '\300x\n' >made/strange/proc/sys/kernel/arch
test_that 'an architecture that is no UTF-8: refused' refused made/strange "arch': holds what is not printable"
variant strange "$r612"; printf '0 T kvm_vcpu_on_spin\t[k\033[2J\377m]\n' >>made/strange/proc/kallsyms
test_that 'a module with an escape: survived' survives made/strange
variant strange "$r612"; yes '0 t kvm_vcpu_halt	[kvm]' 2>/dev/null | head -n 500000 >>made/strange/proc/kallsyms || true
test_that 'half a million functions of one name: refused' refused made/strange 'kallsyms.: more functions of the same names'

# Those of the fuzz target, less its first byte: a header that is too long, types that refer to or hold themselves.
# KVM is built in there, so that functions and structs are looked up in that BTF.
for seed in header-length header-length-2 libbpf-390 cycles holds-itself name-with-escape whole; do
	variant strange "$r612"; rm made/strange/sys/kernel/btf/*; : >made/strange/proc/modules
	edit_functions strange 's/\t\[kvm.*//; s/ \[kvm.*//'
	tail -c +2 "$top/tests/fuzz/corpus/btf/$seed" >made/strange/sys/kernel/btf/vmlinux
	test_that "made-up BTF ($seed): survived" survives made/strange
done
cuts_survive() {
	local size cut
	size=$(stat -c %s "$r612/sys/kernel/btf/$1")
	for cut in 0 1 3 4 8 23 24 25 $((size / 4)) $((size / 2 + 1)) $((size - 1)); do
		head -c "$cut" "$r612/sys/kernel/btf/$1" >"made/strange/sys/kernel/btf/$1"
		survives made/strange || { echo "cut at $cut"; return 1; }
	done
}
# poke FILE OFFSET: another byte there.
poke() { printf '%b' "\\x$(printf %x $((($2 * 89 + 17) % 256)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none; }
changes_survive() {
	local size i
	size=$(stat -c %s "$r612/sys/kernel/btf/$1")
	for i in $(seq 40); do # the header's bytes, then some of the types and strings
		cp "$r612/sys/kernel/btf/$1" "made/strange/sys/kernel/btf/$1"
		poke "made/strange/sys/kernel/btf/$1" $((i <= 24 ? i - 1 : (i - 24) * 7919 * 4 % size + 3))
		survives made/strange || { echo "change $i"; return 1; }
	done
}
for name in vmlinux kvm; do
	variant strange "$r612"
	test_that "$name's BTF cut anywhere: survived" cuts_survive "$name"
	test_that "$name's BTF with a byte changed: survived" changes_survive "$name"
done
rm -rf made/strange made/elsewhere

# ---- records ----

printf '%s\n' '{"type":"end","received":1,"lost":0,"unreported":0,"malformed":0,"late":0,"why":"\u001b[2J\u202e"}' >strange.ndjson
no_escape() { "$kvmwait" convert -f table "$1" >out 2>&1 || true; [ -s out ] && ! LC_ALL=C grep -aP '\x1b|\xe2\x80\xae' out; }
test_that 'an end with an escape: printable' no_escape strange.ndjson
printf '{"type":\033[2J}\n' >strange.ndjson
test_that 'no JSON but an escape: the complaint is printable' no_escape strange.ndjson
