/*
 * WANT_CONNECTOR: the attempt's inputs are put where clients read them, as for a pod, and then its row is made in
 * connector_tasks. The row is part of the round's transaction, so nobody calls a connector for an attempt that was
 * never committed.
 */
#include "controlplane/engine/effects.h"

#include "controlplane/engine/connector_request.h"
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

static int begin(struct effects *effects, struct machine_node *node, struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	struct machine *m = effects->m;
	const struct pod_request request = effects_pod_request(effects, node);
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	const struct connector_request_extra extra = { .id = id_of(m, node),
		                                       .maximum_attempts = machine_maximum_attempts(m, node) };
	const struct connector_task_new row = {
		.execution_id = m->definition->id,
		.name = request.name,
		.task_type = task->type,
		.task_version = task->task_type_version,
		.output_prefix = request.output_prefix,
		.request = connector_request_build(m->arena, &request, &extra, &failure),
	};
	node->answer = ANSWER_GIVEN;
	if (row.request.data)
		return connector_tasks_begin(effects->c, &row, e);
	effects_fail(node, ERROR_KIND(USER), "BadTaskSpecification", arena_strdup(m->arena, err_message(&failure)));
	return 0;
}

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	if (effects_reads_inputs_of_array(node))
		return begin(effects, node, e);
	effects_add_write(effects, node, node->row.inputs_uri, &node->inputs->base);
	return 0;
}

static int take(struct effects *effects, struct job *job, struct err *e)
{
	if (job->error.kind == ERR_NONE)
		return begin(effects, job->node, e);
	effects_give_up(effects, job->node, &job->error, "cannot write the inputs of a task");
	return 0;
}

const struct effect effect_connector = { prepare, take };
