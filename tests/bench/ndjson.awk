# SPDX-License-Identifier: Apache-2.0
# The wait records of 'kvmwait convert -f json', from the same lines, by mawk: no check of anything, and no order.
BEGIN {
	for (i = 0; i < 256; i++)
		byte[sprintf("%02x", i)] = i ? sprintf("%c", i) : ""
}
# Bytes of a number, the lowest first.
function bytes(hex,   text) {
	if (length(hex) % 2)
		hex = "0" hex
	for (text = ""; hex != ""; hex = substr(hex, 1, length(hex) - 2))
		text = text byte[substr(hex, length(hex) - 1)]
	return text
}
$1 == "w" {
	key = $10
	if (!(key in comm)) {
		split(key, number, /[:.]/)
		comm[key] = bytes(number[1]) bytes(number[2])
	}
	print "{\"type\":\"wait\",\"ts\":" $2 ",\"cpu\":" $3 ",\"pid\":" $4 ",\"tid\":" $5 ",\"comm\":\"" comm[key] "\",\"vm\":\"" $4 "\",\"vcpu\":" $6 ",\"event\":\"" $7 "\",\"source\":\"" $8 "\",\"target\":" $9 "}"
}
