// SPDX-License-Identifier: Apache-2.0
// The command line or the cgroup of a process: the name is never empty, cleaned, and of bounded length.
#include "fuzz.h"

#include "base/clean_text.h"
#include "live/vmm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t kind = 0;
	char *name, raw[129], clean[4 * 128 + 1];
	struct view text;
	int n;

	fuzz_take(&data, &size, &kind, 1);
	text = (struct view){ (const char *)data, size };
	name = kind & 1 ? vmm_name_of_cgroup(text) : vmm_name((struct view){ "", 0 }, text);
	if (!name)
		return 0;
	fuzz_must_be_printable(name);
	n = text_restore(name, raw, sizeof(raw));
	MUST(n > 0 && text_clean(raw, (size_t)n, clean) == strlen(name) && !strcmp(clean, name));
	free(name);
	return 0;
}
