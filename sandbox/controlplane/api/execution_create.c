/*
 * New executions, from scratch (CreateExecution) or after an earlier one (RelaunchExecution, RecoverExecution). All
 * three end in launch(): check the request, find what it launches, complete inputs and configuration, and store it.
 *
 * The row is inserted before the input objects are written and committed after: the name is then ours while we write, a
 * name that is taken never has its objects overwritten, and the engine, which is told by the same commit, finds
 * everything in place. When something fails in between, nothing but objects that the next attempt overwrites is left
 * behind, so every failed call may be repeated.
 */
#include "controlplane/api/executions.h"

#include "base/text.h"
#include "controlplane/api/execution_config.h"
#include "controlplane/api/execution_validate.h"
#include "controlplane/api/ids.h"
#include "controlplane/api/literals.h"
#include "controlplane/compiler/inputs.h"
#include "controlplane/store/projects.h"

struct launch {
	const char *project, *domain, *name;
	Flyteidl__Admin__ExecutionSpec *spec; /* ours to complete: a copy of the message itself, sub-messages shared */
	const Flyteidl__Core__LiteralMap *user_inputs;
	int64_t source_execution_id;
};

/* What the execution runs. */
struct target {
	int64_t launch_plan_id, workflow_id, task_id;       /* 0: none */
	const Flyteidl__Admin__LaunchPlanSpec *launch_plan; /* for configuration; NULL when a task is launched */
	const Flyteidl__Core__LiteralMap *fixed_inputs;
	const Flyteidl__Core__ParameterMap *expected_inputs;
};

/* A copy whose fields, but not whose sub-messages, may be changed. */
#define SHALLOW_COPY(arena, message) ((__typeof__(message))arena_copy((arena), (message), sizeof(*(message))))

static int load_task_target(struct api *api, struct rpc_call *call, struct database_connection *c,
                            const Flyteidl__Admin__ExecutionSpec *spec, struct target *ret_target, struct err *e)
{
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(call->arena, flyteidl__admin__launch_plan_spec);
	template->auth_role = spec->auth_role;
	template->security_context = spec->security_context;
	struct api_generated generated;
	if (api_workflow_for_task(api, call, c, spec->launch_plan, template, &generated, e) < 0)
		return -1;
	*ret_target = (struct target){
		.workflow_id = generated.workflow.id,
		.task_id = generated.task.id,
		.fixed_inputs = generated.launch_plan.message->spec->fixed_inputs,
		.expected_inputs = generated.launch_plan.message->closure->expected_inputs,
	};
	return 0;
}

static int load_target(struct api *api, struct rpc_call *call, struct database_connection *c,
                       const Flyteidl__Admin__ExecutionSpec *spec, struct target *ret_target, struct err *e)
{
	if (spec->launch_plan->resource_type == FLYTEIDL__CORE__RESOURCE_TYPE__TASK)
		return load_task_target(api, call, c, spec, ret_target, e);
	struct api_launch_plan found;
	if (api_load_launch_plan(call, c, spec->launch_plan, &found, e) < 0)
		return -1;
	*ret_target = (struct target){
		.launch_plan_id = found.id,
		.workflow_id = found.workflow_id,
		.launch_plan = found.message->spec,
		.fixed_inputs = found.message->spec->fixed_inputs,
		.expected_inputs = found.message->closure->expected_inputs,
	};
	return 0;
}

