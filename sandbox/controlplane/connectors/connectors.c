#include "controlplane/connectors/connectors.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "controlplane/connectors/calls.h"
#include "controlplane/connectors/work.h"
#include "controlplane/store/connector_tasks.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WORKERS_DEFAULT 4
#define ARENA_MAXIMUM ((size_t)256 << 20)
#define BORROW_MS INT64_C(10000)
/* Before Postgres is asked again after it failed. */
#define PAUSE_MS 1000
#define HELD_MS 20
/* How often a connector that is away is asked at least. */
#define AWAY_MS INT64_C(2000)

struct connectors {
	struct connectors_options options;
	int stop_fd;
	pthread_mutex_t lock;
	pthread_cond_t woken; /* on the monotonic clock */
	bool stopping;
	uint64_t rows_version;     /* counts up when rows may have changed */
	uint64_t settings_version; /* … when the settings have */
	const struct connector_catalog *catalog;
	pthread_t list_thread, listen_thread;
	pthread_t *workers;
	unsigned worker_count;
};

/* ---- Waiting ---- */

/* Until *counter is not `seen` any more, `wait_ms` have passed (negative: never), or it is time to stop: then false. */
static bool wait_for_change(struct connectors *connectors, const uint64_t *counter, uint64_t seen, int64_t wait_ms)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	if (wait_ms > 0) {
		until.tv_sec += (time_t)(wait_ms / 1000);
		until.tv_nsec += (wait_ms % 1000) * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	}
	pthread_mutex_lock(&connectors->lock);
	int outcome = 0;
	while (!connectors->stopping && *counter == seen && outcome != ETIMEDOUT)
		outcome = wait_ms < 0 ? pthread_cond_wait(&connectors->woken, &connectors->lock)
		                      : pthread_cond_timedwait(&connectors->woken, &connectors->lock, &until);
	const bool goes_on = !connectors->stopping;
	pthread_mutex_unlock(&connectors->lock);
	return goes_on;
}

static uint64_t read_counter(struct connectors *connectors, const uint64_t *counter)
{
	pthread_mutex_lock(&connectors->lock);
	const uint64_t value = *counter;
	pthread_mutex_unlock(&connectors->lock);
	return value;
}

static void count_up(struct connectors *connectors, uint64_t *counter)
{
	pthread_mutex_lock(&connectors->lock);
	(*counter)++;
	pthread_cond_broadcast(&connectors->woken);
	pthread_mutex_unlock(&connectors->lock);
}

/* ---- What connectors support ---- */

const struct connector_catalog *connectors_catalog(struct connectors *connectors)
{
	if (!connectors)
		return NULL;
	pthread_mutex_lock(&connectors->lock);
	const struct connector_catalog *catalog = connector_catalog_retain(connectors->catalog);
	pthread_mutex_unlock(&connectors->lock);
	return catalog;
}

/* Somebody who was away has answered: whoever waits for him need not wait any longer. */
static bool has_come_back(const struct connector_catalog *before, const struct connector_catalog *after)
{
	if (connector_catalog_count(before) != connector_catalog_count(after))
		return true;
	for (size_t i = 0; i < connector_catalog_count(before); i++) {
		if (*connector_catalog_place(before, i)->problem && !*connector_catalog_place(after, i)->problem)
			return true;
	}
	return false;
}

/* `other_tasks`: connectors run other tasks than before, so executions may wait for that. Without being told all of them
 * look again by themselves, later. */
static void tell_who_waits(struct connectors *connectors, bool other_tasks)
{
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(connectors->options.database, clock_monotonic_ms() + BORROW_MS, &c, &e) < 0 ||
	    connector_tasks_hurry(c, &e) < 0 || (other_tasks && connector_tasks_wake_engine(c, &e) < 0))
		log_err(LOG_WARN, "tasks of a connector that has come back wait a little longer", &e, NULL, NULL);
}

static void publish(struct connectors *connectors, const struct connector_catalog *catalog)
{
	pthread_mutex_lock(&connectors->lock);
	const struct connector_catalog *replaced = connectors->catalog;
	connectors->catalog = catalog;
	pthread_mutex_unlock(&connectors->lock);
	const bool same = connector_catalog_same(replaced, catalog);
	const bool back = has_come_back(replaced, catalog);
	connector_catalog_release(replaced);
	if (!same || back)
		tell_who_waits(connectors, !same);
}

