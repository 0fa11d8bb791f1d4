/*
 * The engine's threads. One watches pods, one listens to Postgres; both only wake executions in the queue. Workers take
 * executions from the queue and run rounds. Nothing polls: time enters only as deadlines of the queue.
 *
 * Started after a stop or a crash, the listener wakes every unfinished execution, and so does the watch once its first
 * list is complete: whatever happened meanwhile is in one of the two.
 */
#include "controlplane/engine/engine.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/engine/pod_sweep.h"
#include "controlplane/engine/queue.h"
#include "controlplane/engine/round.h"
#include "controlplane/store/executions.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Before something that keeps the engine from hearing is tried again. */
#define LISTEN_PAUSE_MS 1000
#define SCAN_BORROW_MS INT64_C(10000)
#define SCAN_ARENA_MAXIMUM ((size_t)256 << 20)
/* Pauses after rounds that could not be completed: doubling from the first to the last. */
#define PAUSE_FIRST_MS INT64_C(50)
#define PAUSE_LAST_MS INT64_C(10000)
#define BUSY_PAUSE_LAST_MS INT64_C(400)
/* Object and Kubernetes requests at the same time, besides the workers themselves. */
#define PARALLEL_THREADS 16

/* Plans kept between rounds, all together. Beyond it they are read again for each round. */
#define PLANS_MAXIMUM ((size_t)64 << 20)

struct engine {
	struct engine_options options;
	atomic_size_t plan_bytes;
	atomic_bool listed;                 /* the pod watch has had a complete list */
	atomic_int_fast64_t interrupted_us; /* when it was last interrupted */
	struct metrics_collector collector;
	struct outside *outside;
	struct launch_context launch;
	struct round_context rounds;
	struct queue *queue;
	struct kubernetes_watch *watch;
	struct pod_sweep *sweep;
	int stop_fd;
	pthread_t watch_thread, listen_thread;
	pthread_t *workers;
	unsigned worker_count;
};

METRIC_HISTOGRAM(round_seconds, "sandbox_engine_round_seconds", "Rounds: one execution brought as far as it can go.");
METRIC_HISTOGRAM(wait_seconds, "sandbox_engine_queue_wait_seconds", "From the wake-up of an execution to its round.");
METRIC_COUNTER(rounds_failed, "sandbox_engine_rounds_failed_total",
               "Rounds that could not be completed and are tried again.");
METRIC_COUNTER(transitions, "sandbox_engine_transitions_total",
               "Changes of phase of executions, nodes and task attempts.");
METRIC_COUNTER(executions_succeeded, "sandbox_engine_executions_succeeded_total", "Executions that succeeded.");
METRIC_COUNTER(executions_ended, "sandbox_engine_executions_ended_total", "Executions that ended, in whatever way.");
METRIC_COUNTER(pod_events, "sandbox_engine_pod_events_total", "Events of the pod watch.");
METRIC_COUNTER(watch_interruptions, "sandbox_engine_watch_interruptions_total", "Interruptions of the pod watch.");
METRIC_GAUGE(watch_heard, "sandbox_engine_watch_last_event_timestamp_seconds",
             "When the pod watch last heard of anything, Unix time.");

static void wake(struct engine *engine, int64_t execution_id)
{
	pod_cache_open(engine->rounds.pods, execution_id);
	queue_wake(engine->queue, execution_id);
}

/* ---- Pods ---- */

static void on_pod(void *context, enum kubernetes_event event, const json_t *pod)
{
	struct engine *engine = context;
	metric_add(&pod_events, 1);
	metric_set(&watch_heard, clock_wall_ns() / 1000000000);
	if (event == KUBERNETES_SYNCED) {
		atomic_store(&engine->listed, true);
		pod_cache_synced(engine->rounds.pods);
		queue_wake_all(engine->queue);
		pod_sweep_listed(engine->sweep);
		return;
	}
	pod_sweep_see(engine->sweep, pod, event == KUBERNETES_DELETED);
	const int64_t execution_id = pod_cache_update(engine->rounds.pods, pod, event == KUBERNETES_DELETED);
	if (execution_id)
		queue_wake(engine->queue, execution_id);
}

