// SPDX-License-Identifier: Apache-2.0
// A bundle in the making: files collected in a private directory beside it, a manifest, and the archive that takes its place
// at the end and not before.
#include "bundle/bundle.h"

#include "base/clean_text.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "bundle/libarchive.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)1 << 16)

static const char *const status_names[BUNDLE_STATUSES] = {
	[BUNDLE_OK] = "ok", [BUNDLE_TRUNCATED] = "truncated", [BUNDLE_ABSENT] = "absent", [BUNDLE_FAILED] = "failed",
};

/* ---- the private directory ---- */

int bundle_begin(const char *path, uint64_t max_bytes, struct bundle *ret, char **ret_error)
{
	const char *slash = strrchr(path, '/');
	CLEANUP_FREE char *template = xasprintf("%.*s.%.64s.XXXXXX", slash ? (int)(slash - path) + 1 : 0, path, slash ? slash + 1 : path);
	struct stat st;

	if (!*(slash ? slash + 1 : path)) {
		*ret_error = xstrdup("it names a directory");
		return -EISDIR;
	}
	if (!lstat(path, &st) && !S_ISREG(st.st_mode)) {
		*ret_error = xstrdup("it is there, and is not a regular file");
		return -EEXIST;
	}
	if (!mkdtemp(template)) { /* mode 0700 */
		*ret_error = xstrdup(strerror(errno));
		return -errno;
	}
	*ret = (struct bundle){ .path = xstrdup(path), .directory = xstrdup(template), .max_bytes = max_bytes };
	return 0;
}

char *bundle_staged_path(const struct bundle *b, const char *staged)
{
	return xasprintf("%s/%s", b->directory, staged);
}

void bundle_done(struct bundle *b)
{
	if (b->directory) {
		directory_clear(b->directory);
		rmdir(b->directory);
	}
	for (size_t i = 0; i < b->n; i++) {
		struct bundle_entry *e = &b->entries[i];

		free(e->item);
		free(e->below);
		free(e->member);
		free(e->staged);
		free(e->source);
		free(e->why);
	}
	free(b->entries);
	free(b->path);
	free(b->directory);
	*b = (struct bundle){ 0 };
}

/* ---- entries ---- */

/* Makes a path fit to be a member's name, in place. */
static void make_fit(char *name)
{
	for (char *p = name; *p; p++) {
		char one[] = { *p, '\0' };
		bool starts = p == name || p[-1] == '/';

		if (*p == '/' ? starts : starts ? !bundle_name_is_fine(one) : *p != '.' && !bundle_name_is_fine(one))
			*p = '_';
	}
}

static bool have_member(const struct bundle *b, const char *name, const struct bundle_entry *but)
{
	for (size_t i = 0; i < b->n; i++)
		if (&b->entries[i] != but && b->entries[i].member && !strcmp(b->entries[i].member, name))
			return true;
	return !strcmp(name, BUNDLE_MARKER) || !strcmp(name, BUNDLE_MANIFEST);
}

/* A name for a member that no other has; the caller frees. */
static char *member_name(const struct bundle *b, const char *wanted, const struct bundle_entry *but)
{
	char *name = xstrdup(wanted);

	make_fit(name);
	for (unsigned int i = 2; !bundle_name_is_fine(name) || have_member(b, name, but); i++) {
		size_t head = strlen(name) > 160 ? 160 : strlen(name);
		char *other;

		while (head && name[head - 1] == '/')
			head--;
		other = i < 4096 ? xasprintf("%.*s~%u", (int)head, name, i) : xasprintf("other/%u", i);
		for (char *p = other; *p; p++)
			if (*p == '~')
				*p = '-';
		free(name);
		name = other;
	}
	return name;
}

struct bundle_entry *bundle_add(struct bundle *b, const struct bundle_item *item, const char *below, char *source, char *staged,
				enum bundle_status status, char *why)
{
	CLEANUP_FREE char *wanted = xasprintf("%s%s", item->name, below + strspn(below, "/"));
	struct bundle_entry e = {
		.item = xstrdup(item->name), .below = xstrdup(below + strspn(below, "/")), .source = source, .staged = staged, .status = status, .why = why,
	};

