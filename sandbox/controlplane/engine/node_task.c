/*
 * Task nodes. An attempt is a pod, or a connector's (node_connector.c), and a row in task_executions: the pod is asked
 * for, watched until its primary container has ended, and then what the task wrote decides (reference §2.8) — a
 * container that ended with 0 may have failed all the same. Every way to fail ends in machine_fail_attempt, which knows the budgets.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/engine/plugins.h"

static bool declares_outputs(const struct machine_node *node)
{
	const Flyteidl__Core__TypedInterface *interface = node->vertex->task->interface;
	return interface && interface->outputs && interface->outputs->n_variables > 0;
}

/* ---- Beginning an attempt ---- */

/* Upstream shows an element's links with its index behind their names (nodes/array/event_recorder.go at v1.16.8). */
static void add_log_links(struct machine *m, const struct machine_node *node, struct progress_task *task)
{
	const struct progress_definition *d = m->definition;
	const struct log_links_subject subject = {
		.namespace = task->pod_namespace,
		.pod_name = task->pod_name,
		.task = task->id,
		.project = d->project,
		.domain = d->domain,
		.execution = d->name,
		.node_id = node->row.node_id,
		.attempt = task->attempt,
		.suffix = node->element_of ? arena_printf(m->arena, "-%" PRIu32, node->index) : "",
	};
	log_links_add(m->arena, &m->options->log_links, &subject, &task->closure->n_logs, &task->closure->logs);
}

/* Upstream: isAboveInterruptibleFailureThreshold (nodes/node_exec_context.go at v1.16.8). */
static bool is_too_often_interrupted(const struct machine *m, const struct machine_node *node)
{
	const struct machine_options *options = m->options;
	const int64_t failures = options->ignore_retry_cause ? node->row.attempt : node->row.system_failures;
	const int64_t attempts = options->ignore_retry_cause ? (int64_t)machine_maximum_attempts(m, node)
	                                                     : (int64_t)options->system_retries + 1;
	const int64_t threshold = options->interruptible_threshold;
	return failures > 0 && failures >= (threshold > 0 ? threshold : attempts + threshold);
}

bool machine_node_is_interruptible(const struct machine *m, const struct machine_node *node)
{
	if (is_too_often_interrupted(m, node))
		return false;
	const Flyteidl__Core__NodeMetadata *metadata = node->vertex->node->metadata;
	if (metadata &&
	    metadata->interruptible_value_case == FLYTEIDL__CORE__NODE_METADATA__INTERRUPTIBLE_VALUE_INTERRUPTIBLE)
		return metadata->interruptible;
	if (m->definition->spec->interruptible)
		return m->definition->spec->interruptible->value;
	const Flyteidl__Core__WorkflowMetadataDefaults *defaults =
	        node->scope->graph->workflow->template_->metadata_defaults;
	return defaults && defaults->interruptible;
}

enum machine_deck machine_makes_deck(const struct machine_node *node)
{
	const Flyteidl__Core__TaskMetadata *metadata = node->vertex->task->metadata;
	if (node->element_of) /* nobody could ask for it: the array is one node */
		return DECK_NEVER;
	if (!metadata || !metadata->generates_deck)
		return DECK_PERHAPS;
	return metadata->generates_deck->value ? DECK_ALWAYS : DECK_NEVER;
}

const char *machine_raw_output_prefix(struct machine *m, const struct machine_node *node, uint32_t attempt)
{
	const Flyteidl__Admin__RawOutputDataConfig *config = m->definition->spec->raw_output_data_config;
	const char *prefix = config && !text_is_empty(config->output_location_prefix) ? config->output_location_prefix
	                                                                              : m->options->raw_output_prefix;
	const char *unique_id = names_pod(m->arena, m->definition->name, node->row.node_id, attempt);
	char shard[3];
	names_shard(unique_id, shard);
	return arena_printf(m->arena, "%s%s%s/%s", prefix, text_ends_with(prefix, "/") ? "" : "/", shard, unique_id);
}

const char *machine_checkpoint_uri(struct machine *m, const struct machine_node *node, uint32_t attempt)
{
	return arena_printf(m->arena, "%s/_flytecheckpoints", machine_raw_output_prefix(m, node, attempt));
}

