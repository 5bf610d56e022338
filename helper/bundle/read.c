// SPDX-License-Identifier: Apache-2.0
// Reading a bundle that may come from anybody: nothing of it is used before all of it was checked, and it can make
// nobody use more room than there is for a bundle.
#include "bundle/read.h"

#include "base/clean_text.h"
#include "base/directory.h"
#include "base/file.h"
#include "base/text.h"
#include "bundle/libarchive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define MEMBERS_MAX 20000
#define TOTAL_MAX_BYTES (UINT64_C(4) << 30)
#define SMALL_BYTES (UINT64_C(64) << 20) /* this much may come of any bundle */
#define RATIO_MAX 1000
#define MANIFEST_MAX_BYTES (16u << 20)
#define PIECE_BYTES ((size_t)1 << 16)

/* What is done with the files of a bundle besides hashing them. */
struct reader {
	const struct libarchive *lib;
	struct archive *archive;
	uint64_t total_bytes, max_bytes;
	struct bundle_contents *contents;
	/* NULL: nothing. Both 0 or -errno. */
	int (*begin)(struct reader *r, const char *path);
	int (*data)(struct reader *r, const char *data, size_t n);
	int out, directory; /* theirs */
	const char *wanted;
	char *text; /* of the marker or the manifest */
	size_t n_text;
};

__attribute__((format(printf, 2, 3))) static int refuse(char **ret_error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(ret_error, format, args) < 0)
		abort();
	va_end(args);
	return -EBADMSG;
}

/* A path of a stranger's in a message. */
static int refuse_path(char **ret_error, const char *path, const char *why)
{
	size_t n = strnlen(path, 200);
	char clean[4 * 200 + 1];

	text_clean(path, n, clean);
	return refuse(ret_error, "it holds '%s': %s", clean, why);
}

static int archive_failed(const struct reader *r, char **ret_error)
{
	const char *said = r->lib->archive_error_string(r->archive);
	size_t n = strnlen(said ? said : "", 200);
	char clean[4 * 200 + 1];

	text_clean(said ? said : "", n, clean);
	return refuse(ret_error, "invalid or incomplete tar.zst: %s", clean);
}

/* ---- one file ---- */

static int check_header(const struct reader *r, struct archive_entry *entry, const char **ret_path, char **ret_error)
{
	const char *path = r->lib->archive_entry_pathname(entry);

	if (!path)
		return refuse(ret_error, "it has a file name that is not text");
	if (r->lib->archive_entry_filetype(entry) != AE_IFREG || r->lib->archive_entry_hardlink(entry) || r->lib->archive_entry_symlink(entry))
		return refuse_path(ret_error, path, "not a regular file");
	if (!bundle_name_is_fine(path))
		return refuse_path(ret_error, path, "invalid name for a file of a bundle");
	if (r->contents->n == 0 && strcmp(path, BUNDLE_MARKER) != 0)
		return refuse(ret_error, "its first file is not '%s'", BUNDLE_MARKER);
	if (r->contents->n == MEMBERS_MAX)
		return refuse(ret_error, "more than %d files", MEMBERS_MAX);
	if (r->contents->n && !strcmp(r->contents->members[r->contents->n - 1].path, BUNDLE_MANIFEST))
		return refuse_path(ret_error, path, "behind the manifest, which is the last file of a bundle");
	*ret_path = path;
	return 0;
}

static int keep_text(struct reader *r, const char *data, size_t n, char **ret_error)
{
	if (n > MANIFEST_MAX_BYTES - r->n_text)
		return refuse(ret_error, "its manifest is too large");
	r->text = xrealloc(r->text, r->n_text + n + 1, 1);
	memcpy(r->text + r->n_text, data, n);
	r->n_text += n;
	r->text[r->n_text] = '\0';
	return 0;
}

static int read_data(struct reader *r, struct bundle_member *m, bool keep, char **ret_error)
{
	char piece[PIECE_BYTES];
	SHA2_CTX hash;
	la_ssize_t n;
	int err = 0;

	SHA256Init(&hash);
	while (!err && (n = r->lib->archive_read_data(r->archive, piece, sizeof(piece))) != 0) {
		if (n < 0)
			return archive_failed(r, ret_error);
		r->total_bytes += (uint64_t)n;
		m->bytes += (uint64_t)n;
		if (r->total_bytes > r->max_bytes)
			return refuse(ret_error, "it grows beyond %" PRIu64 " bytes, the limit for its size", r->max_bytes);
		SHA256Update(&hash, (const uint8_t *)piece, (size_t)n);
		if (keep)
			err = keep_text(r, piece, (size_t)n, ret_error);
		if (!err && r->data) {
			err = r->data(r, piece, (size_t)n);
			if (err)
				*ret_error = xstrdup(strerror(-err));
		}
	}
	SHA256End(&hash, m->sha256);
	return err;
}

