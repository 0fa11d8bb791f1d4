/*
 * The objects are written before the row is inserted, and no transaction is open meanwhile. A name that is taken is
 * noticed before that, so a repeated call leaves the objects of the execution alone. Two calls that launch the same
 * name with different inputs at the same moment may still both write; the row decides which one counts, and holds the
 * inputs itself where they are small. Larger ones, which are only in the object store, have their content's digest in
 * the key, so that the row of one never leads to the inputs of the other.
 */
#include "controlplane/launch/launch.h"

#include "base/text.h"
#include "controlplane/compiler/inputs.h"
#include "controlplane/launch/attributes.h"
#include "controlplane/launch/execution_config.h"
#include "controlplane/launch/execution_validate.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/executions.h"
#include "controlplane/store/launch_plans.h"
#include "controlplane/store/node_executions.h"
#include "controlplane/store/projects.h"

#include <openssl/evp.h>

#include <string.h>

/* A launch on its way. */
struct launch {
	const struct launch_context *context;
	const struct launch_request *request;
	const struct settings *settings;
	struct arena *arena;
	int64_t deadline_ms;
	struct launch_target target;
	Flyteidl__Admin__ExecutionSpec *spec; /* ours to complete: a copy of the message itself, sub-messages shared */
	struct execution_new row;
	struct proto_bytes inputs, user_inputs;
};

int launch_target_of_plan(struct database_connection *c, struct arena *arena, const Flyteidl__Core__Identifier *id,
                          struct launch_target *ret_target, struct err *e)
{
	const struct entity_key key = { id->project, id->domain, id->name, id->version };
	struct launch_plan_row row;
	const int found = launch_plans_get(c, arena, &key, &row, e);
	if (found <= 0)
		return found < 0 ? -1 : ids_not_found(arena, id, e);
	const Flyteidl__Admin__LaunchPlanSpec *spec =
	        proto_unpack(arena, flyteidl__admin__launch_plan_spec, row.spec.data, row.spec.length, e);
	const Flyteidl__Core__ParameterMap *expected =
	        spec ? proto_unpack(arena, flyteidl__core__parameter_map, row.expected_inputs.data,
	                            row.expected_inputs.length, e)
	             : NULL;
	if (!expected)
		return err_wrap(e, "stored launch plan \"%s\"", row.key.name);
	const Flyteidl__Core__QualityOfService *quality_of_service = NULL;
	if (row.workflow_quality_of_service.data &&
	    !(quality_of_service =
	              proto_unpack(arena, flyteidl__core__quality_of_service, row.workflow_quality_of_service.data,
	                           row.workflow_quality_of_service.length, e)))
		return err_wrap(e, "stored workflow of launch plan \"%s\"", row.key.name);
	*ret_target = (struct launch_target){
		.launch_plan_id = row.id,
		.workflow_id = row.workflow_id,
		.launch_plan = spec,
		.workflow_quality_of_service = quality_of_service,
		.fixed_inputs = spec->fixed_inputs,
		.expected_inputs = expected,
	};
	return 0;
}

/* ---- The parent ---- */

static int find_parent(struct launch *l, struct database_connection *c, struct launch_parent *ret_parent, struct err *e)
{
	const Flyteidl__Core__NodeExecutionIdentifier *id = l->spec->metadata->parent_node_execution;
	struct node_execution_row node;
	struct execution_row execution;
	if (!id->execution_id)
		return err_set(e, ERR_INVALID, "missing-field", "missing execution_id");
	if (ids_require(id->node_id, "node_id", e) < 0 || ids_validate_execution(id->execution_id, e) < 0)
		return -1;
	const struct node_execution_key key = { id->execution_id->project, id->execution_id->domain,
		                                id->execution_id->name, id->node_id };
	if (node_executions_get(c, l->arena, &key, &node, e) < 0 ||
	    executions_get(c, l->arena, key.project, key.domain, key.execution_name, &execution, e) < 0)
		return -1;
	const Flyteidl__Admin__ExecutionSpec *spec =
	        proto_unpack(l->arena, flyteidl__admin__execution_spec, execution.spec.data, execution.spec.length, e);
	if (!spec)
		return err_wrap(e, "stored execution \"%s\"", execution.name);
	*ret_parent = (struct launch_parent){ .node_row_id = node.id, .execution_row_id = execution.id, .spec = spec };
	return 0;
}

