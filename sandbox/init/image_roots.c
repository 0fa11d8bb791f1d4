/*
 * The unpacked file systems of shipped images: where each comes from, and what of them has to be on the volume.
 *
 * A snapshot's `fs` in containerd's store that is a link to MOUNTED/<digest> borrows; the digest is needed while such a
 * link is there. It is provided by a mount of <digest>.squashfs, or by a link to the directory KEPT/<digest>.
 */
#include "init/images.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "init/filesystem.h"
#include "init/loopback.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".squashfs"
#define UNPACK "/usr/bin/unsquashfs"
#define SNAPSHOTS "io.containerd.snapshotter.v1.overlayfs/snapshots"
#define BLOBS "io.containerd.content.v1.content/blobs/sha256"
#define LINK_MAXIMUM 4096

/* What the link at `path` says when it leads into `directory`, relative to that; else NULL. Free it. */
static char *link_into(const char *path, const char *directory)
{
	char target[LINK_MAXIMUM];
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return NULL;
	target[length] = '\0';
	size_t prefix = strlen(directory);
	if (!text_starts_with(target, directory) || target[prefix] != '/')
		return NULL;
	return xstrdup(target + prefix + 1);
}

/* The digests that the store's snapshots borrow. */
static int read_needed(const struct image_places *places, struct name_list *ret_needed, struct err *e)
{
	auto_free char *snapshots = file_join(places->store, SNAPSHOTS);
	auto_name_list struct name_list ids;
	*ret_needed = (struct name_list){ .count = 0 };
	if (name_list_read(snapshots, "", &ids, e) < 0)
		return -1;
	ret_needed->names = xcalloc(ids.count + 1, sizeof(*ret_needed->names));
	for (size_t i = 0; i < ids.count; i++) {
		auto_free char *path = xasprintf("%s/%s/fs", snapshots, ids.names[i]);
		char *digest = link_into(path, places->mounted);
		if (digest)
			ret_needed->names[ret_needed->count++] = digest;
	}
	return 0;
}

static bool contains(const struct name_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (text_equal(list->names[i], name))
			return true;
	return false;
}