static int read_member(struct reader *r, struct archive_entry *entry, char **ret_error)
{
	struct bundle_contents *c = r->contents;
	const char *path = NULL;
	struct bundle_member *m;
	int err = check_header(r, entry, &path, ret_error);

	if (err)
		return err;
	if (!(c->n & (c->n - 1))) /* full at each power of two */
		c->members = xrealloc(c->members, c->n ? 2 * c->n : 1, sizeof(*c->members));
	m = &c->members[c->n++];
	*m = (struct bundle_member){ .path = xstrdup(path) };
	err = r->begin ? r->begin(r, m->path) : 0;
	if (err) {
		*ret_error = xasprintf("'%s': %s", m->path, strerror(-err));
		return err;
	}
	r->n_text = 0;
	err = read_data(r, m, c->n == 1 || !strcmp(m->path, BUNDLE_MANIFEST), ret_error);
	if (!err && c->n == 1 && (!r->text || strcmp(r->text, BUNDLE_MARKER_TEXT) != 0))
		return refuse(ret_error, "made by another kvmwait: '%s' does not say version %d", BUNDLE_MARKER, BUNDLE_VERSION);
	return err;
}

/* ---- the manifest ---- */

static int compare_members(const void *a, const void *b)
{
	return strcmp(((const struct bundle_member *)a)->path, ((const struct bundle_member *)b)->path);
}

static struct bundle_member *find_member(const struct bundle_contents *c, const char *path)
{
	const struct bundle_member key = { .path = (char *)(uintptr_t)path };

	return c->n ? bsearch(&key, c->members, c->n, sizeof(*c->members), compare_members) : NULL;
}

/* One line of it; `named` counts how often a member is named. */
static int check_item(const struct bundle_contents *c, const json_t *item, unsigned char *named, char **ret_error)
{
	const json_t *path = json_object_get(item, "path"), *bytes = json_object_get(item, "bytes");
	const char *name = json_string_value(json_object_get(item, "name")), *status = json_string_value(json_object_get(item, "status"));
	const char *sha256 = json_string_value(json_object_get(item, "sha256"));
	const struct bundle_member *m;

	if (!name || !status || (path && !json_is_string(path) && !json_is_null(path)))
		return refuse(ret_error, "its manifest has an item without name, path or status");
	if (!json_is_string(path))
		return 0;
	m = find_member(c, json_string_value(path));
	if (!m)
		return refuse_path(ret_error, json_string_value(path), "listed in the manifest, but missing");
	if (!json_is_integer(bytes) || !sha256)
		return refuse_path(ret_error, m->path, "its size and hash are not in the manifest");
	if (json_integer_value(bytes) < 0 || (uint64_t)json_integer_value(bytes) != m->bytes || strcmp(sha256, m->sha256) != 0)
		return refuse_path(ret_error, m->path, "it differs from the manifest: it was changed");
	if (named[m - c->members]++)
		return refuse_path(ret_error, m->path, "twice in the manifest");
	return 0;
}

int bundle_check_manifest(const struct bundle_contents *c, char **ret_error)
{
	const json_t *items = json_object_get(c->manifest, "items"), *item;
	const char *format = json_string_value(json_object_get(c->manifest, "format"));
	CLEANUP_FREE unsigned char *named = xcalloc(c->n, 1);
	size_t i;
	int err = 0;

	if (!format || strcmp(format, BUNDLE_MARKER) != 0 || !json_is_array(items))
		return refuse(ret_error, "its manifest has another format");
	if (json_integer_value(json_object_get(c->manifest, "version")) != BUNDLE_VERSION)
		return refuse(ret_error, "made by another kvmwait: its manifest is not of version %d", BUNDLE_VERSION);
	json_array_foreach(items, i, item) {
		err = check_item(c, item, named, ret_error);
		if (err)
			return err;
	}
	for (i = 0; i < c->n; i++)
		if (!named[i] && strcmp(c->members[i].path, BUNDLE_MARKER) != 0 && strcmp(c->members[i].path, BUNDLE_MANIFEST) != 0)
			return refuse_path(ret_error, c->members[i].path, "not in the manifest");
	return 0;
}

/* ---- the whole ---- */

