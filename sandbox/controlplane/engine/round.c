#include "controlplane/engine/round.h"

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/store/connector_tasks.h"
#include "controlplane/store/executions.h"

#define ROUND_ARENA_MAXIMUM ((size_t)4 << 30)
#define PLAN_ARENA_MAXIMUM ((size_t)1 << 30)
#define BORROW_MS INT64_C(10000)
/* Each step of a round fulfils a want, and a node has at most a handful of them: more is a mistake of ours, which must
 * not keep a thread and a transaction for ever. */
#define STEPS_BASE 16
#define STEPS_PER_NODE 8

/* What an attempt of a dynamic node has made. */
struct plan_dynamic {
	int64_t node_row_id;
	uint32_t attempt;
	struct machine_graph graph;
	struct plan_dynamic *next;
};

struct plan {
	struct arena arena;
	struct progress_definition definition;
	struct machine_graph graph;
	struct plan_dynamic *dynamics;
};

struct plan *plan_free(struct plan *plan)
{
	if (!plan)
		return NULL;
	arena_release(&plan->arena);
	free(plan);
	return NULL;
}

size_t plan_memory(const struct plan *plan)
{
	return plan ? sizeof(*plan) + plan->arena.used : 0;
}

void round_result_release(struct round_result *result)
{
	err_release(&result->problem);
}

static struct plan *plan_load(struct database_connection *c, int64_t execution_id, struct err *e)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	plan->arena = (struct arena)ARENA_INIT(PLAN_ARENA_MAXIMUM);
	if (progress_load_definition(c, &plan->arena, execution_id, &plan->definition, e) < 0 ||
	    machine_graph_build(&plan->arena, plan->definition.closure, &plan->graph, e) < 0)
		return plan_free(plan);
	return plan;
}

static int load_dynamic(struct database_connection *c, struct plan *plan, struct progress_node *row, struct err *e)
{
	struct plan_dynamic *dynamic = plan->dynamics;
	while (dynamic && (dynamic->node_row_id != row->row_id || dynamic->attempt != row->attempt))
		dynamic = dynamic->next;
	if (!dynamic) {
		const Flyteidl__Core__CompiledWorkflowClosure *closure;
		dynamic = arena_new(&plan->arena, struct plan_dynamic);
		*dynamic = (struct plan_dynamic){ .node_row_id = row->row_id, .attempt = row->attempt };
		if (progress_load_dynamic(c, &plan->arena, row->row_id, &closure, e) < 0 ||
		    machine_graph_build(&plan->arena, closure, &dynamic->graph, e) < 0)
			return err_wrap(e, "node \"%s\"", row->node_id);
		dynamic->next = plan->dynamics;
		plan->dynamics = dynamic;
	}
	row->dynamic_graph = &dynamic->graph;
	return 0;
}

/* The workflows of the dynamic nodes that run: the plan keeps them from round to round. A node that is to be tried
 * again has none of its own yet. */
static int load_dynamics(struct database_connection *c, struct plan *plan, const struct progress_nodes *rows,
                         struct err *e)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct progress_node *row = &rows->nodes[i];
		if (row->phase == NODE(DYNAMIC_RUNNING) && row->task && load_dynamic(c, plan, row, e) < 0)
			return -1;
	}
	return 0;
}

/* What ends an execution makes the notifications about it, too. */
static int save_execution(const struct round_context *context, struct database_connection *c, struct arena *arena,
                          const struct progress_execution *execution, struct err *e)
{
	if (progress_save_execution(c, arena, execution, e) < 0)
		return -1;
	if (!progress_execution_is_finished(execution->phase))
		return 0;
	return notifications_add(c, arena, execution->id, execution->phase, context->notifications, e);
}

/* An execution that cannot be understood must end, with the reason where its user looks for it. */
static int end_unreadable(const struct round_context *context, struct database_connection *c, struct arena *arena,
                          struct progress_execution *execution, const struct err *why, struct err *e)
{
	const struct machine_failure failure = { .kind = ERROR_KIND(SYSTEM),
		                                 .code = "IllegalStateError",
		                                 .message = err_message(why) };
	const bool aborting = execution->phase == EXECUTION(ABORTING);
	execution->phase = aborting ? EXECUTION(ABORTED) : EXECUTION(FAILED);
	execution->error = aborting ? NULL : machine_error(arena, &failure);
	execution->ended_at_ns = clock_wall_ns();
	if (catalog_release(c, arena, execution->id, NULL, e) < 0 ||
	    connector_tasks_end_others(c, arena, execution->id, NULL, 0, e) < 0)
		return -1;
	return save_execution(context, c, arena, execution, e);
}

