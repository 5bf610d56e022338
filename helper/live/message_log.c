// SPDX-License-Identifier: Apache-2.0
// The last messages of bpftrace and its first error, to be quoted when a trace does not start.
#include "live/message_log.h"

#include "base/clean_text.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ERROR_MARK "ERROR: "

const char *message_log_add(struct message_log *log, const char *line, size_t n)
{
	char **slot = &log->lines[log->n % MESSAGE_LOG_LINES];

	/* bpftrace may quote what a guest or another user wrote, and a terminal obeys escape sequences. */
	free(*slot);
	*slot = xcalloc(n, 4 + 1);
	text_clean(line, n, *slot);
	if (!log->error && strstr(*slot, ERROR_MARK)) {
		log->error = xstrdup(*slot);
		log->error_at = log->n;
	}
	log->n++;
	return *slot;
}

char *message_log_quote(const struct message_log *log, const char *what)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	size_t first = log->n > MESSAGE_LOG_LINES ? log->n - MESSAGE_LOG_LINES : 0;

	if (!f)
		abort();
	fprintf(f, "%s%s", what, log->n ? "; it printed:" : "; it printed nothing");
	if (log->error && log->error_at < first)
		fprintf(f, "\n  %s\n  ...", log->error);
	for (size_t i = first; i < log->n; i++)
		fprintf(f, "\n  %s", log->lines[i % MESSAGE_LOG_LINES]);
	fclose(f);
	return text;
}

void message_log_done(struct message_log *log)
{
	for (size_t i = 0; i < MESSAGE_LOG_LINES; i++)
		free(log->lines[i]);
	free(log->error);
}
