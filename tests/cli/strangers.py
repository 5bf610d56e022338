#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Names as a guest's owner or any user of a host may choose them, and what has to become of them.

  strangers.py make ROOM       processes of VMs with such names, and the lines of bpftrace about them, in ROOM
  strangers.py check FORM FILE  is FILE well-formed, is each name there as it should be, is all of it printable?

What has to become of a name is worked out here once more, from what kvmwait-schema(7) promises.
"""
import csv
import json
import os
import re
import sys
import unicodedata

NAMES = [
    b"a\nb", b"\r\n\r\n", b"\tx", b"'\";--", b'"', b"\\", b"\\n", b"\\x0a", b"a\\", b'","event":"ple","x":"', b"}]}",
    b"\x1b]0;owned\x07\x1b[2J", b"\x1b[31m", b"\x9b31m", b"\xc2\x9b31m", b"\x7f\x08\x08", b"\xff\xfe\x80", b"\xc0\xaf", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xe2\x80\xaegnp.exe", b"\xe2\x80\xa8x", b"\xef\xbb\xbfbom", b"M\xc3\xbcller", b"\xf0\x9f\x92\xa9", b"\xe2\x82",
    b"A" * 4096, b"\xc3\xbc" * 2048, b"x" * 127 + b"\xc3\xbc", b"\n" * 4096,
    b"w 1 0 1 1 0 hlt kvm -1 00", b"x\nw 1000 0 1 1 0 hlt kvm -1 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", b"@counted: 99", b"\n@counted: 99\n",
    b"kvmwait-ready", b"Lost 9 events", b"maps end", b'"); system("touch owned"); //', b"*/ BEGIN { exit(); } /*", b"$1", b"%s%n%n%n", b"{{7*7}}",
    b"=cmd|' /C calc'!A0", b"+1+1", b"-1", b"@SUM(1)", b"=1,2", b"a,b", b"a;b", b"#x", b"# EOF", b'vm="x"} 1',
    b"<script>alert(1)</script>", b"&lt;", b"../../etc/passwd", b"$(touch owned)", b"`touch owned`", b" ", b"  x  ", b"-", b"null", b"0",
]
COMM_BYTES = 16
NAME_BYTES = 128
FORMULA = "=+-@\t\r"


def unfit(code):
    return (code < 0x20 or 0x7f <= code < 0xa0 or code == 0x61c or code in (0x200e, 0x200f, 0xfeff) or 0x2028 <= code <= 0x202e or
            0x2066 <= code <= 0x2069)


def clean(raw):
    """Printable UTF-8 stays, a backslash is doubled, each other byte becomes backslash, x and two digits."""
    out, i = "", 0
    while i < len(raw):
        for n in (4, 3, 2, 1):
            try:
                text = raw[i:i + n].decode("utf-8")
            except UnicodeDecodeError:
                continue
            if len(text) == 1 and not unfit(ord(text)):
                break
        else:
            out, i = out + "\\x%02x" % raw[i], i + 1
            continue
        out, i = out + ("\\\\" if text == "\\" else text), i + n
    return out


def comm_of(name):
    return name[:COMM_BYTES - 1]


# beyond the processes that there are
FIRST_PID = 4194304 - len(NAMES)
STRANGERS = {FIRST_PID + i: (clean(name[:NAME_BYTES]), clean(comm_of(name)), name) for i, name in enumerate(NAMES)}


def hexed(comm):
    return comm.ljust(COMM_BYTES, b"\0").hex(" ")


def make(room):
    trace, stat, blame, seq = [], [], [], {}

    def numbered(cpu):
        seq[cpu] = seq.get(cpu, 0) + 1
        return seq[cpu]

    for pid, (_, _, name) in STRANGERS.items():
        here = os.path.join(room, "proc", str(pid))
        os.makedirs(here)
        with open(os.path.join(here, "stat"), "wb") as f:
            f.write(b"%d (%s) S 1 2 3 0 -1 4194304 5 6 7 8 9 10 11 12 20 0 4 0 1 1234 56 18446744073709551615 0\n" % (pid, comm_of(name)))
        with open(os.path.join(here, "cmdline"), "wb") as f:
            f.write(b"qemu-system-x86_64\0-name\0guest=" + name.replace(b",", b",,") + b",debug-threads=on\0")
        n = pid - FIRST_PID
        comm, cpu, tid, ts = hexed(comm_of(name)), n * 2, 33000000 + n * 10, 1000000 + n * 1000
        trace.append(f"w {ts} 0 {pid} {tid} 0 hlt kvm -1 {comm}")
        trace.append(f"o {ts + 10} {ts} 0 {pid} {tid} 0 run 0 0 -1 0 0 0 0")
        stat.append((tid << 38) | (pid << 16))
        for vcpu in 0, 1:
            blame.append(f"u {ts} {numbered(cpu + vcpu)} {cpu + vcpu} {pid} {tid + vcpu} {vcpu} 2 {comm}")
        blame.append(f"s {ts + 1} {numbered(cpu + 1)} {cpu + 1} {pid} {tid + 1} 0 {tid + 2} {comm}")
        blame.append(f"w {ts + 2} {cpu} {pid} {tid} 0 ple svm -1 {comm}")
        blame.append(f"s {ts + 3} {numbered(cpu + 1)} {cpu + 1} {tid + 2} {tid + 2} 128 {tid + 1} {comm}")
    stat = ["maps before", "maps end"] + [f"maps vcpu {k}" for k in stat] + ["maps after"] + [f"@s_n[{k}, 0]: 1" for k in stat] + ["maps end"]
    for what, lines, counted in ("trace", trace, len(trace)), ("stat", stat, len(STRANGERS)), ("blame", blame, len(blame)):
        with open(os.path.join(room, "tmp", what), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        with open(os.path.join(room, "tmp", what + ".end"), "w", encoding="ascii") as f:
            f.write(f"@counted: {counted + 1}\n")


def printable(text):
    for c in text:
        assert c == "\n" or (not unfit(ord(c)) and unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp")), f"not printable: {c!r}"


def same(seen, expected):
    assert set(seen) == set(expected), f"only seen: {sorted(set(seen) - set(expected))[:5]} only expected: {sorted(set(expected) - set(seen))[:5]}"


def records(text):
    return [json.loads(line) for line in text.splitlines()]


def unquoted(cell):
    assert not cell or cell[0] not in FORMULA, f"a spreadsheet takes it for a formula: {cell!r}"
    return cell[1:] if cell[0] == "'" and cell[1:2] and cell[1] in FORMULA else cell


def rows(text):
    lines = list(csv.DictReader(text.splitlines()))
    assert all(None not in r and None not in r.values() for r in lines), "a row with too many or too few cells"
    return lines


def labels(text):
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        m = re.fullmatch(r'[a-z_:]+(\{(?:[a-z_]+="(?:[^"\\]|\\["\\n])*",?)*\})? [0-9.e+-]+', line)
        assert m, f"no sample: {line!r}"
        for label, value in re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', m.group(1) or ""):
            if label == "vm":
                yield re.sub(r"\\(.)", lambda e: "\n" if e.group(1) == "n" else e.group(1), value)


def check(form, path):
    with open(path, "rb") as f:
        text = f.read().decode("utf-8")
    printable(text)
    vms = [vm for vm, _, _ in STRANGERS.values()]
    by_pid = {(pid, vm) for pid, (vm, _, _) in STRANGERS.items()}
    comms = {(pid, comm) for pid, (_, comm, _) in STRANGERS.items()}
    if form in ("table", "stat-table", "blame-table"):
        for vm in vms:
            assert vm[:10] in text, f"not there: {vm!r}"
    elif form == "json":
        waits = [r for r in records(text) if r["type"] in ("wait", "outcome")]
        assert len(waits) == 2 * len(STRANGERS)
        same([(r["pid"], r["vm"]) for r in waits], by_pid)
        same([(r["pid"], r["comm"]) for r in waits if r["type"] == "wait"], comms)
    elif form == "csv":
        same([(int(r["pid"]), unquoted(r["vm"])) for r in rows(text)], by_pid)
        same([(int(r["pid"]), unquoted(r["comm"])) for r in rows(text)], comms)
    elif form == "ftrace":
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert len(lines) == len(STRANGERS) and all(re.search(r"\[000\] .* kvm_sched_event: vcpu 0 event hlt target -1$", line) for line in lines)
    elif form == "stat-json":
        same([(r["pid"], r["vm"]) for s in records(text) if s["type"] == "stat" for r in s["rows"]], by_pid)
    elif form == "stat-csv":
        same([(int(r["pid"]), unquoted(r["vm"])) for r in rows(text)], by_pid)
    elif form in ("stat-openmetrics", "stat-prometheus"):
        assert text.endswith("# EOF\n") and text.count("# EOF\n") == 1
        same(labels(text), vms)
    elif form == "blame-json":
        document = json.loads(text)
        same([(v["pid"], v["vm"]) for v in document["vms"]], by_pid)
        same([(r["pid"], r["culprit"]["comm"]) for r in document["blame"]], {(pid, comm or "?") for pid, comm in comms})
    else:
        sys.exit("no such form")


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    try:
        check(sys.argv[2], sys.argv[3])
    except (AssertionError, ValueError, KeyError) as e:
        sys.exit(f"{sys.argv[2]}: {type(e).__name__}: {e}")
