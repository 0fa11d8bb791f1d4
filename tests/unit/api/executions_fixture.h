/*
 * What the tests of executions share: the RPCs against a real Postgres and an object store in memory, a registered launch plan, and the
 * engine's ear. The engine's own part is played by SQL. Messages and answers live in `arena` until the test ends.
 */
#ifndef TESTS_API_EXECUTIONS_FIXTURE_H
#define TESTS_API_EXECUTIONS_FIXTURE_H

#include "base/arena.h"
#include "controlplane/api/api.h"
#include "fake_objects.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"

#define PHASE(name) FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__##name
#define PROJECT "flytesnacks"
#define DOMAIN "development"

extern struct fake_objects *store;
extern struct api_config config;
extern struct api api;
extern struct rpc_call call;
extern struct arena arena;

/* Of the group and of each test. */
int executions_start(void **state);
int executions_stop(void **state);
int executions_each_setup(void **state);
int executions_each_teardown(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, executions_each_setup, executions_each_teardown)

void *rpc(const char *method, const void *request, struct err *e);
void *succeed(const char *method, const void *request);
void refuse(const char *method, const void *request, enum err_kind kind, const char *text);

struct database_rows query(const char *sql, const struct database_value *values, size_t count);
#define QUERY(sql, ...)                                                                                                \
	query(sql, (struct database_value[]){ __VA_ARGS__ }, ARRAY_LENGTH(((struct database_value[]){ __VA_ARGS__ })))
#define RUN(sql) query(sql, NULL, 0)

/* The next notification's payload within a second, or NULL. */
char *heard(int timeout_ms);

void forget_what_was_heard(void);
void assert_nothing_heard(void);

int64_t execution_id(const char *name);

Flyteidl__Core__Literal *integer(int64_t value);
Flyteidl__Core__Literal *string(const char *value);
void add_literal(Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *value);
Flyteidl__Core__LiteralMap *literals(const char *key, Flyteidl__Core__Literal *value);
const Flyteidl__Core__Literal *literal_of(const Flyteidl__Core__LiteralMap *map, const char *key);

Flyteidl__Core__Variable *integer_variable(void);
void add_parameter(Flyteidl__Core__ParameterMap *map, const char *key, Flyteidl__Core__Literal *default_value);

Flyteidl__Core__Identifier *identifier(Flyteidl__Core__ResourceType type, const char *name);
Flyteidl__Core__WorkflowExecutionIdentifier *execution(const char *name);
Flyteidl__Core__NodeExecutionIdentifier *node(const char *execution_name, const char *node_id);

/* For launch plan "wf": input x given. */
Flyteidl__Admin__ExecutionCreateRequest *create_request(const char *name);
const char *create(const char *name);

Flyteidl__Admin__Execution *get(const char *name);
Flyteidl__Admin__WorkflowExecutionGetDataResponse *get_data(const char *name);
Flyteidl__Core__LiteralMap *stored(const char *path);

/* A workflow and launch plan "wf" (or another name): x is required, y defaults to 5, z is fixed at 7. */
void register_launch_plan(const char *name, const Flyteidl__Admin__LaunchPlanSpec *template);

#endif
