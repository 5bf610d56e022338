# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What every emulated machine boots from: a root image, a job image, an initramfs. Sourced by tests/live/run*.
# Set by the caller: here (this directory), top (the tree), cache, work (a directory to work in), busybox (a
# static one), root (a directory or nothing), modules (a directory), module_names, modargs, puts (an array); and
# where they are not as on x86: built (the directory with the programs), tty (what serial lines are called), drivers
# (module files that the disks need, in this order).

# ext4_from DIR IMAGE FREE_MIB: an ext4 image of a directory; no privilege is needed for it.
ext4_from() {
	local size
	size=$(($(du -sm --apparent-size "$1" | cut -f1) * 21 / 20 + $3 + 8))
	truncate -s "${size}M" "$2"
	PATH=$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -O ^has_journal -E root_owner=0:0 -N 4096 -d "$1" "$2" || die "mke2fs failed for $1"
}

# The root image is kept in the cache as long as the root directory does not change.
root_image() {
	local name version img
	name=$(printf '%s' "${root:-$busybox}" | sha256sum | cut -c1-16)
	version=$(stat -c %Y "${root:-$busybox}" | cat - "$here/image.sh" | sha256sum | cut -c1-16)
	img=$cache/image/$name-$version.ext4
	if [ ! -e "$img" ]; then
		mkdir -p "$cache/image" "$work/root"
		if [ -n "$root" ]; then cp -a "$root/." "$work/root"; fi
		(
			cd "$work/root" || exit 1
			mkdir -p bin usr/bin dev proc sys tmp run out etc
			for applet in sh cat ls cp mv rm mkdir rmdir grep sed awk sleep kill id uname mount umount head tail wc \
				sort uniq dmesg stty tar insmod rmmod lsmod taskset timeout tee cut tr date env find killall ps \
				chmod chown ln touch test true false seq cmp diff od hexdump xargs printf expr pidof su setsid poweroff; do
				[ -e "bin/$applet" ] || ln -s busybox "bin/$applet"
			done
			cp "$busybox" bin/busybox
			printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >etc/passwd
			printf 'root:x:0:\nnogroup:x:65534:\n' >etc/group
		)
		ext4_from "$work/root" "$work/root.ext4" 64
		rm -f "$cache/image/$name"-*
		mv "$work/root.ext4" "$img"
		rm -rf "$work/root"
	fi
	printf '%s\n' "$img"
}

