// SPDX-License-Identifier: Apache-2.0
// How blame is told: the texts of its table, and its rows as JSON.
#include "blame_output.h"

#include "keeper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool blame_look_up(void *context, uint32_t tid, uint32_t *ret_tgid, char *ret_comm)
{
	CLEANUP_FREE char *comm = NULL;
	CLEANUP_FREE char *status = NULL;
	const char *tgid;

	(void)context;
	if (keeper_read(tid, KEEPER_COMM, 4096, &comm, NULL) || keeper_read(tid, KEEPER_STATUS, 65536, &status, NULL))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	snprintf(ret_comm, COMM_BYTES + 1, "%s", comm);
	tgid = strstr(status, "\nTgid:\t");
	if (tgid)
		*ret_tgid = (uint32_t)strtoul(tgid + strlen("\nTgid:\t"), NULL, 10);
	return true;
}

char *blame_vm_text(const struct blame_vm *vm)
{
	return vm->name ? xstrdup(vm->name) : xasprintf("%" PRIu32, vm->tgid);
}

static char *comm_text(const struct blame_row *row)
{
	char clean[4 * COMM_BYTES + 1];

	text_clean(row->comm, strlen(row->comm), clean);
	return xstrdup(*clean ? clean : "?");
}

char *blame_culprit_text(const struct blame_row *row)
{
	CLEANUP_FREE char *name = row->culprit_vm ? blame_vm_text(row->culprit_vm) : comm_text(row);

	switch (row->kind) {
	case CULPRIT_IDLE:
		return xstrdup("(idle)");
	case CULPRIT_UNKNOWN:
		return xstrdup("(unknown)");
	case CULPRIT_HOST:
		if (row->tgid && row->tgid != row->tid)
			return xasprintf("%s (%" PRIu32 " of %" PRIu32 ")", name, row->tid, row->tgid);
		return xasprintf("%s (%" PRIu32 ")", name, row->tid);
	default:
		return xasprintf("%s vCPU %" PRId64, name, row->culprit_vcpu);
	}
}

uint64_t blame_share(const struct blame_row *row)
{
	return row->vm->spins ? row->spins * 10000 / row->vm->spins : 0;
}

json_t *blame_row_json(const struct blame_row *row)
{
	CLEANUP_FREE char *vm = blame_vm_text(row->vm);
	CLEANUP_FREE char *comm = comm_text(row);
	json_t *culprit = json_pack("{s:s}", "kind", culprit_names[row->kind]);

	if (row->kind != CULPRIT_IDLE && row->kind != CULPRIT_UNKNOWN) {
		json_object_set_new(culprit, "pid", json_integer(row->tgid));
		json_object_set_new(culprit, "tid", json_integer(row->tid));
		json_object_set_new(culprit, "comm", json_string(comm));
	}
	if (row->culprit_vm) {
		CLEANUP_FREE char *name = blame_vm_text(row->culprit_vm);

		json_object_set_new(culprit, "vm", json_string(name));
		json_object_set_new(culprit, "vcpu", json_integer(row->culprit_vcpu));
	}
	return json_pack("{s:s, s:I, s:I, s:o, s:I, s:I, s:I, s:I}", "vm", vm, "pid", (json_int_t)row->vm->tgid, "vcpu",
			 (json_int_t)row->vcpu, "culprit", culprit, "spins", (json_int_t)row->spins, "share",
			 (json_int_t)blame_share(row), "targeted", (json_int_t)row->targeted, "ready_ns", (json_int_t)row->ns);
}

json_t *blame_vm_json(const struct blame_vm *vm)
{
	CLEANUP_FREE char *name = blame_vm_text(vm);

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vm", name, "pid", (json_int_t)vm->tgid, "vcpus",
			 (json_int_t)vm->vcpus, "unseen", (json_int_t)vm->unseen, "spins", (json_int_t)vm->spins, "blamed",
			 (json_int_t)vm->blamed, "unblamed", (json_int_t)vm->unblamed, "unknown", (json_int_t)vm->unknown);
}


/* How long a JSON text is. */
static size_t json_bytes(json_t *object)
{
	return json_dumpb(object, NULL, 0, JSON_COMPACT) + 1;
}

/* Adds objects as long as there is room; how many were left out. */
static size_t add_objects(json_t *array, const void *const *items, size_t n, json_t *(*make)(const void *), size_t *room)
{
	for (size_t i = 0; i < n; i++) {
		json_t *object = make(items[i]);
		size_t bytes = json_bytes(object);

		if (bytes > *room) {
			json_decref(object);
			return n - i;
		}
		*room -= bytes;
		json_array_append_new(array, object);
	}
	return 0;
}

static json_t *make_row(const void *row)
{
	return blame_row_json(row);
}

static json_t *make_vm(const void *vm)
{
	return blame_vm_json(vm);
}

json_t *blame_record_json(struct blame *b, size_t limit_bytes)
{
	CLEANUP_FREE const struct blame_row **rows = NULL;
	CLEANUP_FREE const struct blame_vm **vms = NULL;
	size_t n_rows = blame_rows(b, &rows), n_vms = blame_vms(b, &vms), room = limit_bytes, more;
	json_t *all = json_array(), *worst = json_array(), *record;

	add_objects(all, (const void *const *)vms, n_vms, make_vm, &room);
	more = add_objects(worst, (const void *const *)rows, n_rows, make_row, &room);
	record = json_pack("{s:s, s:o, s:o}", "type", "blame", "vms", all, "rows", worst);
	if (more)
		json_object_set_new(record, "more", json_integer((json_int_t)more));
	return record;
}
