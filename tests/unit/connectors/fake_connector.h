/* A connector for asynchronous tasks of type "work", made of the control plane's own gRPC server. It counts what it is
 * asked, and does what the test tells it. Thread-safe. */
#ifndef TESTS_UNIT_CONNECTORS_FAKE_CONNECTOR_H
#define TESTS_UNIT_CONNECTORS_FAKE_CONNECTOR_H

#include "rpc/server.h"

#include "flyteidl/core/execution.pb-c.h"

#include <pthread.h>

struct fake_connector {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Counted. */
	unsigned listed, created, asked, deleted;
	char last_meta[64]; /* of the last question or deletion */
	char last_prefix[256];
	/* Told. */
	bool hold_creation; /* CreateTask does not return while this is set */
	bool hold_question; /* so GetTask */
	bool entered;       /* … and somebody is in one of them */
	enum err_kind creation_fails, question_fails, deletion_fails; /* ERR_NONE: it works */
	Flyteidl__Core__TaskExecution__Phase phase;
	struct rpc_service services[2];
	struct rpc_server *server;
	uint16_t port;
};

/* On a free port, or on `port`. */
void fake_connector_start(struct fake_connector *fake, uint16_t port);
void fake_connector_stop(struct fake_connector *fake);
/* What a test sets and reads while the server runs. */
#define FAKE_CONNECTOR_LOCKED(fake, statement)                                                                         \
	do {                                                                                                           \
		pthread_mutex_lock(&(fake)->lock);                                                                     \
		statement;                                                                                             \
		pthread_cond_broadcast(&(fake)->changed);                                                              \
		pthread_mutex_unlock(&(fake)->lock);                                                                   \
	} while (0)
/* Until somebody is in a call that is held; false after ten seconds. */
bool fake_connector_wait_entered(struct fake_connector *fake);

#endif
