#include "controlplane/connectors/work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/connectors/calls.h"
#include "controlplane/connectors/resource.h"

#define ARENA_MAXIMUM ((size_t)256 << 20)
#define BORROW_MS INT64_C(10000)
/* The first questions after a task was created come in quick succession: 250 ms, 500 ms … until the interval of the
 * settings is reached. */
#define QUESTION_FIRST_MS INT64_C(250)
/* Between calls that failed: doubling from the first to the last. */
#define RETRY_FIRST_MS INT64_C(500)
#define RETRY_LAST_MS INT64_C(15000)
/* While a connector is known to be away it is not called for each task: whoever asks it what it supports finds out when
 * it is back, and its tasks look for that this often. */
#define AWAY_MS INT64_C(1000)

METRIC_COUNTER(calls_made, "sandbox_connectors_calls_total", "Calls of connectors for tasks.");
METRIC_COUNTER(calls_failed, "sandbox_connectors_call_errors_total", "Those that were answered with an error, or not at all.");

int64_t work_lease_ms(const struct work_context *context)
{
	static const char *const methods[] = { "CreateTask", "ExecuteTaskSync", "GetTask", "DeleteTask" };
	int64_t longest = 0;
	for (size_t i = 0; i < connector_catalog_count(context->catalog); i++) {
		const struct connector_place *place = connector_catalog_place(context->catalog, i);
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			const int64_t timeout = settings_connector_timeout_ms(&place->at, methods[k]);
			longest = timeout > longest ? timeout : longest;
		}
	}
	return longest + WORK_MARGIN_MS;
}

/* ---- Writing down ---- */

enum outcome_kind { CREATED, HEARD, POSTPONED, LEFT, FAILED, FORGOTTEN };

struct outcome {
	enum outcome_kind kind;
	struct proto_bytes bytes; /* meta or resource */
	bool finished, retryable;
	int64_t wait_ms;
	const char *code, *message;
};

