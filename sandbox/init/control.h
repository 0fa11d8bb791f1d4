/*
 * The status socket's protocol: the client sends one line of JSON, the server answers with lines of JSON.
 *
 * - {"command":"status"}: one line a service, then the summary line
 * - {"command":"status","follow":true}: the same, then a line whenever a service changes, until all wanted services are
 *   ready
 * - {"command":"start"|"stop"|"restart","service":NAME}: status lines until the service has settled, then {"done":true},
 *   or {"error":…} also when the service fails again and again
 *
 * Service line: {"service","status","namespace","message","endpoint_port","since_ms","hidden"}; status is waiting,
 * starting, ready, failed, stopping or stopped. Summary: {"ready":bool,"timings":{NAME: ms from the start of PID 1 to
 * its first readiness}}.
 *
 * The status port (TCP) speaks the same protocol and answers one question only: {"command":"status","token":TOKEN}, with
 * the token that the container was created with. Messages of services are parts of their logs, which pods and other
 * users of the machine have no business with.
 */
#ifndef SANDBOX_INIT_CONTROL_H
#define SANDBOX_INIT_CONTROL_H

#include "base/err.h"
#include "init/service.h"

#include <stdbool.h>

#define CONTROL_LINE_MAXIMUM ((size_t)4096)
/* The port in the container; cli/instance/status_port.h publishes it and gives the token by this variable. Without a
 * token there is no port. */
#define CONTROL_PORT 9095
#define CONTROL_TOKEN_VARIABLE "SANDBOX_STATUS_TOKEN"
#define CONTROL_TOKEN_MINIMUM 16
#define CONTROL_TOKEN_SIZE 65

enum control_command { CONTROL_STATUS, CONTROL_START, CONTROL_STOP, CONTROL_RESTART };

struct control_request {
	enum control_command command;
	bool follow;
	char service[64];
	char token[CONTROL_TOKEN_SIZE]; /* "" when there is none */
};

int control_parse(const char *line, size_t length, struct control_request *ret_request, struct err *e);
/* Whether a request that came by the port is answered. ERR_PERMISSION "bad-token" or "status-only". */
int control_admit(const struct control_request *request, const char *token, struct err *e);

/* Lines with a trailing newline; free with free(). */
char *control_service_line(const struct service *service, int64_t now_ms);
char *control_summary_line(const struct service *services, unsigned count, int64_t boot_ms);
char *control_error_line(const struct err *e);

/* Whether every service that should run is ready. */
bool control_all_ready(const struct service *services, unsigned count);

#endif
