/*
 * The container's cgroups, v1 or v2: that their root is the container's own group, and that groups can be made below
 * it. Both before anything else runs, because a process keeps the namespace and the mounts that it began with.
 */
#ifndef SANDBOX_INIT_CGROUPS_H
#define SANDBOX_INIT_CGROUPS_H

#include "base/err.h"

#include <stdbool.h>

#define CGROUPS_ROOT "/sys/fs/cgroup"

/* From the text of /proc/self/cgroup, when only PID 1 exists: whether the namespace is the engine's, not the
 * container's own. */
bool cgroups_are_shared(const char *proc_self_cgroup);

/* Makes a namespace of our own where the engine has made none (API before 1.41, or told to by its configuration). */
int cgroups_own_namespace(struct err *e);
/* cgroup v2: lets groups below the root have controllers. The hierarchy must be writable. */
int cgroups_delegate(struct err *e);

#endif
