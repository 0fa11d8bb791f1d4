/*
 * Attempts of task nodes that a connector runs. Such an attempt is begun with a row in connector_tasks where another has
 * a pod; who calls the connector writes there what it says (controlplane/connectors), and here that is read as a pod's
 * status is. Retries, deadlines, cache, aborting are a task node's as ever. What a row no running attempt owns is ended
 * by the round (round_connectors.c), in the transaction that ends the attempt.
 */
#include "controlplane/engine/machine.h"

#include "base/text.h"
#include "controlplane/connectors/resource.h"
#include "controlplane/engine/plugins.h"

static bool declares_outputs(const struct machine_node *node)
{
	const Flyteidl__Core__TypedInterface *interface = node->vertex->task->interface;
	return interface && interface->outputs && interface->outputs->n_variables > 0;
}

/* ---- Beginning ---- */

/* A task that could be no pod either: as long as there is a connector of which nobody knows yet what it supports, it
 * waits for that one. */
static bool wait_to_be_known(struct machine *m, struct machine_node *node)
{
	const struct connector_place *unheard = connector_catalog_unheard(m->options->connectors);
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	const int64_t until_ns = node->row.created_at_ns + m->options->connector_unheard_ns;
	if (!unheard || task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET__NOT_SET || m->now_ns >= until_ns)
		return false;
	machine_make_task(m, node);
	machine_set_task(m, node, TASK(WAITING_FOR_RESOURCES),
	                 arena_printf(m->arena,
	                              "the connector \"%s\" at %s has not said yet which tasks it runs%s%s",
	                              unheard->at.name, unheard->at.target, *unheard->problem ? ": " : "",
	                              unheard->problem));
	node->row.recheck_at_ns = m->now_ns + m->options->quota_delay_ns;
	node->row.changed = true;
	machine_wake_at(m, node->row.recheck_at_ns);
	return true;
}

bool machine_has_connector_for(const struct machine *m, const struct machine_node *node)
{
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	struct connector_type ignored;
	return connector_catalog_find(m->options->connectors, task->type, task->task_type_version, &ignored);
}

bool machine_begin_on_connector(struct machine *m, struct machine_node *node)
{
	const Flyteidl__Core__TaskTemplate *task = node->vertex->task;
	struct connector_type type;
	if (!connector_catalog_find(m->options->connectors, task->type, task->task_type_version, &type))
		return wait_to_be_known(m, node);
	if (!machine_ask(m, node, WANT_CONNECTOR))
		return true;
	machine_make_task(m, node);
	node->row.task->connector = true;
	node->row.task->changed = true;
	if (node->failure.budget != POD_FAILURE_NONE) {
		machine_fail_attempt(m, node, &node->failure);
		return true;
	}
	if (node->row.task->closure->metadata) /* elements have none */
		node->row.task->closure->metadata->plugin_identifier = arena_strdup(m->arena, PLUGIN_CONNECTOR);
	node->row.task->closure->n_logs = 0; /* there is no pod to link to */
	machine_set_task(m, node, TASK(QUEUED), "task submitted to the connector");
	machine_set_node(m, node, NODE(RUNNING));
	node->row.retry_at_ns = node->row.recheck_at_ns = 0;
	node->row.changed = true;
	/* Its row has not been read: it will be when somebody has done something about it. */
	node->connector = (struct machine_connector){ .known = true, .exists = true, .problem = "" };
	return true;
}

/* ---- Under way ---- */

static struct proto_bytes shown(struct arena *arena, size_t n_logs, Flyteidl__Core__TaskLog **logs,
                                Google__Protobuf__Struct *custom_info)
{
	Flyteidl__Admin__TaskExecutionClosure *closure = proto_new(arena, flyteidl__admin__task_execution_closure);
	closure->n_logs = n_logs;
	closure->logs = logs;
	closure->custom_info = custom_info;
	return proto_pack(arena, &closure->base);
}