static int read_members(struct reader *r, char **ret_error)
{
	struct archive_entry *entry;
	int status, err = 0;

	while (!err && (status = r->lib->archive_read_next_header(r->archive, &entry)) != ARCHIVE_EOF)
		err = status == ARCHIVE_OK ? read_member(r, entry, ret_error) : archive_failed(r, ret_error);
	if (!err && (!r->contents->n || strcmp(r->contents->members[r->contents->n - 1].path, BUNDLE_MANIFEST) != 0))
		return refuse(ret_error, "it ends without a manifest: it was cut short, or is no bundle");
	return err;
}

static int check_contents(struct reader *r, char **ret_error)
{
	struct bundle_contents *c = r->contents;
	json_error_t why;

	if (c->n)
		qsort(c->members, c->n, sizeof(*c->members), compare_members);
	for (size_t i = 1; i < c->n; i++) {
		size_t n = strlen(c->members[i - 1].path);

		if (!strcmp(c->members[i - 1].path, c->members[i].path))
			return refuse_path(ret_error, c->members[i].path, "twice");
		if (starts_with(c->members[i].path, c->members[i - 1].path) && c->members[i].path[n] == '/')
			return refuse_path(ret_error, c->members[i - 1].path, "a file and a directory");
	}
	c->manifest = json_loadb(r->text, r->n_text, JSON_REJECT_DUPLICATES, &why);
	if (!c->manifest)
		return refuse_path(ret_error, BUNDLE_MANIFEST, why.text);
	return bundle_check_manifest(c, ret_error);
}

static int read_all(struct reader *r, int fd, char **ret_error)
{
	struct stat st;
	int err;

	r->lib = libarchive_load(ret_error);
	if (!r->lib)
		return -ENOSYS;
	if (fstat(fd, &st) || (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_SET))) {
		*ret_error = xstrdup(strerror(errno));
		return -EIO;
	}
	if (!S_ISREG(st.st_mode))
		return refuse(ret_error, "not a regular file");
	r->max_bytes = (uint64_t)st.st_size > TOTAL_MAX_BYTES / RATIO_MAX ? TOTAL_MAX_BYTES : SMALL_BYTES + (uint64_t)st.st_size * RATIO_MAX;
	if (r->max_bytes > TOTAL_MAX_BYTES)
		r->max_bytes = TOTAL_MAX_BYTES;
	r->archive = r->lib->archive_read_new();
	if (r->lib->archive_read_support_filter_zstd(r->archive) != ARCHIVE_OK || r->lib->archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
	    r->lib->archive_read_open_fd(r->archive, fd, PIECE_BYTES) != ARCHIVE_OK)
		err = archive_failed(r, ret_error);
	else
		err = read_members(r, ret_error);
	r->lib->archive_read_free(r->archive);
	if (!err)
		err = check_contents(r, ret_error);
	free(r->text);
	r->text = NULL;
	return err;
}

int bundle_read(int fd, struct bundle_contents *ret, char **ret_error)
{
	struct bundle_contents c = { 0 };
	struct reader r = { .contents = &c };
	int err = read_all(&r, fd, ret_error);

	if (err)
		bundle_contents_done(&c);
	else
		*ret = c;
	return err;
}

void bundle_contents_done(struct bundle_contents *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->members[i].path);
	free(c->members);
	json_decref(c->manifest);
	*c = (struct bundle_contents){ 0 };
}

/* The name of the first file is what a tar begins with. */
bool bundle_is_one(const char *path)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	CLEANUP_FREE char *packed = xcalloc(PIECE_BYTES, 1);
	char start[sizeof(BUNDLE_MARKER)] = { 0 };
	ZSTD_outBuffer out = { start, sizeof(start), 0 };
	ZSTD_inBuffer in = { packed, 0, 0 };
	ZSTD_DStream *stream;
	struct stat st;
	ssize_t n = fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) ? 0 : pread(fd, packed, PIECE_BYTES, 0);

	if (n <= 0)
		return false;
	in.size = (size_t)n;
	stream = ZSTD_createDStream();
	while (stream && out.pos < out.size && in.pos < in.size && !ZSTD_isError(ZSTD_decompressStream(stream, &out, &in)))
		;
	ZSTD_freeDStream(stream);
	return !memcmp(start, BUNDLE_MARKER, sizeof(start));
}

/* ---- taking files out ---- */

static int write_out(struct reader *r, const char *data, size_t n)
{
	return r->out < 0 ? 0 : file_write_all(r->out, data, n, NULL);
}

