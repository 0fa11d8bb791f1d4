/*
 * One SSH connection to a machine with an engine, over libssh2, with any number of streams in it: each is one end of a
 * socket pair whose other end a thread of the session joins to a channel. So an engine behind SSH is spoken to as one on a Unix socket
 * (base/http.h, `dial`), and ports over there are reached through listeners here.
 *
 * The host has to be known: its key is compared with known_hosts, and there is no way around it. Keys come from the agent and from
 * files without passphrase; nothing is ever asked for.
 */
#ifndef SANDBOX_DOCKER_SSH_H
#define SANDBOX_DOCKER_SSH_H

#include "docker/ssh_config.h"

struct ssh_session;

/*
 * Connects, checks the host's key, authenticates. `cancel_fd` as in base/http.h. Errors: "connect-failed", "timeout", "cancelled",
 * ERR_PERMISSION "ssh-host-key-unknown", "ssh-host-key-changed" and "ssh-authentication", ERR_UNAVAILABLE "ssh-protocol".
 */
struct ssh_session *ssh_session_open(const struct ssh_target *target, int cancel_fd, struct err *e);
struct ssh_session *ssh_session_free(struct ssh_session *session);

/* From any thread: a stream to a command's stdin and stdout over there. Returns its descriptor, non-blocking, which the caller closes; a
 * command that cannot be run shows as a stream that ends, and ssh_session_problem tells why. */
int ssh_session_run(struct ssh_session *session, const char *command, struct err *e);
/* Joins each connection that `listener` gets to a port of `host` (an address, as the other machine sees it). Takes the descriptor. */
void ssh_session_forward(struct ssh_session *session, int listener, const char *host, int port);
/* What a command said on stderr last, or why the session ended; "" when nothing. Free with free(). */
char *ssh_session_problem(struct ssh_session *session);
/* Readable once the connection has ended; for poll only. */
int ssh_session_ended_fd(struct ssh_session *session);

#endif
