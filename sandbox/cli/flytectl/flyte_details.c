#include "cli/flytectl/flyte_details.h"

#include "base/text.h"
#include "cli/flytectl/flyte_print.h"
#include "flyte/literal.h"

#include "flyteidl/admin/node_execution.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"

#include <stdarg.h>
#include <string.h>

/* Nodes of one level, attempts of one node: flytectl asks for 100 of each. */
#define LIST_MAXIMUM 1000
#define DEPTH_MAXIMUM 16

static Flyteidl__Core__NodeExecutionIdentifier *node_id(struct flyte *flyte, const char *execution, const char *node)
{
	Flyteidl__Core__NodeExecutionIdentifier *id =
	        proto_new(&flyte->arena, flyteidl__core__node_execution_identifier);
	id->node_id = arena_strdup(&flyte->arena, node);
	id->execution_id = flyte_execution_id(flyte, execution);
	return id;
}

/* Takes the reference. What is empty is left out, as Go's encoder does it. */
static void set_unless_empty(json_t *details, const char *member, json_t *value)
{
	if (json_object_size(value) || json_array_size(value))
		json_object_set_new(details, member, value);
	else
		json_decref(value);
}

static json_t *values_of(struct flyte *flyte, const Flyteidl__Core__LiteralMap *map, struct err *e)
{
	auto_json json_t *values = json_object();
	for (size_t i = 0; map && i < map->n_literals; i++) {
		json_t *value = map->literals[i]->value ? literal_to_json(&flyte->arena, map->literals[i]->value, e)
		                                        : json_null();
		if (!value)
			return NULL;
		json_object_set_new(values, map->literals[i]->key, value);
	}
	return json_incref(values);
}

static int add_tasks(struct flyte *flyte, const char *execution, const char *node, json_t *details, struct err *e)
{
	Flyteidl__Admin__TaskExecutionListRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__task_execution_list_request);
	request->node_execution_id = node_id(flyte, execution, node);
	request->limit = LIST_MAXIMUM;
	const Flyteidl__Admin__TaskExecutionList *list =
	        flyte_call(flyte, "ListTaskExecutions", request, flyteidl__admin__task_execution_list, e);
	if (!list)
		return -1;
	json_t *tasks = json_array();
	for (size_t i = 0; i < list->n_task_executions; i++) {
		json_t *task = flyte_message_json(&list->task_executions[i]->base, e);
		if (!task) {
			json_decref(tasks);
			return -1;
		}
		json_array_append_new(tasks, task);
	}
	set_unless_empty(details, "task_execs", tasks);
	return 0;
}

static int add_data(struct flyte *flyte, const char *execution, const char *node, json_t *details, struct err *e)
{
	Flyteidl__Admin__NodeExecutionGetDataRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__node_execution_get_data_request);
	request->id = node_id(flyte, execution, node);
	const Flyteidl__Admin__NodeExecutionGetDataResponse *data = flyte_call(
	        flyte, "GetNodeExecutionData", request, flyteidl__admin__node_execution_get_data_response, e);
	if (!data)
		return -1;
	json_t *inputs = values_of(flyte, data->full_inputs, e);
	json_t *outputs = inputs ? values_of(flyte, data->full_outputs, e) : NULL;
	set_unless_empty(details, "inputs", inputs);
	set_unless_empty(details, "outputs", outputs);
	return outputs ? 0 : -1;
}

static json_t *level(struct flyte *flyte, const char *execution, const char *parent, size_t depth, struct err *e);

static json_t *node_details(struct flyte *flyte, const char *execution, const Flyteidl__Admin__NodeExecution *node,
                            size_t depth, struct err *e)
{
	const char *name = node->id ? node->id->node_id : "";
	json_t *own = flyte_message_json(&node->base, e);
	if (!own)
		return NULL;
	auto_json json_t *details = json_pack("{s:o}", "node_exec", own);
	if (node->metadata && node->metadata->is_parent_node && depth < DEPTH_MAXIMUM) {
		json_t *children = level(flyte, execution, name, depth + 1, e);
		if (!children)
			return NULL;
		set_unless_empty(details, "child_nodes", children);
	} else if (add_tasks(flyte, execution, name, details, e) < 0 ||
	           add_data(flyte, execution, name, details, e) < 0) {
		return NULL;
	}
	return json_incref(details);
}

static int by_creation(const void *a, const void *b)
{
	const Google__Protobuf__Timestamp *times[2] = { NULL, NULL };
	const Flyteidl__Admin__NodeExecution *const nodes[2] = { *(Flyteidl__Admin__NodeExecution *const *)a,
		                                                 *(Flyteidl__Admin__NodeExecution *const *)b };
	for (size_t i = 0; i < 2; i++)
		times[i] = nodes[i]->closure ? nodes[i]->closure->created_at : NULL;
	if (!times[0] || !times[1])
		return (times[0] != NULL) - (times[1] != NULL);
	if (times[0]->seconds != times[1]->seconds)
		return times[0]->seconds < times[1]->seconds ? -1 : 1;
	return (times[0]->nanos > times[1]->nanos) - (times[0]->nanos < times[1]->nanos);
}