/* Executions that a node launched belong to the same principal, one level deeper. */
static int inherit_from_parent(struct launch *l, struct database_connection *c, struct err *e)
{
	Flyteidl__Admin__ExecutionMetadata *metadata = l->spec->metadata;
	struct launch_parent parent;
	if (l->request->parent)
		parent = *l->request->parent;
	else if (!metadata->parent_node_execution)
		return 0;
	else if (find_parent(l, c, &parent, e) < 0)
		return -1;
	metadata->nesting = 1;
	if (parent.spec->metadata) {
		metadata->nesting = parent.spec->metadata->nesting + 1;
		metadata->principal = parent.spec->metadata->principal;
	}
	if (parent.spec->execution_cluster_label)
		l->spec->execution_cluster_label = parent.spec->execution_cluster_label;
	l->row.parent_node_execution_id = parent.node_row_id;
	if (l->row.source_execution_id == 0)
		l->row.source_execution_id = parent.execution_row_id;
	return 0;
}

/* ---- The row ---- */

static int load_project_labels(struct launch *l, struct database_connection *c, Flyteidl__Admin__Labels **ret_labels,
                               struct err *e)
{
	const char *project = l->request->project;
	struct project_row row;
	const int found = projects_get(c, l->arena, project, &row, e);
	*ret_labels = NULL;
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_INVALID, "unknown-project", "project [%s] not found", project);
	if (row.state != FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ACTIVE)
		return err_set(e, ERR_INVALID, "inactive-project", "project [%s] is not active", project);
	if (!row.labels.data)
		return 0;
	*ret_labels = proto_unpack(l->arena, flyteidl__admin__labels, row.labels.data, row.labels.length, e);
	return *ret_labels ? 0 : err_wrap(e, "labels of project \"%s\"", project);
}

static void collect_tags(struct launch *l)
{
	const Flyteidl__Admin__ExecutionSpec *spec = l->spec;
	const size_t label_count = spec->labels ? spec->labels->n_values : 0;
	struct execution_tag *tags = arena_array(l->arena, struct execution_tag, label_count + spec->n_tags);
	for (size_t i = 0; i < label_count; i++)
		tags[i] = (struct execution_tag){ spec->labels->values[i]->key, spec->labels->values[i]->value };
	for (size_t i = 0; i < spec->n_tags; i++)
		tags[label_count + i] = (struct execution_tag){ spec->tags[i], "" };
	l->row.tags = tags;
	l->row.tag_count = label_count + spec->n_tags;
}

/* A task that is launched alone has no workflow that anybody has set something for. */
static int load_attributes(struct launch *l, struct database_connection *c, struct launch_attributes *ret_attributes,
                           struct err *e)
{
	const Flyteidl__Admin__LaunchPlanSpec *plan = l->target.launch_plan;
	const struct matchable_scope scope = {
		.project = l->request->project,
		.domain = l->request->domain,
		.workflow = plan && plan->workflow_id ? plan->workflow_id->name : "",
		.launch_plan = plan ? l->spec->launch_plan->name : "",
	};
	return launch_attributes_load(c, l->arena, &scope, ret_attributes, e);
}

/* Who asks for a cluster pool gets it, unless the project's domain is assigned to another one; who does not, gets that
 * one. */
static int check_cluster(struct launch *l, struct launch_attributes *attributes, struct err *e)
{
	const Flyteidl__Admin__ClusterAssignment *asked = l->spec->cluster_assignment;
	const char *pool = settings_map_get(l->settings->cluster_pools, l->request->domain);
	if (!attributes->cluster_assignment && pool) {
		attributes->cluster_assignment = proto_new(l->arena, flyteidl__admin__cluster_assignment);
		attributes->cluster_assignment->cluster_pool_name = arena_strdup(l->arena, pool);
	}
	const Flyteidl__Admin__ClusterAssignment *assigned = attributes->cluster_assignment;
	if (!asked || !assigned || text_is_empty(asked->cluster_pool_name) ||
	    text_is_empty(assigned->cluster_pool_name) ||
	    text_equal(asked->cluster_pool_name, assigned->cluster_pool_name))
		return 0;
	return err_set(e, ERR_INVALID, "other-cluster-pool",
	               "execution with project \"%s\" and domain \"%s\" cannot run on cluster pool \"%s\", because its "
	               "configured to run on pool \"%s\"",
	               l->request->project, l->request->domain, asked->cluster_pool_name, assigned->cluster_pool_name);
}

