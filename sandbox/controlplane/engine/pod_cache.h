/*
 * The last known state of the pods of unfinished executions, as the watch reports it. Only what pod_observe and the
 * engine look at is kept of each pod. Pods find their execution by the label POD_CACHE_LABEL, which holds the
 * execution's row id.
 *
 * What is not in here is not known: a pod may be missing because the first list is not complete, or because its event
 * is still under way. Only the API server can say that a pod does not exist; pod_cache_find tells when it has to be
 * asked.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_POD_CACHE_H
#define SANDBOX_CONTROLPLANE_ENGINE_POD_CACHE_H

#include "base/arena.h"
#include "base/json.h"

#include <stdint.h>

#define POD_CACHE_LABEL "flyte.org/execution-row"
/* The platform's namespace, so that control planes with databases of their own can share a cluster. Pods of the default one
 * have no such label. */
#define POD_CACHE_PLATFORM_LABEL "flyte.org/platform"

struct pod_cache;

struct pod_cache *pod_cache_new(void);
struct pod_cache *pod_cache_free(struct pod_cache *cache);

/* The execution that a pod belongs to; 0 when it is not one of ours. */
int64_t pod_execution(const json_t *pod);

/* Keeps the pods of this execution from now on, until pod_cache_drop. */
void pod_cache_open(struct pod_cache *cache, int64_t execution_id);
void pod_cache_drop(struct pod_cache *cache, int64_t execution_id);

/*
 * Takes an event of the watch. Returns the execution to wake, 0 for none: a pod of an execution that is not open is of
 * interest only while it runs, because then somebody has to end it, and opens it; a settled one is of none.
 */
int64_t pod_cache_update(struct pod_cache *cache, const json_t *pod, bool deleted);
/* A complete list has been reported. From now on a pod that is not here may be asked for; those that were known before
 * and still run are asked for again, since they may have vanished while nobody watched. */
void pod_cache_synced(struct pod_cache *cache);
/* A pod as the API server has just answered with: kept unless an event has told more meanwhile. */
void pod_cache_add(struct pod_cache *cache, int64_t execution_id, const json_t *pod);
/* The API server has just answered that there is no such pod. */
void pod_cache_remove(struct pod_cache *cache, int64_t execution_id, const char *name);
/* How the pod ended is part of what was committed: its state is let go, and events that only repeat that it has ended
 * wake nobody any more. Nothing for a pod that has not ended. */
void pod_cache_settle(struct pod_cache *cache, int64_t execution_id, const char *name);

enum pod_knowledge {
	POD_KNOWN,   /* *ret_pod is its state */
	POD_DELETED, /* it existed; *ret_pod is its last state */
	POD_ASK,     /* ask the API server */
	POD_UNKNOWN, /* too early to ask: a list will come */
};
/* *ret_pod is a new reference or NULL; the object must not be changed. The version changes whenever what is known of
 * the pod does, and is never 0 with a pod. */
enum pod_knowledge pod_cache_find(struct pod_cache *cache, int64_t execution_id, const char *name,
                                  uint64_t *ret_version, json_t **ret_pod);

/* When that was last heard, monotonic milliseconds; 0 when nothing is known. */
int64_t pod_cache_heard_ms(struct pod_cache *cache, int64_t execution_id, const char *name);

/* A pod that exists and has containers which run or may yet run; in the arena. */
struct pod_reference {
	const char *namespace, *name;
	const char *resource_version; /* of what is known of it; "" when the API server told none */
};
/* The execution's. */
size_t pod_cache_running(struct pod_cache *cache, int64_t execution_id, struct arena *arena,
                         struct pod_reference **ret_pods);

#endif
