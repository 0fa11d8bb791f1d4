/*
 * Pods of executions that are over. A pod that has ended stays, because its log is wanted; upstream's go with the
 * execution's custom resource, a day after its end (max-ttl-hours), and so do ours. Here they also go when many others
 * have ended since (max-ended-pods), the oldest first: each costs the kubelet, the API server and containerd 0.3 MiB
 * together. Nothing is listed for it: the watch tells of each. Any replica may do it, and all do.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_POD_SWEEP_H
#define SANDBOX_CONTROLPLANE_ENGINE_POD_SWEEP_H

#include "controlplane/engine/outside.h"
#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"

struct pod_sweep;

/* Nothing is owned; all must outlive it. */
struct pod_sweep *pod_sweep_new(struct database *database, const struct outside *outside,
                                struct settings_holder *settings);
/* The watch tells of a pod, which may be gone (`deleted`). Any thread. */
void pod_sweep_see(struct pod_sweep *sweep, const json_t *pod, bool deleted);
/* The watch has told of all that there are; of which it has not, neither now nor since the last time, is gone. */
void pod_sweep_listed(struct pod_sweep *sweep);
/*
 * Deletes pods that have ended and whose execution is not there any more, or has ended too: all that did so
 * `max-ttl-hours` before `now_ns` or earlier, and of the rest the oldest until no more than `max-ended-pods` are left.
 * Returns how many; what cannot be deleted now is tried again the next time. -1 when the database failed.
 */
int pod_sweep_run(struct pod_sweep *sweep, int64_t now_ns, struct err *e);

/* A thread that does it after every complete list, and when more have ended than may stay. */
int pod_sweep_start(struct pod_sweep *sweep, struct err *e);
/* Ends the thread, if there is one. NULL is fine. */
struct pod_sweep *pod_sweep_free(struct pod_sweep *sweep);

#endif
