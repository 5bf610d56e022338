// SPDX-License-Identifier: Apache-2.0
// What a trace asks before it starts bpftrace: whether its files can be trusted, its version, how much room its buffers get.
#ifndef KVMWAIT_LIVE_SESSION_CHECK_H
#define KVMWAIT_LIVE_SESSION_CHECK_H

#include "live/session.h"

/* Root runs no file that another user can change. 0 or -errno with ret_error (the caller frees). */
int session_check_trust(const struct session_options *options, char **ret_error);

/* The version of bpftrace (the caller frees) and its properties. 0 or -errno with ret_error (the caller frees). */
int session_ask_version(const struct session_options *options, char **ret_version, struct tracer *ret_tracer, char **ret_error);

/* How long bpftrace may take to answer, and to attach. */
uint64_t session_patience_ns(const struct session_options *options);

/* Pages of a buffer of bpftrace; where each CPU has one, of that. */
unsigned int session_buffer_pages(bool each_cpu);

#endif
