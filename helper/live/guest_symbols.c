// SPDX-License-Identifier: Apache-2.0
// Names of functions in guests' kernels, from a System.map or /proc/kallsyms of the guest.
//
// Such a file is a guest's: nothing of it reaches bpftrace, and a line that nm or the kernel would not write is an error.
#include "live/guest_symbols.h"

#include "base/digits.h"
#include "base/line_reader.h"
#include "base/table.h"
#include "base/text.h"
#include "live/vm_name.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define LINE_LIMIT_BYTES 1024u
#define SYMBOLS_MAX 1000000u
#define NAMES_MAX_BYTES (64u << 20)
/* Behind the last function of a module there is no symbol that ends it. */
#define FUNCTION_MAX_BYTES (1u << 20)

struct guest_symbol {
	uint64_t address;
	size_t name;  /* in the names of the file, from 1 */
	bool is_text; /* others end a function */
};

/* One VM=FILE. */
struct symbol_file {
	char *vm, *path;
	int fd; /* -1: it was read */
	uint64_t offset;
	char *names;
	size_t n_names, names_room;
	struct guest_symbol *items; /* by address; of equal ones as in the file */
	size_t n;
};

/* A process, and the file that is for it. */
struct met {
	uint32_t pid;
	const struct symbol_file *file; /* or NULL */
};

struct guest_symbols {
	struct symbol_file *files;
	size_t n_files;
	struct table met;
	bool live;
};

static uint64_t hash_met(const void *entry)
{
	const struct met *m = entry;

	return table_hash_bytes(0, &m->pid, sizeof(m->pid));
}

static bool same_met(const void *a, const void *b)
{
	return ((const struct met *)a)->pid == ((const struct met *)b)->pid;
}

struct guest_symbols *guest_symbols_new(void)
{
	struct guest_symbols *g = xcalloc(1, sizeof(*g));

	g->met = (struct table){ .hash = hash_met, .same = same_met };
	return g;
}

static void file_done(struct symbol_file *f)
{
	free(f->vm);
	free(f->path);
	if (f->fd >= 0)
		close(f->fd);
	free(f->names);
	free(f->items);
}

void guest_symbols_free(struct guest_symbols *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_files; i++)
		file_done(&g->files[i]);
	table_done(&g->met, free);
	free(g->files);
	free(g);
}

/* ---- a file ---- */

static bool is_name(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && (!text[i] || !strchr("_.$", text[i])))
			return false;
	return n && n <= SYMBOL_BYTES;
}

static size_t add_name(struct symbol_file *f, const char *name, size_t n)
{
	size_t at = f->n_names ? f->n_names : 1;

	if (f->names_room < at + n + 1) {
		f->names_room = 2 * f->names_room + n + 65536;
		f->names = xrealloc(f->names, f->names_room, 1);
	}
	memcpy(f->names + at, name, n);
	f->names[at + n] = '\0';
	f->n_names = at + n + 1;
	return at;
}

/* "ADDRESS TYPE NAME", and in kallsyms a tab and the module in brackets behind it. Why not, or NULL. */
static const char *take_line(struct symbol_file *f, const char *line, size_t n)
{
	const char *end = line + n, *name;
	struct guest_symbol s;
	size_t name_n;

	name = digits_take_hex(line, end, &s.address);
	if (!name || end - name < 4 || *name != ' ' || !isalpha((unsigned char)name[1]) || name[2] != ' ')
		return "not of the form 'ADDRESS TYPE NAME'";
	s.is_text = strchr("tTwW", name[1]) != NULL;
	name += 3;
	for (name_n = 0; name + name_n < end && name[name_n] != '\t' && name[name_n] != ' ';)
		name_n++;
	if (name + name_n < end && !(name[name_n + 1] == '[' && end[-1] == ']'))
		return "not of the form 'ADDRESS TYPE NAME [MODULE]'";
	/* other than functions can be called by anything: they are there to end functions */
	if (s.is_text && !is_name(name, name_n))
		return "a name with other than letters, digits, '_', '.' and '$' in it";
	if (f->n == SYMBOLS_MAX || f->n_names + name_n >= NAMES_MAX_BYTES)
		return "too many symbols";
	s.name = s.is_text ? add_name(f, name, name_n) : 0;
	s.address += f->offset;
	f->items = xgrow(f->items, f->n, sizeof(*f->items));
	f->items[f->n++] = s;
	return NULL;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct guest_symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return (x->name > y->name) - (x->name < y->name);
}

/* All that is to be wrong with the whole of it. Why, or NULL. */
static const char *check_file(const struct symbol_file *f)
{
	bool any_text = false, any_address = false;

	for (size_t i = 0; i < f->n; i++) {
		any_text |= f->items[i].is_text;
		any_address |= f->items[i].address != f->offset;
	}
	if (!f->n || !any_text)
		return "it has no functions";
	return any_address ? NULL : "all addresses are 0: read /proc/kallsyms as root, with kernel.kptr_restrict 0 or 1 in the guest";
}

