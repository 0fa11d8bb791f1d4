/* The sandbox's services as PID 1 tells of them, line by line (docs/internals/container.md; sandbox/init/control.h). */
#ifndef SANDBOX_CLI_INSTANCE_SERVICES_H
#define SANDBOX_CLI_INSTANCE_SERVICES_H

#include "base/json.h"

#define SERVICES_MAXIMUM 64

struct service {
	char *name;
	char *status; /* waiting, starting, ready, failed, stopping, stopped */
	char *namespace;
	char *message;     /* may have several lines, of which the first says most */
	int endpoint_port; /* inside of the container; 0: none */
	bool hidden;       /* of no interest while it works */
	unsigned failures; /* times that the status became "failed" */
};

struct services {
	struct service items[SERVICES_MAXIMUM];
	size_t count;
	bool complete;   /* the summary line has come */
	bool ready;      /* what it said */
	json_t *timings; /* {NAME: ms}, or NULL */
};

#define SERVICES_INIT                                                                                                  \
	{                                                                                                              \
		.count = 0                                                                                             \
	}
#define auto_services __attribute__((cleanup(services_release)))
void services_release(struct services *services);

/* Takes one line. 1 when a service changed (`ret_index` says which), 0 when not, -1 with `e` for an error line or too
 * many services. */
int services_take(struct services *services, const json_t *line, size_t *ret_index, struct err *e);
/* "kubernetes (starting: waits for the API server), minio (waiting)"; free with free(). */
char *services_missing(const struct services *services);
/* The first that is not ready, failed ones before others; NULL when all are. */
const struct service *services_culprit(const struct services *services);
/* The first line of its message; free with free(). */
char *service_headline(const struct service *service);
/* Whether people want to see it. */
bool service_is_shown(const struct service *service);

#endif
