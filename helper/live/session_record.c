// SPDX-License-Identifier: Apache-2.0
// The records that a trace makes itself: meta at its beginning, lost in between, end with its balance.
#include "live/session_record.h"

#include "base/clean_text.h"
#include "base/clock.h"
#include "base/text.h"
#include "record/balance.h"
#include "record/schema.h"

#include <string.h>
#include <sys/utsname.h>

/* All clocks at one moment, so that a reader can convert times of one to another. */
static json_t *clock_json(void)
{
	return json_pack("{s:I, s:I, s:I}", "boottime", (json_int_t)clock_ns(CLOCK_BOOTTIME), "monotonic",
			 (json_int_t)monotonic_ns(), "realtime", (json_int_t)clock_ns(CLOCK_REALTIME));
}

static void add_probes(json_t *probes, const struct verdict *v)
{
	for (size_t i = 0; i < v->n_sources; i++) {
		const struct source_result *s = &v->sources[i];
		json_t *probe = json_pack("{s:s, s:s, s:s, s:o}", "event", s->event, "source", s->source, "fidelity",
					  fidelity_name(s->fidelity), "functions", strings_json(&s->functions));

		if (s->why)
			json_object_set_new(probe, "why", json_string(s->why));
		if (s->not_applicable)
			json_object_set_new(probe, "not_applicable", json_true());
		if (s->from)
			json_object_set_new(probe, "fallback", json_string(s->from->script->name));
		json_array_append_new(probes, probe);
	}
}

static json_t *probes_json(const struct program *program)
{
	json_t *probes = json_array();

	add_probes(probes, program->script);
	for (size_t i = 0; i < program->n_parts; i++)
		add_probes(probes, program->parts[i]);
	return probes;
}

static json_t *script_json(const struct script *s)
{
	return json_pack("{s:s, s:s}", "script", s->name, "sha256", s->sha256);
}

static json_t *fallbacks_json(const struct program *program)
{
	json_t *fallbacks = json_array();
	const struct verdict *v;

	for (size_t i = 0; (v = verdict_fallback(program->script, i)); i++)
		json_array_append_new(fallbacks, script_json(v->script));
	return fallbacks;
}

static json_t *parts_json(const struct program *program)
{
	json_t *parts = json_array();

	for (size_t i = 0; i < program->n_parts; i++)
		json_array_append_new(parts, script_json(program->parts[i]->script));
	return parts;
}

static json_t *filters_json(const struct filter *f)
{
	json_t *events = json_array(), *tgids = json_array(), *vcpus = json_array();

	for (size_t i = 0; i < n_event_kinds; i++)
		if (f->events & event_kinds[i].bit)
			json_array_append_new(events, json_string(event_kinds[i].name));
	for (size_t i = 0; i < f->n_tgids; i++)
		json_array_append_new(tgids, json_integer(f->tgids[i]));
	for (uint32_t i = 0; i < PROGRAM_VCPU_SPAN; i++)
		if (f->vcpu_mask >> i & 1)
			json_array_append_new(vcpus, json_integer((json_int_t)f->vcpu_base + i));
	return json_pack("{s:o, s:o, s:o}", "events", events, "tgids", tgids, "vcpus", vcpus);
}

/* The host's name, cleaned for output; the caller frees. */
static char *host_name(void)
{
	struct utsname names;
	char clean[4 * sizeof(names.nodename) + 1];

	if (uname(&names))
		return xstrdup("?");
	text_clean(names.nodename, strnlen(names.nodename, sizeof(names.nodename)), clean);
	return xstrdup(clean);
}

json_t *session_record_meta(const struct plan *plan, const struct program *program, const char *bpftrace_version)
{
	const struct script *script = program->script->script;
	CLEANUP_FREE char *host = host_name();
	json_t *meta = json_pack("{s:s, s:i, s:s, s:s, s:s, s:s}", "type", "meta", "schema", SCHEMA_VERSION, "kvmwait",
				 KVMWAIT_VERSION, "host", host, "kernel", plan->kernel->release, "arch", plan->kernel->arch);

	if (plan->vendor)
		json_object_set_new(meta, "vendor", json_string(plan->vendor));
	json_object_set_new(meta, "script", json_string(script->name));
	json_object_set_new(meta, "script_sha256", json_string(script->sha256));
	if (verdict_fallback(program->script, 0))
		json_object_set_new(meta, "fallbacks", fallbacks_json(program));
	if (program->n_parts)
		json_object_set_new(meta, "parts", parts_json(program));
	json_object_set_new(meta, "bpftrace", json_string(bpftrace_version));
	json_object_set_new(meta, "probes", probes_json(program));
	json_object_set_new(meta, "filters", filters_json(&program->filter));
	json_object_set_new(meta, "clock", clock_json());
	return meta;
}

json_t *session_record_lost(uint64_t lost)
{
	return json_pack("{s:s, s:I, s:I}", "type", "lost", "lost", (json_int_t)lost, "ts", (json_int_t)clock_ns(CLOCK_BOOTTIME));
}

json_t *session_record_end(const struct session_result *r)
{
	json_t *end = balance_json(&r->balance, r->why);

	if (r->bpftrace_status)
		json_object_set_new(end, "bpftrace_status", json_integer(r->bpftrace_status));
	if (r->command_status >= 0)
		json_object_set_new(end, "command_status", json_integer(r->command_status));
	if (r->missed)
		json_object_set_new(end, "missed", json_integer((json_int_t)r->missed));
	if (r->audit)
		json_object_set_new(end, "audit", r->audit);
	json_object_set_new(end, "clock", clock_json());
	return end;
}
