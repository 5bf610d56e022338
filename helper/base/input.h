// SPDX-License-Identifier: Apache-2.0
// Lines of a file or a pipe, plain or compressed with zstd (known by its first bytes), in bounded memory.
#ifndef KVMWAIT_BASE_INPUT_H
#define KVMWAIT_BASE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum input_line {
	INPUT_END,
	INPUT_LINE,
	INPUT_LONG, /* a line beyond the limit, which is passed over: nothing of it is given */
	INPUT_CUT,  /* what stands behind the last newline, or before a place that cannot be decompressed */
};

struct input_state {
	uint64_t size_bytes; /* of the file as it lies there; 0: not known */
	uint64_t read_bytes; /* of those */
	uint64_t lines;	     /* given so far, whole or not: the number of the last one */
	bool compressed;
	bool frame_cut;	       /* at the end: the last frame is not whole */
	uint64_t damages;      /* places that could not be decompressed; reading went on at the next frame */
	uint64_t damage_bytes; /* where in the file the first of them was noticed */
};

struct input;
/* "-" is standard input. 0 or -errno. */
int input_open(const char *path, size_t limit_bytes, struct input **ret);
void input_close(struct input *in);
/*
 * The next line (enum input_line) without its newline and NUL-terminated, valid until the next call; or -errno where
 * the file cannot be read.
 */
int input_line(struct input *in, char **ret_line, size_t *ret_n);
/* Is there a line that can be had without reading on, and so without waiting? */
bool input_has_line(const struct input *in);
const struct input_state *input_state(const struct input *in);

#endif