static int check_sizes(const struct launch *l, struct err *e)
{
	const size_t labels = l->spec->labels ? l->spec->labels->n_values : 0;
	const size_t annotations = l->spec->annotations ? l->spec->annotations->n_values : 0;
	const struct {
		const char *name;
		size_t count;
		int64_t maximum;
	} maps[] = { { "labels", labels, l->settings->label_maximum },
		     { "annotations", annotations, l->settings->annotation_maximum } };
	for (size_t i = 0; i < ARRAY_LENGTH(maps); i++) {
		if (maps[i].maximum && maps[i].count > (size_t)maps[i].maximum)
			return err_set(e, ERR_INVALID, "too-many-entries", "%s has too many entries [%zu > %lld]",
			               maps[i].name, maps[i].count, (long long)maps[i].maximum);
	}
	return 0;
}

/* The spec as it will be shown and run. */
static int complete_spec(struct launch *l, struct database_connection *c, struct err *e)
{
	Flyteidl__Admin__ExecutionSpec *spec = l->spec = arena_copy(l->arena, l->request->spec, sizeof(*spec));
	Flyteidl__Admin__Labels *project_labels;
	spec->inputs = NULL; /* they have places of their own */
	spec->metadata = spec->metadata ? arena_copy(l->arena, spec->metadata, sizeof(*spec->metadata))
	                                : proto_new(l->arena, flyteidl__admin__execution_metadata);
	spec->metadata->principal = arena_strdup(l->arena, ""); /* nobody signs in here */
	spec->metadata->system_metadata = proto_new(l->arena, flyteidl__admin__system_metadata);
	spec->metadata->system_metadata->namespace_ =
	        arena_printf(l->arena, "%s-%s", l->request->project, l->request->domain);
	struct launch_attributes attributes;
	if (inherit_from_parent(l, c, e) < 0 || load_project_labels(l, c, &project_labels, e) < 0 ||
	    load_attributes(l, c, &attributes, e) < 0 || check_cluster(l, &attributes, e) < 0)
		return -1;
	const struct execution_config_sources sources = {
		.launch_plan = l->target.launch_plan,
		.workflow_quality_of_service = l->target.workflow_quality_of_service,
		.attributes = &attributes,
		.settings = l->settings,
		.project_labels = project_labels,
	};
	execution_config_complete(l->arena, spec, &sources);
	const struct resource_policy policy = launch_resource_policy(l->settings, attributes.task_resources);
	l->row.resource_policy = resource_policy_to_text(l->arena, &policy);
	if (attributes.plugins)
		l->row.plugin_overrides = proto_pack(l->arena, &attributes.plugins->base);
	return check_sizes(l, e);
}

static void complete_row(struct launch *l)
{
	const Flyteidl__Admin__ExecutionSpec *spec = l->spec;
	const Flyteidl__Admin__NotificationList *notifications =
	        execution_config_notifications(l->arena, spec, l->target.launch_plan);
	l->row.launch_plan_id = l->target.launch_plan_id;
	l->row.workflow_id = l->target.workflow_id;
	l->row.task_id = l->target.task_id;
	l->row.resource_type = (int)spec->launch_plan->resource_type;
	l->row.spec = proto_pack(l->arena, &spec->base);
	l->row.mode = (int)spec->metadata->mode;
	l->row.principal = spec->metadata->principal;
	if (notifications)
		l->row.notifications = proto_pack(l->arena, &notifications->base);
	collect_tags(l);
}

static int find_target(struct launch *l, struct database_connection *c, struct err *e)
{
	if (!l->request->target)
		return launch_target_of_plan(c, l->arena, l->request->spec->launch_plan, &l->target, e);
	l->target = *l->request->target;
	return 0;
}

static int refuse_taken_name(struct launch *l, struct database_connection *c, struct err *e)
{
	const int taken = text_is_empty(l->request->name)
	                          ? 0
	                          : executions_exist(c, l->arena, l->row.project, l->row.domain, l->row.name, e);
	return taken > 0 ? executions_taken(&l->row, e) : taken;
}

/* Everything that is read before something is written. */
static int prepare(struct launch *l, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(l->context->database, l->deadline_ms, &c, e) < 0 || find_target(l, c, e) < 0)
		return -1;
	const Flyteidl__Core__LiteralMap *inputs =
	        inputs_merge(l->arena, l->target.expected_inputs, l->target.fixed_inputs, l->request->inputs, e);
	if (!inputs || complete_spec(l, c, e) < 0 || refuse_taken_name(l, c, e) < 0)
		return -1;
	complete_row(l);
	l->inputs = proto_pack(l->arena, &inputs->base);
	l->user_inputs = (struct proto_bytes){ .data = (const uint8_t *)"", .length = 0 };
	if (l->request->inputs)
		l->user_inputs = proto_pack(l->arena, &l->request->inputs->base);
	return 0;
}

