// SPDX-License-Identifier: Apache-2.0
// Time: the monotonic clock, in nanoseconds.
#ifndef KVMWAIT_BASE_CLOCK_H
#define KVMWAIT_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* CLOCK_MONOTONIC. */
uint64_t monotonic_ns(void);

#endif
