// SPDX-License-Identifier: Apache-2.0
// Where a program of the system is, on hosts that have no /usr/bin too.
#ifndef KVMWAIT_BASE_PROGRAM_FIND_H
#define KVMWAIT_BASE_PROGRAM_FIND_H

#include <stdbool.h>

/* Is it there, and where this process is root, can root alone change it? */
bool program_is_trusted(const char *path);

/*
 * The program of that name in the first of /usr/local/sbin, /usr/local/bin, /usr/sbin, /usr/bin, /sbin and /bin that has it, else in
 * PATH, where a part counts only if it begins with "/" and, for root, only if the program there is root's alone. NULL where there
 * is none; the caller frees.
 */
char *program_find(const char *name);

#endif