/* ---- Writing ---- */

/* The first 16 hexadecimal digits of its SHA-256. */
static char *content_name(struct arena *arena, struct proto_bytes bytes)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	if (EVP_Digest(bytes.data, bytes.length, digest, NULL, EVP_sha256(), NULL) != 1)
		abort(); /* only without memory */
	char *name = arena_strdup(arena, "");
	for (size_t i = 0; i < 8; i++)
		name = arena_printf(arena, "%s%02x", name, digest[i]);
	return name;
}

static struct stored_literals place_literals(struct launch *l, const char *kind, struct proto_bytes bytes)
{
	const bool in_row = bytes.length < LAUNCH_ROW_MAXIMUM;
	return (struct stored_literals){
		.bytes = in_row ? bytes : (struct proto_bytes){ .data = NULL },
		.uri = arena_printf(l->arena, "s3://%s/metadata/%s/%s/%s/%s%s%s", l->context->bucket, l->row.project,
		                    l->row.domain, l->row.name, kind, in_row ? "" : "-",
		                    in_row ? "" : content_name(l->arena, bytes)),
	};
}

/* The writing of one object. */
struct put {
	struct objects *objects;
	const char *uri;
	struct proto_bytes bytes;
	struct err error;
};

static void run_put(void *element)
{
	struct put *put = element;
	(void)objects_put(put->objects, put->uri, put->bytes.data, put->bytes.length, "application/octet-stream",
	                  &put->error);
}

/* Both at once: a launch waits for the slower one. */
static int store_inputs(struct launch *l, struct err *e)
{
	l->row.inputs = place_literals(l, "inputs", l->inputs);
	l->row.user_inputs = place_literals(l, "user_inputs", l->user_inputs);
	struct put puts[] = {
		{ .objects = l->context->objects, .uri = l->row.inputs.uri, .bytes = l->inputs },
		{ .objects = l->context->objects, .uri = l->row.user_inputs.uri, .bytes = l->user_inputs },
	};
	parallel_run(l->context->parallel, run_put, puts, ARRAY_LENGTH(puts), sizeof(puts[0]));
	int status = 0;
	for (size_t i = 0; i < ARRAY_LENGTH(puts); i++) {
		if (puts[i].error.kind == ERR_NONE)
			continue;
		err_move(e, &puts[i].error);
		objects_failed(e);
		status = err_wrap(e, "cannot store the inputs");
	}
	return status;
}

/* A launch plan may limit how many of its executions run at once, over all its versions. */
static int check_concurrency(struct launch *l, struct database_connection *c, struct err *e)
{
	const Flyteidl__Admin__ConcurrencyPolicy *policy =
	        l->target.launch_plan ? l->target.launch_plan->concurrency_policy : NULL;
	const Flyteidl__Core__Identifier *id = l->spec->launch_plan;
	int64_t count;
	if (!policy || policy->behavior != FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP)
		return 0;
	if (executions_count_active(c, l->arena, id->project, id->domain, id->name, &count, e) < 0)
		return -1;
	if (count >= policy->max)
		return err_set(e, ERR_EXISTS, LAUNCH_CONCURRENCY_LIMIT,
		               "concurrency limit (%d) reached for launch plan %s; skipping execution", policy->max,
		               id->name);
	return 0;
}

static int insert(struct launch *l, int64_t *ret_id, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(l->context->database, l->deadline_ms, &c, e) < 0 || database_begin(c, e) < 0 ||
	    check_concurrency(l, c, e) < 0 || executions_insert(c, l->arena, &l->row, ret_id, e) < 0)
		return -1;
	return database_commit(c, e);
}

int launch_execution(const struct launch_context *context, struct arena *arena, int64_t deadline_ms,
                     const struct launch_request *request, struct launch_result *ret_result, struct err *e)
{
	auto_settings const struct settings *settings = settings_current(context->settings);
	struct launch l = {
		.context = context,
		.settings = settings,
		.request = request,
		.arena = arena,
		.deadline_ms = deadline_ms,
		.row = { .project = request->project,
		         .domain = request->domain,
		         .name = execution_choose_name(arena, request->name),
		         .source_execution_id = request->source_execution_id },
	};
	int64_t id;
	if (prepare(&l, e) < 0 || store_inputs(&l, e) < 0 || insert(&l, &id, e) < 0)
		return -1;
	*ret_result = (struct launch_result){ .id = id, .name = l.row.name };
	return 0;
}
