// SPDX-License-Identifier: Apache-2.0
// Reads trace.dat of trace-cmd with libtracecmd, in a child process without privileges.
//
//   e TS CPU TID COMM EVENT FIELD=VALUE ...     COMM is in hexadecimal
//   l N, c CLOCK, u UNAME, h EVENT, x WHY, end
#include "record/trace_dat.h"

#include "base/digits.h"
#include "base/library.h"
#include "base/privilege.h"
#include "base/process.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIBRARY "libtracecmd.so.1"
#define MAGIC "\x17\x08\x44tracing"
#define NO_PLUGINS 3 /* neither the user's nor the system's: they only change how events are printed */
#define BUFFERS_MOST 256
/* What a damaged file can make the library ask for ends there. */
#define MEMORY_BYTES (UINT64_C(4) << 30)
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true /* the sanitizers reserve terabytes */
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED false
#endif
#define EXIT_SAID 1 /* the reason is among the lines */

/*
 * The part of libtracecmd and libtraceevent that is used, as the headers of version 1 of both declare it. They are not included:
 * three more packages to build with, for a dozen functions of a stable interface.
 */
struct tracecmd_input;
struct tep_handle;
struct tep_event;
struct tep_record {
	unsigned long long ts, offset;
	long long missed_events; /* before this one; -1: not known how many */
	int record_size, size;
	void *data;
	int cpu;
};
typedef int take_record_fn(struct tracecmd_input *input, struct tep_record *record, int cpu, void *data);

#define FUNCTIONS(F)                                                                                                              \
	F(struct tracecmd_input *, tracecmd_open_fd, (int, int))                                                                   \
	F(struct tep_handle *, tracecmd_get_tep, (struct tracecmd_input *))                                                       \
	F(int, tracecmd_buffer_instances, (struct tracecmd_input *))                                                               \
	F(struct tracecmd_input *, tracecmd_buffer_instance_handle, (struct tracecmd_input *, int))                               \
	F(int, tracecmd_iterate_events_multi, (struct tracecmd_input **, int, take_record_fn *, void *))                          \
	F(void, tracecmd_set_loglevel, (int))                                                                                      \
	F(void, tep_set_loglevel, (int))                                                                                           \
	F(struct tep_event *, tep_find_event_by_name, (struct tep_handle *, const char *, const char *))                          \
	F(struct tep_event *, tep_find_event_by_record, (struct tep_handle *, struct tep_record *))                               \
	F(int, tep_get_field_val, (void *, struct tep_event *, const char *, struct tep_record *, unsigned long long *, int))     \
	F(int, tep_data_pid, (struct tep_handle *, struct tep_record *))                                                          \
	F(const char *, tep_data_comm_from_pid, (struct tep_handle *, int))

static struct {
#define MEMBER(type, name, arguments) type(*name) arguments; /* NOLINT(bugprone-macro-parentheses): a declaration */
	FUNCTIONS(MEMBER)
#undef MEMBER
	/* Not in the headers of every version, and missing from a later one perhaps: NULL then. */
	const char *(*tracecmd_get_trace_clock)(struct tracecmd_input *);
	const char *(*tracecmd_get_uname)(struct tracecmd_input *);
	const char *(*tracecmd_get_cpustats)(struct tracecmd_input *);
} lib;

bool trace_dat_is_one(const char *bytes, size_t n)
{
	return n >= sizeof(MAGIC) - 1 && !memcmp(bytes, MAGIC, sizeof(MAGIC) - 1);
}

/* ---- the child ---- */

struct child {
	FILE *out;
	const struct trace_rules *rules;
	struct tracecmd_input *buffers[BUFFERS_MOST]; /* the first is the file itself */
	struct tep_event **events; /* one for each tracepoint of the rules; NULL: the file has none */
	int n_buffers;
};

