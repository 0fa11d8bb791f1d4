/*
 * From what a dynamic task leaves behind (futures.pb, a DynamicJobSpec) to a compiled workflow: the same compile step
 * as for registered workflows, over the tasks and sub-workflows of the job and whatever registered tasks and launch
 * plans its nodes name. Rules: flytepropeller nodes/dynamic/dynamic_workflow.go at v1.16.8.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_DYNAMIC_H
#define SANDBOX_CONTROLPLANE_ENGINE_DYNAMIC_H

#include "controlplane/store/database.h"

#include "flyteidl/core/compiler.pb-c.h"
#include "flyteidl/core/dynamic_job.pb-c.h"
#include "flyteidl/core/identifier.pb-c.h"
#include "flyteidl/core/tasks.pb-c.h"

/* Nodes of one job. Every node is a row, and is looked at in every step. */
#define DYNAMIC_NODES_MAXIMUM 5000
/* How deep scopes may lie in each other: dynamic tasks can call themselves. */
#define DYNAMIC_DEPTH_MAXIMUM 50

/* The workflow's own id: project and domain of the execution, "dynamic_<node>", a version that names the attempt. */
struct dynamic_request {
	const char *project, *domain, *node_id, *version;
	const Flyteidl__Core__TaskTemplate *task; /* the dynamic one: its outputs are the workflow's */
	Flyteidl__Core__DynamicJobSpec *job;      /* changed: its containers inherit the task's configuration */
};

/*
 * NULL with ERR_INVALID or ERR_NOT_FOUND when it is the job's fault, anything else when the database failed. The
 * closure shares the job's messages.
 */
Flyteidl__Core__CompiledWorkflowClosure *dynamic_compile(struct database_connection *c, struct arena *arena,
                                                         const struct dynamic_request *request, struct err *e);

#endif
