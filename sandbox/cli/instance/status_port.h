/*
 * PID 1's status through a port of this machine: a millisecond, where an exec in the container takes thirty or more
 * (docs/decisions/0027-status-port.md). The port is on 127.0.0.1 whatever the others are bound to, and the engine
 * chooses its number at each start of the container, so that it is never in anybody's way. PID 1 answers there to who
 * knows the container's token, which is in the container's environment: who may inspect it could exec in it, too.
 */
#ifndef SANDBOX_CLI_INSTANCE_STATUS_PORT_H
#define SANDBOX_CLI_INSTANCE_STATUS_PORT_H

#include "cli/instance/services.h"

/* 128 bits in hexadecimal digits. */
#define STATUS_TOKEN_SIZE 33

struct status_port {
	int port;    /* of this machine; 0: there is none */
	char *token; /* NULL: there is none */
};

/* Of a container that is to be created: its port, in PortBindings and ExposedPorts, and the token, in Env. */
void status_port_publish(json_t *bindings, json_t *exposed);
int status_port_make_token(char ret_token[STATUS_TOKEN_SIZE], struct err *e);
void status_port_give_token(json_t *environment, const char *token);

/* What a ContainerInspect says. */
void status_port_of_container(const json_t *container, struct status_port *ret_port);
void status_port_release(struct status_port *port);

/* Asks, within a second: whoever cannot be asked here is asked by an exec. ERR_CANCELLED when `cancel_fd` becomes
 * readable. */
int status_port_ask(const struct status_port *port, int cancel_fd, struct services *ret_services, struct err *e);

#endif