static void on_watch_problem(void *context, const struct err *problem)
{
	struct engine *engine = context;
	atomic_store(&engine->interrupted_us, clock_monotonic_us());
	metric_add(&watch_interruptions, 1);
	log_err(LOG_WARN, "the pod watch was interrupted", problem, NULL, NULL);
}

static void *watch_main(void *context)
{
	struct engine *engine = context;
	kubernetes_watch_run(engine->watch, on_pod, engine);
	return NULL;
}

/* ---- Notifications ---- */

static int wake_unfinished(struct engine *engine, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(SCAN_ARENA_MAXIMUM);
	auto_connection struct database_connection *c = NULL;
	struct progress_ids unfinished;
	if (database_borrow(engine->options.database, clock_monotonic_ms() + SCAN_BORROW_MS, &c, e) < 0 ||
	    progress_unfinished(c, &arena, &unfinished, e) < 0)
		return -1;
	for (size_t i = 0; i < unfinished.count; i++)
		wake(engine, unfinished.ids[i]);
	return 0;
}

static bool is_stopping(const struct engine *engine, int wait_ms)
{
	struct pollfd stop = { .fd = engine->stop_fd, .events = POLLIN };
	return poll(&stop, 1, wait_ms) > 0;
}

static void on_notify(void *context, const char *payload)
{
	struct engine *engine = context;
	int64_t execution_id;
	if (text_to_int64(payload, 1, INT64_MAX, &execution_id)) {
		wake(engine, execution_id);
		return;
	}
	do {
		auto_err struct err e = ERR_INIT;
		if (wake_unfinished(engine, &e) == 0)
			return;
		log_err(LOG_ERROR, "cannot look for unfinished executions", &e, NULL, NULL);
	} while (!is_stopping(engine, LISTEN_PAUSE_MS));
}

/* Lost connections are database_listen's business; anything else is tried again here, because an engine that hears
 * nothing is of no use. */
static void *listen_main(void *context)
{
	struct engine *engine = context;
	do {
		auto_err struct err e = ERR_INIT;
		if (database_listen(engine->options.database, EXECUTIONS_CHANNEL, engine->stop_fd, on_notify, engine,
		                    &e) < 0)
			log_err(LOG_ERROR, "the engine does not hear of new executions", &e, NULL, NULL);
	} while (!is_stopping(engine, LISTEN_PAUSE_MS));
	return NULL;
}

/* ---- Workers ---- */

static int64_t pause_ms(unsigned failures)
{
	int64_t pause = PAUSE_FIRST_MS << (failures < 10 ? failures : 10);
	return pause < PAUSE_LAST_MS ? pause : PAUSE_LAST_MS;
}

/* While somebody else holds the row: a replica that is killed with it must not be noticed late. */
static int64_t busy_pause_ms(unsigned failures)
{
	const int64_t pause = pause_ms(failures);
	return pause < BUSY_PAUSE_LAST_MS ? pause : BUSY_PAUSE_LAST_MS;
}

/* A time of the wall clock as one of the monotonic clock, rounded up: a millisecond early would be a round for nothing.
 */
static int64_t monotonic_of(int64_t wall_ns)
{
	if (!wall_ns)
		return CLOCK_NEVER;
	const int64_t in_ns = wall_ns - clock_wall_ns();
	return clock_monotonic_ms() + (in_ns > 0 ? in_ns / 1000000 + 1 : in_ns / 1000000);
}

static void log_problem(const char *message, const struct err *e, int64_t execution_id, unsigned failures)
{
	char id[24];
	(void)snprintf(id, sizeof(id), "%" PRId64, execution_id);
	/* The first of a row, then those at powers of two: an outage must not fill the log. */
	if ((failures & (failures - 1)) == 0)
		log_err(LOG_WARN, message, e, "execution_row", id);
}

static void log_round(const struct queue_work *work, int64_t began_us)
{
	char id[24], waited[24], took[24];
	(void)snprintf(id, sizeof(id), "%" PRId64, work->execution_id);
	(void)snprintf(waited, sizeof(waited), "%" PRId64, began_us - work->woken_at_us);
	(void)snprintf(took, sizeof(took), "%" PRId64, clock_monotonic_us() - began_us);
	metric_observe(&wait_seconds, began_us - work->woken_at_us);
	metric_observe(&round_seconds, clock_monotonic_us() - began_us);
	log_debug("round", "execution_row", id, "waited_us", waited, "took_us", took, NULL);
}

