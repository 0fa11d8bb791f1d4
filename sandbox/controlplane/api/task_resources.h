/* What a task may ask for: checked when it is registered, in flyteadmin's words (task_validator.go at v1.16.8). Pure. */
#ifndef SANDBOX_CONTROLPLANE_API_TASK_RESOURCES_H
#define SANDBOX_CONTROLPLANE_API_TASK_RESOURCES_H

#include "controlplane/api/api.h"

#include "flyteidl/core/tasks.pb-c.h"

/* Requests against limits, and both against the platform's maxima; of the container or of every container of a pod. ERR_INVALID. */
int task_resources_validate(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                            const struct resource_policy *policy, struct err *e);

#endif
