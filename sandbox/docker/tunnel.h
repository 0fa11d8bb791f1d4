/* The way to an engine behind ssh://: one SSH session, made when first needed, shared by all clients of the endpoint. */
#ifndef SANDBOX_DOCKER_TUNNEL_H
#define SANDBOX_DOCKER_TUNNEL_H

#include "docker/ssh.h"

struct docker_tunnel;

/* From "ssh://…", ~/.ssh/config and this user's name; connects to nothing yet. NULL with `e`. */
struct docker_tunnel *docker_tunnel_new(const char *address, struct err *e);
struct docker_tunnel *docker_tunnel_free(struct docker_tunnel *tunnel);
/* What interrupts the login; as in base/http.h. */
void docker_tunnel_set_cancel_fd(struct docker_tunnel *tunnel, int cancel_fd);
/* The session, made if there is none; it belongs to the tunnel. */
struct ssh_session *docker_tunnel_session(struct docker_tunnel *tunnel, struct err *e);
/* A stream to the engine; for http_client_options.dial. */
int docker_tunnel_dial(void *tunnel, struct err *e);
/* What the other machine said when a stream ended early, or "". Free with free(). */
char *docker_tunnel_problem(struct docker_tunnel *tunnel);

#endif
