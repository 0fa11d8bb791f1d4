/*
 * What has to be true of the container's file system before the first service starts: writable /sys and cgroup
 * hierarchies, shared mount propagation, the directories on the volume, the database cluster copied there at the first
 * start. The container is not privileged; docs/internals/container.md lists what it is given and why each step works
 * with that.
 */
#ifndef SANDBOX_INIT_FILESYSTEM_H
#define SANDBOX_INIT_FILESYSTEM_H

#include "base/err.h"
#include "init/config.h"

/* Mounts and cgroups, v1 or v2. To be called once, as PID 1, before any other process exists. */
int filesystem_prepare_mounts(struct err *e);
/* Mount options of /proc/mounts without the generic flags, as mount(2) wants them: "rw,memory" gives "memory". Those
 * that do not fit into `size` bytes are left out. */
void filesystem_specific_options(const char *options, char *room, size_t size);
/* Removals, directories and copies of the services file. Safe to repeat. */
int filesystem_prepare_state(const struct init_config *config, struct err *e);
/* Copies a tree with modes and owners to `to`, which appears only when it is complete; does nothing when it exists. */
int filesystem_copy_tree(const char *from, const char *to, struct err *e);

/* A file with mode and owner; `to` must not exist. */
int filesystem_copy_file(const char *from, const char *to, struct err *e);
/* A file or a directory with all that is in it; absent is success. */
int filesystem_remove_tree(const char *path, struct err *e);

#endif
