/*
 * Where the engine listens. The order is that of the docker command: --host, DOCKER_HOST, DOCKER_CONTEXT,
 * currentContext of config.json, /var/run/docker.sock. A choice that the user made is kept even when nothing answers
 * there, so that the error names it; only without any choice are the sockets of rootless Docker, Docker Desktop and its
 * relatives tried, and a socket counts when it accepts a connection, not when its file exists.
 */
#ifndef SANDBOX_DOCKER_ENDPOINT_H
#define SANDBOX_DOCKER_ENDPOINT_H

#include "base/err.h"
#include "docker/tunnel.h"

#include <stdbool.h>

struct docker_endpoint {
	char *address;     /* as given, e.g. "unix:///var/run/docker.sock" */
	char *source;      /* what chose it, for messages: "DOCKER_HOST", "context 'lab'", "the default socket" … */
	char *unix_socket; /* path, or NULL */
	struct docker_tunnel *tunnel; /* of an ssh:// address, else NULL */
	char *base_url;    /* "http://localhost", "https://host:2376"; no trailing slash */
	char *ca_file;     /* the three are PEM files or NULL */
	char *cert_file;
	char *key_file;
};

#define DOCKER_ENDPOINT_INIT                                                                                           \
	{                                                                                                              \
		.address = NULL                                                                                        \
	}
#define auto_docker_endpoint __attribute__((cleanup(docker_endpoint_release)))
void docker_endpoint_release(struct docker_endpoint *endpoint);

/* `host` is the --host option or NULL. Errors: ERR_UNSUPPORTED "docker-transport" (npipe …), ERR_INVALID
 * "docker-host" (malformed), ERR_NOT_FOUND "docker-context" (a named context that does not exist). */
int docker_endpoint_discover(const char *host, struct docker_endpoint *ret_endpoint, struct err *e);

/* The host under which clients here reach what the engine publishes: "localhost" for a local engine, and for one behind SSH, whose ports
 * are forwarded. Borrowed pointer and length of a part of the address, or a static text. */
const char *docker_endpoint_client_host(const struct docker_endpoint *endpoint, size_t *ret_length);
/* True when the engine shares this machine's file system and ports. */
bool docker_endpoint_is_local(const struct docker_endpoint *endpoint);

#endif
