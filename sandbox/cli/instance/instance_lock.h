/*
 * One launcher at a time changes an instance: start, stop, delete and their like hold a lock while they work, and the
 * next one waits. So two starts at once make one sandbox, and both see it ready. The lock is a file of this user and
 * machine, and names engine and instance; the system releases it when its holder ends, however it ends. Launchers of
 * other users meet in the engine's own conflicts.
 */
#ifndef SANDBOX_CLI_INSTANCE_INSTANCE_LOCK_H
#define SANDBOX_CLI_INSTANCE_INSTANCE_LOCK_H

#include "cli/framework/cli.h"

struct instance_lock {
	int fd;
};

#define INSTANCE_LOCK_INIT                                                                                             \
	{                                                                                                              \
		.fd = -1                                                                                               \
	}
#define auto_instance_lock __attribute__((cleanup(instance_lock_release)))
void instance_lock_release(struct instance_lock *lock);

#define INSTANCE_LOCK_TIMEOUT_MS INT64_C(60000)

/* Connects (the engine's address is part of the name) and takes the lock. ERR_CONFLICT "instance-locked" names the
 * holder when it is not released in time. */
int instance_lock_take(struct cli *cli, int64_t timeout_ms, struct instance_lock *ret_lock, struct err *e);

#endif
