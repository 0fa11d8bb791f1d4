/*
 * A model of everything outside of the machine: a database that only knows what was committed, a cluster whose pods end
 * as fate has it, an object store, a catalog, child executions, users. Executions run to their end while the engine
 * crashes at random points — that is, what was not committed is forgotten and what was done outside remains — and
 * watches lag, pods vanish, users abort. Invariants are checked at every commit.
 *
 * A task adds 1 to the sum of its inputs, and so does a child execution; what a test expects follows from that.
 */
#ifndef SANDBOX_TESTS_UNIT_ENGINE_MODEL_H
#define SANDBOX_TESTS_UNIT_ENGINE_MODEL_H

#include "../workflow_builder.h"
#include "base/text.h"
#include "controlplane/engine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PODS_MAXIMUM 2048
#define CHILDREN_MAXIMUM 1024
#define ENTRIES_MAXIMUM 256
#define ROUNDS_MAXIMUM 20000
#define ROWS_MAXIMUM 2048
#define DEPTH_MAXIMUM 3
#define SIGNALS_MAXIMUM 64
#define SIGNAL_VALUE 7
#define DYNAMICS_MAXIMUM 256
#define ARRAYS_MAXIMUM 256
#define ELEMENTS_MAXIMUM 140
#define ATTEMPTS_MAXIMUM 8 /* of an element */

enum fate {
	FATE_SUCCESS,
	FATE_ERROR,            /* error.pb, not recoverable */
	FATE_RECOVERABLE_USER, /* error.pb, recoverable, the user's budget */
	FATE_RECOVERABLE_SYSTEM,
	FATE_NO_OUTPUTS,
	FATE_OOM,
	FATE_INTERRUPTED,
	FATE_PERMANENT,
	FATE_COUNT,
	FATE_DYNAMIC /* futures.pb */
};

/* A pod, or what a connector has of an attempt. */
struct fake_pod {
	bool connector;
	bool committed; /* of a connector's: its row exists; pods are there at once */
	char *name;
	char *node; /* its id in the execution */
	uint32_t attempt;
	enum pod_state state; /* POD_SUCCEEDED: its container ended with 0 */
	enum fate fate;
	bool gone;
	int64_t sum_of_inputs;
};

struct fake_child {
	char *name;
	Flyteidl__Core__WorkflowExecution__Phase phase, fate;
	int64_t sum_of_inputs;
};

/* What a task with given inputs puts out, in the catalog, and who makes it at present. */
struct fake_entry {
	const char *key;
	bool present;
	int64_t value;
	const char *owner; /* a node of ours, STRANGER, or NULL */
	unsigned rounds;   /* that a stranger still takes */
};
extern const char STRANGER[];
/* The type of tasks that a connector runs. */
extern const char CONNECTED[];

/* What an attempt of a dynamic node has made. */
struct fake_dynamic {
	char *node;
	uint32_t attempt;
	const Flyteidl__Core__CompiledWorkflowClosure *closure;
	struct machine_graph graph;
};

/* What a gate has asked for. */
struct fake_signal {
	char *node;
	bool committed;
	bool is_approval;
	const Flyteidl__Core__Literal *value;
};

/* The rows of an array's elements. */
struct fake_array {
	char *node;
	uint32_t attempt;
	size_t size;
	size_t limit; /* of elements at a time */
	struct array_element rows[ELEMENTS_MAXIMUM][ATTEMPTS_MAXIMUM];
	bool saved[ELEMENTS_MAXIMUM][ATTEMPTS_MAXIMUM];
};

