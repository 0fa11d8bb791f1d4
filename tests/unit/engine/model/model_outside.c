/* What is outside of the machine besides the catalog: pods, child executions, gates and the users who answer them. */
#include "model.h"

const char CONNECTED[] = "connected";

struct fake_pod *find_pod(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->pod_count; i++) {
		if (text_equal(w->pods[i].name, name))
			return &w->pods[i];
	}
	return NULL;
}

bool pod_has_ended(const struct fake_pod *pod)
{
	return pod->gone || pod->state == POD_SUCCEEDED || pod->state == POD_FAILED;
}

int64_t sum(const Flyteidl__Core__LiteralMap *literals)
{
	int64_t total = 0;
	for (size_t i = 0; i < literals->n_literals; i++) {
		const Flyteidl__Core__Scalar *scalar = literals->literals[i]->value->scalar;
		if (scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE)
			total += scalar->primitive->integer;
	}
	return total;
}

static unsigned depth_of(const struct machine_node *node)
{
	return node->scope->parent ? 1 + depth_of(node->scope->parent) : 0;
}

static enum fate choose_fate(struct world *w, const struct machine_node *node)
{
	if (w->dynamics_happen && depth_of(node) < DEPTH_MAXIMUM && node->scope->on_failure != node &&
	    !node->element_of && pick(w, 12) == 0)
		return FATE_DYNAMIC;
	return pick(w, 100) < w->bad_percent ? (enum fate)(1 + pick(w, FATE_COUNT - 1)) : FATE_SUCCESS;
}

const struct fake_dynamic *find_dynamic(const struct world *w, const char *node, uint32_t attempt)
{
	for (size_t i = 0; i < w->dynamic_count; i++) {
		if (text_equal(w->dynamics[i].node, node) && w->dynamics[i].attempt == attempt)
			return &w->dynamics[i];
	}
	return NULL;
}

/* In the end it comes to what the task itself would have put out. */
const struct fake_dynamic *make_dynamic(struct world *w, const struct machine_node *node, int64_t sum_of_inputs)
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

/* ---- Child executions ---- */

static struct fake_child *find_child(struct world *w, const char *name)
{
	for (size_t i = 0; i < w->child_count; i++) {
		if (text_equal(w->children[i].name, name))
			return &w->children[i];
	}
	return NULL;
}

/* An element that has succeeded in the execution that this one recovers. */
static bool ran_earlier(struct world *w, const struct machine_node *node)
{
	if (!node->element_of || is_for_failures(node) || node->element_of->row.attempt > 0)
		return false;
	auto_arena struct arena arena = ARENA_INIT((size_t)16 << 20);
	const struct array_elements earlier = load_earlier_elements(w, &arena, node->element_of->row.node_id);
	for (size_t i = 0; i < earlier.count; i++) {
		if (earlier.list[i].index == node->index)
			return true;
	}
	return false;
}

static struct fake_child *launch_child(struct world *w, const struct machine_node *node, const char *name)
{
	const struct progress_node *earlier = find_earlier(w, node->row.node_id);
	assert_false(ran_earlier(w, node));
	assert_true(w->child_count < CHILDREN_MAXIMUM);
	assert_int_equal(node->row.phase, NODE(RUNNING));
	assert_true(is_committed(w, node)); /* else nobody would know of it after a crash */
	if (earlier && has_succeeded(earlier->phase))
		assert_true(is_for_failures(node));
	struct fake_child *child = &w->children[w->child_count++];
	*child = (struct fake_child){ .name = arena_strdup(&w->arena, name),
		                      .phase = EXECUTION(QUEUED),
		                      .fate = EXECUTION(SUCCEEDED),
		                      .sum_of_inputs = sum(node->inputs) };
	if (pick(w, 100) < w->bad_percent)
		child->fate = pick(w, 2) ? EXECUTION(FAILED) : EXECUTION(ABORTED); /* by its user */
	return child;
}

void give_child(struct world *w, struct machine *m, struct machine_node *node)
{
	const char *name = machine_child_name(m, node);
	const struct fake_child *child = find_child(w, name);
	if (!child)
		child = launch_child(w, node, name);
	node->child.phase = child->phase;
	node->child.error = NULL;
	if (child->phase == EXECUTION(FAILED))
		node->child.error = machine_error(
		        m->arena,
		        &(struct machine_failure){ .kind = ERROR_KIND(USER), .code = "C", .message = "failed" });
	node->child.outputs = workflow_integer(m->arena, "o0", child->sum_of_inputs + 1);
}

