/*
 * Pods: from a task to the pod object that runs it (pod_build), and from a pod's status to what the engine has to know
 * (pod_observe). Both pure over JSON; who talks to Kubernetes is store/kubernetes.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_POD_H
#define SANDBOX_CONTROLPLANE_ENGINE_POD_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "controlplane/settings/resource_policy.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/core/execution.pb-c.h"
#include "flyteidl/core/tasks.pb-c.h"
#include "flyteidl/core/workflow.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* Every pod that pod_build makes carries this label; watch with it. */
#define POD_LABEL_SELECTOR "app.kubernetes.io/managed-by=flyte-sandbox"
#define POD_LABEL_NAME "app.kubernetes.io/managed-by"
#define POD_LABEL_VALUE "flyte-sandbox"

struct pod_environment {
	const char *name;
	const char *value;
};

/* Which nodes pods go to. The JSON values may be NULL and are not owned. */
struct pod_scheduling {
	const json_t *interruptible_node_selector; /* object: added to the nodeSelector of interruptible tasks */
	const json_t *interruptible_tolerations;   /* list: added to theirs */
	/* Labels by which nodes tell the model of their GPUs, and the size of a part when they are divided. */
	const char *gpu_device_label, *gpu_partition_label;
};

/* What the platform adds to every pod (from the control plane's configuration). */
struct pod_defaults {
	const struct pod_environment *environment; /* FLYTE_AWS_ENDPOINT … */
	size_t environment_count;
	json_t *variables;                  /* more of them: name to value; NULL: none */
	const json_t *labels, *annotations; /* below those of everybody else; NULL: none */
	const json_t *node_selector;        /* object: for every pod; NULL: none */
	const json_t *tolerations;          /* list: for every pod; NULL: none */
	struct resource_policy resources;   /* for executions that have none of their own */
	int64_t offload_minimum_mb,
	        offload_maximum_mb;    /* literals of this size are objects of their own; 0: none are */
	const char *platform_namespace; /* where PodTemplates for all are; NULL: POD_PLATFORM_NAMESPACE */
	const char *pod_template_name; /* base of every pod whose task names no other, where it exists; NULL: none */
	const char *console_url;       /* FLYTE_EXECUTION_URL is below it; NULL or "": not told */
	const char *copilot_image;     /* for tasks that want their data as files; NULL or "": none */
	struct pod_scheduling scheduling;
};

struct pod_request {
	const char *namespace;
	const char *name; /* names_pod() */
	const Flyteidl__Core__TaskTemplate *task;
	const Flyteidl__Core__TaskNodeOverrides *overrides; /* or NULL */
	const Flyteidl__Admin__ExecutionSpec *execution_spec;
	const char *project, *domain, *execution_name, *workflow_name, *launch_plan_name;
	const char *workflow_id_text; /* "project:domain:workflow" */
	const char *node_id;          /* unique id */
	uint32_t attempt;
	bool interruptible;
	bool in_array; /* an element of a map task, which finds its inputs by its index */
	uint32_t array_index;
	const Flyteidl__Core__LiteralMap *inputs; /* for {{.inputs.x}}; may be NULL */
	const char *input_uri;                    /* …/inputs.pb */
	const char *output_prefix;                /* …/data/<attempt> */
	const char *raw_output_prefix;            /* sharded */
	const char *checkpoint_prefix;
	const char *previous_checkpoint_prefix; /* "" when none */
	const char *task_template_uri;          /* where {{.taskTemplatePath}} points */
	const char *resource_policy;            /* the execution's, as text; NULL or "": the defaults' */
	const struct pod_defaults *defaults;
	const json_t *pod_template; /* the PodTemplate that pod_template_name asks for, or NULL */
};

/* The PodTemplate that the pod is to be based on, NULL for none. Looked for in the request's namespace, then in the
 * platform's. *ret_required: the task names it, so its absence is a mistake. */
const char *pod_template_name(const struct pod_request *request, bool *ret_required);
#define POD_PLATFORM_NAMESPACE "flyte"
static inline const char *pod_platform_namespace(const struct pod_defaults *defaults)
{
	return defaults && defaults->platform_namespace ? defaults->platform_namespace : POD_PLATFORM_NAMESPACE;
}

/* A new pod object; NULL with ERR_INVALID (BadTaskSpecification and the like in `id`) when the task cannot become a
 * pod. `ret_needs_task_template` (may be NULL) tells that the command refers to {{.taskTemplatePath}}. */
json_t *pod_build(struct arena *arena, const struct pod_request *request, bool *ret_needs_task_template, struct err *e);

enum pod_state {
	POD_QUEUED,       /* accepted, not scheduled, or unschedulable */
	POD_INITIALIZING, /* image pull, container creating */
	POD_RUNNING,
	POD_SUCCEEDED, /* the primary container ended with 0: acted on before the pod's phase says so (design §5) */
	POD_FAILED,
};

/* Who pays for a failure: the user's retry budget, the system's, or nobody because a retry is pointless. */
enum pod_failure { POD_FAILURE_NONE, POD_FAILURE_USER, POD_FAILURE_SYSTEM, POD_FAILURE_PERMANENT };

struct pod_observation {
	enum pod_state state;
	enum pod_failure failure;
	const char *code; /* "OOMKilled", "Interrupted", "ContainersNotReady|ImagePullBackOff" …; "" unless failed */
	const char *
	        message; /* failure text or the reason of the present wait ("Unschedulable:0/1 nodes…"); "" when none */
	int64_t started_at_ns, ended_at_ns; /* of the primary container; 0 unknown */
	int64_t recheck_at_ns; /* a grace period that ends then may change the observation (wall clock); 0: none */
};

/* `now_ns` is the wall clock, for grace periods. Strings in the arena. A NULL pod means it does not exist: failed,
 * ResourceDeletedExternally. */
struct pod_observation pod_observe(struct arena *arena, const json_t *pod, int64_t now_ns);

#endif
