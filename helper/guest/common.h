// SPDX-License-Identifier: Apache-2.0
// Small helpers that several files of the guest need: arrays, time, values in guest memory.
#ifndef KVMWAIT_GUEST_COMMON_H
#define KVMWAIT_GUEST_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NS_PER_S	1000000000LL

static inline int64_t timespec_ns(const struct timespec *ts)
{
	return ts->tv_sec * NS_PER_S + ts->tv_nsec;
}

static inline void sleep_ns(int64_t ns)
{
	nanosleep(&(struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) }, NULL);
}

static inline void put32(void *memory, size_t at, uint32_t value)
{
	memcpy((char *)memory + at, &value, sizeof(value));
}

static inline void put64(void *memory, size_t at, uint64_t value)
{
	memcpy((char *)memory + at, &value, sizeof(value));
}

#endif
