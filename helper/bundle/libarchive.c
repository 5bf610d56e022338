// SPDX-License-Identifier: Apache-2.0
// libarchive, loaded when a bundle is written or read: it drags in a dozen libraries that no other command needs.
#include "bundle/libarchive.h"

#include "base/library.h"
#include "base/memory.h"

#include <dlfcn.h>
#include <stdbool.h>

#define LIBRARY "libarchive.so.13"

const struct libarchive *libarchive_load(char **ret_error)
{
	static struct libarchive library;
	static bool loaded;
	CLEANUP_FREE char *why = NULL;
	void *handle = loaded ? NULL : library_load(LIBRARY, "libarchive13", &why);

	if (loaded)
		return &library;
	if (!handle) {
		*ret_error = xasprintf("bundles need libarchive: %s", why);
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
