/*
 * Literals that are read and written: what nodes have put out, what an execution was given, literals that are kept by
 * themselves, and what nodes leave.
 */
#include "controlplane/engine/effects.h"

#include "base/text.h"

/* ---- WANT_OUTPUTS, WANT_INPUTS_READ ---- */

static int prepare_outputs(struct effects *effects, struct machine_node *node, struct err *e)
{
	if (node->row.row_id &&
	    progress_load_outputs(effects->c, effects->arena, node->row.row_id, &node->outputs, e) < 0)
		return -1;
	if (!node->outputs && !text_is_empty(node->row.outputs_uri)) {
		effects_add_get(effects, node, node->row.outputs_uri);
		return 0;
	}
	if (!node->outputs)
		node->outputs = proto_new(effects->arena, flyteidl__core__literal_map);
	node->answer = ANSWER_GIVEN;
	return 0;
}

void effects_take_literals(struct effects *effects, struct job *job)
{
	struct machine_node *node = job->node;
	struct arena *arena = effects->arena;
	auto_err struct err e = ERR_INIT;
	if (job->error.kind != ERR_NONE) {
		if (job->error.kind == ERR_EXHAUSTED)
			effects_fail(node, ERROR_KIND(SYSTEM), "OutputSizeExceeded",
			             arena_strdup(arena, err_message(&job->error)));
		else
			effects_give_up(effects, node, &job->error, "cannot read literals");
		return;
	}
	if (job->absent) {
		effects_fail(node, ERROR_KIND(SYSTEM), "BindingResolutionFailure",
		             arena_printf(arena, "the object %s does not exist", job->uri));
		return;
	}
	node->outputs = proto_unpack(arena, flyteidl__core__literal_map, job->bytes.data, job->bytes.length, &e);
	if (!node->outputs)
		effects_fail(node, ERROR_KIND(SYSTEM), "BindingResolutionFailure",
		             arena_printf(arena, "%s: %s", job->uri, err_message(&e)));
	else
		node->answer = ANSWER_GIVEN;
}

bool effects_take_outputs(struct effects *effects, struct job *job, const char *what)
{
	struct machine_node *node = job->node;
	auto_err struct err unreadable = ERR_INIT;
	if (job->error.kind != ERR_NONE && job->error.kind != ERR_EXHAUSTED) {
		effects_give_up(effects, node, &job->error, what);
		return false;
	}
	node->outputs = NULL;
	if (job->error.kind == ERR_NONE && !job->absent)
		node->outputs = proto_unpack(effects->arena, flyteidl__core__literal_map, job->bytes.data,
		                             job->bytes.length, &unreadable);
	return true;
}

static int take_literals(struct effects *effects, struct job *job, struct err *e)
{
	(void)e;
	effects_take_literals(effects, job);
	return 0;
}

static int prepare_inputs(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	effects_add_get(effects, node, effects->m->definition->inputs_uri);
	return 0;
}

const struct effect effect_outputs = { prepare_outputs, take_literals };
const struct effect effect_inputs = { prepare_inputs, take_literals };

/* ---- WANT_OFFLOADED ---- */

static int prepare_offloaded(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	effects_add_get(effects, node, node->offloaded_uri);
	return 0;
}

static int take_offloaded(struct effects *effects, struct job *job, struct err *e)
{
	struct machine_node *node = job->node;
	struct arena *arena = effects->arena;
	auto_err struct err failure = ERR_INIT;
	(void)e;
	if (job->error.kind == ERR_NONE && !job->absent)
		node->offloaded =
		        proto_unpack(arena, flyteidl__core__literal, job->bytes.data, job->bytes.length, &failure);
	else if (job->absent)
		err_set(&failure, ERR_NOT_FOUND, NULL, "it does not exist");
	else if (job->error.kind == ERR_EXHAUSTED || text_equal(err_id(&job->error), "invalid-uri"))
		err_move(&failure, &job->error);
	if (job->error.kind != ERR_NONE) {
		effects_give_up(effects, node, &job->error, "cannot read an offloaded literal");
		return 0;
	}
	if (failure.kind != ERR_NONE)
		effects_fail(node, ERROR_KIND(SYSTEM), "RuntimeExecutionError",
		             arena_printf(arena, "couldn't read the offloaded literal at [%s]: %s", job->uri,
		                          err_message(&failure)));
	else
		node->answer = ANSWER_GIVEN;
	return 0;
}

const struct effect effect_offloaded = { prepare_offloaded, take_offloaded };

/* ---- WANT_WRITE, WANT_WRITE_INPUTS, WANT_WRITE_DYNAMIC ---- */

/* Nobody is told of the outputs before all parts are there. */
static int prepare_write(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	for (size_t i = 0; i < node->offload_count; i++)
		effects_add_write(effects, node, node->offloads[i].uri, &node->offloads[i].literal->base);
	effects_add_write(effects, node, node->row.outputs_uri, &node->outputs->base);
	return 0;
}

static int prepare_write_inputs(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	effects_add_write(effects, node, node->row.inputs_uri, &node->inputs->base);
	return 0;
}

static int prepare_write_dynamic(struct effects *effects, struct machine_node *node, struct err *e)
{
	(void)e;
	effects_add_write(effects, node, node->row.dynamic_workflow_uri, &node->dynamic->base);
	return 0;
}

const struct effect effect_write = { prepare_write, effects_take_write };
const struct effect effect_write_inputs = { prepare_write_inputs, effects_take_write };
const struct effect effect_write_dynamic = { prepare_write_dynamic, effects_take_write };
