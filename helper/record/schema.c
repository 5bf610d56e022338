// SPDX-License-Identifier: Apache-2.0
// The common schema, version 1, as tables: names, types, units and help of all fields. Writers, the JSON Schema and
// kvmwait-schema(7) follow from them.
#include "record/schema.h"

static const struct field clock_fields[] = {
	{ "boottime", FIELD_INTEGER, "ns", "CLOCK_BOOTTIME, the clock of ts", false, NULL },
	{ "monotonic", FIELD_INTEGER, "ns", "CLOCK_MONOTONIC", false, NULL },
	{ "realtime", FIELD_INTEGER, "ns", "CLOCK_REALTIME", false, NULL },
	{ 0 },
};

static const struct field probe_fields[] = {
	{ "event", FIELD_STRING, NULL, "event, or what a part measures", false, NULL },
	{ "source", FIELD_STRING, NULL, "source", false, NULL },
	{ "fidelity", FIELD_STRING, NULL, "exact, inferred or absent", false, NULL },
	{ "functions", FIELD_STRINGS, NULL, "functions and tracepoints it was resolved to", false, NULL },
	{ "why", FIELD_STRING, NULL, "why it is not exact, or what exactness rests on", true, NULL },
	{ "not_applicable", FIELD_BOOLEAN, NULL, "true where it is absent because the kernel has no such path", true, NULL },
	{ "fallback", FIELD_STRING, NULL, "name of the fallback script that gives it, where that is not the script", true, NULL },
	{ 0 },
};

static const struct field fallback_fields[] = {
	{ "script", FIELD_STRING, NULL, "name of the fallback script", false, NULL },
	{ "sha256", FIELD_STRING, NULL, "hash of the fallback script", false, NULL },
	{ 0 },
};

static const struct field part_fields[] = {
	{ "script", FIELD_STRING, NULL, "name of the part", false, NULL },
	{ "sha256", FIELD_STRING, NULL, "hash of the part", false, NULL },
	{ 0 },
};

static const struct field filter_fields[] = {
	{ "events", FIELD_STRINGS, NULL, "events asked for; empty: all", false, NULL },
	{ "tgids", FIELD_INTEGERS, NULL, "processes asked for; empty: all", false, NULL },
	{ "vcpus", FIELD_INTEGERS, NULL, "vCPUs asked for; empty: all", false, NULL },
	{ 0 },
};

static const struct field input_fields[] = {
	{ "format", FIELD_STRING, NULL, "trace.dat, text or csv", false, NULL },
	{ "clock", FIELD_STRING, NULL, "the clock of ts, where it is known: boot is CLOCK_BOOTTIME", false, NULL },
	{ "notes", FIELD_STRINGS, NULL, "what it cannot tell", false, NULL },
	{ 0 },
};

static const struct field meta_fields[] = {
	{ "schema", FIELD_INTEGER, NULL, "version of this schema: 1", false, NULL },
	{ "kvmwait", FIELD_STRING, NULL, "version of kvmwait", false, NULL },
	{ "host", FIELD_STRING, NULL, "name of the host; other than printable UTF-8 comes as in comm", true, NULL },
	{ "kernel", FIELD_STRING, NULL, "kernel release", false, NULL },
	{ "arch", FIELD_STRING, NULL, "machine, as uname -m has it", false, NULL },
	{ "vendor", FIELD_STRING, NULL, "vendor of the virtualization extension, where there are several", true, NULL },
	{ "script", FIELD_STRING, NULL, "name of the script", false, NULL },
	{ "script_sha256", FIELD_STRING, NULL, "hash of the script", false, NULL },
	{ "fallbacks", FIELD_OBJECTS, NULL, "scripts that give sources which the script lacks on this kernel", true, fallback_fields },
	{ "parts", FIELD_OBJECTS, NULL, "what was put into the script on demand", true, part_fields },
	{ "bpftrace", FIELD_STRING, NULL, "version of bpftrace", false, NULL },
	{ "probes", FIELD_OBJECTS, NULL, "what each event and source rests on", false, probe_fields },
	{ "filters", FIELD_OBJECT, NULL, "what was asked for", false, filter_fields },
	{ "clock", FIELD_OBJECT, NULL, "the clocks when tracing began, taken together; missing where input is there", true, clock_fields },
	{ "input", FIELD_OBJECT, NULL, "what it was converted from, where that is no record of kvmwait", true, input_fields },
	{ 0 },
};

