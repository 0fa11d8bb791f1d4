/* WANT_DYNAMIC: what a dynamic task has made, compiled. */
#include "controlplane/engine/effects.h"

#include "controlplane/engine/dynamic.h"

#define BUILD_FAILED "DynamicWorkflowBuildFailed"

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	effects_add_get(effects, node,
	                arena_printf(effects->arena, "%s/futures.pb", machine_attempt_directory(effects->m, node)));
	return 0;
}

static int compile_futures(struct effects *effects, struct machine_node *node, const struct proto_bytes *bytes,
                           struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	const struct progress_definition *d = effects->m->definition;
	const struct dynamic_request request = {
		.project = d->project,
		.domain = d->domain,
		.node_id = node->row.node_id,
		.version = names_generated(effects->arena, d->name, node->row.node_id, node->row.attempt),
		.task = node->vertex->task,
		.job = proto_unpack(effects->arena, flyteidl__core__dynamic_job_spec, bytes->data, bytes->length,
		                    &failure),
	};
	node->dynamic = request.job ? dynamic_compile(effects->c, effects->arena, &request, &failure) : NULL;
	if (node->dynamic) {
		node->answer = ANSWER_GIVEN;
		return 0;
	}
	if (failure.kind != ERR_INVALID && failure.kind != ERR_NOT_FOUND && failure.kind != ERR_EXHAUSTED)
		return err_move(e, &failure);
	effects_fail(node, ERROR_KIND(USER), BUILD_FAILED, arena_strdup(effects->arena, err_message(&failure)));
	return 0;
}

static int take(struct effects *effects, struct job *job, struct err *e)
{
	struct machine_node *node = job->node;
	if (job->error.kind == ERR_EXHAUSTED)
		effects_fail(node, ERROR_KIND(USER), BUILD_FAILED,
		             arena_strdup(effects->arena, err_message(&job->error)));
	else if (job->error.kind != ERR_NONE)
		effects_give_up(effects, node, &job->error, "cannot read what a dynamic task has made");
	else if (job->absent)
		effects_fail(node, ERROR_KIND(USER), BUILD_FAILED,
		             arena_printf(effects->arena, "the object %s does not exist", job->uri));
	else
		return compile_futures(effects, node, &job->bytes, e);
	return 0;
}

const struct effect effect_dynamic = { prepare, take };
