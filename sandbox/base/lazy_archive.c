/* libarchive, loaded when needed. */
#include "base/lazy.h"
#include "base/memory.h"

#include <archive.h>
#include <archive_entry.h>

static struct lazy_library library = LAZY_LIBRARY("libarchive.so.13", "libarchive13", "libarchive.13.dylib", "libarchive");

LAZY(&library, struct archive_entry *, archive_entry_new, (void), ())
LAZY(&library, void, archive_entry_free, (struct archive_entry *entry), (entry))
LAZY(&library, void, archive_entry_set_gid, (struct archive_entry *entry, la_int64_t gid), (entry, gid))
LAZY(&library, void, archive_entry_set_uid, (struct archive_entry *entry, la_int64_t uid), (entry, uid))
LAZY(&library, void, archive_entry_set_mode, (struct archive_entry *entry, __LA_MODE_T mode), (entry, mode))
LAZY(&library, void, archive_entry_set_mtime, (struct archive_entry *entry, time_t seconds, long nanoseconds),
     (entry, seconds, nanoseconds))
LAZY(&library, void, archive_entry_set_pathname, (struct archive_entry *entry, const char *path), (entry, path))
LAZY(&library, void, archive_entry_set_size, (struct archive_entry *entry, la_int64_t size), (entry, size))
LAZY(&library, void, archive_entry_set_symlink, (struct archive_entry *entry, const char *target), (entry, target))
LAZY(&library, __LA_MODE_T, archive_entry_filetype, (struct archive_entry *entry), (entry))
LAZY(&library, const char *, archive_error_string, (struct archive *archive), (archive))
LAZY(&library, struct archive *, archive_read_new, (void), ())
LAZY(&library, int, archive_read_free, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_support_format_tar, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_open_memory, (struct archive *archive, const void *bytes, size_t size),
     (archive, bytes, size))
LAZY(&library, int, archive_read_next_header, (struct archive *archive, struct archive_entry **entry),
     (archive, entry))
LAZY(&library, la_ssize_t, archive_read_data, (struct archive *archive, void *room, size_t size),
     (archive, room, size))
LAZY(&library, struct archive *, archive_write_new, (void), ())
LAZY(&library, int, archive_write_free, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_close, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_set_format_pax_restricted, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_set_format_option,
     (struct archive *archive, const char *module, const char *option, const char *value),
     (archive, module, option, value))
LAZY(&library, int, archive_write_set_bytes_per_block, (struct archive *archive, int size), (archive, size))
LAZY(&library, int, archive_write_open2,
     (struct archive *archive, void *context, archive_open_callback *opener, archive_write_callback *writer,
      archive_close_callback *closer, archive_free_callback *freer),
     (archive, context, opener, writer, closer, freer))
LAZY(&library, int, archive_write_header, (struct archive *archive, struct archive_entry *entry), (archive, entry))
LAZY(&library, la_ssize_t, archive_write_data, (struct archive *archive, const void *bytes, size_t size),
     (archive, bytes, size))
LAZY(&library, const char *, archive_entry_pathname, (struct archive_entry *entry), (entry))
LAZY(&library, void, archive_entry_set_filetype, (struct archive_entry *entry, unsigned type), (entry, type))
LAZY(&library, void, archive_entry_set_perm, (struct archive_entry *entry, __LA_MODE_T mode), (entry, mode))
LAZY(&library, int, archive_errno, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_add_filter_gzip, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_open_filename, (struct archive *archive, const char *path), (archive, path))
LAZY(&library, int, archive_read_open_filename, (struct archive *archive, const char *path, size_t block), (archive, path, block))
LAZY(&library, int, archive_read_support_filter_all, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_support_format_all, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_support_filter_gzip, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_support_filter_none, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_data_skip, (struct archive *archive), (archive))
LAZY(&library, la_int64_t, archive_entry_size, (struct archive_entry *entry), (entry))
LAZY(&library, int, archive_entry_size_is_set, (struct archive_entry *entry), (entry))
LAZY(&library, int, archive_read_support_format_raw, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_set_bytes_in_last_block, (struct archive *archive, int size), (archive, size))
LAZY(&library, int, archive_write_set_format_raw, (struct archive *archive), (archive))
LAZY(&library, int, archive_write_set_options, (struct archive *archive, const char *options), (archive, options))
LAZY(&library, int, archive_read_open,
     (struct archive *archive, void *context, archive_open_callback *opener, archive_read_callback *reader,
      archive_close_callback *closer),
     (archive, context, opener, reader, closer))
LAZY(&library, int, archive_write_open,
     (struct archive *archive, void *context, archive_open_callback *opener, archive_write_callback *writer,
      archive_close_callback *closer),
     (archive, context, opener, writer, closer))

void archive_set_error(struct archive *archive, int number, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *text = xvasprintf(format, arguments);
	va_end(arguments);
	LAZY_REAL(&library, archive_set_error)(archive, number, "%s", text);
}
LAZY(&library, int, archive_read_support_filter_bzip2, (struct archive *archive), (archive))
LAZY(&library, int, archive_read_support_filter_xz, (struct archive *archive), (archive))
