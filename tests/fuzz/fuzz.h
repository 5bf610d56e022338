// SPDX-License-Identifier: Apache-2.0
// What every fuzz target needs: one input, a property that must hold, records written as text.
#ifndef KVMWAIT_FUZZ_H
#define KVMWAIT_FUZZ_H

#include "show/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property of the code under test; where it does not hold, the input is kept as a crash. */
#define MUST(condition)                                                                                \
	do {                                                                                           \
		if (!(condition)) {                                                                    \
			fprintf(stderr, "%s:%d: this must hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                       \
		}                                                                                      \
	} while (0)

/* Takes up to n bytes off the input; returns how many. */
static inline size_t fuzz_take(const uint8_t **data, size_t *size, void *out, size_t n)
{
	if (n > *size)
		n = *size;
	if (n)
		memcpy(out, *data, n);
	*data += n;
	*size -= n;
	return n;
}

/* Text that may go to a terminal and into JSON: valid UTF-8, no control character. */
static inline void fuzz_must_be_printable(const char *text)
{
	json_t *string;

	if (!text)
		return;
	string = json_string(text);
	MUST(string);
	json_decref(string);
	for (; *text; text++)
		MUST((unsigned char)*text >= ' ' && *text != 0x7f);
}

/* A record in one of the forms; the caller frees. */
static inline char *fuzz_written(const struct record *r, const char *format, size_t *ret_size)
{
	struct stream output;
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_size);

	MUST(f);
	stream_init(&output, stream_format_find(format), f);
	output.begun = true; /* no heading */
	stream_write(&output, r);
	stream_end(&output);
	fclose(f);
	return text;
}

#endif
