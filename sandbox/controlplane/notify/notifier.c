#include "controlplane/notify/notifier.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "controlplane/notify/deliver.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ARENA_MAXIMUM ((size_t)64 << 20)
#define BORROW_MS INT64_C(10000)
/* Longer than one attempt takes: by then its sender is dead. */
#define LEASE_MS (2 * DELIVER_TIMEOUT_MS)
#define RETRY_FIRST_MS INT64_C(1000)
#define RETRY_LAST_MS INT64_C(600000)
/* Before a database that failed is asked again; and before one looks again for a row that somebody else holds. */
#define PAUSE_MS 1000
#define HELD_MS 50

METRIC_COUNTER(sent, "sandbox_notifications_sent_total", "Notifications that were sent.");
METRIC_COUNTER(failed, "sandbox_notifications_failures_total", "Attempts to send one that failed.");
METRIC_COUNTER(given_up, "sandbox_notifications_given_up_total", "Notifications that could not be sent.");

struct notifier {
	struct database *database;
	struct settings_holder *settings;
	int stop_fd, wake_fd;
	pthread_t send_thread, listen_thread;
};

static bool is_stopping(const struct notifier *notifier)
{
	struct pollfd stop = { .fd = notifier->stop_fd, .events = POLLIN };
	return poll(&stop, 1, 0) > 0;
}

static int64_t retry_ms(int64_t attempts)
{
	const int64_t wait = RETRY_FIRST_MS << (attempts < 20 ? attempts : 20);
	return wait < RETRY_LAST_MS ? wait : RETRY_LAST_MS;
}

enum outcome { OVER, LEFT, LATER };

/* LATER: after *ret_wait_ms. LEFT: it is time to stop, which is no fault of the one who was called. */
static enum outcome attempt(struct notifier *notifier, const struct notification_work *work, int64_t *ret_wait_ms)
{
	auto_settings const struct settings *settings = settings_current(notifier->settings);
	const struct deliver_context context = { .settings = settings, .cancel_fd = notifier->stop_fd };
	auto_err struct err e = ERR_INIT;
	if (deliver(&context, work, &e) == 0) {
		metric_add(&sent, 1);
		return OVER;
	}
	if (e.kind == ERR_CANCELLED)
		return LEFT;
	metric_add(&failed, 1);
	const char *what = work->webhook ? "webhook" : "mail";
	if (e.kind == ERR_INVALID || work->attempts + 1 >= settings->notification_attempts) {
		metric_add(&given_up, 1);
		log_err(LOG_ERROR, "a notification is given up", &e, "execution", work->name);
		return OVER;
	}
	if ((work->attempts & (work->attempts + 1)) == 0)
		log_err(LOG_WARN, "a notification cannot be sent yet", &e, what, work->name);
	*ret_wait_ms = retry_ms(work->attempts);
	return LATER;
}

