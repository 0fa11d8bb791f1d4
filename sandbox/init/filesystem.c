#include "init/filesystem.h"

#include "base/file.h"
#include "base/text.h"
#include "init/cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <pwd.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define PATH_BUFFER_SIZE 4096

static bool is_read_only(const char *path)
{
	struct statvfs info;
	return statvfs(path, &info) == 0 && (info.f_flag & ST_RDONLY);
}

/*
 * The engine mounts /sys and the cgroup hierarchies read-only into a container without --privileged, but we hold
 * CAP_SYS_ADMIN in our own mount namespace, so the mount flag can be taken back. The flag of the file system itself
 * (not only of the mount) may be set too: then a full remount with the original options follows.
 */
static int make_writable(const char *path, const char *options, struct err *e)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	if (mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return err_set_errno(e, errno, "mount-failed", "cannot remount '%s' read-write", path);
	if (is_read_only(path) && mount(NULL, path, NULL, MS_REMOUNT | flags, options) < 0)
		return err_set_errno(e, errno, "mount-failed", "cannot remount '%s' read-write", path);
	return 0;
}

void filesystem_specific_options(const char *options, char *room, size_t size)
{
	static const char *const generic[] = { "ro", "rw", "nosuid", "nodev", "noexec", "relatime", "noatime" };
	size_t length = 0;
	room[0] = '\0';
	while (*options) {
		size_t option_length = strcspn(options, ",");
		/* Set already, and refused to who is not in the machine's own namespaces. */
		bool keep = !text_starts_with(options, "release_agent=");
		for (size_t i = 0; i < ARRAY_LENGTH(generic); i++)
			keep = keep && !(strlen(generic[i]) == option_length &&
			                 memcmp(generic[i], options, option_length) == 0);
		if (keep && length + option_length + 2 < size)
			length += (size_t)snprintf(room + length, size - length, "%s%.*s", length ? "," : "",
			                           (int)option_length, options);
		options += option_length + (options[option_length] == ',');
	}
}

static int make_kernel_mounts_writable(struct err *e)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	if (!mounts)
		return err_set_errno(e, errno, "mount-failed", "cannot read '/proc/self/mounts'");
	int result = 0;
	struct mntent entry;
	char room[PATH_BUFFER_SIZE];
	while (result == 0 && getmntent_r(mounts, &entry, room, sizeof(room))) {
		if (!text_equal(entry.mnt_type, "sysfs") && !text_equal(entry.mnt_type, "cgroup") &&
		    !text_equal(entry.mnt_type, "cgroup2") && !text_equal(entry.mnt_dir, CGROUPS_ROOT))
			continue;
		char options[PATH_BUFFER_SIZE];
		filesystem_specific_options(entry.mnt_opts, options, sizeof(options));
		if (is_read_only(entry.mnt_dir))
			result = make_writable(entry.mnt_dir, options, e);
	}
	endmntent(mounts);
	return result;
}

int filesystem_prepare_mounts(struct err *e)
{
	if (cgroups_own_namespace(e) < 0 || make_kernel_mounts_writable(e) < 0 || cgroups_delegate(e) < 0)
		return -1;
	/* kubelet's volume mounts have to show up in the containers' mount namespaces. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		return err_set_errno(e, errno, "mount-failed", "cannot make '/' a shared mount");
	return 0;
}

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
	*ret_uid = 0;
	*ret_gid = 0;
	if (!name)
		return 0;
	const struct passwd *user = getpwnam(name);
	if (!user)
		return err_set(e, ERR_INVALID, "no-such-user", "the user '%s' does not exist", name);
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

static int make_directory(const struct prepare_directory *directory, struct err *e)
{
	uid_t uid;
	gid_t gid;
	if (find_user(directory->user, &uid, &gid, e) < 0 || file_make_directories(directory->path, 0755, e) < 0)
		return err_wrap(e, "'%s'", directory->path);
	if (chmod(directory->path, directory->mode) < 0 || chown(directory->path, uid, gid) < 0)
		return err_set_errno(e, errno, NULL, "cannot set the owner and mode of '%s'", directory->path);
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
	(void)info;
	(void)kind;
	(void)position;
	return remove(path);
}

int filesystem_remove_tree(const char *path, struct err *e)
{
	struct stat info;
	if (lstat(path, &info) == 0 && nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)
		return err_set_errno(e, errno, NULL, "cannot remove '%s'", path);
	return 0;
}

int filesystem_prepare_state(const struct init_config *config, struct err *e)
{
	for (unsigned i = 0; i < config->removal_count; i++)
		if (filesystem_remove_tree(config->removals[i], e) < 0)
			return -1;
	for (unsigned i = 0; i < config->directory_count; i++)
		if (make_directory(&config->directories[i], e) < 0)
			return -1;
	for (unsigned i = 0; i < config->copy_count; i++)
		if (filesystem_copy_tree(config->copies[i].from, config->copies[i].to, e) < 0)
			return -1;
	return 0;
}

static int copy_file(int from_directory, int to_directory, const char *name, const char *to_name,
                     const struct stat *info, struct err *e)
{
	auto_fd int in = openat(from_directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	auto_fd int out = openat(to_directory, to_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		return err_set_errno(e, errno, NULL, "cannot copy '%s'", name);
	for (;;) {
		/* Not copy_file_range: from the image's overlay to the volume it is refused (EXDEV). */
		ssize_t copied = sendfile(out, in, NULL, (size_t)64 * 1024 * 1024);
		if (copied == 0)
			break;
		if (copied < 0)
			return err_set_errno(e, errno, NULL, "cannot copy '%s'", name);
	}
	if (fchown(out, info->st_uid, info->st_gid) < 0 || fchmod(out, info->st_mode & 07777) < 0)
		return err_set_errno(e, errno, NULL, "cannot set the owner and mode of '%s'", name);
	return 0;
}

