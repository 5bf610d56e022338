// SPDX-License-Identifier: Apache-2.0
// Network addresses in a text, by their form: IPv4, IPv6, MAC, InfiniBand, EUI-64.
#include "bundle/redact_chars.h"
#include "bundle/redact_form.h"

#include <arpa/inet.h>
#include <string.h>

#define MAC_BYTES 6
#define EUI_BYTES 8
#define FINGERPRINT_BYTES 16 /* MD5, of SSH keys */
#define PAIRS_MAX 64

/* ---- hardware addresses ---- */

static size_t found(struct redact_match *m, enum redact_kind kind, const uint8_t *bytes, size_t n_bytes, size_t length)
{
	m->kind = kind;
	for (size_t i = 0; i < n_bytes; i++)
		snprintf(m->canonical + 3 * i, 4, i + 1 < n_bytes ? "%02x:" : "%02x", bytes[i]);
	return length;
}

/* ARP hardware types that stand before an address, as pxelinux and DHCP have them: Ethernet, IEEE 802, InfiniBand. */
static bool is_hardware_type(uint8_t byte)
{
	return byte == 0x01 || byte == 0x06 || byte == 0x20;
}

static bool is_mac_in_eui64(const uint8_t b[EUI_BYTES])
{
	return b[3] == 0xff && (b[4] == 0xfe || b[4] == 0xff);
}

/* An EUI-64 that was made of a MAC; IPv6 turns the bit "universal" over (RFC 4291, appendix A). */
static size_t found_eui64(struct redact_match *m, const uint8_t b[EUI_BYTES], uint8_t turned, size_t length)
{
	const uint8_t mac[MAC_BYTES] = { b[0] ^ turned, b[1], b[2], b[5], b[6], b[7] };

	return found(m, REDACT_MAC, mac, MAC_BYTES, length);
}

/* Six pairs of hex digits or more, with the same separator between them. */
static size_t pairs_length(const char *s, size_t n, struct redact_match *m)
{
	char separator = n > 2 ? s[2] : 0;
	uint8_t b[PAIRS_MAX];
	size_t count = 0, length = 0;

	if (separator != ':' && separator != '-' && separator != '_')
		return 0;
	for (size_t i = 0; i + 2 <= n && count < PAIRS_MAX && hex_digit(s[i]) >= 0 && hex_digit(s[i + 1]) >= 0; i += 3) {
		if (i + 2 < n && hex_digit(s[i + 2]) >= 0)
			break;
		b[count++] = (uint8_t)(hex_digit(s[i]) << 4 | hex_digit(s[i + 1]));
		length = i + 2;
		if (i + 2 == n || s[i + 2] != separator)
			break;
	}
	if (count < MAC_BYTES)
		return 0;
	if (count == MAC_BYTES + 1)
		return found(m, REDACT_MAC, b + is_hardware_type(b[0]), MAC_BYTES, length);
	if (count == EUI_BYTES && is_mac_in_eui64(b))
		return found_eui64(m, b, 0, length);
	return found(m, count == EUI_BYTES ? REDACT_WWN : count == FINGERPRINT_BYTES ? REDACT_KEY : REDACT_MAC, b, count, length);
}

/* Groups of up to `max` hex digits: their number, their values, how many have fewer digits, and whether one has a letter. */
struct groups {
	uint32_t values[MAC_BYTES];
	size_t n, n_short, length;
	bool letter;
};

static struct groups read_groups(const char *s, size_t n, char separator, size_t max)
{
	struct groups g = { 0 };

	for (size_t i = 0; g.n < MAC_BYTES;) {
		size_t digits = 0;
		uint32_t value = 0;

		for (; i + digits < n && digits < max && hex_digit(s[i + digits]) >= 0; digits++) {
			value = value << 4 | (uint32_t)hex_digit(s[i + digits]);
			g.letter |= !is_digit(s[i + digits]);
		}
		if (!digits)
			break;
		g.values[g.n++] = value;
		g.n_short += digits < max;
		g.length = i + digits;
		i += digits + 1;
		if (g.length >= n || s[g.length] != separator)
			break;
	}
	/* A part of something longer is none of these. */
	if (g.length < n && (is_alnum(s[g.length]) || (s[g.length] == separator && g.length + 1 < n && (s[g.length + 1] == separator || hex_digit(s[g.length + 1]) >= 0))))
		g.n = 0;
	return g;
}

/* 5254.00ab.cdef, 5254-00ab-cdef, 0:25:90:c4:5e:1f, f452:1403:002d:0d91 (a GUID), 5054:ff:feab:cdef (made of a MAC). */
static size_t groups_length(const char *s, size_t n, struct redact_match *m)
{
	struct groups dots = read_groups(s, n, '.', 4), dashes = read_groups(s, n, '-', 4);
	struct groups bytes = read_groups(s, n, ':', 2), quads = read_groups(s, n, ':', 4);
	const struct groups *three = dots.n == 3 && !dots.n_short ? &dots : dashes.n == 3 && !dashes.n_short && dashes.letter ? &dashes : NULL;
	uint8_t b[EUI_BYTES];

	for (size_t i = 0; three && i < MAC_BYTES; i++)
		b[i] = (uint8_t)(three->values[i / 2] >> (i % 2 ? 0 : 8));
	if (three)
		return found(m, REDACT_MAC, b, MAC_BYTES, three->length);
	for (size_t i = 0; i < bytes.n; i++)
		b[i] = (uint8_t)bytes.values[i];
	if (bytes.n == MAC_BYTES && bytes.letter && bytes.n_short && bytes.n_short <= 4)
		return found(m, REDACT_MAC, b, MAC_BYTES, bytes.length);
	for (size_t i = 0; i < 2 * quads.n && i < EUI_BYTES; i++)
		b[i] = (uint8_t)(quads.values[i / 2] >> (i % 2 ? 0 : 8));
	if (quads.n == 4 && is_mac_in_eui64(b))
		return found_eui64(m, b, 2, quads.length);
	return quads.n == 4 && !quads.n_short ? found(m, REDACT_WWN, b, EUI_BYTES, quads.length) : 0;
}