static bool is_directory(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The file with the digest's file system, or NULL. The image's own comes first: all sandboxes on a machine share its
 * cached pages. */
static char *find_file(const struct image_places *places, const char *digest)
{
	auto_free char *shipped = xasprintf("%s/%s" SUFFIX, places->shipped, digest);
	auto_free char *kept = xasprintf("%s/%s" SUFFIX, places->kept, digest);
	return file_exists(shipped) ? steal_ptr(shipped) : file_exists(kept) ? steal_ptr(kept) : NULL;
}

static int link_directory(const struct image_places *places, const char *digest, struct err *e)
{
	auto_free char *directory = file_join(places->kept, digest);
	auto_free char *target = file_join(places->mounted, digest);
	(void)rmdir(target);
	if (symlink(directory, target) < 0 && errno != EEXIST)
		return err_set_errno(e, errno, NULL, "cannot make the link '%s'", target);
	return 0;
}

static int provide(const struct image_places *places, const char *digest, const char *file, struct err *e)
{
	auto_free char *directory = file_join(places->kept, digest);
	if (is_directory(directory))
		return link_directory(places, digest, e);
	auto_free char *target = file_join(places->mounted, digest);
	if (mkdir(target, 0755) < 0)
		return err_set_errno(e, errno, NULL, "cannot create the directory '%s'", target);
	if (loopback_mount(file, target, e) < 0) {
		(void)rmdir(target);
		return -1;
	}
	return 0;
}

static void provide_all(const struct image_places *places, const char *from)
{
	auto_name_list struct name_list files;
	auto_err struct err problem = ERR_INIT;
	if (name_list_read(from, SUFFIX, &files, &problem) < 0)
		log_err(LOG_WARN, "cannot look for file systems of images", &problem, NULL, NULL);
	for (size_t i = 0; i < files.count; i++) {
		auto_free char *digest = xstrndup(files.names[i], strlen(files.names[i]) - strlen(SUFFIX));
		auto_free char *target = file_join(places->mounted, digest);
		auto_free char *file = file_join(from, files.names[i]);
		auto_err struct err refused = ERR_INIT;
		if (!file_exists(target) && provide(places, digest, file, &refused) < 0)
			log_err(LOG_WARN, "the file system of an image cannot be mounted and will be unpacked",
			        &refused, NULL, NULL);
	}
}

void images_mount(const struct image_places *places, bool *ret_lost)
{
	auto_err struct err problem = ERR_INIT;
	auto_name_list struct name_list needed = { .count = 0 };
	*ret_lost = false;
	if (file_make_directories(places->mounted, 0755, &problem) < 0 || read_needed(places, &needed, &problem) < 0)
		log_err(LOG_WARN, "cannot provide the file systems of images", &problem, NULL, NULL);
	provide_all(places, places->shipped);
	provide_all(places, places->kept);
	for (size_t i = 0; i < needed.count; i++) {
		auto_free char *file = find_file(places, needed.names[i]);
		auto_free char *directory = file_join(places->kept, needed.names[i]);
		if (!file && !is_directory(directory))
			*ret_lost = true;
	}
}

/* Where it could not be mounted: unpacked on the volume, which takes seconds, once. */
static int unpack(const struct image_places *places, const char *digest, struct err *e)
{
	auto_free char *file = find_file(places, digest);
	auto_free char *directory = file_join(places->kept, digest);
	auto_free char *partial = xasprintf("%s.partial", directory);
	if (!file)
		return err_set(e, ERR_NOT_FOUND, NULL, "the file system '%s' of an image is gone", digest);
	const char *const command[] = { UNPACK, "-no-progress", "-quiet", "-d", partial, file, NULL };
	if (filesystem_remove_tree(partial, e) < 0 || file_make_directories(places->kept, 0755, e) < 0 ||
	    images_run(command, e) < 0)
		return err_wrap(e, "cannot unpack '%s'", file);
	if (rename(partial, directory) < 0)
		return err_set_errno(e, errno, NULL, "cannot rename '%s'", partial);
	return link_directory(places, digest, e);
}

int image_roots_unpack(const struct image_places *places, struct err *e)
{
	auto_name_list struct name_list needed;
	if (read_needed(places, &needed, e) < 0)
		return -1;
	for (size_t i = 0; i < needed.count; i++) {
		auto_free char *target = file_join(places->mounted, needed.names[i]);
		if (!file_exists(target) && unpack(places, needed.names[i], e) < 0)
			return -1;
	}
	return 0;
}

/* `to` appears when it is complete, in place of a link that was there. */
static int copy_file(const struct image_places *places, const char *from, const char *to, struct err *e)
{
	auto_free char *partial = file_join(places->kept, "partial");
	if (file_remove(partial, e) < 0 || filesystem_copy_file(from, partial, e) < 0)
		return -1;
	if (rename(partial, to) < 0)
		return err_set_errno(e, errno, NULL, "cannot rename '%s' to '%s'", partial, to);
	return 0;
}

static int keep_blobs(const struct image_places *places, struct err *e)
{
	auto_free char *blobs = file_join(places->store, BLOBS);
	auto_name_list struct name_list names;
	if (name_list_read(blobs, "", &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		auto_free char *path = file_join(blobs, names.names[i]);
		auto_free char *rest = link_into(path, places->shipped);
		if (!rest)
			continue;
		auto_free char *from = file_join(places->shipped, rest);
		if (copy_file(places, from, path, e) < 0)
			return -1;
	}
	return 0;
}

static int keep_roots(const struct image_places *places, const struct name_list *needed, struct err *e)
{
	for (size_t i = 0; i < needed->count; i++) {
		auto_free char *file = xasprintf("%s/%s" SUFFIX, places->kept, needed->names[i]);
		auto_free char *directory = file_join(places->kept, needed->names[i]);
		auto_free char *from = find_file(places, needed->names[i]);
		if (file_exists(file) || is_directory(directory) || !from)
			continue;
		if (copy_file(places, from, file, e) < 0)
			return -1;
	}
	return 0;
}

/* What no snapshot borrows any more. A mount of it that is still there goes with the container. */
static int drop_others(const struct image_places *places, const struct name_list *needed, struct err *e)
{
	auto_name_list struct name_list names;
	if (name_list_read(places->kept, "", &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		size_t length = strlen(names.names[i]);
		bool is_file = text_ends_with(names.names[i], SUFFIX);
		auto_free char *digest = xstrndup(names.names[i], is_file ? length - strlen(SUFFIX) : length);
		auto_free char *path = file_join(places->kept, names.names[i]);
		if (!contains(needed, digest) && filesystem_remove_tree(path, e) < 0)
			return -1;
	}
	return 0;
}

int image_roots_keep(const struct image_places *places, struct err *e)
{
	auto_name_list struct name_list needed;
	/* The blobs first: a file system that was kept says that its store borrows nothing else. */
	if (file_make_directories(places->kept, 0755, e) < 0 || keep_blobs(places, e) < 0)
		return -1;
	if (read_needed(places, &needed, e) < 0 || keep_roots(places, &needed, e) < 0)
		return -1;
	return drop_others(places, &needed, e);
}
