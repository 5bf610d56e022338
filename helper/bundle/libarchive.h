// SPDX-License-Identifier: Apache-2.0
// libarchive, loaded when a bundle is written or read: it drags in a dozen libraries that no other command needs.
#ifndef KVMWAIT_BUNDLE_LIBARCHIVE_H
#define KVMWAIT_BUNDLE_LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#define LIBARCHIVE_FUNCTIONS(F)         \
	F(archive_entry_clear)          \
	F(archive_entry_filetype)       \
	F(archive_entry_free)           \
	F(archive_entry_hardlink)       \
	F(archive_entry_new)            \
	F(archive_entry_pathname)       \
	F(archive_entry_set_filetype)   \
	F(archive_entry_set_mtime)      \
	F(archive_entry_set_pathname)   \
	F(archive_entry_set_perm)       \
	F(archive_entry_set_size)       \
	F(archive_entry_symlink)        \
	F(archive_errno)                \
	F(archive_error_string)         \
	F(archive_read_data)            \
	F(archive_read_free)            \
	F(archive_read_new)             \
	F(archive_read_next_header)     \
	F(archive_read_open_fd)         \
	F(archive_read_support_filter_zstd) \
	F(archive_read_support_format_tar)  \
	F(archive_write_add_filter_zstd) \
	F(archive_write_close)          \
	F(archive_write_data)           \
	F(archive_write_finish_entry)   \
	F(archive_write_free)           \
	F(archive_write_header)         \
	F(archive_write_new)            \
	F(archive_write_open_fd)        \
	F(archive_write_set_format_pax_restricted)

/* Its functions under their own names. */
struct libarchive {
#define LIBARCHIVE_MEMBER(name) __typeof__(name) *name;
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_MEMBER)
#undef LIBARCHIVE_MEMBER
};

/* Loads it once; it stays. NULL with ret_error (the caller frees). */
const struct libarchive *libarchive_load(char **ret_error);

#endif
