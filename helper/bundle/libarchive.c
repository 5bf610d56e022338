// SPDX-License-Identifier: Apache-2.0
// libarchive, loaded when a bundle is written or read: it drags in a dozen libraries that no other command needs.
#include "bundle/libarchive.h"

#include "base/memory.h"

#include <dlfcn.h>
#include <stdbool.h>

#define LIBRARY "libarchive.so.13"

const struct libarchive *libarchive_load(char **ret_error)
{
	static struct libarchive library;
	static bool loaded;
	void *handle = loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (loaded)
		return &library;
	if (!handle) {
		*ret_error = xasprintf("bundles need libarchive (Debian's package libarchive13): %s", dlerror());
		return NULL;
	}
#define LIBARCHIVE_FIND(name)                                                              \
	library.name = (__typeof__(library.name))dlsym(handle, #name);                      \
	if (!library.name) {                                                               \
		*ret_error = xasprintf("'%s' is too old: it has no %s", LIBRARY, #name);    \
		dlclose(handle);                                                           \
		return NULL;                                                               \
	}
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_FIND)
#undef LIBARCHIVE_FIND
	loaded = true;
	return &library;
}
