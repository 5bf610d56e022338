// SPDX-License-Identifier: Apache-2.0
// Time: the clocks of the system in nanoseconds.
#ifndef KVMWAIT_BASE_CLOCK_H
#define KVMWAIT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

uint64_t clock_ns(clockid_t clock);
/* CLOCK_MONOTONIC. */
uint64_t monotonic_ns(void);
/* "12.345", in seconds; the caller frees. */
char *clock_seconds_text(uint64_t ns);

#endif