	if (staged)
		e.member = member_name(b, wanted, NULL);
	b->entries = xrealloc(b->entries, b->n + 1, sizeof(*b->entries));
	b->entries[b->n] = e;
	return &b->entries[b->n++];
}

/* ---- names ---- */

/* The whole of a staged file, mapped; "" for an empty one. 0 or -errno. */
static int map_file(const char *path, const char **ret_data, size_t *ret_n)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *data;

	*ret_data = "";
	*ret_n = 0;
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	*ret_n = (size_t)st.st_size;
	if (!st.st_size)
		return 0;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	*ret_data = data;
	return 0;
}

static void unmap_file(const char *data, size_t n)
{
	if (n)
		munmap((void *)(uintptr_t)data, n);
}

static int learn_file(const struct bundle *b, const struct bundle_entry *e, struct redact *names)
{
	CLEANUP_FREE char *path = bundle_staged_path(b, e->staged);
	const char *data;
	size_t n;
	int err = map_file(path, &data, &n);

	if (err)
		return err;
	redact_learn(names, data, n);
	unmap_file(data, n);
	return 0;
}

static int rewrite_file(const struct bundle *b, const struct bundle_entry *e, struct redact *names)
{
	CLEANUP_FREE char *path = bundle_staged_path(b, e->staged);
	CLEANUP_FREE char *other = xasprintf("%s/redacted", b->directory);
	const char *data;
	size_t n;
	int fd, err = map_file(path, &data, &n);
	FILE *out;

	if (err)
		return err;
	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		err = -errno;
		unmap_file(data, n);
		return err;
	}
	out = output_stream(fd);
	err = redact_write(names, data, n, out);
	unmap_file(data, n);
	if (fclose(out) && !err)
		err = -errno;
	if (!err && rename(other, path))
		err = -errno;
	return err;
}

static void rewrite_text(struct redact *names, char **text)
{
	size_t n;
	char *other;

	if (!*text)
		return;
	other = redact_text(names, *text, strlen(*text), &n);
	free(*text);
	*text = other;
}

/* All that came of an entry. Its name is looked through as the path it was made of, and again as the name it became. */
static int rewrite_entry(struct bundle *b, struct bundle_entry *e, struct redact *names)
{
	int err = e->staged ? rewrite_file(b, e, names) : 0;

	rewrite_text(names, &e->source);
	rewrite_text(names, &e->why);
	rewrite_text(names, &e->below);
	if (e->member) {
		CLEANUP_FREE char *wanted = xasprintf("%s%s", e->item, e->below);

		rewrite_text(names, &wanted);
		make_fit(wanted);
		rewrite_text(names, &wanted);
		free(e->member);
		e->member = NULL;
		e->member = member_name(b, wanted, e);
	}
	return err;
}

static int replace_names(struct bundle *b, json_t *about, struct redact *names, bool (*stop)(void), char **ret_error)
{
	const char *key;
	json_t *value;
	int err = 0;

	for (size_t i = 0; i < b->n && !err; i++)
		if (b->entries[i].staged)
			err = learn_file(b, &b->entries[i], names);
	for (size_t i = 0; i < b->n && !err; i++)
		err = stop() ? -EINTR : rewrite_entry(b, &b->entries[i], names);
	json_object_foreach(about, key, value) {
		CLEANUP_FREE char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : NULL;

		rewrite_text(names, &text);
		if (text && strcmp(text, json_string_value(value)) != 0)
			json_string_set(value, text);
	}
	if (err)
		*ret_error = xasprintf("names cannot be replaced: %s", strerror(-err));
	return err;
}

/* ---- the archive ---- */

struct writer {
	const struct libarchive *lib;
	struct archive *archive;
	struct archive_entry *entry;
	time_t time;
};

static int archive_failed(struct writer *w, char **ret_error)
{
	int err = w->lib->archive_errno(w->archive);

	*ret_error = xstrdup(err > 0 ? strerror(err) : w->lib->archive_error_string(w->archive));
	return err > 0 ? -err : -EIO;
}

