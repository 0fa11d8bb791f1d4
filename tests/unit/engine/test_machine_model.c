/*
 * The machine against a model of everything outside: a database that only knows what was committed, a cluster whose
 * pods end as fate has it, an object store. Random workflows run to their end while the engine crashes at random points
 * — that is, what was not committed is forgotten and what was done outside remains — and watches lag, pods vanish,
 * users abort. Invariants are checked at every commit.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PODS_MAXIMUM 2048
#define ENTRIES_MAXIMUM 256
#define ROUNDS_MAXIMUM 10000
#define NODES_MAXIMUM 10 /* of one workflow */
#define ROWS_MAXIMUM 2048
#define DEPTH_MAXIMUM 3
#define SIGNALS_MAXIMUM 64
#define SIGNAL_VALUE 7
#define DYNAMICS_MAXIMUM 256

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

struct fake_pod {
	char *name;
	char *node; /* its id in the execution */
	uint32_t attempt;
	enum pod_state state; /* POD_SUCCEEDED: its container ended with 0 */
	enum fate fate;
	bool gone;
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
static const char STRANGER[] = "somebody else";

/* What an attempt of a dynamic task has made. */
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

struct world {
	struct arena arena; /* as long as the world */
	unsigned random;
	struct progress_definition definition;
	struct machine_graph graph;
	struct machine_options options;
	unsigned bad_percent;
	int64_t now_ns;
	/* The database. */
	struct progress_execution execution;
	struct progress_nodes rows;
	struct fake_signal signals[SIGNALS_MAXIMUM];
	size_t signal_count;
	bool rejected;
	struct fake_dynamic dynamics[DYNAMICS_MAXIMUM];
	size_t dynamic_count;
	/* The cluster and the object store. */
	struct fake_pod pods[PODS_MAXIMUM];
	size_t pod_count;
	bool start_written, end_written;
	struct fake_entry entries[ENTRIES_MAXIMUM];
	size_t entry_count;
	unsigned waits;
	/* The execution that this one recovers, if any. */
	struct progress_nodes earlier;
	/* What happens to the round under way. */
	int crash_in; /* effects and commits until the crash; < 0: none */
	bool lags;
};

static unsigned pick(struct world *w, unsigned below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % below;
}

static bool crashes(struct world *w)
{
	return w->crash_in >= 0 && w->crash_in-- == 0;
}

/* ---- The cluster ---- */

static struct fake_pod *find_pod(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (text_equal(w->pods[i].name, name))
			return &w->pods[i];
	}
	return NULL;
}

static bool has_ended(const struct fake_pod *pod)
{
	return pod->gone || pod->state == POD_SUCCEEDED || pod->state == POD_FAILED;
}

static int64_t sum(const Flyteidl__Core__LiteralMap *literals)
{
	int64_t total = 0;
	for (size_t i = 0; i < literals->n_literals; i++) {
		const Flyteidl__Core__Scalar *scalar = literals->literals[i]->value->scalar;
		if (scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE)
			total += scalar->primitive->integer;
	}
	return total;
}

/* ---- The catalog ---- */

static const char *entry_key(struct world *w, const struct catalog_key *key)
{
	return arena_printf(&w->arena, "%s/%s/%s", key->name, key->version, key->tag);
}

/* Sometimes it is there before us, sometimes an execution that is not ours is making it. */
static struct fake_entry *find_entry(struct world *w, const struct machine_node *node)
{
	const char *key = entry_key(w, &node->cache.key);
	for (size_t i = 0; i < w->entry_count; i++) {
		if (text_equal(w->entries[i].key, key))
			return &w->entries[i];
	}
	assert_true(w->entry_count < ENTRIES_MAXIMUM);
	struct fake_entry *entry = &w->entries[w->entry_count++];
	*entry = (struct fake_entry){ .key = key, .present = pick(w, 4) == 0, .value = sum(node->inputs) + 1 };
	if (!entry->present && pick(w, 3) == 0) {
		entry->owner = STRANGER;
		entry->rounds = pick(w, 6);
	}
	return entry;
}

static void consult(struct world *w, struct machine *m, struct machine_node *node)
{
	struct fake_entry *entry = find_entry(w, node);
	struct machine_cache *cache = &node->cache;
	const bool present = cache->lookup && entry->present;
	/* It is known to all at once, and stays so when the engine crashes. */
	if (!present && cache->serialize && !entry->owner)
		entry->owner = arena_strdup(&w->arena, node->row.node_id);
	if (present && pick(w, 10) == 0) {
		cache->outcome = CACHE_UNREADABLE;
	} else if (present) {
		cache->outcome = CACHE_FOUND;
		cache->metadata = cache_metadata_of(m->arena, &cache->key, "id", NULL);
		node->outputs = workflow_integer(m->arena, "o0", entry->value);
	} else if (cache->serialize && !text_equal(entry->owner, node->row.node_id)) {
		cache->outcome = CACHE_OCCUPIED;
		w->waits++;
	} else {
		cache->outcome = CACHE_ABSENT;
	}
}

static bool holds_reservation(const struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->entry_count; i++) {
		if (text_equal(w->entries[i].owner, node_id))
			return true;
	}
	return false;
}

