/*
 * One round: brings one execution as far as it can go now, in one transaction. What is done in which order, and why a
 * crash anywhere loses nothing and repeats nothing, is in docs/internals/engine.md.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_ROUND_H
#define SANDBOX_CONTROLPLANE_ENGINE_ROUND_H

#include "controlplane/engine/machine.h"
#include "controlplane/engine/outside.h"
#include "base/parallel.h"
#include "controlplane/engine/pod_cache.h"
#include "controlplane/launch/launch.h"
#include "controlplane/store/notifications.h"

/* What rounds share. */
struct round_context {
	struct database *database;
	const struct launch_context *launch; /* for child executions */
	const struct outside *outside;
	struct pod_cache *pods;
	struct parallel *parallel;
	struct machine_options machine;
	struct pod_defaults pod_defaults;
	size_t object_maximum; /* bytes of one outputs.pb or error.pb */
	struct notifications_channels notifications; /* by which the ends of executions are told */
	/* Told of every transition after it was committed; may be NULL. */
	void (*on_transition)(void *context, const char *execution, const struct machine_transition *transition);
	void *transition_context;
	const char *replica; /* our name; NULL: there are no others */
	/* Also an execution that another replica has moved last, as far as something has waited for it for `patience_ms`. */
	bool take_over;
	int64_t patience_ms;
};

/* What never changes about an execution, read once and kept between its rounds. */
struct plan;
struct plan *plan_free(struct plan *plan);
/* Bytes; 0 for NULL. */
size_t plan_memory(const struct plan *plan);

enum round_outcome {
	ROUND_UNFINISHED,
	ROUND_FINISHED, /* the execution is over, or does not exist, and nothing of it runs any more */
	ROUND_BUSY,     /* somebody else has it: try again soon */
	ROUND_ELSEWHERE, /* another replica moves it: `wake_at_ns` is when that one would look at it */
};

struct round_result {
	enum round_outcome outcome;
	int64_t wake_at_ns; /* wall clock: when something happens by itself, or has happened and was left; 0: never */
	bool incomplete;    /* something outside was not there: try again soon. `problem` says what. */
	struct err problem;
};
#define ROUND_RESULT_INIT                                                                                              \
	{                                                                                                              \
		.outcome = ROUND_UNFINISHED                                                                            \
	}
void round_result_release(struct round_result *result);

/* `plan` is what earlier rounds of the execution have left there, or NULL. -1 when the database failed: nothing has
 * changed then. */
int round_run(const struct round_context *context, int64_t execution_id, struct plan **plan,
              struct round_result *ret_result, struct err *e);

/* ---- Between round.c and round_cache.c: before the rows of nodes are saved, in the same transaction. ---- */
int round_keep_results(struct database_connection *c, struct machine *m, struct err *e);
int round_end_reservations(struct database_connection *c, struct machine *m, struct err *e);

/* ---- Between round.c and round_connectors.c: before the first step, and before the rows are saved. ---- */
int round_observe_connectors(struct database_connection *c, struct machine *m, struct err *e);
int round_end_connectors(struct database_connection *c, struct machine *m, struct err *e);

/* ---- Between round.c and effects.c, effects_pods.c ---- */

/* Fills in the pods of the nodes that have one. Things that could not be found out go to `result`. With `patiently`, what was
 * heard of a pod just now is left to the replica that moves the execution; result->wake_at_ns tells when it was heard. */
void effects_observe_pods(const struct round_context *context, struct machine *m, bool patiently,
                          struct round_result *result);
/* Tries to fulfil every pending want, all at the same time. Returns how many were tried; -1 when the database failed.
 */
int effects_fulfil(const struct round_context *context, struct database_connection *c, struct machine *m,
                   struct round_result *result, struct err *e);
struct effects_pods {
	size_t count;
	const struct pod_reference *list;
};
/* After the commit: deletes these pods, as far as they are still what they were when somebody looked: one that has ended
 * meanwhile, and that another replica has dealt with, stays for whoever wants to read its log. */
void effects_delete_pods(const struct round_context *context, int64_t execution_id, const struct effects_pods *pods,
                         struct arena *arena, struct round_result *result);

#endif
