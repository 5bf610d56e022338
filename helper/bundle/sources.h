// SPDX-License-Identifier: Apache-2.0
// What the process of a bundle's item does: it reads files, lines or VMs, or becomes a program. Never returns.
#ifndef KVMWAIT_BUNDLE_SOURCES_H
#define KVMWAIT_BUNDLE_SOURCES_H

#include "bundle/collect.h"

#include <stdint.h>

/* What is told on standard output of each file of an item; the path with its NUL follows. */
struct bundle_told {
	int32_t error;	   /* errno, or 0 */
	int32_t number;	   /* of the file, "STAGED.NUMBER"; -1: there is none */
	int32_t truncated; /* not all of it went in */
};

/* Files by their patterns, into STAGED.0, STAGED.1 and so on. */
__attribute__((noreturn)) void bundle_files(const struct bundle_item *item, const char *staged, uint64_t limit_bytes);
/* The same of the files that the item names, in the cgroups of the VMs that run. */
__attribute__((noreturn)) void bundle_cgroups(const struct bundle_item *item, const char *staged, uint64_t limit_bytes);
__attribute__((noreturn)) void bundle_lines(const struct bundle_item *item);
__attribute__((noreturn)) void bundle_vms(void);
/* %out% is `out`, %size% the limit. */
__attribute__((noreturn)) void bundle_program(const struct bundle_item *item, const struct collector *c, const char *out,
					      uint64_t limit_bytes);

#endif
