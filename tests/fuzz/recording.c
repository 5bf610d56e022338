// SPDX-License-Identifier: Apache-2.0
// A whole recording of a stranger's, plain or compressed: reading comes to an end, every byte of the file is read, and a
// report of it has no more in its rows than there were records. The first byte chooses intervals.
#include "fuzz.h"

#include "ledger/account.h"
#include "show/counts_show.h"
#include "record/recording_read.h"

#include <sys/mman.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

/* Writes the rows in every form. */
static void write_rows(struct account *report, struct counts_rows *rows, FILE *f)
{
	struct counts_report r = {
		.origin = account_origin(report),
		.rows = rows,
		.by = COUNTS_BY_VM | COUNTS_BY_VCPU,
		.recorded = true,
		.hist = true,
		.no_outcomes = !account_has_outcomes(report),
		.has_account = account_has_times(report),
		.host = "h",
		.file = "f",
		.labels = vm_labels_new(),
	};

	MUST(rows->until_ns >= rows->from_ns);
	for (const struct counts_format *format = counts_formats; format->name; format++)
		if (!format->counters)
			format->write(f, &r);
	vm_labels_free(r.labels);
}

/* Of one record after the other; how many waits the rows of intervals had. */
static uint64_t take_all(struct recording *recording, struct account *report, FILE *f)
{
	uint64_t waits = 0, n = 0;
	struct counts_rows rows;
	struct record record;
	size_t intervals = 0;
	int more;

	while ((more = recording_next(recording, &record)) > 0) {
		while (account_interval(report, &record, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows)) {
			for (size_t i = 0; i < rows.n; i++)
				waits += rows.items[i].waits;
			if (intervals++ < 16)
				write_rows(report, &rows, f);
			counts_rows_done(&rows);
		}
		account_take(report, &record);
		n++;
	}
	MUST(!more);
	MUST(n == recording_state(recording)->records);
	while (account_last_interval(report, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows)) {
		for (size_t i = 0; i < rows.n; i++)
			waits += rows.items[i].waits;
		counts_rows_done(&rows);
	}
	return waits;
}

static void report_on(struct recording *recording, uint8_t choice)
{
	struct account_settings settings = { .interval_ns = choice & 1 ? 100 * MS << (choice >> 4) : 0, .from_ns = choice & 2 ? 5 * MS : 0,
					    .to_ns = choice & 4 ? 500 * MS : 0 };
	struct account *report = account_new(&settings);
	const struct recording_state *state = recording_state(recording);
	const struct account_balance *b = account_balance(report);
	uint64_t waits, of_intervals;
	struct counts_rows rows;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	MUST(f);
	of_intervals = take_all(recording, report, f);
	account_total(report, COUNTS_BY_VM | COUNTS_BY_VCPU, &rows);
	waits = 0;
	for (size_t i = 0; i < rows.n; i++)
		waits += rows.items[i].waits;
	MUST(waits + account_overflow(report) <= b->waits && of_intervals <= waits);
	MUST(b->waits + b->outcomes + b->unseen <= state->records);
	write_rows(report, &rows, f);
	counts_rows_done(&rows);
	fclose(f);
	for (char *p = text; (p = strchr(p, '\n')); p++)
		*p = ' ';
	fuzz_must_be_printable(text);
	fuzz_must_be_printable(account_origin(report)->host);
	fuzz_must_be_printable(account_why(report));
	fuzz_must_be_printable(state->first_error);
	MUST(state->input->read_bytes == state->input->size_bytes);
	MUST(!state->malformed == !state->first_error);
	free(text);
	account_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	struct recording *recording;
	uint8_t choice = 0;
	char path[64];

	fuzz_take(&data, &size, &choice, 1);
	MUST(fd >= 0);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, data + done, size - done);

		MUST(n > 0);
		done += (size_t)n;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	MUST(!recording_open(path, NULL, &recording));
	report_on(recording, choice);
	recording_close(recording);
	close(fd);
	return 0;
}
