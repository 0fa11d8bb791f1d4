/*
 * WANT_CHILD: what has become of the executions that nodes run, and the launch of those that there are none of yet. All
 * are looked for in one statement, however many elements of arrays there are; launches follow one another, each in a
 * transaction of its own, because it has to outlive this round's.
 */
#include "controlplane/engine/round.h"

#include "base/text.h"
#include "controlplane/engine/children.h"

/* A child belongs to a node with a row: an element's to its array. */
static const struct machine_node *owner_of(const struct machine_node *node)
{
	return node->element_of ? node->element_of : node;
}

static void fail_for_ever(struct machine_node *node, const char *code, const char *message)
{
	node->failure = (struct machine_failure){
		.budget = POD_FAILURE_PERMANENT, .kind = ERROR_KIND(USER), .code = code, .message = message
	};
	node->answer = ANSWER_GIVEN;
}

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
		fail_for_ever(node, "RuntimeExecutionError", arena_strdup(m->arena, err_message(&failure)));
		return;
	}
	node->answer = ANSWER_UNAVAILABLE;
	if (problem->kind == ERR_NONE)
		err_move(problem, &failure);
}

static void take(struct machine *m, struct machine_node *node, const struct child *child)
{
	if (child->node_row_id != owner_of(node)->row.row_id) {
		fail_for_ever(node, "ChildNameTaken",
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

int effects_find_children(const struct round_context *context, struct database_connection *c, struct machine *m,
                          struct effects_children *wanted, struct err *e)
{
	const char **names = arena_array(m->arena, const char *, wanted->count);
	struct children found;
	bool launched = false;
	for (size_t i = 0; i < wanted->count; i++)
		names[i] = machine_child_name(m, wanted->nodes[i]);
	if (children_find(c, m->arena, m->definition, names, wanted->count, &found, e) < 0)
		return -1;
	for (size_t i = 0; i < wanted->count; i++) {
		if (children_named(&found, names[i]))
			continue;
		launch(context, m, wanted->nodes[i], names[i], &wanted->problem);
		launched = true;
	}
	if (launched && children_find(c, m->arena, m->definition, names, wanted->count, &found, e) < 0)
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