/* Executions that a node launched belong to the same principal, one level deeper. */
static int inherit_from_parent(struct rpc_call *call, struct database_connection *c,
                               Flyteidl__Admin__ExecutionSpec *spec, int64_t *ret_parent_node_id,
                               int64_t *source_execution_id, struct err *e)
{
	Flyteidl__Admin__ExecutionMetadata *metadata = spec->metadata;
	*ret_parent_node_id = 0;
	if (!metadata->parent_node_execution)
		return 0;
	struct node_execution_key key;
	struct node_execution_row node;
	struct execution_row execution;
	if (node_execution_key_of(metadata->parent_node_execution, &key, e) < 0 ||
	    node_executions_get(c, call->arena, &key, &node, e) < 0 ||
	    executions_get(c, call->arena, key.project, key.domain, key.execution_name, &execution, e) < 0)
		return -1;
	const Flyteidl__Admin__ExecutionSpec *parent = proto_unpack(call->arena, flyteidl__admin__execution_spec,
	                                                            execution.spec.data, execution.spec.length, e);
	if (!parent)
		return -1;
	metadata->nesting = 1;
	if (parent->metadata) {
		metadata->nesting = parent->metadata->nesting + 1;
		metadata->principal = parent->metadata->principal;
	}
	if (parent->execution_cluster_label)
		spec->execution_cluster_label = parent->execution_cluster_label;
	*ret_parent_node_id = node.id;
	if (*source_execution_id == 0)
		*source_execution_id = execution.id;
	return 0;
}

static int load_project_labels(struct rpc_call *call, struct database_connection *c, const char *project,
                               Flyteidl__Admin__Labels **ret_labels, struct err *e)
{
	struct project_row row;
	*ret_labels = NULL;
	int found = projects_get(c, call->arena, project, &row, e);
	if (found <= 0 || !row.labels.data)
		return found < 0 ? -1 : 0;
	*ret_labels = proto_unpack(call->arena, flyteidl__admin__labels, row.labels.data, row.labels.length, e);
	return *ret_labels ? 0 : -1;
}

static void collect_tags(struct arena *arena, const Flyteidl__Admin__ExecutionSpec *spec,
                         struct execution_new *execution)
{
	size_t label_count = spec->labels ? spec->labels->n_values : 0;
	struct execution_tag *tags = arena_array(arena, struct execution_tag, label_count + spec->n_tags);
	for (size_t i = 0; i < label_count; i++)
		tags[i] = (struct execution_tag){ spec->labels->values[i]->key, spec->labels->values[i]->value };
	for (size_t i = 0; i < spec->n_tags; i++)
		tags[label_count + i] = (struct execution_tag){ spec->tags[i], "" };
	execution->tags = tags;
	execution->tag_count = label_count + spec->n_tags;
}

/* The spec as it will be shown and run, and everything else of the row but the inputs. */
static int complete(struct api *api, struct rpc_call *call, struct database_connection *c, const struct launch *l,
                    const struct target *target, struct execution_new *ret_execution, struct err *e)
{
	Flyteidl__Admin__ExecutionSpec *spec = l->spec;
	Flyteidl__Admin__Labels *project_labels;
	int64_t parent_node_id, source_execution_id = l->source_execution_id;
	spec->inputs = NULL;
	spec->metadata = spec->metadata ? SHALLOW_COPY(call->arena, spec->metadata)
	                                : proto_new(call->arena, flyteidl__admin__execution_metadata);
	spec->metadata->principal = arena_strdup(call->arena, ""); /* nobody signs in here */
	spec->metadata->system_metadata = proto_new(call->arena, flyteidl__admin__system_metadata);
	spec->metadata->system_metadata->namespace_ = arena_printf(call->arena, "%s-%s", l->project, l->domain);
	if (inherit_from_parent(call, c, spec, &parent_node_id, &source_execution_id, e) < 0 ||
	    load_project_labels(call, c, l->project, &project_labels, e) < 0)
		return -1;
	execution_config_complete(call->arena, spec, target->launch_plan, project_labels, api->config->max_parallelism);

	const Flyteidl__Admin__NotificationList *notifications =
	        execution_config_notifications(call->arena, spec, target->launch_plan);
	*ret_execution = (struct execution_new){
		.project = l->project,
		.domain = l->domain,
		.name = execution_choose_name(call->arena, l->name),
		.launch_plan_id = target->launch_plan_id,
		.workflow_id = target->workflow_id,
		.task_id = target->task_id,
		.resource_type = (int)spec->launch_plan->resource_type,
		.spec = proto_pack(call->arena, &spec->base),
		.mode = (int)spec->metadata->mode,
		.principal = spec->metadata->principal,
		.parent_node_execution_id = parent_node_id,
		.source_execution_id = source_execution_id,
	};
	if (notifications)
		ret_execution->notifications = proto_pack(call->arena, &notifications->base);
	collect_tags(call->arena, spec, ret_execution);
	return 0;
}