/* The attempt's row. Made with the answer to WANT_POD, so that an attempt that was never tried leaves none. */
void machine_make_task(struct machine *m, struct machine_node *node)
{
	if (node->row.task)
		return;
	const Flyteidl__Core__TaskTemplate *template = node->vertex->task;
	struct progress_task *task = arena_new(m->arena, struct progress_task);
	*task = (struct progress_task){
		.attempt = node->row.attempt,
		.id = template->id,
		.task_type = template->type,
		.inputs_uri = node->row.inputs_uri,
		.outputs_uri = "",
		.reason = "",
		.closure = proto_new(m->arena, flyteidl__admin__task_execution_closure),
		.pod_namespace = m->namespace,
		.pod_name = names_pod(m->arena, m->definition->name, node->row.node_id, node->row.attempt),
		.created_at_ns = m->now_ns,
		.changed = true,
	};
	Flyteidl__Event__TaskExecutionMetadata *metadata =
	        proto_new(m->arena, flyteidl__event__task_execution_metadata);
	metadata->generated_name = arena_strdup(m->arena, task->pod_name);
	metadata->plugin_identifier = arena_strdup(m->arena, plugins_name(template->type));
	metadata->instance_class = machine_node_is_interruptible(m, node)
	                                   ? FLYTEIDL__EVENT__TASK_EXECUTION_METADATA__INSTANCE_CLASS__INTERRUPTIBLE
	                                   : FLYTEIDL__EVENT__TASK_EXECUTION_METADATA__INSTANCE_CLASS__DEFAULT;
	task->closure->metadata = metadata;
	task->closure->task_type = arena_strdup(m->arena, task->task_type);
	task->closure->event_version = 1;
	add_log_links(m, node, task);
	node->row.task = task;
}

static void set_deck(struct machine *m, struct machine_node *node)
{
	node->row.deck_uri = arena_printf(m->arena, "%s/deck.html", machine_attempt_directory(m, node));
	node->row.changed = true;
}

/* ---- Echo ---- */

static size_t count_variables(const Flyteidl__Core__VariableMap *map)
{
	return map ? map->n_variables : 0;
}

/* The one input under the one output's name; *ret_refusal says why not. */
static const Flyteidl__Core__LiteralMap *echo_outputs(struct machine *m, const struct machine_node *node,
                                                      const char **ret_refusal)
{
	const Flyteidl__Core__TypedInterface *interface = node->vertex->task->interface;
	const size_t in = count_variables(interface ? interface->inputs : NULL);
	const size_t out = count_variables(interface ? interface->outputs : NULL);
	Flyteidl__Core__LiteralMap *outputs = proto_new(m->arena, flyteidl__core__literal_map);
	*ret_refusal = NULL;
	if (in != out)
		*ret_refusal = arena_printf(
		        m->arena, "the number of input (%zu) and output (%zu) variables does not match", in, out);
	else if (in > 1)
		*ret_refusal = "this plugin does not currently support more than one input variable";
	for (size_t i = 0; !*ret_refusal && in && i < node->inputs->n_literals; i++) {
		Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
		        (void *)proto_new_of(m->arena, &flyteidl__core__literal_map__literals_entry__descriptor);
		entry->key = interface->outputs->variables[0]->key;
		entry->value = node->inputs->literals[i]->value;
		proto_append(m->arena, outputs->n_literals, outputs->literals, entry);
	}
	return outputs;
}

/* Setting a plugin for a type of task may mean that no other may run it. True when the attempt has failed for that. */
static bool is_refused(struct machine *m, struct machine_node *node)
{
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	const char *plugin = machine_has_connector_for(m, node) ? PLUGIN_CONNECTOR : plugins_name(task->type);
	const char *refusal = plugins_refusal(m->arena, m->definition->plugin_overrides, task->type, plugin);
	if (!refusal)
		return false;
	const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
		                                 .kind = ERROR_KIND(USER),
		                                 .code = "UnsupportedTaskType",
		                                 .message = refusal };
	machine_make_task(m, node);
	machine_fail_attempt(m, node, &failure);
	return true;
}

/* A task of type "echo" is for trying the platform out: no pod, its output is its input (upstream's testing plugin). */
static void run_echo(struct machine *m, struct machine_node *node)
{
	const char *refusal;
	node->outputs = echo_outputs(m, node, &refusal);
	if (refusal) {
		const struct machine_failure failure = { .budget = POD_FAILURE_PERMANENT,
			                                 .kind = ERROR_KIND(USER),
			                                 .code = "BadTaskSpecification",
			                                 .message = refusal };
		machine_make_task(m, node);
		machine_fail_attempt(m, node, &failure);
		return;
	}
	node->row.outputs_uri = arena_printf(m->arena, "%s/%" PRIu32 "/outputs.pb", node->directory, node->row.attempt);
	if (!machine_ask(m, node, WANT_WRITE))
		return;
	machine_make_task(m, node);
	node->row.task->outputs = node->outputs;
	node->row.task->outputs_uri = node->row.outputs_uri;
	node->outputs_known = true;
	machine_set_task(m, node, TASK(SUCCEEDED), NULL);
	machine_keep_in_cache(m, node);
	machine_succeed_node(m, node);
}