static const struct field wait_fields[] = {
	{ "ts", FIELD_INTEGER, "ns", "time, CLOCK_BOOTTIME; where it was converted, of the clock of that", false, NULL },
	{ "cpu", FIELD_INTEGER, NULL, "CPU of the host", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the VM's process; 0: not known", false, NULL },
	{ "tid", FIELD_INTEGER, NULL, "thread of the vCPU", false, NULL },
	{ "comm", FIELD_STRING, NULL, "name of the thread; other than printable UTF-8 comes as \\xNN, a backslash doubled",
	  false, NULL },
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "vCPU id within the VM", false, NULL },
	{ "event", FIELD_STRING, NULL, "ple, hlt or pv_yield", false, NULL },
	{ "source", FIELD_STRING, NULL, "the path in KVM", false, NULL },
	{ "target", FIELD_INTEGER, NULL, "the guest's value, unchecked; -1 also where it gives none", false, NULL },
	{ "guest_ip", FIELD_INTEGER, NULL, "of a spin, where asked for and known: the guest's instruction pointer, as a signed number", true,
	  NULL },
	{ "guest_mode", FIELD_STRING, NULL, "the same: kernel (CPL 0, or not EL0) or user", true, NULL },
	{ "guest_symbol", FIELD_STRING, NULL, "the same, where names were given: function+0xoffset", true, NULL },
	{ "callers", FIELD_STRINGS, NULL, "the probed function, its caller and so on, where asked for; empty: not had", true, NULL },
	{ 0 },
};

static const struct field lost_fields[] = {
	{ "lost", FIELD_INTEGER, NULL, "events that bpftrace reports as lost", false, NULL },
	{ "ts", FIELD_INTEGER, "ns", "when it was reported, CLOCK_BOOTTIME", false, NULL },
	{ 0 },
};

static const struct field audit_fields[] = {
	{ "counter", FIELD_STRING, NULL, "KVM's counter, as debugfs names it", false, NULL },
	{ "event", FIELD_STRING, NULL, "the event that it counts", false, NULL },
	{ "source", FIELD_STRING, NULL, "the source of the event", false, NULL },
	{ "seen", FIELD_INTEGER, NULL, "what the probes counted; missing where why is set, as are all below", true, NULL },
	{ "kernel", FIELD_INTEGER, NULL, "what KVM counted at least while the probes were attached", true, NULL },
	{ "kernel_most", FIELD_INTEGER, NULL, "what KVM counted at most; missing where it is unknown", true, NULL },
	{ "in_flight", FIELD_INTEGER, NULL, "vCPUs that may have been between probe and counter when that was read", true, NULL },
	{ "difference", FIELD_INTEGER, NULL, "0 where both agree, else how far seen is below or above KVM's count", true, NULL },
	{ "why", FIELD_STRING, NULL, "why the counter was not compared", true, NULL },
	{ 0 },
};