static void log_answer(const struct connector_place *place, const struct connector_answer *answer, const struct err *e)
{
	if (answer->agents || answer->silent) {
		if (!place->heard || *place->problem)
			log_info("a connector has answered", "connector", place->at.name, "address", place->at.target,
			         NULL);
	} else if (!*place->problem) {
		log_err(LOG_WARN, "a connector does not answer", e, "connector", place->at.name);
	}
}

/* False when it is time to stop. */
static bool ask(const struct connectors *connectors, struct arena *arena, const struct connector_place *place,
                struct connector_answer *ret_answer)
{
	auto_err struct err e = ERR_INIT;
	*ret_answer = (struct connector_answer){ .asked = true };
	if (calls_list(arena, place, connectors->stop_fd, &ret_answer->agents, &e) < 0) {
		if (e.kind == ERR_CANCELLED)
			return false;
		ret_answer->silent = e.kind == ERR_UNSUPPORTED;
		if (!ret_answer->silent)
			ret_answer->problem = arena_strdup(arena, err_message(&e));
	}
	log_answer(place, ret_answer, &e);
	return true;
}

/* Each answer counts at once: one that is slow does not keep the others from being known. */
static void ask_all(struct connectors *connectors)
{
	auto_settings const struct settings *settings = settings_current(connectors->options.settings);
	auto_connector_catalog const struct connector_catalog *before = connectors_catalog(connectors);
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	publish(connectors, connector_catalog_new(settings, before, NULL));
	auto_connector_catalog const struct connector_catalog *asked = connectors_catalog(connectors);
	const size_t count = connector_catalog_count(asked);
	struct connector_answer *answers = arena_array(&arena, struct connector_answer, count);
	for (size_t i = 0; i < count; i++) {
		if (!ask(connectors, &arena, connector_catalog_place(asked, i), &answers[i]))
			return;
		publish(connectors, connector_catalog_new(settings, asked, answers));
	}
}

static int64_t list_pause_ms(const struct settings *settings, const struct connector_catalog *catalog)
{
	const size_t count = connector_catalog_count(catalog);
	bool away = false;
	for (size_t i = 0; i < count; i++)
		away |= *connector_catalog_place(catalog, i)->problem != '\0';
	if (count == 0)
		return -1;
	return away && settings->connector_list_ms > AWAY_MS ? AWAY_MS : settings->connector_list_ms;
}

static void *list_main(void *context)
{
	struct connectors *connectors = context;
	uint64_t seen;
	int64_t wait_ms;
	do {
		seen = read_counter(connectors, &connectors->settings_version);
		ask_all(connectors);
		auto_settings const struct settings *settings = settings_current(connectors->options.settings);
		auto_connector_catalog const struct connector_catalog *catalog = connectors_catalog(connectors);
		wait_ms = list_pause_ms(settings, catalog);
	} while (wait_for_change(connectors, &connectors->settings_version, seen, wait_ms));
	return NULL;
}

/* ---- Rows that are due ---- */

static bool pause_for_database(void *context)
{
	struct connectors *connectors = context;
	struct pollfd stop = { .fd = connectors->stop_fd, .events = POLLIN };
	return poll(&stop, 1, PAUSE_MS) == 0;
}

