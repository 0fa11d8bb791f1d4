/*
 * What changes often — phase, times, error, outputs — is in columns, the rest of a closure in serialized form where
 * clients need more than columns hold. Each function here lays the columns over the rest.
 */
#include "controlplane/api/execution_messages.h"

#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/launch/ids.h"

#define TRIMMED_MESSAGE_LENGTH 100
#define NANOSECONDS INT64_C(1000000000)

/* The value of a stored enum name; 0 — UNDEFINED in every phase enum — for one that we do not know. */
static int enum_value(const ProtobufCEnumDescriptor *descriptor, const char *name)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value_by_name(descriptor, name);
	return value ? value->value : 0;
}

static Google__Protobuf__Timestamp *timestamp_or_null(struct arena *arena, int64_t wall_ns)
{
	return wall_ns == 0 ? NULL : api_timestamp(arena, wall_ns);
}

static Google__Protobuf__Duration *duration_or_null(struct arena *arena, int64_t duration_ns)
{
	if (duration_ns < 0)
		return NULL;
	Google__Protobuf__Duration *duration = proto_new(arena, google__protobuf__duration);
	duration->seconds = duration_ns / NANOSECONDS;
	duration->nanos = (int32_t)(duration_ns % NANOSECONDS);
	return duration;
}

/* The first bytes of `message`, without a character that would be cut in two. */
static char *trim(struct arena *arena, const char *message)
{
	size_t length = strnlen(message, TRIMMED_MESSAGE_LENGTH + 1);
	if (length > TRIMMED_MESSAGE_LENGTH) {
		length = TRIMMED_MESSAGE_LENGTH;
		while (length > 0 && ((unsigned char)message[length] & 0xc0) == 0x80)
			length--;
	}
	return arena_strndup(arena, message, length);
}

static int read_error(struct arena *arena, struct proto_bytes bytes, enum message_detail detail,
                      Flyteidl__Core__ExecutionError **ret_error, struct err *e)
{
	*ret_error = NULL;
	if (!bytes.data)
		return 0;
	Flyteidl__Core__ExecutionError *error =
	        proto_unpack(arena, flyteidl__core__execution_error, bytes.data, bytes.length, e);
	if (!error)
		return -1;
	if (detail == MESSAGE_IN_LIST)
		error->message = trim(arena, error->message);
	*ret_error = error;
	return 0;
}

/* What cannot be read back is our fault, not the client's: INTERNAL, whatever the parser said. */
static void *damaged(const char *what, const char *name, struct err *e)
{
	err_set(e, ERR_INTERNAL, "damaged-row", "the stored %s \"%s\" cannot be read", what, name);
	return NULL;
}

static Flyteidl__Admin__ExecutionSpec *execution_spec(struct arena *arena, const struct execution_row *row,
                                                      struct err *e)
{
	Flyteidl__Admin__ExecutionSpec *spec =
	        proto_unpack(arena, flyteidl__admin__execution_spec, row->spec.data, row->spec.length, e);
	if (!spec)
		return NULL;
	if (!spec->metadata)
		spec->metadata = proto_new(arena, flyteidl__admin__execution_metadata);
	if (!spec->metadata->system_metadata)
		spec->metadata->system_metadata = proto_new(arena, flyteidl__admin__system_metadata);
	if (text_is_empty(spec->metadata->system_metadata->namespace_))
		spec->metadata->system_metadata->namespace_ = arena_printf(arena, "%s-%s", row->project, row->domain);
	return spec;
}

static int set_execution_result(struct arena *arena, const struct execution_row *row, enum message_detail detail,
                                Flyteidl__Admin__ExecutionClosure *closure, struct err *e)
{
	Flyteidl__Core__ExecutionError *error;
	if (read_error(arena, row->error, detail, &error, e) < 0)
		return -1;
	if (closure->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED ||
	    closure->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTING) {
		closure->output_result_case = FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ABORT_METADATA;
		closure->abort_metadata = proto_new(arena, flyteidl__admin__abort_metadata);
		closure->abort_metadata->cause = arena_strdup(arena, row->abort_cause);
		closure->abort_metadata->principal = arena_strdup(arena, row->abort_principal);
	} else if (error) {
		closure->output_result_case = FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = error;
	} else if (closure->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED &&
	           !text_is_empty(row->outputs_uri)) {
		closure->output_result_case = FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_OUTPUTS;
		closure->outputs = proto_new(arena, flyteidl__admin__literal_map_blob);
		closure->outputs->data_case = FLYTEIDL__ADMIN__LITERAL_MAP_BLOB__DATA_URI;
		closure->outputs->uri = arena_strdup(arena, row->outputs_uri);
	}
	return 0;
}

