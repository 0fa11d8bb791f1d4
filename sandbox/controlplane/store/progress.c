/*
 * Rows <-> structures for store/progress.h. Statements are few and fixed: the engine's round trips to Postgres are most
 * of what a round costs, so nodes come with their current attempts in one query, and literal maps — the only large
 * columns — are read when asked for.
 */
#include "controlplane/store/progress.h"

#include "base/json.h"
#include "base/text.h"
#include "controlplane/store/executions.h"

#include "flyteidl/admin/node_execution.pb-c.h"

/* ---- Enums and messages ---- */

static const char *enum_name(const ProtobufCEnumDescriptor *descriptor, int value)
{
	const ProtobufCEnumValue *entry = protobuf_c_enum_descriptor_get_value(descriptor, value);
	return entry ? entry->name : "UNDEFINED";
}

static int enum_value(const ProtobufCEnumDescriptor *descriptor, const char *name)
{
	const ProtobufCEnumValue *entry = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
	return entry ? entry->value : 0;
}

#define WORKFLOW_PHASES (&flyteidl__core__workflow_execution__phase__descriptor)
#define NODE_PHASES (&flyteidl__core__node_execution__phase__descriptor)
#define TASK_PHASES (&flyteidl__core__task_execution__phase__descriptor)
#define ERROR_KINDS (&flyteidl__core__execution_error__error_kind__descriptor)

/* SQL null for NULL. */
static struct database_value message_value(struct arena *arena, const ProtobufCMessage *message)
{
	if (!message)
		return DB_NULL;
	struct proto_bytes bytes = proto_pack(arena, message);
	if (!bytes.data) /* an empty message is not the same as none */
		bytes.data = (const uint8_t *)"";
	return DB_BYTES(bytes);
}

static struct database_value literals_value(struct arena *arena, const Flyteidl__Core__LiteralMap *literals)
{
	if (!literals || protobuf_c_message_get_packed_size(&literals->base) > PROGRESS_INLINE_MAXIMUM)
		return DB_NULL;
	return message_value(arena, &literals->base);
}

static struct database_value time_value(int64_t at_ns)
{
	return at_ns ? DB_TIME(at_ns) : DB_NULL;
}

/* Whole microseconds between two times, for `$n * interval '1 microsecond'`; null while one is unknown. */
static struct database_value duration_value(int64_t from_ns, int64_t to_ns)
{
	return from_ns && to_ns ? DB_INT((to_ns - from_ns) / 1000) : DB_NULL;
}

static struct database_value text_value(const char *text)
{
	return DB_TEXT(text ? text : "");
}

static struct database_value error_kind_value(const Flyteidl__Core__ExecutionError *error)
{
	return DB_TEXT(error ? enum_name(ERROR_KINDS, (int)error->kind) : "");
}

static struct database_value error_code_value(const Flyteidl__Core__ExecutionError *error)
{
	return DB_TEXT(error ? error->code : "");
}

static struct database_value error_value(struct arena *arena, const Flyteidl__Core__ExecutionError *error)
{
	return message_value(arena, error ? &error->base : NULL);
}

/* ---- Executions ---- */

