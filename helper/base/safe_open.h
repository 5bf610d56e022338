// SPDX-License-Identifier: Apache-2.0
// Opens files where others could be at work: what only root may change, and outputs that nobody can turn elsewhere.
#ifndef KVMWAIT_BASE_SAFE_OPEN_H
#define KVMWAIT_BASE_SAFE_OPEN_H

#include <stddef.h>
#include <stdio.h>

/*
 * Opens what root is about to rely on. 0 or more: it is root's, and so is every directory and link on the way; nobody
 * else can put something else there. -EPERM: others can, and ret_why (the caller frees) says where and who;
 * another -errno: it cannot be opened. With O_PATH it is looked at only.
 */
#ifdef KVMWAIT_PORTABLE
#define TRUSTED_NEXT "'sudo tar -C /opt -xzf ARCHIVE' makes a copy that is root's alone"
#else
#define TRUSTED_NEXT "'sudo make install' makes a copy that is root's alone"
#endif
int trusted_open(const char *path, int flags, char **ret_why);

/*
 * Opens an output, made where it is not there and emptied where it is. In a directory that all can write, a link of
 * another user is not followed and a file of another user is not written: -EPERM, with ret_why (the caller frees).
 * Also for other errors ret_why is set. Links elsewhere are followed, so /dev/stdout works.
 */
int output_open(const char *path, FILE **ret, char **ret_why);

/* A directory to put files below, which is made where it is not there; same rules. A descriptor or -errno with ret_why. */
int output_directory_open(const char *path, char **ret_why);
/* Writes "a/b/c" below it: no link is followed, and a file that is there is replaced, not written into. 0 or -errno. */
int output_write_below(int directory_fd, const char *path, const void *data, size_t size);

/* A file that is replaced again and again: the directory, held open, and the name. */
struct replaced_file {
	int directory_fd;
	char *name;
	char *fresh; /* the name of the new file beside it, while there is one */
};
/* 0, or -errno with ret_why (the caller frees). */
int replaced_file_open(const char *path, struct replaced_file *ret, char **ret_why);
void replaced_file_done(struct replaced_file *p);
/* A new file beside it for all to read. A descriptor, or -errno. */
int replaced_file_create(struct replaced_file *p);
/* Puts the new file in its place, or removes it. 0 or -errno. */
int replaced_file_put(struct replaced_file *p);
void replaced_file_drop(struct replaced_file *p);

#endif