/* With the commit: results are kept, reservations end. */
static void settle_catalog(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		const struct machine_node *node = m->nodes[i];
		if (node->cache.keep)
			assert_int_equal(node->row.cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_POPULATED);
		for (size_t k = 0; k < w->entry_count; k++) {
			struct fake_entry *entry = &w->entries[k];
			if (node->cache.keep && text_equal(entry->key, entry_key(w, &node->cache.key)))
				entry->present = true;
			if (machine_node_ends_reservation(node) && text_equal(entry->owner, node->row.node_id))
				entry->owner = NULL;
		}
	}
	for (size_t k = 0; k < w->entry_count && progress_execution_is_finished(m->execution.phase); k++) {
		if (w->entries[k].owner != STRANGER)
			w->entries[k].owner = NULL;
	}
}

/* Strangers come to an end, good or bad. False when there are none. */
static bool strangers_move(struct world *w)
{
	bool any = false;
	for (size_t i = 0; i < w->entry_count; i++) {
		struct fake_entry *entry = &w->entries[i];
		if (entry->owner != STRANGER)
			continue;
		any = true;
		if (entry->rounds > 0) {
			entry->rounds--;
			continue;
		}
		entry->owner = NULL;
		entry->present = pick(w, 2);
	}
	return any;
}

/* ---- Pods of ours ---- */

static const struct progress_node *find_earlier(const struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->earlier.count; i++) {
		if (text_equal(w->earlier.nodes[i].node_id, node_id))
			return &w->earlier.nodes[i];
	}
	return NULL;
}

static unsigned depth_of(const struct machine_node *node)
{
	return node->scope->parent ? 1 + depth_of(node->scope->parent) : 0;
}

static enum fate choose_fate(struct world *w, const struct machine_node *node)
{
	if (depth_of(node) < DEPTH_MAXIMUM && node->scope->on_failure != node && pick(w, 12) == 0)
		return FATE_DYNAMIC;
	return pick(w, 100) < w->bad_percent ? (enum fate)(1 + pick(w, FATE_COUNT - 1)) : FATE_SUCCESS;
}

static const struct fake_dynamic *find_dynamic(const struct world *w, const char *node, uint32_t attempt)
{
	for (size_t i = 0; i < w->dynamic_count; i++) {
		if (text_equal(w->dynamics[i].node, node) && w->dynamics[i].attempt == attempt)
			return &w->dynamics[i];
	}
	return NULL;
}

static bool has_succeeded(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase == NODE(SUCCEEDED) || phase == NODE(RECOVERED);
}

/* A failure node, or what it contains: these run for what fails now. */
static bool is_for_failures(const struct machine_node *node)
{
	for (; node; node = node->scope->parent) {
		if (node == node->scope->on_failure)
			return true;
	}
	return false;
}

/* In the end it comes to what the task itself would have put out. */
static const struct fake_dynamic *make_dynamic(struct world *w, const struct machine_node *node, int64_t sum_of_inputs)
{
	auto_err struct err e = ERR_INIT;
	const struct fake_dynamic *made = find_dynamic(w, node->row.node_id, node->row.attempt);
	if (made)
		return made;
	assert_true(w->dynamic_count < DYNAMICS_MAXIMUM);
	struct fake_dynamic *dynamic = &w->dynamics[w->dynamic_count++];
	const size_t length = 1 + pick(w, 3);
	dynamic->node = arena_strdup(&w->arena, node->row.node_id);
	dynamic->attempt = node->row.attempt;
	dynamic->closure = workflow_dynamic(&w->arena, sum_of_inputs + 1 - (int64_t)length, length, pick(w, 3));
	assert_int_equal(machine_graph_build(&w->arena, dynamic->closure, &dynamic->graph, &e), 0);
	return dynamic;
}

static void create_pod(struct world *w, struct machine *m, struct machine_node *node)
{
	const char *name = names_pod(m->arena, w->definition.name, node->row.node_id, node->row.attempt);
	if (find_pod(w, name))
		return; /* a repetition: names are deterministic */
	/* An attempt that has come to a good end is never run again. */
	for (size_t i = 0; i < w->pod_count; i++) {
		const struct fake_pod *other = &w->pods[i];
		if (!text_equal(other->node, node->row.node_id))
			continue;
		assert_int_not_equal(other->attempt, node->row.attempt);
		assert_false(!other->gone && other->state == POD_SUCCEEDED && other->fate == FATE_SUCCESS);
		assert_true(other->attempt < node->row.attempt);
	}
	if (cache_settings_of(node->vertex->task, node->vertex->node->metadata).serialize &&
	    node->row.cache_status != FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_LOOKUP_FAILURE)
		assert_true(holds_reservation(w, node->row.node_id));
	const struct progress_node *earlier = find_earlier(w, node->row.node_id);
	if (earlier && has_succeeded(earlier->phase))
		assert_true(is_for_failures(node));
	assert_true(w->pod_count < PODS_MAXIMUM);
	w->pods[w->pod_count++] = (struct fake_pod){
		.name = arena_strdup(&w->arena, name),
		.node = arena_strdup(&w->arena, node->row.node_id),
		.attempt = node->row.attempt,
		.state = POD_QUEUED,
		.fate = choose_fate(w, node),
		.sum_of_inputs = sum(node->inputs),
	};
}