int progress_load_definition(struct database_connection *c, struct arena *arena, int64_t id,
                             struct progress_definition *ret_definition, struct err *e)
{
	struct database_rows rows;
	const char *sql = "select e.project, e.domain, e.name, w.project, w.domain, w.name, w.version, "
	                  "coalesce(l.name, ''), e.spec, w.closure,"
	                  " e.inputs, e.inputs_uri, e.resource_policy, e.plugin_overrides,"
	                  " case when e.mode = $2::smallint then coalesce(e.source_execution_id, 0) else 0 end"
	                  " from executions e join workflows w on w.id = e.workflow_id"
	                  " left join launch_plans l on l.id = e.launch_plan_id where e.id = $1";
	const struct database_value values[] = {
		DB_INT(id), DB_INT(FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED)
	};
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return err_set(e, ERR_NOT_FOUND, NULL, "there is no execution with row id %lld and a workflow",
		               (long long)id);
	struct progress_definition d = {
		.id = id,
		.project = database_text(&rows, 0, 0),
		.domain = database_text(&rows, 0, 1),
		.name = database_text(&rows, 0, 2),
		.workflow_project = database_text(&rows, 0, 3),
		.workflow_domain = database_text(&rows, 0, 4),
		.workflow_name = database_text(&rows, 0, 5),
		.workflow_version = database_text(&rows, 0, 6),
		.launch_plan_name = database_text(&rows, 0, 7),
		.inputs_uri = database_text(&rows, 0, 11),
		.resource_policy = database_text(&rows, 0, 12),
		.recovered_id = database_int(&rows, 0, 14),
	};
	const struct proto_bytes spec = database_bytes(&rows, 0, 8), closure = database_bytes(&rows, 0, 9);
	d.spec = proto_unpack(arena, flyteidl__admin__execution_spec, spec.data, spec.length, e);
	if (!d.spec)
		return err_wrap(e, "the stored spec of execution \"%s\"", d.name);
	d.closure = proto_unpack(arena, flyteidl__core__compiled_workflow_closure, closure.data, closure.length, e);
	if (!d.closure)
		return err_wrap(e, "the stored closure of workflow \"%s\"", d.workflow_name);
	if (!database_is_null(&rows, 0, 10)) {
		const struct proto_bytes inputs = database_bytes(&rows, 0, 10);
		d.inputs = proto_unpack(arena, flyteidl__core__literal_map, inputs.data, inputs.length, e);
		if (!d.inputs)
			return err_wrap(e, "the stored inputs of execution \"%s\"", d.name);
	}
	if (!database_is_null(&rows, 0, 13)) {
		const struct proto_bytes plugins = database_bytes(&rows, 0, 13);
		d.plugin_overrides =
		        proto_unpack(arena, flyteidl__admin__plugin_overrides, plugins.data, plugins.length, e);
		if (!d.plugin_overrides)
			return err_wrap(e, "the stored plugin overrides of execution \"%s\"", d.name);
	}
	*ret_definition = d;
	return 0;
}

static bool execution_exists(struct database_connection *c, struct arena *arena, int64_t id, bool *ret_exists,
                             struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, "select 1 from executions where id = $1", (struct database_value[]){ DB_INT(id) },
	                   1, &rows, e) < 0)
		return false;
	*ret_exists = rows.count > 0;
	return true;
}

int progress_lock(struct database_connection *c, struct arena *arena, int64_t id, enum progress_lock *ret_lock,
                  struct progress_execution *ret_execution, struct err *e)
{
	struct database_rows rows;
	const char *sql = "select phase, abort_cause, started_at, outputs_uri, error, engine_replica from executions where id = $1"
	                  " for update skip locked";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(id) }, 1, &rows, e) < 0)
		return -1;
	if (rows.count == 0) {
		bool exists;
		if (!execution_exists(c, arena, id, &exists, e))
			return -1;
		*ret_lock = exists ? PROGRESS_BUSY : PROGRESS_GONE;
		return 0;
	}
	*ret_execution = (struct progress_execution){
		.id = id,
		.phase = (Flyteidl__Core__WorkflowExecution__Phase)enum_value(WORKFLOW_PHASES,
		                                                              database_text(&rows, 0, 0)),
		.abort_cause = database_text(&rows, 0, 1),
		.started_at_ns = database_time(&rows, 0, 2),
		.outputs_uri = database_text(&rows, 0, 3),
		.replica = database_text(&rows, 0, 5),
	};
	const struct proto_bytes error = database_bytes(&rows, 0, 4);
	if (error.data) {
		ret_execution->error =
		        proto_unpack(arena, flyteidl__core__execution_error, error.data, error.length, e);
		if (!ret_execution->error)
			return err_wrap(e, "the stored error of an execution");
	}
	*ret_lock = PROGRESS_LOCKED;
	return 0;
}

static int wake_parent(struct database_connection *c, int64_t id, struct err *e)
{
	const struct database_value values[] = { DB_INT(id), DB_TEXT(EXECUTIONS_CHANNEL) };
	const char *sql = "select pg_notify($2, n.execution_id::text) from executions e"
	                  " join node_executions n on n.id = e.parent_node_execution_id where e.id = $1";
	return database_execute(c, sql, values, ARRAY_LENGTH(values), e) < 0 ? -1 : 0;
}

