/*
 * The kubelet and containerd take the root of what is mounted at /sys/fs/cgroup for theirs. An engine that gives the
 * container a cgroup namespace of its own mounts the hierarchies from inside of it, and then that root is the
 * container's group. Without one, /proc/self/cgroup has the whole path of the group in the engine's machine, which does
 * not exist below the container's mounts (v1), or the mount is the machine's whole tree (v2). What the engine would
 * have done can be done from here, too: a new namespace has the groups of who makes it as roots, and what is mounted
 * from then on begins there.
 *
 * Commands that the engine runs in the container join only the namespaces that it made itself: they stay in the
 * machine's. That is of no consequence, because what makes groups (containerd, the kubelet) descends from PID 1.
 */
#include "init/cgroups.h"

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "init/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define CGROUP2_MAGIC 0x63677270
/* v1 has some fifteen controllers. */
#define HIERARCHIES_MAXIMUM 32
#define OPTIONS_SIZE 1024

/* Lines of "ID:CONTROLLERS:PATH", cgroups(7). */
bool cgroups_are_shared(const char *proc_self_cgroup)
{
	for (const char *line = proc_self_cgroup; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *controllers = line + strcspn(line, ":\n");
		const char *path = controllers + (*controllers == ':');
		path += strcspn(path, ":\n");
		path += *path == ':';
		if (*path == '/' && strcspn(path, "\n") > 1)
			return true;
	}
	return false;
}

struct hierarchy {
	char *type;
	char *directory;
	char options[OPTIONS_SIZE];
};

static size_t find_hierarchies(struct hierarchy *hierarchies)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	if (!mounts)
		return 0;
	size_t count = 0;
	struct mntent entry;
	char room[4096];
	while (count < HIERARCHIES_MAXIMUM && getmntent_r(mounts, &entry, room, sizeof(room))) {
		if (!text_equal(entry.mnt_type, "cgroup") && !text_equal(entry.mnt_type, "cgroup2"))
			continue;
		struct hierarchy *hierarchy = &hierarchies[count++];
		hierarchy->type = xstrdup(entry.mnt_type);
		hierarchy->directory = xstrdup(entry.mnt_dir);
		filesystem_specific_options(entry.mnt_opts, hierarchy->options, sizeof(hierarchy->options));
	}
	endmntent(mounts);
	return count;
}

static int mount_again(const struct hierarchy *hierarchy, struct err *e)
{
	/* Where the engine's mount stays, the new one covers it. */
	(void)umount2(hierarchy->directory, MNT_DETACH);
	if (mount(hierarchy->type, hierarchy->directory, hierarchy->type, MS_NOSUID | MS_NODEV | MS_NOEXEC,
	          hierarchy->options) < 0)
		return err_set_errno(e, errno, "cgroup-failed",
		                     "cannot mount '%s' (%s %s) in a cgroup namespace of our own", hierarchy->directory,
		                     hierarchy->type, hierarchy->options);
	return 0;
}

int cgroups_own_namespace(struct err *e)
{
	auto_buf struct buf text = BUF_INIT(64 * 1024);
	if (file_read("/proc/self/cgroup", &text, e) < 0)
		return -1;
	if (!cgroups_are_shared(buf_text(&text)))
		return 0;
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_set_errno(e, errno, "cgroup-failed", "cannot make a cgroup namespace");
	struct hierarchy hierarchies[HIERARCHIES_MAXIMUM];
	size_t count = find_hierarchies(hierarchies);
	int result = 0;
	for (size_t i = 0; i < count; i++) {
		if (result == 0)
			result = mount_again(&hierarchies[i], e);
		free(hierarchies[i].type);
		free(hierarchies[i].directory);
	}
	if (result == 0)
		log_info("the engine gave the container no cgroup namespace of its own, so it has made one", NULL);
	return result;
}

static int write_file(const char *path, const char *text, struct err *e)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_set_errno(e, errno, NULL, "cannot write '%s' to '%s'", text, path);
	return 0;
}

/* Nothing else runs yet, so there is nobody else to move; a process that an exec put in the root is moved as well. */
static int move_into_leaf(struct err *e)
{
	if (mkdir(CGROUPS_ROOT "/init", 0755) < 0 && errno != EEXIST)
		return err_set_errno(e, errno, "cgroup-failed", "cannot create the cgroup '/init'");
	auto_buf struct buf processes = BUF_INIT(64 * 1024);
	if (file_read(CGROUPS_ROOT "/cgroup.procs", &processes, e) < 0)
		return -1;
	char *saved = NULL;
	for (char *pid = strtok_r(processes.data, "\n", &saved); pid; pid = strtok_r(NULL, "\n", &saved)) {
		auto_err struct err gone = ERR_INIT;
		if (write_file(CGROUPS_ROOT "/init/cgroup.procs", pid, &gone) < 0 && text_equal(pid, "1"))
			return err_move(e, &gone);
	}
	return 0;
}

int cgroups_delegate(struct err *e)
{
	struct statfs cgroup;
	if (statfs(CGROUPS_ROOT, &cgroup) < 0 || cgroup.f_type != CGROUP2_MAGIC)
		return 0;
	/* A group with processes in it may not hand controllers down. */
	if (move_into_leaf(e) < 0)
		return -1;
	auto_buf struct buf controllers = BUF_INIT(4096);
	if (file_read(CGROUPS_ROOT "/cgroup.controllers", &controllers, e) < 0)
		return -1;
	char *saved = NULL;
	for (char *name = controllers.data ? strtok_r(controllers.data, " \n", &saved) : NULL; name;
	     name = strtok_r(NULL, " \n", &saved)) {
		auto_free char *enable = xasprintf("+%s", name);
		/* Some controllers cannot be handed down (e.g. cpuset without CPUs); kubelet says which one it misses.
		 */
		auto_err struct err ignored = ERR_INIT;
		(void)write_file(CGROUPS_ROOT "/cgroup.subtree_control", enable, &ignored);
	}
	return 0;
}