static char *load(void)
{
	CLEANUP_FREE char *why = NULL;
	void *handle = library_load(LIBRARY, "libtracecmd1", &why);

	if (!handle)
		return xasprintf("trace.dat needs libtracecmd: %s", why);
#define FIND(type, name, arguments)                                                       \
	lib.name = (__typeof__(lib.name))dlsym(handle, #name);                             \
	if (!lib.name)                                                                     \
		return xasprintf("'%s' is too old: it has no %s", LIBRARY, #name);
	FUNCTIONS(FIND)
#undef FIND
	lib.tracecmd_get_trace_clock = (__typeof__(lib.tracecmd_get_trace_clock))dlsym(handle, "tracecmd_get_trace_clock");
	lib.tracecmd_get_uname = (__typeof__(lib.tracecmd_get_uname))dlsym(handle, "tracecmd_get_uname");
	lib.tracecmd_get_cpustats = (__typeof__(lib.tracecmd_get_cpustats))dlsym(handle, "tracecmd_get_cpustats");
	return NULL;
}

/* A text of the file's, in one line. */
static void put_text(struct child *c, const char *what, const char *text)
{
	fputs(what, c->out);
	for (; *text && *text != '\n'; text++)
		putc_unlocked((unsigned char)*text < ' ' ? ' ' : *text, c->out);
	putc_unlocked('\n', c->out);
}

/* The file has the list of all clocks, the one in use in brackets, or that one alone. */
static void put_clock(struct child *c)
{
	const char *clock = lib.tracecmd_get_trace_clock ? lib.tracecmd_get_trace_clock(c->buffers[0]) : NULL;
	const char *open = clock ? strchr(clock, '[') : NULL;

	if (open)
		clock = open + 1;
	if (clock)
		fprintf(c->out, "c %.*s\n", (int)strcspn(clock, "] \n"), clock);
}

/* What each CPU's buffer overwrote and dropped, in the words of the kernel's per_cpu/cpuN/stats. */
static void put_losses(struct child *c)
{
	static const char *const counters[] = { "overrun: ", "commit overrun: ", "dropped events: " };
	const char *text = lib.tracecmd_get_cpustats ? lib.tracecmd_get_cpustats(c->buffers[0]) : NULL;
	uint64_t sum = 0, value;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
			if (starts_with(line, counters[i]) && digits_take(line + strlen(counters[i]), strchr(line, '\0'), &value))
				sum += value;
	}
	if (sum)
		fprintf(c->out, "l %" PRIu64 "\n", sum);
}

static void put_comm(struct child *c, const char *comm)
{
	static const char hex[] = "0123456789abcdef";

	if (!comm || !*comm)
		comm = "?";
	for (size_t i = 0; i < COMM_BYTES && comm[i]; i++) {
		putc_unlocked(hex[(unsigned char)comm[i] >> 4], c->out);
		putc_unlocked(hex[comm[i] & 15], c->out);
	}
}

/* A field that this kernel's event does not have is left out. */
static void put_fields(struct child *c, const struct tracepoint *point, struct tep_event *event, struct tep_record *record)
{
	for (size_t i = 0; i < point->fields.n; i++) {
		const char *field = strchr(point->fields.items[i], '=') + 1;
		unsigned long long value;

		if (!lib.tep_get_field_val(NULL, event, field, record, &value, 0))
			fprintf(c->out, " %s=%llu", field, value);
	}
}

static int put_record(struct tracecmd_input *input, struct tep_record *record, int cpu, void *data)
{
	struct child *c = data;
	struct tep_handle *tep = lib.tracecmd_get_tep(input);
	struct tep_event *event = lib.tep_find_event_by_record(tep, record);
	int tid;

	if (record->missed_events)
		fprintf(c->out, "l %lld\n", record->missed_events > 0 ? record->missed_events : 0);
	for (size_t i = 0; event && i < c->rules->n_points; i++) {
		if (c->events[i] != event)
			continue;
		tid = lib.tep_data_pid(tep, record);
		fprintf(c->out, "e %llu %d %d ", record->ts, cpu, tid);
		put_comm(c, lib.tep_data_comm_from_pid(tep, tid));
		fprintf(c->out, " %s", c->rules->points[i].name);
		put_fields(c, &c->rules->points[i], event, record);
		putc_unlocked('\n', c->out);
		break;
	}
	return ferror(c->out);
}

static char *read_file(struct child *c, int fd)
{
	struct tep_handle *tep;
	int more;

	c->buffers[0] = lib.tracecmd_open_fd(fd, NO_PLUGINS);
	if (!c->buffers[0])
		return xstrdup("libtracecmd cannot read its headers: it is cut short or damaged, or of a newer format");
	more = lib.tracecmd_buffer_instances(c->buffers[0]);
	for (c->n_buffers = 1; c->n_buffers <= more && c->n_buffers < BUFFERS_MOST; c->n_buffers++) {
		c->buffers[c->n_buffers] = lib.tracecmd_buffer_instance_handle(c->buffers[0], c->n_buffers - 1);
		if (!c->buffers[c->n_buffers])
			return xstrdup("libtracecmd cannot read one of its buffers");
	}
	put_clock(c);
	if (lib.tracecmd_get_uname && lib.tracecmd_get_uname(c->buffers[0]))
		put_text(c, "u ", lib.tracecmd_get_uname(c->buffers[0]));
	put_losses(c);
	tep = lib.tracecmd_get_tep(c->buffers[0]);
	for (size_t i = 0; i < c->rules->n_points; i++) {
		c->events[i] = lib.tep_find_event_by_name(tep, NULL, c->rules->points[i].name);
		if (c->events[i])
			fprintf(c->out, "h %s\n", c->rules->points[i].name);
	}
	if (lib.tracecmd_iterate_events_multi(c->buffers, c->n_buffers, put_record, c) < 0)
		return xstrdup("libtracecmd cannot read all of its events");
	return NULL;
}

static void run_child(const struct trace_rules *rules, int fd, int pipe_fd)
{
	struct rlimit memory = { MEMORY_BYTES, MEMORY_BYTES }, core = { 0, 0 };
	struct child c = { .rules = rules, .out = fdopen(pipe_fd, "w") };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char *why;

	/* whatever the library says goes nowhere: what it says of a damaged file is in no order, and the parent says enough */
	if (!c.out || null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(EXIT_SAID + 1);
	c.events = xcalloc(rules->n_points + 1, sizeof(*c.events)); /* NOLINT(bugprone-sizeof-expression): an array of pointers */
	why = load();
	if (!SANITIZED)
		setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CORE, &core);
	if (!why && privilege_drop(0))
		why = xstrdup("its reader cannot give up its privileges");
	if (!why) {
		lib.tracecmd_set_loglevel(0);
		lib.tep_set_loglevel(0);
		why = read_file(&c, fd);
	}
	if (why)
		put_text(&c, "x ", why);
	else
		fputs("end\n", c.out);
	fflush(c.out);
	_exit(why ? EXIT_SAID : 0);
}

/* ---- the parent ---- */

int trace_dat_begin(const struct trace_rules *rules, int fd, pid_t *ret_child, int *ret_fd)
{
	int fds[2], err = process_pipe(fds);
	pid_t parent = getpid(), child;

	if (err)
		return err;
	child = fork();
	if (!child) {
		process_begin(parent, SIGKILL);
		close(fds[0]);
		run_child(rules, fd, fds[1]);
	}
	err = child < 0 ? -errno : 0;
	close(fds[1]);
	if (err) {
		close(fds[0]);
		return err;
	}
	*ret_child = child;
	*ret_fd = fds[0];
	return 0;
}

char *trace_dat_end(pid_t child)
{
	int code = process_exit_code(process_wait(child));

	if (!code || code == EXIT_SAID)
		return NULL;
	if (code > 128)
		return xasprintf("libtracecmd crashed on it (%s): the file is damaged", strsignal(code - 128));
	return xasprintf("its reader ended with status %d", code);
}

static bool take_number(const char **p, const char *end, uint64_t *ret)
{
	const char *next = digits_take(*p, end, ret);

	if (!next)
		return false;
	*p = next;
	if (next < end && *next++ == ' ')
		*p = next;
	return true;
}

static struct view take_word(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && **p != ' ')
		++*p;
	if (*p < end)
		return (struct view){ start, (size_t)((*p)++ - start) };
	return (struct view){ start, (size_t)(*p - start) };
}