static const struct field end_fields[] = {
	{ "counted", FIELD_INTEGER, NULL, "events (and outcomes) the kernel counted; missing where it is not known", true, NULL },
	{ "received", FIELD_INTEGER, NULL, "wait and outcome records, without unseen ones", false, NULL },
	{ "outcomes", FIELD_INTEGER, NULL, "of the received: outcome records, where they were asked for", true, NULL },
	{ "sched", FIELD_INTEGER, NULL, "of the received: what the scheduler did, told by the blame record instead", true, NULL },
	{ "lost", FIELD_INTEGER, NULL, "events that were lost", false, NULL },
	{ "unreported", FIELD_INTEGER, NULL, "of the lost: counted and not received, but not reported by bpftrace", false, NULL },
	{ "unwritten", FIELD_INTEGER, NULL, "of the lost: received, but the file was full", true, NULL },
	{ "malformed", FIELD_INTEGER, NULL, "lines that could not be read", false, NULL },
	{ "late", FIELD_INTEGER, NULL, "records that came too late to be put in order", false, NULL },
	{ "unbalanced", FIELD_INTEGER, NULL, "counted - received - lost; missing where counted is", true, NULL },
	{ "why", FIELD_STRING, NULL, "why the trace ended", false, NULL },
	{ "bpftrace_status", FIELD_INTEGER, NULL, "exit status of bpftrace where it is not 0, 128 + signal", true, NULL },
	{ "command_status", FIELD_INTEGER, NULL, "exit status of the command that was run, 128 + signal", true, NULL },
	{ "missed", FIELD_INTEGER, NULL, "of counts: runs of probes that the kernel left out", true, NULL },
	{ "audit", FIELD_OBJECTS, NULL, "the counts of the probes against counters that KVM keeps by itself", true, audit_fields },
	{ "clock", FIELD_OBJECT, NULL, "the clocks at the end, taken together; missing where lines were converted", true,
	  clock_fields },
	{ 0 },
};

static const struct field outcome_fields[] = {
	{ "ts", FIELD_INTEGER, "ns", "when the wait was over, CLOCK_BOOTTIME; of an unseen one when that was known", false, NULL },
	{ "wait_ts", FIELD_INTEGER, "ns", "ts of the wait it belongs to, which has the same tid", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the VM's process", false, NULL },
	{ "tid", FIELD_INTEGER, NULL, "thread of the vCPU", false, NULL },
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "vCPU id within the VM", false, NULL },
	{ "event", FIELD_STRING, NULL, "that of the wait; missing where the wait was lost", true, NULL },
	{ "source", FIELD_STRING, NULL, "that of the wait; missing where the wait was lost", true, NULL },
	{ "end", FIELD_STRING, NULL, "run: the vCPU ran again; user: handed to user space; gone: its thread ended; unseen: not known",
	  false, NULL },
	{ "halt", FIELD_STRING, NULL, "of a HLT: polled, blocked, or none where KVM did not wait", true, NULL },
	{ "halt_ns", FIELD_INTEGER, "ns", "of a HLT: polling and blocking together, by KVM's own account", true, NULL },
	{ "woken", FIELD_BOOLEAN, NULL, "of a HLT: did the vCPU run again after it", true, NULL },
	{ "boosted", FIELD_INTEGER, NULL, "of the others: the vCPU that was given the CPU; -1 for none, or an unknown one", true, NULL },
	{ "boosted_tid", FIELD_INTEGER, NULL, "of the others: the thread that was given the CPU; 0 for none", true, NULL },
	{ "ns", FIELD_INTEGER, "ns", "ts - wait_ts: how long the vCPU did not run the guest", true, NULL },
	{ "off_ns", FIELD_INTEGER, "ns", "of it: off the CPU", true, NULL },
	{ "ready_ns", FIELD_INTEGER, "ns", "of that: runnable, but not running", true, NULL },
	{ "cpu_before", FIELD_INTEGER, NULL, "CPU of the host at the wait", true, NULL },
	{ "cpu", FIELD_INTEGER, NULL, "CPU of the host at the end of it", true, NULL },
	{ 0 },
};

static const struct field hist_fields[] = {
	{ "from_ns", FIELD_INTEGER, "ns", "the shortest of them; a power of two, or 0", false, NULL },
	{ "count", FIELD_INTEGER, NULL, "HLTs that took so long and less than twice that; the first: less than 1024 ns", false, NULL },
	{ 0 },
};

