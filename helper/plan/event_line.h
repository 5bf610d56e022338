// SPDX-License-Identifier: Apache-2.0
// The lines of a script that print an event: what they are about, and bytes that are printed as numbers. Pure.
#ifndef KVMWAIT_PLAN_EVENT_LINE_H
#define KVMWAIT_PLAN_EVENT_LINE_H

#include "plan/render.h"

/* How such a line begins. */
#define EVENT_LINE "printf(\"w "

/* Event and source of the event line at p. */
void event_line_read(const char *p, struct wait_name *ret);
/*
 * A line of n bytes with two numbers in the place of the 16 bytes that the script's key "quick" names; the caller frees. NULL
 * where there is nothing to replace, or the place is not known.
 */
char *event_line_quick(const struct verdict *v, const char *p, size_t n);

#endif
