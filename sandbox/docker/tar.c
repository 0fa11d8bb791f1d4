#include "docker/tar.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/platform.h"
#include "base/text.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One read of a file, and some room for a header with long names. */
#define FILE_CHUNK ((size_t)128 * 1024)
#define PENDING_MAXIMUM ((size_t)4 * 1024 * 1024)

struct item {
	char *name;
	char *path; /* file of this machine, or NULL */
	char *link; /* target of a symlink, or NULL */
	int64_t size;
	mode_t mode; /* with the type */
	struct timespec modified;
};

struct tar {
	struct item *items;
	size_t count;
	size_t capacity;
	int64_t content_size;
	int64_t content_sent;
	struct archive *archive; /* opened by the first read */
	struct buf pending;      /* archive bytes not yet handed out */
	size_t consumed;         /* of `pending` */
	size_t next;
	int fd; /* the file being sent */
	int64_t left;
	bool closed;
	bool dropped;
};

struct tar *tar_new(void)
{
	struct tar *tar = xcalloc(1, sizeof(*tar));
	buf_init(&tar->pending, PENDING_MAXIMUM);
	tar->fd = -1;
	return tar;
}

struct tar *tar_free(struct tar *tar)
{
	if (!tar)
		return NULL;
	for (size_t i = 0; i < tar->count; i++) {
		free(tar->items[i].name);
		free(tar->items[i].path);
		free(tar->items[i].link);
	}
	free(tar->items);
	if (tar->archive) {
		/* An archive that was not read to its end is dropped, not finished: its next write fails. */
		tar->dropped = true;
		archive_write_free(tar->archive);
	}
	buf_release(&tar->pending);
	if (tar->fd >= 0)
		close(tar->fd);
	free(tar);
	return NULL;
}

void cleanup_tar(struct tar **tar)
{
	tar_free(*tar);
}

static struct item *add_item(struct tar *tar, const char *name, mode_t mode, int64_t size)
{
	if (tar->count == tar->capacity) {
		tar->capacity = tar->capacity ? tar->capacity * 2 : 16;
		tar->items = xreallocarray(tar->items, tar->capacity, sizeof(*tar->items));
	}
	struct item *item = &tar->items[tar->count++];
	*item = (struct item){ .name = xstrdup(name), .mode = mode, .size = size };
	tar->content_size += size;
	return item;
}

void tar_add_directory(struct tar *tar, const char *name, mode_t mode)
{
	struct item *item = add_item(tar, name, S_IFDIR | mode, 0);
	clock_gettime(CLOCK_REALTIME, &item->modified);
}

int tar_add_file(struct tar *tar, const char *name, mode_t mode, const char *path, struct err *e)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return err_set_errno(e, errno, NULL, "cannot read '%s'", path);
	if (!S_ISREG(status.st_mode))
		return err_set(e, ERR_INVALID, NULL, "'%s' is not a file", path);
	struct item *item = add_item(tar, name, S_IFREG | (mode ? mode : status.st_mode & 0777), status.st_size);
	item->path = xstrdup(path);
	item->modified = platform_modified(&status);
	return 0;
}

/* ---- walking a directory ---- */

struct walk {
	struct tar *tar;
	const char *prefix;
	const char *root;
	const struct ignore *ignore;
	struct err *e;
};

static int walk_directory(struct walk *walk, const char *relative, const bool *parent);

static int add_link(struct walk *walk, const char *path, const char *name, const struct stat *status)
{
	char target[4096];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return err_set_errno(walk->e, errno, NULL, "cannot read the link '%s'", path);
	target[length] = '\0';
	struct item *item = add_item(walk->tar, name, S_IFLNK | 0777, 0);
	item->link = xstrdup(target);
	item->modified = platform_modified(status);
	return 0;
}

static int visit(struct walk *walk, const char *relative, const bool *parent)
{
	auto_free char *path = file_join(walk->root, relative);
	auto_free char *name = *walk->prefix ? file_join(walk->prefix, relative) : xstrdup(relative);
	size_t patterns = walk->ignore ? walk->ignore->count : 0;
	auto_free bool *own = xcalloc(patterns, sizeof(*own));
	bool ignored = patterns && ignore_matches_entry(walk->ignore, relative, parent, own);
	struct stat status;
	if (ignored && !walk->ignore->has_exceptions)
		return 0;
	if (lstat(path, &status) < 0)
		return err_set_errno(walk->e, errno, NULL, "cannot read '%s'", path);
	if (walk->tar->count >= TAR_ENTRIES_MAXIMUM)
		return err_set(walk->e, ERR_EXHAUSTED, "context-too-large", "'%s' has more than %zu files", walk->root,
		               TAR_ENTRIES_MAXIMUM);
	if (S_ISDIR(status.st_mode)) {
		if (!ignored) {
			struct item *item = add_item(walk->tar, name, S_IFDIR | (status.st_mode & 07777), 0);
			item->modified = platform_modified(&status);
		}
		return walk_directory(walk, relative, own);
	}
	if (ignored)
		return 0;
	if (S_ISLNK(status.st_mode))
		return add_link(walk, path, name, &status);
	if (!S_ISREG(status.st_mode))
		return 0;
	struct item *item = add_item(walk->tar, name, S_IFREG | (status.st_mode & 07777), status.st_size);
	item->path = steal_ptr(path);
	item->modified = platform_modified(&status);
	return 0;
}