/* A launch plan may limit how many of its executions run at once, over all its versions. */
static int check_concurrency(struct rpc_call *call, struct database_connection *c, const Flyteidl__Core__Identifier *id,
                             const Flyteidl__Admin__ConcurrencyPolicy *policy, struct err *e)
{
	int64_t count;
	if (!policy || policy->behavior != FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP)
		return 0;
	if (executions_count_active(c, call->arena, id->project, id->domain, id->name, &count, e) < 0)
		return -1;
	if (count >= policy->max)
		return err_set(e, ERR_EXISTS, NULL,
		               "concurrency limit (%d) reached for launch plan %s; skipping execution", policy->max,
		               id->name);
	return 0;
}

static int put(struct api *api, const char *uri, struct proto_bytes bytes, struct err *e)
{
	if (objects_put(api->objects, uri, bytes.data, bytes.length, "application/octet-stream", e) < 0) {
		literals_store_failed(e);
		return err_wrap(e, "cannot store the inputs");
	}
	return 0;
}

static struct stored_literals keep(const char *uri, struct proto_bytes bytes)
{
	if (bytes.length >= LITERALS_ROW_MAXIMUM)
		bytes = (struct proto_bytes){ .data = NULL };
	return (struct stored_literals){ .bytes = bytes, .uri = uri };
}

static int store(struct api *api, struct rpc_call *call, struct database_connection *c, const struct target *target,
                 const Flyteidl__Core__Identifier *launched, struct execution_new *execution, struct proto_bytes inputs,
                 struct proto_bytes user_inputs, struct err *e)
{
	const char *base = api_object_uri(api, call->arena, "metadata/%s/%s/%s", execution->project, execution->domain,
	                                  execution->name);
	const char *inputs_uri = arena_printf(call->arena, "%s/inputs", base);
	const char *user_inputs_uri = arena_printf(call->arena, "%s/user_inputs", base);
	int64_t id;
	execution->inputs = keep(inputs_uri, inputs);
	execution->user_inputs = keep(user_inputs_uri, user_inputs);
	if (database_begin(c, e) < 0)
		return -1;
	if (target->launch_plan && check_concurrency(call, c, launched, target->launch_plan->concurrency_policy, e) < 0)
		return -1;
	if (executions_insert(c, call->arena, execution, &id, e) < 0)
		return -1;
	if (put(api, inputs_uri, inputs, e) < 0 || put(api, user_inputs_uri, user_inputs, e) < 0)
		return -1;
	return database_commit(c, e);
}

static ProtobufCMessage *launch(struct api *api, struct rpc_call *call, const struct launch *l, struct err *e)
{
	struct database_connection *c auto_connection = NULL;
	struct target target;
	struct execution_new execution;
	if (api_connect(api, call, &c, e) < 0 ||
	    api_check_project_and_domain(api, call, c, l->project, l->domain, e) < 0 ||
	    load_target(api, call, c, l->spec, &target, e) < 0)
		return NULL;
	Flyteidl__Core__LiteralMap *inputs =
	        inputs_merge(call->arena, target.expected_inputs, target.fixed_inputs, l->user_inputs, e);
	if (!inputs || complete(api, call, c, l, &target, &execution, e) < 0)
		return NULL;
	struct proto_bytes user_inputs = { .data = (const uint8_t *)"", .length = 0 };
	if (l->user_inputs)
		user_inputs = proto_pack(call->arena, &l->user_inputs->base);
	if (store(api, call, c, &target, l->spec->launch_plan, &execution, proto_pack(call->arena, &inputs->base),
	          user_inputs, e) < 0)
		return NULL;
	Flyteidl__Admin__ExecutionCreateResponse *response =
	        proto_new(call->arena, flyteidl__admin__execution_create_response);
	response->id = ids_new_execution(call->arena, execution.project, execution.domain, execution.name);
	return &response->base;
}

