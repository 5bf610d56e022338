#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Reads ftrace text with the reader of BCC (python3-bpfcc), as its tools read trace_pipe, and holds what that finds
# against the waits of the same stream.
#   tests/cli/ftrace.py TEXT NDJSON
import io
import json
import sys

from bcc import BPF


def read(path):
    reader = BPF.__new__(BPF)  # no program is loaded: its reader alone
    with open(path, "rb") as f:  # trace_pipe has no comments
        reader.tracefile = io.BytesIO(b"".join(line for line in f if not line.startswith(b"#")))
    while True:
        task, pid, cpu, flags, ts, message = reader.trace_fields(nonblocking=True)
        if task is None:
            return
        yield task, pid, cpu, flags, round(ts * 1000000), message


def waits(path):
    with open(path, encoding="utf-8") as f:
        for record in map(json.loads, f):
            if record["type"] == "wait":  # times in us, rounded as the kernel does
                yield (record["comm"].encode(), record["tid"], record["cpu"], b".....", (record["ts"] + 500) // 1000,
                       f"vcpu {record['vcpu']} event {record['event']} target {record['target']}".encode())


def main():
    got, want = list(read(sys.argv[1])), list(waits(sys.argv[2]))
    for number, (a, b) in enumerate(zip(got, want)):
        if a != b:
            sys.exit(f"wait {number}: read as {a}, is {b}")
    if len(got) != len(want) or not want:
        sys.exit(f"{len(got)} were read, there are {len(want)}")
    print(f"{len(want)} waits")


main()
