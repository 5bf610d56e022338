// SPDX-License-Identifier: Apache-2.0
// Output streams that keep the cause of their first failed write.
#ifndef KVMWAIT_BASE_OUTPUT_H
#define KVMWAIT_BASE_OUTPUT_H

#include <stdio.h>

/*
 * A stream over a file that it owns, except for standard output. When the buffer of a plain stdio stream overflows inside a
 * write and that fails, its bytes are gone, a later fflush() can succeed, and errno is that of something else by then.
 * After a failed write this one writes nothing more.
 */
FILE *output_stream(int fd);
/* Flushes. 0, or -errno of the first write that failed since the stream was made; of a plain stdio stream -EIO where that is lost. */
int output_flush(FILE *file);
/* What fileno() gives for a plain stdio stream. */
int output_fd(FILE *file);

#endif
