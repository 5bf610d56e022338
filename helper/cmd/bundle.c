// SPDX-License-Identifier: Apache-2.0
// kvmwait bundle: what a support engineer needs of a host, in one file; and a look into such a file.
#include "base/clean_text.h"
#include "base/clock.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/output.h"
#include "base/progress.h"
#include "base/text.h"
#include "bundle/collect.h"
#include "bundle/libarchive.h"
#include "bundle/read.h"
#include "bundle/redact_host.h"
#include "cmd/command.h"
#include "live/child.h"
#include "record/event.h"
#include "record/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S 300u /* for all that does not depend on the duration */
#define DURATION_MAX_S 3600u
#define DEFAULT_DURATION_S 5u
#define DEFAULT_MAX_BYTES (UINT64_C(256) << 20)
#define MOST_BYTES (UINT64_C(3) << 30) /* below what bundle_read() takes */

struct settings {
	uint64_t duration_s, max_bytes;
	const char *output, *items, *extract, *bpftrace, *file;
	bool redact, list;
};

static const struct option_row options[] = {
	{ 'd', "duration", "SEC", "record for SEC seconds, and count for as many (default: 5)", TO_NUMBER(duration_s), .min = 1, .max = DURATION_MAX_S },
	{ 'o', "output", "FILE", "write to FILE instead of kvmwait-HOST-DATE.tar.zst", TO_TEXT(output) },
	{ 0, "redact", NULL, "replace names and addresses by tokens; the map is in FILE.redactions.json", TO_FLAG(redact) },
	{ 0, "max-size", "SIZE", "limit the content to SIZE before compression (default: 256M)", TO_SIZE(max_bytes), .max = MOST_BYTES },
	{ 0, "items", "FILE", "use the list of contents in FILE", TO_TEXT(items) },
	{ 0, "bpftrace", "PATH", "use this bpftrace", TO_TEXT(bpftrace) },
	{ 0, "list", NULL, "check the bundle FILE and list its content; without FILE, list the content of a new bundle", TO_FLAG(list) },
	{ 0, "extract", "DIR", "check the bundle FILE and write its files below DIR, a new or empty directory", TO_TEXT(extract) },
	{ 0 },
};

static volatile sig_atomic_t stop_signal;
static struct progress progress;
static size_t n_items, n_items_done;

static void on_signal(int number)
{
	stop_signal = number;
}

static bool is_stopped(void)
{
	return stop_signal;
}

static void show_item(const char *name)
{
	progress_show(&progress, "bundle: %zu of %zu, %s", n_items_done + 1, n_items, name);
}

/* ---- reading ---- */

static void print_clean(const char *text, const char *before)
{
	CLEANUP_FREE char *clean = xcalloc(4 * strlen(text ? text : "") + 1, 1);

	text_clean(text ? text : "", strlen(text ? text : ""), clean);
	printf("%s%s", before, clean);
}

static void print_contents(const struct bundle_contents *c)
{
	static const char *const about[] = { "host", "created", "kernel", "kvmwait" };
	const json_t *items = json_object_get(c->manifest, "items"), *item;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(about); i++)
		if (json_is_string(json_object_get(c->manifest, about[i]))) {
			printf("%-8s", about[i]);
			print_clean(json_string_value(json_object_get(c->manifest, about[i])), " ");
			putchar('\n');
		}
	printf("\n%-10s %12s  %s\n", "STATUS", "BYTES", "FILE");
	json_array_foreach(items, i, item) {
		const char *path = json_string_value(json_object_get(item, "path"));
		const char *why = json_string_value(json_object_get(item, "why"));
		const char *source = json_string_value(json_object_get(item, "source"));

		printf("%-10.10s ", json_string_value(json_object_get(item, "status")));
		if (path)
			printf("%12" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(item, "bytes")));
		else
			printf("%12s", "-");
		print_clean(path ? path : json_string_value(json_object_get(item, "name")), "  ");
		if (!path && source)
			print_clean(source, " ");
		if (why)
			print_clean(why, ": ");
		putchar('\n');
	}
}