static void begin_attempt(struct machine *m, struct machine_node *node)
{
	const int64_t not_before =
	        node->row.retry_at_ns > node->row.recheck_at_ns ? node->row.retry_at_ns : node->row.recheck_at_ns;
	if (not_before > m->now_ns) {
		machine_wake_at(m, not_before);
		return;
	}
	if (is_refused(m, node) || !machine_consult_cache(m, node) || !machine_resolve_inputs(m, node))
		return;
	if (text_equal(node->vertex->task->type, "echo")) {
		run_echo(m, node);
		return;
	}
	if (machine_begin_on_connector(m, node) || !machine_ask(m, node, WANT_POD))
		return;
	machine_make_task(m, node);
	switch (node->creation) {
	case CREATION_DONE:
		machine_set_task(m, node, TASK(QUEUED), "task submitted to K8s");
		machine_set_node(m, node, NODE(RUNNING));
		node->row.checkpoint_uri = machine_checkpoint_uri(m, node, node->row.attempt);
		node->row.changed = true;
		/* The console shows the deck of a running task, when the task is known to make one. */
		if (machine_makes_deck(node) == DECK_ALWAYS)
			set_deck(m, node);
		node->row.retry_at_ns = node->row.recheck_at_ns = 0;
		break;
	case CREATION_WAITS:
		machine_set_task(m, node, TASK(WAITING_FOR_RESOURCES), node->creation_reason);
		node->row.recheck_at_ns = m->now_ns + m->options->quota_delay_ns;
		node->row.changed = true;
		machine_wake_at(m, node->row.recheck_at_ns);
		break;
	case CREATION_FAILED:
		machine_fail_attempt(m, node, &node->failure);
		break;
	}
}

/* ---- Ending an attempt ---- */

static struct machine_failure failure_of_document(struct machine *m, const struct machine_node *node)
{
	const Flyteidl__Core__ContainerError *error = node->result.error->error;
	struct machine_failure failure = { .error_uri = node->result.error_uri };
	if (!error) {
		failure.budget = POD_FAILURE_SYSTEM;
		failure.kind = ERROR_KIND(SYSTEM);
		failure.code = "ErrorFileBadFormat";
		failure.message = arena_printf(m->arena, "error not formatted correctly, nil error @path [%s]",
		                               node->result.error_uri);
		return failure;
	}
	failure.kind = error->origin;
	failure.code = error->code;
	failure.message = error->message;
	failure.timestamp = error->timestamp;
	failure.worker = error->worker;
	if (error->kind != FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE)
		failure.budget = POD_FAILURE_PERMANENT;
	else
		failure.budget = error->origin == ERROR_KIND(SYSTEM) ? POD_FAILURE_SYSTEM : POD_FAILURE_USER;
	return failure;
}

void machine_succeed_attempt(struct machine *m, struct machine_node *node)
{
	struct progress_task *task = node->row.task;
	if (node->result.outputs_found) {
		node->outputs = node->result.outputs;
		node->row.outputs_uri = arena_printf(m->arena, "%s/outputs.pb", machine_attempt_directory(m, node));
		task->outputs = node->outputs;
		task->outputs_uri = node->row.outputs_uri;
	}
	node->outputs_known = true;
	machine_set_task(m, node, TASK(SUCCEEDED), NULL);
	machine_keep_in_cache(m, node);
	machine_succeed_node(m, node);
}

void machine_end_attempt(struct machine *m, struct machine_node *node)
{
	struct machine_failure failure = { .budget = POD_FAILURE_NONE };
	if (!node->result_known) {
		if (!machine_ask(m, node, WANT_RESULT))
			return;
		node->result_known = true;
	}
	if (node->result.deck_found)
		set_deck(m, node); /* tasks that fail may have one, too */
	if (node->failure.budget != POD_FAILURE_NONE) {
		failure = node->failure;
	} else if (node->result.error) {
		failure = failure_of_document(m, node);
	} else if (node->result.futures_found) {
		machine_begin_dynamic(m, node);
		return;
	} else if (declares_outputs(node) && !node->result.outputs_found) {
		failure = (struct machine_failure){ .budget = POD_FAILURE_USER,
			                            .kind = ERROR_KIND(UNKNOWN),
			                            .code = "OutputsNotFound",
			                            .message = "Outputs not generated by task execution" };
	}
	if (failure.budget != POD_FAILURE_NONE)
		machine_fail_attempt(m, node, &failure);
	else
		machine_succeed_attempt(m, node);
}

static struct machine_failure failure_of_pod(const struct pod_observation *pod)
{
	return (struct machine_failure){
		.budget = pod->failure == POD_FAILURE_NONE ? POD_FAILURE_SYSTEM : pod->failure,
		.kind = pod->failure == POD_FAILURE_USER || pod->failure == POD_FAILURE_PERMANENT ? ERROR_KIND(USER)
		                                                                                  : ERROR_KIND(SYSTEM),
		.code = pod->code,
		.message = pod->message,
	};
}