/* A user answers a gate that waits. False when none does. */
static bool user_answers(struct world *w)
{
	for (size_t i = 0; i < w->signal_count; i++) {
		struct fake_signal *signal = &w->signals[i];
		if (!signal->committed || signal->value)
			continue;
		const bool yes = pick(w, 100) >= w->bad_percent;
		w->rejected = w->rejected || (signal->is_approval && !yes);
		signal->value = signal->is_approval ? workflow_boolean(&w->arena, yes)
		                                    : workflow_integer(&w->arena, "", SIGNAL_VALUE)->literals[0]->value;
		return true;
	}
	return false;
}

static void give_signal(struct world *w, const struct machine *m, struct machine_node *node)
{
	assert_int_equal(node->row.phase, NODE(RUNNING));
	for (size_t i = 0; i < w->signal_count; i++) {
		if (text_equal(w->signals[i].node, node->row.node_id)) {
			node->signal = w->signals[i].value;
			return;
		}
	}
	assert_true(w->signal_count < SIGNALS_MAXIMUM);
	w->signals[w->signal_count++] = (struct fake_signal){
		.node = arena_strdup(&w->arena, node->row.node_id),
		.is_approval =
		        node->vertex->node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_APPROVE,
	};
	node->signal = NULL;
	(void)m;
}

/* Something happens in the cluster, or a user does something. False when nothing can. */
static bool cluster_moves(struct world *w)
{
	if (pick(w, 4) == 0 && user_answers(w))
		return true;
	size_t candidates[PODS_MAXIMUM], count = 0;
	for (size_t i = 0; i < w->pod_count; i++) {
		if (!has_ended(&w->pods[i]))
			candidates[count++] = i;
	}
	if (count == 0)
		return user_answers(w);
	struct fake_pod *pod = &w->pods[candidates[pick(w, (unsigned)count)]];
	if (pick(w, 60) == 0) {
		pod->gone = true;
	} else if (pod->state != POD_RUNNING) {
		pod->state = pod->state == POD_QUEUED ? POD_INITIALIZING : POD_RUNNING;
	} else {
		pod->state = pod->fate == FATE_OOM || pod->fate == FATE_INTERRUPTED || pod->fate == FATE_PERMANENT
		                     ? POD_FAILED
		                     : POD_SUCCEEDED;
	}
	return true;
}

static struct pod_observation observe(const struct fake_pod *pod)
{
	struct pod_observation o = { .state = pod->state, .code = "", .message = "" };
	if (pod->gone && pod->state != POD_SUCCEEDED && pod->state != POD_FAILED)
		return (struct pod_observation){ .state = POD_FAILED,
			                         .failure = POD_FAILURE_SYSTEM,
			                         .code = "ResourceDeletedExternally",
			                         .message = "gone" };
	if (pod->state != POD_FAILED)
		return o;
	o.message = "failed";
	o.failure = pod->fate == FATE_OOM         ? POD_FAILURE_USER
	            : pod->fate == FATE_PERMANENT ? POD_FAILURE_PERMANENT
	                                          : POD_FAILURE_SYSTEM;
	o.code = pod->fate == FATE_OOM ? "OOMKilled" : pod->fate == FATE_PERMANENT ? "InvalidImageName" : "Interrupted";
	return o;
}

static void give_result(struct world *w, struct machine *m, struct machine_node *node)
{
	const struct fake_pod *pod = find_pod(w, node->row.task->pod_name);
	memset(&node->result, 0, sizeof(node->result));
	assert_non_null(pod);
	assert_int_equal(pod->state, POD_SUCCEEDED);
	node->result.error_uri = "error.pb";
	if (pod->fate == FATE_SUCCESS) {
		node->result.outputs_found = true;
		node->result.outputs = workflow_integer(m->arena, "o0", pod->sum_of_inputs + 1);
	} else if (pod->fate == FATE_DYNAMIC) {
		node->result.futures_found = true;
	} else if (pod->fate != FATE_NO_OUTPUTS) {
		Flyteidl__Core__ErrorDocument *document = proto_new(m->arena, flyteidl__core__error_document);
		document->error = proto_new(m->arena, flyteidl__core__container_error);
		document->error->kind = pod->fate == FATE_ERROR ? FLYTEIDL__CORE__CONTAINER_ERROR__KIND__NON_RECOVERABLE
		                                                : FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
		document->error->origin = pod->fate == FATE_RECOVERABLE_SYSTEM ? ERROR_KIND(SYSTEM) : ERROR_KIND(USER);
		document->error->code = arena_strdup(m->arena, "USER:ValueError");
		node->result.error = document;
	}
}

/* ---- The database ---- */

