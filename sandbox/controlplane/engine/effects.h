/*
 * What a round does outside. Every pending want of the machine is prepared: it becomes one or a few jobs, or is
 * answered at once. All jobs run at the same time on the shared threads, then what came of them is taken, and becomes
 * answers. Jobs touch only their own memory; the machine, its arena and the round's connection belong to the round's
 * thread, which prepares jobs before and takes them after.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_EFFECTS_H
#define SANDBOX_CONTROLPLANE_ENGINE_EFFECTS_H

#include "controlplane/engine/round.h"

struct job {
	void (*run)(struct job *job);
	const struct outside *outside;
	struct machine_node *node;
	const char *uri;
	size_t maximum;
	struct proto_bytes body;
	const char *namespace, *name; /* of a pod */
	const char *resource_version; /* of one that is deleted */
	/* Creating a pod: what it is built from, and where its execution is to be found; `uri` and `body` are the
	 * inputs. */
	struct pod_request request;
	int64_t execution_id;
	json_t *pod;             /* owned: what there is */
	const char *futures_uri; /* looked for when `uri` is absent, or NULL */
	/* Results. */
	struct arena arena;
	struct proto_bytes bytes;
	bool absent, futures_found;
	bool unbuildable; /* the task cannot become a pod: `error` is the task's fault, not Kubernetes' */
	struct err error;
};

/* Of one step of a round. */
struct effects {
	const struct round_context *context;
	struct database_connection *c; /* the round's transaction; NULL where only pods are dealt with */
	struct machine *m;             /* NULL where there is none */
	struct arena *arena;           /* the round's */
	struct round_result *result;
	size_t job_count;
	struct job *jobs;
};

/* How a want is fulfilled. */
struct effect {
	/* Adds jobs, or answers. -1 when the database failed, here and below. */
	int (*prepare)(struct effects *effects, struct machine_node *node, struct err *e);
	/* Makes an answer of a job that has run; NULL: there are no jobs. */
	int (*take)(struct effects *effects, struct job *job, struct err *e);
};
/* effects_literals.c */
extern const struct effect effect_outputs, effect_inputs, effect_offloaded, effect_write, effect_write_inputs,
        effect_write_dynamic;
/* effects_pod.c, effects_connector.c */
extern const struct effect effect_pod, effect_connector;
/* effects_result.c, effects_dynamic.c */
extern const struct effect effect_result, effect_dynamic;
/* effects_cache.c, effects_recovery.c, effects_signal.c */
extern const struct effect effect_cache, effect_recovery, effect_signal;
/* effects_children.c: prepared for all nodes at once, because an array of launch plans has hundreds. Returns how many
 * there are. */
extern const struct effect effect_child;
int effects_prepare_children(struct effects *effects, struct err *e);

/* ---- Jobs (effects_jobs.c) ---- */

/* The pointer is good until the next job is added. */
struct job *effects_add_job(struct effects *effects, struct machine_node *node, void (*run)(struct job *job));
/* Reads an object of at most the size that results may have. */
struct job *effects_add_get(struct effects *effects, struct machine_node *node, const char *uri);
/* Whether there is one. */
struct job *effects_add_head(struct effects *effects, struct machine_node *node, const char *uri);
bool effects_is_head(const struct job *job);
/* Writes a message, and the node has its answer unless that fails. */
void effects_add_write(struct effects *effects, struct machine_node *node, const char *uri,
                       const ProtobufCMessage *message);
int effects_take_write(struct effects *effects, struct job *job, struct err *e);
/* All at the same time. */
void effects_run_jobs(struct effects *effects);
/* To be called for each once it has been taken. */
void effects_release_job(struct job *job);

/* Something was not there; the first such thing is reported. `node` may be NULL. */
void effects_give_up(struct effects *effects, struct machine_node *node, struct err *error, const char *what);
/* The want can never be fulfilled. */
void effects_fail(struct machine_node *node, Flyteidl__Core__ExecutionError__ErrorKind kind, const char *code,
                  const char *message);
/* ---- Outputs (effects_literals.c) ---- */

/* Makes node->outputs of the bytes of a job that has read them. */
void effects_take_literals(struct effects *effects, struct job *job);
/* For outputs that may as well be made again: node->outputs is NULL when the object is not there or cannot be read.
 * False when the object store is away: it is waited for, and `what` says why. */
bool effects_take_outputs(struct effects *effects, struct job *job, const char *what);

/* What a pod, or a connector in its place, is told of the node's attempt (effects_pod.c). */
struct pod_request effects_pod_request(const struct effects *effects, const struct machine_node *node);
/* Whether its inputs are part of the array's, which are written already. */
bool effects_reads_inputs_of_array(const struct machine_node *node);

#endif
