# SPDX-License-Identifier: Apache-2.0
# The wait records of 'kvmwait convert -f json', from the same lines, by mawk: no check of anything, and no order.
BEGIN {
	for (i = 0; i < 256; i++)
		byte[sprintf("%02x", i)] = i ? sprintf("%c", i) : ""
}
$1 == "w" {
	key = substr($0, length($0) - 46)
	if (!(key in comm)) {
		text = ""
		for (i = 10; i <= 25; i++)
			text = text byte[$i]
		comm[key] = text
	}
	print "{\"type\":\"wait\",\"ts\":" $2 ",\"cpu\":" $3 ",\"pid\":" $4 ",\"tid\":" $5 ",\"comm\":\"" comm[key] "\",\"vm\":\"" $4 "\",\"vcpu\":" $6 ",\"event\":\"" $7 "\",\"source\":\"" $8 "\",\"target\":" $9 "}"
}
