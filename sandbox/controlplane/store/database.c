/*
 * The pool. Its connections exist from the start as slots; a slot connects when it is first borrowed and again after it was lost. Free
 * slots are a stack, so that a quiet program keeps using the same few connections with their prepared statements. Who finds no slot
 * waits on a condition variable until its deadline.
 */
#include "controlplane/store/database_internal.h"

#include "base/clock.h"
#include "base/metrics.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

struct database {
	char *url;
	unsigned size;
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct database_connection *free;
	struct database_connection *slots;
};

struct database *database_new(const char *url, unsigned pool_size)
{
	struct database *database = xcalloc(1, sizeof(*database));
	database->url = xstrdup(url);
	database->size = pool_size ? pool_size : 1;
	database->slots = xcalloc(database->size, sizeof(*database->slots));
	for (unsigned i = database->size; i-- > 0;) {
		database->slots[i].database = database;
		database->slots[i].next_free = database->free;
		database->free = &database->slots[i];
	}
	pthread_mutex_init(&database->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&database->returned, &attributes);
	pthread_condattr_destroy(&attributes);
	return database;
}

static void disconnect(struct database_connection *c)
{
	PQfinish(c->pg);
	c->pg = NULL;
	database_forget_statements(c);
}

struct database *database_free(struct database *database)
{
	if (!database)
		return NULL;
	for (unsigned i = 0; i < database->size; i++) {
		disconnect(&database->slots[i]);
		free(database->slots[i].statements);
	}
	pthread_cond_destroy(&database->returned);
	pthread_mutex_destroy(&database->lock);
	free(database->slots);
	free(database->url);
	free(database);
	return NULL;
}

const char *database_url(const struct database *database)
{
	return database->url;
}

static struct timespec to_timespec(int64_t monotonic_ms)
{
	return (struct timespec){ .tv_sec = monotonic_ms / 1000, .tv_nsec = monotonic_ms % 1000 * 1000000 };
}

METRIC_GAUGE(in_use, "sandbox_database_connections_in_use", "Connections to Postgres that are borrowed.");
METRIC_COUNTER(connects, "sandbox_database_connects_total", "Connections to Postgres made.");
METRIC_HISTOGRAM(waits, "sandbox_database_wait_seconds", "Time that borrowers waited for a free connection of the pool.");
METRIC_COUNTER(timeouts, "sandbox_database_wait_timeouts_total", "Borrowers that got no connection in time.");

static struct database_connection *take_slot(struct database *database, int64_t deadline_ms)
{
	pthread_mutex_lock(&database->lock);
	int waited = 0;
	while (!database->free && waited == 0) {
		if (deadline_ms == CLOCK_NEVER) {
			waited = pthread_cond_wait(&database->returned, &database->lock);
			continue;
		}
		struct timespec until = to_timespec(deadline_ms);
		waited = pthread_cond_timedwait(&database->returned, &database->lock, &until);
	}
	struct database_connection *c = database->free;
	if (c)
		database->free = c->next_free;
	pthread_mutex_unlock(&database->lock);
	return c;
}

static void give_slot(struct database_connection *c)
{
	struct database *database = c->database;
	pthread_mutex_lock(&database->lock);
	c->next_free = database->free;
	database->free = c;
	metric_add(&in_use, -1);
	pthread_cond_signal(&database->returned);
	pthread_mutex_unlock(&database->lock);
}

/*
 * An idle connection has nothing to read; when it has, that is the server's goodbye. Its last words are not looked at: libpq reports the
 * end of a connection only after everything before it was read, so reading once would find nothing wrong.
 */
static bool is_alive(PGconn *pg)
{
	if (!pg || PQstatus(pg) != CONNECTION_OK)
		return false;
	struct pollfd fd = { .fd = PQsocket(pg), .events = POLLIN };
	return poll(&fd, 1, 0) <= 0;
}

int database_borrow(struct database *database, int64_t deadline_ms, struct database_connection **ret_connection,
                    struct err *e)
{
	int64_t began_us = clock_monotonic_us();
	struct database_connection *c = take_slot(database, deadline_ms);
	metric_observe(&waits, clock_monotonic_us() - began_us);
	metric_add(c ? &in_use : &timeouts, 1);
	if (!c)
		return err_set(e, ERR_TIMEOUT, "database-busy",
		               "waited for a database connection, but all %u stayed in use", database->size);
	if (!is_alive(c->pg)) {
		disconnect(c);
		if (database_connect(database->url, deadline_ms, -1, &c->pg, e) < 0) {
			give_slot(c);
			return -1;
		}
		metric_add(&connects, 1);
	}
	c->deadline_ms = CLOCK_NEVER;
	c->cancel = NULL;
	*ret_connection = c;
	return 0;
}

void database_bound(struct database_connection *connection, int64_t deadline_ms, struct cancel *cancel)
{
	connection->deadline_ms = deadline_ms;
	connection->cancel = cancel;
}

int database_ping(struct database *database, int64_t deadline_ms, struct err *e)
{
	auto_connection struct database_connection *c = NULL;
	if (database_borrow(database, deadline_ms, &c, e) < 0)
		return -1;
	database_bound(c, deadline_ms, NULL);
	return database_execute(c, "select 1", NULL, 0, e) < 0 ? -1 : 0;
}

void database_return(struct database_connection *connection)
{
	if (!connection)
		return;
	/* A statement that did not come back is still running there; waiting for it to roll back would be for ever. */
	if (PQtransactionStatus(connection->pg) == PQTRANS_ACTIVE)
		disconnect(connection);
	else if (PQtransactionStatus(connection->pg) != PQTRANS_IDLE && database_run(connection->pg, "rollback", NULL) < 0)
		disconnect(connection);
	give_slot(connection);
}

void cleanup_database_connection(struct database_connection **connection)
{
	database_return(*connection);
}
