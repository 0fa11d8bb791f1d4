/*
 * One thread listens to Postgres, one brings things into step: when woken, and again after a pause that grows as long as
 * something fails. Wake-ups during a pass make one more.
 */
#include "controlplane/cluster/cluster_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "controlplane/store/cluster_resources.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 500
#define PAUSE_LAST_MS 30000

struct cluster_resources {
	struct cluster_resources_options options;
	pthread_t sync_thread, listen_thread;
	bool syncing, listening;
	int stop_fd, wake_fd;
};

/* Whether it is time to stop; waits for that, or to be woken, at most this long. */
static bool is_stopping(const struct cluster_resources *r, int timeout_ms, bool *ret_woken)
{
	struct pollfd fds[] = { { .fd = r->stop_fd, .events = POLLIN }, { .fd = r->wake_fd, .events = POLLIN } };
	eventfd_t count;
	(void)poll(fds, ret_woken ? 2 : 1, timeout_ms);
	if (ret_woken)
		*ret_woken = fds[1].revents && eventfd_read(r->wake_fd, &count) == 0;
	return fds[0].revents != 0;
}

static void *sync_main(void *context)
{
	struct cluster_resources *r = context;
	auto_json json_t *applied = json_object();
	int pause_ms = PAUSE_FIRST_MS;
	for (;;) {
		auto_err struct err e = ERR_INIT;
		bool woken;
		int outcome = cluster_sync(&r->options, applied, &e);
		if (outcome < 0)
			log_err(LOG_ERROR, "cannot keep the namespaces of projects in step", &e, NULL, NULL);
		if (is_stopping(r, outcome ? pause_ms : -1, &woken))
			return NULL;
		pause_ms = outcome && !woken && pause_ms < PAUSE_LAST_MS ? pause_ms * 2 : PAUSE_FIRST_MS;
	}
}

static void on_notify(void *context, const char *payload)
{
	(void)payload;
	cluster_resources_wake(context);
}

static void *listen_main(void *context)
{
	struct cluster_resources *r = context;
	do {
		auto_err struct err e = ERR_INIT;
		if (database_listen(r->options.database, CLUSTER_RESOURCES_CHANNEL, r->stop_fd, on_notify, r, &e) < 0)
			log_err(LOG_ERROR, "changes of projects are not heard of", &e, NULL, NULL);
	} while (!is_stopping(r, PAUSE_LAST_MS, NULL));
	return NULL;
}

void cluster_resources_wake(struct cluster_resources *r)
{
	if (r)
		(void)eventfd_write(r->wake_fd, 1);
}

static int start_threads(struct cluster_resources *r, struct err *e)
{
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	r->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (r->stop_fd < 0 || r->wake_fd < 0)
		return err_set_errno(e, errno, NULL, "cannot make an eventfd");
	int failure = pthread_create(&r->listen_thread, NULL, listen_main, r);
	r->listening = !failure;
	if (!failure) {
		failure = pthread_create(&r->sync_thread, NULL, sync_main, r);
		r->syncing = !failure;
	}
	return failure ? err_set_errno(e, failure, NULL, "cannot start a thread") : 0;
}

int cluster_resources_start(const struct cluster_resources_options *options, struct cluster_resources **ret_resources,
                            struct err *e)
{
	struct cluster_resources *r = xcalloc(1, sizeof(*r));
	r->options = *options;
	r->stop_fd = r->wake_fd = -1;
	if (start_threads(r, e) < 0) {
		cluster_resources_stop(r);
		return -1;
	}
	*ret_resources = r;
	return 0;
}

struct cluster_resources *cluster_resources_stop(struct cluster_resources *r)
{
	if (!r)
		return NULL;
	if (r->stop_fd >= 0)
		(void)eventfd_write(r->stop_fd, 1);
	if (r->syncing)
		pthread_join(r->sync_thread, NULL);
	if (r->listening)
		pthread_join(r->listen_thread, NULL);
	cleanup_fd(&r->stop_fd);
	cleanup_fd(&r->wake_fd);
	free(r);
	return NULL;
}
