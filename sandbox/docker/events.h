/* The engine's events of containers with a label. */
#ifndef SANDBOX_DOCKER_EVENTS_H
#define SANDBOX_DOCKER_EVENTS_H

#include "docker/client.h"

struct docker_events {
	const char *label;          /* "key" or "key=value" */
	const char *const *actions; /* those wanted, ended by NULL */
	int64_t since_ns;           /* Unix time */
	int64_t until_ns;           /* 0: never ends by itself */
	/* Each event as the Engine API's EventMessage; -1 with `e` set ends the stream. */
	int (*on_event)(void *context, const json_t *event, struct err *e);
	void *context;
};

int docker_events_follow(struct docker_client *client, const struct docker_events *wish, struct err *e);

#endif