/* All of an array's elements at once: their rows hang on the row of its task, which has been saved. */
static int save_elements(struct database_connection *c, struct machine *m, struct machine_array *array,
                         const struct progress_task *task, struct err *e)
{
	struct array_elements changes;
	if (!array || !machine_array_changes(m, array, &changes))
		return 0;
	return array_elements_save(c, m->arena, task->row_id, &changes, e);
}

/* Their own rounds do the rest; one that has ended meanwhile, or was never launched, is let be. */
static int abort_orphans(struct database_connection *c, struct machine *m, struct err *e)
{
	const struct progress_definition *d = m->definition;
	for (size_t i = 0; i < m->orphan_count; i++) {
		auto_err struct err failure = ERR_INIT;
		const char *phase;
		if (executions_begin_abort(c, m->arena, d->project, d->domain, m->orphans[i].name, m->orphans[i].cause,
		                           "", &phase, &failure) < 0 &&
		    failure.kind != ERR_NOT_FOUND)
			return err_move(e, &failure);
	}
	return 0;
}

static bool has_changes(const struct machine *m)
{
	bool changed = m->execution.changed || m->ended_task_count > 0;
	for (size_t i = 0; i < m->node_count && !changed; i++) {
		const struct progress_node *row = &m->nodes[i]->row;
		changed = row->changed || (row->task && row->task->changed);
	}
	return changed;
}

static bool is_elsewhere(const struct round_context *context, const struct progress_execution *execution)
{
	return context->replica && !text_is_empty(execution->replica) &&
	       !text_equal(execution->replica, context->replica);
}

/* Whoever moves an execution is whom the other replicas leave it to. */
static void take_over(const struct round_context *context, struct machine *m)
{
	if (!context->replica || text_equal(m->execution.replica, context->replica) || !has_changes(m))
		return;
	m->execution.replica = context->replica;
	m->execution.changed = true;
}

