// SPDX-License-Identifier: Apache-2.0
// Tests of helper/base/text.c and helper/base/file.c: numbers, lists, files.
#include "unit.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static void number_u64(void)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "1", 0, 1 },
		{ "007", 0, 7 },
		{ "4294967296", 0, UINT64_C(4294967296) },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "18446744073709551620", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1\n", -EINVAL, 0 },
		{ "0x10", -EINVAL, 0 },
		{ "1e3", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "\xef\xbc\x91", -EINVAL, 0 }, /* a full-width digit */
		{ "1\xb2", -EINVAL, 0 },
		{ "a", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 77;

		CHECK_INT(parse_u64(cases[i].text, &value), cases[i].err);
		CHECK_U64(value, cases[i].err ? 77 : cases[i].value);
	}
}

static void size(void)
{
	static const struct {
		const char *text;
		int err;
		uint64_t bytes;
	} cases[] = {
		{ "1", 0, 1 },
		{ "100K", 0, 102400 },
		{ "64M", 0, UINT64_C(64) << 20 },
		{ "3G", 0, UINT64_C(3) << 30 },
		{ "2T", 0, UINT64_C(2) << 40 },
		{ "", -EINVAL, 0 },
		{ "0", -EINVAL, 0 },
		{ "0K", -EINVAL, 0 },
		{ "K", -EINVAL, 0 },
		{ "1 K", -EINVAL, 0 },
		{ "1k", -EINVAL, 0 },
		{ "1KB", -EINVAL, 0 },
		{ "-1K", -EINVAL, 0 },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "8388607T", 0, UINT64_C(8388607) << 40 },
		{ "8388608T", -ERANGE, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t bytes = 7;

		CHECK_INT(parse_size(cases[i].text, &bytes), cases[i].err);
		CHECK_U64(bytes, cases[i].err ? 7 : cases[i].bytes);
	}
}

static void number_i64(void)
{
	static const struct {
		const char *text;
		int err;
		int64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "-1", 0, -1 },
		{ "9007199254740993", 0, INT64_C(9007199254740993) }, /* 2^53 + 1: no double holds it */
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775807", 0, -INT64_MAX },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "-9223372036854775809", -ERANGE, 0 },
		{ "18446744073709551615", -ERANGE, 0 },
		{ "-18446744073709551616", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
		{ "-+1", -EINVAL, 0 },
		{ "- 1", -EINVAL, 0 },
		{ "1-", -EINVAL, 0 },
		{ "+1", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = 77;

		CHECK_INT(parse_i64(cases[i].text, &value), cases[i].err);
		CHECK_INT(value, cases[i].err ? 77 : cases[i].value);
	}
}

static void check_split(const char *text, const char *separators, const char *joined, size_t n)
{
	struct strings list = { 0 };
	CLEANUP_FREE char *text_again = NULL;

	strings_split(&list, text, separators);
	text_again = strings_join(&list, "+");
	CHECK_INT(list.n, n);
	CHECK_STR(text_again, joined);
	strings_done(&list);
}

static void lists(void)
{
	struct strings list = { 0 };
	CLEANUP_FREE char *empty = strings_join(&list, ",");

	CHECK_STR(empty, "");
	CHECK(!strings_have(&list, ""));
	strings_add(&list, "kvm");
	strings_add_n(&list, "kvm_intel,rest", 9);
	CHECK(strings_have(&list, "kvm"));
	CHECK(strings_have(&list, "kvm_intel"));
	CHECK(!strings_have(&list, "kvm_"));
	CHECK(!strings_have(&list, "kvm_intel,rest"));
	strings_done(&list);
	CHECK(!list.n && !list.items);
	strings_done(&list); /* twice is fine */
	check_split("", ",", "", 0);
	check_split(",,,", ",", "", 0);
	check_split("a", ",", "a", 1);
	check_split(",a,,b ,", ",", "a+b ", 2);
	check_split(" a, b ,c", ", ", "a+b+c", 3);
	check_split("a b", "", "a b", 1);
}

static void text(void)
{
	char line[] = "  a b \t\r\n", blank[] = " \n", none[] = "";

	CHECK_STR(trim_end(line), "  a b");
	CHECK_STR(skip_space(line), "a b");
	CHECK_STR(trim_end(blank), "");
	CHECK_STR(trim_end(none), "");
	CHECK_STR(skip_space("\t\n x"), "x");
	CHECK_STR(skip_space(""), "");
	CHECK(starts_with("kprobe:x", "kprobe:"));
	CHECK(starts_with("kprobe:", "kprobe:"));
	CHECK(starts_with("x", ""));
	CHECK(!starts_with("kprobe", "kprobe:"));
	CHECK(!starts_with("", "k"));
}

static void read_files(void)
{
	CLEANUP_FREE char *empty = unit_path("empty");
	CLEANUP_FREE char *bytes = unit_path("bytes");
	CLEANUP_FREE char *missing = unit_path("missing");
	CLEANUP_FREE char *long_one = unit_path("long");
	static char large[200001];
	char *text = NULL;
	size_t size = 77;

	unit_write_text(unit_directory(), "empty", "");
	unit_write(unit_directory(), "bytes", "a\0b\n", 4);
	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (char)('a' + i % 23);
	unit_write(unit_directory(), "long", large, sizeof(large));

	CHECK_INT(file_read(missing, 10, &text, &size), -ENOENT);
	CHECK(!text && size == 77);
	CHECK_INT(file_read(unit_directory(), 10, &text, &size), -EISDIR);
	CHECK(!text && size == 77);
	CHECK_INT(file_read(bytes, 3, &text, &size), -EFBIG);
	CHECK(!text && size == 77);

	CHECK_INT(file_read(empty, 0, &text, &size), 0);
	CHECK_STR(text, "");
	CHECK_INT(size, 0);
	free(text);
	CHECK_INT(file_read(bytes, 4, &text, &size), 0);
	CHECK_INT(size, 4);
	CHECK(!memcmp(text, "a\0b\n", 5));
	free(text);
	CHECK_INT(file_read(long_one, sizeof(large), &text, &size), 0);
	CHECK_INT(size, sizeof(large));
	CHECK(!memcmp(text, large, sizeof(large)) && !text[size]);
	free(text);
	text = NULL;
	CHECK_INT(file_read(long_one, sizeof(large) - 1, &text, &size), -EFBIG);
	CHECK(!text);
}

/* Files of /proc say that they have no size. */
static void read_proc(void)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FREE char *maps = NULL;
	CLEANUP_FREE char *release = file_line("/proc/sys/kernel/osrelease");
	struct stat st;
	size_t size;

	CHECK_INT(stat("/proc/self/status", &st), 0);
	CHECK_INT(st.st_size, 0);
	CHECK_INT(file_read("/proc/self/status", 1 << 20, &text, &size), 0);
	CHECK(starts_with(text, "Name:"));
	CHECK_HAS(text, "\nnonvoluntary_ctxt_switches:");
	CHECK_INT(strlen(text), size);
	CHECK_INT(file_read("/proc/self/maps", 1 << 24, &maps, NULL), 0);
	CHECK(*maps);
	CHECK(release && *release && !strchr(release, '\n'));
}

