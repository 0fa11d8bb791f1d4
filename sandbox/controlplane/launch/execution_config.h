/*
 * How an execution is to run, from several places that may each say something: the request, the launch plan, the workflow (only
 * about its quality of service), and what the platform is configured with. Field by field the first place that says anything wins (flyteadmin's
 * getExecutionConfig at v1.16.8). A place says nothing about a field that is absent or empty: launch plans and consoles
 * send empty messages. Pure; messages are shared, not copied.
 */
#ifndef SANDBOX_CONTROLPLANE_LAUNCH_EXECUTION_CONFIG_H
#define SANDBOX_CONTROLPLANE_LAUNCH_EXECUTION_CONFIG_H

#include "base/arena.h"
#include "controlplane/launch/attributes.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/matchable_resource.pb-c.h"
#include "flyteidl/admin/project.pb-c.h"

/* The places that come after the request, in their order. */
struct execution_config_sources {
	const Flyteidl__Admin__LaunchPlanSpec *launch_plan; /* NULL: a task is launched */
	const Flyteidl__Core__QualityOfService *workflow_quality_of_service; /* NULL: its metadata have none */
	const struct launch_attributes *attributes;
	const struct settings *settings;
	const Flyteidl__Admin__Labels *project_labels; /* added where no label of the same key is there; NULL: none */
};

/*
 * Completes `spec` in place: max_parallelism, security_context (never NULL afterwards, nor its run_as; from the older
 * auth_role, auth and role fields where there is none), raw_output_data_config, labels, annotations, interruptible,
 * overwrite_cache, envs, execution_env_assignments, cluster_assignment, quality_of_service. Messages that are
 * changed are replaced, so those of the caller stay as they are; nothing points into the settings afterwards.
 */
void execution_config_complete(struct arena *arena, Flyteidl__Admin__ExecutionSpec *spec,
                               const struct execution_config_sources *sources);

/* What the platform is configured with, as a place that says something. */
Flyteidl__Admin__WorkflowExecutionConfig *execution_config_of_platform(struct arena *arena,
                                                                       const struct settings *settings);

/* `first` where it says something, else `second`; `first` may be NULL. In the arena. */
Flyteidl__Admin__WorkflowExecutionConfig *execution_config_effective(
        struct arena *arena, const Flyteidl__Admin__WorkflowExecutionConfig *first,
        const Flyteidl__Admin__WorkflowExecutionConfig *second);

/*
 * The notifications that apply: those of the request, else none when it says disable_all, else the launch plan's. NULL
 * when none. The list is in the arena, its elements are shared.
 */
Flyteidl__Admin__NotificationList *execution_config_notifications(struct arena *arena,
                                                                  const Flyteidl__Admin__ExecutionSpec *spec,
                                                                  const Flyteidl__Admin__LaunchPlanSpec *launch_plan);

#endif
