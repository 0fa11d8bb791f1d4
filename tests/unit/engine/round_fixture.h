/*
 * Executions on a real Postgres, each with an object store and a Kubernetes in memory of its own, for tests of rounds:
 * what is stored where, what is asked of whom, and what becomes of an execution when something breaks in the middle.
 */
#ifndef SANDBOX_TESTS_UNIT_ENGINE_ROUND_FIXTURE_H
#define SANDBOX_TESTS_UNIT_ENGINE_ROUND_FIXTURE_H

#include "base/text.h"
#include "controlplane/engine/round.h"
#include "fake_outside.h"
#include "workflow_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Where an execution's metadata are, without its name. */
#define ROOT "s3://my-s3-bucket/metadata/propeller/flytesnacks-development-"

/* One execution, and the outside. */
struct fixture {
	struct arena arena;
	struct database *database;
	struct fake_outside *fake;
	struct round_context context;
	const char *name; /* of the execution */
	int64_t id;
	struct plan *plan;
};

/* Of a group of tests: they are skipped where there is no Postgres. */
int fixtures_begin(void **state);
int fixtures_end(void **state);

/* Of that workflow, with the input x = 1. */
struct fixture *fixture_new(const Flyteidl__Core__CompiledWorkflowClosure *closure);
struct fixture *fixture_new_with(const Flyteidl__Core__CompiledWorkflowClosure *closure,
                                 const Flyteidl__Core__LiteralMap *inputs);
void fixture_free(struct fixture *f);
/* Of so many tasks, one after the other. */
struct fixture *chain(size_t length, uint32_t retries);

void must(int outcome, struct err *e);
struct database_connection *borrow(struct fixture *f);
/* Of a statement about the execution, $1. */
struct database_rows query(struct fixture *f, const char *sql);
/* Of one row's first column. */
const char *query_text(struct fixture *f, const char *sql);
void assert_query(struct fixture *f, const char *sql, const char *expected);
/* Of an error that is stored there. */
const Flyteidl__Core__ExecutionError *stored_error(struct fixture *f, const char *sql);

/* As engine.c does it: again while something was not there, or the transaction was lost. */
enum round_outcome run(struct fixture *f);
/* Nobody remembers but the database. */
void forget_plan(struct fixture *f);

const char *pod_name(struct fixture *f, const char *node, unsigned attempt);
/* Below the execution's metadata. */
const char *object_uri(struct fixture *f, const char *rest);
/* The watch reports the pod; releases it. */
void report(struct fixture *f, json_t *pod);
void end_pod(struct fixture *f, const char *node, unsigned attempt, int code, const char *reason);
void put_message(struct fixture *f, const char *uri, const ProtobufCMessage *message);
/* The pod of the attempt did its work: outputs are there, and its container has ended. */
void succeed(struct fixture *f, const char *node, unsigned attempt, int64_t value);
/* The attempt leaves error.pb. */
void put_error(struct fixture *f, const char *node, unsigned attempt, bool recoverable);
void assert_execution_error(struct fixture *f, const char *code, const char *message);
const Flyteidl__Core__LiteralMap *literals_at(struct fixture *f, const char *uri);

#endif
