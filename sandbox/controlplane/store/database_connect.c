/*
 * Getting a connection to Postgres, without ever blocking past a deadline. libpq's asynchronous connect is driven with poll, so that
 * a stop signal ends it too. A server that is not there, starting or shutting down is tried again after a pause that grows to a
 * quarter of a second: there is no event to wait for before somebody listens. What a new attempt cannot change fails at once.
 */
#include "controlplane/store/database_internal.h"

#include "base/clock.h"
#include "base/text.h"

#include <poll.h>
#include <string.h>

#define PAUSE_FIRST_MS 10
#define PAUSE_MAXIMUM_MS 250
/* One attempt may hang on a host that drops packets; the deadline may be far away. */
#define ATTEMPT_MS 5000

/*
 * Every statement of ours is short; one that runs longer is stuck behind a lock or a dead server. A process of ours that is killed
 * lets its locks go at once, because its connections are closed; the server notices within 8 s when a whole machine is gone.
 */
#define SESSION_SETTINGS                                                                                               \
	"set timezone = 'UTC'; set statement_timeout = '60s'; set client_min_messages = error;"                        \
	"set bytea_output = 'hex'; set idle_in_transaction_session_timeout = '300s';"                                  \
	"set tcp_keepalives_idle = 4; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 4;"                  \
	"set tcp_user_timeout = '8s'; set client_connection_check_interval = '2s'"

static void ignore_notice(void *context, const char *message)
{
	(void)context;
	(void)message;
}

/* Waits for `events` on the socket. 1 ready, 0 deadline passed, -1 stop_fd readable. */
static int wait_socket(int fd, short events, int64_t deadline_ms, int stop_fd)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = stop_fd, .events = POLLIN } };
		int ready = poll(fds, 2, clock_poll_timeout(deadline_ms));
		if (ready > 0 && fds[1].revents)
			return -1;
		if (ready > 0)
			return 1;
		if (ready == 0 && clock_monotonic_ms() >= deadline_ms)
			return 0;
	}
}

static int cancelled(struct err *e)
{
	return err_set(e, ERR_CANCELLED, NULL, "stopped while connecting to the database");
}

/* Drives one attempt to its end. 0 connected, 1 failed (PQerrorMessage says why) or out of time, -1 stopped. */
static int attempt(PGconn *pg, int64_t deadline_ms, int stop_fd)
{
	if (!pg || PQstatus(pg) == CONNECTION_BAD)
		return 1;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	while (state != PGRES_POLLING_OK) {
		if (state == PGRES_POLLING_FAILED)
			return 1;
		int ready = wait_socket(PQsocket(pg), state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms,
		                        stop_fd);
		if (ready <= 0)
			return ready ? -1 : 1;
		state = PQconnectPoll(pg);
	}
	return 0;
}

/* libpq gives no SQLSTATE for a failed connect, only the server's text, which is in English (lc_messages of a baked cluster). */
static bool is_worth_retrying(const char *message)
{
	if (!strstr(message, "FATAL:"))
		return true;
	static const char *const passing[] = { "starting up",
		                               "shutting down",
		                               "recovery",
		                               "too many",
		                               "not yet accepting",
		                               "not accepting",
		                               "terminating connection",
		                               "remaining connection slots" };
	for (size_t i = 0; i < ARRAY_LENGTH(passing); i++) {
		if (strstr(message, passing[i]))
			return true;
	}
	return false;
}

static char *one_line(const char *message)
{
	char *copy = xstrdup(message ? message : "out of memory");
	size_t length = strlen(copy);
	while (length && (copy[length - 1] == '\n' || copy[length - 1] == ' '))
		copy[--length] = '\0';
	for (char *p = copy; *p; p++) {
		if (*p == '\n' || *p == '\t')
			*p = ' ';
	}
	return copy;
}

static PGconn *start_attempt(const char *url)
{
	/* Keepalives and the user timeout find a dead peer within half a minute; both do nothing on a Unix socket. */
	static const char *const keywords[] = { "dbname",
		                                "fallback_application_name",
		                                "client_encoding",
		                                "keepalives_idle",
		                                "keepalives_interval",
		                                "keepalives_count",
		                                "tcp_user_timeout",
		                                NULL };
	const char *const values[] = { url, "flyte-controlplane", "UTF8", "15", "5", "3", "30000", NULL };
	PGconn *pg = PQconnectStartParams(keywords, values, 1);
	if (pg)
		PQsetNoticeProcessor(pg, ignore_notice, NULL);
	return pg;
}

int database_connect(const char *url, int64_t deadline_ms, int stop_fd, PGconn **ret_pg, struct err *e)
{
	int64_t pause_ms = PAUSE_FIRST_MS;
	for (;;) {
		int64_t now = clock_monotonic_ms();
		int64_t attempt_deadline = deadline_ms - now > ATTEMPT_MS ? now + ATTEMPT_MS : deadline_ms;
		PGconn *pg = start_attempt(url);
		int outcome = attempt(pg, attempt_deadline, stop_fd);
		/* Its error is libpq's, which is read below; `e` stays as it is in case the next attempt succeeds. */
		if (outcome == 0 && database_run(pg, SESSION_SETTINGS, NULL) == 0) {
			*ret_pg = pg;
			return 0;
		}
		auto_free char *reason = one_line(pg && *PQerrorMessage(pg) ? PQerrorMessage(pg) : "no answer");
		PQfinish(pg);
		if (outcome < 0)
			return cancelled(e);
		if (!is_worth_retrying(reason))
			return err_set(e, strstr(reason, "authentication") ? ERR_PERMISSION : ERR_PRECONDITION,
			               "database-refused", "the database refuses the connection: %s", reason);
		now = clock_monotonic_ms();
		if (now >= deadline_ms)
			return err_set(e, ERR_UNAVAILABLE, "database-unavailable", "cannot connect to the database: %s",
			               reason);
		int64_t resume = deadline_ms - now > pause_ms ? now + pause_ms : deadline_ms;
		if (wait_socket(-1, 0, resume, stop_fd) < 0)
			return cancelled(e);
		pause_ms = pause_ms * 2 > PAUSE_MAXIMUM_MS ? PAUSE_MAXIMUM_MS : pause_ms * 2;
	}
}
