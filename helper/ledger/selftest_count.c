// SPDX-License-Identifier: Apache-2.0
// What a guest says it did, counted beside what was seen, by process, vCPU, event, source and target.
#include "ledger/selftest_count.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct selftest_count_row *find_row(struct selftest_count *t, const struct selftest_count_key *key)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct selftest_count_key *k = &t->rows[i].key;

		if (k->pid == key->pid && k->vcpu == key->vcpu && k->target == key->target && !strcmp(k->event, key->event) &&
		    !strcmp(k->source, key->source))
			return &t->rows[i];
	}
	t->rows = xrealloc(t->rows, t->n + 1, sizeof(*t->rows));
	t->rows[t->n] = (struct selftest_count_row){ .key = *key };
	return &t->rows[t->n++];
}

void selftest_count_see(struct selftest_count *t, const struct wait_event *w)
{
	struct selftest_count_key key = { .pid = w->pid, .vcpu = w->vcpu, .target = w->target };

	memcpy(key.event, w->event, sizeof(key.event));
	memcpy(key.source, w->source, sizeof(key.source));
	find_row(t, &key)->seen++;
}

static int add_deed(struct selftest_count *t, json_t *deed)
{
	struct selftest_count_key key = { 0 };
	const char *event, *source;
	json_int_t pid, vcpu, target;
	json_t *count;
	struct selftest_count_row *row;

	if (json_unpack(deed, "{s:I, s:I, s:s, s:s, s:I, s:o}", "pid", &pid, "vcpu", &vcpu, "event", &event, "source", &source,
			"target", &target, "count", &count))
		return -EINVAL;
	if (pid < 0 || pid > UINT32_MAX)
		return -EINVAL;
	key.pid = (uint32_t)pid;
	key.vcpu = vcpu;
	key.target = target;
	if (strlen(event) >= NAME_BYTES || strlen(source) >= NAME_BYTES)
		return -EINVAL;
	strcpy(key.event, event);
	strcpy(key.source, source);
	if (!json_is_null(count) && (!json_is_integer(count) || json_integer_value(count) < 0))
		return -EINVAL;
	row = find_row(t, &key);
	row->did += (uint64_t)json_integer_value(count); /* 0 of null */
	row->open |= json_is_null(count);
	return 0;
}

/* Moves what belongs to no process of the guest out of the rows. */
static int set_others_apart(struct selftest_count *t, json_t *report)
{
	json_t *vms = json_object_get(report, "vms"), *vm;
	size_t kept = 0, index;

	if (!json_is_array(vms))
		return -EINVAL;
	for (size_t i = 0; i < t->n; i++) {
		bool ours = false;

		json_array_foreach(vms, index, vm)
			ours |= json_integer_value(json_object_get(vm, "pid")) == t->rows[i].key.pid;
		if (!ours && (t->rows[i].did || t->rows[i].open)) /* what it did must not go out of sight */
			return -EINVAL;
		if (ours)
			t->rows[kept++] = t->rows[i];
		else
			t->others += t->rows[i].seen;
	}
	t->n = kept;
	return 0;
}

int selftest_count_report(struct selftest_count *t, json_t *report)
{
	json_t *did = json_object_get(report, "did"), *deed;
	size_t index;

	if (!json_is_array(did))
		return -EINVAL;
	json_array_foreach(did, index, deed)
		if (add_deed(t, deed))
			return -EINVAL;
	return set_others_apart(t, report);
}

bool selftest_count_row_differs(const struct selftest_count_row *row)
{
	return !row->open && row->did != row->seen;
}

void selftest_count_done(struct selftest_count *t)
{
	free(t->rows);
	*t = (struct selftest_count){ 0 };
}
