// SPDX-License-Identifier: Apache-2.0
// The last messages of bpftrace and its first error, to be quoted when a trace does not start.
#ifndef KVMWAIT_LIVE_MESSAGE_LOG_H
#define KVMWAIT_LIVE_MESSAGE_LOG_H

#include <stddef.h>

#define MESSAGE_LOG_LINES 12u

struct message_log {
	char *lines[MESSAGE_LOG_LINES]; /* a ring */
	size_t n;			/* all that were added */
	char *error;			/* the first line that is an error, */
	size_t error_at;		/* and its number */
};

/* {0} is an empty log. Adds a line, cleaned by text_clean(); borrowed until as many others have been added. */
const char *message_log_add(struct message_log *log, const char *line, size_t n);
/* A text that begins with `what` and quotes the log, the first error included; the caller frees. */
char *message_log_quote(const struct message_log *log, const char *what);
void message_log_done(struct message_log *log);

#endif
