# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Bundles of strangers are refused as a whole, and nothing of them is written; a part of tests/bundle/run.

cat >make.py <<'PY'
# Makes bundles that no kvmwait would: make.py KIND FILE
import hashlib, io, json, sys, tarfile
kind, path = sys.argv[1:]
files = [("kvmwait-bundle", b"kvmwait-bundle 1\n"), ("a.txt", b"hello\n"), ("d/b.txt", b"world\n")]
evil = []          # members more: TarInfo and data
if kind == "no-marker": files = files[1:]
if kind == "other-version": files[0] = ("kvmwait-bundle", b"kvmwait-bundle 2\n")
if kind == "late-marker": files = files[1:] + files[:1]
def item(name, data, **more):
    i = {"name": name, "path": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "took_ms": 1, "status": "ok"}
    i.update(more); return i
items = [item(n, d) for n, d in files if n != "kvmwait-bundle"]
items.append({"name": "x", "path": None, "status": "failed", "why": "\x1b[2J", "took_ms": 0})
manifest = {"format": "kvmwait-bundle", "version": 1, "kvmwait": "\x1b]0;x\x07", "created": "now", "host": "h\n", "items": items}
def member(name, data=b"x", **more):
    t = tarfile.TarInfo(name); t.size = len(data)
    for k, v in more.items(): setattr(t, k, v)
    evil.append((t, data))
names = {"dotdot": "../evil", "inner-dotdot": "d/../../evil", "absolute": "/tmp/evil", "hidden": ".bashrc", "space": "a b", "newline": "a\nb", "escape": "a\x1b[2J",
         "utf8": "\u00e4", "empty-part": "d//x", "backslash": "d\\x", "long": "n" * 300, "deep": "/".join("d" * 30)}
if kind in names: member(names[kind]); items.append(item(names[kind], b"x"))
links = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "fifo": tarfile.FIFOTYPE, "directory": tarfile.DIRTYPE}
if kind in links: member("evil", b"", type=links[kind], linkname="/etc/passwd" if kind == "symlink" else "a.txt", devmajor=1, devminor=3)
if kind == "link-then-file":
    member("l", b"", type=tarfile.SYMTYPE, linkname="/tmp"); member("l/evil")
if kind == "duplicate": member("a.txt", b"hello\n")
if kind == "file-and-directory": member("a.txt/x"); items.append(item("a.txt/x", b"x"))
if kind == "unlisted": member("c.txt")
if kind == "many":
    for i in range(20001): member("m/%d" % i, b"")
if kind == "second-manifest": member("manifest.json", b"{}")
if kind == "wrong-hash": items[0]["sha256"] = "0" * 64
if kind == "wrong-size": items[0]["bytes"] = 7
if kind == "huge-size": items[0]["bytes"] = 2 ** 63 - 1
if kind == "negative-size": items[0]["bytes"] = -1
if kind == "float-size": items[0]["bytes"] = 6.0
if kind == "no-hash": del items[0]["sha256"]
if kind == "null-hash": items[0]["sha256"] = None
if kind == "listed-twice": items.append(items[0])
if kind == "listed-only": items.append(item("c.txt", b"x"))
if kind == "no-items": del manifest["items"]
if kind == "items-no-list": manifest["items"] = {"a": 1}
if kind == "item-no-object": items.append(3)
if kind == "status-no-text": items[0]["status"] = 1
if kind == "manifest-version": manifest["version"] = 2
if kind == "manifest-version-text": manifest["version"] = "1"
if kind == "manifest-list": manifest = [1]
text = json.dumps(manifest).encode()
if kind == "manifest-cut": text = text[:-5]
if kind == "manifest-number": text = text.replace(b'"took_ms": 1', b'"took_ms": 99999999999999999999999')
if kind == "manifest-deep": text = b"[" * 100000
if kind == "manifest-keys": text = text[:-1] + b', "version": 1}'
if kind == "manifest-large": text += b" " * (17 << 20)
class Zeros(io.RawIOBase):
    def __init__(self, n): self.n = n
    def readable(self): return True
    def readinto(self, b):
        k = min(len(b), self.n); b[:k] = bytes(k); self.n -= k; return k
with tarfile.open(path, "w", format=tarfile.PAX_FORMAT if kind != "gnu" else tarfile.GNU_FORMAT) as t:
    def add(name, data):
        i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
    for name, data in files: add(name, data)
    for info, data in evil: t.addfile(info, io.BytesIO(data))
    if kind == "bomb":
        i = tarfile.TarInfo("zeros"); i.size = 600 << 20; t.addfile(i, io.BufferedReader(Zeros(i.size)))
    if kind != "no-manifest": add("manifest.json", text)
    if kind == "behind": add("c.txt", b"x")
    if kind == "empty": pass
PY
# stranger KIND: made/KIND.tar.zst
mkdir -p made
stranger() { python3 make.py "$1" "made/$1.tar" && zstd -qf --rm "made/$1.tar" -o "made/$1.tar.zst"; }
# refused KIND PATTERN: with exit 1 and a printable reason; --extract leaves nothing, not even the directory.
refused() {
	stranger "$1" || { echo 'not made'; return 1; }
	refuses "made/$1.tar.zst" "$2"
}
refuses() {
	says "$2" 1 timeout -s KILL 60 "$kvmwait" bundle --list "$1" || return 1
	[ ! -s out ] || { echo 'it was printed'; return 1; }
	says "$2" 1 timeout -s KILL 60 "$kvmwait" bundle --extract taken "$1" || return 1
	[ ! -e taken ] && [ ! -e evil ] && [ ! -e /tmp/evil ] || { echo 'something was written'; return 1; }
	if LC_ALL=C grep -qaP '[\x00-\x08\x0b-\x1f\x7f]' said; then cat -v said; return 1; fi
}

