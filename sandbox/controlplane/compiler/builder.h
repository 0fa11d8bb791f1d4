/*
 * The inside of the compile step; nobody but the compiler's own files includes this.
 *
 * One `struct compilation` a request: errors, budget, and the tasks, launch plans and sub-workflows by identifier. One
 *`struct workflow_builder` for each workflow that is compiled, the primary one and every sub-workflow that is reached;
 *it has a `struct node_builder` for each node, also for those within branch and array nodes. workflow.c has the order
 *of the steps:
 *
 *	1. nodes.c          interface of every node: what it takes and gives
 *	2. nodes.c          each node by itself; conditions.c for branches
 *	3. node_bindings.c  what is bound to every input, and the edges that follow from it
 *	4. graph.c          ends tied to start and end node, cycles, reachability, the connections of the closure
 *
 * Every step goes on after an error. To keep one mistake from being reported many times, a step stays silent about what
 *depends on something that has been reported already.
 */
#ifndef SANDBOX_CONTROLPLANE_COMPILER_BUILDER_H
#define SANDBOX_CONTROLPLANE_COMPILER_BUILDER_H

#include "controlplane/compiler/compile_errors.h"
#include "controlplane/compiler/compiler.h"
#include "controlplane/compiler/interfaces.h"

#define START_NODE_ID "start-node"
#define END_NODE_ID "end-node"

/* How deep sub-workflows may contain sub-workflows, and how many nodes' interfaces may wait for one another. */
#define SUB_WORKFLOW_DEPTH_MAXIMUM 64
#define INTERFACE_DEPTH_MAXIMUM 128
/* Comparisons of bindings with types in one request. Collections bound to unions of collections multiply them. */
#define BINDING_STEPS_MAXIMUM 5000000u

struct task_interface {
	const Flyteidl__Core__TaskTemplate *task;
	bool indexed;
	struct variables inputs, outputs;
};

struct sub_workflow {
	Flyteidl__Core__CompiledWorkflow *compiled; /* its template is a copy, completed in place */
	enum { SUB_WORKFLOW_UNTOUCHED, SUB_WORKFLOW_COMPILING, SUB_WORKFLOW_DONE } state;
};

struct compilation {
	struct arena *arena;
	struct compile_errors errors;
	const struct compiler_request *request;
	struct task_interface *tasks;
	struct identifier_index task_index; /* into tasks */
	struct sub_workflow *sub_workflows;
	struct identifier_index sub_workflow_index;                  /* into sub_workflows */
	struct identifier_index launch_plan_index;                   /* into request->launch_plans */
	const struct sub_workflow *path[SUB_WORKFLOW_DEPTH_MAXIMUM]; /* being compiled, outermost first */
	unsigned path_length;
	unsigned binding_steps; /* left */
};

enum interface_state { INTERFACE_UNKNOWN, INTERFACE_COMPUTING, INTERFACE_READY, INTERFACE_FAILED };

struct node_builder {
	Flyteidl__Core__Node *node;  /* of the copied template: completed in place */
	struct node_builder *parent; /* the branch or array node around it, or NULL */
	struct node_builder **children;
	size_t child_count;
	enum interface_state interface_state;
	struct variables inputs, outputs;
	struct variables visible_outputs; /* outputs under their aliases: what promises name */
};

/* Sorted sets once edges_sort was called. A downstream edge has the provider as key, an upstream edge the dependent. */
struct edge {
	const char *key, *id;
};
struct edges {
	size_t count;
	struct edge *items;
};

struct workflow_builder {
	struct compilation *compilation;
	Flyteidl__Core__WorkflowTemplate *template_;
	struct node_builder *start, *end;
	struct node_builder **nodes;    /* top level with start and end node, sorted by id */
	struct node_builder **in_order; /* the same from position 2, in the order of the template */
	size_t node_count;
	struct edges upstream, downstream;
	struct edges nested; /* from providers of nodes within a branch to the branch: only for finding cycles */
	const struct node_builder *computing[INTERFACE_DEPTH_MAXIMUM];
	unsigned computing_count;
};

/* workflow.c: NULL when anything in it failed (reported). */
Flyteidl__Core__CompiledWorkflow *workflow_compile(struct compilation *c, Flyteidl__Core__WorkflowTemplate *template_);
/* Compiles it unless that has been done; reports a workflow that contains itself. */
void sub_workflow_compile(struct compilation *c, const char *node_id, const Flyteidl__Core__Identifier *id);
struct sub_workflow *sub_workflow_find(struct compilation *c, const Flyteidl__Core__Identifier *id);
struct node_builder *workflow_find_node(const struct workflow_builder *w, const char *id);

/* nodes.c. node_builder_new also makes the builders of inner nodes and gives nodes within branches their "parent-child"
 * ids. */
struct node_builder *node_builder_new(struct compilation *c, Flyteidl__Core__Node *node, struct node_builder *parent);
/* False when it failed, now or before; then it has been reported. */
bool node_interface_compute(struct workflow_builder *w, struct node_builder *nb);
void node_validate(struct workflow_builder *w, struct node_builder *nb);
/* Reports variables without name or type. */
bool variables_validate(struct compilation *c, const char *node_id, const struct variables *variables);

/* conditions.c: the conditions and the default of a branch node whose interface is known. */
void conditions_validate(struct workflow_builder *w, const struct node_builder *nb);

/* node_bindings.c */
enum edge_direction {
	EDGES_BOTH_WAYS,
	EDGES_UPSTREAM_ONLY, /* inner nodes and the failure node: they wait for their providers, which do not start them
	                      */
};
void node_edges_add(struct workflow_builder *w, struct node_builder *nb, enum edge_direction direction);
/* Checks the node's bindings against its inputs. */
void node_bindings_validate(struct workflow_builder *w, const struct node_builder *nb);
/* The variables that the node's bindings define, for nodes whose interface is what is bound to them. False when
 * reported. */
bool node_bindings_infer(struct workflow_builder *w, struct node_builder *nb, struct variables *ret_variables);

/* graph.c */
void edges_add(struct arena *arena, struct edges *edges, const char *key, const char *id);
/* Ties nodes without upstream to the start node and nodes without downstream to the end node. */
void graph_tie_ends(struct workflow_builder *w);
/* Reports cycles and nodes that the start node does not reach. */
void graph_validate(struct workflow_builder *w);
Flyteidl__Core__ConnectionSet *graph_connections(struct workflow_builder *w);

#endif
