/*
 * How long an instance is wanted: until a time (`start --ttl`), or as long as a process lives (`start --owner-pid`).
 * Both are labels of its container and its volume, so that anybody can tell later: `sandbox prune`, or the watcher that
 * start leaves behind for an owner (watcher.h). What has neither is kept until somebody deletes it.
 */
#ifndef SANDBOX_CLI_INSTANCE_LIFETIME_H
#define SANDBOX_CLI_INSTANCE_LIFETIME_H

#include "base/json.h"
#include "base/platform.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* RFC 3339. */
#define LIFETIME_EXPIRES_LABEL "dev.sandbox.expires"
/* "HOST MACHINE BOOT PROCESSES PID BIRTH": what platform_process and platform_place tell, "-" for what they don't. */
#define LIFETIME_OWNER_LABEL "dev.sandbox.owner"
#define LIFETIME_HOST_SIZE 256

struct lifetime {
	int64_t ttl_ms; /* 0: no end */
	pid_t owner;    /* 0: nobody */
	uint64_t birth; /* of the owner */
};

/* Where somebody judges an owner from. */
struct lifetime_place {
	char host[LIFETIME_HOST_SIZE];
	struct platform_place place;
};

/* Sets the owner. ERR_NOT_FOUND "owner-absent" when there is no such process, ERR_UNSUPPORTED "owner-unseen" when its
 * end could not be noticed from here. */
int lifetime_set_owner(struct lifetime *lifetime, int64_t pid, struct err *e);
/* Adds the labels to an object of strings; nothing for a lifetime without an end. */
void lifetime_add_labels(const struct lifetime *lifetime, json_t *labels);
bool lifetime_is_limited(const json_t *labels);
/* Why an instance with these labels is not wanted any more: "expired at …", "its owner, process 12, has ended". NULL:
 * it is wanted, or nobody here can tell. Free with free(). */
char *lifetime_over(const json_t *labels);
/*
 * The same of an owner's label, seen from `here`. Only who can see an owner judges whether it has ended: the same boot
 * of a machine and the same namespace of process ids, so neither another container nor another machine. A machine that
 * has been started again since has none of its processes left; that it is the same takes its name, its id, and that
 * neither the owner nor we are in a container, which takes both from its image.
 */
char *lifetime_owner_over(const char *owner, const struct lifetime_place *here);

/* Returns when the owner has ended. */
void lifetime_wait_for_owner(const struct lifetime *lifetime);

#endif
