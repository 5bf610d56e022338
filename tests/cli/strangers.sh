# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Names that strangers chose, through every command and form; a part of tests/cli/run, in the room of faults.sh.
# shellcheck disable=SC2154 # top, kvmwait and the room are those of tests/cli/run

python3 "$here/strangers.py" make "$room"
for what in trace stat blame; do
	# the time of the two snapshots is that of the clock
	stand_in strangers-$what <<-SH
		now=\$(cut -d. -f1 /real/uptime)
		attach
		sed "s/^maps before/maps \${now}000000000/; s/^maps after/maps \$((now + 1))000000000/" /tmp/$what
		wait_for_end
		cat /tmp/$what.end
	SH
done
# forms_of COMMAND FORM OPTION...: exit 0, and the file is as strangers.py has it.
forms_of() {
	local command=$1 form=$2 code=0 check=$2
	shift 2
	[ "$command" = trace ] || check=$command-$form
	(within=(timeout -s KILL 60); in_room "$kvmwait" "$command" --bpftrace "/strangers-$command" -d 0.05 -f "$form" "$@") >"strange.$check" 2>strange.said </dev/null || code=$?
	[ "$code" = 0 ] || { echo "exit $code"; cat -v strange.said; return 1; }
	python3 "$here/strangers.py" check "$check" "strange.$check"
}
test_that 'names of strangers: trace --outcome -f json' forms_of trace json --outcome
for form in table csv ftrace; do test_that "names of strangers: trace -f $form" forms_of trace $form --outcome; done
for form in table json csv openmetrics prometheus; do test_that "names of strangers: stat -f $form" forms_of stat $form; done
for form in table json; do test_that "names of strangers: blame -f $form" forms_of blame $form; done
cp strange.json strangers.ndjson
converted() { "$kvmwait" convert -f "$1" strangers.ndjson >"strange.$1" && python3 "$here/strangers.py" check "$1" "strange.$1"; }
for form in table json csv ftrace; do test_that "names of strangers: convert -f $form" converted $form; done
test_that 'names of strangers: the records fit the JSON Schema' bash -c '"$kvmwait" trace --schema | jq "{\"\$schema\": .\"\$schema\", type: \"array\", items: del(.\"\$schema\")}" >schema.json && jq -s . strangers.ndjson >array.json && /usr/bin/jsonschema -i array.json schema.json'
nothing_ran() { ! find "$room" "$work" -maxdepth 2 -name owned | grep .; }
test_that 'names of strangers: nothing of them was run' nothing_ran
