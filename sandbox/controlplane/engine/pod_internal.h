/* The parts of pod_build: each adds to the JSON of a pod that the next one finds. */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_POD_INTERNAL_H
#define SANDBOX_CONTROLPLANE_ENGINE_POD_INTERNAL_H

#include "controlplane/engine/pod.h"

#define POD_PRIMARY_ANNOTATION "primary_container_name"

/* Sets metadata.labels and metadata.annotations. */
void pod_build_metadata(const struct pod_request *request, const char *primary_container, json_t *metadata);
/* Makes a value that Kubernetes accepts for a label: lower case, other characters as one '-', at most 63. In the arena.
 */
char *pod_label_value(struct arena *arena, const char *text);

/* Adds or replaces a variable in a container's `env` list. */
void pod_set_environment(json_t *env, const char *name, const char *value);
/* What the task's container must see beside its own variables: platform, execution, task. */
void pod_add_environment(struct arena *arena, const struct pod_request *request, json_t *env);

/* Secrets of the task's security context: environment of `container`, volumes of `spec`. */
int pod_add_secrets(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, json_t *spec, json_t *container,
                    struct err *e);
bool pod_has_secrets(const Flyteidl__Core__TaskTemplate *task);

/* A google.protobuf.Struct as JSON; whole numbers become integers. NULL when nested too deep. */
json_t *pod_struct_to_json(const Google__Protobuf__Struct *message);

#endif
