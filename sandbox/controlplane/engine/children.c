#include "controlplane/engine/children.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"
#include "controlplane/store/executions.h"

#define LAUNCH_WAIT_MS INT64_C(10000)

static int read_child(struct arena *arena, const struct database_rows *rows, size_t row, struct child *ret_child,
                      struct err *e)
{
	const ProtobufCEnumValue *phase = protobuf_c_enum_descriptor_get_value_by_name(
	        &flyteidl__core__workflow_execution__phase__descriptor, database_text(rows, row, 1));
	struct child child = { .name = database_text(rows, row, 0),
		               .phase = (Flyteidl__Core__WorkflowExecution__Phase)(phase ? phase->value : 0),
		               .outputs_uri = database_text(rows, row, 4),
		               .node_row_id = database_int(rows, row, 5) };
	const struct proto_bytes error = database_bytes(rows, row, 2), outputs = database_bytes(rows, row, 3);
	if (error.data) {
		child.error = proto_unpack(arena, flyteidl__core__execution_error, error.data, error.length, e);
		if (!child.error)
			return err_wrap(e, "the stored error of execution \"%s\"", child.name);
	}
	if (outputs.data) {
		child.outputs = proto_unpack(arena, flyteidl__core__literal_map, outputs.data, outputs.length, e);
		if (!child.outputs)
			return err_wrap(e, "the stored outputs of execution \"%s\"", child.name);
	}
	*ret_child = child;
	return 0;
}

static int compare_children(const void *a, const void *b)
{
	return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

int children_find(struct database_connection *c, struct arena *arena, const struct progress_definition *parent,
                  const char *const *names, size_t count, struct children *ret_children, struct err *e)
{
	*ret_children = (struct children){ 0 };
	if (count == 0)
		return 0;
	auto_json json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(names[i]));
	auto_free char *text = json_to_text(list);
	const struct database_value values[] = { DB_TEXT(parent->project), DB_TEXT(parent->domain), DB_TEXT(text) };
	struct database_rows rows;
	const char *sql = "select name, phase, error, outputs, outputs_uri, coalesce(parent_node_execution_id, 0)"
	                  " from executions where project = $1 and domain = $2"
	                  " and name in (select json_array_elements_text($3::json))";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	struct child *children = arena_array(arena, struct child, rows.count);
	for (size_t i = 0; i < rows.count; i++) {
		if (read_child(arena, &rows, i, &children[i], e) < 0)
			return -1;
	}
	if (rows.count > 1)
		qsort(children, rows.count, sizeof(*children), compare_children);
	*ret_children = (struct children){ .count = rows.count, .list = children };
	return 0;
}

const struct child *children_named(const struct children *children, const char *name)
{
	const struct child key = { .name = name };
	return children->count == 0
	               ? NULL
	               : bsearch(&key, children->list, children->count, sizeof(*children->list), compare_children);
}

/* What a child has of its parent (reference §2.10); principal, cluster and nesting are the launch's business. */
static Flyteidl__Admin__ExecutionSpec *inherit(struct arena *arena, const struct child_key *key,
                                               const Flyteidl__Core__Identifier *launch_plan)
{
	const Flyteidl__Admin__ExecutionSpec *parent = key->parent->spec;
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(arena, flyteidl__admin__execution_spec);
	spec->launch_plan = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, launch_plan->project,
	                            launch_plan->domain, launch_plan->name, launch_plan->version);
	spec->metadata = proto_new(arena, flyteidl__admin__execution_metadata);
	spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__CHILD_WORKFLOW;
	spec->metadata->parent_node_execution = proto_new(arena, flyteidl__core__node_execution_identifier);
	spec->metadata->parent_node_execution->node_id = arena_strdup(arena, key->node_id);
	spec->metadata->parent_node_execution->execution_id =
	        ids_new_execution(arena, key->parent->project, key->parent->domain, key->parent->name);
	spec->max_parallelism = parent->max_parallelism;
	spec->security_context = parent->security_context;
	spec->raw_output_data_config = parent->raw_output_data_config;
	spec->labels = parent->labels;
	spec->annotations = parent->annotations;
	spec->interruptible = parent->interruptible;
	spec->overwrite_cache = parent->overwrite_cache;
	spec->envs = parent->envs;
	return spec;
}

int children_launch(const struct launch_context *context, struct arena *arena, const struct child_key *key,
                    const Flyteidl__Core__Identifier *launch_plan, const Flyteidl__Core__LiteralMap *inputs,
                    struct err *e)
{
	const struct progress_definition *parent = key->parent;
	if (parent->spec->metadata && parent->spec->metadata->nesting >= CHILDREN_NESTING_MAXIMUM)
		return err_set(e, ERR_INVALID, NULL, "executions launch each other deeper than %d levels",
		               CHILDREN_NESTING_MAXIMUM);
	const struct launch_parent of = { .node_row_id = key->node_row_id,
		                          .execution_row_id = parent->id,
		                          .spec = parent->spec };
	const struct launch_request request = { .project = parent->project,
		                                .domain = parent->domain,
		                                .name = key->name,
		                                .spec = inherit(arena, key, launch_plan),
		                                .inputs = inputs,
		                                .parent = &of };
	struct launch_result result;
	if (launch_execution(context, arena, clock_monotonic_ms() + LAUNCH_WAIT_MS, &request, &result, e) == 0)
		return 0;
	if (e->kind != ERR_EXISTS)
		return -1;
	if (!text_equal(err_id(e), EXECUTIONS_TAKEN)) {
		e->kind = ERR_INVALID; /* the launch plan's concurrency policy skips it */
		return -1;
	}
	err_release(e);
	return 0;
}