static void read_line(void)
{
	CLEANUP_FREE char *path = unit_path("lines");
	CLEANUP_FREE char *missing = unit_path("no/such");
	CLEANUP_FREE char *first = NULL;
	CLEANUP_FREE char *only = NULL;
	CLEANUP_FREE char *none = NULL;

	unit_write_text(unit_directory(), "lines", "one\ntwo\n");
	first = file_line(path);
	CHECK_STR(first, "one");
	unit_write_text(unit_directory(), "lines", "no end");
	only = file_line(path);
	CHECK_STR(only, "no end");
	unit_write_text(unit_directory(), "lines", "");
	none = file_line(path);
	CHECK_STR(none, "");
	CHECK_STR(file_line(missing), NULL);
}

static void write_files(void)
{
	CLEANUP_FREE char *path = unit_path("written");
	CLEANUP_FREE char *below = unit_path("no/such/place");
	CLEANUP_FREE char *text = NULL;
	static const char block[1 << 16];
	struct stat st;

	umask(022);
	CHECK_INT(file_write(path, "longer text", 11), 0);
	CHECK_INT(file_write(path, "new", 3), 0);
	CHECK_INT(file_read(path, 100, &text, NULL), 0);
	CHECK_STR(text, "new");
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0644);
	CHECK_INT(file_write(below, "x", 1), -ENOENT);
	CHECK_INT(file_write(unit_directory(), "x", 1), -EISDIR);
	if (!access("/dev/full", W_OK)) {
		CHECK_INT(file_write("/dev/full", "x", 1), -ENOSPC);
		CHECK_INT(file_write("/dev/full", block, sizeof(block)), -ENOSPC);
	}
}

static void make_directories(void)
{
	CLEANUP_FREE char *deep = unit_path("d/e/f");
	CLEANUP_FREE char *slashes = unit_path("g//h/");
	CLEANUP_FREE char *plain = unit_path("plain");
	CLEANUP_FREE char *through = unit_path("plain/x");
	struct stat st;

	CHECK_INT(directory_make(deep), 0);
	CHECK(!stat(deep, &st) && S_ISDIR(st.st_mode));
	CHECK_INT(directory_make(deep), 0);
	CHECK_INT(directory_make(slashes), 0);
	CHECK(!stat(slashes, &st) && S_ISDIR(st.st_mode));
	CHECK_INT(directory_make("/"), 0);
	CHECK_INT(directory_make(""), -ENOENT);
	unit_write_text(unit_directory(), "plain", "x");
	CHECK_INT(directory_make(plain), -ENOTDIR);
	CHECK_INT(directory_make(through), -ENOTDIR);
}

static void memory(void)
{
	CLEANUP_FREE char *part = xstrndup("kvmwait", 3);
	CLEANUP_FREE char *formatted = xasprintf("%s-%d", part, 7);
	CLEANUP_FREE char *zero = xcalloc(0, 0);
	unsigned char *grown = xcalloc(4, 1);

	CHECK_STR(part, "kvm");
	CHECK_STR(formatted, "kvm-7");
	CHECK(zero);
	CHECK(!grown[0] && !grown[3]);
	grown[3] = 9;
	grown = xrealloc(grown, 100, 100);
	CHECK_INT(grown[3], 9);
	free(grown);
}

