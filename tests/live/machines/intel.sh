# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # tests/live/run and suite set and read these
# The Intel machine: Bochs, a CPU with VMX, EPT and pause-loop exiting. It boots from a CD and has IDE disks.

takes='modules modargs'
module_names='irqbypass kvm kvm-intel'
default_timeout=900

# A copy of a module without its signature, which takes the machine seconds to check. The signature's length is in
# the four bytes before the magic string at the end (struct module_signature, 12 bytes).
unsigned_module() {
	local magic='~Module signature appended~' size length
	cp "$1" "$2"
	[ "$(tail -c 28 "$1" | tr -d '\0')" = "$magic" ] || return 0
	size=$(stat -c %s "$1")
	length=$(tail -c 32 "$1" | head -c 4 | od -An -tu1 | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4 }')
	truncate -s $((size - 28 - 12 - length)) "$2"
}

machine_prepare() {
	local dir m
	command -v script >/dev/null || die "script is missing: install bsdutils"
	bochs=$("$here/fetch" bochs) || die "no bochs"
	dir=$("$here/fetch" kernel "$kernel") || die "no kernel $kernel"
	image=$dir/vmlinuz
	mkdir "$work/modules"
	for m in "${modules:-$dir/modules}"/*.ko "$dir"/drivers/*.ko; do unsigned_module "$m" "$work/modules/${m##*/}"; done
	modules=$work/modules
	for m in scsi_common scsi_mod libata ata_piix sd_mod; do
		[ -e "$work/modules/$m.ko" ] || die "the kernel $kernel has no $m.ko, and Bochs no other disks"
		drivers+=("$work/modules/$m.ko")
	done
}

# disk NUMBER FILE MODE: of whole MiB, which are four cylinders each. What is written in volatile mode is dropped.
disk() {
	printf 'type=disk, path="%s", mode=%s, cylinders=%d, heads=16, spt=32, translation=auto, model="%d"' \
		"$2" "$3" $(($(stat -c %s "$2") / 262144)) "$1"
	[ "$3" != volatile ] || printf ', journal="%s/journal%d"' "$work" "$1"
}

# There is no display but a terminal, so it gets one. Its debugger is compiled in and wants to be told to go on.
machine_start() {
	local command
	mkdir "$work/cd"
	cp "$bochs/isolinux.bin" "$bochs/ldlinux.c32" "$image" "$work/initramfs.gz" "$work/cd/"
	printf 'default linux\nprompt 0\nlabel linux\nkernel vmlinuz\ninitrd initramfs.gz\nappend %s\n' "$append" >"$work/cd/isolinux.cfg"
	"$bochs/xorriso" -as mkisofs -quiet -o "$work/cd.iso" -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 \
		-boot-info-table "$work/cd" >"$work/xorriso.log" 2>&1 || die "no CD was made: $(tail -n 1 "$work/xorriso.log")"
	cat >"$work/bochsrc" <<-RC
		display_library: term
		romimage: file="$bochs/bios"
		vgaromimage: file="$bochs/vgabios"
		cpu: model=corei7_haswell_4770, count=1, ips=50000000, ignore_bad_msrs=1
		memory: guest=$memory, host=$memory
		boot: cdrom
		ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
		ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
		ata0-master: $(disk 1 "$rootimg" volatile)
		ata0-slave: $(disk 2 "$work/job.ext4" volatile)
		ata1-master: type=cdrom, path="$work/cd.iso", status=inserted
		ata1-slave: $(disk 3 "$work/out.tar" flat)
		com1: enabled=1, mode=file, dev="$work/console"
		com2: enabled=1, mode=file, dev="$work/said"
		log: $work/bochs.log
		panic: action=fatal
		error: action=ignore
		info: action=ignore
		debug: action=ignore
	RC
	echo c >"$work/debugger"
	mkfifo "$work/said"
	cat "$work/said" &
	reader=$!
	printf -v command '%q ' "$bochs/bochs" -q -f "$work/bochsrc" -rc "$work/debugger"
	TERM=xterm timeout "$timeout" script -qec "$command" /dev/null </dev/null >"$work/screen" 2>&1 &
	emulator=$!
	drain_screen &
	drain=$!
}

# Bochs draws its screen on a second terminal, which it opens itself. Somebody has to read that: on a busy host it is full
# after some minutes, and Bochs blocks in write(2).
drain_screen() {
	local screen=''
	while [ -z "$screen" ]; do
		sleep 0.2
		screen=$(sed -nE 's/^.*connected to screen "([^"]+)".*$/\1/p' "$work/screen" 2>/dev/null | tr -d '\r')
	done
	stty raw -echo <"$screen"
	exec cat <"$screen" >/dev/null 2>&1
}
machine_said() { printf ': %s' "$(tail -n 1 "$work/bochs.log")"; }

# ---- rows of tests/live/suite ----

row_timeout=1200
rows='
6.12:0.23 exact hand:x86-tracepoint totals selftest spots'
