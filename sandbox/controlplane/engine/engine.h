/*
 * The engine: moves executions forward. It is told that something about an execution may have changed — created,
 * terminated, one of its pods changed — and then brings that execution's nodes to where they should be, in one
 * transaction. It is level-triggered: a lost or doubled wake-up does no harm, and after a restart every unfinished
 * execution is woken once.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_ENGINE_H
#define SANDBOX_CONTROLPLANE_ENGINE_ENGINE_H

#include "base/buf.h"
#include "base/err.h"
#include "controlplane/connectors/connectors.h"
#include "controlplane/engine/pod.h"
#include "controlplane/settings/settings.h"
#include "controlplane/store/database.h"
#include "controlplane/store/kubernetes.h"
#include "controlplane/store/objects.h"

struct engine;

struct engine_options {
	struct database *database;
	struct objects *objects;
	const char *bucket; /* of the inputs of child executions */
	struct kubernetes *kubernetes;
	const char *metadata_prefix;      /* "s3://my-s3-bucket/metadata/propeller" */
	const char *raw_output_prefix;    /* "s3://my-s3-bucket/data" */
	struct settings_holder *settings; /* a round uses those that are current when it begins; NULL: the defaults */
	const struct pod_environment *environment; /* of every pod: where the platform is */
	size_t environment_count;
	unsigned workers;
	const char *platform_namespace; /* NULL: POD_PLATFORM_NAMESPACE */
	/* The name of this process among those that share the database, the same when it starts again: what it moves is
	 * left to it by the others, for a moment. NULL: there are no others. */
	const char *replica;
	/* All below may be left zero. */
	struct connectors *connectors; /* a round uses the catalog that is current when it begins; NULL: no connectors */
	size_t array_maximum;     /* elements of one map task */
	size_t array_parallelism; /* elements of one map task that run at a time at most */
};
/* Starts the threads: pod watch, notification listener, workers. Options' strings are borrowed and must outlive the
 * engine. */
int engine_start(const struct engine_options *options, struct engine **ret_engine, struct err *e);
/* Whether the pod watch runs and has seen every pod. */
bool engine_is_synced(const struct engine *engine);
/* The queue, a line each execution, for people who look for a reason. -1 when it does not fit. */
int engine_dump(struct engine *engine, struct buf *out);
/* Finishes the rounds under way and joins the threads. */
struct engine *engine_stop(struct engine *engine);

#endif