int progress_save_execution(struct database_connection *c, struct arena *arena, const struct progress_execution *x,
                            struct err *e)
{
	const struct database_value values[] = {
		DB_INT(x->id),
		DB_TEXT(enum_name(WORKFLOW_PHASES, (int)x->phase)),
		time_value(x->started_at_ns),
		time_value(x->ended_at_ns),
		duration_value(x->started_at_ns, x->ended_at_ns),
		literals_value(arena, x->outputs),
		text_value(x->outputs_uri),
		error_value(arena, x->error),
		error_kind_value(x->error),
		error_code_value(x->error),
		text_value(x->replica),
	};
	const char *sql =
	        "update executions set phase = $2, started_at = $3, ended_at = $4, duration = $5 * interval '1 "
	        "microsecond',"
	        " outputs = $6, outputs_uri = $7, error = $8, error_kind = $9, error_code = $10, engine_replica = $11,"
	        " execution_created_at = coalesce(execution_created_at, created_at), updated_at = now() where id = $1";
	if (database_execute(c, sql, values, ARRAY_LENGTH(values), e) < 0)
		return -1;
	return progress_execution_is_finished(x->phase) ? wake_parent(c, x->id, e) : 0;
}

static struct progress_ids read_ids(struct arena *arena, const struct database_rows *rows)
{
	const struct progress_ids ids = { .count = rows->count, .ids = arena_array(arena, int64_t, rows->count) };
	for (size_t i = 0; i < rows->count; i++)
		ids.ids[i] = database_int(rows, i, 0);
	return ids;
}

int progress_unfinished(struct database_connection *c, struct arena *arena, struct progress_ids *ret_ids, struct err *e)
{
	struct database_rows rows;
	/* The condition of the index executions_unfinished. */
	const char *sql = "select id from executions where phase not in ('SUCCEEDED', 'FAILED', 'ABORTED', "
	                  "'TIMED_OUT') order by id";
	if (database_query(c, arena, sql, NULL, 0, &rows, e) < 0)
		return -1;
	*ret_ids = read_ids(arena, &rows);
	return 0;
}

int progress_over(struct database_connection *c, struct arena *arena, const struct progress_ids *ids, int64_t before_ns,
                  struct progress_ids *ret_ids, struct err *e)
{
	struct database_rows rows;
	auto_json json_t *list = json_array();
	for (size_t i = 0; i < ids->count; i++)
		json_array_append_new(list, json_integer(ids->ids[i]));
	auto_free char *text = json_to_text(list);
	const char *sql = "select x.id from (select value::bigint as id from json_array_elements_text($1::json)) as x"
	                  " where not exists (select 1 from executions e where e.id = x.id"
	                  " and (e.ended_at is null or e.ended_at > $2)) order by x.id";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_TEXT(text), DB_TIME(before_ns) }, 2, &rows, e) <
	    0)
		return -1;
	*ret_ids = read_ids(arena, &rows);
	return 0;
}

/* ---- Nodes and task attempts ---- */

static int read_task(struct arena *arena, const struct database_rows *rows, size_t row, size_t column,
                     struct progress_task **ret_task, struct err *e)
{
	if (database_is_null(rows, row, column))
		return 0;
	struct progress_task *t = arena_new(arena, struct progress_task);
	*t = (struct progress_task){
		.row_id = database_int(rows, row, column),
		.attempt = (uint32_t)database_int(rows, row, column + 1),
		.phase = (Flyteidl__Core__TaskExecution__Phase)enum_value(TASK_PHASES,
		                                                          database_text(rows, row, column + 2)),
		.phase_version = (uint32_t)database_int(rows, row, column + 3),
		.task_type = database_text(rows, row, column + 4),
		.inputs_uri = database_text(rows, row, column + 5),
		.outputs_uri = database_text(rows, row, column + 6),
		.reason = database_text(rows, row, column + 7),
		.pod_namespace = database_text(rows, row, column + 9),
		.pod_name = database_text(rows, row, column + 10),
		.created_at_ns = database_time(rows, row, column + 11),
		.started_at_ns = database_time(rows, row, column + 12),
		.ended_at_ns = database_time(rows, row, column + 13),
		.is_array = !database_is_null(rows, row, column + 14),
		.array_size = (uint32_t)database_int(rows, row, column + 14),
		.array_begun = (uint32_t)database_int(rows, row, column + 15),
		.array_succeeded = (uint32_t)database_int(rows, row, column + 16),
		.array_failed = (uint32_t)database_int(rows, row, column + 17),
		.connector = database_bool(rows, row, column + 18),
	};
	const struct proto_bytes bytes = database_bytes(rows, row, column + 8);
	if (bytes.data) {
		t->closure = proto_unpack(arena, flyteidl__admin__task_execution_closure, bytes.data, bytes.length, e);
		if (!t->closure)
			return err_wrap(e, "the stored closure of a task execution");
		t->closure->reasons = proto_copy_array(arena, t->closure->reasons, t->closure->n_reasons);
	} else {
		t->closure = proto_new(arena, flyteidl__admin__task_execution_closure);
	}
	*ret_task = t;
	return 0;
}

