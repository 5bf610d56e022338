// SPDX-License-Identifier: Apache-2.0
// Identifiers of machines and storage in a text: UUIDs, WWNs, iSCSI names, NQNs, serial numbers, SSH keys.
#include "bundle/redact_chars.h"
#include "bundle/redact_form.h"

#include <string.h>

#define UUID_DIGITS 32
#define WWN_DIGITS 16
#define CONTEXT_BYTES 20 /* how far before a number the word may begin that says what it is */
#define FINGERPRINT_LETTERS 43 /* of 32 bytes in base64 */
#define SERIAL_BYTES 4	 /* fewer are a number like any other */

static bool is_text(const char *s, size_t n, const char *word)
{
	size_t i = 0;

	while (i < n && word[i] && lower(s[i]) == word[i])
		i++;
	return !word[i];
}

static size_t hex_span(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && hex_digit(s[i]) >= 0)
		i++;
	return i;
}

/* %3A, \x2d, \u002d: one character of a name, whatever it stands for. */
static size_t escape_length(const char *s, size_t n)
{
	size_t head = *s == '%' ? 1 : *s == '\\' && n > 1 && (s[1] == 'x' || s[1] == 'u') ? 2 : 0;
	size_t digits = head == 2 && s[1] == 'u' ? 4 : 2;

	return head && n >= head + digits && hex_span(s + head, digits) == digits ? head + digits : 0;
}

/* The length of a name of letters, digits, `others` and escapes, without what ends a sentence. */
static size_t name_span(const char *s, size_t n, const char *others)
{
	size_t i = 0, step;

	while (i < n && (step = is_alnum(s[i]) || (s[i] && strchr(others, s[i])) ? 1 : escape_length(s + i, n - i)))
		i += step;
	while (i && strchr(".:-_", s[i - 1]))
		i--;
	return i;
}

/* The same in lower case and without what separates digits is the same. */
static bool take(struct redact_match *m, enum redact_kind kind, size_t start, const char *text, size_t length, bool digits_only)
{
	size_t n = 0;

	*m = (struct redact_match){ .start = start, .n = length, .kind = kind };
	for (size_t i = 0; i < length && n < sizeof(m->canonical) - 1; i++)
		if (!digits_only || hex_digit(text[start + i]) >= 0)
			m->canonical[n++] = digits_only ? lower(text[start + i]) : text[start + i];
	return length;
}

/* ---- UUIDs ---- */

/* Groups of hex digits, or of letters and digits, of these sizes (0 ends them). */
static bool is_groups(const char *s, size_t n, const uint8_t *sizes, char separator, bool hex)
{
	for (; *sizes; sizes++) {
		size_t size = *sizes;

		if (n < size)
			return false;
		for (size_t i = 0; i < size; i++)
			if (hex ? hex_digit(s[i]) < 0 : !is_alnum(s[i]))
				return false;
		s += size;
		n -= size;
		if (sizes[1] && (!n || *s != separator))
			return false;
		s += sizes[1] != 0;
		n -= sizes[1] != 0;
	}
	return true;
}

static bool is_one_digit(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] == s[0] || hex_digit(s[i]) < 0))
		i++;
	return i == n;
}

/* 8-4-4-4-12 digits as everywhere, 8:8:8:8 of mdadm, 6-4-4-4-4-4-6 letters of LVM, or 32 digits (machine-id). */
static bool find_uuid(const char *text, size_t n, size_t at, char before, struct redact_match *m)
{
	static const uint8_t common[] = { 8, 4, 4, 4, 12, 0 }, md[] = { 8, 8, 8, 8, 0 }, lvm[] = { 6, 4, 4, 4, 4, 4, 6, 0 };
	const char *s = text + at;
	size_t left = n - at, digits;

	if (left > 8 && (s[8] == '-' || s[8] == '_') && is_groups(s, left, common, s[8], true))
		return !is_one_digit(s, 36) && take(m, REDACT_UUID, at, text, 36, true);
	if (is_alnum(before))
		return false;
	if (left > 8 && s[8] == ':' && is_groups(s, left, md, ':', true) && (left == 35 || !is_alnum(s[35])))
		return take(m, REDACT_UUID, at, text, 35, true);
	if (left > 6 && s[6] == '-' && is_groups(s, left, lvm, '-', false) && (left == 38 || !is_alnum(s[38])))
		return take(m, REDACT_UUID, at, text, 38, false);
	digits = hex_span(s, left < UUID_DIGITS + 1 ? left : UUID_DIGITS + 1);
	if (digits != UUID_DIGITS || (left > digits && is_alnum(s[digits])))
		return false;
	for (size_t i = 0; i < digits; i++)
		if (is_digit(s[i]) != is_digit(s[0])) /* digits and letters: no number */
			return take(m, REDACT_UUID, at, text, digits, true);
	return false;
}

