/* The parts of pod_build: each adds to the JSON of a pod that the next one finds. */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_POD_INTERNAL_H
#define SANDBOX_CONTROLPLANE_ENGINE_POD_INTERNAL_H

#include "controlplane/engine/pod.h"
#include "controlplane/engine/template.h"

#define POD_PRIMARY_ANNOTATION "primary_container_name"
#define POD_GPU_RESOURCE "nvidia.com/gpu"
/* The code of whatever a task asks for that no pod can be. */
#define POD_BAD_TASK "BadTaskSpecification"

/* A list that is there, else a new one put there. Borrowed. */
json_t *pod_list_of(json_t *object, const char *key);
/* The container of that name, borrowed; NULL when there is none. */
json_t *pod_find_container(const json_t *containers, const char *name);

/* The task's own pod spec, and the name of its primary container (borrowed from the request or its arena). */
json_t *pod_raw_spec(const struct pod_request *request, const char **ret_primary, struct err *e);
/* with_overrides(pod_template=…) of the node, or NULL. */
const Flyteidl__Core__K8sPod *pod_template_override(const struct pod_request *request);

/* The copilot's containers, and what pod_observe knows of them: the downloader ends with this code when it has written
 * error.pb, so that the task's own container is not run. */
#define POD_DOWNLOADER "flyte-copilot-downloader"
#define POD_UPLOADER "flyte-copilot-uploader"
#define POD_DOWNLOADER_REPORTED 3
/* Adds them to the spec of a task that wants its data as files. `primary` is the spec's primary container. */
int pod_add_copilot(struct arena *arena, const struct pod_request *request, json_t *spec, json_t *primary,
                    struct err *e);

/* Lays `above` over `base`: objects are merged, lists appended, the rest replaced; null and empty values change
 * nothing.
 */
void pod_merge(json_t *base, const json_t *above);
/* A new spec: the task's on top of the template's. `primary_init` names the init container that gets the base
 * `primary-init`, NULL for none. */
json_t *pod_merge_template(const json_t *template_spec, const json_t *spec, const char *primary,
                           const char *primary_init);

/* Nodes, accelerators and shared memory. `primary` is the container of `spec` that the task is. */
void pod_add_scheduling(const struct pod_request *request, json_t *spec, json_t *primary);

/* Sets metadata.labels and metadata.annotations. */
/* What {{.input}} and the like stand for. */
struct template_values pod_template_values(struct arena *arena, const struct pod_request *request);
void pod_build_metadata(const struct pod_request *request, const char *primary_container, json_t *metadata);
/* Makes a value that Kubernetes accepts for a label: lower case, other characters as one '-', at most 63. In the arena.
 */
char *pod_label_value(struct arena *arena, const char *text);

/* Adds or replaces a variable in a container's `env` list. */
void pod_set_environment(json_t *env, const char *name, const char *value);
/* What the task's container must see beside its own variables: platform, execution, task. */
void pod_add_environment(struct arena *arena, const struct pod_request *request, json_t *env);

/* Secrets of the task's security context, for every container of `spec`. */
int pod_add_secrets(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, json_t *spec, struct err *e);
/* The same for any pod spec and any list of secrets; ERR_INVALID when one lacks its group or key. */
int pod_inject_secrets(struct arena *arena, Flyteidl__Core__Secret *const *secrets, size_t count, json_t *spec,
                       struct err *e);
bool pod_has_secrets(const Flyteidl__Core__TaskTemplate *task);

/* A google.protobuf.Struct as JSON; whole numbers become integers. NULL when nested too deep. */
json_t *pod_struct_to_json(const Google__Protobuf__Struct *message);

#endif
