/* What a launch plan must look like, by itself and against its workflow's interface: launch_plan_validator.go of flyteadmin at v1.16.8. Pure. */
#ifndef SANDBOX_CONTROLPLANE_API_LAUNCH_PLAN_VALIDATE_H
#define SANDBOX_CONTROLPLANE_API_LAUNCH_PLAN_VALIDATE_H

#include "base/arena.h"
#include "base/err.h"
#include "proto/message.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"

/*
 * Returns what an execution may or must give: the launch plan's defaults, and every input of the workflow that is neither defaulted nor fixed,
 * as required. In the arena, sharing sub-messages. NULL with ERR_INVALID.
 */
Flyteidl__Core__ParameterMap *launch_plan_validate(struct arena *arena, const Flyteidl__Admin__LaunchPlanSpec *spec,
                                                   const Flyteidl__Core__TypedInterface *interface, struct err *e);

/* Labels that Kubernetes takes, at most 16. NULL is fine. */
int launch_plan_validate_labels(const Flyteidl__Admin__Labels *labels, struct err *e);

/* "NONE", "CRON" or "RATE". */
const char *launch_plan_schedule_type(const Flyteidl__Admin__LaunchPlanSpec *spec);

#endif
