// SPDX-License-Identifier: Apache-2.0
// Tries whether the kernel lets probes attach, since what it is built with does not tell. Nothing stays attached.
#ifndef KVMWAIT_LIVE_PROBE_TEST_H
#define KVMWAIT_LIVE_PROBE_TEST_H

#include <stdbool.h>

/* Opens a kprobe on a function, disabled, and closes it. 0 or -errno (-ENODEV: the kernel has no kprobes). */
int attach_try_kprobe(const char *function);

/* Loads an empty fentry program on some function of the kernel and attaches it for a moment. 0 or -errno. */
int attach_try_trampoline(void);

/* Does the kernel refuse all probes, being locked down to keep its secrets? */
bool attach_is_locked(void);

#endif
