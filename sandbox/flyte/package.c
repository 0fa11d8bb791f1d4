#include "flyte/package.h"

#include "base/file.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)65536)

void package_release(struct package *package)
{
	for (size_t i = 0; i < package->count; i++) {
		free(package->files[i].name);
		buf_release(&package->files[i].bytes);
	}
	free(package->files);
	*package = (struct package)PACKAGE_INIT;
}

static struct package_file *add(struct package *package, const char *name, struct err *e)
{
	if (package->count == PACKAGE_FILES_MAXIMUM) {
		err_set(e, ERR_EXHAUSTED, "package-too-large", "more than %zu files", PACKAGE_FILES_MAXIMUM);
		return NULL;
	}
	package->files = xreallocarray(package->files, package->count + 1, sizeof(*package->files));
	struct package_file *file = &package->files[package->count++];
	*file = (struct package_file){ .name = xstrdup(name), .bytes = BUF_INIT(PACKAGE_FILE_MAXIMUM) };
	return file;
}

static int count_bytes(struct package *package, const struct package_file *file, size_t length, struct err *e)
{
	package->total += length;
	if (package->total <= PACKAGE_MAXIMUM && file->bytes.length <= PACKAGE_FILE_MAXIMUM)
		return 0;
	return err_set(e, ERR_EXHAUSTED, "package-too-large", "more than %zu MiB", PACKAGE_MAXIMUM >> 20);
}

static int read_entry(struct package *package, struct archive *reader, const char *name, struct err *e)
{
	struct package_file *file = add(package, name, e);
	if (!file)
		return -1;
	for (;;) {
		char *room = buf_reserve(&file->bytes, PIECE);
		if (!room)
			return err_set(e, ERR_EXHAUSTED, "package-too-large", "'%s' is larger than %zu MiB", name,
			               PACKAGE_FILE_MAXIMUM >> 20);
		const la_ssize_t got = archive_read_data(reader, room, PIECE);
		if (got < 0)
			return err_set(e, ERR_INVALID, "bad-package", "'%s': %s", name, archive_error_string(reader));
		buf_commit(&file->bytes, (size_t)got);
		if (got == 0)
			return 0;
		if (count_bytes(package, file, (size_t)got, e) < 0)
			return -1;
	}
}

static int read_entries(struct package *package, struct archive *reader, struct err *e)
{
	struct archive_entry *entry;
	for (;;) {
		const int outcome = archive_read_next_header(reader, &entry);
		if (outcome == ARCHIVE_EOF)
			return 0;
		if (outcome < ARCHIVE_WARN)
			return err_set(e, ERR_INVALID, "bad-package", "%s", archive_error_string(reader));
		const char *name = archive_entry_pathname(entry);
		if (archive_entry_filetype(entry) != AE_IFREG)
			continue;
		if (text_is_empty(name))
			return err_set(e, ERR_INVALID, "bad-package", "a file without a name");
		if (read_entry(package, reader, text_starts_with(name, "./") ? name + 2 : name, e) < 0)
			return -1;
	}
}

int package_add_archive(struct package *package, const char *name, const void *bytes, size_t length, struct err *e)
{
	struct archive *reader = memory_checked(archive_read_new());
	archive_read_support_format_tar(reader);
	archive_read_support_filter_gzip(reader);
	archive_read_support_filter_bzip2(reader);
	archive_read_support_filter_xz(reader);
	int outcome = archive_read_open_memory(reader, bytes, length) == ARCHIVE_OK
	                      ? read_entries(package, reader, e)
	                      : err_set(e, ERR_INVALID, "bad-package", "%s", archive_error_string(reader));
	archive_read_free(reader);
	if (outcome < 0) {
		err_wrap(e, "'%s'", name);
		return err_hint(e, "`pyflyte package` writes what can be read here: a tar of serialized messages");
	}
	return 0;
}

int package_add_file(struct package *package, const char *path, struct err *e)
{
	struct package_file *file = add(package, path, e);
	if (!file || file_read(path, &file->bytes, e) < 0)
		return -1;
	return count_bytes(package, file, file->bytes.length, e);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct package_file *)a)->name, ((const struct package_file *)b)->name);
}

void package_sort(struct package *package)
{
	if (package->count)
		qsort(package->files, package->count, sizeof(*package->files), by_name);
}

enum package_kind package_kind_of(const struct package_file *file)
{
	const char *slash = strrchr(file->name, '/');
	const char *base = slash ? slash + 1 : file->name;
	if (text_starts_with(base, "fast") && text_ends_with(base, ".tar.gz"))
		return PACKAGE_SOURCE;
	return text_ends_with(base, ".pb") ? PACKAGE_MESSAGE : PACKAGE_OTHER;
}

bool package_is_archive_name(const char *name)
{
	return text_ends_with(name, ".tar") || text_ends_with(name, ".tgz") || text_ends_with(name, ".tar.gz");
}