static int save(const struct round_context *context, struct database_connection *c, struct machine *m, struct err *e)
{
	const int64_t id = m->definition->id;
	if (round_keep_results(c, m, e) < 0 || round_end_reservations(c, m, e) < 0 || round_end_connectors(c, m, e) < 0)
		return -1;
	if (m->execution.changed && save_execution(context, c, m->arena, &m->execution, e) < 0)
		return -1;
	for (size_t i = 0; i < m->node_count; i++) {
		struct progress_node *row = &m->nodes[i]->row;
		const struct machine_node *parent = m->nodes[i]->scope->parent;
		if (m->nodes[i]->element_of)
			continue;
		if (parent)
			row->parent_row_id = parent->row.row_id; /* known now that it is saved */
		if (row->changed && progress_save_node(c, m->arena, id, row, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < m->ended_task_count; i++) {
		const struct machine_ended_task *ended = &m->ended_tasks[i];
		if (ended->task->changed && !ended->node->element_of &&
		    progress_save_task(c, m->arena, id, ended->node->row.row_id, ended->task, e) < 0)
			return -1;
		if (save_elements(c, m, ended->array, ended->task, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < m->node_count; i++) {
		const struct progress_node *row = &m->nodes[i]->row;
		if (m->nodes[i]->element_of)
			continue;
		if (row->task && row->task->changed &&
		    progress_save_task(c, m->arena, id, row->row_id, row->task, e) < 0)
			return -1;
		if (save_elements(c, m, m->nodes[i]->array, row->task, e) < 0)
			return -1;
	}
	return 0;
}

/* The execution's pods that run and belong to no running attempt. To be asked while the row is locked: afterwards another
 * replica may make pods of which `m` knows nothing. */
static struct effects_pods unowned_pods(const struct round_context *context, const struct machine *m,
                                        int64_t execution_id, struct arena *arena)
{
	struct pod_reference *pods;
	const size_t count = pod_cache_running(context->pods, execution_id, arena, &pods);
	size_t unowned = 0;
	for (size_t i = 0; i < count; i++) {
		if (!m || !machine_owns_pod(m, pods[i].name))
			pods[unowned++] = pods[i];
	}
	return (struct effects_pods){ .count = unowned, .list = pods };
}

static bool has_ended(const struct progress_task *task)
{
	return task->phase == TASK(SUCCEEDED) || task->phase == TASK(FAILED) || task->phase == TASK(ABORTED);
}

/* Pods whose attempts are over, by what has just been committed: nobody will look at them again. */
static void settle_pods(const struct round_context *context, const struct machine *m)
{
	for (size_t i = 0; i < m->ended_task_count; i++)
		pod_cache_settle(context->pods, m->definition->id, m->ended_tasks[i].task->pod_name);
	for (size_t i = 0; i < m->node_count; i++) {
		const struct progress_task *task = m->nodes[i]->row.task;
		if (task && has_ended(task))
			pod_cache_settle(context->pods, m->definition->id, task->pod_name);
	}
}

static void report_transitions(const struct round_context *context, const struct machine *m)
{
	for (size_t i = 0; context->on_transition && i < m->transition_count; i++)
		context->on_transition(context->transition_context, m->definition->name, &m->transitions[i]);
}

static int advance(const struct round_context *context, struct database_connection *c, struct machine *m,
                   const struct progress_execution *execution, struct plan *plan, struct arena *arena,
                   struct round_result *result, struct err *e)
{
	struct progress_nodes rows;
	if (progress_load_nodes(c, arena, plan->definition.id, &rows, e) < 0 || load_dynamics(c, plan, &rows, e) < 0 ||
	    machine_init(m, arena, &context->machine, &plan->definition, &plan->graph, execution, &rows,
	                 clock_wall_ns(), e) < 0)
		return -1;
	effects_observe_pods(context, m, is_elsewhere(context, execution), result);
	if (round_observe_connectors(c, m, e) < 0)
		return -1;
	size_t steps = 0;
	for (int tried = 1; tried > 0;) {
		if (steps++ > STEPS_BASE + STEPS_PER_NODE * m->node_count) /* which grows as scopes open */
			return err_set(e, ERR_INTERNAL, NULL, "execution \"%s\" does not come to rest",
			               plan->definition.name);
		machine_step(m);
		tried = effects_fulfil(context, c, m, result, e);
		if (tried < 0)
			return -1;
	}
	take_over(context, m);
	return save(context, c, m, e) < 0 ? -1 : abort_orphans(c, m, e);
}

/* With the row locked: moves the execution on and commits. */
static int run_locked(const struct round_context *context, struct database_connection *c, struct machine *m,
                      bool *ret_has_machine, struct progress_execution *execution, struct plan **plan,
                      struct arena *arena, struct effects_pods *ret_unowned, struct round_result *result, struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	if (progress_execution_is_finished(execution->phase)) {
		*ret_unowned = unowned_pods(context, NULL, execution->id, arena);
		return 0;
	}
	if (!*plan)
		*plan = plan_load(c, execution->id, &failure);
	if (*plan) {
		if (advance(context, c, m, execution, *plan, arena, result, e) < 0)
			return -1;
		*ret_has_machine = true;
		execution->phase = m->execution.phase;
		execution->replica = m->execution.replica;
		if (!result->wake_at_ns || (m->wake_at_ns && m->wake_at_ns < result->wake_at_ns))
			result->wake_at_ns = m->wake_at_ns;
	} else if (failure.kind == ERR_NOT_FOUND || failure.kind == ERR_INVALID) {
		if (end_unreadable(context, c, arena, execution, &failure, e) < 0)
			return -1;
	} else {
		return err_move(e, &failure);
	}
	*ret_unowned = unowned_pods(context, *ret_has_machine ? m : NULL, execution->id, arena);
	return database_commit(c, e) < 0 ? -1 : 0;
}

int round_run(const struct round_context *context, int64_t execution_id, struct plan **plan,
              struct round_result *ret_result, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ROUND_ARENA_MAXIMUM);
	struct progress_execution execution = { .id = execution_id };
	enum progress_lock lock;
	struct machine m;
	bool has_machine = false;
	struct effects_pods unowned = { 0 };
	{
		auto_connection struct database_connection *c = NULL;
		if (database_borrow(context->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0 ||
		    database_begin(c, e) < 0 || progress_lock(c, &arena, execution_id, &lock, &execution, e) < 0)
			return -1;
		if (lock == PROGRESS_LOCKED && !context->take_over && is_elsewhere(context, &execution) &&
		    !progress_execution_is_finished(execution.phase)) {
			ret_result->outcome = ROUND_ELSEWHERE;
			ret_result->wake_at_ns = clock_wall_ns();
			return 0;
		}
		if (lock == PROGRESS_LOCKED &&
		    run_locked(context, c, &m, &has_machine, &execution, plan, &arena, &unowned, ret_result, e) < 0)
			return -1;
	}
	if (lock != PROGRESS_LOCKED) {
		ret_result->outcome = lock == PROGRESS_BUSY ? ROUND_BUSY : ROUND_FINISHED;
		return 0;
	}
	if (has_machine) {
		report_transitions(context, &m);
		settle_pods(context, &m);
	}
	effects_delete_pods(context, execution_id, &unowned, &arena, ret_result);
	if (progress_execution_is_finished(execution.phase) && !ret_result->incomplete)
		ret_result->outcome = ROUND_FINISHED;
	else if (is_elsewhere(context, &execution))
		ret_result->outcome = ROUND_ELSEWHERE;
	return 0;
}