static struct progress_task *copy_task(struct arena *arena, const struct progress_task *from)
{
	struct progress_task *to = arena_copy(arena, from, sizeof(*from));
	to->pod_name = arena_strdup(arena, from->pod_name);
	to->pod_namespace = arena_strdup(arena, from->pod_namespace);
	to->inputs_uri = arena_strdup(arena, from->inputs_uri);
	to->outputs_uri = arena_strdup(arena, from->outputs_uri);
	to->reason = arena_strdup(arena, from->reason);
	to->closure = proto_copy(arena, from->closure);
	to->closure->reasons = proto_copy_array(arena, to->closure->reasons, to->closure->n_reasons);
	to->error = from->error ? proto_copy(arena, from->error) : NULL;
	to->outputs = NULL;
	to->changed = false;
	to->row_id = 1;
	return to;
}

static struct progress_node copy_node(struct arena *arena, const struct progress_node *from)
{
	struct progress_node to = *from;
	to.node_id = arena_strdup(arena, from->node_id);
	to.spec_node_id = arena_strdup(arena, from->spec_node_id);
	to.retry_group = arena_strdup(arena, from->retry_group);
	to.inputs_uri = arena_strdup(arena, from->inputs_uri);
	to.outputs_uri = arena_strdup(arena, from->outputs_uri);
	to.deck_uri = arena_strdup(arena, from->deck_uri);
	to.checkpoint_uri = to.dynamic_workflow_uri = "";
	to.dynamic = NULL;
	to.dynamic_graph = NULL;
	to.cache_tag = arena_strdup(arena, from->cache_tag);
	to.cache_metadata = from->cache_metadata ? proto_copy(arena, from->cache_metadata) : NULL;
	to.error = from->error ? proto_copy(arena, from->error) : NULL;
	to.outputs = from->outputs ? proto_copy(arena, from->outputs) : NULL;
	to.inputs = NULL;
	to.task = from->task ? copy_task(arena, from->task) : NULL;
	to.changed = false;
	return to;
}

static struct progress_node *find_row(struct world *w, const char *node_id)
{
	for (size_t i = 0; i < w->rows.count; i++) {
		if (text_equal(w->rows.nodes[i].node_id, node_id))
			return &w->rows.nodes[i];
	}
	return NULL;
}

static bool phase_is_final(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase != NODE(UNDEFINED) && phase != NODE(QUEUED) && phase != NODE(RUNNING) && phase != NODE(FAILING) &&
	       phase != NODE(DYNAMIC_RUNNING);
}

static bool phase_is_active(Flyteidl__Core__NodeExecution__Phase phase)
{
	return phase != NODE(UNDEFINED) && !phase_is_final(phase);
}

static void save_node(struct world *w, const struct machine_node *node)
{
	const struct progress_node *row = &node->row;
	struct progress_node *saved = find_row(w, row->node_id);
	if (saved) {
		assert_false(phase_is_final(saved->phase)); /* what is over stays as it is */
		assert_true(row->attempt >= saved->attempt);
		if (saved->task && row->task && saved->task->attempt == row->task->attempt) {
			assert_true(saved->task->phase != TASK(SUCCEEDED) || saved->is_dynamic);
			assert_false(saved->task->phase == TASK(RUNNING) && row->task->phase == TASK(QUEUED));
		}
		*saved = copy_node(&w->arena, row);
		return;
	}
	struct progress_node copy = copy_node(&w->arena, row);
	copy.row_id = (int64_t)w->rows.count + 1;
	if (node->scope->parent) {
		const struct progress_node *parent = find_row(w, node->scope->parent->row.node_id);
		assert_non_null(parent); /* saved before its children */
		copy.parent_row_id = parent->row_id;
	}
	assert_true(w->rows.count < ROWS_MAXIMUM);
	w->rows.nodes[w->rows.count++] = copy;
}

static void commit(struct world *w, const struct machine *m)
{
	settle_catalog(w, m);
	if (m->execution.changed) {
		assert_false(progress_execution_is_finished(w->execution.phase));
		w->execution = m->execution;
		w->execution.changed = false;
		w->execution.error = m->execution.error ? proto_copy(&w->arena, m->execution.error) : NULL;
		w->execution.outputs = m->execution.outputs ? proto_copy(&w->arena, m->execution.outputs) : NULL;
		w->execution.outputs_uri = arena_strdup(&w->arena, m->execution.outputs_uri);
	}
	for (size_t i = 0; i < m->node_count; i++) {
		const struct progress_node *row = &m->nodes[i]->row;
		if (row->changed || (row->task && row->task->changed))
			save_node(w, m->nodes[i]);
	}
	for (size_t i = 0; i < w->signal_count; i++)
		w->signals[i].committed = true;
	for (size_t i = 0; i < m->ended_task_count; i++) {
		assert_true(m->ended_tasks[i].task->phase == TASK(FAILED));
		assert_non_null(m->ended_tasks[i].task->error);
	}
}

/* ---- Invariants of what is committed ---- */

static const struct machine_vertex *vertex_of(const struct world *w, const struct progress_node *row);

/* The graph that the row's node is in. */
static const struct machine_graph *graph_of(const struct world *w, const struct progress_node *row)
{
	if (!row->parent_row_id)
		return &w->graph;
	const struct progress_node *parent = &w->rows.nodes[row->parent_row_id - 1];
	if (parent->is_dynamic)
		return &find_dynamic(w, parent->node_id, (uint32_t)strtoul(row->retry_group, NULL, 10))->graph;
	return vertex_of(w, parent)->inner;
}

