/*
 * WANT_CONNECTOR: the attempt's inputs are put where clients read them, as for a pod, and then its row is made in
 * connector_tasks. The row is part of the round's transaction, so nobody calls a connector for an attempt that was never
 * committed.
 */
#include "controlplane/engine/connector_request.h"
#include "controlplane/engine/round.h"
#include "controlplane/store/connector_tasks.h"

static Flyteidl__Core__TaskExecutionIdentifier *id_of(struct machine *m, const struct machine_node *node)
{
	const struct progress_definition *d = m->definition;
	Flyteidl__Core__WorkflowExecutionIdentifier *execution =
	        proto_new(m->arena, flyteidl__core__workflow_execution_identifier);
	execution->project = arena_strdup(m->arena, d->project);
	execution->domain = arena_strdup(m->arena, d->domain);
	execution->name = arena_strdup(m->arena, d->name);
	Flyteidl__Core__NodeExecutionIdentifier *of_node =
	        proto_new(m->arena, flyteidl__core__node_execution_identifier);
	of_node->execution_id = execution;
	of_node->node_id = arena_strdup(m->arena, node->row.node_id);
	Flyteidl__Core__TaskExecutionIdentifier *id = proto_new(m->arena, flyteidl__core__task_execution_identifier);
	id->task_id = node->vertex->task->id;
	id->node_execution_id = of_node;
	id->retry_attempt = node->row.attempt;
	return id;
}

int effects_begin_on_connector(struct database_connection *c, struct machine *m, struct machine_node *node,
                               const struct pod_request *request, struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	const struct connector_request_extra extra = { .id = id_of(m, node),
		                                       .maximum_attempts = machine_maximum_attempts(m, node) };
	const struct connector_task_new row = {
		.execution_id = m->definition->id,
		.name = request->name,
		.task_type = task->type,
		.task_version = task->task_type_version,
		.output_prefix = request->output_prefix,
		.request = connector_request_build(m->arena, request, &extra, &failure),
	};
	node->answer = ANSWER_GIVEN;
	if (row.request.data)
		return connector_tasks_begin(c, &row, e);
	node->failure = (struct machine_failure){ .budget = POD_FAILURE_PERMANENT,
		                                  .kind = ERROR_KIND(USER),
		                                  .code = "BadTaskSpecification",
		                                  .message = arena_strdup(m->arena, err_message(&failure)) };
	return 0;
}