static int read_bundle(const struct settings *s)
{
	struct bundle_contents c = { 0 };
	CLEANUP_FREE char *why = NULL;
	int err;

	if (s->extract) {
		err = bundle_extract(s->file, "", s->extract, &c, &why);
	} else {
		CLEANUP_FD int fd = open(s->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

		if (fd < 0)
			return fail(EXIT_FAILED, "'%s': %s", s->file, strerror(errno));
		err = bundle_read(fd, &c, &why);
	}
	if (err)
		return fail(err == -ENOSYS ? EXIT_LACKING : EXIT_FAILED, "'%s': %s", s->file, why);
	if (s->list)
		print_contents(&c);
	bundle_contents_done(&c);
	return EXIT_OK;
}

static int load_list(const struct settings *s, struct bundle_list *ret)
{
	CLEANUP_FREE char *path = s->items ? xstrdup(s->items) : share_path("bundle.list");
	CLEANUP_FREE char *why = NULL;

	if (bundle_list_load(path, ret, &why))
		return fail(EXIT_FAILED, "the list of what goes into a bundle cannot be read: '%s': %s", path, why);
	return EXIT_OK;
}

static int print_list(const struct settings *s)
{
	struct bundle_list list;
	int code = load_list(s, &list);

	if (code)
		return code;
	printf("%-24s %-8s %12s  %-6s %s\n", "NAME", "SECONDS", "BYTES", "KIND", "WHAT");
	for (size_t i = 0; i < list.n; i++) {
		const struct bundle_item *item = &list.items[i];
		CLEANUP_FREE char *words = strings_join(&item->words, " ");

		printf("%-24s %-8" PRIu64 " %12" PRIu64 "  %-6s %s\n", item->name, item->seconds + item->durations * s->duration_s, item->size_bytes,
		       bundle_kind_names[item->kind], words);
	}
	bundle_list_done(&list);
	return EXIT_OK;
}

/* ---- names ---- */

static void add_fields(struct redact *names, const struct field *fields)
{
	for (; fields && fields->name; fields++) {
		redact_vocabulary(names, fields->name);
		add_fields(names, fields->fields);
	}
}

/* The words of a script or list, less its remarks: any name might stand in those. */
static void add_code(struct redact *names, const char *path)
{
	CLEANUP_FREE char *text = NULL;

	if (file_read(path, 1 << 20, &text, NULL))
		return;
	for (char *p = text; *p;) {
		size_t n = strcspn(p, "\n");
		CLEANUP_FREE char *line = xstrndup(p, n);
		char *remark = strstr(line, "//");

		if (remark && remark[2] != '@')
			*remark = '\0';
		if (*skip_space(line) != '#' && *skip_space(line) != '*')
			redact_vocabulary(names, line);
		p += n + (p[n] == '\n');
	}
}

/* Words that records, scripts and the list have anyway: who is called so cannot be told from them. */
static struct redact *make_names(const struct settings *s)
{
	static const char *const others = "wait outcome lost end meta stat sched exact inferred absent ple hlt pv_yield polled blocked run user gone "
					  "unseen name path bytes sha256 took_ms status why source command items format version kvmwait created host "
					  "kernel arch vendor script scripts reason chosen fits events functions findings level note bad able text next "
					  "plan root duration_s redacted ok failed truncated vms tgid vcpus threads tid comm cpus_allowed cgroups "
					  "core_sched_cookie hidden_processes";
	CLEANUP_FREE char *list_path = s->items ? xstrdup(s->items) : share_path("bundle.list");
	struct redact *names = redact_new();
	struct strings scripts = { 0 };

	redact_vocabulary(names, others);
	for (size_t i = 0; i < RECORD_TYPES; i++)
		add_fields(names, record_schemas[i].fields);
	directory_list(scripts_directory(), &scripts);
	for (size_t i = 0; i < scripts.n; i++) {
		CLEANUP_FREE char *path = xasprintf("%s/%s", scripts_directory(), scripts.items[i]);

		redact_vocabulary(names, scripts.items[i]);
		if (*scripts.items[i] != '.')
			add_code(names, path);
	}
	strings_done(&scripts);
	add_code(names, list_path);
	redact_add_host(names, "");
	return names;
}

/* ---- writing ---- */

static char *now_text(const char *format)
{
	char text[32];
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	strftime(text, sizeof(text), format, &tm);
#pragma GCC diagnostic pop
	return xstrdup(text);
}

/* The node name, or its token, fit for a file's name; the caller frees. */
static char *host_word(struct redact *names)
{
	struct utsname u;
	char *word = xstrdup(uname(&u) ? "host" : names ? redact_token(names, REDACT_HOST, u.nodename) : u.nodename);

	for (char *p = word; *p; p++) {
		char one[] = { *p == '.' ? 'a' : *p, '\0' };

		if (*p == '/' || !bundle_name_is_fine(one))
			*p = '_';
	}
	return word;
}

static json_t *about_bundle(const struct settings *s, struct redact *names)
{
	CLEANUP_FREE char *created = now_text("%Y-%m-%dT%H:%M:%SZ");
	struct utsname u = { 0 };

	uname(&u);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:b}", "format", BUNDLE_MARKER, "version", BUNDLE_VERSION, "kvmwait",
			 KVMWAIT_VERSION, "created", created, "host", names ? redact_token(names, REDACT_HOST, u.nodename) : u.nodename,
			 "kernel", u.release, "arch", u.machine, "root", !geteuid(), "duration_s", (json_int_t)s->duration_s, "redacted", names != NULL);
}

