/* Compiled workflows for the engine's tests, built by hand: task nodes that each put out the integer "o0". Everything
 * is in the arena. */
#ifndef SANDBOX_TESTS_UNIT_ENGINE_WORKFLOW_BUILDER_H
#define SANDBOX_TESTS_UNIT_ENGINE_WORKFLOW_BUILDER_H

#include "base/arena.h"
#include "controlplane/store/progress.h"

struct workflow_builder {
	struct arena *arena;
	Flyteidl__Core__CompiledWorkflowClosure *closure;
	Flyteidl__Core__CompiledWorkflow *workflow; /* the closure's primary, or a sub-workflow of it */
	Flyteidl__Core__WorkflowTemplate *template;
	size_t node_count; /* without start and end node */
	bool has_constant; /* then `constant` stands for the input "x", which there is none of */
	int64_t constant;
};

struct workflow_builder workflow_builder(struct arena *arena);
/* What a dynamic task makes: `length` tasks with these retries in a row, which add `length` to the constant, and the
 * output "o0". */
Flyteidl__Core__CompiledWorkflowClosure *workflow_dynamic(struct arena *arena, int64_t constant, size_t length,
                                                          uint32_t retries);
/* A sub-workflow "wf<k>" in the same closure, with the input "x". */
struct workflow_builder workflow_sub_builder(struct workflow_builder *parent);
/*
 * Adds node "n<k>" running the closure's next task "t<j>" of type python-task, after the nodes with these numbers: its
 * inputs "i<k>" are their outputs. Without any it follows the start node, and its input "i0" is the workflow's input
 * "x". Returns the node.
 */
Flyteidl__Core__Node *workflow_add_task(struct workflow_builder *b, uint32_t retries, const size_t *upstream,
                                        size_t upstream_count);
/* Adds node "n<k>" running a finished sub-workflow, after the nodes with these numbers; "x" is the first one's output
 * or the workflow's "x". Its output is that of the sub-workflow's last node. */
Flyteidl__Core__Node *workflow_add_sub(struct workflow_builder *b, const struct workflow_builder *sub,
                                       const size_t *upstream, size_t upstream_count);
/*
 * Adds node "n<k>", a branch on what it follows, like a task node: when that is at most `limit` a task runs that adds 1
 * to it ("n<k>-then"), else one that adds 1 to twice of it ("n<k>-else"). With `otherwise` given there is no else case,
 * but that error, or none for "".
 */
Flyteidl__Core__Node *workflow_add_branch(struct workflow_builder *b, int64_t limit, const char *otherwise,
                                          uint32_t retries, const size_t *upstream, size_t upstream_count);
/* Gates "n<k>" after the nodes with these numbers: one that waits for the signal "s<k>" to approve what it follows and
 * puts out the same, one whose output is the integer set as signal "s<k>", and one that sleeps and puts out nothing (so
 * nothing may be added after it). */
Flyteidl__Core__Node *workflow_add_approval(struct workflow_builder *b, const size_t *upstream, size_t upstream_count);
Flyteidl__Core__Node *workflow_add_signal(struct workflow_builder *b, const size_t *upstream, size_t upstream_count);
Flyteidl__Core__Node *workflow_add_sleep(struct workflow_builder *b, int64_t seconds, const size_t *upstream,
                                         size_t upstream_count);
/* Adds node "n<k>" running launch plan "lp", which gives "o0" for "x". */
Flyteidl__Core__Node *workflow_add_launch_plan(struct workflow_builder *b, const size_t *upstream,
                                               size_t upstream_count);
/* The failure node "efn": a task with the inputs "x" (the workflow's) and "err". */
Flyteidl__Core__Node *workflow_add_failure_task(struct workflow_builder *b);
/* Adds node "n<k>", an array over a task of its own whose input "i0" is the workflow's "x", a list. Returns the array
 * node; its task has the interface that flytekit gives mapped tasks. */
Flyteidl__Core__Node *workflow_add_array(struct workflow_builder *b, uint32_t retries);
/* The same over the launch plan "lp", whose input is "x". */
Flyteidl__Core__Node *workflow_add_child_array(struct workflow_builder *b);
/* Arrays over the outputs of the nodes with these numbers, or over three times the workflow's "x". Whoever follows them
 * gets the first element of the list that they put out. */
Flyteidl__Core__Node *workflow_add_task_array(struct workflow_builder *b, uint32_t retries, const size_t *upstream,
                                              size_t upstream_count);
Flyteidl__Core__Node *workflow_add_launch_plan_array(struct workflow_builder *b, const size_t *upstream,
                                                     size_t upstream_count);
/* The template of the closure's task of that number. */
Flyteidl__Core__TaskTemplate *workflow_task(const struct workflow_builder *b, size_t number);
/* Adds end node and connections: the workflow's outputs "o<k>" are those of the nodes that nothing follows. */
Flyteidl__Core__CompiledWorkflowClosure *workflow_finish(struct workflow_builder *b);

Flyteidl__Core__Literal *workflow_boolean(struct arena *arena, bool value);
/* A map of one integer. */
Flyteidl__Core__LiteralMap *workflow_integer(struct arena *arena, const char *name, int64_t value);
/* A map of one list of integers. */
Flyteidl__Core__LiteralMap *workflow_list(struct arena *arena, const char *name, const int64_t *values, size_t count);
/* The integer of that name; fails the test when it is not there. */
int64_t workflow_integer_of(const Flyteidl__Core__LiteralMap *literals, const char *name);

/* An execution "e1" of the closure with input x = 1. */
struct progress_definition workflow_execution(struct arena *arena,
                                              const Flyteidl__Core__CompiledWorkflowClosure *closure);

#endif
