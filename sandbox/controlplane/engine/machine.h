/*
 * The state machine of an execution: given what is known, what happens next? Pure — no I/O, no clock, no threads.
 * Everything lives in the arena of one round (engine/round.c), which is its only user besides the tests.
 *
 * The caller fills in what was saved (the execution, its nodes with their current attempts) and what is observed
 * (pods), then calls machine_step. A step moves everything as far as is known and leaves behind, on the nodes that
 * cannot go on, the one thing each of them wants from outside: outputs of a node that came before, a pod, a result. The
 * caller fetches or does these — all of them may be done at the same time, and doing one twice does no harm — sets the
 * answers, and steps again, until no answer changes anything. Then it saves every row marked `changed` in one
 * transaction, and only after that deletes the pods that no running attempt owns any more (machine_owns_pod).
 *
 * So nothing is decided by what was done, only by what was saved and what can be observed: a crash anywhere before the
 * commit repeats the same decisions and the same harmless effects. docs/internals/engine.md has the table.
 *
 * A node kind is one `struct machine_kind` in one file. Nodes live in a scope: one running instance of a graph. The
 * execution's own workflow is the top scope; a node that contains a graph opens one below itself for its current
 * attempt, and the nodes of all open scopes are in one list (machine.nodes). Scopes are not saved: which are open
 * follows from the rows, so machine_init opens them again.
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_MACHINE_H
#define SANDBOX_CONTROLPLANE_ENGINE_MACHINE_H

#include "controlplane/connectors/catalog.h"
#include "controlplane/engine/array.h"
#include "controlplane/engine/cache.h"
#include "controlplane/engine/log_links.h"
#include "controlplane/engine/names.h"
#include "controlplane/engine/pod.h"
#include "controlplane/store/progress.h"

#include "flyteidl/core/errors.pb-c.h"

#include <inttypes.h>

/* Shorter names for the phases; the values are the wire's. */
#define EXECUTION(phase) FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__##phase
#define NODE(phase) FLYTEIDL__CORE__NODE_EXECUTION__PHASE__##phase
#define TASK(phase) FLYTEIDL__CORE__TASK_EXECUTION__PHASE__##phase
#define ERROR_KIND(kind) FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__##kind

struct machine;
struct machine_node;
struct machine_kind;

/* ---- The graph: immutable, built once per workflow, shared by every round. ---- */

struct machine_vertex {
	const char *id; /* the node's id in its workflow */
	const Flyteidl__Core__Node *node;
	const struct machine_kind *kind;
	const Flyteidl__Core__TaskTemplate *task; /* of task nodes */
	/* Of nodes that contain a graph known beforehand: the sub-workflow's; of a branch, the nodes of its cases.
	 * Indices in these are of the vertices of the workflow around, whose outputs their bindings name. */
	const struct machine_graph *inner;
	/* Of array nodes, whose inner graph is one vertex: what runs for each element, and what is known beforehand of
	 * the variables that the elements put out. Of launch plans that is what others take from the array, because the
	 * closure does not have them. */
	const struct array_spec *array;
	const Flyteidl__Core__VariableMap *element_outputs;
	size_t upstream_count;
	const size_t *upstream; /* indices of vertices */
	/* Vertices whose outputs the bindings refer to: all of them are upstream, direct or not. */
	size_t source_count;
	const size_t *sources;
};

struct machine_graph {
	const Flyteidl__Core__CompiledWorkflow *workflow;
	size_t count;
	const struct machine_vertex *vertices;
	size_t start, end;                    /* SIZE_MAX in a graph that is not a workflow's */
	const struct machine_vertex *failure; /* the workflow's failure node, which is none of the vertices, or NULL */
	/* A node that cannot be run here, in words ("node \"n1\" is a branch node"), or NULL. */
	const char *unsupported;
};

/* The graph of the closure's primary workflow, and through its vertices those of its sub-workflows, each built once.
 * ERR_INVALID when the closure contradicts itself. Refers to the closure. */
