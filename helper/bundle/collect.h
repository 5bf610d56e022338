// SPDX-License-Identifier: Apache-2.0
// Collecting what a bundle's list names: each item in a process of its own, which may take its time and its room and no more.
#ifndef KVMWAIT_BUNDLE_COLLECT_H
#define KVMWAIT_BUNDLE_COLLECT_H

#include "bundle/bundle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct collector {
	int (*self)(int argc, char **argv); /* what %kvmwait% runs, in the child */
	const char *bpftrace;		    /* what %bpftrace% is, or NULL */
	uint64_t duration_s;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC, of the whole bundle */
	bool (*stop)(void);   /* looked at ten times a second */
	void (*tick)(const char *item);
	FILE *log;
};

/*
 * Collects one item: its entries are added to the bundle, whatever came of it, and its files lie in the private directory
 * as "INDEX..." 0, or -EINTR where it was stopped; then no process of it is left.
 */
int bundle_collect(struct bundle *b, const struct bundle_item *item, size_t index, const struct collector *c);

#endif
