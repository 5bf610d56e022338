// SPDX-License-Identifier: Apache-2.0
// Libraries that are loaded only where a command needs them.
#ifndef KVMWAIT_BASE_LIBRARY_H
#define KVMWAIT_BASE_LIBRARY_H

/* A handle for dlsym(), or NULL with ret_error, "CANNOT: why and what to do" (the caller frees). `package` is Debian's. */
void *library_load(const char *name, const char *package, char **ret_error);

#endif