/* Accounts for a plan that was `before` bytes when it was taken out of the queue; lets it go when there are too many,
 * or it is done with. */
static struct plan *keep_plan(struct engine *engine, struct plan *plan, size_t before, bool done_with)
{
	const size_t now = plan_memory(plan);
	const size_t total = atomic_fetch_add(&engine->plan_bytes, now - before) + now - before;
	if (!done_with && total <= PLANS_MAXIMUM)
		return plan;
	atomic_fetch_sub(&engine->plan_bytes, now);
	return plan_free(plan);
}

/* What rounds share, with the settings of now. */
static struct round_context context_of(const struct engine *engine, const struct settings *settings,
                                        const struct connector_catalog *connectors, bool take_over)
{
	struct round_context context = engine->rounds;
	context.take_over = take_over;
	context.patience_ms = QUEUE_PATIENCE_MS;
	context.machine.connectors = connectors;
	context.machine.connector_unheard_ns = settings->connector_unreachable_ms * 1000000;
	context.object_maximum = (size_t)settings->object_maximum_mb << 20;
	context.notifications.mail = *settings->smtp_server;
	context.notifications.webhook = *settings->webhook_url;
	context.machine.array_output_maximum = context.object_maximum;
	context.machine.default_maximum_attempts = (uint32_t)settings->default_maximum_attempts;
	context.machine.system_retries = (uint32_t)settings->system_retries;
	context.machine.interruptible_threshold = (int32_t)settings->interruptible_threshold;
	context.machine.ignore_retry_cause = settings->ignore_retry_cause;
	context.machine.log_links = (struct log_links){
		.kubernetes = settings->log_kubernetes ? settings->log_kubernetes_template : NULL,
		.others = settings->log_templates,
	};
	context.machine.offload_minimum =
	        settings->literal_offloading ? (size_t)settings->literal_offloading_minimum_mb << 20 : 0;
	context.machine.offload_maximum = (size_t)settings->literal_offloading_maximum_mb << 20;
	context.pod_defaults = (struct pod_defaults){
		.environment = engine->options.environment,
		.environment_count = engine->options.environment_count,
		.variables = settings->pod_environment,
		.labels = settings->pod_labels,
		.annotations = settings->pod_annotations,
		.node_selector = settings->pod_node_selector,
		.tolerations = settings->pod_tolerations,
		.resources = settings->task_resources,
		.offload_minimum_mb = settings->literal_offloading ? settings->literal_offloading_minimum_mb : 0,
		.offload_maximum_mb = settings->literal_offloading_maximum_mb,
		.platform_namespace = engine->options.platform_namespace,
		.pod_template_name = settings->pod_template,
		.copilot_image = settings->copilot_image,
		.console_url = settings->console_url,
		.scheduling = { .interruptible_node_selector = settings->interruptible_node_selector,
		                .interruptible_tolerations = settings->interruptible_tolerations,
		                .gpu_device_label = settings->gpu_device_label,
		                .gpu_partition_label = settings->gpu_partition_label },
	};
	return context;
}