rm -f /tmp/evil
stranger fine; stranger gnu
test_that 'a bundle that a stranger made well is read' exits 0 "$kvmwait" bundle --list made/fine.tar.zst
test_that 'what it says is printable' bash -c '! LC_ALL=C grep -qaP "[\x00-\x08\x0b-\x1f\x7f]" out && grep -qF "x: \x1b[2J" out'
test_that 'and written' bash -c '"$kvmwait" bundle --extract fine made/fine.tar.zst && [ "$(cd fine && find . -type f | sort | tr "\n" " ")" = "./a.txt ./d/b.txt ./kvmwait-bundle ./manifest.json " ] && [ "$(cat fine/d/b.txt)" = world ] && [ "$(stat -c %a fine/d/b.txt fine/d fine | tr "\n" " ")" = "600 700 700 " ]'
test_that 'into a directory that is not empty: refused' says 'not an empty directory' 1 "$kvmwait" bundle --extract fine made/fine.tar.zst
test_that 'without a capture in it: no plan' says 'no capture of a kernel in it' 1 "$kvmwait" plan --root made/fine.tar.zst
test_that 'onto a link: its directory must be empty as well' bash -c 'mkdir -p full && touch full/x && ln -sfn full to-full; "$kvmwait" bundle --extract to-full made/fine.tar.zst 2>/dev/null; [ $? = 1 ] && [ "$(ls full)" = x ]'
while read -r kind pattern; do
	[ -z "$kind" ] || test_that "a stranger's: $kind" refused "$kind" "$pattern"
done <<'KINDS'
dotdot '\.\./evil': invalid name for a file of a bundle
inner-dotdot 'd/\.\./\.\./evil': invalid name for a file of a bundle
absolute '/tmp/evil': invalid name for a file of a bundle
hidden invalid name for a file of a bundle
space invalid name for a file of a bundle
newline 'a\\x0ab': invalid name for a file of a bundle
escape 'a\\x1b\[2J': invalid name for a file of a bundle
utf8 (invalid name for a file of a bundle|invalid or incomplete tar.zst|a file name that is not text)
empty-part invalid name for a file of a bundle
backslash invalid name for a file of a bundle
long invalid name for a file of a bundle
deep invalid name for a file of a bundle
symlink 'evil': not a regular file
hardlink 'evil': not a regular file
device 'evil': not a regular file
fifo 'evil': not a regular file
directory not a regular file
link-then-file 'l': not a regular file
duplicate 'a\.txt': twice
file-and-directory 'a\.txt': a file and a directory
unlisted 'c\.txt': not in the manifest
many more than 20000 files
bomb grows beyond
second-manifest behind the manifest
behind 'c\.txt': behind the manifest
no-manifest ends without a manifest
no-marker first file is not 'kvmwait-bundle'
late-marker first file is not 'kvmwait-bundle'
other-version made by another kvmwait
wrong-hash 'a\.txt': it differs from the manifest
wrong-size 'a\.txt': it differs from the manifest
huge-size 'a\.txt': it differs from the manifest
negative-size 'a\.txt': it differs from the manifest
float-size 'a\.txt': its size and hash are not
no-hash 'a\.txt': its size and hash are not
null-hash 'a\.txt': its size and hash are not
listed-twice 'a\.txt': twice in the manifest
listed-only 'c\.txt': listed in the manifest, but missing
no-items manifest has another format
items-no-list manifest has another format
item-no-object an item without name
status-no-text an item without name
manifest-version manifest is not of version 1
manifest-version-text manifest is not of version 1
manifest-list manifest has another format
manifest-cut 'manifest\.json':
manifest-number 'manifest\.json': too big integer
manifest-deep 'manifest\.json':
manifest-keys 'manifest\.json': duplicate
manifest-large manifest is too large
KINDS

cuts_are_refused() {
	local size cut
	size=$(stat -c %s made/fine.tar.zst)
	for cut in 0 1 3 4 5 8 $((size / 8)) $((size / 4)) $((size / 2)) $((size * 3 / 4)) $((size - 40)); do
		head -c "$cut" made/fine.tar.zst >made/cut.tar.zst
		refuses made/cut.tar.zst . || { echo "cut at $cut"; return 1; }
	done
}
# Whatever byte is another one: refused, or the same files.
changes_are_seen() {
	local size i
	size=$(stat -c %s made/fine.tar.zst)
	for i in $(seq 40); do
		cp made/fine.tar.zst made/changed.tar.zst
		printf '%b' "\\x$(printf %x $((i * 89 % 256)))" | dd of=made/changed.tar.zst bs=1 seek=$((i * 7919 % size)) conv=notrunc status=none
		rm -rf taken
		if timeout -s KILL 20 "$kvmwait" bundle --extract taken made/changed.tar.zst 2>said; then
			[ "$(cat taken/a.txt taken/d/b.txt)" = $'hello\nworld' ] || { echo "change $i"; return 1; }
		elif [ $? != 1 ] || [ -e taken ]; then
			echo "change $i"; cat said; return 1
		fi
	done
	rm -rf taken
}
test_that 'a bundle cut anywhere is refused' cuts_are_refused
test_that 'a bundle with a byte changed is refused, or all there' changes_are_seen
test_that 'no bundle at all' refuses "$top/Makefile" 'invalid or incomplete tar.zst'
test_that 'a directory' refuses "$top" '(Is a directory|not a regular file)'
mkfifo pipe.tar.zst
test_that 'a pipe' refuses pipe.tar.zst 'not a regular file'
test_that 'a device' refuses /dev/zero 'not a regular file'
