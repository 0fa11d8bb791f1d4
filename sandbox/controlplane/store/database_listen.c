/* LISTEN on a connection of its own: woken by the socket, by nothing else, until told to stop. */
#include "controlplane/store/database_internal.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* Passes on what has arrived. False when the connection is lost. */
static bool deliver(PGconn *pg, void (*on_notify)(void *context, const char *payload), void *context)
{
	if (!PQconsumeInput(pg))
		return false;
	for (PGnotify *notify; (notify = PQnotifies(pg));) {
		on_notify(context, notify->extra);
		PQfreemem(notify);
	}
	return PQstatus(pg) == CONNECTION_OK;
}

/* Until the connection is lost (false) or stop_fd is readable (true). */
static bool follow(PGconn *pg, int stop_fd, void (*on_notify)(void *context, const char *payload), void *context)
{
	/* What came together with the answer to LISTEN is already in libpq's buffer. */
	while (deliver(pg, on_notify, context)) {
		struct pollfd fds[2] = { { .fd = PQsocket(pg), .events = POLLIN },
			                 { .fd = stop_fd, .events = POLLIN } };
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[1].revents)
			return true;
	}
	return false;
}

int database_listen(struct database *database, const char *channel, int stop_fd,
                    void (*on_notify)(void *context, const char *payload), void *context, struct err *e)
{
	for (;;) {
		PGconn *pg;
		auto_err struct err failure = ERR_INIT;
		if (database_connect(database_url(database), CLOCK_NEVER, stop_fd, &pg, &failure) < 0) {
			if (failure.kind == ERR_CANCELLED)
				return 0;
			return err_move(e, &failure);
		}
		char *name = PQescapeIdentifier(pg, channel, strlen(channel));
		auto_free char *sql = xasprintf("listen %s", name ? name : "");
		PQfreemem(name);
		bool stopped = false;
		if (database_run(pg, sql, &failure) == 0) {
			on_notify(context, "");
			stopped = follow(pg, stop_fd, on_notify, context);
		} else if (failure.kind != ERR_UNAVAILABLE) {
			PQfinish(pg);
			return err_move(e, &failure);
		}
		PQfinish(pg);
		if (stopped)
			return 0;
	}
}