Flyteidl__Admin__Execution *execution_message(struct arena *arena, const struct execution_row *row,
                                              enum message_detail detail, struct err *e)
{
	Flyteidl__Admin__Execution *message = proto_new(arena, flyteidl__admin__execution);
	message->id = ids_new_execution(arena, row->project, row->domain, row->name);
	message->spec = execution_spec(arena, row, e);
	if (!message->spec)
		return damaged("specification of execution", row->name, e);

	Flyteidl__Admin__ExecutionClosure *closure = proto_new(arena, flyteidl__admin__execution_closure);
	message->closure = closure;
	closure->phase = enum_value(&flyteidl__core__workflow_execution__phase__descriptor, row->phase);
	closure->created_at = timestamp_or_null(arena, row->created_at);
	closure->started_at = timestamp_or_null(arena, row->started_at);
	closure->updated_at = timestamp_or_null(arena, row->updated_at);
	closure->duration = duration_or_null(arena, row->duration_ns);
	if (!text_is_empty(row->workflow_name))
		closure->workflow_id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, row->workflow_project,
		                               row->workflow_domain, row->workflow_name, row->workflow_version);
	closure->state_change_details = proto_new(arena, flyteidl__admin__execution_state_change_details);
	closure->state_change_details->state = (Flyteidl__Admin__ExecutionState)row->state;
	closure->state_change_details->occurred_at = timestamp_or_null(arena, row->state_updated_at);
	closure->state_change_details->principal = arena_strdup(arena, row->state_principal);
	if (row->notifications.data) {
		Flyteidl__Admin__NotificationList *list =
		        proto_unpack(arena, flyteidl__admin__notification_list, row->notifications.data,
		                     row->notifications.length, e);
		if (!list)
			return damaged("notifications of execution", row->name, e);
		closure->notifications = list->notifications;
		closure->n_notifications = list->n_notifications;
	}
	if (set_execution_result(arena, row, detail, closure, e) < 0)
		return damaged("error of execution", row->name, e);
	return message;
}

Flyteidl__Core__NodeExecutionIdentifier *node_execution_identifier(struct arena *arena,
                                                                   const struct node_execution_key *key)
{
	Flyteidl__Core__NodeExecutionIdentifier *id = proto_new(arena, flyteidl__core__node_execution_identifier);
	id->node_id = arena_strdup(arena, key->node_id);
	id->execution_id = ids_new_execution(arena, key->project, key->domain, key->execution_name);
	return id;
}

Flyteidl__Core__TaskExecutionIdentifier *task_execution_identifier(struct arena *arena,
                                                                   const struct task_execution_key *key)
{
	Flyteidl__Core__TaskExecutionIdentifier *id = proto_new(arena, flyteidl__core__task_execution_identifier);
	id->task_id = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, key->task_project, key->task_domain,
	                      key->task_name, key->task_version);
	id->node_execution_id = node_execution_identifier(arena, &key->node);
	id->retry_attempt = key->retry_attempt;
	return id;
}

struct node_execution_key node_execution_row_key(const struct node_execution_row *row)
{
	return (struct node_execution_key){ row->project, row->domain, row->execution_name, row->node_id };
}

struct task_execution_key task_execution_row_key(const struct task_execution_row *row)
{
	return (struct task_execution_key){
		.node = row->node,
		.task_project = row->task_project,
		.task_domain = row->task_domain,
		.task_name = row->task_name,
		.task_version = row->task_version,
		.retry_attempt = row->retry_attempt,
	};
}