static int load_elements(struct database_connection *c, struct arena *arena, const struct progress_node *n,
                         struct err *e)
{
	const bool active = n->phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__QUEUED ||
	                    n->phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__RUNNING;
	if (!active || !n->task || !n->task->is_array)
		return 0;
	return array_elements_load_active(c, arena, n->task->row_id, &n->task->elements, e);
}

static int read_target_metadata(struct arena *arena, const struct database_rows *rows, size_t row, size_t column,
                                struct progress_node *n, struct err *e)
{
	const struct proto_bytes bytes = database_bytes(rows, row, column);
	n->checkpoint_uri = "";
	n->cache_tag = database_text(rows, row, column + 1);
	n->previous_checkpoint_uri = database_text(rows, row, column + 2);
	if (!bytes.data)
		return 0;
	const Flyteidl__Admin__NodeExecutionClosure *closure =
	        proto_unpack(arena, flyteidl__admin__node_execution_closure, bytes.data, bytes.length, e);
	if (!closure)
		return err_wrap(e, "the stored metadata of its target");
	if (closure->target_metadata_case ==
	    FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__TARGET_METADATA_TASK_NODE_METADATA) {
		n->checkpoint_uri = closure->task_node_metadata->checkpoint_uri;
		n->cache_status = closure->task_node_metadata->cache_status;
		n->cache_metadata = closure->task_node_metadata->catalog_key;
	}
	return 0;
}

int progress_load_nodes(struct database_connection *c, struct arena *arena, int64_t execution_id,
                        struct progress_nodes *ret_nodes, struct err *e)
{
	struct database_rows rows;
	const char *sql =
	        "select n.id, n.node_id, n.spec_node_id, coalesce(n.parent_id, 0), n.retry_group, n.is_parent, "
	        "n.is_array, n.is_dynamic, n.phase,"
	        " n.node_name, n.inputs_uri, n.outputs_uri, n.deck_uri, n.created_at, n.started_at, n.ended_at, "
	        "n.engine_attempt,"
	        " n.engine_user_failures, n.engine_system_failures, n.engine_retry_at, n.engine_recheck_at, n.error,"
	        " t.id, t.retry_attempt, t.phase, t.phase_version, t.task_type, t.inputs_uri, t.outputs_uri, t.reason, "
	        "t.closure,"
	        " t.pod_namespace, t.pod_name, t.task_execution_created_at, t.started_at, t.ended_at, t.array_size,"
	        " t.array_begun, t.array_succeeded, t.array_failed, t.connector,"
	        " case when n.ended_at is null then n.target_metadata end, n.engine_cache_tag, "
	        "n.engine_previous_checkpoint"
	        " from node_executions n left join task_executions t on t.node_execution_id = n.id and t.retry_attempt "
	        "= n.engine_attempt"
	        " where n.execution_id = $1 order by n.id";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(execution_id) }, 1, &rows, e) < 0)
		return -1;
	struct progress_node *nodes = arena_array(arena, struct progress_node, rows.count);
	for (size_t i = 0; i < rows.count; i++) {
		struct progress_node *n = &nodes[i];
		*n = (struct progress_node){
			.row_id = database_int(&rows, i, 0),
			.node_id = database_text(&rows, i, 1),
			.spec_node_id = database_text(&rows, i, 2),
			.parent_row_id = database_int(&rows, i, 3),
			.retry_group = database_text(&rows, i, 4),
			.is_parent = database_bool(&rows, i, 5),
			.is_array = database_bool(&rows, i, 6),
			.is_dynamic = database_bool(&rows, i, 7),
			.phase = (Flyteidl__Core__NodeExecution__Phase)enum_value(NODE_PHASES,
			                                                          database_text(&rows, i, 8)),
			.node_name = database_text(&rows, i, 9),
			.inputs_uri = database_text(&rows, i, 10),
			.outputs_uri = database_text(&rows, i, 11),
			.deck_uri = database_text(&rows, i, 12),
			.created_at_ns = database_time(&rows, i, 13),
			.started_at_ns = database_time(&rows, i, 14),
			.ended_at_ns = database_time(&rows, i, 15),
			.attempt = (uint32_t)database_int(&rows, i, 16),
			.user_failures = (uint32_t)database_int(&rows, i, 17),
			.system_failures = (uint32_t)database_int(&rows, i, 18),
			.retry_at_ns = database_time(&rows, i, 19),
			.recheck_at_ns = database_time(&rows, i, 20),
		};
		const struct proto_bytes error = database_bytes(&rows, i, 21);
		if (error.data) {
			n->error = proto_unpack(arena, flyteidl__core__execution_error, error.data, error.length, e);
			if (!n->error)
				return err_wrap(e, "the stored error of node \"%s\"", n->node_id);
		}
		if (read_task(arena, &rows, i, 22, &n->task, e) < 0 || load_elements(c, arena, n, e) < 0 ||
		    read_target_metadata(arena, &rows, i, 41, n, e) < 0)
			return err_wrap(e, "node \"%s\"", n->node_id);
	}
	*ret_nodes = (struct progress_nodes){ .count = rows.count, .nodes = nodes };
	return 0;
}