static const struct machine_vertex *vertex_of(const struct world *w, const struct progress_node *row)
{
	const struct machine_graph *graph = graph_of(w, row);
	for (size_t i = 0; i < graph->count; i++) {
		if (text_equal(graph->vertices[i].id, row->spec_node_id))
			return &graph->vertices[i];
	}
	if (graph->failure && text_equal(graph->failure->id, row->spec_node_id))
		return graph->failure;
	fail_msg("no vertex for row %s", row->node_id);
	return NULL;
}

/* The phase of a node in the same scope as `sibling`. */
static Flyteidl__Core__NodeExecution__Phase phase_beside(const struct world *w, const struct progress_node *sibling,
                                                         const char *spec_node_id)
{
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i];
		if (row->parent_row_id == sibling->parent_row_id &&
		    text_equal(row->retry_group, sibling->retry_group) && text_equal(row->spec_node_id, spec_node_id))
			return row->phase;
	}
	return NODE(UNDEFINED);
}

static bool is_branch(const struct machine_vertex *vertex)
{
	return vertex->kind == &machine_kind_branch;
}

static void check_parent(const struct world *w, const struct progress_node *row)
{
	if (!row->parent_row_id)
		return;
	const struct progress_node *parent = &w->rows.nodes[row->parent_row_id - 1];
	assert_true(parent->is_parent);
	if (phase_is_active(row->phase)) {
		assert_true(phase_is_active(parent->phase));
		assert_int_equal(strtoul(row->retry_group, NULL, 10), parent->attempt);
	}
	if (parent->phase == NODE(SUCCEEDED))
		assert_true(has_succeeded(row->phase) ||
		            (row->phase == NODE(SKIPPED) && is_branch(vertex_of(w, parent))));
}

/* A failure node runs alone, after everything else is over. */
static void check_failure_node(const struct world *w, const struct progress_node *row)
{
	if (row->phase == NODE(UNDEFINED) || graph_of(w, row)->failure != vertex_of(w, row))
		return;
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *other = &w->rows.nodes[i];
		if (other != row && other->parent_row_id == row->parent_row_id &&
		    text_equal(other->retry_group, row->retry_group))
			assert_true(phase_is_final(other->phase));
	}
	if (row->parent_row_id)
		assert_true(w->rows.nodes[row->parent_row_id - 1].phase >= NODE(FAILING));
	else
		assert_true(w->execution.phase >= EXECUTION(FAILING));
}

static void check_row(const struct world *w, const struct progress_node *row)
{
	const struct machine_vertex *vertex = vertex_of(w, row);
	const struct progress_node *around = row; /* bindings within a branch name nodes around it */
	while (around->parent_row_id && is_branch(vertex_of(w, &w->rows.nodes[around->parent_row_id - 1])))
		around = &w->rows.nodes[around->parent_row_id - 1];
	const struct machine_graph *graph = graph_of(w, around);
	if (row->phase == NODE(QUEUED) || row->phase == NODE(RUNNING) || row->phase == NODE(SUCCEEDED)) {
		for (size_t k = 0; k < vertex->upstream_count; k++)
			assert_true(has_succeeded(phase_beside(w, around, graph->vertices[vertex->upstream[k]].id)));
	}
	if (row->phase == NODE(FAILED) || row->phase == NODE(ABORTED))
		assert_non_null(row->error);
	check_parent(w, row);
	check_failure_node(w, row);
	if (row->cache_status == FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT) {
		assert_int_equal(row->phase, NODE(SUCCEEDED));
		assert_null(row->task);
		assert_non_null(row->cache_metadata);
	}
	if (vertex->kind != &machine_kind_task)
		return;
	assert_true(row->user_failures <= vertex->task->metadata->retries->retries);
	assert_true(row->system_failures <= w->options.system_retries);
	assert_int_equal(row->attempt, row->user_failures + row->system_failures);
}

static void check_invariants(struct world *w)
{
	unsigned running = 0, active = 0;
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i];
		check_row(w, row);
		active += phase_is_active(row->phase);
		running += vertex_of(w, row)->kind == &machine_kind_task && phase_is_active(row->phase) &&
		           row->phase != NODE(DYNAMIC_RUNNING);
	}
	if (w->definition.spec->max_parallelism > 0)
		assert_true(running <= (unsigned)w->definition.spec->max_parallelism);
	if (progress_execution_is_finished(w->execution.phase))
		assert_int_equal(active, 0);
}

/* ---- A round ---- */