int machine_graph_build(struct arena *arena, const Flyteidl__Core__CompiledWorkflowClosure *closure,
                        struct machine_graph *ret_graph, struct err *e);

/* ---- State. ---- */

struct machine_scope {
	const struct machine_graph *graph;
	struct machine_node *parent; /* NULL: the execution's own */
	/* Whose nodes the bindings name: itself, or of a branch the scope of the workflow around it. */
	struct machine_scope *sources;
	uint32_t parent_attempt;
	const char *directory; /* URI under which its nodes have their directories, without trailing '/' */
	size_t count;
	struct machine_node **nodes;              /* one per vertex of the graph */
	const Flyteidl__Core__LiteralMap *inputs; /* what the start node puts out, once known */
	struct machine_node *on_failure;          /* the failure node, or NULL; it is none of `nodes` */
	struct machine_node *failed; /* the node that decides how the scope fails: the last one that failed */
	bool failing;                /* it will fail, with `error`; its nodes have been ended */
	const Flyteidl__Core__ExecutionError *error;
	bool held_back; /* in this pass a node did not begin because as many run as may */
};

/* What a node wants from outside. At most one thing at a time. */
enum machine_want {
	WANT_NOTHING,
	WANT_OUTPUTS,       /* a node that succeeded earlier: its outputs, from the row or outputs_uri -> outputs */
	WANT_OFFLOADED,     /* what is at offloaded_uri -> offloaded */
	WANT_INPUTS_READ,   /* the start node: the execution's inputs, which are only in the object store -> outputs */
	WANT_WRITE,         /* put `outputs` at row.outputs_uri, and `offloads` at their URIs */
	WANT_WRITE_INPUTS,  /* put `inputs` at row.inputs_uri */
	WANT_SIGNAL,        /* a gate's signal, made when there is none -> signal */
	WANT_CHILD,         /* the execution that a launch plan node runs, launched when there is none -> child */
	WANT_POD,           /* put `inputs` at row.inputs_uri, then create the pod of the current attempt -> creation */
	WANT_CONNECTOR,     /* put `inputs` at row.inputs_uri, then hand the current attempt to its connector */
	WANT_CACHE,         /* whether the task's outputs are known already, and whose turn it is -> cache */
	WANT_RECOVERED,     /* what became of the node in the execution that this one recovers -> recovery, outputs */
	WANT_ELEMENTS,      /* an array: what has become of all its elements -> row.task->elements */
	WANT_RESULT,        /* the attempt's pod has ended well: error.pb, outputs.pb, deck -> result */
	WANT_DYNAMIC,       /* futures.pb of the attempt, compiled -> dynamic */
	WANT_WRITE_DYNAMIC, /* put `dynamic` at row.dynamic_workflow_uri */
};

enum machine_answer {
	ANSWER_PENDING, /* wanted, not tried */
	ANSWER_GIVEN,
	ANSWER_UNAVAILABLE, /* tried in vain; ask again in a later round */
};

/* How an attempt or a node fails. */
struct machine_failure {
	enum pod_failure budget; /* who pays; POD_FAILURE_NONE: there is no failure */
	Flyteidl__Core__ExecutionError__ErrorKind kind;
	const char *code, *message, *error_uri;
	Google__Protobuf__Timestamp *timestamp; /* of the failure in a distributed task, or NULL */
	const char *worker;
};

struct machine_pod {
	bool known; /* false: nobody can tell at present */
	struct pod_observation observation;
};

/* The current attempt, as its row in connector_tasks has it. */
struct machine_connector {
	bool known;                                 /* false: nobody can tell at present */
	bool exists;                                /* false: there is no row */
	const Flyteidl__Admin__Resource *resource;  /* what the connector said last, or NULL */
	const char *failure_code, *failure_message; /* it is over for another reason; code "" or NULL: it is not */
	bool failure_retryable;
	const char *problem; /* why it does not go on at present, or "" */
};

enum machine_creation { CREATION_DONE, CREATION_WAITS, CREATION_FAILED };

