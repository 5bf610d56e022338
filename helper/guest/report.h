// SPDX-License-Identifier: Apache-2.0
// The JSON document about what was done.
#ifndef KVMWAIT_GUEST_REPORT_H
#define KVMWAIT_GUEST_REPORT_H

#include <stdio.h>

#include "host.h"
#include "plan.h"

void report_write(FILE *f, const struct plan *plan, const struct host *host, const char *name);

#endif
