// SPDX-License-Identifier: Apache-2.0
// Libraries that are loaded only where a command needs them.
#include "base/library.h"

#include "base/memory.h"

#include <dlfcn.h>
#include <stddef.h>

void *library_load(const char *name, const char *package, char **ret_error)
{
#ifdef KVMWAIT_PORTABLE
	/* dlopen() of a static program works only with the C library that the program was linked with. */
	(void)package;
	*ret_error = xasprintf("the portable kvmwait cannot load '%s': install kvmwait as a package, or build it with 'make'", name);
	return NULL;
#else
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		*ret_error = xasprintf("%s: install it (Debian's package %s)", dlerror(), package);
	return handle;
#endif
}
