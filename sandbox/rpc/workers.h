/*
 * The threads that run handlers, behind one bounded queue, first come first served. A finished exchange is handed to
 * `done` on the worker's thread, which passes it to the loop.
 */
#ifndef SANDBOX_RPC_WORKERS_H
#define SANDBOX_RPC_WORKERS_H

#include "rpc/exchange.h"

struct rpc_workers;

int rpc_workers_start(unsigned count, size_t queue_maximum, void (*done)(void *context, struct rpc_exchange *x),
                      void *context, struct rpc_workers **ret_workers, struct err *e);
/* Takes the exchange; -1 when the queue is full. */
int rpc_workers_submit(struct rpc_workers *workers, struct rpc_exchange *x);
/* Takes the exchange out of the queue again; false when a worker has it or had it. */
bool rpc_workers_withdraw(struct rpc_workers *workers, struct rpc_exchange *x);
/*
 * Ends the threads once they are idle, and frees. The queue has to be empty: every submitted exchange was handed to
 * `done`.
 */
struct rpc_workers *rpc_workers_stop(struct rpc_workers *workers);

#endif