int progress_load_recovered(struct database_connection *c, struct arena *arena, int64_t execution_id,
                            const char *node_id, struct progress_recovered *ret_recovered, struct err *e)
{
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(node_id) };
	struct database_rows rows;
	if (database_query(
	            c, arena,
	            "select phase, outputs, outputs_uri, deck_uri, target_metadata, '', '', inputs_uri, engine_attempt"
	            " from node_executions where execution_id = $1 and node_id = $2",
	            values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	if (rows.count == 0)
		return 0;
	struct progress_node node = { .row_id = 0 };
	if (read_target_metadata(arena, &rows, 0, 4, &node, e) < 0)
		return err_wrap(e, "node \"%s\" of the execution that is recovered", node_id);
	*ret_recovered = (struct progress_recovered){
		.phase = (Flyteidl__Core__NodeExecution__Phase)enum_value(NODE_PHASES, database_text(&rows, 0, 0)),
		.outputs_uri = database_text(&rows, 0, 2),
		.deck_uri = database_text(&rows, 0, 3),
		.checkpoint_uri = node.checkpoint_uri,
		.inputs_uri = database_text(&rows, 0, 7),
		.attempt = (uint32_t)database_int(&rows, 0, 8),
	};
	const struct proto_bytes bytes = database_bytes(&rows, 0, 1);
	if (bytes.data &&
	    !(ret_recovered->outputs = proto_unpack(arena, flyteidl__core__literal_map, bytes.data, bytes.length, e)))
		return err_wrap(e, "the stored outputs of node \"%s\"", node_id);
	return 1;
}

int progress_load_outputs(struct database_connection *c, struct arena *arena, int64_t node_row_id,
                          const Flyteidl__Core__LiteralMap **ret_outputs, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, "select outputs from node_executions where id = $1",
	                   (struct database_value[]){ DB_INT(node_row_id) }, 1, &rows, e) < 0)
		return -1;
	*ret_outputs = NULL;
	if (rows.count == 0 || database_is_null(&rows, 0, 0))
		return 0;
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	*ret_outputs = proto_unpack(arena, flyteidl__core__literal_map, bytes.data, bytes.length, e);
	return *ret_outputs ? 0 : err_wrap(e, "the stored outputs of a node");
}

