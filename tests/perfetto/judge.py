#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Reads a trace of Perfetto by itself and holds it against the NDJSON it was made from.
#   tests/perfetto/judge.py TRACE NDJSON     a line a check, "ok NAME" or "FAIL NAME: why"; NDJSON as kvmwait wrote it
#   tests/perfetto/judge.py TRACE            what a viewer shows, by time: ts, duration, VM, track, name, flows
# The numbers below are those of Perfetto's published schema (perfetto_trace.proto), not read from helper/show/perfetto.proto;
# the wire form of protobuf is decoded here, so that neither protoc-c nor libprotobuf-c judges itself.
import json
import sys
from collections import Counter, defaultdict

# message: number: (name, kind); kind: a message, or varint, int (varint, signed), fixed64, string
SCHEMA = {
    "Trace": {1: ("packet", "TracePacket")},
    "TracePacket": {
        6: ("clock_snapshot", "ClockSnapshot"), 8: ("timestamp", "varint"), 10: ("trusted_packet_sequence_id", "varint"),
        11: ("track_event", "TrackEvent"), 12: ("interned_data", "InternedData"), 13: ("sequence_flags", "varint"),
        45: ("system_info", "SystemInfo"), 59: ("trace_packet_defaults", "TracePacketDefaults"),
        60: ("track_descriptor", "TrackDescriptor"), 87: ("first_packet_on_sequence", "varint"),
        126: ("trace_attributes", "TraceAttributes")},
    "TracePacketDefaults": {58: ("timestamp_clock_id", "varint")},
    "ClockSnapshot": {1: ("clocks", "Clock"), 2: ("primary_trace_clock", "varint")},
    "Clock": {1: ("clock_id", "varint"), 2: ("timestamp", "varint")},
    "InternedData": {3: ("debug_annotation_names", "DebugAnnotationName")},
    "DebugAnnotationName": {1: ("iid", "varint"), 2: ("name", "string")},
    "TrackDescriptor": {
        1: ("uuid", "varint"), 2: ("name", "string"), 3: ("process", "ProcessDescriptor"), 5: ("parent_uuid", "varint"),
        11: ("child_ordering", "varint"), 12: ("sibling_order_rank", "int")},
    "ProcessDescriptor": {1: ("pid", "int"), 6: ("process_name", "string")},
    "TrackEvent": {
        4: ("debug_annotations", "DebugAnnotation"), 9: ("type", "varint"), 11: ("track_uuid", "varint"),
        22: ("categories", "string"), 23: ("name", "string"), 47: ("flow_ids", "fixed64"),
        48: ("terminating_flow_ids", "fixed64")},
    "DebugAnnotation": {
        1: ("name_iid", "varint"), 2: ("bool_value", "varint"), 3: ("uint_value", "varint"), 4: ("int_value", "int"),
        6: ("string_value", "string"), 10: ("name", "string")},
    "SystemInfo": {1: ("utsname", "Utsname")},
    "Utsname": {1: ("sysname", "string"), 3: ("release", "string"), 4: ("machine", "string")},
    "TraceAttributes": {1: ("attribute", "Attribute")},
    "Attribute": {1: ("key", "string"), 2: ("long_value", "int"), 3: ("string_value", "string")},
}
REPEATED = {"packet", "clocks", "debug_annotation_names", "debug_annotations", "categories", "flow_ids",
            "terminating_flow_ids", "attribute"}
BEGIN, END, INSTANT = 1, 2, 3


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            if value >= 1 << 64:
                raise ValueError("a varint beyond 64 bits")
            return value, at