/* Makes a file below a directory, with the directories above it; no link is followed. */
static int create_below(int directory, const char *path)
{
	int above = fcntl(directory, F_DUPFD_CLOEXEC, 0), fd;
	const char *slash;

	while (above >= 0 && (slash = strchr(path, '/'))) {
		CLEANUP_FREE char *part = xstrndup(path, (size_t)(slash - path));
		CLEANUP_FD int parent = above;

		if (mkdirat(parent, part, 0700) && errno != EEXIST)
			return -errno;
		above = openat(parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		path = slash + 1;
	}
	if (above < 0)
		return -errno;
	fd = openat(above, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	fd = fd < 0 ? -errno : fd;
	close(above);
	return fd;
}

static int begin_file(struct reader *r, const char *path)
{
	if (r->out >= 0 && close(r->out))
		return -errno;
	r->out = -1;
	if (!starts_with(path, r->wanted))
		return 0;
	r->out = create_below(r->directory, path);
	return r->out < 0 ? r->out : 0;
}

static int begin_wanted(struct reader *r, const char *path)
{
	int keep = !strcmp(path, r->wanted);

	r->data = keep ? write_out : NULL;
	return 0;
}

/* The second reading must give what the first one did. */
static int compare_contents(const struct bundle_contents *a, const struct bundle_contents *b, char **ret_error)
{
	if (a->n != b->n)
		return refuse(ret_error, "it changed while it was read");
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->members[i].path, b->members[i].path) != 0 || strcmp(a->members[i].sha256, b->members[i].sha256) != 0)
			return refuse(ret_error, "it changed while it was read");
	return 0;
}

static int open_bundle(const char *path, char **ret_error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		*ret_error = xstrdup(strerror(errno));
	return fd < 0 ? -errno : fd;
}

/* Reads it again, with the functions of the reader. */
static int read_again(struct reader *r, int fd, const struct bundle_contents *first, char **ret_error)
{
	struct bundle_contents second = { 0 };
	int err;

	r->contents = &second;
	err = read_all(r, fd, ret_error);
	if (!err)
		err = compare_contents(first, &second, ret_error);
	r->contents = NULL;
	bundle_contents_done(&second);
	return err;
}

static int open_directory(const char *directory, bool *ret_made, char **ret_error)
{
	int fd;

	*ret_made = !mkdir(directory, 0700);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		*ret_error = xasprintf("'%s': %s", directory, strerror(errno));
		return -EIO;
	}
	if (directory_is_empty(fd))
		return fd;
	close(fd);
	*ret_error = xasprintf("'%s' is not an empty directory", directory);
	return -ENOTEMPTY;
}

int bundle_extract(const char *path, const char *which, const char *directory, struct bundle_contents *ret, char **ret_error)
{
	CLEANUP_FD int fd = open_bundle(path, ret_error);
	struct reader r = { .begin = begin_file, .data = write_out, .out = -1, .directory = -1, .wanted = which };
	struct bundle_contents c = { 0 };
	bool made = false;
	int err = fd < 0 ? fd : bundle_read(fd, &c, ret_error);

	if (err)
		return err;
	r.directory = open_directory(directory, &made, ret_error);
	if (r.directory < 0) {
		bundle_contents_done(&c);
		return r.directory;
	}
	err = read_again(&r, fd, &c, ret_error);
	if (r.out >= 0 && close(r.out) && !err) {
		err = -errno;
		*ret_error = xstrdup(strerror(-err));
	}
	close(r.directory);
	if (err) {
		directory_clear(directory);
		if (made)
			rmdir(directory);
		bundle_contents_done(&c);
	} else {
		*ret = c;
	}
	return err;
}

/* A file without a name: on a disk if there is one, for a record may be larger than the memory. */
static int nameless_file(void)
{
	const char *directory = getenv("TMPDIR");
	int fd = open(directory && *directory == '/' ? directory : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 ? memfd_create("kvmwait-bundle", MFD_CLOEXEC) : fd;
}

int bundle_open_member(const char *path, const char *member, int *ret_fd, char **ret_error)
{
	CLEANUP_FD int fd = open_bundle(path, ret_error);
	struct reader r = { .begin = begin_wanted, .out = -1, .directory = -1, .wanted = member };
	struct bundle_contents c = { 0 };
	int err = fd < 0 ? fd : bundle_read(fd, &c, ret_error);

	if (err)
		return err;
	if (!find_member(&c, member)) {
		*ret_error = xasprintf("it holds no '%s'; 'kvmwait bundle --list' says why", member);
		err = -ENOENT;
	} else if ((r.out = nameless_file()) < 0) {
		err = -errno;
		*ret_error = xstrdup(strerror(-err));
	} else {
		err = read_again(&r, fd, &c, ret_error);
	}
	bundle_contents_done(&c);
	if (!err && lseek(r.out, 0, SEEK_SET)) {
		err = -errno;
		*ret_error = xstrdup(strerror(-err));
	}
	if (err && r.out >= 0)
		close(r.out);
	if (!err)
		*ret_fd = r.out;
	return err;
}