static json_t *level(struct flyte *flyte, const char *execution, const char *parent, size_t depth, struct err *e)
{
	Flyteidl__Admin__NodeExecutionListRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__node_execution_list_request);
	request->workflow_execution_id = flyte_execution_id(flyte, execution);
	request->unique_parent_id = arena_strdup(&flyte->arena, parent);
	request->limit = LIST_MAXIMUM;
	const Flyteidl__Admin__NodeExecutionList *list =
	        flyte_call(flyte, "ListNodeExecutions", request, flyteidl__admin__node_execution_list, e);
	if (!list)
		return NULL;
	if (list->n_node_executions)
		qsort(list->node_executions, list->n_node_executions, sizeof(*list->node_executions), by_creation);
	auto_json json_t *nodes = json_array();
	for (size_t i = 0; i < list->n_node_executions; i++) {
		json_t *node = node_details(flyte, execution, list->node_executions[i], depth, e);
		if (!node)
			return NULL;
		json_array_append_new(nodes, node);
	}
	return json_incref(nodes);
}

/* ---- The tree ---- */

static void print_line(size_t depth, const char *text)
{
	/* Further lines of a text stay in its column. */
	for (bool first = true; *text || first; first = false) {
		const size_t length = strcspn(text, "\n");
		for (size_t i = 1; i < depth + !first; i++)
			fputs("│   ", stdout);
		printf("%s%.*s\n", depth && first ? "├── " : "", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

PRINTF_LIKE(2, 3) static void print_format(size_t depth, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	auto_free char *line = xvasprintf(format, arguments);
	va_end(arguments);
	print_line(depth, line);
}

static void print_metadata(const json_t *metadata, size_t depth)
{
	const json_t *resources = json_object_get(metadata, "externalResources");
	size_t i;
	json_t *resource;
	if (!metadata)
		return;
	print_line(depth, "Metadata");
	print_format(depth + 1, "Generated Name : %s", json_string_at(metadata, "generatedName", ""));
	print_format(depth + 1, "Plugin Identifier : %s", json_string_at(metadata, "pluginIdentifier", ""));
	if (json_array_size(resources))
		print_line(depth + 1, "External Resources");
	json_array_foreach(resources, i, resource)
	{
		print_format(depth + 2, "Ext Resource : %s", json_string_at(resource, "externalId", ""));
	}
}

static void print_logs(const json_t *logs, size_t depth)
{
	size_t i;
	json_t *log;
	if (json_array_size(logs))
		print_line(depth, "Logs :");
	json_array_foreach(logs, i, log)
	{
		print_format(depth + 1, "Name :%s", json_string_at(log, "name", ""));
		print_format(depth + 1, "URI :%s", json_string_at(log, "uri", ""));
	}
}

static void print_tasks(const json_t *tasks, size_t depth)
{
	size_t i;
	json_t *task;
	json_array_foreach(tasks, i, task)
	{
		print_format(depth, "Attempt :%lld", (long long)json_integer_at(task, "id/retryAttempt", 0));
		print_format(depth + 1, "Task - %s - %s - %s", json_string_at(task, "closure/phase", "UNDEFINED"),
		             json_string_at(task, "closure/createdAt", ""),
		             json_string_at(task, "closure/updatedAt", ""));
		print_format(depth + 1, "Task Type - %s", json_string_at(task, "closure/taskType", ""));
		print_format(depth + 1, "Reason - %s", json_string_at(task, "closure/reason", ""));
		print_metadata(json_lookup(task, "closure/metadata"), depth + 1);
		print_logs(json_lookup(task, "closure/logs"), depth + 1);
	}
}

static void print_nodes(const json_t *nodes, size_t depth)
{
	size_t i;
	json_t *node;
	json_array_foreach(nodes, i, node)
	{
		print_format(depth, "%s - %s - %s - %s", json_string_at(node, "node_exec/id/nodeId", ""),
		             json_string_at(node, "node_exec/closure/phase", "UNDEFINED"),
		             json_string_at(node, "node_exec/closure/createdAt", ""),
		             json_string_at(node, "node_exec/closure/updatedAt", ""));
		print_nodes(json_object_get(node, "child_nodes"), depth + 1);
		print_tasks(json_object_get(node, "task_execs"), depth + 1);
		json_t *outputs = json_object_get(node, "outputs");
		if (json_object_size(outputs))
			print_line(depth + 1, "Outputs :");
		const char *name;
		json_t *value;
		json_object_foreach(outputs, name, value)
		{
			auto_free char *text = json_to_text(value);
			print_format(depth + 2, "%s: %s", name, text);
		}
	}
}

/* The node of that id, at any depth; borrowed. */
static json_t *find_node(const json_t *nodes, const char *name)
{
	size_t i;
	json_t *node;
	json_array_foreach(nodes, i, node)
	{
		if (text_equal(json_string_at(node, "node_exec/id/nodeId", ""), name))
			return node;
		json_t *below = find_node(json_object_get(node, "child_nodes"), name);
		if (below)
			return below;
	}
	return NULL;
}

int flyte_details_print(struct flyte *flyte, const char *execution, const char *node, struct err *e)
{
	auto_json json_t *nodes = level(flyte, execution, "", 0, e);
	if (!nodes)
		return -1;
	auto_json json_t *shown = json_incref(nodes);
	if (!text_is_empty(node)) {
		json_t *found = find_node(nodes, node);
		if (!found)
			return err_set(e, ERR_NOT_FOUND, "node-missing", "the execution '%s' has no node '%s'",
			               execution, node);
		json_decref(shown);
		shown = json_pack("[O]", found);
	}
	if (!text_equal(flyte_format(flyte->cli), "table"))
		return flyte_print_json(flyte->cli, NULL, 0, shown, e);
	print_line(0, execution);
	print_nodes(shown, 1);
	return 0;
}