enum machine_cache_outcome {
	CACHE_UNKNOWN,
	CACHE_FOUND,    /* node->outputs are what they put out */
	CACHE_ABSENT,   /* run it; reserved, if that was asked for */
	CACHE_OCCUPIED, /* somebody else is running it; the execution is woken when that has ended, or at expires_ns */
	CACHE_UNREADABLE, /* there is something, but it is damaged or gone: run it */
};

struct machine_cache {
	struct catalog_key key;
	bool lookup, serialize; /* what is asked for: whether there is something, whether to reserve it */
	bool answered;          /* in this round */
	enum machine_cache_outcome outcome;
	int64_t expires_ns;                        /* 0: never */
	Flyteidl__Core__CatalogMetadata *metadata; /* of what was found */
	/* To be kept under the key, with the commit; NULL: nothing. */
	Datacatalog__Artifact *keep;
	bool overwrite;
};

/* A literal that is kept outside of the map it belongs to. */
struct machine_offloaded {
	const char *uri;
	const Flyteidl__Core__Literal *literal;
};

struct machine_node {
	const struct machine_vertex *vertex;
	struct machine_scope *scope; /* it is in */
	struct machine_scope *inner; /* it has opened for its current attempt, or NULL */
	struct progress_node row;    /* row.node_id is set from the start; the rest once there is a row */
	const char *directory;       /* URI of …/data; attempt k is <directory>/<k>, see machine_attempt_directory */
	/* Of elements of an array: the array's node, and which one this is. */
	struct machine_node *element_of;
	uint32_t index;
	bool saved; /* there is a committed row of it, as of the attempt saved_attempt */
	uint32_t saved_attempt;
	struct machine_array *array; /* of array nodes that have begun (node_array.c) */

	/* Known in this round. */
	const Flyteidl__Core__LiteralMap *inputs;
	const Flyteidl__Core__LiteralMap *loaded_inputs; /* of arrays: with what is offloaded in its place */
	const Flyteidl__Core__LiteralMap *outputs;
	bool outputs_known;
	struct {
		bool known;
		Flyteidl__Core__WorkflowExecution__Phase phase;
		const Flyteidl__Core__ExecutionError *error;
		const Flyteidl__Core__LiteralMap *outputs;
		const char *outputs_uri; /* where they still have to be read from, or NULL */
	} child;
	const char *offloaded_uri;
	const Flyteidl__Core__Literal *offloaded;
	size_t offload_count; /* parts of `outputs` that are kept by themselves */
	struct machine_offloaded *offloads;
	bool signal_known;
	const Flyteidl__Core__Literal *signal;                  /* NULL while nobody has set it */
	const Flyteidl__Core__CompiledWorkflowClosure *dynamic; /* what the current attempt has made */
	struct machine_pod pod;                                 /* of the current attempt, when that has a pod */
	struct machine_connector connector;                     /* … when a connector has it */

	enum machine_want want;
	enum machine_answer answer;
	/* Answers. A failure with budget NONE means none. */
	struct machine_failure failure; /* any want: it can never be fulfilled, and why */
	bool result_known;              /* the current attempt's, while more is wanted for it */
	enum machine_creation creation;
	const char *creation_reason; /* why it waits */
	struct machine_cache cache;
	struct {
		bool answered, inputs_written;              /* in this round */
		Flyteidl__Core__NodeExecution__Phase phase; /* UNDEFINED: there is nothing to take over */
		const char *checkpoint_uri, *deck_uri;      /* or "" */
		/* Of an array that did not succeed: the elements that did, and the directory of its attempt. */
		struct array_elements elements;
		const char *directory;
	} recovery;
	struct {
		const Flyteidl__Core__ErrorDocument *error; /* error.pb, or NULL */
		const char *error_uri;
		bool outputs_found;
		const Flyteidl__Core__LiteralMap *outputs;
		bool deck_found;
		bool futures_found; /* only looked for when neither error nor outputs are there */
	} result;
};