/* Makes one call, if one is due. *ret_wait_ms is how long there will be nothing to do; negative: until rows change. */
static int work_once(struct connectors *connectors, int64_t *ret_wait_ms, struct err *e)
{
	auto_settings const struct settings *settings = settings_current(connectors->options.settings);
	auto_connector_catalog const struct connector_catalog *catalog = connectors_catalog(connectors);
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	const struct work_context context = { .database = connectors->options.database,
		                              .settings = settings,
		                              .catalog = catalog,
		                              .pause = pause_for_database,
		                              .context = connectors,
		                              .cancel_fd = connectors->stop_fd };
	struct connector_work work;
	int taken;
	{
		auto_connection struct database_connection *c = NULL;
		if (database_borrow(connectors->options.database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
			return -1;
		taken = connector_tasks_take(c, &arena, work_lease_ms(&context), &work, ret_wait_ms, e);
	}
	if (taken <= 0) {
		/* One that is due and cannot be had is held by somebody who will be done with it at once. */
		if (*ret_wait_ms >= 0 && *ret_wait_ms < HELD_MS)
			*ret_wait_ms = HELD_MS;
		return taken;
	}
	*ret_wait_ms = 0;
	return work_run(&context, &work, e);
}

static void *worker_main(void *context)
{
	struct connectors *connectors = context;
	int64_t wait_ms;
	uint64_t seen;
	do {
		auto_err struct err e = ERR_INIT;
		seen = read_counter(connectors, &connectors->rows_version);
		if (work_once(connectors, &wait_ms, &e) < 0) {
			log_err(LOG_ERROR, "cannot look after the tasks of connectors", &e, NULL, NULL);
			wait_ms = PAUSE_MS;
		}
	} while (wait_for_change(connectors, &connectors->rows_version, seen, wait_ms));
	return NULL;
}

static void on_notify(void *context, const char *payload)
{
	struct connectors *connectors = context;
	(void)payload;
	count_up(connectors, &connectors->rows_version);
}

static void *listen_main(void *context)
{
	struct connectors *connectors = context;
	do {
		auto_err struct err e = ERR_INIT;
		if (database_listen(connectors->options.database, CONNECTOR_TASKS_CHANNEL, connectors->stop_fd,
		                    on_notify, connectors, &e) < 0)
			log_err(LOG_ERROR, "those who call connectors do not hear of new tasks", &e, NULL, NULL);
	} while (pause_for_database(connectors));
	return NULL;
}

/* ---- Start and stop ---- */

static struct connectors *connectors_free(struct connectors *connectors)
{
	connector_catalog_release(connectors->catalog);
	if (connectors->stop_fd >= 0)
		close(connectors->stop_fd);
	pthread_cond_destroy(&connectors->woken);
	pthread_mutex_destroy(&connectors->lock);
	free(connectors->workers);
	free(connectors);
	return NULL;
}

static void begin_stop(struct connectors *connectors)
{
	(void)eventfd_write(connectors->stop_fd, 1);
	pthread_mutex_lock(&connectors->lock);
	connectors->stopping = true;
	pthread_cond_broadcast(&connectors->woken);
	pthread_mutex_unlock(&connectors->lock);
}

static int start_threads(struct connectors *connectors, struct err *e)
{
	const unsigned wanted = connectors->options.workers ? connectors->options.workers : WORKERS_DEFAULT;
	int failure = pthread_create(&connectors->list_thread, NULL, list_main, connectors);
	if (failure)
		return err_set_errno(e, failure, NULL, "cannot start the thread that lists connectors");
	failure = pthread_create(&connectors->listen_thread, NULL, listen_main, connectors);
	if (failure) {
		begin_stop(connectors);
		pthread_join(connectors->list_thread, NULL);
		return err_set_errno(e, failure, NULL, "cannot start the thread that hears of tasks of connectors");
	}
	connectors->workers = xcalloc(wanted, sizeof(*connectors->workers));
	while (connectors->worker_count < wanted &&
	       !(failure = pthread_create(&connectors->workers[connectors->worker_count], NULL, worker_main, connectors)))
		connectors->worker_count++;
	if (connectors->worker_count > 0)
		return 0;
	begin_stop(connectors);
	pthread_join(connectors->list_thread, NULL);
	pthread_join(connectors->listen_thread, NULL);
	return err_set_errno(e, failure, NULL, "cannot start a thread that calls connectors");
}

int connectors_start(const struct connectors_options *options, struct connectors **ret_connectors, struct err *e)
{
	struct connectors *connectors = xcalloc(1, sizeof(*connectors));
	pthread_condattr_t monotonic;
	connectors->options = *options;
	pthread_mutex_init(&connectors->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&connectors->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	connectors->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_settings const struct settings *settings = settings_current(options->settings);
	connectors->catalog = connector_catalog_new(settings, NULL, NULL);
	if (connectors->stop_fd < 0) {
		err_set_errno(e, errno, NULL, "cannot make an eventfd");
		connectors_free(connectors);
		return -1;
	}
	if (start_threads(connectors, e) < 0) {
		connectors_free(connectors);
		return -1;
	}
	*ret_connectors = connectors;
	return 0;
}

void connectors_wake(struct connectors *connectors)
{
	if (connectors)
		count_up(connectors, &connectors->settings_version);
}

struct connectors *connectors_stop(struct connectors *connectors)
{
	if (!connectors)
		return NULL;
	begin_stop(connectors);
	for (unsigned i = 0; i < connectors->worker_count; i++)
		pthread_join(connectors->workers[i], NULL);
	pthread_join(connectors->listen_thread, NULL);
	pthread_join(connectors->list_thread, NULL);
	return connectors_free(connectors);
}