/* Nothing of an owner: nobody's name, number or time of change. */
static int member_begin(struct writer *w, const char *name, uint64_t bytes, char **ret_error)
{
	w->lib->archive_entry_clear(w->entry);
	w->lib->archive_entry_set_pathname(w->entry, name);
	w->lib->archive_entry_set_filetype(w->entry, AE_IFREG);
	w->lib->archive_entry_set_perm(w->entry, 0600);
	w->lib->archive_entry_set_size(w->entry, (int64_t)bytes);
	w->lib->archive_entry_set_mtime(w->entry, w->time, 0);
	return w->lib->archive_write_header(w->archive, w->entry) < ARCHIVE_OK ? archive_failed(w, ret_error) : 0;
}

static int member_text(struct writer *w, const char *name, const char *text, char **ret_error)
{
	size_t n = strlen(text);
	int err = member_begin(w, name, n, ret_error);

	if (!err && w->lib->archive_write_data(w->archive, text, n) != (la_ssize_t)n)
		err = archive_failed(w, ret_error);
	return err;
}

/* A file, and what it hashes to. */
static int member_file(struct writer *w, const struct bundle *b, struct bundle_entry *e, char **ret_error)
{
	CLEANUP_FREE char *path = bundle_staged_path(b, e->staged);
	const char *data;
	size_t n;
	SHA2_CTX hash;
	int err = map_file(path, &data, &n);

	if (err) {
		*ret_error = xasprintf("'%s': %s", path, strerror(-err));
		return err;
	}
	SHA256Init(&hash);
	err = member_begin(w, e->member, n, ret_error);
	for (size_t done = 0; done < n && !err; done += PIECE_BYTES) {
		size_t piece = n - done < PIECE_BYTES ? n - done : PIECE_BYTES;

		SHA256Update(&hash, (const uint8_t *)data + done, piece);
		if (w->lib->archive_write_data(w->archive, data + done, piece) != (la_ssize_t)piece)
			err = archive_failed(w, ret_error);
	}
	unmap_file(data, n);
	SHA256End(&hash, e->sha256);
	e->bytes = n;
	return err;
}

static json_t *entry_json(const struct bundle_entry *e)
{
	json_t *object = json_pack("{s:s, s:s?, s:s, s:I}", "name", e->item, "path", e->member, "status", status_names[e->status],
				   "took_ms", (json_int_t)e->took_ms);
	CLEANUP_FREE char *clean = xcalloc(4 * (e->source ? strlen(e->source) : 0) + 1, 1);

	if (e->source) {
		text_clean(e->source, strlen(e->source), clean);
		json_object_set_new(object, *e->source == '/' && !strchr(e->source, ' ') ? "source" : "command", json_string(clean));
	}
	if (e->member) {
		json_object_set_new(object, "bytes", json_integer((json_int_t)e->bytes));
		json_object_set_new(object, "sha256", json_string(e->sha256));
	}
	if (e->why) {
		free(clean);
		clean = xcalloc(4 * strlen(e->why) + 1, 1);
		text_clean(e->why, strlen(e->why), clean);
		json_object_set_new(object, "why", json_string(clean));
	}
	return object;
}

static int write_members(struct writer *w, struct bundle *b, json_t *about, bool (*stop)(void), char **ret_error)
{
	json_t *items = json_array();
	char *text = NULL;
	int err = member_text(w, BUNDLE_MARKER, BUNDLE_MARKER_TEXT, ret_error);

	for (size_t i = 0; i < b->n && !err; i++) {
		struct bundle_entry *e = &b->entries[i];

		if (stop())
			err = -EINTR;
		else if (e->member)
			err = member_file(w, b, e, ret_error);
		json_array_append_new(items, entry_json(e));
	}
	json_object_set_new(about, "items", items);
	text = json_dumps(about, JSON_INDENT(1));
	if (!err && !text)
		err = -EINVAL;
	if (!err)
		err = member_text(w, BUNDLE_MANIFEST, text, ret_error);
	free(text);
	if (!err && w->lib->archive_write_close(w->archive) < ARCHIVE_OK)
		err = archive_failed(w, ret_error);
	if (err && !*ret_error)
		*ret_error = xstrdup(strerror(-err));
	return err;
}