static void fulfil(struct world *w, struct machine *m, struct machine_node *node)
{
	switch (node->want) {
	case WANT_ELEMENTS: /* there are no arrays in these worlds */
		break;
	case WANT_OUTPUTS: {
		const struct progress_node *row = find_row(w, node->row.node_id);
		assert_non_null(row);
		assert_true(has_succeeded(row->phase));
		node->outputs = row->outputs;
		break;
	}
	case WANT_INPUTS_READ:
		node->outputs = workflow_integer(m->arena, "x", 1);
		break;
	case WANT_WRITE:
		if (node->scope->parent || node->vertex->kind)
			break;
		if (text_equal(node->vertex->id, "start-node"))
			w->start_written = true;
		else
			w->end_written = true;
		break;
	case WANT_WRITE_INPUTS:
		assert_non_null(node->inputs);
		break;
	case WANT_POD:
		assert_true(w->start_written);
		create_pod(w, m, node);
		node->creation = CREATION_DONE;
		break;
	case WANT_RESULT:
		give_result(w, m, node);
		break;
	case WANT_CACHE:
		consult(w, m, node);
		break;
	case WANT_RECOVERED: {
		const struct progress_node *row = find_earlier(w, node->row.node_id);
		node->recovery.checkpoint_uri = node->recovery.deck_uri = "";
		if (row) {
			node->recovery.phase = row->phase;
			node->outputs = row->outputs ? row->outputs : workflow_integer(m->arena, "none", 0);
		}
		break;
	}
	case WANT_DYNAMIC:
		node->dynamic = make_dynamic(w, node, find_pod(w, node->row.task->pod_name)->sum_of_inputs)->closure;
		break;
	case WANT_WRITE_DYNAMIC:
		assert_non_null(node->dynamic);
		break;
	case WANT_SIGNAL:
		give_signal(w, m, node);
		break;
	case WANT_CHILD:
	case WANT_NOTHING:
		return;
	}
	node->answer = ANSWER_GIVEN;
}

static void observe_pods(struct world *w, struct machine *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[i];
		if (!machine_node_has_pod(node) || (w->lags && pick(w, 2)))
			continue;
		const struct fake_pod *pod = find_pod(w, node->row.task->pod_name);
		assert_non_null(pod);
		node->pod.known = true;
		node->pod.observation = observe(pod);
	}
}

/* False when the engine crashed. */
static bool fulfil_all(struct world *w, struct machine *m, bool *ret_any)
{
	*ret_any = false;
	/* In any order: they are done at the same time. */
	const size_t first = pick(w, (unsigned)m->node_count);
	for (size_t i = 0; i < m->node_count; i++) {
		struct machine_node *node = m->nodes[(first + i) % m->node_count];
		if (node->want == WANT_NOTHING || node->answer != ANSWER_PENDING)
			continue;
		if (crashes(w))
			return false;
		*ret_any = true;
		if (w->lags && pick(w, 10) == 0)
			node->answer = ANSWER_UNAVAILABLE;
		else
			fulfil(w, m, node);
	}
	return true;
}

static void delete_unowned(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (!has_ended(&w->pods[i]) && !machine_owns_pod(m, w->pods[i].name))
			w->pods[i].gone = true;
	}
}

/* Returns the time at which the machine wants to be called again; 0: none. */
static int64_t run_round(struct world *w)
{
	auto_arena struct arena arena = ARENA_INIT((size_t)64 << 20);
	auto_err struct err e = ERR_INIT;
	struct machine m;
	struct progress_nodes rows = { .count = w->rows.count,
		                       .nodes = arena_array(&arena, struct progress_node, w->rows.count) };
	for (size_t i = 0; i < rows.count; i++) {
		rows.nodes[i] = copy_node(&arena, &w->rows.nodes[i]);
		rows.nodes[i].outputs = NULL;
		if (rows.nodes[i].phase == NODE(DYNAMIC_RUNNING))
			rows.nodes[i].dynamic_graph =
			        &find_dynamic(w, rows.nodes[i].node_id, rows.nodes[i].attempt)->graph;
	}
	/* Asked for in a transaction that never was. */
	while (w->signal_count > 0 && !w->signals[w->signal_count - 1].committed)
		w->signal_count--;
	assert_int_equal(
	        machine_init(&m, &arena, &w->options, &w->definition, &w->graph, &w->execution, &rows, w->now_ns, &e),
	        0);
	observe_pods(w, &m);
	for (bool any = true; any;) {
		machine_step(&m);
		if (!fulfil_all(w, &m, &any))
			return w->now_ns + 1;
	}
	if (crashes(w))
		return w->now_ns + 1;
	commit(w, &m);
	check_invariants(w);
	if (crashes(w))
		return w->now_ns + 1;
	delete_unowned(w, &m);
	return m.wake_at_ns;
}

/* ---- Worlds ---- */

/* Random nodes, some of them workflows of their own. */
static void fill(struct world *w, struct workflow_builder *b, unsigned depth)
{
	const size_t count = 1 + pick(w, depth == 0 ? NODES_MAXIMUM - 1 : 4);
	for (size_t i = 0; i < count; i++) {
		size_t upstream[NODES_MAXIMUM], upstream_count = 0;
		for (size_t k = 0; k < i; k++) {
			if (pick(w, 3) == 0)
				upstream[upstream_count++] = k;
		}
		if (depth + 1 < DEPTH_MAXIMUM && pick(w, 4) == 0) {
			struct workflow_builder sub = workflow_sub_builder(b);
			fill(w, &sub, depth + 1);
			workflow_add_sub(b, &sub, upstream, upstream_count);
		} else if (pick(w, 12) == 0) {
			workflow_add_approval(b, upstream, upstream_count);
		} else if (pick(w, 12) == 0) {
			workflow_add_signal(b, upstream, upstream_count);
		} else if (pick(w, 5) == 0) {
			workflow_add_branch(b, (int64_t)pick(w, 6), NULL, pick(w, 3), upstream, upstream_count);
		} else {
			workflow_add_task(b, pick(w, 3), upstream, upstream_count);
			Flyteidl__Core__TaskMetadata *metadata = workflow_task(b, b->closure->n_tasks - 1)->metadata;
			metadata->discoverable = pick(w, 3) == 0;
			metadata->cache_serializable = pick(w, 2);
		}
	}
	if (pick(w, 3) == 0 && depth == 0)
		workflow_add_sleep(b, 60, (size_t[]){ 0 }, pick(w, 2));
	if (pick(w, 3) == 0)
		workflow_add_failure_task(b);
	if (pick(w, 2))
		b->template->metadata->on_failure =
		        FLYTEIDL__CORE__WORKFLOW_METADATA__ON_FAILURE_POLICY__FAIL_AFTER_EXECUTABLE_NODES_COMPLETE;
	workflow_finish(b);
}

