// SPDX-License-Identifier: Apache-2.0
// Where clauses of scripts and parts begin and what they hold; kvmwait-scripts(5) has their form.
#include "plan/clause.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define CAPITALS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

size_t clause_line_length(const char *p)
{
	size_t n = strcspn(p, "\n");

	return n + (p[n] == '\n');
}

size_t clause_find(const char *text, const char *name, const char **ret_body)
{
	CLEANUP_FREE char *head = xasprintf("\n%s\n{\n", name);
	const char *found = strstr(text, head), *end;

	if (!found)
		return 0;
	*ret_body = found + strlen(head);
	end = strstr(*ret_body, "\n}\n");
	return end ? (size_t)(end + 1 - *ret_body) : 0;
}

size_t clause_of_line(const char *text, const char *line, size_t n, const char **ret_body)
{
	size_t indent = strspn(line, "\t"), length = strspn(line + indent, CAPITALS);
	CLEANUP_FREE char *name = xstrndup(line + indent, length);

	return length && indent + length + 1 == n ? clause_find(text, name, ret_body) : 0;
}

bool clause_begins(const char *p)
{
	return starts_with(p, "kprobe:") || starts_with(p, "kretprobe:") || starts_with(p, "tracepoint:") || starts_with(p, "interval:");
}

bool clause_begins_named(const char *p)
{
	size_t n = strspn(p, CAPITALS);

	return n && starts_with(p + n, "\n{\n");
}
