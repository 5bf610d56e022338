// SPDX-License-Identifier: Apache-2.0
// Bundles of strangers, and lists of what goes into one: read or refused with a reason that can be printed.
#include "fuzz.h"

#include "base/memory.h"
#include "bundle/read.h"

#include <sys/mman.h>
#include <unistd.h>

static void check_list(const char *text)
{
	struct bundle_list list;
	char *why = NULL;
	int err = bundle_list_parse(text, &list, &why);

	MUST(err ? why != NULL : list.n > 0);
	fuzz_must_be_printable(why);
	free(why);
	if (err)
		return;
	for (size_t i = 0; i < list.n; i++) {
		char *bare = xstrndup(list.items[i].name, strlen(list.items[i].name) - bundle_item_is_many(&list.items[i]));

		MUST(bundle_name_is_fine(bare) && list.items[i].seconds && list.items[i].size_bytes);
		free(bare);
	}
	bundle_list_done(&list);
}

static void check_bundle(const uint8_t *data, size_t size)
{
	struct bundle_contents c;
	char *why = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC), err;

	MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	err = bundle_read(fd, &c, &why);
	close(fd);
	MUST(!err || why);
	fuzz_must_be_printable(why);
	free(why);
	if (err)
		return;
	MUST(c.n >= 2 && json_is_array(json_object_get(c.manifest, "items")));
	for (size_t i = 0; i < c.n; i++)
		MUST(bundle_name_is_fine(c.members[i].path) && (!i || strcmp(c.members[i - 1].path, c.members[i].path) < 0));
	bundle_contents_done(&c);
}

/* A manifest against files of which it may tell the truth. */
static void check_manifest(const uint8_t *data, size_t size)
{
	static struct bundle_member members[] = {
		{ .path = (char *)(uintptr_t)"a", .bytes = 1, .sha256 = "00" },
		{ .path = (char *)(uintptr_t)BUNDLE_MARKER },
		{ .path = (char *)(uintptr_t)BUNDLE_MANIFEST },
	};
	struct bundle_contents c = { .members = members, .n = 3, .manifest = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL) };
	char *why = NULL;

	MUST(!bundle_check_manifest(&c, &why) || why);
	fuzz_must_be_printable(why);
	free(why);
	json_decref(c.manifest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t what = 0;

	fuzz_take(&data, &size, &what, 1);
	if (what == 'l') {
		char *text = xstrndup((const char *)data, size);

		check_list(text);
		free(text);
	} else if (what == 'm') {
		check_manifest(data, size);
	} else {
		check_bundle(data, size);
	}
	return 0;
}
