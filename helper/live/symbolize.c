// SPDX-License-Identifier: Apache-2.0
// Names for addresses in the running kernel, by libbpfcc, which is loaded when the first is asked for.
#include "live/symbolize.h"

#include "base/library.h"
#include "base/table.h"
#include "base/text.h"

#include <bcc/bcc_syms.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LIBRARY "libbcc.so.0"
#define KERNEL_PID (-1)

/* A chain that was seen, with its names. The same few come again and again. */
struct chain {
	size_t n;
	uint64_t addresses[CALLERS_MAX];
	struct strings names;
};

struct symbolizer {
	void *handle, *cache;
	struct table chains;
	__typeof__(bcc_symcache_resolve_no_demangle) *resolve;
	__typeof__(bcc_free_symcache) *free_cache;
};

static uint64_t hash_chain(const void *chain)
{
	const struct chain *c = chain;

	return table_hash_bytes(0, c->addresses, c->n * sizeof(*c->addresses));
}

static bool same_chain(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;

	return x->n == y->n && !memcmp(x->addresses, y->addresses, x->n * sizeof(*x->addresses));
}

struct symbolizer *symbolize_new(char **ret_error)
{
	CLEANUP_FREE char *why = NULL;
	struct symbolizer c = { .handle = library_load(LIBRARY, "libbpfcc", &why), .chains = { .hash = hash_chain, .same = same_chain } };
	__typeof__(bcc_symcache_new) *make;
	struct symbolizer *ret;

	if (!c.handle) {
		*ret_error = xasprintf("names of callers need libbpfcc: %s", why);
		return NULL;
	}
	make = (__typeof__(make))dlsym(c.handle, "bcc_symcache_new");
	c.resolve = (__typeof__(c.resolve))dlsym(c.handle, "bcc_symcache_resolve_no_demangle");
	c.free_cache = (__typeof__(c.free_cache))dlsym(c.handle, "bcc_free_symcache");
	c.cache = make && c.resolve && c.free_cache ? make(KERNEL_PID, NULL) : NULL;
	if (!c.cache) {
		*ret_error = xasprintf("'%s' has no symbol cache for the kernel", LIBRARY);
		dlclose(c.handle);
		return NULL;
	}
	/* It reads all names with the first: now, while it may. */
	c.resolve(c.cache, 0, &(struct bcc_symbol){ 0 });
	ret = xcalloc(1, sizeof(*ret));
	*ret = c;
	return ret;
}

static void free_chain(void *p)
{
	struct chain *chain = p;

	strings_done(&chain->names);
	free(chain);
}

void symbolize_free(struct symbolizer *c)
{
	if (!c)
		return;
	table_done(&c->chains, free_chain);
	c->free_cache(c->cache, KERNEL_PID);
	free(c); /* the library stays: it does not bear to be unloaded */
}

static void add_name(struct symbolizer *c, uint64_t address, struct strings *names)
{
	struct bcc_symbol symbol = { 0 };
	CLEANUP_FREE char *hex = NULL;

	if (!c->resolve(c->cache, address, &symbol) && symbol.name && *symbol.name) {
		strings_add(names, symbol.name);
		return;
	}
	hex = xasprintf("0x%" PRIx64, address);
	strings_add(names, hex);
}

const struct strings *symbolize_chain(struct symbolizer *c, const uint64_t *addresses, size_t n)
{
	struct chain key = { .n = n < CALLERS_MAX ? n : CALLERS_MAX }, *chain;

	memcpy(key.addresses, addresses, key.n * sizeof(*addresses));
	chain = table_find(&c->chains, &key);
	if (chain)
		return &chain->names;
	chain = xcalloc(1, sizeof(*chain));
	*chain = key;
	for (size_t i = 0; i < chain->n; i++)
		add_name(c, chain->addresses[i], &chain->names);
	table_add(&c->chains, chain);
	return &chain->names;
}
