#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
# Reads a file of 'kvmwait stat -f openmetrics', or with a second argument of 'kvmwait why -f openmetrics', with the strict parser of prometheus_client, and checks type and unit of
# each family by what its name says.
#   tests/metrics/strict.py FILE [why]
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

TYPES = {
    "kvmwait_waits": "counter",
    "kvmwait_boosts": "counter",
    "kvmwait_halts": "counter",
    "kvmwait_halted_seconds": "counter",
    "kvmwait_ready_seconds": "counter",
    "kvmwait_state_seconds": "counter",
    "kvmwait_polled_seconds": "counter",
    "kvmwait_halt_seconds": "histogram",
    "kvmwait_maps_full": "gauge",
    "kvmwait_audit_available": "gauge",
    "kvmwait_audit_seen": "gauge",
    "kvmwait_audit_kernel": "gauge",
    "kvmwait_audit_difference": "gauge",
    "kvmwait_counted_until_seconds": "gauge",
}
if sys.argv[2:] == ["why"]:
    TYPES = {"kvmwait_finding_share_ratio": "gauge", "kvmwait_rule_asked": "gauge", "kvmwait_why_vcpus": "gauge"}

try:
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        families = list(text_string_to_metric_families(f.read()))
    types = {f.name: f.type for f in families}
    assert types == TYPES, f"types: {types}"
    for family in families:
        assert family.samples and family.documentation, family.name
        assert family.unit == ("seconds" if family.name.endswith("_seconds") else ""), f"unit of {family.name}: {family.unit!r}"
except (ValueError, AssertionError) as e:
    sys.exit(f"{sys.argv[1]}: {e}")
