// SPDX-License-Identifier: Apache-2.0
// What a trace asks before it starts bpftrace: whether its files can be trusted, its version, how much room its buffers get.
#include "live/session_check.h"

#include "base/clock.h"
#include "base/safe_open.h"
#include "base/text.h"
#include "live/child.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTACH_PATIENCE_NS (300 * NS_PER_S)

/* Room for some ten thousand events. Buffers of each CPU together are bounded by 64 MiB, so that a large host keeps its memory. */
unsigned int session_buffer_pages(bool each_cpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	unsigned int pages = 512;

	if (!each_cpu)
		return 1024;
	while (pages > 64 && pages * (unsigned long)cpus > 16384)
		pages /= 2;
	return pages;
}

int session_check_trust(const struct session_options *options, char **ret_error)
{
	const struct program *program = &options->program;
	const char *untrusted = program->script->script->untrusted;
	const struct verdict *fallback;
	CLEANUP_FREE char *why = NULL;
	int err = 0;

	for (size_t i = 0; !untrusted && (fallback = verdict_fallback(program->script, i)); i++)
		untrusted = fallback->script->untrusted;
	for (size_t i = 0; i < program->n_parts && !untrusted; i++)
		untrusted = program->parts[i]->script->untrusted;
	if (!untrusted)
		untrusted = options->plan->tracers->untrusted;
	if (!untrusted) {
		err = bpftrace_check(options->bpftrace, &why);
		if (!err)
			return 0;
	}
	*ret_error = xasprintf("refused, as root runs only what nobody else can change: %s; " TRUSTED_NEXT, untrusted ? untrusted : why);
	return untrusted ? -EPERM : err;
}

uint64_t session_patience_ns(const struct session_options *options)
{
	return options->attach_ns ? options->attach_ns : ATTACH_PATIENCE_NS;
}

int session_ask_version(const struct session_options *options, char **ret_version, struct tracer *ret_tracer, char **ret_error)
{
	const struct tracer_list *list = options->plan->tracers;
	CLEANUP_FREE char *why = NULL;
	char *version = bpftrace_version_within(options->bpftrace, session_patience_ns(options), &why);

	if (version && tracer_of(list, version, ret_tracer))
		why = xasprintf("'%s' is no version", version);
	else if (version && ret_tracer->why_not)
		why = xasprintf("version %s %s", version, ret_tracer->why_not);
	else if (version && geteuid() && ret_tracer->demands_root)
		why = xasprintf("version %s needs root: run it with sudo; since %s bpftrace asks for capabilities instead", version,
				tracer_since(list, TRACER_DEMANDS, "capabilities"));
	if (why) {
		free(version);
		*ret_error = xasprintf("'%s': %s", options->bpftrace, why);
		return -ENOEXEC;
	}
	*ret_version = version;
	return 0;
}
