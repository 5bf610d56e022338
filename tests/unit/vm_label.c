// SPDX-License-Identifier: Apache-2.0
// Tests of helper/show/vm_label.c: names that several VMs have.
#include "unit.h"

#include "base/text.h"
#include "show/vm_label.h"

static void labels(void)
{
	struct vm_labels *l = vm_labels_new();

	CHECK_STR(vm_label(l, "web", 101), "web");
	CHECK_STR(vm_label(l, "web", 101), "web");
	CHECK_STR(vm_label(l, "db", 103), "db");
	CHECK_STR(vm_label(l, NULL, 104), "104");
	CHECK_STR(vm_label(l, "web", 102), "web (102)");
	CHECK_STR(vm_label(l, "web", 101), "web (101)");
	CHECK_STR(vm_label(l, "web", 102), "web (102)");
	CHECK_STR(vm_label(l, "db", 103), "db");
	CHECK_STR(vm_label(l, "web (101)", 105), "web (101)"); /* nobody stops a VM from being called so */
	vm_labels_free(l);
	vm_labels_free(NULL);
}

/* The number of one process can be the name of another. */
static void numbers(void)
{
	struct vm_labels *l = vm_labels_new();

	CHECK_STR(vm_label(l, "104", 104), "104");
	CHECK_STR(vm_label(l, "104", 7), "104 (7)");
	CHECK_STR(vm_label(l, NULL, 104), "104");
	CHECK_STR(vm_label(l, "0104", 104), "0104");
	CHECK_STR(vm_label(l, NULL, 9), "9");
	CHECK_STR(vm_label(l, "9", 8), "9 (8)");
	vm_labels_free(l);
}

/* Past the bound every label has its process id. */
static void bound(void)
{
	struct vm_labels *l = vm_labels_new();

	for (unsigned int i = 0; i < 65536; i++) {
		CLEANUP_FREE char *name = xasprintf("vm%u", i);

		CHECK_STR(vm_label(l, name, 1), name);
	}
	CHECK_STR(vm_label(l, "late", 1), "late (1)");
	CHECK_STR(vm_label(l, "vm0", 1), "vm0");
	vm_labels_free(l);
}

static const struct unit_test tests[] = {
	{ "labels", labels },
	{ "numbers", numbers },
	{ "bound", bound },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
