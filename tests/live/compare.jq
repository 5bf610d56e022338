# SPDX-License-Identifier: Apache-2.0
# What the guest says it did beside what the trace says it saw, by (pid, tid, vcpu, event, source, target).
#   jq -n -r -f compare.jq --slurpfile guest GUEST.json --slurpfile trace TRACE.ndjson
# Prints a line for each key that is not equal, and a last line "equal N keys M events" or "DIFFERENT ...".
# Keys are text: jq's own numbers are doubles, and targets go to 2^63 (so targets are compared as jq keeps
# the literal text; see -n and tojson below).
def key: [.pid, .tid, .vcpu, .event, .source, (.target | tojson)] | join(" ");
($guest[0].did | map(select(.count != null)) | group_by(key) | map({(.[0] | key): (map(.count) | add)}) | add // {}) as $did
| ($trace | map(select(.type == "wait")) | group_by(key) | map({(.[0] | key): length}) | add // {}) as $seen
| ($guest[0].did | map(select(.count == null) | key)) as $unknown
| ([$did, $seen] | map(keys) | add | unique | map(select(. as $k | $unknown | index($k) | not))) as $keys
| ($keys | map(select($did[.] != $seen[.]))) as $off
| ($off[] | "\(.): guest did \($did[.] // 0), seen \($seen[.] // 0)"),
  (if ($off | length) == 0 and ($keys | length) > 0 then "equal \($keys | length) keys \($did | add) events"
   else "DIFFERENT \($off | length) of \($keys | length) keys" end)
