// SPDX-License-Identifier: Apache-2.0
// What tables call a VM: its name, and its process id too where another VM has the same name.
#ifndef KVMWAIT_SHOW_VM_LABEL_H
#define KVMWAIT_SHOW_VM_LABEL_H

#include <stdint.h>

struct vm_labels;
struct vm_labels *vm_labels_new(void);
void vm_labels_free(struct vm_labels *labels);

/*
 * The label of a VM: "web", or "web (4711)" once a second process of that name has been asked for. Without a name (NULL)
 * the process id stands for it. Ask for each VM of a table before the first row is printed, so that all of its rows
 * agree. Borrowed until the next call.
 */
const char *vm_label(struct vm_labels *labels, const char *name, uint32_t pid);

#endif
