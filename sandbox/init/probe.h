/*
 * Readiness. Services that can tell (sd_notify: READY=1 and STATUS=… datagrams on $NOTIFY_SOCKET) are believed; of the
 * others we know only by connecting: TCP, a Unix socket, or an HTTP GET that answers 2xx. A probe never blocks:
 * probe_begin starts an attempt, the supervisor waits for the descriptor and calls probe_continue, and after a refusal
 * begins the next attempt a little later.
 */
#ifndef SANDBOX_INIT_PROBE_H
#define SANDBOX_INIT_PROBE_H

#include "init/config.h"

#include <stdbool.h>
#include <stddef.h>

/* An attempt that was refused is repeated after this time: a TCP port gives no event when somebody starts to listen. */
#define PROBE_INTERVAL_MS 25

enum probe_result { PROBE_PENDING, PROBE_READY, PROBE_REFUSED };

struct probe {
	int fd; /* of the attempt under way; -1: none */
	bool sent;
};

/* PROBE_PENDING: wait until fd is writable (readable once `sent`), then probe_continue. */
enum probe_result probe_begin(struct probe *probe, const struct service_config *service);
enum probe_result probe_continue(struct probe *probe, const struct service_config *service);
void probe_cancel(struct probe *probe);

#define PROBE_STATUS_SIZE 2048

/*
 * A datagram of the sd_notify protocol (sd_notify(3)). With ERRNO= a service says that it fails, and its status is why.
 * A line that is no assignment goes on with the status before it: explanations have more than one line, and the
 * protocol has no other place for them.
 */
struct notification {
	bool ready;
	bool stopping;
	bool failing;
	bool has_status;                /* also an empty one, which takes back what was said before */
	char status[PROBE_STATUS_SIZE]; /* cut to fit */
};
struct notification probe_parse_notification(const char *bytes, size_t length);

#endif
