/*
 * Rows travel to Postgres as one JSON text, which json_to_recordset turns into rows again: a round saves what has
 * changed of an array in one statement, whatever the number, and the statement's text stays the same.
 */
#include "controlplane/store/array_elements.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define NODE_PHASES (&flyteidl__core__node_execution__phase__descriptor)
#define TASK_PHASES (&flyteidl__core__task_execution__phase__descriptor)

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

/* ---- Reading ---- */

static int read_logs(struct arena *arena, const struct database_rows *rows, size_t row, size_t column,
                     size_t *ret_count, Flyteidl__Core__TaskLog ***ret_logs, struct err *e)
{
	const struct proto_bytes bytes = database_bytes(rows, row, column);
	*ret_count = 0;
	*ret_logs = NULL;
	if (!bytes.data)
		return 0;
	const Flyteidl__Admin__TaskExecutionClosure *closure =
	        proto_unpack(arena, flyteidl__admin__task_execution_closure, bytes.data, bytes.length, e);
	if (!closure)
		return err_wrap(e, "the stored links to logs of an element");
	*ret_count = closure->n_logs;
	*ret_logs = closure->logs;
	return 0;
}

static int read_element(struct arena *arena, const struct database_rows *rows, size_t row,
                        struct array_element *ret_element, struct err *e)
{
	struct array_element element = {
		.index = (uint32_t)database_int(rows, row, 0),
		.attempt = (uint32_t)database_int(rows, row, 1),
		.phase = (Flyteidl__Core__NodeExecution__Phase)enum_value(NODE_PHASES, database_text(rows, row, 2)),
		.task_phase =
		        (Flyteidl__Core__TaskExecution__Phase)enum_value(TASK_PHASES, database_text(rows, row, 3)),
		.cache_status = (Flyteidl__Core__CatalogCacheStatus)database_int(rows, row, 4),
		.user_failures = (uint32_t)database_int(rows, row, 5),
		.system_failures = (uint32_t)database_int(rows, row, 6),
		.pod_name = database_text(rows, row, 7),
		.reason = database_text(rows, row, 8),
		.queued_at_ns = database_time(rows, row, 11),
		.created_at_ns = database_time(rows, row, 12),
		.started_at_ns = database_time(rows, row, 13),
		.ended_at_ns = database_time(rows, row, 14),
		.retry_at_ns = database_time(rows, row, 15),
		.recheck_at_ns = database_time(rows, row, 16),
		.cache_tag = database_text(rows, row, 17),
		.child_name = database_text(rows, row, 18),
		.connector = database_bool(rows, row, 19),
	};
	const struct proto_bytes error = database_bytes(rows, row, 9), outputs = database_bytes(rows, row, 10);
	element.has_task = element.created_at_ns != 0;
	if (error.data) {
		element.error = proto_unpack(arena, flyteidl__core__execution_error, error.data, error.length, e);
		if (!element.error)
			return err_wrap(e, "the stored error of element %u", element.index);
	}
	if (outputs.data) {
		element.outputs = proto_unpack(arena, flyteidl__core__literal_map, outputs.data, outputs.length, e);
		if (!element.outputs)
			return err_wrap(e, "the stored outputs of element %u", element.index);
	}
	*ret_element = element;
	return read_logs(arena, rows, row, 20, &ret_element->log_count, &ret_element->logs, e);
}

#define COLUMNS                                                                                                        \
	"element, attempt, phase, task_phase, cache_status, user_failures, system_failures, pod_name, reason, error, " \
	"outputs, queued_at, created_at, started_at, ended_at, retry_at, recheck_at, cache_tag, "                      \
	"child_name, connector, logs from array_elements"

static int load(struct database_connection *c, struct arena *arena, const char *sql,
                const struct database_value *values, size_t value_count, struct array_elements *ret_elements,
                struct err *e)
{
	struct database_rows rows;
	if (database_query(c, arena, sql, values, value_count, &rows, e) < 0)
		return -1;
	struct array_element *list = arena_array(arena, struct array_element, rows.count);
	for (size_t i = 0; i < rows.count; i++) {
		if (read_element(arena, &rows, i, &list[i], e) < 0)
			return -1;
	}
	*ret_elements = (struct array_elements){ .count = rows.count, .list = list };
	return 0;
}