static const struct field stat_row_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", true, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the VM's process", true, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "vCPU id within the VM", true, NULL },
	{ "event", FIELD_STRING, NULL, "ple, hlt or pv_yield", true, NULL },
	{ "source", FIELD_STRING, NULL, "source of the event", true, NULL },
	{ "waits", FIELD_INTEGER, NULL, "events", false, NULL },
	{ "boosted", FIELD_INTEGER, NULL, "of them: gave the CPU to another vCPU; missing, as are others, where outcomes are not known", true, NULL },
	{ "ple", FIELD_INTEGER, NULL, "pause-loop exits", true, NULL },
	{ "ple_boosted", FIELD_INTEGER, NULL, "of them: gave the CPU to another vCPU", true, NULL },
	{ "pv_yield", FIELD_INTEGER, NULL, "paravirtual yields", true, NULL },
	{ "pv_yield_boosted", FIELD_INTEGER, NULL, "of them: gave the CPU to another vCPU", true, NULL },
	{ "hlt", FIELD_INTEGER, NULL, "HLTs", true, NULL },
	{ "polled", FIELD_INTEGER, NULL, "HLTs that ended while KVM polled", true, NULL },
	{ "blocked", FIELD_INTEGER, NULL, "HLTs that ended after KVM blocked", true, NULL },
	{ "unwaited", FIELD_INTEGER, NULL, "HLTs that ended without KVM waiting", true, NULL },
	{ "gone", FIELD_INTEGER, NULL, "HLTs that ended with their thread", true, NULL },
	{ "halted_ns", FIELD_INTEGER, "ns", "from HLT to the next entry into the guest, of HLTs still open too", true, NULL },
	{ "p50_ns", FIELD_INTEGER, "ns", "half of the HLTs that ended took no longer; within a factor of two; 0: none", true, NULL },
	{ "p99_ns", FIELD_INTEGER, "ns", "99 of 100 took no longer; within a factor of two; 0: none", true, NULL },
	{ "max_ns", FIELD_INTEGER, "ns", "the longest HLT since counting began", true, NULL },
	{ "ready_ns", FIELD_INTEGER, "ns", "runnable but not running; a state, where there are states", true, NULL },
	{ "vcpus", FIELD_INTEGER, NULL, "vCPUs in the row", true, NULL },
	{ "run_ns", FIELD_INTEGER, "ns", "on a CPU, in the guest or in KVM and the VMM for it; the states add up to wall_ns", true, NULL },
	{ "spin_ns", FIELD_INTEGER, "ns", "on a CPU, from a pause-loop exit or yield to the next VM entry", true, NULL },
	{ "poll_ns", FIELD_INTEGER, "ns", "on a CPU, polling in a HLT", true, NULL },
	{ "poll_paid_ns", FIELD_INTEGER, "ns", "of it: polls that a wake-up ended", true, NULL },
	{ "poll_wasted_ns", FIELD_INTEGER, "ns", "of it: polls that ended with the vCPU off its CPU", true, NULL },
	{ "halt_ns", FIELD_INTEGER, "ns", "blocked in a HLT", true, NULL },
	{ "host_ns", FIELD_INTEGER, "ns", "blocked otherwise: in the VMM, a page fault, a lock of the kernel, or stopped", true, NULL },
	{ "wall_ns", FIELD_INTEGER, "ns", "the time of the row: ns for each vCPU that was there from its beginning to its end", true, NULL },
	{ "hist", FIELD_OBJECTS, NULL, "how long HLTs took, where asked for", true, hist_fields },
	{ 0 },
};

static const struct field guest_row_fields[] = {
	{ "spins", FIELD_INTEGER, NULL, "spins there", false, NULL },
	{ "share", FIELD_INTEGER, "1/100 %", "of the spins of its VM", false, NULL },
	{ "guest_ip", FIELD_INTEGER, NULL, "as in a wait; missing where it is not known", true, NULL },
	{ "guest_mode", FIELD_STRING, NULL, "as in a wait", true, NULL },
	{ "guest_symbol", FIELD_STRING, NULL, "as in a wait", true, NULL },
	{ 0 },
};

static const struct field guest_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the VM's process", false, NULL },
	{ "spins", FIELD_INTEGER, NULL, "pause-loop exits and paravirtual yields", false, NULL },
	{ "unplaced", FIELD_INTEGER, NULL, "of them: at addresses that there was no room for", false, NULL },
	{ "more", FIELD_INTEGER, NULL, "addresses that are left out, as there are too many", true, NULL },
	{ "rows", FIELD_OBJECTS, NULL, "the addresses, those with most spins first", false, guest_row_fields },
	{ 0 },
};