struct machine_options {
	const char *metadata_prefix;   /* "s3://my-s3-bucket/metadata/propeller" */
	const char *raw_output_prefix; /* "s3://my-s3-bucket/data" */
	struct log_links log_links;
	uint32_t default_maximum_attempts; /* of nodes that ask for no retries; upstream: 1 */
	uint32_t system_retries;           /* upstream: 3 */
	bool ignore_retry_cause;           /* there is one budget, the user's */
	/* From how many failures of the system on a task is no longer interruptible; below 0: so many before the last
	 * of its attempts. Upstream: -1. */
	int32_t interruptible_threshold;
	int64_t retry_delay_ns;   /* before the first system retry; doubles with each */
	int64_t quota_delay_ns;   /* before a pod that exceeded a quota is tried again */
	size_t array_maximum;     /* elements of one array; upstream: 5000 */
	size_t array_parallelism; /* elements of one array that run at a time when their user sets no smaller limit */
	size_t array_output_maximum; /* bytes of the outputs of all elements of an array */
	/* Lists that an array puts out are kept by themselves from `minimum` bytes on, and are refused from `maximum`
	 * on; minimum 0: none are. */
	size_t offload_minimum, offload_maximum;
	const struct connector_catalog *connectors; /* NULL: none */
	int64_t connector_unheard_ns; /* how long a task that nobody runs waits for connectors that never answered */
};
#define MACHINE_OPTIONS_DEFAULT                                                                                        \
	{                                                                                                              \
		.metadata_prefix = "s3://my-s3-bucket/metadata/propeller",                                             \
		.raw_output_prefix = "s3://my-s3-bucket/data", .default_maximum_attempts = 1, .system_retries = 3,     \
		.interruptible_threshold = -1, .retry_delay_ns = 500000000, .quota_delay_ns = 10000000000,             \
		.array_maximum = 5000, .array_parallelism = 250, .array_output_maximum = (size_t)256 << 20             \
	}

/* A change of phase, in order, for logs and tests. */
struct machine_transition {
	const char *node_id; /* NULL: the execution's own */
	bool of_task;        /* the node's current task attempt */
	uint32_t attempt;
	const char *from, *to; /* names of phases */
};

struct machine {
	struct arena *arena;
	const struct machine_options *options;
	const struct progress_definition *definition;
	const char *namespace; /* of the pods */
	struct progress_execution execution;
	struct machine_scope top;
	size_t node_count;
	struct machine_node *
	        *nodes; /* of all scopes opened in this round; a node comes after the one that contains it */
	int64_t now_ns; /* wall clock */

	/* Output of the steps so far. */
	size_t transition_count;
	struct machine_transition *transitions;
	size_t ended_task_count; /* attempts that are over and were replaced, in order: saved besides the current ones
	                          */
	struct machine_ended_task *ended_tasks;
	size_t orphan_count; /* child executions whose node was aborted: to be aborted with what is saved */
	struct machine_orphan *orphans;
	int64_t wake_at_ns; /* the earliest time at which something would happen by itself; 0: none */

	/* Offloaded literals that have been read in this round. */
	size_t offloaded_count;
	struct machine_offloaded *offloaded;

	/* Private to a step. */
	bool changed;
	uint32_t running;                   /* active nodes that count for max_parallelism, in all scopes */
	const struct progress_node **saved; /* the rows, grouped by parent_row_id */
	size_t saved_count;
};

struct machine_orphan {
	const char *name, *cause; /* of an execution that may not exist */
};

struct machine_ended_task {
	struct machine_node *node;
	struct progress_task *task;
	struct machine_array *array; /* whose task it was, or NULL */
};

/*
 * Sets up the machine for one round. `rows` are the saved nodes, in any order. Those of attempts that are over are left
 * alone; rows that belong to no node of an open scope's graph are an error. The machine keeps references to all
 * arguments.
 */
int machine_init(struct machine *m, struct arena *arena, const struct machine_options *options,
                 const struct progress_definition *definition, const struct machine_graph *graph,
                 const struct progress_execution *execution, const struct progress_nodes *rows, int64_t now_ns,
                 struct err *e);

/* Moves everything as far as is known. Call again after answers were set. */
void machine_step(struct machine *m);

