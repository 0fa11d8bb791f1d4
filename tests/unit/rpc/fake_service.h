/* An AdminService whose handlers show what a test wants to see; used by the server's tests and by the connection's
 * fuzzer. */
#ifndef TESTS_RPC_FAKE_SERVICE_H
#define TESTS_RPC_FAKE_SERVICE_H

#include "rpc/server.h"

#include <pthread.h>

struct fake_service {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned waiting; /* handlers of GetVersion inside */
	unsigned entered; /* ever */
	unsigned cancelled; /* handlers of GetExecution that were told to stop */
	bool open;        /* GetVersion returns only then */
};

#define FAKE_SERVICE_INIT                                                                                              \
	{                                                                                                              \
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                                 \
	}

/*
 * GetTask echoes the id; CreateTask answers nothing; GetVersion waits until the gate is open; GetProject fails with
 * NOT_FOUND, 40,000 bytes of message and a detail; CreateExecution echoes the request's names; ListExecutions returns
 * the request as JSON in its token; GetWorkflow breaks the handler contract; GetExecution waits until it is cancelled.
 */
struct rpc_service fake_service(struct fake_service *fake);
/* Waits until `count` handlers of GetVersion are inside, at most ten seconds; false when they are not. */
bool fake_service_wait(struct fake_service *fake, unsigned count);
/* Waits until that many were cancelled, at most ten seconds. */
bool fake_service_wait_cancelled(struct fake_service *fake, unsigned count);
void fake_service_open(struct fake_service *fake, bool open);

#endif