void abort_children(struct world *w, const struct machine *m)
{
	for (size_t i = 0; i < m->orphan_count; i++) {
		struct fake_child *child = find_child(w, m->orphans[i].name);
		if (child && !progress_execution_is_finished(child->phase))
			child->phase = child->fate = EXECUTION(ABORTED);
	}
}

/* False when none runs. */
static bool child_moves(struct world *w)
{
	size_t candidates[CHILDREN_MAXIMUM], count = 0;
	for (size_t i = 0; i < w->child_count; i++) {
		if (!progress_execution_is_finished(w->children[i].phase))
			candidates[count++] = i;
	}
	if (count == 0)
		return false;
	struct fake_child *child = &w->children[candidates[pick(w, (unsigned)count)]];
	child->phase = child->phase == EXECUTION(QUEUED) ? EXECUTION(RUNNING) : child->fate;
	return true;
}

/* ---- Pods ---- */

void create_pod(struct world *w, struct machine *m, struct machine_node *node, bool connector)
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
		/* What ended well unseen after the deadline is an attempt that took too long. */
		assert_false(!other->gone && other->state == POD_SUCCEEDED && other->fate == FATE_SUCCESS &&
		             machine_attempt_timeout_ns(node) == 0);
		assert_true(other->attempt < node->row.attempt);
	}
	if (cache_settings_of(node->vertex->task, node->vertex->node->metadata).serialize &&
	    node->row.cache_status != FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_LOOKUP_FAILURE)
		assert_true(holds_reservation(w, node->row.node_id));
	const struct progress_node *earlier = find_earlier(w, node->row.node_id);
	if (earlier && has_succeeded(earlier->phase))
		assert_true(is_for_failures(node));
	assert_false(ran_earlier(w, node));
	assert_true(w->pod_count < PODS_MAXIMUM);
	w->pods[w->pod_count++] = (struct fake_pod){
		.connector = connector,
		.committed = !connector,
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

void give_signal(struct world *w, struct machine_node *node)
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
}

bool cluster_moves(struct world *w)
{
	if ((pick(w, 4) == 0 && user_answers(w)) || (pick(w, 3) == 0 && child_moves(w)))
		return true;
	size_t candidates[PODS_MAXIMUM], count = 0;
	for (size_t i = 0; i < w->pod_count; i++) {
		if (!pod_has_ended(&w->pods[i]) && w->pods[i].committed)
			candidates[count++] = i;
	}
	if (count == 0)
		return child_moves(w) || user_answers(w);
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

struct pod_observation observe(const struct fake_pod *pod)
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

static const Flyteidl__Admin__Resource *resource_of(struct arena *arena, const struct fake_pod *task)
{
	Flyteidl__Admin__Resource *resource = proto_new(arena, flyteidl__admin__resource);
	resource->message = arena_strdup(arena, "as the connector says");
	if (task->state == POD_QUEUED || task->state == POD_INITIALIZING) {
		resource->phase = task->state == POD_QUEUED ? TASK(WAITING_FOR_RESOURCES) : TASK(INITIALIZING);
		return resource;
	}
	resource->phase = TASK(RUNNING);
	if (!pod_has_ended(task))
		return resource;
	switch (task->fate) {
	case FATE_SUCCESS:
		resource->outputs = workflow_integer(arena, "o0", task->sum_of_inputs + 1);
		resource->phase = TASK(SUCCEEDED);
		break;
	case FATE_NO_OUTPUTS:
	case FATE_DYNAMIC: /* it has put them where a pod does */
		resource->phase = TASK(SUCCEEDED);
		break;
	case FATE_RECOVERABLE_SYSTEM:
		resource->agent_error = proto_new(arena, flyteidl__admin__agent_error);
		resource->agent_error->kind = FLYTEIDL__ADMIN__AGENT_ERROR__KIND__RECOVERABLE;
		resource->agent_error->origin = ERROR_KIND(SYSTEM);
		resource->phase = TASK(FAILED);
		break;
	case FATE_RECOVERABLE_USER:
	case FATE_OOM:
		resource->phase = TASK(RETRYABLE_FAILED);
		break;
	default:
		resource->phase = TASK(FAILED);
		break;
	}
	return resource;
}

struct machine_connector observe_connector(struct arena *arena, const struct fake_pod *task)
{
	struct machine_connector o = { .known = true, .exists = !task->gone, .failure_code = "", .problem = "" };
	if (task->gone)
		return o;
	if (task->state == POD_FAILED && task->fate == FATE_INTERRUPTED) { /* the connector was away for too long */
		o.failure_code = "ConnectorUnreachable";
		o.failure_message = "away";
		o.failure_retryable = true;
	} else {
		o.resource = resource_of(arena, task);
	}
	return o;
}

void give_result(struct world *w, struct machine *m, struct machine_node *node)
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
