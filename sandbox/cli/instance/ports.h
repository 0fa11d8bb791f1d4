/*
 * The ports that an instance publishes on this machine: which there are, which are free, and who holds one that is not.
 * Default ports are the ones that Flyte's documentation and clients know; `auto` takes free ones, which are held open
 * until the engine takes them over, so that instances that start together do not choose the same.
 */
#ifndef SANDBOX_CLI_INSTANCE_PORTS_H
#define SANDBOX_CLI_INSTANCE_PORTS_H

#include "base/json.h"
#include "cli/framework/options.h"
#include "docker/client.h"

enum port_name { PORT_HTTP, PORT_KUBERNETES, PORT_POSTGRES, PORT_S3, PORT_COUNT };

struct port_row {
	const char *name; /* as in --port NAME=PORT */
	int container_port;
	int default_port;
};
extern const struct port_row port_table[PORT_COUNT];

struct ports {
	int host_port[PORT_COUNT]; /* 0: not published */
	char address[64];          /* that they are bound to */
	char host[256];            /* under which clients here reach them: "localhost", or a remote engine's host */
};

/* Sockets that keep chosen ports from others. */
struct port_hold {
	int fds[PORT_COUNT];
};
#define PORT_HOLD_INIT                                                                                                 \
	{                                                                                                              \
		.fds = { -1, -1, -1, -1 }                                                                              \
	}
#define auto_port_hold __attribute__((cleanup(port_hold_release)))
void port_hold_release(struct port_hold *hold);

struct port_wish {
	bool automatic;                           /* free ports where nothing else is said */
	const struct option_list *explicit_ports; /* "NAME=PORT" */
	const char *address;
	const struct ports *before; /* of the instance's last run, or NULL; automatic ports stay the same while free */
};

/* The ports that "NAME=PORT" texts wish for, by port_name; 0: none. Of two for the same the later holds. ERR_USAGE
 * "bad-value". */
int ports_read_wishes(const struct option_list *texts, int ret_wished[PORT_COUNT], struct err *e);
/* Chooses, checks and holds. "port-taken" (ERR_CONFLICT) names the port and its holder; "bad-value" for a malformed
 * wish. `docker` is asked for containers that hold a port. With a remote engine nothing can be checked or held here. */
int ports_choose(struct docker_client *docker, const struct port_wish *wish, struct ports *ret_ports,
                 struct port_hold *ret_hold, struct err *e);
/* Sets "port-taken" with the holder's name; for the engine's own complaint too. Returns -1. */
int ports_taken_error(struct docker_client *docker, enum port_name name, int port, struct err *e);

/* The ports of a container by its ContainerInspect. */
void ports_of_container(const struct docker_endpoint *endpoint, const json_t *container, struct ports *ret_ports);
/* ContainerCreate's HostConfig.PortBindings and ExposedPorts. */
json_t *ports_bindings(const struct ports *ports);
json_t *ports_exposed(void);

/* "http://localhost:30080" and so on by the port's name; "" when not published. Free with free(). */
char *ports_endpoint(const struct ports *ports, enum port_name name);
/* By the port inside of the container, "" when none of ours. */
char *ports_endpoint_of_container_port(const struct ports *ports, int container_port);

#endif