static const struct field stat_fields[] = {
	{ "ts", FIELD_INTEGER, "ns", "the end of the interval, CLOCK_BOOTTIME", false, NULL },
	{ "ns", FIELD_INTEGER, "ns", "its length", false, NULL },
	{ "total", FIELD_BOOLEAN, NULL, "is it all the time, rather than since the record before", false, NULL },
	{ "full", FIELD_BOOLEAN, NULL, "has a map no room left, so that some is not counted", false, NULL },
	{ "recorded", FIELD_BOOLEAN, NULL, "true where it was made from events: ready_ns then is of waits alone", true, NULL },
	{ "by", FIELD_STRINGS, NULL, "what rows go by: vm, vcpu, event, source", false, NULL },
	{ "rows", FIELD_OBJECTS, NULL, "the rows with anything in them", false, stat_row_fields },
	{ "guests", FIELD_OBJECTS, NULL, "of the totals: where the guests of these VMs spun, where asked for", true, guest_fields },
	{ 0 },
};

static const struct field plan_event_fields[] = {
	{ "ple", FIELD_STRING, NULL, "exact, inferred or absent", false, NULL },
	{ "hlt", FIELD_STRING, NULL, "exact, inferred or absent", false, NULL },
	{ "pv_yield", FIELD_STRING, NULL, "exact, inferred or absent", false, NULL },
	{ 0 },
};

static const struct field plan_source_fields[] = {
	{ "event", FIELD_STRING, NULL, "event, or what a part measures", false, NULL },
	{ "source", FIELD_STRING, NULL, "source", false, NULL },
	{ "fidelity", FIELD_STRING, NULL, "exact, inferred or absent", false, NULL },
	{ "not_applicable", FIELD_BOOLEAN, NULL, "is it absent because the kernel has no such path", false, NULL },
	{ "functions", FIELD_STRINGS, NULL, "functions and tracepoints it was resolved to", false, NULL },
	{ "why", FIELD_STRING, NULL, "why it is not exact, or what exactness rests on", true, NULL },
	{ "fallback", FIELD_STRING, NULL, "name of the fallback script that gives it, where that is not the script", true, NULL },
	{ 0 },
};

static const struct field plan_script_fields[] = {
	{ "script", FIELD_STRING, NULL, "name of the script", false, NULL },
	{ "sha256", FIELD_STRING, NULL, "hash of the script", false, NULL },
	{ "part", FIELD_STRING, NULL, "name of the part where it is one", true, NULL },
	{ "range", FIELD_STRING, NULL, "kernels it is made for", false, NULL },
	{ "chosen", FIELD_BOOLEAN, NULL, "does this kernel get it", false, NULL },
	{ "in_range", FIELD_BOOLEAN, NULL, "is the kernel in its range", false, NULL },
	{ "reason", FIELD_STRING, NULL, "why it was chosen or rejected", true, NULL },
	{ "sources", FIELD_OBJECTS, NULL, "what it would tell", false, plan_source_fields },
	{ 0 },
};

static const struct field plan_tree_fields[] = {
	{ "kvmwait", FIELD_STRING, NULL, "version of kvmwait", false, NULL },
	{ "kernel", FIELD_STRING, NULL, "kernel release", false, NULL },
	{ "arch", FIELD_STRING, NULL, "machine, as uname -m has it", false, NULL },
	{ "vendor", FIELD_STRING, NULL, "vendor of the virtualization extension, where there are several", true, NULL },
	{ "script", FIELD_STRING, NULL, "the script that was chosen", true, NULL },
	{ "events", FIELD_OBJECT, NULL, "the fidelity of each event", false, plan_event_fields },
	{ "scripts", FIELD_OBJECTS, NULL, "every script and part, and why it was chosen or not", false, plan_script_fields },
	{ 0 },
};

static const struct field plan_fields[] = {
	{ "plan", FIELD_OBJECT, NULL, "the plan, as kvmwait plan --json prints it", false, plan_tree_fields },
	{ "program", FIELD_STRING, NULL, "the program that bpftrace was given", false, NULL },
	{ 0 },
};

