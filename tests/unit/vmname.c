// SPDX-License-Identifier: Apache-2.0
// Tests of helper/vmname.c: the name of a VM from the command line of its process.
#include "unit.h"

#include "vmname.h"

#include <signal.h>
#include <sys/wait.h>

/* The name from bytes that nothing stands behind; the caller frees. */
static char *name_of(const void *cmdline, size_t n)
{
	CLEANUP_FREE char *exact = unit_exact(cmdline, n);

	return vmname_from_cmdline(exact, n);
}

/* A literal with its inner NULs and the last. */
#define CHECK_NAME(cmdline, expected)                                                                                            \
	do {                                                                                                                     \
		CLEANUP_FREE char *name_ = name_of(cmdline, sizeof(cmdline));                                                    \
		CHECK_STR(name_, expected);                                                                                      \
	} while (0)
/* Without the last. */
#define CHECK_NAME_CUT(cmdline, expected)                                                                                        \
	do {                                                                                                                     \
		CLEANUP_FREE char *name_ = name_of(cmdline, sizeof(cmdline) - 1);                                                \
		CHECK_STR(name_, expected);                                                                                      \
	} while (0)

static void forms(void)
{
	CHECK_NAME("qemu-system-x86_64\0-name\0guest=web01,debug-threads=on\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-name\0web01\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-name\0web01,process=x\0-m\0" "512", "web01");
	CHECK_NAME("qemu\0-m\0" "512\0-name\0guest=web01", "web01");
	CHECK_NAME("-name\0web01", "web01");
	CHECK_NAME("qemu\0--name\0guest=web01", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on,guest=web01", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on,guest=web01,process=x", "web01");
	CHECK_NAME("qemu\0-name\0debug-threads=on", NULL);
	CHECK_NAME("qemu\0-name\0debug-threads=on,web01", NULL); /* a flag of that name, were there one */
	CHECK_NAME("qemu\0-name\0a,guest=b", "b"); /* the last one counts, as in QEMU */
	CHECK_NAME("qemu\0-name\0web 01 (old)", "web 01 (old)");
	CHECK_NAME("qemu\0-name\0guest=\"x\"", "\"x\"");
}

static void none(void)
{
	CHECK_STR(name_of("", 0), NULL);
	CHECK_NAME("", NULL);
	CHECK_NAME("qemu", NULL);
	CHECK_NAME("qemu\0-m\0" "512", NULL);
	CHECK_NAME("qemu\0-names\0web01", NULL);
	CHECK_NAME("qemu\0x-name\0web01", NULL);
	CHECK_NAME("qemu\0name\0web01", NULL);
	CHECK_NAME("qemu\0-name=web01", NULL);
	CHECK_NAME("qemu\0-name\0", NULL);
	CHECK_NAME("qemu\0-name\0\0-m\0" "512", NULL);
	CHECK_NAME("qemu\0-name\0guest=", NULL);
	CHECK_NAME("qemu\0-name\0guest=,debug-threads=on", NULL);
	CHECK_NAME("qemu\0-name\0,debug-threads=on", NULL);
	CHECK_NAME("\0\0\0\0", NULL);
}

/* The option without a value, as the last thing there is. */
static void value_missing(void)
{
	CHECK_NAME("qemu\0-name", NULL);
	CHECK_NAME_CUT("qemu\0-name", NULL);
	CHECK_NAME_CUT("-name", NULL);
	CHECK_NAME_CUT("qemu\0-name\0", NULL);
	CHECK_NAME_CUT("qemu\0-nam", NULL);
}

/* QEMU doubles a comma that is part of a value. */
static void commas(void)
{
	CHECK_NAME("qemu\0-name\0guest=a,,b,debug-threads=on", "a,b");
	CHECK_NAME("qemu\0-name\0guest=a,,,b", "a,");
	CHECK_NAME("qemu\0-name\0a,,", "a,");
	CHECK_NAME("qemu\0-name\0a,", "a");
	CHECK_NAME_CUT("qemu\0-name\0a,", "a");
	CHECK_NAME_CUT("qemu\0-name\0a,,", "a,");
	CHECK_NAME_CUT("qemu\0-name\0,", NULL);
}