/* ---- WWNs ---- */

static const char *const contexts[] = { "serial", "sn", "wwn", "wwpn", "wwnn", "wwid", "port_name", "node_name", "nguid", "eui64", "guid" };

bool redact_is_context(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < sizeof(contexts) / sizeof(*contexts); i++)
		if (is_text(word, n, contexts[i]) || (n > strlen(contexts[i]) && is_text(word + n - strlen(contexts[i]), n, contexts[i])))
			return true;
	return false;
}

/* Does the line name a WWN just before? */
static bool is_after_context(const char *text, size_t at)
{
	static const char *const words[] = { "wwn", "wwpn", "wwnn", "wwid", "port_name", "node_name", "guid", "eui64", "scsi-", "mpath-", "nn-", "pn-" };
	size_t from = at > CONTEXT_BYTES ? at - CONTEXT_BYTES : 0;

	for (size_t i = at; i-- > from && text[i] != '\n';)
		for (size_t j = 0; j < sizeof(words) / sizeof(*words); j++)
			if (is_text(text + i, at - i, words[j]))
				return true;
	return false;
}

/*
 * 16 or 32 digits behind naa. or eui., behind a word that says so (also with the 3 that multipath puts before them), or
 * behind 0x, if they begin as a WWN does: formats 1, 2 and 5 of NAA (FC-FS-3, 15). No address of x86 or arm64 does.
 */
static bool find_wwn(const char *text, size_t n, size_t at, struct redact_match *m)
{
	const char *s = text + at;
	size_t left = n - at, head = is_text(s, left, "naa.") || is_text(s, left, "eui.") ? 4 : is_text(s, left, "0x") ? 2 : 0;
	size_t digits = hex_span(s + head, left - head), whole = digits;
	bool named = head == 4;

	if (head + digits < n - at && is_alnum(s[head + digits]))
		return false;
	if (head != 4 && (digits == WWN_DIGITS + 1 || digits == UUID_DIGITS + 1) && s[head] == '3') {
		head++;
		digits--;
	}
	if (digits != WWN_DIGITS && digits != UUID_DIGITS)
		return false;
	if (!named && whole == WWN_DIGITS && head == 2 && (is_text(s + 2, left, "1000") || s[2] == '2' || s[2] == '5'))
		named = !is_one_digit(s + 2 + 8, 8) || s[2 + 8] != '0'; /* rather a mask */
	if ((!named && !is_after_context(text, at)) || is_one_digit(s + head, digits))
		return false;
	take(m, REDACT_WWN, at + head, text, digits, true);
	/* One token for all notations: as pairs, which is what redact_address.c has. */
	for (size_t i = digits; digits == WWN_DIGITS && i--;) {
		m->canonical[i + i / 2] = m->canonical[i];
		if (i % 2 && i + 1 < digits)
			m->canonical[i + i / 2 + 1] = ':';
	}
	m->start = at;
	m->n = whole + (size_t)(head == 4 ? 4 : is_text(s, left, "0x") ? 2 : 0);
	return true;
}

/* ---- names of storage ---- */

/* iqn.2001-04.com.example:disk1 (RFC 3720, 3.2.6.3); nqn.2014-08.org.nvmexpress:uuid:..., of some disks with nqn.2014.08. */
static bool find_qualified(const char *text, size_t n, size_t at, struct redact_match *m)
{
	const char *s = text + at;
	bool iscsi = is_text(s, n - at, "iqn."), nvme = is_text(s, n - at, "nqn.");
	size_t length;

	if ((!iscsi && !nvme) || n - at < 13 || !is_digit(s[4]) || !is_digit(s[7]) || (s[8] != '-' && s[8] != '.') || !is_digit(s[9]) || s[11] != '.')
		return false;
	length = name_span(s, n - at, ".:-_@+~");
	/* /dev/disk/by-path has the number of the unit behind the name. */
	for (size_t i = 12; iscsi && i + 5 < length; i++)
		if (is_text(s + i, length - i, "-lun-"))
			length = i;
	take(m, iscsi ? REDACT_ISCSI : REDACT_NQN, at, text, length, false);
	for (char *p = m->canonical; *p; p++)
		*p = lower(*p);
	return true;
}

/* ---- serial numbers ---- */

static bool take_serial(const struct redact_forms *f, const char *text, size_t n, size_t start, size_t length, struct redact_match *m)
{
	bool digit = false;

	for (size_t i = 0; i < length; i++)
		digit |= is_digit(text[start + i]);
	if (length < SERIAL_BYTES || !digit || redact_token_length(f, text + start, n - start))
		return false;
	return take(m, REDACT_SERIAL, start, text, length, false);
}

