/*
 * The clients of the status socket and of the status port: a bounded set of connections, each asking one thing
 * (init/control.h) and getting lines until its answer is complete. Nothing here blocks; a client that does not read its
 * lines is cut off when its backlog is full. Those of the port have few of the places and little time, so that they
 * never keep the launcher's own from the socket.
 */
#ifndef SANDBOX_INIT_CLIENTS_H
#define SANDBOX_INIT_CLIENTS_H

#include "base/buf.h"
#include "init/control.h"

#include <stdint.h>

#define CLIENTS_MAXIMUM 32
#define CLIENTS_OF_PORT_MAXIMUM 8
#define CLIENTS_OF_PORT_MS INT64_C(2000)

struct client {
	int fd;       /* -1: free slot */
	bool of_port; /* not of the socket */
	bool asked;
	bool answered; /* what is left is to be sent */
	int64_t deadline_ms; /* CLOCK_NEVER: none */
	struct control_request request; /* once asked */
	struct buf input;
	struct buf output;
};

struct clients {
	struct client slots[CLIENTS_MAXIMUM];
	int epoll_fd;
	uint64_t tag; /* epoll data of a client: this plus its slot */
};

void clients_init(struct clients *clients, int epoll_fd, uint64_t tag);
/* Takes a connection off the listening socket; closes it when all slots that it may have are taken. */
void clients_accept(struct clients *clients, int listen_fd, bool of_port);
/* Closes the connections whose time is over. */
void clients_expire(struct clients *clients, int64_t now_ms);
/* When the next one's is (monotonic), or CLOCK_NEVER. */
int64_t clients_deadline(const struct clients *clients);
/* What an epoll event on the slot calls for. 1: a request has arrived and stands in `request`; 0: nothing to do; -1
 * with `e` set: a request that is none, to be answered with clients_refuse. */
int clients_read(struct clients *clients, unsigned slot, struct err *e);
/* Sends a line, which is freed; closes the connection behind the last one. */
void clients_send(struct clients *clients, unsigned slot, char *line, bool last);
void clients_refuse(struct clients *clients, unsigned slot, const struct err *e);
/* A service has changed: its line goes to those who follow, or asked about it. */
void clients_publish(struct clients *clients, const struct service *service, int64_t now_ms);

#endif