static Flyteidl__Admin__NodeExecutionClosure *node_closure(struct arena *arena, const struct node_execution_row *row,
                                                           enum message_detail detail, struct err *e)
{
	/* With target_metadata, if there is any. */
	Flyteidl__Admin__NodeExecutionClosure *closure =
	        proto_unpack(arena, flyteidl__admin__node_execution_closure, row->target_metadata.data,
	                     row->target_metadata.length, e);
	Flyteidl__Core__ExecutionError *error;
	if (!closure || read_error(arena, row->error, detail, &error, e) < 0)
		return NULL;
	closure->phase = enum_value(&flyteidl__core__node_execution__phase__descriptor, row->phase);
	closure->created_at = timestamp_or_null(arena, row->created_at);
	closure->started_at = timestamp_or_null(arena, row->started_at);
	closure->updated_at = timestamp_or_null(arena, row->updated_at);
	closure->duration = duration_or_null(arena, row->duration_ns);
	closure->deck_uri = arena_strdup(arena, row->deck_uri);
	if (error) {
		closure->output_result_case = FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = error;
	} else if (!text_is_empty(row->outputs_uri) &&
	           (closure->phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED ||
	            closure->phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__RECOVERED)) {
		closure->output_result_case = FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_OUTPUT_URI;
		closure->output_uri = arena_strdup(arena, row->outputs_uri);
	}
	return closure;
}

Flyteidl__Admin__NodeExecution *node_execution_message(struct arena *arena, const struct node_execution_row *row,
                                                       enum message_detail detail, struct err *e)
{
	struct node_execution_key key = node_execution_row_key(row);
	Flyteidl__Admin__NodeExecution *message = proto_new(arena, flyteidl__admin__node_execution);
	message->id = node_execution_identifier(arena, &key);
	message->input_uri = arena_strdup(arena, row->inputs_uri);
	message->closure = node_closure(arena, row, detail, e);
	if (!message->closure)
		return damaged("node execution", row->node_id, e);
	message->metadata = proto_new(arena, flyteidl__admin__node_execution_meta_data);
	message->metadata->retry_group = arena_strdup(arena, row->retry_group);
	message->metadata->spec_node_id = arena_strdup(arena, row->spec_node_id);
	message->metadata->is_parent_node = row->is_parent;
	message->metadata->is_array = row->is_array;
	message->metadata->is_dynamic = row->is_dynamic;
	return message;
}

static Flyteidl__Admin__TaskExecutionClosure *task_closure(struct arena *arena, const struct task_execution_row *row,
                                                           struct err *e)
{
	Flyteidl__Admin__TaskExecutionClosure *closure =
	        proto_unpack(arena, flyteidl__admin__task_execution_closure, row->closure.data, row->closure.length, e);
	Flyteidl__Core__ExecutionError *error;
	if (!closure || read_error(arena, row->error, MESSAGE_WHOLE, &error, e) < 0)
		return NULL;
	closure->phase = enum_value(&flyteidl__core__task_execution__phase__descriptor, row->phase);
	closure->created_at = timestamp_or_null(arena, row->created_at);
	closure->started_at = timestamp_or_null(arena, row->started_at);
	closure->updated_at = timestamp_or_null(arena, row->updated_at);
	closure->duration = duration_or_null(arena, row->duration_ns);
	closure->reason = arena_strdup(arena, row->reason);
	closure->task_type = arena_strdup(arena, row->task_type);
	if (error) {
		closure->output_result_case = FLYTEIDL__ADMIN__TASK_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR;
		closure->error = error;
	} else if (!text_is_empty(row->outputs_uri) &&
	           closure->phase == FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED) {
		closure->output_result_case = FLYTEIDL__ADMIN__TASK_EXECUTION_CLOSURE__OUTPUT_RESULT_OUTPUT_URI;
		closure->output_uri = arena_strdup(arena, row->outputs_uri);
	}
	return closure;
}

Flyteidl__Admin__TaskExecution *task_execution_message(struct arena *arena, const struct task_execution_row *row,
                                                       struct err *e)
{
	struct task_execution_key key = task_execution_row_key(row);
	Flyteidl__Admin__TaskExecution *message = proto_new(arena, flyteidl__admin__task_execution);
	message->id = task_execution_identifier(arena, &key);
	message->input_uri = arena_strdup(arena, row->inputs_uri);
	message->is_parent = row->is_parent;
	message->closure = task_closure(arena, row, e);
	if (!message->closure)
		return damaged("task execution", row->task_name, e);
	return message;
}