static int write_archive(struct bundle *b, json_t *about, int fd, bool (*stop)(void), char **ret_error)
{
	struct writer w = { .lib = libarchive_load(ret_error), .time = time(NULL) };
	int err;

	if (!w.lib)
		return -ENOSYS;
	w.archive = w.lib->archive_write_new();
	w.entry = w.lib->archive_entry_new();
	if (w.lib->archive_write_set_format_pax_restricted(w.archive) < ARCHIVE_OK ||
	    w.lib->archive_write_add_filter_zstd(w.archive) != ARCHIVE_OK || /* WARN: it would run a program */
	    w.lib->archive_write_open_fd(w.archive, fd) < ARCHIVE_OK)
		err = archive_failed(&w, ret_error);
	else
		err = write_members(&w, b, about, stop, ret_error);
	w.lib->archive_entry_free(w.entry);
	w.lib->archive_write_free(w.archive);
	if (!err && fsync(fd)) {
		err = -errno;
		*ret_error = xstrdup(strerror(-err));
	}
	return err;
}

/* ---- into place ---- */

/* The map of tokens, in a file that only its owner reads, beside the bundle. */
static int write_map(const struct bundle *b, struct redact *names, char **ret_staged, char **ret_error)
{
	CLEANUP_FREE char *path = bundle_staged_path(b, "map");
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	CLEANUP_FREE char *text = NULL;
	json_t *map = redact_map(names);
	int err = fd < 0 ? -errno : 0;

	json_object_set_new(map, "version", json_integer(1));
	json_object_set_new(map, "bundle", json_string(strrchr(b->path, '/') ? strrchr(b->path, '/') + 1 : b->path));
	text = json_dumps(map, JSON_INDENT(1));
	json_decref(map);
	if (!err)
		err = text ? file_write_all(fd, text, strlen(text), NULL) : -EINVAL;
	if (!err && fsync(fd))
		err = -errno;
	if (err)
		*ret_error = xasprintf("the map of names cannot be written: %s", strerror(-err));
	else
		*ret_staged = xstrdup(path);
	return err;
}

static int put_into_place(const struct bundle *b, const char *archive, const char *map, char **ret_error)
{
	const char *slash = strrchr(b->path, '/');
	CLEANUP_FREE char *above = slash == b->path ? xstrdup("/") : slash ? xstrndup(b->path, (size_t)(slash - b->path)) : xstrdup(".");
	CLEANUP_FREE char *map_path = xasprintf("%s.redactions.json", b->path);
	CLEANUP_FD int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (map && rename(map, map_path)) {
		*ret_error = xasprintf("'%s': %s", map_path, strerror(errno));
		return -EIO;
	}
	if (rename(archive, b->path)) {
		*ret_error = xstrdup(strerror(errno));
		if (map)
			unlink(map_path);
		return -EIO;
	}
	if (fd >= 0)
		fsync(fd); /* some file systems cannot; the name is there all the same */
	return 0;
}

int bundle_write(struct bundle *b, json_t *about, struct redact *names, bool (*stop)(void), char **ret_error)
{
	CLEANUP_FREE char *archive = bundle_staged_path(b, "bundle");
	CLEANUP_FREE char *map = NULL;
	CLEANUP_FD int fd = open(archive, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err = fd < 0 ? -errno : 0;

	if (err)
		*ret_error = xstrdup(strerror(-err));
	if (!err && names)
		err = replace_names(b, about, names, stop, ret_error);
	if (!err)
		err = write_archive(b, about, fd, stop, ret_error);
	if (!err && names)
		err = write_map(b, names, &map, ret_error);
	if (!err && stop()) {
		*ret_error = xstrdup(strerror(EINTR));
		err = -EINTR;
	}
	return err ? err : put_into_place(b, archive, map, ret_error);
}
