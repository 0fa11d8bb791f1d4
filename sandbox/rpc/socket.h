/*
 * The bytes between libuv and a connection: reads into it, writes what it has to send one piece at a time (so that a
 * slow reader holds back the sender and not our memory), wakes it at its deadlines, and closes in two steps so that a
 * last answer is not lost to a reset. Everything here runs on the loop thread.
 */
#ifndef SANDBOX_RPC_SOCKET_H
#define SANDBOX_RPC_SOCKET_H

#include "rpc/connection.h"

#include <uv.h>

struct rpc_socket;

struct rpc_sockets {
	struct rpc_router *router;
	unsigned count; /* those being closed included */
	unsigned open;
	struct rpc_socket *first;
	void (*on_empty)(void *context); /* the last one is gone */
	void *context;
	char read_buffer[64 * 1024]; /* shared: what is read is consumed at once */
};

/*
 * Accepts one connection of the listener. Beyond the maximum it takes the place of the one that has been idle for longest; where
 * all are busy it is closed at once.
 */
void rpc_sockets_accept(struct rpc_sockets *sockets, uv_stream_t *listener);
/* A line each: peer, protocol, what it does, since when it has sent nothing. What does not fit is left out. */
void rpc_sockets_dump(const struct rpc_sockets *sockets, struct buf *out);
void rpc_sockets_drain(struct rpc_sockets *sockets);
void rpc_sockets_close(struct rpc_sockets *sockets);

#endif
