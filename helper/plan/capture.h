// SPDX-License-Identifier: Apache-2.0
// Saves the facts that a plan needs of this kernel as a small directory, which kernel_load() reads as a root.
#ifndef KVMWAIT_PLAN_CAPTURE_H
#define KVMWAIT_PLAN_CAPTURE_H

#include "plan/kernel.h"
#include "plan/script.h"

/* NULL, or the first file that could not be written and why; the caller frees. Tracepoints are left out where tracefs cannot be read. */
char *capture_write(int directory_fd, const struct kernel *kernel, const struct script *scripts, size_t n_scripts);

#endif