/* ---- Deadlines ---- */

/*
 * True when a deadline has passed, and the attempt or the node is over for it. The attempt's deadline counts from its
 * creation.
 */
bool machine_check_deadlines(struct machine *m, struct machine_node *node)
{
	const int64_t timeout = machine_attempt_timeout_ns(node);
	if (timeout == 0)
		return false;
	const int64_t node_timeout = machine_node_timeout_ns(m, node);
	if (m->now_ns >= node->row.created_at_ns + node_timeout) {
		const struct machine_failure failure = machine_node_timed_out(m, node_timeout);
		if (node->row.task && node->row.task->phase != TASK(SUCCEEDED)) {
			node->row.task->error = machine_error(m->arena, &failure);
			machine_set_task(m, node, TASK(FAILED), failure.message);
		}
		machine_fail_node(m, node, NODE(TIMED_OUT), &failure);
		return true;
	}
	machine_wake_at(m, node->row.created_at_ns + node_timeout);
	if (!node->row.task)
		return false;
	if (m->now_ns >= node->row.task->created_at_ns + timeout) {
		const struct machine_failure failure = machine_attempt_timed_out(m, timeout);
		machine_fail_attempt(m, node, &failure);
		return true;
	}
	machine_wake_at(m, node->row.task->created_at_ns + timeout);
	return false;
}

/* ---- Between the two ---- */

static void observe_running(struct machine *m, struct machine_node *node, const struct pod_observation *pod)
{
	struct progress_task *task = node->row.task;
	/* A pod does not go back; an event that is late must not make it seem so. */
	if (pod->state == POD_RUNNING)
		machine_set_task(m, node, TASK(RUNNING), pod->message);
	else if (task->phase == TASK(RUNNING))
		return;
	else if (pod->state == POD_INITIALIZING)
		machine_set_task(m, node, TASK(INITIALIZING), pod->message);
	else
		machine_set_task(m, node, task->phase == TASK(INITIALIZING) ? TASK(INITIALIZING) : TASK(QUEUED),
		                 pod->message);
	machine_wake_at(m, pod->recheck_at_ns);
}

static void watch_attempt(struct machine *m, struct machine_node *node)
{
	const struct pod_observation *pod = &node->pod.observation;
	if (node->pod.known && pod->state == POD_SUCCEEDED) {
		struct progress_task *task = node->row.task;
		if (!task->started_at_ns && pod->started_at_ns) {
			task->started_at_ns =
			        pod->started_at_ns > task->created_at_ns ? pod->started_at_ns : task->created_at_ns;
			task->changed = true;
		}
		machine_end_attempt(m, node);
		return;
	}
	if (node->pod.known && pod->state == POD_FAILED && pod->failure != POD_FAILURE_SYSTEM) {
		const struct machine_failure failure = failure_of_pod(pod);
		machine_fail_attempt(m, node, &failure);
		return;
	}
	/* Deadlines come before failures of the system: a pod that was deleted for its deadline must not count as lost.
	 */
	if (machine_check_deadlines(m, node) || !node->pod.known)
		return;
	if (pod->state == POD_FAILED) {
		const struct machine_failure failure = failure_of_pod(pod);
		machine_fail_attempt(m, node, &failure);
	} else {
		observe_running(m, node, pod);
	}
}

static void task_advance(struct machine *m, struct machine_node *node)
{
	if (node->row.phase == NODE(DYNAMIC_RUNNING)) {
		if (!machine_check_deadlines(m, node))
			machine_advance_dynamic(m, node);
		return;
	}
	if (machine_node_has_pod(node))
		watch_attempt(m, node);
	else if (machine_node_has_connector(node))
		machine_watch_connector(m, node);
	else if (!machine_check_deadlines(m, node))
		begin_attempt(m, node);
}

static void task_abort(struct machine *m, struct machine_node *node, const char *reason)
{
	if (node->inner)
		machine_abort_scope(m, node->inner, reason);
	struct progress_task *task = node->row.task;
	if (!task || task->phase == TASK(SUCCEEDED) || task->phase == TASK(FAILED))
		return;
	const struct machine_failure failure = { .code = "NodeAborted", .message = reason };
	task->error = machine_error(m->arena, &failure);
	machine_set_task(m, node, TASK(ABORTED), reason);
}

const struct machine_kind machine_kind_task = {
	.name = "task node",
	.counts_for_parallelism = true,
	.advance = task_advance,
	.resume = machine_resume_dynamic,
	.abort = task_abort,
};