/* Nodes whose current attempt has a pod: those for which the caller has to fill in `pod` before the first step. */
bool machine_node_has_pod(const struct machine_node *node);
/* … and those for which it has to fill in `connector`. */
bool machine_node_has_connector(const struct machine_node *node);
/* Whether a running attempt owns the pod of that name. A pod of the execution that nobody owns is to be deleted unless
 * it has ended. */
bool machine_owns_pod(const struct machine *m, const char *pod_name);

/* Of task nodes, for whoever makes the pod: where an attempt puts raw output, and what it leaves for the next one to go
 * on from. */
const char *machine_raw_output_prefix(struct machine *m, const struct machine_node *node, uint32_t attempt);
const char *machine_checkpoint_uri(struct machine *m, const struct machine_node *node, uint32_t attempt);
bool machine_node_is_interruptible(const struct machine *m, const struct machine_node *node);
/* Of launch plan nodes: the execution that the current attempt runs. */
const char *machine_child_name(struct machine *m, const struct machine_node *node);
/* Of gate nodes that wait for a signal. */
const char *machine_signal_id(const struct machine_node *node);
const Flyteidl__Core__LiteralType *machine_signal_type(struct machine *m, const struct machine_node *node);
enum machine_deck { DECK_PERHAPS, DECK_ALWAYS, DECK_NEVER };
enum machine_deck machine_makes_deck(const struct machine_node *node);

/* ---- For node kinds (engine/node_*.c). ---- */

struct machine_kind {
	const char *name; /* "task node", for messages */
	bool counts_for_parallelism;
	/* Moves an active node (QUEUED, RUNNING …) on. Its upstream nodes have succeeded. Called in every step. */
	void (*advance)(struct machine *m, struct machine_node *node);
	/* Of kinds that open scopes: opens those of an active node whose row was loaded. */
	int (*resume)(struct machine *m, struct machine_node *node, struct err *e);
	/* Ends what the node runs: the node itself is set to ABORTED by the caller. */
	void (*abort)(struct machine *m, struct machine_node *node, const char *reason);
};
extern const struct machine_kind machine_kind_task, machine_kind_workflow, machine_kind_branch, machine_kind_gate,
        machine_kind_array, machine_kind_launch_plan;

/*
 * Opens a scope for the node's current attempt and gives its nodes the rows that were saved for it, which opens the
 * scopes below in turn. `directory` is where its nodes have their directories: usually the attempt's
 * (machine_attempt_directory). -1 when a saved row fits no node.
 */
int machine_open_scope(struct machine *m, struct machine_node *parent, const struct machine_graph *graph,
                       const char *directory, struct err *e);

/* Of task nodes (engine/node_task.c, node_connector.c). */

/* The attempt's row, when there is none yet. */
void machine_make_task(struct machine *m, struct machine_node *node);
/* Whether a connector runs such tasks. */
bool machine_has_connector_for(const struct machine *m, const struct machine_node *node);
/* True when a connector has the attempt, will have it, or is waited for; false: it is a pod's. */
bool machine_begin_on_connector(struct machine *m, struct machine_node *node);
void machine_watch_connector(struct machine *m, struct machine_node *node);
/* What ran has ended well: what it has left in the object store decides. */
void machine_end_attempt(struct machine *m, struct machine_node *node);
/* With node->result. */
void machine_succeed_attempt(struct machine *m, struct machine_node *node);
/* True when one has passed, and the attempt or the node is over for it. */
bool machine_check_deadlines(struct machine *m, struct machine_node *node);

/* Of task nodes (engine/node_dynamic.c): an attempt whose pod left futures.pb behind, a node in DYNAMIC_RUNNING, and
 * one whose row was loaded in that phase. */
void machine_begin_dynamic(struct machine *m, struct machine_node *node);
void machine_advance_dynamic(struct machine *m, struct machine_node *node);
int machine_resume_dynamic(struct machine *m, struct machine_node *node, struct err *e);

