#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Judges the scenario account: the states of kvmwait stat beside what the kernel accounts for the same threads.

  account.py DIR ROWS     prints "ok NAME" or "FAIL NAME: WHY"; writes the rows of share/doc/LEDGER.md into ROWS

The account is compared between two ends of intervals at which the thread slept: the samples before and after each of them
have the same sums, so that the kernel's time between them is exact. The rest follows from where the time stamps are taken:

- schedstat: the kernel reads the clock of the run queue where it begins to switch or to wake a thread, kvmwait where the
  tracepoint fires, later in the same switch. So each time slice can be a switch longer or shorter. How long a switch takes is
  measured on the same machine under the same probes.
- A poll that was wasted: kvmwait begins it before KVM reads the clock, and ends it where the thread leaves the CPU, after KVM
  has read it again. So it is longer than KVM's, for each HLT by a switch at most. A poll that paid off ends with the HLT: likewise.
- KVM counts a HLT's wait from the end of the poll until the thread is back: with the time that it was ready.
"""
import json
import sys

STATES = ("run", "spin", "poll", "halt", "ready", "host")
directory, rows_path = sys.argv[1:]
table = []


def say(good, name, why=""):
    print(("ok " if good else "FAIL ") + name + ("" if good else ": %s" % (why,)))


def outside(value, low, high):
    return low - value if value < low else value - high if value > high else 0


def ledger(scenario, what, value, low, high, allowed, more=0):
    """`more`: the account may be so much longer, and no shorter."""
    off = outside(value, low, high + more) if more else outside(value, low, high)
    if more and not off:
        off, allowed = outside(value, low, high), more
    witness = "%d" % low if low == high else "%d to %d" % (low, high)
    table.append("| %s | %s | %d | %s | %d | %d |" % (scenario, what, value, witness, off, allowed))
    say(off <= allowed, "%s: %s" % (scenario, what), "%d, witness %s, apart %d, allowed %d" % (value, witness, off, allowed))


def read_samples():
    threads, vms = {}, {}
    for line in open(directory + "/samples"):
        kind, *numbers = line.split()
        if kind == "t":
            begin, end, pid, tid, vcpu, state, run, delay, slices = numbers
            threads.setdefault((int(pid), int(vcpu)), []).append(
                {"from": int(begin), "to": int(end), "whole": state != "R", "exec": int(run), "delay": int(delay), "slices": int(slices), "tid": int(tid)})
        else:
            vms.setdefault(int(numbers[2]), []).append([int(x) for x in numbers])
    return threads, vms


def asleep(samples, time):
    """The thread's sums at a time, where it slept from the sample before to the sample after it; else None."""
    before = [s for s in samples if s["to"] <= time]
    after = [s for s in samples if s["from"] >= time]
    if not before or not after or not (before[-1]["whole"] and after[0]["whole"]):
        return None
    same = all(before[-1][name] == after[0][name] for name in ("exec", "delay", "slices"))
    return after[0] if same else None


records = [json.loads(line) for line in open(directory + "/account.ndjson")]
stats = [r for r in records if r["type"] == "stat"]
total = [r for r in stats if r["total"]][0]
intervals = [r for r in stats if not r["total"]]
switch_ns = int(open(directory + "/switches.before").read())
threads, vms = read_samples()

say(all(sum(row[s + "_ns"] for s in STATES) == row["wall_ns"] for r in stats for row in r["rows"]), "the states add up in every row")
say(all(row["poll_paid_ns"] + row["poll_wasted_ns"] <= row["poll_ns"] for r in stats for row in r["rows"]), "no more paid and wasted than polled")

for last in total["rows"]:
    key = (last["pid"], last["vcpu"])
    name = last["vm"].rsplit("-", 1)[0]
    mine = [(r["ts"] - r["ns"], r["ts"], row) for r in intervals for row in r["rows"] if (row["pid"], row["vcpu"]) == key]
    walls = [row["wall_ns"] for _, _, row in mine]
    # counts are read a moment later than the states: a row can have only counts at first
    there = [m for m in mine if m[2]["wall_ns"]]
    ns = [end - begin for begin, end, _ in there]
    lived = [row["wall_ns"] for _, _, row in there]
    say(lived and lived[1:-1] == ns[1:-1] and lived[0] <= ns[0] and lived[-1] <= ns[-1],
        "%s: all the time of each interval from the first to the last" % name, (walls, ns))
    say(all(a[1] == b[0] for a, b in zip(mine, mine[1:])), "%s: a row in each interval" % name)
    tail = last["wall_ns"] - sum(walls)
    say(0 <= tail <= total["ts"] - intervals[-1]["ts"], "%s: the total is that of the intervals, and the rest" % name, tail)
    whole = [m for m in mine if m[2]["wall_ns"] == m[1] - m[0]]
    while whole and not asleep(threads.get(key, []), whole[0][0]):
        whole.pop(0)
    while whole and not asleep(threads.get(key, []), whole[-1][1]):
        whole.pop()
    if name != "short":
        say(len(whole) > 1, "%s: intervals that begin and end while it sleeps" % name)
    if not whole:
        continue
    begin, end = whole[0][0], whole[-1][1]
    first, final = asleep(threads[key], begin), asleep(threads[key], end)
    state = {s: sum(m[2][s + "_ns"] for m in whole) for s in STATES}
    say(sum(state.values()) == end - begin, "%s: wall time" % name)
    for what, witness, value in (("run + spin + poll", "exec", state["run"] + state["spin"] + state["poll"]), ("ready", "delay", state["ready"])):
        grown = final[witness] - first[witness]
        ledger(name, what, value, grown, grown, (final["slices"] - first["slices"]) * switch_ns)
    if key[0] in vms and last["hlt"]:
        # the VM's last sample, when its HLTs are over
        success, fail, wait = vms[key[0]][-1][3:]
        allowed = last["hlt"] * switch_ns
        ledger(name, "poll, paid", last["poll_paid_ns"], success, success, 0, allowed)
        ledger(name, "poll, wasted", last["poll_wasted_ns"], fail, fail, 0, allowed)
        if wait >= 0:
            # KVM's has the time from the wake-up to the CPU as well
            ledger(name, "halt", last["halt_ns"], max(0, wait - last["ready_ns"]), wait, allowed)

frozen = [m for r in intervals for m in r["rows"] if m["vm"].startswith("stopped") and m["host_ns"] == r["ns"] == m["wall_ns"]]
say(len(frozen) >= 1, "stopped: a row for the time in which it does nothing")
open(rows_path, "w").write("".join(row + "\n" for row in table))
