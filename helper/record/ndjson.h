// SPDX-License-Identifier: Apache-2.0
// Reads records back from NDJSON: what kvmwait wrote the short way, any other JSON by jansson.
#ifndef KVMWAIT_RECORD_NDJSON_H
#define KVMWAIT_RECORD_NDJSON_H

#include "base/text.h"
#include "record/event.h"

#define NDJSON_VM_BYTES 128 /* of a name before it is cleaned, as vmname takes it */

/* What the last record borrows: the text of its VM's name, its callers, and the name of the guest's function. */
struct ndjson {
	char vm[640];
	struct strings callers;
	char symbol[SYMBOL_BYTES + 1]; /* the guest's function */
};
void ndjson_done(struct ndjson *n);

/*
 * Reads one line into a record. A record that is neither wait nor outcome holds its object: the caller drops it.
 * 0, or -EINVAL with ret_error (the caller frees): no JSON, an unknown type, a missing field, a value out of range.
 */
int ndjson_parse(struct ndjson *n, const char *line, size_t length, struct record *ret, char **ret_error);
/* The same by jansson alone: what ndjson_parse() is held against. */
int ndjson_parse_any(struct ndjson *n, const char *line, size_t length, struct record *ret, char **ret_error);

#endif