enum machine_progress { SCOPE_RUNS, SCOPE_SUCCEEDED, SCOPE_FAILS, SCOPE_FAILED };
/*
 * Moves a scope that is an instance of a workflow as far as is known: begins nodes whose upstream nodes have succeeded,
 * advances active ones, and applies the workflow's failure policy. SCOPE_FAILS: it cannot succeed any more and handles
 * that; from SCOPE_FAILS on, scope->error says why. SCOPE_SUCCEEDED: the workflow's outputs are those of its end node.
 */
enum machine_progress machine_run_scope(struct machine *m, struct machine_scope *scope);
/* Begins the node when it may begin, and moves it on: for kinds that run the nodes of their scope themselves. */
void machine_advance_node(struct machine *m, struct machine_node *node);
/* Makes a node that may begin QUEUED, with its inputs, unless as many nodes run as may or the inputs are still wanted.
 */
void machine_queue_node(struct machine *m, struct machine_node *node);
/* Of a node that does not count for max_parallelism at present and is about to: false while as many run as may. */
bool machine_takes_place(struct machine *m, const struct machine_node *node);
/* Of a scope that fails: runs its failure node. True when that is over, or there is none. */
bool machine_handle_failure(struct machine *m, struct machine_scope *scope);
/* The inputs of the scope's failure node: what its bindings give, and what went wrong when it wants to know that. */
const Flyteidl__Core__LiteralMap *machine_failure_inputs(struct arena *arena, const struct machine_scope *scope,
                                                         const Flyteidl__Core__LiteralMap *inputs);
/* Why a node that is FAILED or TIMED_OUT makes what contains it fail. */
const Flyteidl__Core__ExecutionError *machine_error_of_node(struct machine *m, const struct machine_node *failed);
/* A scope that had begun to fail when it was saved. */
void machine_set_scope_failing(struct machine_scope *scope, const Flyteidl__Core__ExecutionError *error);
/* Ends every active node of the scope, and what these run, as ABORTED. */
void machine_abort_scope(struct machine *m, struct machine_scope *scope, const char *reason);
void machine_abort_node(struct machine *m, struct machine_node *node, const char *reason);
/* False while they are still wanted. `failed_for` is failed when they can never be had. */
bool machine_find_outputs(struct machine *m, struct machine_node *source, struct machine_node *failed_for);
/* Resolves the node's inputs and puts them where clients read them. False while that is under way, or when the node has
 * just failed for it. */
bool machine_write_inputs(struct machine *m, struct machine_node *node);
/* Makes the outputs of `source`, which has succeeded, the node's own, in its own outputs.pb, and the node SUCCEEDED;
 * returns early while that is under way. */
void machine_succeed_with(struct machine *m, struct machine_node *node, struct machine_node *source);
/* Puts node->outputs, unless they are empty, into the attempt's outputs.pb. False while that is under way. */
bool machine_write_outputs(struct machine *m, struct machine_node *node);
/* Where the current attempt's results are: <directory>/<attempt>, except for elements of flytekit's older map tasks. */
const char *machine_attempt_directory(struct machine *m, const struct machine_node *node);
/* What the pod is told instead: the same, with the same exception. */
const char *machine_output_prefix(struct machine *m, const struct machine_node *node);
const char *machine_element_directory(struct machine *m, const struct machine_node *element);
/* Whether anything of the node may be taken over from an execution before this one. */
bool machine_is_recovering(const struct machine *m, const struct machine_node *node);
/* The rows of an array's elements that have changed, in the arena; they count as saved afterwards. False when there are
 * none. */
bool machine_array_changes(struct machine *m, struct machine_array *array, struct array_elements *ret_changes);

bool machine_node_is_active(const struct machine_node *node);   /* has begun and is not over */
bool machine_node_is_finished(const struct machine_node *node); /* over, in whatever way */

void machine_set_execution(struct machine *m, Flyteidl__Core__WorkflowExecution__Phase phase);
/* Phase changes with their bookkeeping: times, changed marks, transitions. The same phase again changes nothing. */
void machine_set_node(struct machine *m, struct machine_node *node, Flyteidl__Core__NodeExecution__Phase phase);
/* A reason other than the present one is added to the attempt's history; NULL keeps it. */
void machine_set_task(struct machine *m, struct machine_node *node, Flyteidl__Core__TaskExecution__Phase phase,
                      const char *reason);
