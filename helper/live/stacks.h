// SPDX-License-Identifier: Apache-2.0
// Kernel stacks as bpftrace printed them: the same few come again and again, and each is kept once.
#ifndef KVMWAIT_LIVE_STACKS_H
#define KVMWAIT_LIVE_STACKS_H

#include "record/event.h"

struct stacks;

struct stacks *stacks_new(void);
void stacks_free(struct stacks *s);

/*
 * The functions of the stack with these addresses, the innermost first. Borrowed, valid as long as s. NULL: the stack is empty
 * or has no names, or there are too many different stacks.
 */
const struct strings *stacks_get(struct stacks *s, const uint64_t *addresses, const char (*names)[FRAME_NAME_BYTES], size_t n);

#endif
