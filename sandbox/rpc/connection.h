/*
 * One client connection as a pure state machine: bytes in, bytes out, deadlines. It looks at the first bytes to choose
 * HTTP/2 or HTTP/1.1 and hands everything to that protocol. No sockets here, so that a fuzzer can drive it; socket.c
 * moves the bytes.
 */
#ifndef SANDBOX_RPC_CONNECTION_H
#define SANDBOX_RPC_CONNECTION_H

#include "rpc/router.h"

struct rpc_connection;

/* A protocol behind the sniffing. Every function is called on the loop thread. */
struct rpc_protocol {
	void *(*open)(struct rpc_connection *connection);
	void (*close)(void *state);
	/* Consumes all of the bytes. -1: protocol error, send what is pending and close. */
	int (*input)(void *state, const uint8_t *bytes, size_t length);
	/* Appends pending output to `out` while there is room for a piece of it. -1: broken. */
	int (*output)(void *state, struct buf *out);
	/* The client will send nothing more. -1: then there is nothing more to do for it. */
	int (*end_of_input)(void *state);
	bool (*wants_input)(void *state);
	/* Nothing is under way: it could be closed without harm. */
	bool (*is_idle)(void *state);
	/* Nothing more will be sent or done: close once the output is out. */
	bool (*is_over)(void *state);
	/* The next monotonic ms at which `tick` has something to do. */
	int64_t (*deadline)(void *state);
	void (*tick)(void *state, int64_t now_ms);
	/* Graceful end. */
	void (*drain)(void *state);
};

extern const struct rpc_protocol rpc_http2_protocol;
extern const struct rpc_protocol rpc_http1_protocol;

#define RPC_OUTPUT_PIECE ((size_t)256 * 1024)

struct rpc_connection {
	struct rpc_router *router;
	char peer_address[64];
	const struct rpc_protocol *protocol; /* NULL while sniffing */
	void *state;
	uint8_t sniffed[24];
	size_t sniffed_length;
	int64_t sniff_deadline_ms;
	bool broken;
	bool draining;
	/* Output became available outside of rpc_connection_input: a response is ready. */
	void (*wake)(void *owner);
	void *owner;
};

void rpc_connection_init(struct rpc_connection *c, struct rpc_router *router, const char *peer_address,
                         void (*wake)(void *owner), void *owner);
/* Abandons what is under way. */
void rpc_connection_release(struct rpc_connection *c);
void rpc_connection_input(struct rpc_connection *c, const uint8_t *bytes, size_t length);
/* The client has ended its direction; what it asked for may still be answered. */
void rpc_connection_end_of_input(struct rpc_connection *c);
/* Appends up to about RPC_OUTPUT_PIECE of pending output to `out` (whose maximum must be at least twice that). */
void rpc_connection_output(struct rpc_connection *c, struct buf *out);
bool rpc_connection_wants_input(const struct rpc_connection *c);
/* Nothing is under way, or nothing has come yet. */
bool rpc_connection_is_idle(const struct rpc_connection *c);
/* True when the owner should close as soon as all output is written. */
bool rpc_connection_is_over(const struct rpc_connection *c);
int64_t rpc_connection_deadline(const struct rpc_connection *c);
void rpc_connection_tick(struct rpc_connection *c, int64_t now_ms);
void rpc_connection_drain(struct rpc_connection *c);

#endif