static uint64_t deadline_ns(const struct settings *s, const struct bundle_list *list)
{
	uint64_t all_s = PATIENCE_S;

	for (size_t i = 0; i < list->n; i++)
		all_s += list->items[i].durations * s->duration_s;
	return monotonic_ns() + all_s * NS_PER_S;
}

static int collect_all(const struct settings *s, const struct bundle_list *list, struct bundle *b)
{
	static const struct bundle_item log_item = { .name = (char *)"bundle.log" };
	CLEANUP_FREE char *bpftrace = bpftrace_find(s->bpftrace);
	CLEANUP_FREE char *log_path = bundle_staged_path(b, "log");
	CLEANUP_FREE char *started = now_text("%Y-%m-%dT%H:%M:%SZ");
	int log_fd = open(log_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), err = log_fd < 0 ? -errno : 0;
	FILE *log = log_fd < 0 ? NULL : output_stream(log_fd);
	struct collector c = {
		.self = run_command, .bpftrace = bpftrace, .duration_s = s->duration_s, .deadline_ns = deadline_ns(s, list),
		.stop = is_stopped, .tick = show_item, .log = log,
	};

	n_items = list->n;
	if (log)
		fprintf(log, "kvmwait " KVMWAIT_VERSION " bundle, %s, %" PRIu64 " s\n", started, s->duration_s);
	for (n_items_done = 0; n_items_done < list->n && !err; n_items_done++)
		err = bundle_collect(b, &list->items[n_items_done], n_items_done, &c);
	if (log && !err)
		err = output_flush(log);
	if (log && fclose(log) && !err)
		err = -errno;
	if (!err)
		bundle_add(b, &log_item, "", xstrdup("kvmwait bundle"), xstrdup("log"), BUNDLE_OK, NULL);
	return err;
}

/* How many items did not give all they should. */
static size_t count_short(const struct bundle *b, bool *ret_all)
{
	size_t n = 0;
	const char *last = "";

	*ret_all = true;
	for (size_t i = 0; i < b->n; i++) {
		const struct bundle_entry *e = &b->entries[i];

		if ((e->status == BUNDLE_FAILED || e->status == BUNDLE_TRUNCATED) && strcmp(last, e->item) != 0) {
			last = e->item;
			n++;
		}
	}
	*ret_all = !n;
	return n;
}

