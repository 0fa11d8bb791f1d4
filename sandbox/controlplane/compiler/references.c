/* What the caller has to load before it can compile: found by walking the primary workflow and the sub-workflows that
 * it reaches. */
#include "controlplane/compiler/compiler.h"

#include "controlplane/compiler/interfaces.h"
#include "proto/message.h"

struct walk {
	struct arena *arena;
	struct identifier_index tasks, launch_plans;
	struct identifier_index sub_workflows; /* positions into the caller's array */
	bool *reached;
	size_t *pending; /* sub-workflows reached and not walked yet */
	size_t pending_count;
};

static void walk_node(struct walk *w, const Flyteidl__Core__Node *node);

static void walk_workflow_node(struct walk *w, const Flyteidl__Core__WorkflowNode *node)
{
	if (node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF && node->launchplan_ref)
		identifier_index_add(w->arena, &w->launch_plans, node->launchplan_ref, 0);
	if (node->reference_case != FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF ||
	    !node->sub_workflow_ref)
		return;
	long position = identifier_index_find(&w->sub_workflows, node->sub_workflow_ref);
	if (position < 0 || w->reached[position])
		return;
	w->reached[position] = true;
	w->pending[w->pending_count++] = (size_t)position;
}

static void walk_branch(struct walk *w, const Flyteidl__Core__BranchNode *branch)
{
	const Flyteidl__Core__IfElseBlock *block = branch->if_else;
	if (!block)
		return;
	if (block->case_)
		walk_node(w, block->case_->then_node);
	for (size_t i = 0; i < block->n_other; i++)
		walk_node(w, block->other[i]->then_node);
	if (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE)
		walk_node(w, block->else_node);
}

static void walk_node(struct walk *w, const Flyteidl__Core__Node *node)
{
	switch (node ? node->target_case : FLYTEIDL__CORE__NODE__TARGET__NOT_SET) {
	case FLYTEIDL__CORE__NODE__TARGET_TASK_NODE:
		if (node->task_node &&
		    node->task_node->reference_case == FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID &&
		    node->task_node->reference_id)
			identifier_index_add(w->arena, &w->tasks, node->task_node->reference_id, 0);
		break;
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		if (node->workflow_node)
			walk_workflow_node(w, node->workflow_node);
		break;
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		if (node->branch_node)
			walk_branch(w, node->branch_node);
		break;
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		if (node->array_node)
			walk_node(w, node->array_node->node);
		break;
	default:
		break;
	}
}

static void walk_template(struct walk *w, const Flyteidl__Core__WorkflowTemplate *template_)
{
	for (size_t i = 0; template_ && i < template_->n_nodes; i++)
		walk_node(w, template_->nodes[i]);
	if (template_)
		walk_node(w, template_->failure_node);
}

static const Flyteidl__Core__Identifier **identifiers(struct arena *arena, struct identifier_index *index,
                                                      size_t *ret_count)
{
	identifier_index_sort(index);
	const Flyteidl__Core__Identifier **ids = arena_array(arena, const Flyteidl__Core__Identifier *, index->count);
	for (size_t i = 0; i < index->count; i++)
		ids[i] = index->items[i].id;
	*ret_count = index->count;
	return ids;
}

struct compiler_references compiler_references(struct arena *arena, const Flyteidl__Core__WorkflowTemplate *primary,
                                               Flyteidl__Core__WorkflowTemplate *const *sub_workflows,
                                               size_t sub_workflow_count)
{
	struct walk w = { .arena = arena,
		          .reached = arena_array(arena, bool, sub_workflow_count),
		          .pending = arena_array(arena, size_t, sub_workflow_count) };
	for (size_t i = 0; i < sub_workflow_count; i++)
		if (sub_workflows[i]->id)
			identifier_index_add(arena, &w.sub_workflows, sub_workflows[i]->id, i);
	identifier_index_sort(&w.sub_workflows);
	walk_template(&w, primary);
	while (w.pending_count)
		walk_template(&w, sub_workflows[w.pending[--w.pending_count]]);
	struct compiler_references references = { 0 };
	references.tasks = identifiers(arena, &w.tasks, &references.task_count);
	references.launch_plans = identifiers(arena, &w.launch_plans, &references.launch_plan_count);
	return references;
}
