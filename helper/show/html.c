// SPDX-License-Identifier: Apache-2.0
// Writes pieces of HTML.
#include "show/html.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/memory.h"
#include "ledger/counts.h"

#include <inttypes.h>
#include <sha256.h>
#include <stdlib.h>
#include <string.h>

/* The build runs at the top of the tree, and so do the checks of the sources. */
#define EMBED(name, path)                                                                                                        \
	__asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"" path "\"\n.byte 0\n.popsection\n")
EMBED(html_style, "share/report/style.css");
EMBED(html_program, "share/report/page.js");

/* ---- text ---- */

void html_text(FILE *f, const char *clean)
{
	for (const char *s = clean; *s; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			putc(*s, f);
			break;
		}
	}
}

void html_foreign(FILE *f, const char *text)
{
	CLEANUP_FREE char *clean = text_cleaned(text);

	html_text(f, clean);
}

void html_recleaned(FILE *f, const char *text)
{
	CLEANUP_FREE char *clean = text_recleaned(text);

	html_text(f, clean);
}

/* "</script" and "<!--" would end or change the element that it stands in. No control character is left in the text. */
static void put_json(FILE *f, const char *clean)
{
	putc('"', f);
	for (const char *s = clean; *s; s++) {
		if (strchr("<>&'", *s))
			fprintf(f, "\\u%04x", (unsigned char)*s);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else
			putc(*s, f);
	}
	putc('"', f);
}

void html_json_recleaned(FILE *f, const char *text)
{
	CLEANUP_FREE char *clean = text_recleaned(text);

	put_json(f, clean);
}

/* ---- numbers ---- */

static void put_parts(FILE *f, uint64_t value, uint64_t unit, const char *name)
{
	uint64_t whole = value / unit;

	if (whole >= 100)
		fprintf(f, "%" PRIu64 " %s", whole, name);
	else if (whole >= 10)
		fprintf(f, "%" PRIu64 ".%" PRIu64 " %s", whole, value % unit / (unit / 10), name);
	else
		fprintf(f, "%" PRIu64 ".%02" PRIu64 " %s", whole, value % unit / (unit / 100), name);
}

void html_duration_text(FILE *f, uint64_t ns)
{
	uint64_t s = ns / NS_PER_S;

	if (ns < 1000)
		fprintf(f, "%" PRIu64 " ns", ns);
	else if (ns < NS_PER_MS)
		put_parts(f, ns, 1000, "µs");
	else if (ns < NS_PER_S)
		put_parts(f, ns, NS_PER_MS, "ms");
	else if (s < 120)
		put_parts(f, ns, NS_PER_S, "s");
	else if (s < 7200)
		fprintf(f, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
	else
		fprintf(f, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
}

void html_duration(FILE *f, uint64_t ns)
{
	fprintf(f, "<data value=%" PRIu64 ">", ns);
	html_duration_text(f, ns);
	fputs("</data>", f);
}

void html_count_cell(FILE *f, uint64_t n)
{
	fprintf(f, n ? "<td>%" PRIu64 "</td>" : "<td class=z>0</td>", n);
}

void html_duration_cell(FILE *f, uint64_t ns)
{
	if (!ns) {
		html_count_cell(f, 0);
		return;
	}
	fputs("<td>", f);
	html_duration(f, ns);
	fputs("</td>", f);
}

/* ---- bars ---- */

void html_bar(FILE *f, const struct html_part *parts, size_t n, uint64_t whole)
{
	unsigned int at = 0;

	fputs("<svg class=bar aria-hidden=true>", f);
	for (size_t i = 0; i < n; i++) {
		unsigned int width = counts_permille(parts[i].size, whole);

		if (!parts[i].size)
			continue;
		width = width ? width : 1; /* what there is can be seen */
		width = at + width > 1000 ? 1000 - at : width;
		fprintf(f, "<rect class=%s x=%u.%u%% width=%u.%u%% />", parts[i].class, at / 10, at % 10, width / 10, width % 10);
		at += width;
	}
	fputs("</svg>", f);
}

/* ---- data of pictures ---- */

void html_shares(FILE *f, const uint64_t *ns, size_t n_bins, uint64_t whole_ns)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	putc('"', f);
	for (size_t i = 0; i < n_bins; i++) {
		unsigned int share = ns[i] >= whole_ns ? 4095 : (unsigned int)((unsigned __int128)ns[i] * 4095 / whole_ns);

		share = ns[i] && !share ? 1 : share;
		putc(digits[share >> 6], f);
		putc(digits[share & 63], f);
	}
	putc('"', f);
}

/* ---- Content-Security-Policy ---- */

char *html_csp_hash(const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t hash[SHA256_DIGEST_LENGTH + 1] = { 0 }; /* 33 bytes are 44 digits, of which the last stands for nothing */
	char base64[45];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)text, strlen(text));
	SHA256Final(hash, &context);
	for (size_t i = 0; i < 11; i++) {
		uint32_t three = (uint32_t)hash[3 * i] << 16 | (uint32_t)hash[3 * i + 1] << 8 | hash[3 * i + 2];

		for (size_t j = 0; j < 4; j++)
			base64[4 * i + j] = digits[three >> (18 - 6 * j) & 63];
	}
	base64[43] = '=';
	base64[44] = '\0';
	return xasprintf("sha256-%s", base64);
}
