// SPDX-License-Identifier: Apache-2.0
// The options that trace, stat, blame and record share: filters, how long, and which bpftrace.
#include "cmd/live_options.h"

#include "base/text.h"
#include "cmd/command.h"
#include "live/vm_list.h"
#include "record/event.h"
#include "show/counts_show.h"

#include <errno.h>

static bool is_spin(const void *row)
{
	const struct event_kind *kind = row;

	return event_is_spin(kind->bit);
}

const struct choices event_choices = CHOICES(event_kinds), spin_choices = CHOICES(event_kinds, .allows = is_spin);
const struct choices by_choices = CHOICES(counts_by_names), column_choices = CHOICES(counts_columns);

int live_add_pid(void *filter, const char *word)
{
	struct filter *f = filter;
	uint64_t value;

	if (parse_u64(word, &value) || !value || value > INT32_MAX)
		return fail(EXIT_USAGE, "invalid process id '%s' for --pid", word);
	if (f->n_tgids == PROGRAM_MAX_TGIDS)
		return fail(EXIT_USAGE, "more than %d process ids: leave --pid out and filter the output by pid", PROGRAM_MAX_TGIDS);
	f->tgids[f->n_tgids++] = (uint32_t)value;
	return EXIT_OK;
}

int live_add_vm(void *filter, const char *word)
{
	struct filter *f = filter;
	CLEANUP_FREE char *why = NULL;
	int err = vmlist_resolve("", word, f->tgids, PROGRAM_MAX_TGIDS, &f->n_tgids, &why);

	if (err)
		return fail(err == -EACCES ? EXIT_LACKING : err == -ERANGE ? EXIT_USAGE : EXIT_FAILED, "%s", why);
	return EXIT_OK;
}

int live_add_guest_symbols(void *symbols, const char *word)
{
	struct guest_symbols **g = symbols;
	CLEANUP_FREE char *why = NULL;
	int err;

	if (!*g)
		*g = guest_symbols_new();
	err = guest_symbols_open(*g, word, &why);
	if (err == -EINVAL)
		return fail(EXIT_USAGE, "invalid value '%s' for --guest-symbols: %s", word, why);
	return err ? fail(EXIT_FAILED, "cannot open the symbols of a guest: %s", why) : EXIT_OK;
}

int live_check_guest_symbols(const struct guest_symbols *symbols, bool guest_ip)
{
	return symbols && !guest_ip ? fail(EXIT_USAGE, "--guest-symbols names the addresses of --guest-ip: give both") : EXIT_OK;
}

int live_add_vcpu(void *filter, const char *word)
{
	uint64_t value;

	if (parse_u64(word, &value) || value > 65535)
		return fail(EXIT_USAGE, "invalid vCPU id '%s' for --vcpu", word);
	if (filter_add_vcpu(filter, (uint32_t)value))
		return fail(EXIT_USAGE, "vCPU id '%s' is too far from the others of --vcpu: they must be within %d of each other", word,
			    PROGRAM_VCPU_SPAN);
	return EXIT_OK;
}