def decode(message, data):
    fields, result, at = SCHEMA[message], {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        number, form = tag >> 3, tag & 7
        if number not in fields:
            raise ValueError(f"{message} has no field {number}")
        name, kind = fields[number]
        if form != (0 if kind in ("varint", "int") else 1 if kind == "fixed64" else 2):
            raise ValueError(f"{message}.{name} has the wire form {form}")
        if form == 0:
            value, at = varint(data, at)
            if kind == "int" and value >= 1 << 63:
                value -= 1 << 64
        elif form == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            length, at = varint(data, at)
            if at + length > len(data):
                raise ValueError(f"{message}.{name} is cut short")
            value, at = data[at:at + length], at + length
            value = value.decode() if kind == "string" else decode(kind, value)
        if name in REPEATED:
            result.setdefault(name, []).append(value)
        elif name in result:
            raise ValueError(f"{message}.{name} twice")
        else:
            result[name] = value
    return result


class Trace:
    """What a viewer makes of the packets: tracks by uuid, events in the order of time, slices nested by track."""

    def __init__(self, packets):
        self.tracks, self.described, names, clock = {}, Counter(), {}, None
        self.events, self.slices, self.instants, self.problems = [], [], [], []
        self.clocks, self.attributes, self.system = [], {}, None
        for i, p in enumerate(packets):
            if p.get("trusted_packet_sequence_id") != 1 or p.get("sequence_flags") != (2 if i else 1):
                self.problems.append(f"packet {i}: sequence or flags")
            if "interned_data" in p:
                names.update({n["iid"]: n["name"] for n in p["interned_data"]["debug_annotation_names"]})
            clock = p.get("trace_packet_defaults", {}).get("timestamp_clock_id", clock)
            if "track_descriptor" in p:
                d = p["track_descriptor"]
                self.tracks[d["uuid"]] = d
                self.described[d["uuid"]] += 1
            self.clocks += [p["clock_snapshot"]] if "clock_snapshot" in p else []
            self.system = p.get("system_info", self.system)
            for a in p.get("trace_attributes", {}).get("attribute", []):
                self.attributes[a["key"]] = a.get("long_value", a.get("string_value"))
            if "track_event" in p:
                e = p["track_event"]
                e["ts"], e["args"] = p["timestamp"], {}
                for a in e.get("debug_annotations", []):
                    value = next(a[k] for k in ("string_value", "uint_value", "int_value", "bool_value") if k in a)
                    e["args"][a["name"] if "name" in a else names[a["name_iid"]]] = value
                if e["track_uuid"] not in self.tracks:
                    self.problems.append(f"packet {i}: a track that is not described")
                self.events.append(e)
        if clock != 6:
            self.problems.append(f"clock {clock}")
        self.nest()

    def nest(self):
        open_slices = defaultdict(list)
        for e in sorted(self.events, key=lambda e: e["ts"]):  # stable, as Perfetto's sorter is
            stack = open_slices[e["track_uuid"]]
            if e["type"] == BEGIN:
                e["depth"] = len(stack)
                stack.append(e)
            elif e["type"] == END and stack:
                e["begin"] = stack.pop()
                e["begin"]["dur"] = e["ts"] - e["begin"]["ts"]
                self.slices.append(e["begin"])
            elif e["type"] == INSTANT:
                self.instants.append(e)
            else:
                self.problems.append(f"an event of type {e['type']} at {e['ts']}")
        self.problems += [f"a slice without end at {s['ts']}" for stack in open_slices.values() for s in stack]

    def place(self, e):
        """VM's TGID, VM's name and vCPU of an event."""
        track = self.tracks[e["track_uuid"]]
        vm = self.tracks.get(track.get("parent_uuid"), {}).get("process")
        return (vm["pid"], vm["process_name"], track["name"]) if vm else (None, None, track.get("name"))


def check(name, problems):
    problems = [p for p in problems if p]
    print(f"FAIL {name}: {problems[0]}" + (f" (and {len(problems) - 1} more)" if problems[1:] else "") if problems else f"ok {name}")


def differ(name, got, want):
    got, want = Counter(got), Counter(want)
    check(name, [f"not expected: {x}" for x in got - want] + [f"missing: {x}" for x in want - got] +
          ([] if want or "may be none" in name else ["there are none"]))


def judge(trace, records):
    waits = [r for r in records if r["type"] == "wait"]
    outcomes = {(r["tid"], r["wait_ts"]): r for r in records if r["type"] == "outcome"}
    followed = [(w, o) for w in waits for o in [outcomes.get((w["tid"], w["ts"]))] if o and o["end"] != "unseen"]
    alone = [w for w in waits if outcomes.get((w["tid"], w["ts"]), {"end": "unseen"})["end"] == "unseen"]
    events = {"hlt", "ple", "pv_yield"}

    check("every track is described, each slice ends, the clock is CLOCK_BOOTTIME", trace.problems)
    check("uuids are unique", [f"{u} described {n} times" for u, n in trace.described.items() if n > 1] +
          [f"{u}: 0 is taken" for u in trace.tracks if not u])
    differ("a process for each VM", [(t["process"]["pid"], t["process"]["process_name"]) for t in trace.tracks.values() if "process" in t],
           {(w["pid"], w["vm"]) for w in waits})
    vcpu_tracks = [trace.place({"track_uuid": u})[::2] + (t["sibling_order_rank"],)
                   for u, t in trace.tracks.items() if trace.place({"track_uuid": u})[0] is not None]
    vcpu_of = {w["tid"]: (w["pid"], w["vcpu"]) for w in waits}
    want = []  # flows
    for w, o in followed:
        pid, vcpu = (o["pid"], o["boosted"]) if o.get("boosted", -1) >= 0 else vcpu_of.get(o.get("boosted_tid"), (0, -1))
        if vcpu >= 0:
            want.append((w["ts"], w["pid"], f"vCPU {w['vcpu']}", pid, f"vCPU {vcpu}", w["tid"]))
    differ("a track for each vCPU", vcpu_tracks, {(w["pid"], f"vCPU {w['vcpu']}", w["vcpu"]) for w in waits} |
           {(f[3], f[4], int(f[4].split()[1])) for f in want})

    def row(w):
        return (w["ts"], w["pid"], w["vm"], f"vCPU {w['vcpu']}", w["event"], w["source"], w["target"], w["vcpu"], w["cpu"], w["tid"], w["comm"],
                *(w.get(k) for k in ("guest_ip", "guest_mode", "guest_symbol")))

    def drawn(e):
        return (e["ts"], *trace.place(e), e["name"], e["categories"][0], *(e["args"].get(k) for k in ("target", "vcpu", "cpu", "tid", "comm", "guest_ip", "guest_mode", "guest_symbol")))

    differ("a slice for each wait with an outcome (may be none)", [drawn(s) + (s["dur"],) for s in trace.slices],
           [row(w) + (o["ns"],) for w, o in followed])
    differ("an instant for each other wait (may be none)", [drawn(i) for i in trace.instants if i["name"] in events],
           [row(w) for w in alone])
    check("slices of a vCPU do not overlap", [f"depth {s['depth']} at {s['ts']}" for s in trace.slices if s["depth"]])
    fields = ("end", "halt", "halt_ns", "boosted", "boosted_tid", "ns", "off_ns", "ready_ns")
    differ("what followed, with each slice (may be none)",
           [(s["ts"], s["args"]["tid"], s["args"]["cpu_after"], *(s["args"].get(k) for k in fields)) for s in trace.slices],
           [(w["ts"], w["tid"], o["cpu"], *(o.get(k) for k in fields)) for w, o in followed])

    begins = {f: e for e in trace.events for f in e.get("flow_ids", [])}
    ends = Counter(f for e in trace.events for f in e.get("terminating_flow_ids", []))
    check("flow ids are unique, and each ends once", [f"flow {f}" for f in begins if ends[f] != 1] +
          [f"flow {f} without begin" for f in ends if f not in begins] +
          (["an id twice"] if len(begins) != sum(len(e.get("flow_ids", [])) for e in trace.events) else []))
    got = []
    for e in trace.events:
        for f in e.get("terminating_flow_ids", []):
            if f in begins:
                b = begins[f]
                got.append((b["ts"] if b["ts"] == e["ts"] else "not at once", *trace.place(b)[::2], *trace.place(e)[::2],
                            e["args"]["by_tid"]))
    differ("a flow from each yield to the vCPU it boosted (may be none)", got, want)

    lost = [(i["ts"], i["args"]["lost"]) for i in trace.instants if i["name"] == "lost"]
    differ("an instant for each loss (may be none)", lost, [(r["ts"], r["lost"]) for r in records if r["type"] == "lost"])
    for meta in (r for r in records if r["type"] == "meta"):
        a = trace.attributes
        check("kernel, script and fidelity are in the attributes", [
            k for k, v in (("kernel", meta["kernel"]), ("script", meta["script"]), ("script_sha256", meta["script_sha256"]),
                           ("bpftrace", meta["bpftrace"]), ("version", meta["kvmwait"])) if a.get(f"kvmwait.{k}") != v] + [
            p["event"] for p in meta["probes"] if p["event"] in events and
            a.get(f"kvmwait.{p['event']}.{p['source']}") != p["fidelity"] + (": " + p["why"] if "why" in p else "")])
        check("utsname is that of the kernel", [] if trace.system == {"utsname": {
            "sysname": "Linux", "release": meta["kernel"], "machine": meta["arch"]}} else [trace.system])
        builtin = {6: "boottime", 3: "monotonic", 1: "realtime"}
        clocks = [{builtin[c["clock_id"]]: c["timestamp"] for c in s["clocks"]} for s in trace.clocks]
        check("the clocks of begin and end", [] if clocks == [r["clock"] for r in records if r.get("clock")] and
              all(s["primary_trace_clock"] == 6 for s in trace.clocks) else [clocks])
    for end in (r for r in records if r["type"] == "end"):
        check("the balance is in the attributes", [k for k in ("counted", "received", "lost", "why")
                                                    if trace.attributes.get(f"kvmwait.{k}") != end.get(k)])


def main():
    with open(sys.argv[1], "rb") as f:
        packets = decode("Trace", f.read())["packet"]
    if len(sys.argv) == 2:
        trace = Trace(packets)
        for e in sorted(trace.events, key=lambda e: e["ts"]):
            if e["type"] != END:
                flows = [f">{f}" for f in e.get("flow_ids", [])] + [f"<{f}" for f in e.get("terminating_flow_ids", [])]
                print(e["ts"], e.get("dur", "-"), *trace.place(e)[1:], e.get("name"), *flows, sep="|")
        sys.exit("\n".join(trace.problems) or 0)
    with open(sys.argv[2], encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    judge(Trace(packets), records)


main()