static int copy_link(int from_directory, int to_directory, const char *name, struct err *e)
{
	char target[PATH_BUFFER_SIZE];
	ssize_t length = readlinkat(from_directory, name, target, sizeof(target) - 1);
	if (length < 0)
		return err_set_errno(e, errno, NULL, "cannot read the link '%s'", name);
	target[length] = '\0';
	if (symlinkat(target, to_directory, name) < 0)
		return err_set_errno(e, errno, NULL, "cannot create the link '%s'", name);
	return 0;
}

static int copy_directory(int from, int to, struct err *e);

static int copy_entry(int from, int to, const char *name, struct err *e)
{
	struct stat info;
	if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set_errno(e, errno, NULL, "cannot look at '%s'", name);
	if (S_ISREG(info.st_mode))
		return copy_file(from, to, name, name, &info, e);
	if (S_ISLNK(info.st_mode))
		return copy_link(from, to, name, e);
	if (!S_ISDIR(info.st_mode))
		return err_set(e, ERR_UNSUPPORTED, NULL, "'%s' is neither a file, a directory nor a link", name);
	if (mkdirat(to, name, 0700) < 0)
		return err_set_errno(e, errno, NULL, "cannot create '%s'", name);
	auto_fd int from_child = openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int to_child = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_child < 0 || to_child < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", name);
	if (copy_directory(from_child, to_child, e) < 0)
		return err_wrap(e, "%s", name);
	if (fchown(to_child, info.st_uid, info.st_gid) < 0 || fchmod(to_child, info.st_mode & 07777) < 0)
		return err_set_errno(e, errno, NULL, "cannot set the owner and mode of '%s'", name);
	return 0;
}

static int copy_directory(int from, int to, struct err *e)
{
	int listing = dup(from);
	DIR *directory = listing < 0 ? NULL : fdopendir(listing);
	if (!directory)
		return err_set_errno(e, errno, NULL, "cannot list the directory");
	int result = 0;
	for (const struct dirent *entry; result == 0 && (entry = readdir(directory));)
		if (!text_equal(entry->d_name, ".") && !text_equal(entry->d_name, ".."))
			result = copy_entry(from, to, entry->d_name, e);
	closedir(directory);
	return result;
}

int filesystem_copy_file(const char *from, const char *to, struct err *e)
{
	struct stat info;
	if (stat(from, &info) < 0)
		return err_set_errno(e, errno, NULL, "cannot look at '%s'", from);
	return copy_file(AT_FDCWD, AT_FDCWD, from, to, &info, e);
}

int filesystem_copy_tree(const char *from, const char *to, struct err *e)
{
	if (file_exists(to))
		return 0;
	auto_free char *partial = xasprintf("%s.partial", to);
	if (filesystem_remove_tree(partial, e) < 0)
		return -1;
	struct stat info;
	if (stat(from, &info) < 0)
		return err_set_errno(e, errno, NULL, "cannot look at '%s'", from);
	if (mkdir(partial, 0700) < 0)
		return err_set_errno(e, errno, NULL, "cannot create '%s'", partial);
	auto_fd int from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int to_fd = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0 || to_fd < 0)
		return err_set_errno(e, errno, NULL, "cannot open '%s'", from);
	if (copy_directory(from_fd, to_fd, e) < 0)
		return err_wrap(e, "cannot copy '%s' to '%s'", from, to);
	if (fchown(to_fd, info.st_uid, info.st_gid) < 0 || fchmod(to_fd, info.st_mode & 07777) < 0)
		return err_set_errno(e, errno, NULL, "cannot set the owner and mode of '%s'", partial);
	/* No sync here: it would flush the whole disk of the host, and what a power cut in the first second leaves is a
	 * first start again. */
	if (rename(partial, to) < 0)
		return err_set_errno(e, errno, NULL, "cannot rename '%s'", partial);
	return 0;
}