static int is_entry(const struct dirent *entry)
{
	return !text_equal(entry->d_name, ".") && !text_equal(entry->d_name, "..");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_directory(struct walk *walk, const char *relative, const bool *parent)
{
	auto_free char *path = *relative ? file_join(walk->root, relative) : xstrdup(walk->root);
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_entry, by_name);
	if (count < 0)
		return err_set_errno(walk->e, errno, NULL, "cannot read the directory '%s'", path);
	int outcome = 0;
	for (int i = 0; i < count; i++) {
		auto_free char *below =
		        *relative ? file_join(relative, entries[i]->d_name) : xstrdup(entries[i]->d_name);
		if (outcome == 0)
			outcome = visit(walk, below, parent);
		free(entries[i]);
	}
	free(entries);
	return outcome;
}

int tar_add_tree(struct tar *tar, const char *prefix, const char *directory, const struct ignore *ignore, struct err *e)
{
	struct walk walk = { .tar = tar, .prefix = prefix, .root = directory, .ignore = ignore, .e = e };
	return walk_directory(&walk, "", NULL);
}

int64_t tar_content_size(const struct tar *tar)
{
	return tar->content_size;
}

int64_t tar_content_sent(const struct tar *tar)
{
	return tar->content_sent;
}

size_t tar_entry_count(const struct tar *tar)
{
	return tar->count;
}

/* ---- the stream ---- */

static la_ssize_t take_archive_bytes(struct archive *archive, void *context, const void *bytes, size_t length)
{
	struct tar *tar = context;
	if (tar->dropped || buf_add(&tar->pending, bytes, length) < 0) {
		archive_set_error(archive, E2BIG, "too much archive data at once");
		return -1;
	}
	return (la_ssize_t)length;
}

static int archive_failed(struct tar *tar, struct err *e)
{
	if (archive_errno(tar->archive) == ENOMEM)
		memory_exhausted();
	const char *reason = archive_error_string(tar->archive);
	return err_set(e, ERR_INTERNAL, "tar", "cannot pack: %s", reason ? reason : "unknown reason");
}

static int open_archive(struct tar *tar, struct err *e)
{
	tar->archive = memory_checked(archive_write_new());
	if (archive_write_set_format_pax_restricted(tar->archive) != ARCHIVE_OK)
		memory_exhausted();
	archive_write_set_format_option(tar->archive, "pax", "hdrcharset", "BINARY");
	archive_write_set_bytes_per_block(tar->archive, 0);
	if (archive_write_open2(tar->archive, tar, NULL, take_archive_bytes, NULL, NULL) != ARCHIVE_OK)
		return archive_failed(tar, e);
	return 0;
}

static int begin_item(struct tar *tar, const struct item *item, struct err *e)
{
	if (item->path) {
		tar->fd = open(item->path, O_RDONLY | O_CLOEXEC);
		if (tar->fd < 0)
			return err_set_errno(e, errno, NULL, "cannot open '%s'", item->path);
	}
	struct archive_entry *entry = memory_checked(archive_entry_new());
	archive_entry_set_pathname(entry, item->name);
	archive_entry_set_mode(entry, item->mode);
	archive_entry_set_size(entry, item->size);
	archive_entry_set_mtime(entry, item->modified.tv_sec, item->modified.tv_nsec);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	if (item->link)
		archive_entry_set_symlink(entry, item->link);
	int outcome = archive_write_header(tar->archive, entry);
	archive_entry_free(entry);
	tar->left = item->size;
	return outcome < ARCHIVE_WARN ? archive_failed(tar, e) : 0;
}

static int write_data(struct tar *tar, const void *bytes, size_t length, struct err *e)
{
	if (archive_write_data(tar->archive, bytes, length) < 0)
		return archive_failed(tar, e);
	tar->content_sent += (int64_t)length;
	tar->left -= (int64_t)length;
	return 0;
}

static int send_file_part(struct tar *tar, const struct item *item, struct err *e)
{
	char chunk[FILE_CHUNK];
	size_t want = tar->left < (int64_t)sizeof(chunk) ? (size_t)tar->left : sizeof(chunk);
	ssize_t got = read(tar->fd, chunk, want);
	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return err_set_errno(e, errno, NULL, "cannot read '%s'", item->path);
	if (got == 0) /* its header, with the size that it had, is out */
		return err_set(e, ERR_PRECONDITION, "file-changed", "'%s' became shorter while it was read",
		               item->path);
	return write_data(tar, chunk, (size_t)got, e);
}

/* One more piece of the archive into `pending`. */
static int produce(struct tar *tar, struct err *e)
{
	if (tar->left > 0)
		return send_file_part(tar, &tar->items[tar->next - 1], e);
	if (tar->fd >= 0)
		close(steal_fd(&tar->fd));
	if (tar->next == tar->count) {
		tar->closed = true;
		return archive_write_close(tar->archive) == ARCHIVE_OK ? 0 : archive_failed(tar, e);
	}
	const struct item *item = &tar->items[tar->next++];
	return begin_item(tar, item, e);
}

ssize_t tar_read(void *context, void *room, size_t size, struct err *e)
{
	struct tar *tar = context;
	if (!tar->archive && open_archive(tar, e) < 0)
		return -1;
	if (tar->consumed == tar->pending.length) {
		buf_clear(&tar->pending);
		tar->consumed = 0;
	}
	while (!tar->closed && tar->pending.length < size) {
		if (produce(tar, e) < 0)
			return -1;
	}
	size_t available = tar->pending.length - tar->consumed;
	size_t given = available < size ? available : size;
	if (given)
		memcpy(room, tar->pending.data + tar->consumed, given);
	tar->consumed += given;
	return (ssize_t)given;
}