/* With node->outputs, which must be at row.outputs_uri. */
void machine_succeed_node(struct machine *m, struct machine_node *node);
/* `phase` is FAILED or TIMED_OUT. */
void machine_fail_node(struct machine *m, struct machine_node *node, Flyteidl__Core__NodeExecution__Phase phase,
                       const struct machine_failure *failure);
/* Ends the current attempt as FAILED, then retries as the budgets allow (reference §2.9), else fails the node. */
void machine_fail_attempt(struct machine *m, struct machine_node *node, const struct machine_failure *failure);
/* Of a node that may begin: true when it has been, or is being, taken over from the execution that this one recovers.
 */
bool machine_recover_node(struct machine *m, struct machine_node *node);
/*
 * Of task nodes, before an attempt is begun: true when it is to run. Else the node has just succeeded with outputs of
 * the cache, waits for somebody who makes them, or wants to know.
 */
bool machine_consult_cache(struct machine *m, struct machine_node *node);
/* When the node is about to succeed with node->outputs: keeps them, if its task is cached. */
void machine_keep_in_cache(struct machine *m, struct machine_node *node);
/* With the commit, reservations of the node end: catalog_release. */
bool machine_node_ends_reservation(const struct machine_node *node);
/* How often the user's budget allows the node to be tried. */
uint32_t machine_maximum_attempts(const struct machine *m, const struct machine_node *node);

/* Asks for something, or tells that the answer is there: true once answered, and the want is withdrawn. */
bool machine_ask(struct machine *m, struct machine_node *node, enum machine_want want);
/* compiler/bindings over the outputs of the nodes that the node's bindings name, which must be known. NULL with `e`
 * set; ERR_UNAVAILABLE while the node wants to know an offloaded literal. */
Flyteidl__Core__LiteralMap *machine_resolve_bindings(struct machine *m, struct machine_node *node,
                                                     Flyteidl__Core__Binding *const *bindings, size_t count,
                                                     struct err *e);
/* The same literals with what is offloaded in its place; not in what they contain. NULL as above. */
const Flyteidl__Core__LiteralMap *machine_load_offloaded(struct machine *m, struct machine_node *node,
                                                         const Flyteidl__Core__LiteralMap *literals, struct err *e);
/* Resolves the node's bindings into node->inputs. False while outputs are still wanted, or when the node has just
 * failed for it. */
bool machine_resolve_inputs(struct machine *m, struct machine_node *node);
/* The same for an element of an array: its part of the array's. */
bool machine_resolve_element(struct machine *m, struct machine_node *element);
/* Nanoseconds; 0 for none, and for what makes no sense. Never so long that it does not fit behind a time of today. */
int64_t machine_duration_ns(const Google__Protobuf__Duration *duration);
/* What an attempt of the node may take; 0 for any time. */
int64_t machine_attempt_timeout_ns(const struct machine_node *node);
const char *machine_duration_text(struct machine *m, int64_t duration_ns); /* "1m30s" */
struct machine_failure machine_attempt_timed_out(struct machine *m, int64_t timeout_ns);
/* The same for the node as a whole. */
int64_t machine_node_timeout_ns(const struct machine *m, const struct machine_node *node);
struct machine_failure machine_node_timed_out(struct machine *m, int64_t timeout_ns);
/* Moves an active node on as its kind does it, and looks at its deadlines. */
void machine_move_node(struct machine *m, struct machine_node *node);
/* Remembers that something happens by itself at that time. */
void machine_wake_at(struct machine *m, int64_t at_ns);
Flyteidl__Core__ExecutionError *machine_error(struct arena *arena, const struct machine_failure *failure);
/* The same the other way round, as a failure that is not retried. */
struct machine_failure machine_failure_of(const Flyteidl__Core__ExecutionError *error);

#endif