static void run_one(struct engine *engine, struct queue_work *work)
{
	auto_settings const struct settings *settings = settings_current(engine->options.settings);
	auto_connector_catalog const struct connector_catalog *connectors =
	        connectors_catalog(engine->options.connectors);
	const struct round_context context = context_of(engine, settings, connectors, work->elsewhere);
	const int64_t began_us = clock_monotonic_us();
	auto_err struct err e = ERR_INIT;
	struct round_result result = ROUND_RESULT_INIT;
	struct plan *plan = work->attachment;
	const size_t plan_before = plan_memory(plan);
	const int outcome = round_run(&context, work->execution_id, &plan, &result, &e);
	log_round(work, began_us);
	const int64_t retry_at_ms = clock_monotonic_ms() + pause_ms(work->failures);
	work->attachment = keep_plan(engine, plan, plan_before, outcome == 0 && result.outcome == ROUND_FINISHED);
	if (outcome < 0 || result.incomplete)
		metric_add(&rounds_failed, 1);
	if (outcome < 0) {
		log_problem("a round of an execution failed", &e, work->execution_id, work->failures);
		queue_done(engine->queue, work, QUEUE_FAILED, retry_at_ms);
	} else if (result.incomplete) {
		log_problem("an execution cannot go on", &result.problem, work->execution_id, work->failures);
		const int64_t wake_at_ms = monotonic_of(result.wake_at_ns);
		queue_done(engine->queue, work, QUEUE_FAILED, wake_at_ms < retry_at_ms ? wake_at_ms : retry_at_ms);
	} else if (result.outcome == ROUND_BUSY) {
		/* The end of a transaction is no event for others. */
		const int64_t busy_until_ms = clock_monotonic_ms() + busy_pause_ms(work->failures);
		queue_done(engine->queue, work, QUEUE_FAILED, busy_until_ms);
	} else if (result.outcome == ROUND_ELSEWHERE) {
		queue_done(engine->queue, work, QUEUE_ELSEWHERE, monotonic_of(result.wake_at_ns));
	} else if (result.outcome == ROUND_FINISHED) {
		/* Before the queue forgets it: what comes in between opens both again. */
		pod_cache_drop(engine->rounds.pods, work->execution_id);
		queue_done(engine->queue, work, QUEUE_FINISHED, CLOCK_NEVER);
	} else {
		queue_done(engine->queue, work, QUEUE_KEEP, monotonic_of(result.wake_at_ns));
	}
	round_result_release(&result);
}

static void *worker_main(void *context)
{
	struct engine *engine = context;
	struct queue_work work;
	while (queue_take(engine->queue, &work))
		run_one(engine, &work);
	return NULL;
}

static bool is_final(const char *phase)
{
	return text_equal(phase, "SUCCEEDED") || text_equal(phase, "FAILED") || text_equal(phase, "ABORTED") ||
	       text_equal(phase, "TIMED_OUT");
}

static void on_transition(void *context, const char *execution, const struct machine_transition *t)
{
	(void)context;
	metric_add(&transitions, 1);
	if (!t->node_id && text_equal(t->to, "SUCCEEDED"))
		metric_add(&executions_succeeded, 1);
	if (!t->node_id && is_final(t->to))
		metric_add(&executions_ended, 1);
	char attempt[12];
	(void)snprintf(attempt, sizeof(attempt), "%" PRIu32, t->attempt);
	if (!t->node_id)
		log_info("execution", "name", execution, "from", t->from, "to", t->to, NULL);
	else
		log_debug(t->of_task ? "task" : "node", "execution", execution, "node", t->node_id, "attempt", attempt,
		          "from", t->from, "to", t->to, NULL);
}

/* ---- To be looked at ---- */

static void collect(void *context, struct metrics_page *page)
{
	const struct engine *engine = context;
	metrics_family(page, "sandbox_engine_executions", METRIC_KIND_GAUGE,
	               "Executions that the engine holds: unfinished ones.");
	metrics_sample(page, NULL, 0, (double)queue_count(engine->queue));
	metrics_family(page, "sandbox_engine_plan_bytes", METRIC_KIND_GAUGE,
	               "Memory of the plans kept between rounds.");
	metrics_sample(page, NULL, 0, (double)atomic_load(&engine->plan_bytes));
	metrics_family(page, "sandbox_engine_watch_synced", METRIC_KIND_GAUGE,
	               "1 while the pod watch runs and its list is complete.");
	metrics_sample(page, NULL, 0, engine_is_synced(engine));
}

bool engine_is_synced(const struct engine *engine)
{
	/* A stream that goes on after an interruption begins with no list: hearing anything at all shows that it does.
	 */
	return atomic_load(&engine->listed) &&
	       kubernetes_watch_heard_us(engine->watch) > atomic_load(&engine->interrupted_us);
}

int engine_dump(struct engine *engine, struct buf *out)
{
	return queue_dump(engine->queue, out);
}

/* ---- Start and stop ---- */

static void free_attachment(void *attachment)
{
	plan_free(attachment);
}

static char *selector_of(const char *platform_namespace)
{
	if (!platform_namespace || text_equal(platform_namespace, POD_PLATFORM_NAMESPACE))
		return xstrdup(POD_CACHE_LABEL ",!" POD_CACHE_PLATFORM_LABEL);
	return xasprintf(POD_CACHE_LABEL "," POD_CACHE_PLATFORM_LABEL "=%s", platform_namespace);
}