static void make_workflow(struct world *w)
{
	struct workflow_builder b = workflow_builder(&w->arena);
	fill(w, &b, 0);
	auto_err struct err e = ERR_INIT;
	w->definition = workflow_execution(&w->arena, b.closure);
	assert_int_equal(machine_graph_build(&w->arena, w->definition.closure, &w->graph, &e), 0);
	if (pick(w, 2)) {
		Flyteidl__Admin__ExecutionSpec *spec = proto_new(&w->arena, flyteidl__admin__execution_spec);
		spec->max_parallelism = (int32_t)(1 + pick(w, 3));
		w->definition.spec = spec;
	}
	if (pick(w, 3) == 0)
		w->definition.inputs = NULL; /* too large for the row */
}

/* What a node has to put out, computed from the graph alone. `x` is its workflow's input. */
static int64_t expected_output(const struct machine_graph *graph, size_t vertex, int64_t x)
{
	const struct machine_vertex *v = &graph->vertices[vertex];
	if (vertex == graph->start)
		return x;
	if (is_branch(v)) {
		const int64_t value = expected_output(graph, v->upstream[0], x);
		const Flyteidl__Core__IfBlock *first = v->node->branch_node->if_else->case_;
		const int64_t limit = first->condition->comparison->right_value->scalar->primitive->integer;
		return value <= limit ? value + 1 : 2 * value + 1;
	}
	if (v->kind == &machine_kind_gate)
		return v->node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SIGNAL
		               ? SIGNAL_VALUE
		               : expected_output(graph, v->upstream[0], x);
	if (v->inner) {
		const struct machine_vertex *end = &v->inner->vertices[v->inner->end];
		return expected_output(v->inner, end->upstream[end->upstream_count - 1],
		                       expected_output(graph, v->upstream[0], x));
	}
	int64_t total = 1;
	for (size_t i = 0; i < v->upstream_count; i++)
		total += expected_output(graph, v->upstream[i], x);
	return total;
}

static void check_outputs(const struct world *w)
{
	const struct machine_vertex *end = &w->graph.vertices[w->graph.end];
	if (w->definition.closure->primary->template_->n_outputs == 0) {
		assert_string_equal(w->execution.outputs_uri, "");
		return;
	}
	assert_true(w->end_written);
	assert_string_equal(
	        w->execution.outputs_uri,
	        "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-e1/end-node/data/0/outputs.pb");
	for (size_t i = 0; i < end->upstream_count; i++) {
		const struct machine_vertex *leaf = &w->graph.vertices[end->upstream[i]];
		char name[16];
		if (leaf->kind == &machine_kind_gate &&
		    leaf->node->gate_node->condition_case == FLYTEIDL__CORE__GATE_NODE__CONDITION_SLEEP)
			continue;
		(void)snprintf(name, sizeof(name), "o%s", leaf->id + 1);
		assert_int_equal(workflow_integer_of(w->execution.outputs, name),
		                 expected_output(&w->graph, end->upstream[i], 1));
	}
}

/* Some pod ended badly or vanished. */
static bool there_was_a_reason(const struct world *w)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (w->pods[i].gone || (w->pods[i].fate != FATE_SUCCESS && w->pods[i].fate != FATE_DYNAMIC))
			return true;
	}
	return w->rejected;
}

static void check_end(struct world *w, bool aborted)
{
	for (size_t i = 0; i < w->pod_count; i++)
		assert_true(has_ended(&w->pods[i])); /* nothing runs on */
	switch (w->execution.phase) {
	case EXECUTION(SUCCEEDED):
		for (size_t i = 0; i < w->rows.count; i++)
			assert_true(has_succeeded(w->rows.nodes[i].phase) || w->rows.nodes[i].phase == NODE(SKIPPED));
		check_outputs(w);
		break;
	case EXECUTION(FAILED): {
		bool any = false;
		assert_non_null(w->execution.error);
		for (size_t i = 0; i < w->rows.count; i++)
			any = any || w->rows.nodes[i].phase == NODE(FAILED);
		assert_true(any);
		if (!there_was_a_reason(w))
			fail_msg("failed for no reason: %s: %s", w->execution.error->code, w->execution.error->message);
		break;
	}
	case EXECUTION(ABORTED):
		assert_true(aborted);
		break;
	default:
		fail_msg("the execution ends in phase %d", (int)w->execution.phase);
	}
}