static const struct field blame_vm_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the VM's process", false, NULL },
	{ "vcpus", FIELD_INTEGER, NULL, "vCPUs it has; 0: not known", false, NULL },
	{ "unseen", FIELD_INTEGER, NULL, "of them: never seen on a CPU", false, NULL },
	{ "spins", FIELD_INTEGER, NULL, "pause-loop exits and paravirtual yields", false, NULL },
	{ "blamed", FIELD_INTEGER, NULL, "of them: a sibling was runnable off its CPU", false, NULL },
	{ "unblamed", FIELD_INTEGER, NULL, "of them: every sibling ran, or had nothing to do", false, NULL },
	{ "unknown", FIELD_INTEGER, NULL, "of them: neither can be said", false, NULL },
	{ 0 },
};

static const struct field culprit_fields[] = {
	{ "kind", FIELD_STRING, NULL, "self, sibling, vcpu, host, throttled, forced-idle, wakeup, idle or unknown", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of the thread that has the CPU; 0: not known", true, NULL },
	{ "tid", FIELD_INTEGER, NULL, "that thread", true, NULL },
	{ "comm", FIELD_STRING, NULL, "its name, as in a wait", true, NULL },
	{ "vm", FIELD_STRING, NULL, "where it is a vCPU: of this VM", true, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "where it is a vCPU: its id", true, NULL },
	{ "cgroup", FIELD_STRING, NULL, "where a CPU quota throttles: whose it is, as its path, or 'inode N'", true, NULL },
	{ "quota_ns", FIELD_INTEGER, "ns", "that quota, in each period", true, NULL },
	{ "period_ns", FIELD_INTEGER, "ns", "its period", true, NULL },
	{ 0 },
};

static const struct field blame_row_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of its process", false, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "the vCPU that waits for a CPU", false, NULL },
	{ "culprit", FIELD_OBJECT, NULL, "the culprit that occupies its CPU", false, culprit_fields },
	{ "spins", FIELD_INTEGER, NULL, "spins that found it so", false, NULL },
	{ "share", FIELD_INTEGER, "1/100 %", "of the spins of its VM", false, NULL },
	{ "targeted", FIELD_INTEGER, NULL, "of the spins: the guest named this vCPU", false, NULL },
	{ "ready_ns", FIELD_INTEGER, "ns", "that it waited for the CPU while its VM spun", false, NULL },
	{ "all_ns", FIELD_INTEGER, "ns", "that it waited for the CPU in all", true, NULL },
	{ 0 },
};

static const struct field blame_vcpu_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of its process", false, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "its id", false, NULL },
	{ "run_ns", FIELD_INTEGER, "ns", "that its thread was on a CPU", false, NULL },
	{ "ready_ns", FIELD_INTEGER, "ns", "that its thread was runnable and not on a CPU: the sum of its rows' all_ns", false, NULL },
	{ "blocked_ns", FIELD_INTEGER, "ns", "that its thread was blocked", false, NULL },
	{ "halt_ns", FIELD_INTEGER, "ns", "of that: in a HLT", true, NULL },
	{ "host_ns", FIELD_INTEGER, "ns", "of that: outside of a HLT, the sum of its sleeps", true, NULL },
	{ "unknown_ns", FIELD_INTEGER, "ns", "that is not known, as records are missing", false, NULL },
	{ 0 },
};

static const struct field blame_sleep_fields[] = {
	{ "vm", FIELD_STRING, NULL, "name of the VM, else its TGID", false, NULL },
	{ "pid", FIELD_INTEGER, NULL, "TGID of its process", false, NULL },
	{ "vcpu", FIELD_INTEGER, NULL, "its id", false, NULL },
	{ "in", FIELD_STRING, NULL, "what its thread slept in, by scripts/sleep.list; else a function of the kernel, or \"unknown\"", false, NULL },
	{ "times", FIELD_INTEGER, NULL, "how often", false, NULL },
	{ "ns", FIELD_INTEGER, "ns", "how long", false, NULL },
	{ 0 },
};