static int write_once(const struct work_context *context, const struct connector_work *work, const struct outcome *o,
                      struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(context->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
		return -1;
	switch (o->kind) {
	case CREATED:
		return connector_tasks_created(c, work, o->bytes, e);
	case HEARD:
		return connector_tasks_heard(c, work, o->bytes, o->finished, o->wait_ms, e);
	case POSTPONED:
		return connector_tasks_postpone(c, work, o->message, o->wait_ms, e);
	case LEFT:
		return connector_tasks_leave(c, work, e);
	case FAILED:
		return connector_tasks_fail(c, work, o->code, o->message, o->retryable, e);
	case FORGOTTEN:
		return connector_tasks_forget(c, work, e);
	}
	return 0;
}

static int write_down(const struct work_context *context, const struct connector_work *work, const struct outcome *o,
                      struct err *e)
{
	for (;;) {
		auto_err struct err failure = ERR_INIT;
		const int written = write_once(context, work, o, &failure);
		if (written >= 0)
			return written;
		const bool away = failure.kind == ERR_UNAVAILABLE || failure.kind == ERR_TIMEOUT;
		if (!away || !context->pause(context->context))
			return err_move(e, &failure);
	}
}

/* ---- What failed ---- */

static bool is_away(const struct err *e)
{
	return e->kind == ERR_UNAVAILABLE;
}

static int64_t retry_ms(int64_t failures)
{
	const int64_t wait = RETRY_FIRST_MS << (failures < 10 ? failures : 10);
	return wait < RETRY_LAST_MS ? wait : RETRY_LAST_MS;
}

static int postpone(const struct work_context *context, const struct connector_work *work, const char *problem,
                    int64_t wait_ms, struct err *e)
{
	return write_down(context, work,
	                  &(struct outcome){ .kind = POSTPONED, .message = problem, .wait_ms = wait_ms }, e);
}

static int fail(const struct work_context *context, const struct connector_work *work, const char *code,
                const char *message, bool retryable, struct err *e)
{
	return write_down(
	        context, work,
	        &(struct outcome){ .kind = FAILED, .code = code, .message = message, .retryable = retryable }, e);
}

/* Nobody is there: waited for, but not for ever. */
static int wait_for(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                    const char *problem, int64_t wait_ms, struct err *e)
{
	const int64_t limit_ms = context->settings->connector_unreachable_ms;
	if (work->failing_ms < limit_ms || (work->failures == 0 && limit_ms > 0))
		return postpone(context, work, problem, wait_ms, e);
	return fail(context, work, "ConnectorUnreachable",
	            arena_printf(arena,
	                         "%s; it was waited for for %lld s "
	                         "(plugins.connector-service.unreachableTimeout)",
	                         problem, (long long)(work->failing_ms / 1000)),
	            true, e);
}

static int wait_for_place(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                          const struct connector_place *place, const char *why, struct err *e)
{
	return wait_for(context, arena, work,
	                arena_printf(arena, "the connector \"%s\" at %s cannot be reached: %s", place->at.name,
	                             place->at.target, why),
	                retry_ms(work->failures), e);
}

/* ---- The calls ---- */

static int hear(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                const Flyteidl__Admin__Resource *resource, bool must_be_over, struct err *e)
{
	const struct connector_state state = connector_state_of(arena, resource);
	if (must_be_over && state.outcome == CONNECTOR_GOES_ON)
		return fail(context, work, CONNECTOR_FAILED,
		            "the connector returned from a task that it runs synchronously before the task was over",
		            true, e);
	const int64_t interval = context->settings->connector_poll_ms;
	const int64_t quick = QUESTION_FIRST_MS << (work->questions < 20 ? work->questions : 20);
	const struct outcome outcome = { .kind = HEARD,
		                         .bytes = proto_pack(arena, &resource->base),
		                         .finished = state.outcome != CONNECTOR_GOES_ON,
		                         .wait_ms = quick < interval ? quick : interval };
	return write_down(context, work, &outcome, e);
}

/* Somebody else has created it too, because we took too long: one is enough. */
static void delete_unwanted(struct arena *arena, const struct connector_place *place,
                            const struct connector_work *work, struct proto_bytes meta)
{
	auto_err struct err e = ERR_INIT;
	struct connector_work unwanted = *work;
	unwanted.meta = meta;
	if (calls_delete(arena, place, &unwanted, &e) < 0)
		log_err(LOG_WARN, "a connector runs a task twice", &e, "task", work->name);
}

static int run_create(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                      struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	struct connector_type type;
	struct proto_bytes meta;
	const Flyteidl__Admin__Resource *resource;
	if (!connector_catalog_find(context->catalog, work->task_type, work->task_version, &type))
		return wait_for(context, arena, work,
		                arena_printf(arena, "no connector tells that it runs tasks of type \"%s\", version %d",
		                             work->task_type, work->task_version),
		                AWAY_MS, e);
	if (*type.place->problem)
		return wait_for_place(context, arena, work, type.place, type.place->problem, e);
	if (!type.place->heard) /* which of the two ways it is to be called is not known */
		return postpone(context, work,
		                arena_printf(arena, "the connector \"%s\" has not yet said what it supports",
		                             type.place->at.name),
		                AWAY_MS, e);
	metric_add(&calls_made, 1);
	const int outcome = type.sync ? calls_execute(arena, type.place, work, &resource, &failure)
	                              : calls_create(arena, type.place, work, &meta, &failure);
	if (outcome < 0) {
		metric_add(&calls_failed, 1);
		if (is_away(&failure))
			return wait_for_place(context, arena, work, type.place, err_message(&failure), e);
		return fail(context, work, CONNECTOR_FAILED,
		            arena_printf(arena, "failed to %s task from connector with %s",
		                         type.sync ? "execute" : "create", err_message(&failure)),
		            true, e);
	}
	if (type.sync)
		return hear(context, arena, work, resource, true, e);
	const int written = write_down(context, work, &(struct outcome){ .kind = CREATED, .bytes = meta }, e);
	if (written == 0)
		delete_unwanted(arena, type.place, work, meta);
	return written;
}

static int run_get(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                   struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	const Flyteidl__Admin__Resource *resource;
	const struct connector_place *place =
	        connector_catalog_of_created(context->catalog, work->task_type, work->task_version);
	if (!place)
		return wait_for(context, arena, work, "there is no connector any more that could be asked about the task",
		                AWAY_MS, e);
	if (*place->problem)
		return wait_for_place(context, arena, work, place, place->problem, e);
	metric_add(&calls_made, 1);
	if (calls_get(arena, place, context->cancel_fd, work, &resource, &failure) == 0)
		return hear(context, arena, work, resource, false, e);
	if (failure.kind == ERR_CANCELLED)
		return write_down(context, work, &(struct outcome){ .kind = LEFT }, e);
	metric_add(&calls_failed, 1);
	if (is_away(&failure) || failure.kind == ERR_TIMEOUT)
		return wait_for_place(context, arena, work, place, err_message(&failure), e);
	const char *problem =
	        arena_printf(arena, "failed to get task from connector with %s", err_message(&failure));
	if (work->failures < context->settings->connector_failure_maximum)
		return postpone(context, work, problem, retry_ms(work->failures), e);
	return fail(context, work, "CacheFailed", problem, false, e); /* upstream's code */
}

static int run_delete(const struct work_context *context, struct arena *arena, const struct connector_work *work,
                      struct err *e)
{
	auto_err struct err failure = ERR_INIT;
	const struct connector_place *place =
	        connector_catalog_of_created(context->catalog, work->task_type, work->task_version);
	const struct outcome forgotten = { .kind = FORGOTTEN };
	if (!work->meta.data) /* never created, as far as anybody knows */
		return write_down(context, work, &forgotten, e);
	if (!place)
		err_set(&failure, ERR_UNAVAILABLE, "no-connector", "there is no connector for task type \"%s\"",
		        work->task_type);
	else if (*place->problem)
		err_set(&failure, ERR_UNAVAILABLE, "no-connector", "%s", place->problem);
	else if (calls_delete(arena, place, work, &failure) == 0 || failure.kind == ERR_NOT_FOUND ||
	         failure.kind == ERR_UNSUPPORTED)
		return write_down(context, work, &forgotten, e);
	if (work->failing_ms >= context->settings->connector_unreachable_ms) {
		log_err(LOG_WARN, "a task is left to its connector, which does not delete it", &failure, "task",
		        work->name);
		return write_down(context, work, &forgotten, e);
	}
	return postpone(context, work, "", retry_ms(work->failures), e);
}

int work_run(const struct work_context *context, const struct connector_work *work, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	int outcome = -1;
	switch (work->call) {
	case CONNECTOR_CREATE:
		outcome = run_create(context, &arena, work, e);
		break;
	case CONNECTOR_GET:
		outcome = run_get(context, &arena, work, e);
		break;
	case CONNECTOR_DELETE:
		outcome = run_delete(context, &arena, work, e);
		break;
	}
	return outcome < 0 ? -1 : 0;
}
