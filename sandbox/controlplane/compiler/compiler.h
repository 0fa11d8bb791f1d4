/*
 * The compile step: workflow templates to closures. Pure: no I/O, no clock, everything in the caller's arena. Rules:
 * Flyte v1 (flytepropeller/pkg/compiler at v1.16.8). All errors are collected, not the first only.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_COMPILER_H
#define SANDBOX_CONTROLPLANE_COMPILER_COMPILER_H

#include "base/arena.h"
#include "base/err.h"

#include "flyteidl/core/compiler.pb-c.h"
#include "flyteidl/core/interface.pb-c.h"

/* The interface of a launch plan that a node refers to: what it still expects, and what it gives. */
struct compiler_launch_plan {
	const Flyteidl__Core__Identifier *id;
	const Flyteidl__Core__ParameterMap *expected_inputs;
	const Flyteidl__Core__LiteralMap *fixed_inputs; /* may be NULL */
	const Flyteidl__Core__VariableMap *outputs;
};

struct compiler_request {
	const Flyteidl__Core__WorkflowTemplate *primary;
	Flyteidl__Core__WorkflowTemplate *const *sub_workflows;
	size_t sub_workflow_count;
	/* Every task that primary and sub-workflows refer to, as far as it exists. None may be NULL. */
	Flyteidl__Core__CompiledTask *const *tasks;
	size_t task_count;
	const struct compiler_launch_plan *launch_plans;
	size_t launch_plan_count;
};

/* What the caller has to load first: the ids of the tasks and launch plans that the templates refer to, each once. */
struct compiler_references {
	const Flyteidl__Core__Identifier **tasks;
	size_t task_count;
	const Flyteidl__Core__Identifier **launch_plans;
	size_t launch_plan_count;
};
struct compiler_references compiler_references(struct arena *arena, const Flyteidl__Core__WorkflowTemplate *primary,
                                               Flyteidl__Core__WorkflowTemplate *const *sub_workflows,
                                               size_t sub_workflow_count);

/* Validates a task template; the compiled task shares it. NULL with ERR_INVALID ("compile-error") listing every error
 * found. */
Flyteidl__Core__CompiledTask *compiler_compile_task(struct arena *arena, const Flyteidl__Core__TaskTemplate *task,
                                                    struct err *e);

/*
 * The closure as Flyte stores and returns it: primary with its connections, every given sub-workflow (those that
 * nothing refers to stay as they came, without connections) and every given task once. Templates start with the nodes
 * start-node and end-node; nodes within branches are called <branch>-<node>. The templates of the request are copied,
 * its tasks are shared with the closure. A request of large constants takes three times its encoded size, one of many small nodes
 * up to forty times (tests/unit/compiler/test_compile_memory.c); whatever is sent, little more than the arena's maximum.
 *
 * NULL with ERR_INVALID ("compile-error") whose message lists every collected error (code, node, text;
 * compile_errors.h), or with ERR_EXHAUSTED when the templates do not fit the arena.
 */
Flyteidl__Core__CompiledWorkflowClosure *
compiler_compile_workflow(struct arena *arena, const struct compiler_request *request, struct err *e);

#endif
