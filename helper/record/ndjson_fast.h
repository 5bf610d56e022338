// SPDX-License-Identifier: Apache-2.0
// Reads the waits and outcomes that kvmwait itself wrote, letter by letter as it writes them; no other JSON.
#ifndef KVMWAIT_RECORD_NDJSON_FAST_H
#define KVMWAIT_RECORD_NDJSON_FAST_H

#include "record/ndjson.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * True where the line is just as kvmwait writes it, in plain ASCII without an escape: the record is what
 * ndjson_parse_any() makes of it. False says nothing about the line: ret and n may have been changed.
 */
bool ndjson_own(struct ndjson *n, const char *line, size_t length, struct record *ret);

#endif