int progress_load_dynamic(struct database_connection *c, struct arena *arena, int64_t node_row_id,
                          const Flyteidl__Core__CompiledWorkflowClosure **ret_closure, struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, "select dynamic_closure from node_executions where id = $1",
	                   (struct database_value[]){ DB_INT(node_row_id) }, 1, &rows, e) < 0)
		return -1;
	if (rows.count == 0 || database_is_null(&rows, 0, 0))
		return err_set(e, ERR_NOT_FOUND, NULL, "a dynamic node has no workflow");
	const struct proto_bytes bytes = database_bytes(&rows, 0, 0);
	*ret_closure = proto_unpack(arena, flyteidl__core__compiled_workflow_closure, bytes.data, bytes.length, e);
	return *ret_closure ? 0 : err_wrap(e, "the stored workflow of a dynamic node");
}

static struct database_value target_metadata_value(struct arena *arena, const struct progress_node *n)
{
	if (text_is_empty(n->checkpoint_uri) && n->cache_status == 0 && !n->child)
		return DB_NULL;
	Flyteidl__Admin__NodeExecutionClosure *closure = proto_new(arena, flyteidl__admin__node_execution_closure);
	if (n->child) {
		Flyteidl__Admin__WorkflowNodeMetadata *metadata =
		        proto_new(arena, flyteidl__admin__workflow_node_metadata);
		metadata->executionid = n->child;
		closure->target_metadata_case =
		        FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__TARGET_METADATA_WORKFLOW_NODE_METADATA;
		closure->workflow_node_metadata = metadata;
	} else {
		Flyteidl__Admin__TaskNodeMetadata *metadata = proto_new(arena, flyteidl__admin__task_node_metadata);
		metadata->checkpoint_uri = arena_strdup(arena, n->checkpoint_uri ? n->checkpoint_uri : "");
		metadata->cache_status = n->cache_status;
		metadata->catalog_key = n->cache_metadata;
		closure->target_metadata_case =
		        FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__TARGET_METADATA_TASK_NODE_METADATA;
		closure->task_node_metadata = metadata;
	}
	return message_value(arena, &closure->base);
}

static int insert_node(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct progress_node *n, struct err *e)
{
	const struct database_value values[] = {
		DB_INT(execution_id),        DB_TEXT(n->node_id),
		text_value(n->spec_node_id), n->parent_row_id ? DB_INT(n->parent_row_id) : DB_NULL,
		text_value(n->retry_group),  DB_BOOL(n->is_parent),
		DB_BOOL(n->is_array),        DB_BOOL(n->is_dynamic),
		text_value(n->node_name),    time_value(n->created_at_ns),
	};
	struct database_rows rows;
	const char *sql = "insert into node_executions (execution_id, node_id, spec_node_id, parent_id, retry_group, "
	                  "is_parent, is_array,"
	                  " is_dynamic, node_name, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
	                  "coalesce($10, now())) returning id";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	n->row_id = database_int(&rows, 0, 0);
	return 0;
}

int progress_save_node(struct database_connection *c, struct arena *arena, int64_t execution_id,
                       struct progress_node *n, struct err *e)
{
	if (!n->row_id && insert_node(c, arena, execution_id, n, e) < 0)
		return -1;
	const struct database_value values[] = {
		DB_INT(n->row_id),
		DB_TEXT(enum_name(NODE_PHASES, (int)n->phase)),
		literals_value(arena, n->inputs),
		text_value(n->inputs_uri),
		literals_value(arena, n->outputs),
		text_value(n->outputs_uri),
		text_value(n->deck_uri),
		error_value(arena, n->error),
		error_kind_value(n->error),
		error_code_value(n->error),
		target_metadata_value(arena, n),
		time_value(n->started_at_ns),
		time_value(n->ended_at_ns),
		duration_value(n->started_at_ns, n->ended_at_ns),
		DB_INT(n->attempt),
		DB_INT(n->user_failures),
		DB_INT(n->system_failures),
		time_value(n->retry_at_ns),
		time_value(n->recheck_at_ns),
		DB_BOOL(n->is_parent),
		DB_BOOL(n->is_dynamic),
		text_value(n->cache_tag),
		text_value(n->previous_checkpoint_uri),
		text_value(n->dynamic_workflow_uri),
		message_value(arena, n->dynamic ? &n->dynamic->base : NULL),
	};
	/* Large or unloaded literals come as null and must not wipe what is there. */
	const char *sql = "update node_executions set phase = $2, inputs = coalesce($3, inputs), inputs_uri = $4,"
	                  " outputs = coalesce($5, outputs), outputs_uri = $6, deck_uri = $7, error = $8, error_kind = "
	                  "$9, error_code = $10,"
	                  " target_metadata = coalesce($11, target_metadata), started_at = $12, ended_at = $13,"
	                  " duration = $14 * interval '1 microsecond', engine_attempt = $15::integer, "
	                  "engine_user_failures = $16::integer,"
	                  " engine_system_failures = $17::integer, engine_retry_at = $18, engine_recheck_at = $19, "
	                  "is_parent = $20,"
	                  " is_dynamic = $21, engine_cache_tag = $22, engine_previous_checkpoint = $23,"
	                  " dynamic_workflow_uri = coalesce(nullif($24, ''), dynamic_workflow_uri),"
	                  " dynamic_closure = coalesce($25, dynamic_closure), updated_at = now() where id = $1";
	if (database_execute(c, sql, values, ARRAY_LENGTH(values), e) < 0)
		return err_wrap(e, "cannot save node \"%s\"", n->node_id);
	n->changed = false;
	n->dynamic = NULL; /* saved once */
	return 0;
}