/* "serial=X", "Serial Number: X", "ID_SERIAL_SHORT=X", "sn: X". */
static bool find_named_serial(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *m)
{
	static const char *const words[] = { "serial", "sn", "s/n", "asset_tag", "asset tag" };
	static const char *const rests[] = { "_number", " number", "-number", "number", "_short", " no.", " no", "_no", "no", "_id", "#" };
	size_t i = at;

	for (size_t j = 0; j < sizeof(words) / sizeof(*words) && i == at; j++)
		if (is_text(text + at, n - at, words[j]))
			i += strlen(words[j]);
	if (i == at)
		return false;
	for (size_t j = 0; j < sizeof(rests) / sizeof(*rests); j++) {
		if (is_text(text + i, n - i, rests[j])) {
			i += strlen(rests[j]);
			break;
		}
	}
	while (i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '"' || text[i] == '\''))
		i++;
	if (i == n || (text[i] != ':' && text[i] != '='))
		return false;
	for (i++; i < n && (text[i] == ' ' || text[i] == '\t' || text[i] == '"' || text[i] == '\'');)
		i++;
	if (i < n) {
		size_t length = name_span(text + i, n - i, "._/+-");

		/* A USB controller has its PCI address there; "Serial: 8250/16550 driver" is a UART. */
		if ((i + length < n && text[i + length] == ':' && i + length + 1 < n && is_digit(text[i + length + 1])) || is_text(text + i, n - i, "8250"))
			return false;
		return take_serial(f, text, n, i, length, m);
	}
	return false;
}

/* Names that udev and the kernel make of vendor, model and serial number. */
static bool find_disk_id(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *m)
{
	static const char *const others[] = { "wwn-", "dm-", "lvm-", "md-" };
	const char *s = text + at;
	size_t left = n - at, head = is_text(s, left, "by-id/") ? 6 : is_text(s, left, "t10.") ? 4 : 0, length;

	if (!head && left > 10 && is_text(s, left, "nvme.") && hex_span(s + 5, 4) == 4 && s[9] == '-')
		head = 5;
	if (!head)
		return false;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (is_text(s + head, left - head, others[i]))
			return false;
	length = name_span(s + head, left - head, "._:+@=-");
	for (size_t i = 0; i + 5 < length; i++)
		if (is_text(s + head + i, length - i, "-part"))
			length = i;
	return take_serial(f, text, n, at + head, length, m);
}

/* ---- SSH keys ---- */

static size_t base64_span(const char *s, size_t n)
{
	size_t i = 0, step;

	while (i < n && (step = is_alnum(s[i]) || s[i] == '+' || s[i] == '/' || s[i] == '=' ? 1 : escape_length(s + i, n - i)))
		i += step;
	return i;
}

/* A public key begins with the length and the name of its kind (RFC 4253, 6.6); a fingerprint is SHA256:... */
static bool find_key(const char *text, size_t n, size_t at, struct redact_match *m)
{
	static const char *const heads[] = { "AAAAB3NzaC1", "AAAAC3NzaC1", "AAAAE2VjZHNh", "AAAAGnNrLX", "AAAAInNrLW" };
	const char *s = text + at;
	size_t left = n - at;

	if (*s == 'S' && left >= 50 && !memcmp(s, "SHA256:", 7)) {
		size_t length = base64_span(s + 7, left - 7);

		/* 64 hex digits are the hash of a file. */
		return length >= FINGERPRINT_LETTERS && hex_span(s + 7, left - 7) < FINGERPRINT_LETTERS &&
		       take(m, REDACT_KEY, at + 7, text, FINGERPRINT_LETTERS, false);
	}
	for (size_t i = 0; *s == 'A' && i < sizeof(heads) / sizeof(*heads); i++)
		if (left > strlen(heads[i]) && !memcmp(s, heads[i], strlen(heads[i])))
			return take(m, REDACT_KEY, at, text, base64_span(s, left), false);
	return false;
}

bool redact_identifier_at(const struct redact_forms *f, const char *text, size_t n, size_t at, struct redact_match *ret)
{
	char before = at ? text[at - 1] : ' ', c = lower(text[at]);

	if (hex_digit(c) >= 0 && find_uuid(text, n, at, before, ret))
		return true;
	if (c == 'a' && find_key(text, n, at, ret))
		return true;
	if (!is_alnum(c) || is_alnum(before))
		return false;
	if (hex_digit(c) < 0 && find_uuid(text, n, at, before, ret)) /* LVM's have all letters */
		return true;
	if ((hex_digit(c) >= 0 || c == 'n' || c == 'e') && find_wwn(text, n, at, ret))
		return true;
	if ((c == 'i' || c == 'n') && find_qualified(text, n, at, ret))
		return true;
	if ((c == 's' || c == 'a') && (find_key(text, n, at, ret) || find_named_serial(f, text, n, at, ret)))
		return true;
	return (c == 'b' || c == 't' || c == 'n') && find_disk_id(f, text, n, at, ret);
}