/* Why it cannot be read, or NULL. */
static const char *read_lines(struct symbol_file *f, struct line_reader *r)
{
	const char *why = NULL;
	int found;
	char *line;
	size_t n;

	while (!why && (found = line_reader_next(r, &line, &n)) != LINE_NONE) {
		if (found < 0)
			return strerror(-found);
		why = found == LINE_LONG ? "too long" : n ? take_line(f, line, n) : NULL;
	}
	return why ? why : check_file(f);
}

static int read_file(struct symbol_file *f, char **ret_error)
{
	struct line_reader r;
	const char *why;
	uint64_t line;

	line_reader_init(&r, f->fd, LINE_LIMIT_BYTES, LINE_LIMIT_BYTES);
	why = read_lines(f, &r);
	line = r.state.lines;
	line_reader_done(&r);
	close(f->fd);
	f->fd = -1;
	if (why) {
		*ret_error = xasprintf("'%s' is not the System.map or kallsyms of a guest: line %" PRIu64 ": %s", f->path, line, why);
		return -EBADMSG;
	}
	qsort(f->items, f->n, sizeof(*f->items), compare_symbols);
	return 0;
}

int guest_symbols_read(struct guest_symbols *g, bool live, char **ret_error)
{
	int err = 0;

	for (size_t i = 0; g && i < g->n_files && !err; i++)
		err = read_file(&g->files[i], ret_error);
	if (g)
		g->live = live;
	return err;
}

/* Takes "+0xOFFSET" off the end of a path. */
static uint64_t cut_offset(char *path)
{
	char *plus = strrchr(path, '+');
	uint64_t offset;

	if (!plus || !starts_with(plus, "+0x") || digits_take_hex(plus + 3, plus + strlen(plus), &offset) != plus + strlen(plus))
		return 0;
	*plus = '\0';
	return offset;
}

int guest_symbols_open(struct guest_symbols *g, const char *text, char **ret_error)
{
	const char *equals = strchr(text, '=');
	struct symbol_file f = { 0 };

	if (!equals || equals == text || !equals[1]) {
		*ret_error = xstrdup("must be VM=FILE or VM=FILE+0xOFFSET");
		return -EINVAL;
	}
	f.path = xstrdup(equals + 1);
	f.offset = cut_offset(f.path);
	f.fd = open(f.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (f.fd < 0) {
		int err = -errno;

		*ret_error = xasprintf("'%s': %s", f.path, strerror(-err));
		free(f.path);
		return err;
	}
	f.vm = xstrndup(text, (size_t)(equals - text));
	g->files = xgrow(g->files, g->n_files, sizeof(*g->files));
	g->files[g->n_files++] = f;
	return 0;
}

/* ---- a VM ---- */

/* The file that is for the VM: by its name, else an id of its management, else its TGID, as --vm has it. */
static const struct symbol_file *file_of(const struct guest_symbols *g, uint32_t pid, const char *vm)
{
	CLEANUP_FREE char *number = xasprintf("%" PRIu32, pid);
	const struct symbol_file *found = NULL;
	struct strings ids = { 0 };

	for (size_t i = 0; i < g->n_files && vm; i++)
		if (!strcmp(g->files[i].vm, vm))
			return &g->files[i];
	if (g->live)
		vmname_ids_of_process("", pid, &ids);
	for (size_t i = 0; i < g->n_files && !found; i++)
		for (size_t j = 0; j < ids.n && !found; j++)
			found = strcasecmp(g->files[i].vm, ids.items[j]) ? NULL : &g->files[i];
	for (size_t i = 0; i < g->n_files && !found; i++)
		found = strcmp(g->files[i].vm, number) ? NULL : &g->files[i];
	strings_done(&ids);
	return found;
}

static const struct met *meet(struct guest_symbols *g, uint32_t pid, const char *vm)
{
	struct met *m = table_find(&g->met, &(struct met){ .pid = pid });

	if (m)
		return m;
	m = xcalloc(1, sizeof(*m));
	*m = (struct met){ .pid = pid, .file = file_of(g, pid, vm) };
	table_add(&g->met, m);
	return m;
}

void guest_symbols_meet(struct guest_symbols *g, uint32_t pid, const char *vm)
{
	if (g)
		meet(g, pid, vm);
}

void guest_symbols_name(struct guest_symbols *g, uint32_t pid, const char *vm, struct guest_place *place)
{
	const struct symbol_file *f = g && (place->known & GUEST_IP) ? meet(g, pid, vm)->file : NULL;
	size_t low = 0, high = f ? f->n : 0, first;

	/* the file is of the kernel */
	if (!f || ((place->known & GUEST_MODE) && !(place->known & GUEST_KERNEL)))
		return;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (f->items[middle].address <= place->ip)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return;
	/* of several names of an address the one that stands first in the file */
	for (first = low - 1; first && f->items[first - 1].address == f->items[low - 1].address && f->items[first - 1].is_text;)
		first--;
	if (!f->items[first].is_text || place->ip - f->items[first].address >= FUNCTION_MAX_BYTES)
		return;
	place->symbol = f->names + f->items[first].name;
	place->offset = place->ip - f->items[first].address;
}
