// SPDX-License-Identifier: Apache-2.0
// The symbols of a guest. What is a name is one that cannot harm a terminal, and every address is named as the file has it.
#include "fuzz.h"

#include "base/memory.h"
#include "live/guest_symbols.h"

#include <sys/mman.h>
#include <unistd.h>

static void check_names(struct guest_symbols *g, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < 64; i++) {
		struct guest_place place = { .known = GUEST_IP | GUEST_MODE | GUEST_KERNEL };

		place.ip = i < 32 ? i * 4096 : i * UINT64_C(0x0404040404040404);
		for (size_t j = 0; j < sizeof(place.ip) && size > j; j++)
			place.ip ^= (uint64_t)data[(i * 8 + j) % size] << 8 * j;
		guest_symbols_name(g, 1, "v", &place);
		if (!place.symbol)
			continue;
		MUST(*place.symbol && strlen(place.symbol) <= SYMBOL_BYTES && place.offset < 1u << 20);
		MUST(!place.symbol[strspn(place.symbol, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$")]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_symbols *g = guest_symbols_new();
	int fd = memfd_create("symbols", MFD_CLOEXEC);
	char *option = xasprintf("v=/proc/self/fd/%d", fd), *why = NULL;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	MUST(!guest_symbols_open(g, option, &why));
	if (guest_symbols_read(g, false, &why)) {
		MUST(why);
		fuzz_must_be_printable(why);
	} else {
		check_names(g, data, size);
	}
	free(why);
	free(option);
	close(fd);
	guest_symbols_free(g);
	return 0;
}
