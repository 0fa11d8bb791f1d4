/*
 * What one client, and all together, may take of the server: the numbers, in one place, and the three small machines that keep them. A
 * memory account counts bytes held for requests and responses. A pace says by when bytes that are under way have to have
 * moved. A budget is a token bucket for frames that cost us work and the client nothing.
 *
 * The numbers are far from what a well-behaved client needs. flytekit pings every 30 s without calls, keeps one connection, sends and
 * takes messages of up to 20 MiB and metadata of up to 32 KiB; grpc-go pings once a round trip while data flows, therefore
 * everything that we send earns the client credit.
 */
#ifndef SANDBOX_RPC_LIMITS_H
#define SANDBOX_RPC_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero in any field is the default named beside it. */
struct rpc_limits {
	size_t message_maximum;      /* bytes of one request or response message; 20 MiB */
	size_t arena_maximum;        /* bytes that one call may build; 256 MiB */
	size_t memory_maximum;       /* bytes of requests and responses held for all clients; 512 MiB */
	size_t connection_buffer;    /* bytes of requests of one connection, beyond which only its oldest unfinished one goes on; 32 MiB */
	size_t connection_memory;    /* responses held for one connection before its next call has to wait; 64 MiB */
	size_t queue_maximum;        /* calls waiting for a worker before UNAVAILABLE is answered; 1024 */
	unsigned connection_maximum; /* open connections; a further one takes the place of the one that is idle for longest; 1024 */
	unsigned stream_maximum;     /* concurrent streams of a connection; 128 */
	size_t header_maximum;       /* bytes of a request's head by HPACK's measure (RFC 7541, 4.1); 64 KiB */
	int64_t head_ms;             /* for the preface, the first SETTINGS, and each request's head; 10 s */
	int64_t stall_ms;            /* without any byte of a body moving, in either direction; 60 s, a sixth of it while memory is short */
	size_t rate_minimum;         /* bytes a second that a body has to move at, beyond stall_ms; 64 KiB/s */
	int64_t idle_ms;             /* an HTTP/2 connection without streams and without pings; 15 min. HTTP/1.1: a fifteenth of it */
	int64_t drain_ms;            /* at the end: for the client to see the first GOAWAY; 1 s */
	int64_t evict_ms;            /* idle for that long a connection may be closed to make room; 1 s */
};

void rpc_limits_fill(struct rpc_limits *limits);

struct rpc_memory {
	atomic_size_t used;
	size_t maximum;
};

/* What one holder took of an account, so that it gives back exactly that. All zero: nothing. */
struct rpc_charge {
	struct rpc_memory *memory;
	size_t bytes;
};

/* Takes more; false when there is not that much. */
bool rpc_charge_take(struct rpc_charge *charge, struct rpc_memory *memory, size_t bytes);
/* Makes it `bytes` whatever is left: they exist already. */
void rpc_charge_set(struct rpc_charge *charge, struct rpc_memory *memory, size_t bytes);
void rpc_charge_release(struct rpc_charge *charge);
/* More than half is used: who stalls is not waited for as long. */
bool rpc_memory_is_short(const struct rpc_memory *memory);

/* stall_ms, or less of it while memory is short. */
int64_t rpc_limits_stall_ms(const struct rpc_limits *limits, const struct rpc_memory *memory);
/* By when `bytes` have to have moved that were under way since `begun_ms`. */
int64_t rpc_limits_pace_ms(const struct rpc_limits *limits, int64_t stall_ms, int64_t begun_ms, size_t bytes);

/* Costs against RPC_BUDGET; it refills by a tenth a second. */
#define RPC_BUDGET 10000
enum rpc_cost {
	RPC_COST_WINDOW_UPDATE = 1,
	RPC_COST_SMALL_DATA = 1,
	RPC_COST_PRIORITY = 5,
	RPC_COST_PING = 10, /* and every other frame that begins no call */
	RPC_COST_EMPTY_DATA = 20,
	RPC_COST_RESET = 20,
	RPC_COST_SETTINGS = 100,
	RPC_EARNED_BY_SENDING = 20, /* a frame of headers or data */
};

struct rpc_budget {
	int64_t left;
	int64_t filled_ms;
};

void rpc_budget_init(struct rpc_budget *budget, int64_t now_ms);
/* False when the client has used up what it had. */
bool rpc_budget_spend(struct rpc_budget *budget, int64_t cost, int64_t now_ms);
void rpc_budget_earn(struct rpc_budget *budget, int64_t credit);

#endif