/* A command line that was cut off has no NUL at its end. */
static void not_terminated(void)
{
	CHECK_NAME_CUT("qemu\0-name\0web01", "web01");
	CHECK_NAME_CUT("qemu\0-name\0guest=web01", "web01");
	CHECK_NAME_CUT("qemu\0-name\0guest=web01,x", "web01");
	CHECK_NAME_CUT("qemu\0-name\0g", "g");
	CHECK_NAME_CUT("qemu\0-name\0guest", "guest");
	CHECK_NAME_CUT("qemu\0-name\0guest=", NULL);
}

static void unprintable(void)
{
	CHECK_NAME("qemu\0-name\0a\nb", "a\\x0ab");
	CHECK_NAME("qemu\0-name\0\x1b]0;owned\x07", "\\x1b]0;owned\\x07");
	CHECK_NAME("qemu\0-name\0guest=a\\b", "a\\\\b");
	CHECK_NAME("qemu\0-name\0guest=M\xc3\xbcller", "M\xc3\xbcller");
	CHECK_NAME("qemu\0-name\0guest=\xff\xe2\x80\xae" "evil", "\\xff\\xe2\\x80\\xaeevil");
}

/* 128 bytes of a name are kept, however many it has. */
static void long_names(void)
{
	CLEANUP_FREE char *line = xcalloc(5000, 1);
	CLEANUP_FREE char *printable = NULL;
	CLEANUP_FREE char *control = NULL;
	CLEANUP_FREE char *just = NULL;

	memcpy(line, "qemu\0-name\0guest=", 17);
	memset(line + 17, 'x', 4096);
	printable = name_of(line, 17 + 4096);
	CHECK_INT(strlen(printable), 128);
	CHECK_INT(strspn(printable, "x"), 128);
	memset(line + 17, '\n', 4096);
	control = name_of(line, 17 + 4096);
	CHECK_INT(strlen(control), 4 * 128);
	CHECK(starts_with(control, "\\x0a\\x0a"));
	memset(line + 17, 'y', 128);
	line[17 + 128] = ',';
	just = name_of(line, 17 + 4096);
	CHECK_INT(strlen(just), 128);
	CHECK_INT(strspn(just, "y"), 128);
}

/* Nothing makes it read or write where it must not. */
static void random_bytes(void)
{
	static const char *const parts[] = { "-name", "\0", "guest=", ",", "x", "\xe2\x80", "-n", "\n" };

	unit_random_seed(5);
	for (unsigned int i = 0; i < 20000; i++) {
		char line[64];
		size_t n = 0;
		CLEANUP_FREE char *name = NULL;

		while (n < 48) {
			const char *part = parts[unit_random(ARRAY_SIZE(parts))];
			size_t length = *part ? strlen(part) : 1;

			memcpy(line + n, part, length);
			n += length;
		}
		n = unit_random(n);
		name = name_of(line, n);
		CHECK(!name || (*name && strlen(name) <= 4 * n));
	}
}

/* The name of a process that runs, asked for again, and after it has ended. */
static void processes(void)
{
	struct vmnames *names = vmnames_new();
	int ready[2], hold[2];
	char byte;
	pid_t pid;

	CHECK_STR(vmnames_get(names, (uint32_t)getpid()), NULL);
	CHECK_INT(pipe(ready), 0);
	CHECK_INT(pipe(hold), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		dup2(ready[1], STDOUT_FILENO);
		dup2(hold[0], STDIN_FILENO);
		execl("/bin/sh", "qemu", "-c", "echo; read line", "-name", "guest=web01,debug-threads=on", (char *)NULL);
		_exit(127);
	}
	close(ready[1]);
	CHECK_INT(read(ready[0], &byte, 1), 1);
	CHECK_STR(vmnames_get(names, (uint32_t)pid), "web01");
	CHECK_STR(vmnames_get(names, (uint32_t)getpid()), NULL);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(hold[0]);
	close(hold[1]);
	CHECK_STR(vmnames_get(names, (uint32_t)pid), "web01"); /* its last events may still come */
	CHECK_STR(vmnames_get(names, UINT32_MAX), NULL);
	vmnames_free(names);
	vmnames_free(NULL);
}

static const struct unit_test tests[] = {
	{ "forms", forms },
	{ "none", none },
	{ "value_missing", value_missing },
	{ "commas", commas },
	{ "not_terminated", not_terminated },
	{ "unprintable", unprintable },
	{ "long_names", long_names },
	{ "random_bytes", random_bytes },
	{ "processes", processes },
};

int main(void)
{
	return unit_run(tests, ARRAY_SIZE(tests));
}
