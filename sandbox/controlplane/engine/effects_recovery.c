/* WANT_RECOVERED: what became of a node in the execution that this one recovers. */
#include "controlplane/engine/effects.h"

#include "base/text.h"

/* An array has its inputs beside the directories of its attempts. */
static int find_elements(struct effects *effects, struct machine_node *node, const struct progress_recovered *found,
                         struct err *e)
{
	const char *end = strrchr(found->inputs_uri, '/');
	if (!end) /* it had not begun */
		return 0;
	node->recovery.directory = arena_printf(effects->arena, "%.*s/%" PRIu32, (int)(end - found->inputs_uri),
	                                        found->inputs_uri, found->attempt);
	return array_elements_load_succeeded(effects->c, effects->arena, effects->m->definition->recovered_id,
	                                     node->row.node_id, &node->recovery.elements, e);
}

static int prepare(struct effects *effects, struct machine_node *node, struct err *e)
{
	struct progress_recovered found;
	const int known = progress_load_recovered(effects->c, effects->arena, effects->m->definition->recovered_id,
	                                          node->row.node_id, &found, e);
	if (known < 0)
		return -1;
	node->answer = ANSWER_GIVEN;
	if (!known)
		return 0;
	node->recovery.phase = found.phase;
	node->recovery.checkpoint_uri = found.checkpoint_uri;
	node->recovery.deck_uri = found.deck_uri;
	node->outputs = found.outputs;
	if (node->vertex->array && find_elements(effects, node, &found, e) < 0)
		return -1;
	if (node->outputs || (found.phase != NODE(SUCCEEDED) && found.phase != NODE(RECOVERED)))
		return 0;
	if (text_is_empty(found.outputs_uri)) {
		node->outputs = proto_new(effects->arena, flyteidl__core__literal_map);
	} else {
		node->answer = ANSWER_PENDING;
		effects_add_get(effects, node, found.outputs_uri);
	}
	return 0;
}

/* Outputs that are gone, or cannot be read any more, are made again. */
static int take(struct effects *effects, struct job *job, struct err *e)
{
	struct machine_node *node = job->node;
	(void)e;
	if (!effects_take_outputs(effects, job, "cannot read the outputs to recover"))
		return 0;
	node->answer = ANSWER_GIVEN;
	if (!node->outputs)
		node->recovery.phase = NODE(UNDEFINED);
	return 0;
}

const struct effect effect_recovery = { prepare, take };
