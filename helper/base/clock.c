// SPDX-License-Identifier: Apache-2.0
// Time: the clocks of the system in nanoseconds.
#include "base/clock.h"

#include "base/text.h"

#include <inttypes.h>

uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

char *clock_seconds_text(uint64_t ns)
{
	return xasprintf("%" PRIu64 ".%03" PRIu64, ns / NS_PER_S, ns / NS_PER_MS % 1000);
}
