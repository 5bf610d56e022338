// SPDX-License-Identifier: Apache-2.0
// Tests of helper/bundle/list.c, helper/bundle/bundle.c and helper/bundle/read.c: the list, the way into an archive and out of it.
#include "unit.h"

#include "base/file.h"
#include "bundle/read.h"

#include <fcntl.h>
#include <sys/stat.h>

/* ---- the list ---- */

static void test_list(void)
{
	struct bundle_list list = { 0 };
	CLEANUP_FREE char *why = NULL;
	static const char text[] = "# a remark\n\n a/b.json\t2d+30 4M run %kvmwait% plan --json\nc/ 5 100 file /proc/sys/* /x\nd 1 1K lines /dev/kmsg kvm x";

	CHECK_INT(bundle_list_parse(text, &list, &why), 0);
	CHECK_INT(list.n, 3);
	CHECK_STR(list.items[0].name, "a/b.json");
	CHECK_INT(list.items[0].seconds, 30);
	CHECK_INT(list.items[0].durations, 2);
	CHECK_U64(list.items[0].size_bytes, 4 << 20);
	CHECK_INT(list.items[0].kind, BUNDLE_RUN);
	CHECK_INT(list.items[0].words.n, 3);
	CHECK_INT(list.items[1].kind, BUNDLE_FILE);
	CHECK(bundle_item_is_many(&list.items[1]));
	CHECK_U64(list.items[2].size_bytes, 1024);
	CHECK_INT(list.items[2].line, 5);
	bundle_list_done(&list);
}

static void check_refused(int line, const char *text, const char *expected)
{
	struct bundle_list list = { 0 };
	CLEANUP_FREE char *why = NULL;

	unit_checks++;
	if (bundle_list_parse(text, &list, &why) != -EINVAL || !why || !strstr(why, expected) || list.n)
		unit_fail(__FILE__, line, "'%s': '%s', not '%s'", text, why ? why : "taken", expected);
}
#define REFUSED(text, expected) check_refused(__LINE__, text, expected)

static void test_bad_lists(void)
{
	REFUSED("", "names nothing");
	REFUSED("# only\n", "names nothing");
	REFUSED("a 1 1\n", "line 1: not NAME SECONDS SIZE KIND");
	REFUSED("\na 0 1 vms\n", "line 2: no number of seconds");
	REFUSED("a 3601 1 vms", "no number of seconds");
	REFUSED("a 5d+1 1 vms", "no number of seconds");
	REFUSED("a 0d+1 1 vms", "no number of seconds");
	REFUSED("a -1 1 vms", "no number of seconds");
	REFUSED("a 1 0 vms", "no size");
	REFUSED("a 1 1T vms", "no size");
	REFUSED("a 1 M vms", "no size");
	REFUSED("a 1 18446744073709551615G vms", "no size");
	REFUSED("a 1 1 command x", "no such kind");
	REFUSED("../a 1 1 vms", "not a name");
	REFUSED("a/ 1 1 cgroups", "takes names of files");
	REFUSED("a 1 1 cgroups cpu.max", "takes names of files");
	REFUSED("a/ 1 1 cgroups cpu.max ../x", "no / in it");
	REFUSED("a/ 1 1 cgroups ..", "does not begin with a dot");
	REFUSED("/a 1 1 vms", "not a name");
	REFUSED("a//b 1 1 vms", "not a name");
	REFUSED("a/.b 1 1 vms", "not a name");
	REFUSED("/ 1 1 file /x", "not a name");
	REFUSED("a$ 1 1 vms", "not a name");
	REFUSED("a/ 1 1 vms", "vms takes no word and makes one file");
	REFUSED("a 1 1 vms x", "vms takes no word");
	REFUSED("a 1 1 run", "neither %kvmwait%");
	REFUSED("a 1 1 run ls", "neither %kvmwait%");
	REFUSED("a 1 1 run %out%", "neither %kvmwait%");
	REFUSED("a 1 1 run /bin/ls %nonsense%", "no placeholder");
	REFUSED("a 1 1 run /bin/ls x%out%", "no placeholder");
	REFUSED("a/ 1 1 run /bin/ls", "needs %out%");
	REFUSED("a 1 1 file", "no path");
	REFUSED("a 1 1 file x", "does not begin with /");
	REFUSED("a 1 1 file /x/../y", "has .. in it");
	REFUSED("a 1 1 file /x /y", "several files need");
	REFUSED("a 1 1 file /x*", "several files need");
	REFUSED("a 1 1 lines /x", "no words");
	REFUSED("a/ 1 1 lines /x y", "lines make one file");
	REFUSED("a 1 1 vms\na 1 1 vms\n", "line 2: the same name again");
	REFUSED("a/ 1 1 file /x\na/b 1 1 vms\n", "below that of another");
	REFUSED("a/b 1 1 vms\na/ 1 1 file /x\n", "below that of another");
	REFUSED("a 1 1 run /bin/\033[2J\n", "not printable ASCII: 'a 1 1 run /bin/\\x1b[2J'");
}

