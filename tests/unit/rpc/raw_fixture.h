/* A server with limits of the test's own, and one connection to it whose frames the test writes by hand. */
#ifndef TESTS_RPC_RAW_FIXTURE_H
#define TESTS_RPC_RAW_FIXTURE_H

#include "fake_service.h"
#include "raw_h2.h"

#include "proto/message.h"

#define ADMIN "/flyteidl.service.AdminService/"

enum { RAW_NO_ERROR = 0, RAW_REFUSED_STREAM = 7, RAW_CANCEL = 8, RAW_ENHANCE_YOUR_CALM = 11 };

struct fixture {
	struct fake_service fake;
	struct rpc_service service;
	struct rpc_server *server; /* four workers */
	struct raw_h2 raw;
	struct arena arena;
};

/* Set-up and tear-down of cmocka; every test starts its server itself. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);
void start(struct fixture *f, struct rpc_limits limits);
/* GetTask with a name of that length, as a framed message: the answer has the same size. */
struct proto_bytes get_task(struct fixture *f, size_t length);
/* A well-behaved client's call beside whatever else goes on, and how it ends. */
void assert_served(struct fixture *f, size_t length, int status);

#endif
