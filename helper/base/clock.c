// SPDX-License-Identifier: Apache-2.0
// Time: the monotonic clock, in nanoseconds.
#include "base/clock.h"

#include <time.h>

uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}