/* enx525400abcdef: what systemd calls an interface by its address (systemd.net-naming-scheme(7)). */
static size_t interface_length(const char *text, size_t n, size_t at, struct redact_match *m)
{
	static const char *const kinds[] = { "enx", "wlx", "wwx", "slx", "ibx" };
	uint8_t b[MAC_BYTES] = { 0 };
	size_t digits = 0;
	bool named = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds) && at >= 3; i++)
		named |= !memcmp(text + at - 3, kinds[i], 3);
	if (!named)
		return 0;
	for (; at + digits < n && digits < 2 * MAC_BYTES && hex_digit(text[at + digits]) >= 0; digits++)
		b[digits / 2] = (uint8_t)(b[digits / 2] << 4 | hex_digit(text[at + digits]));
	return digits < 2 * MAC_BYTES || (at + digits < n && is_alnum(text[at + digits])) ? 0 : found(m, REDACT_MAC, b, MAC_BYTES, digits);
}

/* ---- IP ---- */

static size_t ipv4_length(const char *s, size_t n, char before, char before_that, struct redact_match *m)
{
	uint8_t ip[4];
	size_t used = 0;
	char separator = 0;

	for (size_t i = 0; i < 4; i++) {
		unsigned int value = 0;
		size_t digits = 0;

		if (i && (used >= n || s[used] != (separator ? separator : (separator = s[used]))))
			return 0;
		used += i != 0;
		for (; used < n && is_digit(s[used]) && digits < 3; digits++)
			value = value * 10 + (unsigned int)(s[used++] - '0');
		if (!digits || value > 255)
			return 0;
		ip[i] = (uint8_t)value;
	}
	if (separator != '.' && separator != '-')
		return 0;
	/* A port may follow an address behind a dot; numbers with dashes are an address if they are four. */
	if (used < n && (is_alnum(s[used]) || (separator == '-' && s[used] == '-' && used + 1 < n && is_digit(s[used + 1]))))
		return 0;
	if (separator == '-' && before == '-' && is_digit(before_that))
		return 0;
	m->kind = REDACT_IP;
	inet_ntop(AF_INET, ip, m->canonical, sizeof(m->canonical));
	return used;
}

/* The longest that inet_pton() takes, with two colons at least; "::" alone is none: C++ has it everywhere. */
static size_t ipv6_length(const char *s, size_t n, struct redact_match *m)
{
	char text[INET6_ADDRSTRLEN];
	size_t longest = 0, colons = 0;
	struct in6_addr ip;

	while (longest < n && longest < sizeof(text) - 1 && (hex_digit(s[longest]) >= 0 || s[longest] == ':' || s[longest] == '.'))
		colons += s[longest++] == ':';
	if (colons < 2)
		return 0;
	for (size_t length = longest; length > 2; length--) {
		if (length < n && (is_alnum(s[length]) || s[length] == ':') && !(s[length] == ':' && s[length - 1] != ':'))
			continue;
		memcpy(text, s, length);
		text[length] = '\0';
		if (inet_pton(AF_INET6, text, &ip) != 1)
			continue;
		m->kind = REDACT_IP;
		inet_ntop(AF_INET6, &ip, m->canonical, sizeof(m->canonical));
		return length;
	}
	return 0;
}

/* "ip-1::3260" is a token with a port, and not the address 1::3260. */
static bool is_in_token(const struct redact_forms *f, const char *text, size_t n, size_t at)
{
	size_t start = at;

	if (at < 2 || text[at - 1] != '-')
		return false;
	for (start = at - 1; start && lower(text[start - 1]) >= 'a' && lower(text[start - 1]) <= 'z';)
		start--;
	return redact_token_length(f, text + start, n - start) > at - start;
}

bool redact_address_at(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *ret)
{
	char before = at ? text[at - 1] : ' ', before_that = at > 1 ? text[at - 2] : ' ';
	const char *s = text + at;
	struct redact_match m = { .start = at }, longer = { .start = at };

	if (hex_digit(*s) < 0 && *s != ':')
		return false;
	if (is_alnum(before)) {
		m.n = before == 'x' ? interface_length(text, n, at, &m) : 0;
	} else {
		m.n = pairs_length(s, n - at, &m);
		if (!m.n)
			m.n = groups_length(s, n - at, &m);
		/* Six pairs may be the beginning of an IPv6 address. */
		if ((!m.n || (m.n + 1 < n - at && s[m.n] == ':' && s[m.n + 1] == ':')) && !is_in_token(f, text, n, at))
			longer.n = ipv6_length(s, n - at, &longer);
		if (longer.n > m.n)
			m = longer;
		if (!m.n && is_digit(*s))
			m.n = ipv4_length(s, n - at, before, before_that, &m);
	}
	if (m.n)
		*ret = m;
	return m.n;
}