int array_elements_load_active(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                               struct array_elements *ret_elements, struct err *e)
{
	/* The condition of the index array_elements_active. */
	return load(c, arena,
	            "select " COLUMNS
	            " where task_execution_id = $1 and phase in ('QUEUED', 'RUNNING') order by element",
	            (struct database_value[]){ DB_INT(task_execution_id) }, 1, ret_elements, e);
}

int array_elements_load_all(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                            struct array_elements *ret_elements, struct err *e)
{
	return load(c, arena,
	            "select distinct on (element) " COLUMNS
	            " where task_execution_id = $1 order by element, attempt desc",
	            (struct database_value[]){ DB_INT(task_execution_id) }, 1, ret_elements, e);
}

int array_elements_load_succeeded(struct database_connection *c, struct arena *arena, int64_t execution_id,
                                  const char *node_id, struct array_elements *ret_elements, struct err *e)
{
	const struct database_value values[] = { DB_INT(execution_id), DB_TEXT(node_id) };
	return load(c, arena,
	            "select " COLUMNS " where phase in ('SUCCEEDED', 'RECOVERED') and task_execution_id = ("
	            "select te.id from task_executions te join node_executions ne on ne.id = te.node_execution_id"
	            " and te.retry_attempt = ne.engine_attempt where ne.execution_id = $1 and ne.node_id = $2)"
	            " order by element",
	            values, ARRAY_LENGTH(values), ret_elements, e);
}

int array_elements_list(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                        struct array_element_rows *ret_rows, struct err *e)
{
	struct database_rows rows;
	const char *sql = "select element, attempt, task_phase, cache_status, pod_name, child_name, logs from array_elements"
	                  " where task_execution_id = $1 order by element, attempt";
	if (database_query(c, arena, sql, (struct database_value[]){ DB_INT(task_execution_id) }, 1, &rows, e) < 0)
		return -1;
	struct array_element_row *read = arena_array(arena, struct array_element_row, rows.count);
	for (size_t i = 0; i < rows.count; i++) {
		read[i] = (struct array_element_row){
			.index = (uint32_t)database_int(&rows, i, 0),
			.attempt = (uint32_t)database_int(&rows, i, 1),
			.task_phase = database_text(&rows, i, 2),
			.cache_status = (int)database_int(&rows, i, 3),
			.pod_name = database_text(&rows, i, 4),
			.child_name = database_text(&rows, i, 5),
		};
		if (read_logs(arena, &rows, i, 6, &read[i].log_count, &read[i].logs, e) < 0)
			return -1;
	}
	*ret_rows = (struct array_element_rows){ .count = rows.count, .rows = read };
	return 0;
}

/* ---- Writing ---- */

static void set_text(json_t *row, const char *key, const char *text)
{
	if (!text_is_empty(text))
		json_object_set_new(row, key, json_string(text));
}

static void set_number(json_t *row, const char *key, uint32_t number)
{
	json_object_set_new(row, key, json_integer(number));
}

static void set_time(json_t *row, const char *key, int64_t at_ns)
{
	char text[CLOCK_RFC3339_SIZE];
	if (!at_ns)
		return;
	clock_format_rfc3339(at_ns, text);
	json_object_set_new(row, key, json_string(text));
}

static void set_message(struct arena *arena, json_t *row, const char *key, const ProtobufCMessage *message)
{
	const struct proto_bytes bytes = proto_pack(arena, message);
	auto_free char *text = base64_encode(bytes.data, bytes.length);
	json_object_set_new(row, key, json_string(text));
}

