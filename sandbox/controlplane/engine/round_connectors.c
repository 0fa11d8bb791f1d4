/*
 * Attempts that connectors run, at both ends of a round: before the first step what has become of them is read, and with
 * the commit those end that no running attempt owns any more.
 */
#include "base/text.h"
#include "controlplane/engine/round.h"
#include "controlplane/store/connector_tasks.h"

static int set_connector(struct machine *m, struct machine_node *node, const struct connector_task_rows *rows,
                         struct err *e)
{
	node->connector = (struct machine_connector){ .known = true, .problem = "" };
	for (size_t i = 0; i < rows->count; i++) {
		const struct connector_task_row *row = &rows->rows[i];
		if (!text_equal(row->name, node->row.task->pod_name))
			continue;
		node->connector.exists = true;
		node->connector.failure_code = row->failure_code;
		node->connector.failure_message = row->failure_message;
		node->connector.failure_retryable = row->failure_retryable;
		node->connector.problem = row->problem;
		if (!row->resource.data)
			return 0;
		node->connector.resource = proto_unpack(m->arena, flyteidl__admin__resource, row->resource.data,
		                                        row->resource.length, e);
		return node->connector.resource ? 0 : err_wrap(e, "what a connector said of \"%s\"", row->name);
	}
	return 0;
}

int round_observe_connectors(struct database_connection *c, struct machine *m, struct err *e)
{
	struct connector_task_rows rows;
	bool loaded = false;
	for (size_t i = 0; i < m->node_count; i++) {
		if (!machine_node_has_connector(m->nodes[i]))
			continue;
		if (!loaded && connector_tasks_load(c, m->arena, m->definition->id, &rows, e) < 0)
			return -1;
		loaded = true;
		if (set_connector(m, m->nodes[i], &rows, e) < 0)
			return -1;
	}
	return 0;
}

/* Whether an attempt of a connector has changed in this round: only then may one have ended. */
static bool may_have_ended(const struct machine *m)
{
	for (size_t i = 0; i < m->ended_task_count; i++) {
		if (m->ended_tasks[i].task->connector)
			return true;
	}
	for (size_t i = 0; i < m->node_count; i++) {
		const struct progress_task *task = m->nodes[i]->row.task;
		if (task && task->connector && task->changed && !machine_node_has_connector(m->nodes[i]))
			return true;
	}
	return false;
}

int round_end_connectors(struct database_connection *c, struct machine *m, struct err *e)
{
	if (!may_have_ended(m))
		return 0;
	const char **names = arena_array(m->arena, const char *, m->node_count);
	size_t count = 0;
	for (size_t i = 0; i < m->node_count; i++) {
		if (machine_node_has_connector(m->nodes[i]))
			names[count++] = m->nodes[i]->row.task->pod_name;
	}
	return connector_tasks_end_others(c, m->arena, m->definition->id, names, count, e);
}