# put_program NAME PATH: a program, with its own loader and libraries if it is dynamic, so that it runs on any root.
put_program() {
	local name=$1 path=$2 lib loader
	mkdir -p "$work/job/put/usr/bin"
	if ! LC_ALL=C readelf -l "$path" | grep -q INTERP; then
		cp "$path" "$work/job/put/usr/bin/$name"
		return
	fi
	mkdir -p "$work/job/put/usr/libexec/$name"
	cp "$path" "$work/job/put/usr/libexec/$name/"
	loader=$(ldd "$path" | sed -n 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p')
	for lib in $(ldd "$path" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p') $loader; do cp -L "$lib" "$work/job/put/usr/libexec/$name/"; done
	printf '#!/bin/sh\nexec /usr/libexec/%s/%s --library-path /usr/libexec/%s --argv0 %s /usr/libexec/%s/%s "$@"\n' \
		"$name" "${loader##*/}" "$name" "$name" "$name" "$name" >"$work/job/put/usr/bin/$name"
	chmod +x "$work/job/put/usr/bin/$name"
}

# make_job COMMAND...: what this run puts into the machine, as $work/job.ext4.
make_job() {
	local m p built=${built:-$top/build}
	mkdir -p "$work/job/put/usr/bin" "$work/job/modules"
	for m in $module_names; do cp "$modules/$m.ko" "$work/job/modules/" 2>/dev/null || true; done
	[ -z "$module_names" ] || [ -e "$work/job/modules/kvm.ko" ] || die "$modules holds no kvm.ko"
	if [ -x "$built/kvmwait" ]; then put_program kvmwait "$built/kvmwait"; fi
	if [ -x "$built/kvmwait-guest" ]; then put_program kvmwait-guest "$built/kvmwait-guest"; fi
	mkdir -p "$work/job/put/usr/share/kvmwait"
	cp -R "$top/scripts" "$work/job/put/usr/share/kvmwait/scripts"
	for p in ${puts[@]+"${puts[@]}"}; do
		mkdir -p "$work/job/put/$(dirname "${p##*:}")"
		cp -RL "${p%:*}" "$work/job/put/${p##*:}"
	done
	printf '%q ' "$@" >"$work/job/command"
	printf '%s\n' "$modargs" >"$work/job/modargs"
	printf '%s\n' "$module_names" >"$work/job/module_names"
	ext4_from "$work/job" "$work/job.ext4" 4
}

# The initramfs finds the disks by their number, which is the NVMe namespace id or what an IDE disk calls itself (their
# names come up in any order), and hands over to the job.
make_initramfs() {
	local m
	mkdir -p "$work/initramfs/bin" "$work/initramfs/host" "$work/initramfs/drivers"
	cp "$busybox" "$work/initramfs/bin/busybox"
	for m in ${drivers[@]+"${drivers[@]}"}; do
		cp "$m" "$work/initramfs/drivers/"
		printf '%s\n' "${m##*/}" >>"$work/initramfs/drivers/order"
	done
	cat >"$work/initramfs/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox mkdir -p /dev /proc /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
fail() { dmesg | tail -n 8 >/dev/ttyS0; echo "LIVE-FAIL $*" >/dev/ttyS0; poweroff -f; }
for m in $(cat /drivers/order 2>/dev/null); do insmod /drivers/$m || fail "insmod $m"; done
i=0
number() { { cat $1/nsid || cat $1/device/model; } 2>/dev/null | tr -d ' '; }
disk() { for d in /sys/block/nvme* /sys/block/sd*; do [ "$(number $d)" != "$1" ] || echo /dev/${d##*/}; done; }
while [ ! -b "$(disk 1)" ] || [ ! -b "$(disk 2)" ] || [ ! -b "$(disk 3)" ]; do
	i=$((i + 1)); [ $i -lt 100 ] || fail "no disks"; sleep 0.1
done
results=$(disk 3)
mount -t ext4 "$(disk 1)" /host || fail "the root image does not mount"
mkdir -p /job && mount -t ext4 -o ro "$(disk 2)" /job || fail "the job image does not mount"
for m in $(cat /job/module_names); do
	a=''; [ $m != kvm ] || a=$(cat /job/modargs)
	[ ! -e /job/modules/$m.ko ] || insmod /job/modules/$m.ko $a || fail "insmod $m"
done
cp -a /job/put/. /host/
mount --move /dev /host/dev
ln -sf /proc/self/fd /host/dev/fd
mkdir -p /host/dev/shm; mount -t tmpfs shm /host/dev/shm
mount -t proc proc /host/proc
mount -t sysfs sys /host/sys
mount -t tracefs tracefs /host/sys/kernel/tracing
mount -t debugfs debugfs /host/sys/kernel/debug
{ echo '#!/bin/sh'; echo 'export PATH=/usr/bin:/bin HOME=/ TERM=dumb KVMWAIT_SCRIPTS=/usr/share/kvmwait/scripts'
  echo 'cd /out'; cat /job/command; echo; } >/host/run/command
stty -F /host/dev/ttyS1 raw -echo 2>/dev/null
chroot /host /bin/sh /run/command </host/dev/null >/host/dev/ttyS1 2>&1
status=$?
tar -c -C /host/out -f - . | dd of=/host$results bs=64k 2>/dev/null || status=125
sync
echo "LIVE-STATUS $status" >/host/dev/ttyS0
sleep 0.2
poweroff -f
INIT
	sed -i "s/ttyS/${tty:-ttyS}/g" "$work/initramfs/init"
	chmod +x "$work/initramfs/init"
	(cd "$work/initramfs" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs.gz"
}
