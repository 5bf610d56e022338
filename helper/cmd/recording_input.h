// SPDX-License-Identifier: Apache-2.0
// Opens what a command reads: a recording, a trace of another tool, or the recording in a bundle.
#ifndef KVMWAIT_CMD_RECORDING_INPUT_H
#define KVMWAIT_CMD_RECORDING_INPUT_H

#include "record/recording_read.h"

/* `name` is the path, fit to print. 0, or an exit code after the message. */
int recording_input_open(const char *path, const char *name, struct recording **ret);

#endif
