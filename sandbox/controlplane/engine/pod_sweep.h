/*
 * Pods of executions that are long over. A pod that has ended stays, because its log is wanted; upstream's go with the
 * execution's custom resource, a day after its end (max-ttl-hours), and so do ours. Nothing is listed for it: the
 * watch, which lists all pods every few minutes, tells of each. Any replica may do it, and all do.
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
/* The watch tells of a pod. Any thread. */
void pod_sweep_see(struct pod_sweep *sweep, const json_t *pod, int64_t now_ns);
/*
 * Deletes the pods that have been seen since the last time, have ended `max-ttl-hours` before `now_ns` or earlier, and
 * whose execution has too, or is not there any more. Returns how many; what cannot be deleted now is seen again, after
 * the next list. -1 when the database failed.
 */
int pod_sweep_run(struct pod_sweep *sweep, int64_t now_ns, struct err *e);

/* A thread that does it after every complete list: pod_sweep_listed, from the watch. */
int pod_sweep_start(struct pod_sweep *sweep, struct err *e);
void pod_sweep_listed(struct pod_sweep *sweep);
/* Ends the thread, if there is one. NULL is fine. */
struct pod_sweep *pod_sweep_free(struct pod_sweep *sweep);

#endif