static int insert_task(struct database_connection *c, struct arena *arena, int64_t execution_id, int64_t node_row_id,
                       struct progress_task *t, struct err *e)
{
	const struct database_value values[] = {
		DB_INT(node_row_id),
		DB_INT(execution_id),
		DB_INT(t->attempt),
		text_value(t->id->project),
		text_value(t->id->domain),
		text_value(t->id->name),
		text_value(t->id->version),
		text_value(t->task_type),
		text_value(t->inputs_uri),
		text_value(t->pod_namespace),
		text_value(t->pod_name),
		time_value(t->created_at_ns),
		t->is_array ? DB_INT(t->array_size) : DB_NULL,
	};
	struct database_rows rows;
	const char *sql =
	        "insert into task_executions (node_execution_id, execution_id, retry_attempt, project, "
	        "domain, name, version,"
	        " task_type, inputs_uri, pod_namespace, pod_name, task_execution_created_at, array_size)"
	        " values ($1, $2, $3::integer, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::integer) returning id";
	if (database_query(c, arena, sql, values, ARRAY_LENGTH(values), &rows, e) < 0)
		return -1;
	t->row_id = database_int(&rows, 0, 0);
	return 0;
}

int progress_save_task(struct database_connection *c, struct arena *arena, int64_t execution_id, int64_t node_row_id,
                       struct progress_task *t, struct err *e)
{
	if (!t->row_id && insert_task(c, arena, execution_id, node_row_id, t, e) < 0)
		return err_wrap(e, "cannot save attempt %u of a task", t->attempt);
	const struct database_value values[] = {
		DB_INT(t->row_id),
		DB_TEXT(enum_name(TASK_PHASES, (int)t->phase)),
		DB_INT(t->phase_version),
		literals_value(arena, t->outputs),
		text_value(t->outputs_uri),
		error_value(arena, t->error),
		error_kind_value(t->error),
		error_code_value(t->error),
		text_value(t->reason),
		message_value(arena, &t->closure->base),
		time_value(t->started_at_ns),
		time_value(t->ended_at_ns),
		duration_value(t->started_at_ns, t->ended_at_ns),
		DB_INT(t->array_begun),
		DB_INT(t->array_succeeded),
		DB_INT(t->array_failed),
		DB_BOOL(t->connector),
	};
	const char *sql =
	        "update task_executions set phase = $2, phase_version = $3::integer, outputs = coalesce($4, outputs),"
	        " outputs_uri = $5, error = $6, error_kind = $7, error_code = $8, reason = $9, closure = $10, "
	        "started_at = $11,"
	        " ended_at = $12, duration = $13 * interval '1 microsecond', array_begun = $14::integer,"
	        " array_succeeded = $15::integer, array_failed = $16::integer, connector = $17, updated_at = now() where id = $1";
	if (database_execute(c, sql, values, ARRAY_LENGTH(values), e) < 0)
		return err_wrap(e, "cannot save attempt %u of a task", t->attempt);
	t->changed = false;
	return 0;
}