static void test_names(void)
{
	CLEANUP_FREE char *deep = xstrdup("a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a");

	CHECK(bundle_name_is_fine("a") && bundle_name_is_fine("a/B.c_9,+:=@-"));
	CHECK(!bundle_name_is_fine("") && !bundle_name_is_fine("a/") && !bundle_name_is_fine("a/..") && !bundle_name_is_fine("a b"));
	CHECK(!bundle_name_is_fine("a\\b") && !bundle_name_is_fine("a\nb") && !bundle_name_is_fine("\303\244"));
	CHECK(!bundle_name_is_fine(deep));
	deep[31] = '\0';
	CHECK(bundle_name_is_fine(deep));
}

/* ---- a bundle ---- */

static bool never(void)
{
	return false;
}

static const struct bundle_item one = { .name = (char *)"one.txt" }, many = { .name = (char *)"many/" };

static void stage(struct bundle *b, const char *staged, const char *text)
{
	unit_write_text(b->directory, staged, text);
}

/* Writes a bundle of three files; its path, which the caller frees. */
static char *make_bundle(const char *name, struct redact *names)
{
	char *path = unit_path(name);
	CLEANUP_FREE char *why = NULL;
	struct bundle b = { 0 };
	json_t *about = json_pack("{s:s, s:i, s:s}", "format", BUNDLE_MARKER, "version", BUNDLE_VERSION, "host", "web01");
	struct stat st;

	CHECK_INT(bundle_begin(path, 1 << 20, &b, &why), 0);
	CHECK_INT(stat(b.directory, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0700);
	stage(&b, "0", "on web01\n");
	stage(&b, "1.0", "x");
	stage(&b, "1.1", "");
	bundle_add(&b, &one, "", xstrdup("/bin/x web01"), xstrdup("0"), BUNDLE_TRUNCATED, xstrdup("web01 is full"));
	bundle_add(&b, &many, "/sys/web01\\x2d.d/.a b", xstrdup("/sys/web01\\x2d.d/.a b"), xstrdup("1.0"), BUNDLE_OK, NULL);
	bundle_add(&b, &many, "/sys/web01_x2d.d/_a_b", xstrdup("/sys/web01_x2d.d/_a_b"), xstrdup("1.1"), BUNDLE_OK, NULL);
	bundle_add(&b, &many, "/gone", xstrdup("/gone"), NULL, BUNDLE_FAILED, xstrdup("No such file"));
	CHECK_INT(bundle_write(&b, about, names, never, &why), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	bundle_done(&b);
	json_decref(about);
	return path;
}

static void test_there_and_back(void)
{
	CLEANUP_FREE char *path = make_bundle("back.tar.zst", NULL);
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *directory = unit_path("back");
	CLEANUP_FREE char *text = NULL;
	struct bundle_contents c = { 0 };
	const json_t *item;
	int fd = open(path, O_RDONLY), member = -1;
	char bytes[16] = { 0 };

	CHECK(bundle_is_one(path));
	CHECK(!bundle_is_one("/proc/self/exe") && !bundle_is_one("/dev/zero") && !bundle_is_one("/nonexistent"));
	CHECK_INT(bundle_read(fd, &c, &why), 0);
	CHECK_INT(c.n, 5);
	CHECK_STR(c.members[2].path, "many/sys/web01_x2d.d/_a_b");
	CHECK_STR(c.members[3].path, "many/sys/web01_x2d.d/_a_b-2"); /* made fit, two became the same */
	/* printf 'on web01\n' | sha256sum */
	CHECK_STR(c.members[4].sha256, "db58962258b04588e25a9ce2839d70077cdb11e4c625389ef8631f6aae7965a0");
	item = json_array_get(json_object_get(c.manifest, "items"), 0);
	CHECK_STR(json_string_value(json_object_get(item, "status")), "truncated");
	CHECK_STR(json_string_value(json_object_get(item, "why")), "web01 is full");
	item = json_array_get(json_object_get(c.manifest, "items"), 3);
	CHECK_STR(json_string_value(json_object_get(item, "status")), "failed");
	CHECK(json_is_null(json_object_get(item, "path")));
	bundle_contents_done(&c);
	close(fd);
	CHECK_INT(bundle_extract(path, "", directory, &c, &why), 0);
	bundle_contents_done(&c);
	CHECK_INT(file_read_below(directory, "one.txt", 100, &text, NULL), 0);
	CHECK_STR(text, "on web01\n");
	CHECK_INT(bundle_extract(path, "", directory, &c, &why), -ENOTEMPTY);
	free(why);
	why = NULL;
	CHECK_INT(bundle_open_member(path, "one.txt", &member, &why), 0);
	CHECK_INT(read(member, bytes, sizeof(bytes)), 9);
	CHECK_STR(bytes, "on web01\n");
	close(member);
	CHECK_INT(bundle_open_member(path, "two.txt", &member, &why), -ENOENT);
}

static void test_redacted(void)
{
	struct redact *names = redact_new();
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FREE char *map = unit_path("red.tar.zst.redactions.json");
	CLEANUP_FREE char *why = NULL;
	struct bundle_contents c = { 0 };
	CLEANUP_FREE char *manifest = NULL;
	struct stat st;
	int fd;

	redact_add(names, REDACT_VM, "web01");
	path = make_bundle("red.tar.zst", names);
	fd = open(path, O_RDONLY);
	CHECK_INT(bundle_read(fd, &c, &why), 0);
	close(fd);
	CHECK_STR(c.members[2].path, "many/sys/vm-1_x2d.d/_a_b");
	manifest = json_dumps(c.manifest, 0);
	CHECK(!strstr(manifest, "web01"));
	CHECK_HAS(manifest, "vm-1 is full");
	CHECK_HAS(manifest, "\"host\": \"vm-1\"");
	CHECK_INT(stat(map, &st), 0);
	CHECK_INT(st.st_mode & 0777, 0600);
	bundle_contents_done(&c);
	redact_free(names);
}

static void test_places(void)
{
	struct bundle b = { 0 };
	CLEANUP_FREE char *why = NULL;
	CLEANUP_FREE char *link_path = unit_path("link");

	CHECK_INT(bundle_begin("/dev/null", 1, &b, &why), -EEXIST);
	CHECK_HAS(why, "not a regular file");
	free(why);
	CHECK_INT(symlink("target", link_path), 0);
	CHECK_INT(bundle_begin(link_path, 1, &b, &why), -EEXIST);
	free(why);
	CHECK_INT(bundle_begin("/tmp/", 1, &b, &why), -EISDIR);
	free(why);
	CHECK_INT(bundle_begin("/nonexistent/x", 1, &b, &why), -ENOENT);
}

static const struct unit_test tests[] = {
	{ "a list", test_list },
	{ "bad lists", test_bad_lists },
	{ "names of members", test_names },
	{ "there and back", test_there_and_back },
	{ "redacted", test_redacted },
	{ "places", test_places },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
