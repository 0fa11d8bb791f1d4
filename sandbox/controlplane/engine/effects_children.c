/*
 * WANT_CHILD: what has become of the executions that nodes run, and the launch of those that there are none of yet. All
 * are looked for in one statement, however many elements of arrays there are; launches follow one another, each in a
 * transaction of its own, because it has to outlive this round's.
 */
#include "controlplane/engine/effects.h"

#include "base/text.h"
#include "controlplane/engine/children.h"

/* A child belongs to a node with a row: an element's to its array. */
static const struct machine_node *owner_of(const struct machine_node *node)
{
	return node->element_of ? node->element_of : node;
}

struct wanted {
	size_t count;
	struct machine_node **nodes;
	struct err problem; /* why some of them could not be launched now */
};

static void launch(const struct round_context *context, struct machine *m, struct machine_node *node, const char *name,
                   struct err *problem)
{
	auto_err struct err failure = ERR_INIT;
	const struct child_key key = { .parent = m->definition,
		                       .name = name,
		                       .node_id = owner_of(node)->row.node_id,
		                       .node_row_id = owner_of(node)->row.row_id };
	if (children_launch(context->launch, m->arena, &key, node->vertex->node->workflow_node->launchplan_ref,
	                    node->inputs, &failure) == 0)
		return;
	if (failure.kind == ERR_INVALID || failure.kind == ERR_NOT_FOUND) {
		effects_fail(node, ERROR_KIND(USER), "RuntimeExecutionError",
		             arena_strdup(m->arena, err_message(&failure)));
		return;
	}
	node->answer = ANSWER_UNAVAILABLE;
	if (problem->kind == ERR_NONE)
		err_move(problem, &failure);
}

static void take(struct machine *m, struct machine_node *node, const struct child *child)
{
	if (child->node_row_id != owner_of(node)->row.row_id) {
		effects_fail(node, ERROR_KIND(USER), "ChildNameTaken",
		             arena_printf(m->arena, "there is an execution \"%s\" already, and it is not this node's",
		                          child->name));
		return;
	}
	node->child.phase = child->phase;
	node->child.error = child->error;
	node->child.outputs = child->outputs;
	node->child.outputs_uri = NULL;
	if (child->phase == EXECUTION(SUCCEEDED) && !child->outputs && !text_is_empty(child->outputs_uri))
		node->child.outputs_uri = child->outputs_uri;
	else
		node->answer = ANSWER_GIVEN;
}

/* Where child.outputs_uri is set afterwards, the answer is pending until what is there has been read. */
static int find(struct effects *effects, struct wanted *wanted, struct err *e)
{
	struct machine *m = effects->m;
	const char **names = arena_array(m->arena, const char *, wanted->count);
	struct children found;
	bool launched = false;
	for (size_t i = 0; i < wanted->count; i++)
		names[i] = machine_child_name(m, wanted->nodes[i]);
	if (children_find(effects->c, m->arena, m->definition, names, wanted->count, &found, e) < 0)
		return -1;
	for (size_t i = 0; i < wanted->count; i++) {
		if (children_named(&found, names[i]))
			continue;
		launch(effects->context, m, wanted->nodes[i], names[i], &wanted->problem);
		launched = true;
	}
	if (launched && children_find(effects->c, m->arena, m->definition, names, wanted->count, &found, e) < 0)
		return -1;
	for (size_t i = 0; i < wanted->count; i++) {
		struct machine_node *node = wanted->nodes[i];
		const struct child *child = children_named(&found, names[i]);
		if (node->answer != ANSWER_PENDING)
			continue;
		if (child)
			take(m, node, child);
		else
			node->answer = ANSWER_UNAVAILABLE; /* it has been deleted meanwhile */
	}
	return 0;
}

int effects_prepare_children(struct effects *effects, struct err *e)
{
	struct wanted wanted = { 0 };
	const struct machine *m = effects->m;
	for (size_t i = 0; i < m->node_count; i++) {
		if (m->nodes[i]->want == WANT_CHILD && m->nodes[i]->answer == ANSWER_PENDING)
			proto_append(effects->arena, wanted.count, wanted.nodes, m->nodes[i]);
	}
	if (wanted.count > 0 && find(effects, &wanted, e) < 0)
		return -1;
	if (wanted.problem.kind != ERR_NONE)
		effects_give_up(effects, NULL, &wanted.problem, "cannot launch a child execution");
	err_release(&wanted.problem);
	for (size_t i = 0; i < wanted.count; i++) {
		if (wanted.nodes[i]->child.outputs_uri)
			effects_add_get(effects, wanted.nodes[i], wanted.nodes[i]->child.outputs_uri);
	}
	return (int)wanted.count;
}

/* Outputs that are only in the object store. */
static int take_outputs(struct effects *effects, struct job *job, struct err *e)
{
	(void)e;
	effects_take_literals(effects, job);
	job->node->child.outputs = job->node->outputs;
	return 0;
}

const struct effect effect_child = { NULL, take_outputs };