static void say_done(const struct bundle *b, bool redacted)
{
	bool all;
	size_t n_short = count_short(b, &all);

	if (!all)
		fprintf(stderr, "kvmwait: %zu of %zu items failed or came short; 'kvmwait bundle --list %s' says why%s\n", n_short, n_items, b->path,
			geteuid() ? "; run it with sudo for more" : "");
	if (redacted)
		fprintf(stderr, "kvmwait: what stands for what is in '%s.redactions.json': do not send that along\n", b->path);
}

static void say_kept(const struct redact *names)
{
	json_t *map = redact_map(names), *kept = json_object_get(map, "kept"), *name;
	size_t i;

	json_array_foreach(kept, i, name) {
		fprintf(stderr, "kvmwait: the name '%s' is a number, a common word or very short: it stays where it could be something else\n",
			json_string_value(name));
	}
	json_decref(map);
}

static int make_bundle(const struct settings *s, const struct bundle_list *list, const char *path)
{
	struct redact *names = s->redact ? make_names(s) : NULL;
	CLEANUP_FREE char *host = s->redact && !path ? host_word(names) : host_word(NULL);
	CLEANUP_FREE char *date = now_text("%Y%m%d-%H%M%S");
	CLEANUP_FREE char *made = path ? xstrdup(path) : xasprintf("kvmwait-%s-%s.tar.zst", host, date);
	CLEANUP_FREE char *why = NULL;
	struct bundle b = { 0 };
	json_t *about = NULL;
	int err = bundle_begin(made, s->max_bytes, &b, &why);

	if (!err)
		err = collect_all(s, list, &b);
	if (!err && names)
		redact_add_vms(names, ""); /* some may have started since */
	if (!err) {
		about = about_bundle(s, names);
		err = bundle_write(&b, about, names, is_stopped, &why);
	}
	progress_end(&progress);
	if (!err) {
		say_done(&b, names);
		if (names)
			say_kept(names);
		puts(made);
	}
	json_decref(about);
	bundle_done(&b);
	redact_free(names);
	if (err == -EINTR && stop_signal)
		return fail(EXIT_FAILED, "interrupted: '%s' was not written", made);
	return err ? fail(EXIT_FAILED, "'%s' cannot be written: %s", made, why ? why : strerror(-err)) : EXIT_OK;
}

static int write_bundle(const struct settings *s)
{
	const struct sigaction action = { .sa_handler = on_signal };
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	CLEANUP_FREE char *why = NULL;
	struct bundle_list list;
	int code = load_list(s, &list);

	if (code)
		return code;
	if (!libarchive_load(&why)) {
		bundle_list_done(&list);
		return fail(EXIT_LACKING, "%s", why);
	}
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	umask(077);
	progress_start(&progress);
	code = make_bundle(s, &list, s->output);
	bundle_list_done(&list);
	return code;
}

static int run(int argc, char **argv)
{
	struct settings s = { .duration_s = DEFAULT_DURATION_S, .max_bytes = DEFAULT_MAX_BYTES };
	int code;

	if (!options_take(argc, argv, &command_bundle, &s, &code))
		return code;
	s.file = optind < argc ? argv[optind++] : NULL;
	if (optind < argc)
		return fail(EXIT_USAGE, "one bundle at a time: '%s'", argv[optind]);
	if (s.extract && !s.file)
		return fail(EXIT_USAGE, "--extract needs the bundle: kvmwait bundle --extract DIR FILE");
	if (s.list || s.extract)
		return s.file ? read_bundle(&s) : print_list(&s);
	if (s.file)
		return fail(EXIT_USAGE, "to write '%s' use -o; to read it use --list or --extract", s.file);
	return write_bundle(&s);
}

const struct command command_bundle = {
	.name = "bundle",
	.run = run,
	.arguments = "[OPTION]... [FILE]",
	.help = "save all facts about this host that a support engineer needs, in one file",
	.options = options,
	.more = "Without --list and --extract it writes a bundle and prints its name. Without root or bpftrace the bundle holds less;\n"
		"it lists what is missing, with the reason.",
};
