// SPDX-License-Identifier: Apache-2.0
// Directories: their names, the files below them, emptying them. Links are never followed.
#ifndef KVMWAIT_BASE_DIRECTORY_H
#define KVMWAIT_BASE_DIRECTORY_H

#include "base/text.h"

/* Adds the names in a directory except "." and "..", in the order of the kernel. 0 or -errno. */
int directory_list(const char *path, struct strings *names);
/* The same of a directory that is open, and stays so. */
int directory_list_open(int fd, struct strings *names);
/* Is an open directory readable and empty? */
bool directory_is_empty(int fd);
/* Adds the paths of all regular files below a directory, from the directory on ("/sub/file"), sorted. 0 or -errno. */
int directory_files(const char *path, struct strings *files);
/* Removes everything below a directory. */
void directory_clear(const char *path);

#endif
