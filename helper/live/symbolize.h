// SPDX-License-Identifier: Apache-2.0
// Names for addresses in the running kernel, by libbpfcc, which is loaded when the first is asked for.
#ifndef KVMWAIT_LIVE_SYMBOLIZE_H
#define KVMWAIT_LIVE_SYMBOLIZE_H

#include "base/text.h"
#include "record/event.h"

struct symbolizer;

/* NULL with ret_error (the caller frees) where the library is missing or does not serve. */
struct symbolizer *symbolize_new(char **ret_error);
void symbolize_free(struct symbolizer *c);

/*
 * The chain of these addresses as names, the first one as it is and the others as callers of it. An address without
 * a name (kptr_restrict hides them all) is written in hex, "0x...". Borrowed, valid as long as c.
 */
const struct strings *symbolize_chain(struct symbolizer *c, const uint64_t *addresses, size_t n);

#endif
