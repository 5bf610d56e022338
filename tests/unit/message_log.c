// SPDX-License-Identifier: Apache-2.0
// Tests of helper/live/message_log.c: the last messages and the first error are quoted, and are fit for a terminal.
#include "unit.h"

#include "base/memory.h"
#include "live/message_log.h"

static void add(struct message_log *log, const char *line)
{
	message_log_add(log, line, strlen(line));
}

static void check_quote(const struct message_log *log, const char *expected)
{
	CLEANUP_FREE char *text = message_log_quote(log, "it ended");

	CHECK_STR(text, expected);
}

static void few(void)
{
	struct message_log log = { 0 };

	check_quote(&log, "it ended; it printed nothing");
	add(&log, "one");
	add(&log, "");
	check_quote(&log, "it ended; it printed:\n  one\n  ");
	message_log_done(&log);
}

static void terminal(void)
{
	struct message_log log = { 0 };

	CHECK_STR(message_log_add(&log, "a\x1b]0;x\x07\0b", 9), "a\\x1b]0;x\\x07\\x00b");
	check_quote(&log, "it ended; it printed:\n  a\\x1b]0;x\\x07\\x00b");
	message_log_done(&log);
}

/* An error that has left the ring is quoted before the last lines; one that is still in it is not quoted twice. */
static void first_error(void)
{
	struct message_log log = { 0 };
	CLEANUP_FREE char *text = NULL;

	add(&log, "begin");
	add(&log, "x: ERROR: the first");
	for (size_t i = 0; i < MESSAGE_LOG_LINES - 1; i++)
		add(&log, "ERROR: another");
	text = message_log_quote(&log, "it ended");
	CHECK(!strstr(text, "begin"));
	CHECK(strstr(text, "the first") && !strstr(text, "..."));
	add(&log, "last");
	check_quote(&log, "it ended; it printed:\n  x: ERROR: the first\n  ..."
			  "\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  ERROR: another"
			  "\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  ERROR: another\n  last");
	message_log_done(&log);
}

int main(void)
{
	static const struct unit_test tests[] = {
		{ "few messages", few },
		{ "a message is fit for a terminal", terminal },
		{ "the first error is quoted", first_error },
	};

	return unit_run(tests, ARRAY_SIZE(tests));
}