static json_t *element_to_json(struct arena *arena, const struct array_element *element)
{
	json_t *row = json_object();
	set_number(row, "element", element->index);
	set_number(row, "attempt", element->attempt);
	set_text(row, "phase", enum_name(NODE_PHASES, (int)element->phase));
	set_text(row, "task_phase", enum_name(TASK_PHASES, (int)element->task_phase));
	set_number(row, "cache_status", (uint32_t)element->cache_status);
	set_number(row, "user_failures", element->user_failures);
	set_number(row, "system_failures", element->system_failures);
	set_text(row, "pod_name", element->pod_name);
	set_text(row, "child_name", element->child_name);
	set_text(row, "reason", element->reason);
	set_text(row, "cache_tag", element->cache_tag);
	json_object_set_new(row, "connector", json_boolean(element->connector));
	if (element->error)
		set_message(arena, row, "error", &element->error->base);
	if (element->outputs &&
	    protobuf_c_message_get_packed_size(&element->outputs->base) <= ARRAY_ELEMENT_INLINE_MAXIMUM)
		set_message(arena, row, "outputs", &element->outputs->base);
	if (element->log_count > 0) {
		Flyteidl__Admin__TaskExecutionClosure *closure =
		        proto_new(arena, flyteidl__admin__task_execution_closure);
		closure->n_logs = element->log_count;
		closure->logs = element->logs;
		set_message(arena, row, "logs", &closure->base);
	}
	set_time(row, "queued_at", element->queued_at_ns);
	set_time(row, "created_at", element->has_task ? element->created_at_ns : 0);
	set_time(row, "started_at", element->started_at_ns);
	set_time(row, "ended_at", element->ended_at_ns);
	set_time(row, "retry_at", element->retry_at_ns);
	set_time(row, "recheck_at", element->recheck_at_ns);
	return row;
}

static const char save_sql[] =
        "insert into array_elements (task_execution_id, element, attempt, phase, task_phase, cache_status, cache_tag,"
        " user_failures, system_failures, pod_name, child_name, connector, reason, error, outputs,"
        " logs, queued_at, created_at, started_at, ended_at, retry_at, recheck_at)"
        " select $1, x.element, x.attempt, x.phase, x.task_phase, x.cache_status, coalesce(x.cache_tag, ''),"
        " x.user_failures, x.system_failures, coalesce(x.pod_name, ''), coalesce(x.child_name, ''), x.connector, coalesce(x.reason, "
        "''),"
        " decode(x.error, 'base64'), decode(x.outputs, 'base64'), decode(x.logs, 'base64'),"
        " x.queued_at, x.created_at, x.started_at, x.ended_at, x.retry_at, x.recheck_at"
        " from json_to_recordset($2::json) as x (element integer, attempt integer, phase text, task_phase text,"
        " cache_status smallint, cache_tag text, user_failures integer, system_failures integer, pod_name text,"
        " child_name text, connector boolean, reason text, error text, outputs text, logs text, queued_at timestamptz, created_at timestamptz,"
        " started_at timestamptz, ended_at timestamptz, retry_at timestamptz, recheck_at timestamptz)"
        " on conflict (task_execution_id, element, attempt) do update set phase = excluded.phase,"
        " task_phase = excluded.task_phase, cache_status = excluded.cache_status, cache_tag = excluded.cache_tag,"
        " user_failures = excluded.user_failures, system_failures = excluded.system_failures,"
        " pod_name = excluded.pod_name, child_name = excluded.child_name, connector = excluded.connector, reason = excluded.reason, error = "
        "excluded.error,"
        " outputs = coalesce(excluded.outputs, array_elements.outputs), logs = excluded.logs, queued_at = excluded.queued_at,"
        " created_at = excluded.created_at, started_at = excluded.started_at, ended_at = excluded.ended_at,"
        " retry_at = excluded.retry_at, recheck_at = excluded.recheck_at";

int array_elements_save(struct database_connection *c, struct arena *arena, int64_t task_execution_id,
                        const struct array_elements *elements, struct err *e)
{
	if (elements->count == 0)
		return 0;
	auto_json json_t *rows = json_array();
	for (size_t i = 0; i < elements->count; i++)
		json_array_append_new(rows, element_to_json(arena, &elements->list[i]));
	auto_free char *text = json_to_text(rows);
	const struct database_value values[] = { DB_INT(task_execution_id), DB_TEXT(text) };
	return database_execute(c, save_sql, values, ARRAY_LENGTH(values), e) < 0
	               ? err_wrap(e, "cannot save elements of an array")
	               : 0;
}