/* To the end; whether a user has aborted it. */
static bool play(struct world *w, unsigned seed)
{
	const bool harsh = pick(w, 4) != 0;
	bool aborted = false;
	unsigned rounds = 0;
	while (!progress_execution_is_finished(w->execution.phase)) {
		if (++rounds > ROUNDS_MAXIMUM)
			fail_msg("seed %u: not at its end after %d rounds", seed, ROUNDS_MAXIMUM);
		w->crash_in = harsh && pick(w, 3) == 0 ? (int)pick(w, 6) : -1;
		w->lags = harsh && pick(w, 3) == 0;
		if (harsh && !aborted && pick(w, 200) == 0) {
			w->execution.phase = EXECUTION(ABORTING);
			w->execution.abort_cause = "enough";
			aborted = true;
		}
		const bool disturbed = w->crash_in >= 0 || w->lags;
		const int64_t wake_at_ns = run_round(w);
		w->now_ns += 1000000;
		/* Nothing is under way and nobody was in the way: then the machine must know when to go on. */
		const bool moves = cluster_moves(w), strangers = strangers_move(w);
		if (!moves && !strangers && !disturbed && !progress_execution_is_finished(w->execution.phase)) {
			const int64_t again = run_round(w);
			if (!progress_execution_is_finished(w->execution.phase) && !cluster_moves(w)) {
				if (!again)
					fail_msg("seed %u: waits for nothing", seed);
				w->now_ns = again;
			}
		}
		if (wake_at_ns > w->now_ns && pick(w, 4) == 0)
			w->now_ns = wake_at_ns;
	}
	w->crash_in = -1;
	w->lags = false;
	/* After a crash between commit and clean-up the pods that still run wake the execution once more. */
	run_round(w);
	return aborted;
}

/* Over all worlds. */
static unsigned hits, waits, recovered, dynamics, signals;

/* Another execution that takes over from the one that has just ended: what succeeded there does not run again. */
static void recover_world(struct world *w, unsigned seed)
{
	w->earlier =
	        (struct progress_nodes){ .count = w->rows.count,
		                         .nodes = arena_array(&w->arena, struct progress_node, w->rows.count + 1) };
	memcpy(w->earlier.nodes, w->rows.nodes, w->rows.count * sizeof(*w->rows.nodes));
	w->rows.count = 0;
	w->pod_count = 0;
	w->signal_count = 0; /* signals are an execution's own */
	w->start_written = w->end_written = false;
	w->execution = (struct progress_execution){ .id = 2, .outputs_uri = "", .abort_cause = "" };
	w->definition.recovered_id = 1;
	const bool aborted = play(w, seed);
	check_end(w, aborted);
	for (size_t i = 0; i < w->rows.count; i++) {
		const struct progress_node *row = &w->rows.nodes[i], *before = find_earlier(w, row->node_id);
		if (row->phase != NODE(RECOVERED))
			continue;
		recovered++;
		assert_true(before && has_succeeded(before->phase));
		assert_null(row->task);
		assert_non_null(row->outputs);
	}
}

static void run_world(unsigned seed, unsigned *ended)
{
	struct world *w = xcalloc(1, sizeof(*w));
	w->arena = (struct arena)ARENA_INIT((size_t)256 << 20);
	w->random = seed * 2654435761u + 1;
	w->options = (struct machine_options)MACHINE_OPTIONS_DEFAULT;
	w->rows.nodes = arena_array(&w->arena, struct progress_node, ROWS_MAXIMUM);
	w->execution = (struct progress_execution){ .id = 1, .outputs_uri = "", .abort_cause = "" };
	w->now_ns = 1000000000;
	w->bad_percent = (unsigned[]){ 0, 10, 30 }[pick(w, 3)];
	make_workflow(w);
	const bool aborted = play(w, seed);
	check_end(w, aborted);
	for (size_t i = 0; i < w->entry_count; i++)
		assert_true(!w->entries[i].owner || w->entries[i].owner == STRANGER); /* nobody waits for us for ever */
	for (size_t i = 0; i < w->rows.count; i++)
		hits += w->rows.nodes[i].cache_status == FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT;
	waits += w->waits;
	dynamics += (unsigned)w->dynamic_count;
	signals += (unsigned)w->signal_count;
	ended[w->execution.phase]++;
	if (w->execution.phase != EXECUTION(SUCCEEDED))
		recover_world(w, seed);
	arena_release(&w->arena);
	free(w);
}

static void test_random_worlds(void **state)
{
	(void)state;
	unsigned ended[10] = { 0 };
	for (unsigned seed = 1; seed <= 1500; seed++)
		run_world(seed, ended);
	/* The worlds are worth something only if they end in different ways. */
	assert_true(ended[EXECUTION(SUCCEEDED)] > 200);
	assert_true(ended[EXECUTION(FAILED)] > 200);
	assert_true(ended[EXECUTION(ABORTED)] > 50);
	assert_true(hits > 200 && waits > 200 && recovered > 200 && dynamics > 200 && signals > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_worlds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