static struct engine *engine_new(const struct engine_options *options)
{
	struct engine *engine = xcalloc(1, sizeof(*engine));
	engine->options = *options;
	engine->outside = outside_new(options->objects, options->kubernetes);
	engine->queue = queue_new(free_attachment);
	engine->sweep = pod_sweep_new(options->database, engine->outside, options->settings);
	auto_free char *selector = selector_of(options->platform_namespace);
	engine->watch = kubernetes_watch_new(options->kubernetes, "/api/v1/pods", selector);
	kubernetes_watch_on_problem(engine->watch, on_watch_problem, engine);
	engine->launch = (struct launch_context){ .database = options->database,
		                                  .objects = options->objects,
		                                  .bucket = options->bucket,
		                                  .settings = options->settings,
		                                  .parallel = parallel_new(PARALLEL_THREADS) };
	engine->rounds = (struct round_context){
		.database = options->database,
		.launch = &engine->launch,
		.outside = engine->outside,
		.pods = pod_cache_new(),
		.parallel = engine->launch.parallel,
		.machine = MACHINE_OPTIONS_DEFAULT,
		.on_transition = on_transition,
		.replica = options->replica,
	};
	engine->rounds.machine.metadata_prefix = options->metadata_prefix;
	engine->rounds.machine.raw_output_prefix = options->raw_output_prefix;
	if (options->array_maximum)
		engine->rounds.machine.array_maximum = options->array_maximum;
	if (options->array_parallelism)
		engine->rounds.machine.array_parallelism = options->array_parallelism;
	engine->stop_fd = -1;
	engine->collector = (struct metrics_collector){ .collect = collect, .context = engine };
	metrics_add_collector(&engine->collector);
	return engine;
}

static struct engine *engine_free(struct engine *engine)
{
	metrics_remove_collector(&engine->collector);
	kubernetes_watch_free(engine->watch);
	pod_sweep_free(engine->sweep);
	queue_free(engine->queue);
	pod_cache_free(engine->rounds.pods);
	parallel_free(engine->rounds.parallel);
	outside_free(engine->outside);
	if (engine->stop_fd >= 0)
		close(engine->stop_fd);
	free(engine->workers);
	free(engine);
	return NULL;
}

static int start_threads(struct engine *engine, struct err *e)
{
	const unsigned wanted = engine->options.workers ? engine->options.workers : 1;
	if (pod_sweep_start(engine->sweep, e) < 0)
		return -1;
	int failure = pthread_create(&engine->watch_thread, NULL, watch_main, engine);
	if (failure)
		return err_set_errno(e, failure, NULL, "cannot start the pod watch");
	failure = pthread_create(&engine->listen_thread, NULL, listen_main, engine);
	if (failure) {
		kubernetes_watch_stop(engine->watch);
		pthread_join(engine->watch_thread, NULL);
		return err_set_errno(e, failure, NULL, "cannot start the listener");
	}
	engine->workers = xcalloc(wanted, sizeof(*engine->workers));
	while (engine->worker_count < wanted) {
		failure = pthread_create(&engine->workers[engine->worker_count], NULL, worker_main, engine);
		if (failure)
			break;
		engine->worker_count++;
	}
	return engine->worker_count > 0 ? 0 : err_set_errno(e, failure, NULL, "cannot start a worker");
}

int engine_start(const struct engine_options *options, struct engine **ret_engine, struct err *e)
{
	struct engine *engine = engine_new(options);
	engine->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->stop_fd < 0) {
		err_set_errno(e, errno, NULL, "cannot make an eventfd");
		engine_free(engine);
		return -1;
	}
	if (start_threads(engine, e) < 0) {
		if (engine->workers) /* watch and listener run */
			engine_stop(engine);
		else
			engine_free(engine);
		return -1;
	}
	*ret_engine = engine;
	return 0;
}

struct engine *engine_stop(struct engine *engine)
{
	if (!engine)
		return NULL;
	queue_stop(engine->queue);
	kubernetes_watch_stop(engine->watch);
	(void)eventfd_write(engine->stop_fd, 1);
	for (unsigned i = 0; i < engine->worker_count; i++)
		pthread_join(engine->workers[i], NULL);
	pthread_join(engine->listen_thread, NULL);
	pthread_join(engine->watch_thread, NULL);
	return engine_free(engine);
}