EXECUTION_HANDLER(execution_create)
{
	const Flyteidl__Admin__ExecutionCreateRequest *r = (const Flyteidl__Admin__ExecutionCreateRequest *)message;
	struct launch l = { .project = r->project, .domain = r->domain, .name = r->name, .user_inputs = r->inputs };
	if (r->spec) {
		l.spec = SHALLOW_COPY(call->arena, r->spec);
		/* Clients older than flyteidl 0.15 put the inputs there. */
		if ((!l.user_inputs || l.user_inputs->n_literals == 0) && r->spec->inputs)
			l.user_inputs = r->spec->inputs;
	}
	if (execution_validate(l.project, l.domain, l.name, l.spec, l.user_inputs, e) < 0)
		return NULL;
	return launch(context, call, &l, e);
}

/* What an earlier execution was created with, all of it valid: its spec, with metadata to be changed, and its inputs as
 * the user gave them. */
static int load_earlier(struct api *api, struct rpc_call *call, const Flyteidl__Core__WorkflowExecutionIdentifier *id,
                        const char *new_name, struct launch *ret_launch, struct err *e)
{
	struct execution_row row;
	struct execution_data data;
	struct database_connection *c auto_connection = NULL;
	if (ids_validate_execution(id, e) < 0 || execution_validate_name(new_name, e) < 0 ||
	    api_connect(api, call, &c, e) < 0 ||
	    executions_get(c, call->arena, id->project, id->domain, id->name, &row, e) < 0 ||
	    executions_get_data(c, call->arena, id->project, id->domain, id->name, &data, e) < 0)
		return -1;
	database_return(steal_ptr(c));

	Flyteidl__Core__LiteralMap *inputs;
	Flyteidl__Admin__ExecutionSpec *spec =
	        proto_unpack(call->arena, flyteidl__admin__execution_spec, row.spec.data, row.spec.length, e);
	if (!spec || literals_load(api, call, &data.user_inputs, &inputs, e) < 0)
		return -1;
	if (!spec->metadata)
		spec->metadata = proto_new(call->arena, flyteidl__admin__execution_metadata);
	spec->metadata->reference_execution = ids_new_execution(call->arena, row.project, row.domain, row.name);
	*ret_launch = (struct launch){
		.project = row.project,
		.domain = row.domain,
		.name = new_name,
		.spec = spec,
		.user_inputs = inputs,
		.source_execution_id = row.id,
	};
	return 0;
}

EXECUTION_HANDLER(execution_relaunch)
{
	const Flyteidl__Admin__ExecutionRelaunchRequest *r = (const Flyteidl__Admin__ExecutionRelaunchRequest *)message;
	struct launch l;
	if (load_earlier(context, call, r->id, r->name, &l, e) < 0)
		return NULL;
	l.spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RELAUNCH;
	l.spec->overwrite_cache = r->overwrite_cache;
	return launch(context, call, &l, e);
}

/* The engine copies what succeeded in the reference execution, as far as it can; what it cannot, runs again. */
EXECUTION_HANDLER(execution_recover)
{
	const Flyteidl__Admin__ExecutionRecoverRequest *r = (const Flyteidl__Admin__ExecutionRecoverRequest *)message;
	struct launch l;
	if (load_earlier(context, call, r->id, r->name, &l, e) < 0)
		return NULL;
	l.spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED;
	if (r->metadata)
		l.spec->metadata->parent_node_execution = r->metadata->parent_node_execution;
	return launch(context, call, &l, e);
}