static int write_down(struct notifier *notifier, const struct notification_work *work, enum outcome outcome,
                      int64_t wait_ms, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(notifier->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
		return -1;
	switch (outcome) {
	case OVER:
		return notifications_done(c, work, e);
	case LEFT:
		return notifications_leave(c, work, e);
	case LATER:
		return notifications_postpone(c, work, wait_ms, e);
	}
	return 0;
}

/* One notification, if one is due; *ret_wait_ms is how long there will be none, negative: until rows change. */
static int send_one(struct notifier *notifier, int64_t *ret_wait_ms, struct err *e)
{
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	struct notification_work work;
	int taken;
	{
		auto_connection struct database_connection *c = NULL;
		if (database_borrow(notifier->database, clock_monotonic_ms() + BORROW_MS, &c, e) < 0)
			return -1;
		taken = notifications_take(c, &arena, LEASE_MS, &work, ret_wait_ms, e);
	}
	if (taken <= 0) {
		if (*ret_wait_ms >= 0 && *ret_wait_ms < HELD_MS)
			*ret_wait_ms = HELD_MS;
		return taken;
	}
	*ret_wait_ms = 0;
	int64_t again_ms = 0;
	const enum outcome outcome = attempt(notifier, &work, &again_ms);
	/* What was sent must not be sent again because Postgres is away for a moment. */
	while (write_down(notifier, &work, outcome, again_ms, e) < 0) {
		struct pollfd stop = { .fd = notifier->stop_fd, .events = POLLIN };
		if ((e->kind != ERR_UNAVAILABLE && e->kind != ERR_TIMEOUT) || poll(&stop, 1, PAUSE_MS) > 0)
			return -1;
		err_release(e);
	}
	return 0;
}

static void *send_main(void *context)
{
	struct notifier *notifier = context;
	struct pollfd fds[] = { { .fd = notifier->stop_fd, .events = POLLIN },
		                { .fd = notifier->wake_fd, .events = POLLIN } };
	while (!is_stopping(notifier)) {
		auto_err struct err e = ERR_INIT;
		int64_t wait_ms;
		uint64_t count;
		if (send_one(notifier, &wait_ms, &e) < 0) {
			log_err(LOG_ERROR, "cannot look for notifications", &e, NULL, NULL);
			wait_ms = PAUSE_MS;
		}
		if (poll(fds, ARRAY_LENGTH(fds), wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms) > 0 && fds[1].revents)
			(void)eventfd_read(notifier->wake_fd, &count);
	}
	return NULL;
}

static void on_notify(void *context, const char *payload)
{
	const struct notifier *notifier = context;
	(void)payload;
	(void)eventfd_write(notifier->wake_fd, 1);
}

static void *listen_main(void *context)
{
	struct notifier *notifier = context;
	struct pollfd stop = { .fd = notifier->stop_fd, .events = POLLIN };
	do {
		auto_err struct err e = ERR_INIT;
		if (database_listen(notifier->database, NOTIFICATIONS_CHANNEL, notifier->stop_fd, on_notify, notifier, &e) <
		    0)
			log_err(LOG_ERROR, "the notifier does not hear of new notifications", &e, NULL, NULL);
	} while (poll(&stop, 1, PAUSE_MS) == 0);
	return NULL;
}

static struct notifier *notifier_free(struct notifier *notifier)
{
	if (notifier->stop_fd >= 0)
		close(notifier->stop_fd);
	if (notifier->wake_fd >= 0)
		close(notifier->wake_fd);
	free(notifier);
	return NULL;
}

int notifier_start(struct database *database, struct settings_holder *settings, struct notifier **ret_notifier,
                   struct err *e)
{
	struct notifier *notifier = xcalloc(1, sizeof(*notifier));
	*notifier = (struct notifier){ .database = database,
		                       .settings = settings,
		                       .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		                       .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	if (notifier->stop_fd < 0 || notifier->wake_fd < 0) {
		err_set_errno(e, errno, NULL, "cannot make an eventfd");
		notifier_free(notifier);
		return -1;
	}
	int failure = pthread_create(&notifier->listen_thread, NULL, listen_main, notifier);
	if (failure) {
		notifier_free(notifier);
		return err_set_errno(e, failure, NULL, "cannot start the notifier");
	}
	failure = pthread_create(&notifier->send_thread, NULL, send_main, notifier);
	if (failure) {
		(void)eventfd_write(notifier->stop_fd, 1);
		pthread_join(notifier->listen_thread, NULL);
		notifier_free(notifier);
		return err_set_errno(e, failure, NULL, "cannot start the notifier");
	}
	*ret_notifier = notifier;
	return 0;
}

struct notifier *notifier_stop(struct notifier *notifier)
{
	if (!notifier)
		return NULL;
	(void)eventfd_write(notifier->stop_fd, 1);
	pthread_join(notifier->send_thread, NULL);
	pthread_join(notifier->listen_thread, NULL);
	return notifier_free(notifier);
}