static const struct field blame_fields[] = {
	{ "vms", FIELD_OBJECTS, NULL, "the VMs that spun, those with most spins first", false, blame_vm_fields },
	{ "rows", FIELD_OBJECTS, NULL, "the culprits of each vCPU, largest time first", false, blame_row_fields },
	{ "vcpus", FIELD_OBJECTS, NULL, "the time of each vCPU since its thread was first seen", true, blame_vcpu_fields },
	{ "sleeps", FIELD_OBJECTS, NULL, "what vCPUs slept in outside of HLTs, longest first", true, blame_sleep_fields },
	{ "more", FIELD_INTEGER, NULL, "rows that are left out, as there are too many", true, NULL },
	{ 0 },
};

const struct record_schema record_schemas[RECORD_TYPES] = {
	[RECORD_META] = { "meta", "first: what was traced, how, and how exactly", meta_fields },
	[RECORD_WAIT] = { "wait", "an event: KVM reached the path, no more is said", wait_fields },
	[RECORD_OUTCOME] = { "outcome", "what followed a wait, where asked for", outcome_fields },
	[RECORD_LOST] = { "lost", "bpftrace lost events", lost_fields },
	[RECORD_END] = { "end", "last: the balance, received + lost = counted", end_fields },
	[RECORD_STAT] = { "stat", "counts and states of an interval, or of all the time; in a recording, before end", stat_fields },
	[RECORD_PLAN] = { "plan", "in a recording, behind meta: what it was made with", plan_fields },
	[RECORD_BLAME] = { "blame", "in a recording, before end: the culprits that occupied the CPUs of ready vCPUs", blame_fields },
};

/* ---- JSON Schema ---- */

static json_t *schema_of_fields(const struct field *fields, const char *type_name);

static json_t *schema_of_field(const struct field *f)
{
	json_t *s;

	switch (f->type) {
	case FIELD_STRING:
		s = json_pack("{s:s}", "type", "string");
		break;
	case FIELD_INTEGER:
		s = json_pack("{s:s}", "type", "integer");
		break;
	case FIELD_BOOLEAN:
		s = json_pack("{s:s}", "type", "boolean");
		break;
	case FIELD_INTEGERS:
		s = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "integer");
		break;
	case FIELD_STRINGS:
		s = json_pack("{s:s, s:{s:s}}", "type", "array", "items", "type", "string");
		break;
	case FIELD_OBJECTS:
		s = json_pack("{s:s, s:o}", "type", "array", "items", schema_of_fields(f->fields, NULL));
		break;
	case FIELD_OBJECT:
	default:
		s = schema_of_fields(f->fields, NULL);
		break;
	}
	if (f->unit) {
		CLEANUP_FREE char *text = xasprintf("%s (%s)", f->help, f->unit);

		json_object_set_new(s, "description", json_string(text));
	} else {
		json_object_set_new(s, "description", json_string(f->help));
	}
	return s;
}

static json_t *schema_of_fields(const struct field *fields, const char *type_name)
{
	json_t *properties = json_object(), *required = json_array();

	if (type_name) {
		json_object_set_new(properties, "type", json_pack("{s:s}", "const", type_name));
		json_array_append_new(required, json_string("type"));
	}
	for (const struct field *f = fields; f->name; f++) {
		json_object_set_new(properties, f->name, schema_of_field(f));
		if (!f->optional)
			json_array_append_new(required, json_string(f->name));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required,
			 "additionalProperties", 0);
}

json_t *schema_json(void)
{
	json_t *any = json_array();

	for (size_t i = 0; i < RECORD_TYPES; i++) {
		json_t *s;

		if (!record_schemas[i].fields->name)
			continue;
		s = schema_of_fields(record_schemas[i].fields, record_schemas[i].name);
		json_object_set_new(s, "description", json_string(record_schemas[i].help));
		json_array_append_new(any, s);
	}
	return json_pack("{s:s, s:s, s:s, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title",
			 "kvmwait record, schema version 1", "description", "One JSON object a line (NDJSON).", "oneOf", any);
}