/* Links and information are the connector's: what it says last is what there is. */
static void take_information(struct machine *m, struct progress_task *task, const Flyteidl__Admin__Resource *resource)
{
	Flyteidl__Admin__TaskExecutionClosure *closure = task->closure;
	const struct proto_bytes before = shown(m->arena, closure->n_logs, closure->logs, closure->custom_info);
	const struct proto_bytes now =
	        shown(m->arena, resource->n_log_links, resource->log_links, resource->custom_info);
	if (before.length == now.length && (now.length == 0 || memcmp(before.data, now.data, now.length) == 0))
		return;
	closure->n_logs = resource->n_log_links;
	closure->logs = resource->log_links;
	closure->custom_info = resource->custom_info;
	task->changed = true;
}

static void observe_running(struct machine *m, struct machine_node *node, const struct connector_state *state)
{
	const struct machine_connector *connector = &node->connector;
	struct progress_task *task = node->row.task;
	const char *reason = connector->resource ? connector->resource->message : NULL;
	if (!text_is_empty(connector->problem))
		reason = connector->problem;
	/* Clients refuse to see a task go back from RUNNING. */
	const bool back = !state || task->phase == TASK(RUNNING);
	machine_set_task(m, node, back ? task->phase : state->phase, reason);
}

/* ---- Ending ---- */

static struct machine_failure failure_of_state(const struct connector_state *state)
{
	struct machine_failure failure = {
		.budget = POD_FAILURE_PERMANENT,
		.kind = state->by_system ? ERROR_KIND(SYSTEM) : ERROR_KIND(USER),
		.code = state->code,
		.message = state->message,
	};
	if (state->outcome == CONNECTOR_FAILED_RETRYABLE)
		failure.budget = state->by_system ? POD_FAILURE_SYSTEM : POD_FAILURE_USER;
	return failure;
}

/* What kept the connector from saying how the task is. */
static struct machine_failure failure_of_row(const struct machine_connector *connector)
{
	if (!connector->exists)
		return (struct machine_failure){
			.budget = POD_FAILURE_SYSTEM,
			.kind = ERROR_KIND(SYSTEM),
			.code = "ResourceDeletedExternally",
			.message = "nothing is known any more of the task that the connector was to run",
		};
	return (struct machine_failure){
		.budget = connector->failure_retryable ? POD_FAILURE_USER : POD_FAILURE_PERMANENT,
		.kind = ERROR_KIND(USER),
		.code = connector->failure_code,
		.message = connector->failure_message,
	};
}

/* Outputs come with the answer, or the task has put them where a pod would have. */
static void succeed(struct machine *m, struct machine_node *node)
{
	const Flyteidl__Core__LiteralMap *outputs = node->connector.resource->outputs;
	if (declares_outputs(node) && !outputs) {
		machine_end_attempt(m, node);
		return;
	}
	memset(&node->result, 0, sizeof(node->result));
	if (declares_outputs(node)) {
		node->outputs = outputs;
		node->row.outputs_uri = arena_printf(m->arena, "%s/outputs.pb", machine_attempt_directory(m, node));
		if (!machine_ask(m, node, WANT_WRITE))
			return;
		node->result.outputs_found = true;
		node->result.outputs = outputs;
	}
	machine_succeed_attempt(m, node);
}

void machine_watch_connector(struct machine *m, struct machine_node *node)
{
	const struct machine_connector *connector = &node->connector;
	struct connector_state state;
	struct machine_failure failure = { .budget = POD_FAILURE_NONE };
	if (!connector->known) {
		(void)machine_check_deadlines(m, node);
		return;
	}
	if (connector->resource) {
		state = connector_state_of(m->arena, connector->resource);
		take_information(m, node->row.task, connector->resource);
	}
	if (connector->resource && state.outcome == CONNECTOR_SUCCEEDED) {
		succeed(m, node);
		return;
	}
	if (connector->resource && state.outcome != CONNECTOR_GOES_ON)
		failure = failure_of_state(&state);
	else if (!connector->exists || !text_is_empty(connector->failure_code))
		failure = failure_of_row(connector);
	if (failure.budget != POD_FAILURE_NONE && failure.budget != POD_FAILURE_SYSTEM) {
		machine_fail_attempt(m, node, &failure);
		return;
	}
	/* As with pods: what was ended for its deadline must not count as lost. */
	if (machine_check_deadlines(m, node))
		return;
	if (failure.budget != POD_FAILURE_NONE)
		machine_fail_attempt(m, node, &failure);
	else
		observe_running(m, node, connector->resource ? &state : NULL);
}