struct world {
	struct arena arena; /* as long as the world */
	unsigned random;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	unsigned bad_percent;
	bool limited;         /* some nodes have deadlines */
	bool dynamics_happen; /* a pod may turn out to be a dynamic task's */
	int64_t now_ns;
	/* The database. */
	struct progress_execution execution;
	struct progress_nodes rows;
	struct fake_array *arrays[ARRAYS_MAXIMUM];
	size_t array_count;
	struct fake_signal signals[SIGNALS_MAXIMUM];
	size_t signal_count;
	bool rejected;
	struct fake_dynamic dynamics[DYNAMICS_MAXIMUM];
	size_t dynamic_count;
	/* The cluster and the object store. */
	struct fake_pod pods[PODS_MAXIMUM];
	size_t pod_count;
	struct fake_child children[CHILDREN_MAXIMUM];
	size_t child_count;
	bool start_written, end_written;
	struct fake_entry entries[ENTRIES_MAXIMUM];
	size_t entry_count;
	unsigned waits;
	/* The execution that this one recovers, if any. */
	struct progress_nodes earlier;
	struct fake_array *earlier_arrays[ARRAYS_MAXIMUM];
	size_t earlier_array_count;
	/* What happens to the round under way. */
	int crash_in; /* effects and commits until the crash; < 0: none */
	bool lags;
};

/* An execution that has not begun; the workflow is the caller's to make. */
struct world *world_new(unsigned seed);
struct world *world_free(struct world *w);
unsigned pick(struct world *w, unsigned below);

/* Another execution of the same workflow that takes over from the one that has just ended. */
void world_recover(struct world *w);
/* Runs it to its end; whether a user has aborted it. */
bool world_play(struct world *w, unsigned seed);

/* ---- Between the files of the model ---- */

bool has_succeeded(Flyteidl__Core__NodeExecution__Phase phase);
bool phase_is_final(Flyteidl__Core__NodeExecution__Phase phase);
bool phase_is_active(Flyteidl__Core__NodeExecution__Phase phase);
/* A failure node, or what it contains: these run for what fails now. */
bool is_for_failures(const struct machine_node *node);

/* model_outside.c */
int64_t sum(const Flyteidl__Core__LiteralMap *literals);
struct fake_pod *find_pod(struct world *w, const char *name);
bool pod_has_ended(const struct fake_pod *pod);
void create_pod(struct world *w, struct machine *m, struct machine_node *node, bool connector);
struct machine_connector observe_connector(struct arena *arena, const struct fake_pod *task);
struct pod_observation observe(const struct fake_pod *pod);
void give_result(struct world *w, struct machine *m, struct machine_node *node);
void give_child(struct world *w, struct machine *m, struct machine_node *node);
void abort_children(struct world *w, const struct machine *m);
void give_signal(struct world *w, struct machine_node *node);
const struct fake_dynamic *find_dynamic(const struct world *w, const char *node, uint32_t attempt);
const struct fake_dynamic *make_dynamic(struct world *w, const struct machine_node *node, int64_t sum_of_inputs);
/* Something happens in the cluster, or a user does something. False when nothing can. */
bool cluster_moves(struct world *w);

/* model_catalog.c */
void consult(struct world *w, struct machine *m, struct machine_node *node);
bool holds_reservation(const struct world *w, const char *node_id);
/* With the commit: results are kept, reservations end. */
void settle_catalog(struct world *w, const struct machine *m);
/* Strangers come to an end, good or bad. False when there are none. */
bool strangers_move(struct world *w);

/* model_database.c */
struct progress_node *find_row(struct world *w, const char *node_id);
const struct progress_node *find_earlier(const struct world *w, const char *node_id);
struct fake_array *find_array(const struct world *w, const char *node_id, uint32_t attempt);
/* Whether the row that says that the node has begun is committed. */
bool is_committed(struct world *w, const struct machine_node *node);
/* Of the array that is the node's last attempt in the execution that this one recovers: those that succeeded. */
struct array_elements load_earlier_elements(const struct world *w, struct arena *arena, const char *node_id);
struct progress_nodes load_rows(struct world *w, struct arena *arena);
/* The last attempt of each element that is under way, or of each that was tried. */
struct array_elements load_elements(const struct fake_array *array, struct arena *arena, bool only_active);
void commit(struct world *w, struct machine *m);

/* model_invariants.c */
void check_invariants(struct world *w);

#endif
