/*
 * Two threads: one listens for schedules that begin or end, the other sleeps until the next tick. It sleeps on a timer
 * of the wall clock, which also goes off when a suspended laptop wakes up and when somebody sets the clock.
 */
#include "controlplane/schedule/scheduler.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"
#include "controlplane/schedule/ticks.h"
#include "controlplane/store/executions.h"
#include "controlplane/store/schedules.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define DEADLINE_MS INT64_C(30000)
#define ARENA_MAXIMUM ((size_t)256 << 20)
#define BATCH 50
/* Between tries of a tick: from the first to the last, doubling. */
#define RETRY_FIRST_NS NS_PER_SECOND
#define RETRY_LAST_NS (60 * NS_PER_SECOND)
/* Before a database that failed is asked again. */
#define PAUSE_MS 1000

/* ---- One tick ---- */

static Flyteidl__Core__LiteralMap *kickoff_inputs(struct arena *arena, const Flyteidl__Admin__Schedule *schedule,
                                                  int64_t tick_ns)
{
	if (text_is_empty(schedule->kickoff_time_input_arg))
		return NULL;
	Flyteidl__Core__Primitive *primitive = proto_new(arena, flyteidl__core__primitive);
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
	primitive->datetime = proto_new(arena, google__protobuf__timestamp);
	primitive->datetime->seconds = tick_ns / NS_PER_SECOND;
	Flyteidl__Core__Literal *literal = proto_new(arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	literal->scalar->primitive = primitive;
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry = (Flyteidl__Core__LiteralMap__LiteralsEntry *)proto_new_of(
	        arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = schedule->kickoff_time_input_arg;
	entry->value = literal;
	Flyteidl__Core__LiteralMap *inputs = proto_new(arena, flyteidl__core__literal_map);
	proto_append(arena, inputs->n_literals, inputs->literals, entry);
	return inputs;
}

static int launch_tick(const struct scheduler_options *options, struct arena *arena, const struct schedule_row *row,
                       const Flyteidl__Admin__Schedule *schedule, const char *name, struct err *e)
{
	const struct entity_key *plan = &row->launch_plan;
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(arena, flyteidl__admin__execution_spec);
	spec->launch_plan = ids_new(arena, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, plan->project, plan->domain,
	                            plan->name, plan->version);
	spec->metadata = proto_new(arena, flyteidl__admin__execution_metadata);
	spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__SCHEDULED;
	spec->metadata->scheduled_at = proto_new(arena, google__protobuf__timestamp);
	spec->metadata->scheduled_at->seconds = row->next_tick_at / NS_PER_SECOND;
	const struct launch_request request = {
		.project = plan->project,
		.domain = plan->domain,
		.name = name,
		.spec = spec,
		.inputs = kickoff_inputs(arena, schedule, row->next_tick_at),
	};
	struct launch_result result;
	return launch_execution(&options->launch, arena, clock_monotonic_ms() + DEADLINE_MS, &request, &result, e);
}

static int64_t retry_delay_ns(int64_t failures)
{
	const int64_t delay = RETRY_FIRST_NS << (failures < 10 ? failures : 10);
	return delay < RETRY_LAST_NS ? delay : RETRY_LAST_NS;
}

/* Whether the same launch may succeed later. */
static bool is_transient(const struct err *e)
{
	return e->kind == ERR_UNAVAILABLE || e->kind == ERR_TIMEOUT || e->kind == ERR_INTERNAL ||
	       e->kind == ERR_CONFLICT || e->kind == ERR_EXHAUSTED;
}

METRIC_COUNTER(ticks_started, "sandbox_scheduler_started_total", "Executions started by schedules.");
METRIC_COUNTER(ticks_failed, "sandbox_scheduler_failures_total", "Ticks that could not be started, tried again or passed over.");
METRIC_HISTOGRAM(ticks_late, "sandbox_scheduler_lateness_seconds", "From the time of a tick to the start of its execution.");

/* Starts the tick that is due. 1 when it is done with, 0 when it has to be tried again. */
static int try_tick(const struct scheduler_options *options, struct arena *arena, const struct schedule_row *row,
                    const Flyteidl__Admin__Schedule *schedule)
{
	auto_err struct err e = ERR_INIT;
	const struct entity_key *plan = &row->launch_plan;
	const char *name = ticks_execution_name(arena, plan, row->next_tick_at);
	const char *plan_text = arena_printf(arena, "%s/%s/%s", plan->project, plan->domain, plan->name);
	if (launch_tick(options, arena, row, schedule, name, &e) == 0) {
		metric_add(&ticks_started, 1);
		metric_observe(&ticks_late, (clock_wall_ns() - row->next_tick_at) / 1000);
		log_info("scheduled", "launch_plan", plan_text, "version", plan->version, "execution", name, NULL);
		return 1;
	}
	if (e.kind == ERR_EXISTS && text_equal(err_id(&e), EXECUTIONS_TAKEN))
		return 1;
	metric_add(&ticks_failed, 1);
	if (!is_transient(&e)) {
		log_err(LOG_WARN, "a tick of a schedule is passed over", &e, "launch_plan", plan_text);
		return 1;
	}
	if ((row->failures & (row->failures - 1)) == 0)
		log_err(LOG_WARN, "a tick of a schedule cannot be started yet", &e, "launch_plan", plan_text);
	return 0;
}

/* ---- One schedule ---- */

static int with_connection(const struct scheduler_options *options, const struct schedule_row *row, int64_t value_ns,
                           int (*change)(struct database_connection *c, const struct schedule_row *row,
                                         int64_t value_ns, struct err *e),
                           struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(options->launch.database, clock_monotonic_ms() + DEADLINE_MS, &c, e) < 0)
		return -1;
	return change(c, row, value_ns, e);
}

static int run_schedule(const struct scheduler_options *options, struct arena *arena, struct schedule_row *row,
                        int64_t now_ns, struct err *e)
{
	auto_err struct err unreadable = ERR_INIT;
	struct ticks ticks;
	const Flyteidl__Admin__LaunchPlanSpec *spec =
	        proto_unpack(arena, flyteidl__admin__launch_plan_spec, row->spec.data, row->spec.length, &unreadable);
	const Flyteidl__Admin__Schedule *schedule =
	        spec && spec->entity_metadata ? spec->entity_metadata->schedule : NULL;
	if (!schedule || ticks_of_schedule(arena, schedule, &ticks, &unreadable) < 0) {
		/* It was checked when it was registered; the zone may have gone since. */
		log_err(LOG_ERROR, "a schedule cannot be read and does not run", &unreadable, "launch_plan",
		        row->launch_plan.name);
		return with_connection(options, row, TICKS_NEVER, schedules_set_next, e);
	}
	if (!row->next_tick_at)
		return with_connection(options, row, ticks_next(&ticks, row->last_tick_at), schedules_set_next, e);
	const size_t maximum = options->catch_up_maximum ? options->catch_up_maximum : SCHEDULER_CATCH_UP_MAXIMUM;
	const int64_t first = ticks_catch_up(&ticks, row->next_tick_at, now_ns, maximum);
	if (first != row->next_tick_at) {
		log_warn("ticks that were missed are left out", "launch_plan", row->launch_plan.name, NULL);
		return with_connection(options, row, first, schedules_set_next, e);
	}
	if (!try_tick(options, arena, row, schedule))
		return with_connection(options, row, now_ns + retry_delay_ns(row->failures), schedules_failed, e);
	return with_connection(options, row, ticks_next(&ticks, row->next_tick_at), schedules_done, e);
}

/* How many there were, or -1. */
static int64_t run_batch(const struct scheduler_options *options, int64_t now_ns, int64_t *ret_next_ns, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct schedule_rows due;
	{
		auto_connection struct database_connection *c = NULL;
		if (database_borrow(options->launch.database, clock_monotonic_ms() + DEADLINE_MS, &c, e) < 0 ||
		    schedules_due(c, &arena, now_ns, BATCH, &due, e) < 0 ||
		    schedules_next_due(c, &arena, ret_next_ns, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < due.count; i++) {
		auto_arena struct arena own = ARENA_INIT(ARENA_MAXIMUM);
		if (run_schedule(options, &own, &due.rows[i], now_ns, e) < 0)
			return -1;
	}
	return (int64_t)due.count;
}

int scheduler_run(const struct scheduler_options *options, int64_t now_ns, int64_t *ret_next_ns, struct err *e)
{
	for (;;) {
		const int64_t count = run_batch(options, now_ns, ret_next_ns, e);
		if (count <= 0)
			return (int)count;
	}
}

/* ---- Threads ---- */

struct scheduler {
	struct scheduler_options options;
	int stop_fd, wake_fd, timer_fd;
	pthread_t timer_thread, listen_thread;
};

static void on_notify(void *context, const char *payload)
{
	struct scheduler *scheduler = context;
	(void)payload;
	(void)eventfd_write(scheduler->wake_fd, 1);
}

static bool is_stopping(const struct scheduler *scheduler, int wait_ms)
{
	struct pollfd stop = { .fd = scheduler->stop_fd, .events = POLLIN };
	return poll(&stop, 1, wait_ms) > 0;
}

static void *listen_main(void *context)
{
	struct scheduler *scheduler = context;
	do {
		auto_err struct err e = ERR_INIT;
		if (database_listen(scheduler->options.launch.database, SCHEDULES_CHANNEL, scheduler->stop_fd,
		                    on_notify, scheduler, &e) < 0)
			log_err(LOG_ERROR, "the scheduler does not hear of new schedules", &e, NULL, NULL);
	} while (!is_stopping(scheduler, PAUSE_MS));
	return NULL;
}

/* Sets the timer to that time of the wall clock; 0: to none. */
static void set_timer(const struct scheduler *scheduler, int64_t at_ns)
{
	const struct itimerspec when = { .it_value = { .tv_sec = (time_t)(at_ns / NS_PER_SECOND),
		                                       .tv_nsec = at_ns % NS_PER_SECOND } };
	(void)timerfd_settime(scheduler->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL);
}

/* Until the timer goes off, the clock is set, or something has changed. */
static void sleep_until_woken(const struct scheduler *scheduler)
{
	struct pollfd fds[] = { { .fd = scheduler->stop_fd, .events = POLLIN },
		                { .fd = scheduler->wake_fd, .events = POLLIN },
		                { .fd = scheduler->timer_fd, .events = POLLIN } };
	uint64_t count;
	(void)poll(fds, ARRAY_LENGTH(fds), -1);
	if (fds[1].revents)
		(void)eventfd_read(scheduler->wake_fd, &count);
	if (fds[2].revents && read(scheduler->timer_fd, &count, sizeof(count)) < 0 && errno != ECANCELED &&
	    errno != EAGAIN)
		log_warn("the scheduler's timer fails", NULL);
}

static void *timer_main(void *context)
{
	struct scheduler *scheduler = context;
	while (!is_stopping(scheduler, 0)) {
		auto_err struct err e = ERR_INIT;
		int64_t next_ns = 0;
		if (scheduler_run(&scheduler->options, clock_wall_ns(), &next_ns, &e) < 0) {
			log_err(LOG_ERROR, "cannot look for schedules that are due", &e, NULL, NULL);
			(void)is_stopping(scheduler, PAUSE_MS);
			continue;
		}
		set_timer(scheduler, next_ns);
		sleep_until_woken(scheduler);
	}
	return NULL;
}

static void close_all(struct scheduler *scheduler)
{
	const int fds[] = { scheduler->stop_fd, scheduler->wake_fd, scheduler->timer_fd };
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	free(scheduler);
}

int scheduler_start(const struct scheduler_options *options, struct scheduler **ret_scheduler, struct err *e)
{
	struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));
	scheduler->options = *options;
	scheduler->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	scheduler->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	scheduler->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (scheduler->stop_fd < 0 || scheduler->wake_fd < 0 || scheduler->timer_fd < 0) {
		err_set_errno(e, errno, NULL, "cannot make a timer");
		close_all(scheduler);
		return -1;
	}
	int failure = pthread_create(&scheduler->listen_thread, NULL, listen_main, scheduler);
	if (failure) {
		close_all(scheduler);
		return err_set_errno(e, failure, NULL, "cannot start the scheduler");
	}
	failure = pthread_create(&scheduler->timer_thread, NULL, timer_main, scheduler);
	if (failure) {
		(void)eventfd_write(scheduler->stop_fd, 1);
		pthread_join(scheduler->listen_thread, NULL);
		close_all(scheduler);
		return err_set_errno(e, failure, NULL, "cannot start the scheduler");
	}
	*ret_scheduler = scheduler;
	return 0;
}

struct scheduler *scheduler_stop(struct scheduler *scheduler)
{
	if (!scheduler)
		return NULL;
	(void)eventfd_write(scheduler->stop_fd, 1);
	pthread_join(scheduler->timer_thread, NULL);
	pthread_join(scheduler->listen_thread, NULL);
	close_all(scheduler);
	return NULL;
}
