/*
 * A small HTTPS server for one client, the API server: HTTP/1.1 with Content-Length, one request at a time on each
 * connection, a thread for each. Everything has a limit and a deadline. The process has to ignore SIGPIPE.
 */
#ifndef SANDBOX_CONTROLPLANE_ADMISSION_LISTENER_H
#define SANDBOX_CONTROLPLANE_ADMISSION_LISTENER_H

#include "base/buf.h"
#include "base/err.h"
#include "controlplane/admission/certificate.h"

#include <stdint.h>

struct listener;

/* Answers a POST; called from any of the listener's threads. An error becomes status 404 (ERR_NOT_FOUND) or 400. */
typedef int (*listener_handler)(const char *path, const struct buf *body, struct buf *out, struct err *e);

int listener_start(const char *address, uint16_t port, const struct certificate *certificate, listener_handler handler,
                   struct listener **ret_listener, struct err *e);
uint16_t listener_port(const struct listener *listener);
struct listener *listener_stop(struct listener *listener);

#endif