/* Below a directory of a stranger's: files and directories, and nothing that leads elsewhere or blocks. */
static void below(void)
{
	CLEANUP_FREE char *root = unit_path("below"), *pipe_path = unit_path("below/a/pipe");
	CLEANUP_FREE char *link_path = unit_path("below/a/link"), *above_path = unit_path("below/b"), *big_path = unit_path("below/a/big");
	CLEANUP_FREE char *text = NULL;
	size_t size;
	int fd;

	unit_write_text(root, "a/file", "text\n");
	unit_write_text(root, "a/big", "");
	CHECK_INT(truncate(big_path, 1 << 30), 0);
	CHECK_INT(mkfifo(pipe_path, 0600), 0);
	CHECK_INT(symlink("file", link_path), 0);
	CHECK_INT(symlink("a", above_path), 0);
	CHECK_INT(file_read_below(root, "/a/file", 100, &text, &size), 0);
	CHECK_STR(text, "text\n");
	CHECK_U64(size, 5);
	CHECK_INT(file_read_below(root, "/a/file", 4, &text, NULL), -EFBIG);
	CHECK_INT(file_read_below(root, "/a/big", 1 << 20, &text, NULL), -EFBIG);
	CHECK_INT(file_read_below(root, "/a/none", 100, &text, NULL), -ENOENT);
	CHECK_INT(file_read_below(root, "/a/file/none", 100, &text, NULL), -ENOTDIR);
	CHECK_INT(file_read_below(root, "/a", 100, &text, NULL), -EISDIR);
	CHECK_INT(file_read_below(root, "/a/pipe", 100, &text, NULL), -ENODEV);
	CHECK_INT(file_read_below(root, "/a/link", 100, &text, NULL), -ELOOP);
	CHECK_INT(file_read_below(root, "/b/file", 100, &text, NULL), -ELOOP);
	CHECK_INT(file_read_below(root, "/a/../a/file", 100, &text, NULL), -ELOOP);
	CHECK_INT(file_read_below(link_path, "/a", 100, &text, NULL), -ENOTDIR);
	fd = file_open_below(root, "/a");
	CHECK(fd >= 0);
	close(fd);
}

/* What was written before it failed is known; a file may hold no more than the limit. */
static void write_all(void)
{
	CLEANUP_FREE char *path = unit_path("limited");
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CLEANUP_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct rlimit old;
	char data[1000] = { 0 };
	size_t written = 7;

	CHECK_INT(file_write_all(fd, data, 300, &written), 0);
	CHECK_U64(written, 300);
	CHECK(!getrlimit(RLIMIT_FSIZE, &old));
	signal(SIGXFSZ, SIG_IGN);
	CHECK(!setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 900, old.rlim_max }));
	CHECK_INT(file_write_all(fd, data, sizeof(data), &written), -EFBIG);
	CHECK(!setrlimit(RLIMIT_FSIZE, &old));
	CHECK_U64(written, 600);
	if (full >= 0)
		CHECK_INT(file_write_all(full, data, 1, &written), -ENOSPC);
	CHECK_U64(written, 0);
	CHECK_INT(file_write_all(-1, data, 1, NULL), -EBADF);
	CHECK_INT(file_write_all(-1, NULL, 0, NULL), 0);
}

static void nothing(int signal_number)
{
	(void)signal_number;
}

/* A pipe whose reader is slow takes a part at a time, and a timer interrupts. */
static void write_interrupted(void)
{
	size_t size = 1u << 20, got = 0;
	CLEANUP_FREE char *data = xcalloc(size, 1);
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { 0 };
	int fds[2], status;
	pid_t child;

	CHECK(!pipe(fds));
	child = fork();
	if (!child) {
		char piece[4096];

		close(fds[1]);
		for (ssize_t n; (n = read(fds[0], piece, sizeof(piece))) > 0; got += (size_t)n)
			usleep(200);
		_exit(got != size);
	}
	close(fds[0]);
	CHECK(!sigaction(SIGALRM, &(struct sigaction){ .sa_handler = nothing }, NULL));
	CHECK(!setitimer(ITIMER_REAL, &often, NULL));
	CHECK_INT(file_write_all(fds[1], data, size, &got), 0);
	CHECK(!setitimer(ITIMER_REAL, &never, NULL));
	CHECK_U64(got, size);
	close(fds[1]);
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
}

static const struct unit_test tests[] = {
	{ "number_u64", number_u64 },
	{ "size", size },
	{ "number_i64", number_i64 },
	{ "lists", lists },
	{ "text", text },
	{ "read_files", read_files },
	{ "read_proc", read_proc },
	{ "read_line", read_line },
	{ "below", below },
	{ "write_files", write_files },
	{ "write_all", write_all },
	{ "write_interrupted", write_interrupted },
	{ "make_directories", make_directories },
	{ "memory", memory },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