static bool take_comm(struct view hex, char comm[COMM_BYTES + 1])
{
	memset(comm, 0, COMM_BYTES + 1);
	if (hex.n % 2 || hex.n > 2 * (size_t)COMM_BYTES)
		return false;
	for (size_t i = 0; i < hex.n; i++) {
		char digit = hex.at[i];

		if (!((digit >= '0' && digit <= '9') || (digit >= 'a' && digit <= 'f')))
			return false;
		comm[i / 2] = (char)((unsigned char)comm[i / 2] << 4 | (digit <= '9' ? digit - '0' : digit - 'a' + 10));
	}
	return true;
}

static bool take_event(const char *p, const char *end, struct trace_event *e, char comm[COMM_BYTES + 1])
{
	uint64_t cpu, tid;

	*e = (struct trace_event){ .have_time = true, .whole_time = true, .fields = true };
	if (!take_number(&p, end, &e->ts_ns) || !take_number(&p, end, &cpu) || !take_number(&p, end, &tid) || cpu > UINT32_MAX ||
	    tid > UINT32_MAX || e->ts_ns > INT64_MAX || !take_comm(take_word(&p, end), comm))
		return false;
	e->cpu = (uint32_t)cpu;
	e->tid = (uint32_t)tid;
	e->comm = (struct view){ comm, strlen(comm) };
	e->name = take_word(&p, end);
	e->text = (struct view){ p, (size_t)(end - p) };
	return true;
}

enum trace_dat_kind trace_dat_line_read(const char *line, size_t n, struct trace_event *ret_event, char comm[COMM_BYTES + 1],
					uint64_t *ret_number, struct view *ret_text)
{
	static const struct {
		char letter;
		enum trace_dat_kind kind;
	} kinds[] = { { 'c', TRACE_DAT_CLOCK }, { 'u', TRACE_DAT_SYSTEM }, { 'h', TRACE_DAT_HAS }, { 'x', TRACE_DAT_FAILED } };
	const char *p = line + 2, *end = line + n;

	if (n == 3 && !memcmp(line, "end", 3))
		return TRACE_DAT_END;
	if (n < 2 || line[1] != ' ')
		return TRACE_DAT_OTHER;
	if (*line == 'e')
		return take_event(p, end, ret_event, comm) ? TRACE_DAT_EVENT : TRACE_DAT_OTHER;
	if (*line == 'l')
		return take_number(&p, end, ret_number) ? TRACE_DAT_LOST : TRACE_DAT_OTHER;
	*ret_text = (struct view){ p, (size_t)(end - p) };
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].letter == *line)
			return kinds[i].kind;
	return TRACE_DAT_OTHER;
}
