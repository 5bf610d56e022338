// SPDX-License-Identifier: Apache-2.0
// Reads csv as kvmwait writes it: the waits, each as a record of NDJSON.
#ifndef KVMWAIT_RECORD_CSV_READ_H
#define KVMWAIT_RECORD_CSV_READ_H

#include <stdbool.h>
#include <stddef.h>

/* Is the line the heading? */
bool csv_is_heading(const char *line, size_t n);
/* The line as a JSON object, which is still to be checked. NULL: it has not the cells of a wait. The caller frees. */
char *csv_as_json(const char *line, size_t n);

#endif
