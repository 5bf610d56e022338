#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Asks a Prometheus server what it has, and holds it against the file of 'kvmwait stat -f prometheus'.
#   tests/metrics/judge.py URL samples FILE        every sample of the file, with these labels and this value, no other
#   tests/metrics/judge.py URL count FILE          waits until the server has the file's last state
#   tests/metrics/judge.py URL dashboard JSON      every expression and variable of the dashboard has data
#   tests/metrics/judge.py URL document MD         so has every line of its promql blocks
#   tests/metrics/judge.py URL rules               every rule is in health, and every expression has data
import json
import math
import re
import sys
import time
import urllib.parse
import urllib.request

# What Grafana puts in the place of its variables.
VARIABLES = {"$instance": ".*", "$vm": ".*", "$__rate_interval": "1m"}


def ask(url, path, **parameters):
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=10) as f:
        answer = json.load(f)
    if answer["status"] != "success" or answer.get("warnings"):
        raise ValueError(answer)
    return answer["data"]


def query(url, expression):
    return [(r["metric"], r["value"][1]) for r in ask(url, "query", query=expression)["result"]]


def read_file(path):
    """The samples as the text format has them: {(name, labels): value}."""
    samples = {}
    with open(path, encoding="utf-8") as f:
        for line in f.read().split("\n"):
            if not line or line.startswith("#"):
                continue
            name, labels, value = re.fullmatch(r'([a-z_]+)(?:\{(.*)\})? (\S+)', line).groups()
            pairs = re.findall(r'([a-z]+)="((?:[^"\\]|\\.)*)"(?:,|$)', labels or "")
            # the order in which a label's escapes are undone matters: one pass
            clean = {k: re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m[1], m[1]), v) for k, v in pairs}
            key = (name, frozenset(clean.items()))
            if key in samples:
                raise ValueError(f"twice: {key}")
            samples[key] = value
    return samples


def number(text):
    return float(text)  # a sample is one, in the file and in the server


def samples(url, path):
    want = {k: number(v) for k, v in read_file(path).items()}
    got = {}
    for metric, value in query(url, '{__name__=~"kvmwait_.+"}'):
        labels = {k: v for k, v in metric.items() if k not in ("__name__", "instance", "job")}
        if "le" in labels and labels["le"] != "+Inf":
            labels["le"] = f"{float(labels['le']):.9f}"  # servers write a bound in their own way
        got[metric["__name__"], frozenset(labels.items())] = number(value)
    problems = [f"not there, or another value: {k[0]} {dict(k[1])} {v!r}, not {got.get(k)!r}" for k, v in want.items() if got.get(k) != v]
    problems += [f"not in the file: {k[0]} {dict(k[1])}" for k in got if k not in want]
    print(f"{len(want)} samples")
    return problems if want else ["the file has none"]


def wait_for(url, path):
    want = {k: v for k, v in read_file(path).items() if k[0] == "kvmwait_counted_until_seconds"}
    for _ in range(100):
        have = query(url, "kvmwait_counted_until_seconds")
        if have and [number(v) for _, v in have] == [number(v) for v in want.values()]:
            return []
        time.sleep(0.2)
    return [f"the server has {have}, not {list(want.values())}"]


def try_expression(url, expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    values = [float(v) for _, v in query(url, expression)]
    problems = [] if "$" not in expression else ["a variable that nobody sets"]
    if not values:
        problems.append("no data")
    elif all(math.isnan(v) for v in values) or any(math.isinf(v) for v in values):  # nothing ended: a quantile of nothing
        problems.append(f"no number: {values}")
    return [f"{p}: {expression}" for p in problems]


def dashboard(url, path):
    with open(path, encoding="utf-8") as f:
        board = json.load(f)
    targets = [t for p in board["panels"] for t in p["targets"]]
    problems = [x for t in targets for x in try_expression(url, t["expr"])]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.+), ([a-z]+)\)", variable["query"]["query"]).groups()
            found = ask(url, f"label/{label}/values", **{"match[]": metric.replace("$instance", ".*")})
            problems += [] if found else [f"variable {variable['name']} has no value"]
    names = {v["name"] for v in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps([board["panels"], board["templating"]])))
    problems += [f"variable {v} is not declared" for v in used - names]
    cells = [(x, y) for p in board["panels"] for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
             for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]
    problems += [] if len(cells) == len(set(cells)) and all(x < 24 for x, _ in cells) else ["panels overlap"]
    problems += [] if len({p["id"] for p in board["panels"]}) == len(board["panels"]) else ["a panel's id twice"]
    print(f"{len(targets)} expressions")
    return problems if targets else ["no expression"]


def document(url, path):
    with open(path, encoding="utf-8") as f:
        blocks = re.findall(r"^```promql\n(.*?)^```", f.read(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    print(f"{len(lines)} expressions")
    return [x for line in lines for x in try_expression(url, line.split(" #")[0])] if lines else ["no expression"]


def rules(url):
    found = [r for g in ask(url, "rules")["groups"] for r in g["rules"]]
    problems = [f"{r['name']}: {r['health']} {r.get('lastError', '')}" for r in found if r["health"] != "ok"]
    for r in found:
        query(url, r["query"])
        # of an alert that does not fire the part before the threshold has data
        problems += try_expression(url, re.sub(r" (>|<|!=) [0-9.]+$", "", r["query"]))
    recorded = [r["name"] for r in found if r["type"] == "recording"]
    problems += [x for name in recorded for x in try_expression(url, f'{{__name__="{name}"}}')]
    print(f"{len(found)} rules")
    return problems if len(recorded) >= 3 and len(found) > len(recorded) else ["too few rules"]


def main():
    url, what, *rest = sys.argv[1:]
    problems = {"samples": samples, "count": wait_for, "dashboard": dashboard, "document": document,
                "rules": rules}[what](url, *rest)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


main()
