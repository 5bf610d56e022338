# SPDX-License-Identifier: Apache-2.0
# Makes kvmwait-rules(7) of share/why.list; 'make rules-page' writes it, and tests/doc/run compares.

function text(s) {
	gsub(/\\/, "\\\\&", s)
	gsub(/-/, "\\-", s)
	gsub(/'/, "\\(aq", s)
	return s
}

BEGIN {
	print ".\\\" SPDX-License-Identifier: Apache-2.0"
	print ".\\\" Made of share/why.list by tests/doc/rules.awk."
	print ".Dd November 28, 2026\n.Dt KVMWAIT-RULES 7\n.Os kvmwait"
	print ".Sh NAME\n.Nm kvmwait-rules\n.Nd the rules of kvmwait why"
	print ".Sh DESCRIPTION"
	print "Each rule of\n.Xr kvmwait-why 1\nis a condition over fields of the records\n.Cm stat , blame\nand\n.Cm end\nof\n.Xr kvmwait-schema 7 ."
	print "The threshold of a rule is a share of time;\n.Fl Fl threshold\nreplaces it."
	print "Words in braces are replaced by values.\n.Bl -tag -width Ds"
}

/^#/ || !NF { next }

function rule() {
	if (!name)
		return
	print ".It Cm " name "\n.Qq " value["say"] "."
	print ".Pp\nNext: " value["next"] "." (value["see"] ? "\nSee " value["see"] "." : "")
	print ".Pp\nScope: " value["scope"] "."
	if (value["needs"])
		print "Needs: " value["needs"] "."
	if (value["when"])
		print "When: " value["when"] "."
	print "Threshold: " value["threshold"] "; " value["source"] "."
	delete value
}

{
	key = substr($1, 1, length($1) - 1)
	line = $0
	sub(/^[a-z]+: */, "", line)
	if (key == "rule") {
		rule()
		name = text(line)
	} else
		value[key] = text(line)
}

END {
	rule()
	print ".El\n.Sh SEE ALSO\n.Xr kvmwait-why 1 ,\n.Xr kvmwait-schema 7"
}
