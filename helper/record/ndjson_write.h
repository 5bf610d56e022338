// SPDX-License-Identifier: Apache-2.0
// Writes records as NDJSON, one object a line, as kvmwait-schema(7) has them.
#ifndef KVMWAIT_RECORD_NDJSON_WRITE_H
#define KVMWAIT_RECORD_NDJSON_WRITE_H

#include "record/event.h"

#include <stdio.h>

/* Writes one record and its newline. Errors stay with the file. */
void ndjson_write(FILE *f, const struct record *r);

#endif
