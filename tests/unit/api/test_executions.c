/* Executions through their RPCs, against a real Postgres and an object store in memory. The engine's part is played by
 * SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/api/literals.h"
#include "controlplane/launch/launch.h"
#include "fake_objects.h"
#include "postgres.h"

#include "flyteidl/admin/event.pb-c.h"
#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/node_execution.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/task_execution.pb-c.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#define PHASE(name) FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__##name
#define PROJECT "flytesnacks"
#define DOMAIN "development"

static struct postgres *postgres;
static struct fake_objects *store;
static struct api_config config;
static struct api api;
static struct rpc_call call;
static struct arena arena = ARENA_INIT(256 << 20);
static PGconn *listener; /* the engine's ear */

/* ---- Harness ---- */

static void *rpc(const char *method, const void *request, struct err *e)
{
	const struct api_methods areas[] = { api_execution_methods(), api_task_methods() };
	char *path = arena_printf(&arena, "/flyteidl.service.AdminService/%s", method);
	for (size_t area = 0; area < ARRAY_LENGTH(areas); area++) {
		for (size_t i = 0; i < areas[area].count; i++) {
			const struct rpc_method *m = &areas[area].methods[i];
			if (!text_equal(m->path, path))
				continue;
			const ProtobufCMessage *message = request;
			assert_ptr_equal(message->descriptor, m->request);
			call.error_detail = NULL;
			ProtobufCMessage *response = m->handler(&api, &call, message, e);
			if (response)
				assert_ptr_equal(response->descriptor, m->response);
			else
				assert_int_not_equal(e->kind, ERR_NONE);
			return response;
		}
	}
	fail_msg("no method %s", method);
	return NULL;
}

static void *succeed(const char *method, const void *request)
{
	auto_err struct err e = ERR_INIT;
	void *response = rpc(method, request, &e);
	if (!response)
		fail_msg("%s: %s", method, err_message(&e));
	return response;
}

static void refuse(const char *method, const void *request, enum err_kind kind, const char *text)
{
	auto_err struct err e = ERR_INIT;
	assert_null(rpc(method, request, &e));
	if (e.kind != kind || !strstr(err_message(&e), text))
		fail_msg("%s: expected %s \"%s\", got %s \"%s\"", method, err_kind_name(kind), text,
		         err_kind_name(e.kind), err_message(&e));
}

static struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	struct database_connection *c auto_connection = NULL;
	struct database_rows rows = { .count = 0 };
	if (database_borrow(api.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    database_query(c, &arena, sql, values, count, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	return rows;
}
#define QUERY(sql, ...)                                                                                                \
	query(sql, (struct database_value[]){ __VA_ARGS__ }, ARRAY_LENGTH(((struct database_value[]){ __VA_ARGS__ })))
#define RUN(sql) query(sql, NULL, 0)

/* The next notification's payload within a second, or NULL. */
static char *heard(int timeout_ms)
{
	int64_t deadline = clock_monotonic_ms() + timeout_ms;
	for (;;) {
		PQconsumeInput(listener);
		PGnotify *notify = PQnotifies(listener);
		if (notify) {
			char *payload = arena_strdup(&arena, notify->extra);
			PQfreemem(notify);
			return payload;
		}
		struct pollfd pollfd = { .fd = PQsocket(listener), .events = POLLIN };
		if (poll(&pollfd, 1, clock_poll_timeout(deadline)) <= 0)
			return NULL;
	}
}

/* Notifications come in the order of the commits: whatever was sent before this mark is heard before it. */
static void send_mark(void)
{
	RUN("select pg_notify('flyte_engine', 'mark')::text");
}

static void forget_what_was_heard(void)
{
	send_mark();
	for (char *payload; (payload = heard(5000)) && !text_equal(payload, "mark");)
		;
}

static void assert_nothing_heard(void)
{
	send_mark();
	assert_string_equal(heard(5000), "mark");
}

static int64_t execution_id(const char *name)
{
	struct database_rows rows = QUERY("select id from executions where name = $1", DB_TEXT(name));
	return rows.count ? database_int(&rows, 0, 0) : 0;
}

/* ---- Messages ---- */

static Flyteidl__Core__Literal *integer(int64_t value)
{
	Flyteidl__Core__Literal *literal = proto_new(&arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(&arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	literal->scalar->primitive = proto_new(&arena, flyteidl__core__primitive);
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	literal->scalar->primitive->integer = value;
	return literal;
}

static Flyteidl__Core__Literal *string(const char *value)
{
	Flyteidl__Core__Literal *literal = integer(0);
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	literal->scalar->primitive->string_value = arena_strdup(&arena, value);
	return literal;
}

static void add_literal(Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&arena, key);
	entry->value = value;
	proto_append(&arena, map->n_literals, map->literals, entry);
}

static Flyteidl__Core__LiteralMap *literals(const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	add_literal(map, key, value);
	return map;
}

static const Flyteidl__Core__Literal *literal_of(const Flyteidl__Core__LiteralMap *map, const char *key)
{
	for (size_t i = 0; i < map->n_literals; i++)
		if (text_equal(map->literals[i]->key, key))
			return map->literals[i]->value;
	fail_msg("no literal %s", key);
	return NULL;
}

static Flyteidl__Core__Variable *integer_variable(void)
{
	Flyteidl__Core__Variable *variable = proto_new(&arena, flyteidl__core__variable);
	variable->type = proto_new(&arena, flyteidl__core__literal_type);
	variable->type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	variable->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	return variable;
}

static void add_parameter(Flyteidl__Core__ParameterMap *map, const char *key, Flyteidl__Core__Literal *default_value)
{
	Flyteidl__Core__ParameterMap__ParametersEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__parameter_map__parameters_entry__descriptor);
	entry->key = arena_strdup(&arena, key);
	entry->value = proto_new(&arena, flyteidl__core__parameter);
	entry->value->var = integer_variable();
	if (default_value) {
		entry->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT;
		entry->value->default_ = default_value;
	} else {
		entry->value->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
		entry->value->required = true;
	}
	proto_append(&arena, map->n_parameters, map->parameters, entry);
}

static Flyteidl__Core__Identifier *identifier(Flyteidl__Core__ResourceType type, const char *name)
{
	Flyteidl__Core__Identifier *id = proto_new(&arena, flyteidl__core__identifier);
	id->resource_type = type;
	id->project = arena_strdup(&arena, PROJECT);
	id->domain = arena_strdup(&arena, DOMAIN);
	id->name = arena_strdup(&arena, name);
	id->version = arena_strdup(&arena, "v1");
	return id;
}

static Flyteidl__Core__WorkflowExecutionIdentifier *execution(const char *name)
{
	Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        proto_new(&arena, flyteidl__core__workflow_execution_identifier);
	id->project = arena_strdup(&arena, PROJECT);
	id->domain = arena_strdup(&arena, DOMAIN);
	id->name = arena_strdup(&arena, name);
	return id;
}

static Flyteidl__Core__NodeExecutionIdentifier *node(const char *execution_name, const char *node_id)
{
	Flyteidl__Core__NodeExecutionIdentifier *id = proto_new(&arena, flyteidl__core__node_execution_identifier);
	id->execution_id = execution(execution_name);
	id->node_id = arena_strdup(&arena, node_id);
	return id;
}

/* For launch plan "wf": input x given. */
static Flyteidl__Admin__ExecutionCreateRequest *create_request(const char *name)
{
	Flyteidl__Admin__ExecutionCreateRequest *r = proto_new(&arena, flyteidl__admin__execution_create_request);
	r->project = arena_strdup(&arena, PROJECT);
	r->domain = arena_strdup(&arena, DOMAIN);
	r->name = arena_strdup(&arena, name);
	r->spec = proto_new(&arena, flyteidl__admin__execution_spec);
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "wf");
	r->spec->metadata = proto_new(&arena, flyteidl__admin__execution_metadata);
	r->spec->metadata->principal = arena_strdup(&arena, "placeholder");
	r->inputs = literals("x", integer(1));
	return r;
}

static const char *create(const char *name)
{
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("CreateExecution", create_request(name));
	return response->id->name;
}

static Flyteidl__Admin__Execution *get(const char *name)
{
	Flyteidl__Admin__WorkflowExecutionGetRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_request);
	r->id = execution(name);
	return succeed("GetExecution", r);
}

static Flyteidl__Admin__WorkflowExecutionGetDataResponse *get_data(const char *name)
{
	Flyteidl__Admin__WorkflowExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_data_request);
	r->id = execution(name);
	return succeed("GetExecutionData", r);
}

static Flyteidl__Core__LiteralMap *stored(const char *path)
{
	size_t length;
	auto_free char *bytes = fake_objects_get(store, path, &length);
	if (!bytes)
		fail_msg("no object %s", path);
	auto_err struct err e = ERR_INIT;
	Flyteidl__Core__LiteralMap *map = proto_unpack(&arena, flyteidl__core__literal_map, bytes, length, &e);
	assert_non_null(map);
	return map;
}

/* ---- Fixtures ---- */

/* A workflow and launch plan "wf" (or another name): x is required, y defaults to 5, z is fixed at 7. */
static void register_launch_plan(const char *name, const Flyteidl__Admin__LaunchPlanSpec *template)
{
	Flyteidl__Admin__LaunchPlanSpec *spec = arena_copy(&arena, template, sizeof(*template));
	Flyteidl__Core__ParameterMap *expected = proto_new(&arena, flyteidl__core__parameter_map);
	add_parameter(expected, "x", NULL);
	add_parameter(expected, "y", integer(5));
	spec->workflow_id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, name);
	spec->default_inputs = expected;
	spec->fixed_inputs = literals("z", integer(7));
	struct proto_bytes digest = { (const uint8_t *)"", 0 };
	Flyteidl__Core__CompiledWorkflowClosure *closure = proto_new(&arena, flyteidl__core__compiled_workflow_closure);
	Flyteidl__Core__VariableMap *outputs = proto_new(&arena, flyteidl__core__variable_map);
	struct database_rows rows =
	        QUERY("insert into workflows (project, domain, name, version, digest, closure) "
	              "values ('" PROJECT "', '" DOMAIN "', $1, 'v1', $2, $3) returning id",
	              DB_TEXT(name), DB_BYTES(digest), DB_BYTES(proto_pack(&arena, &closure->base)));
	QUERY("insert into launch_plans (project, domain, name, version, workflow_id, spec, expected_inputs, "
	      "expected_outputs, digest) "
	      "values ('" PROJECT "', '" DOMAIN "', $1, 'v1', $2, $3, $4, $5, $6)",
	      DB_TEXT(name), DB_INT(database_int(&rows, 0, 0)), DB_BYTES(proto_pack(&arena, &spec->base)),
	      DB_BYTES(proto_pack(&arena, &expected->base)), DB_BYTES(proto_pack(&arena, &outputs->base)),
	      DB_BYTES(digest));
}

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	auto_free char *url = postgres_create_database(postgres, "executions");
	store = fake_objects_start();
	config = api_config_default;
	config.bucket = "my-s3-bucket";
	config.objects_public_endpoint = "http://localhost:30002";
	struct objects_options options = { .endpoint = fake_objects_endpoint(store),
		                           .access_key = "minio",
		                           .secret_key = "miniostorage",
		                           .region = "us-east-1" };
	api = (struct api){ .database = database_new(url, 4), .objects = objects_new(&options), .config = &config };
	call = (struct rpc_call){ .arena = &arena,
		                  .request_id = "test",
		                  .peer_address = "127.0.0.1",
		                  .authority = "",
		                  .deadline_ms = CLOCK_NEVER };
	listener = PQconnectdb(url);
	if (PQstatus(listener) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(listener));
	PQclear(PQexec(listener, "listen flyte_engine"));
	if (database_migrate(api.database, clock_monotonic_ms() + 30000, &e) < 0)
		fail_msg("%s", err_message(&e));
	return 0;
}

static int stop(void **state)
{
	(void)state;
	PQfinish(listener);
	database_free(api.database);
	objects_free(api.objects);
	fake_objects_stop(store);
	postgres_stop(postgres);
	return 0;
}

static int each_setup(void **state)
{
	(void)state;
	RUN("truncate executions, launch_plans, workflows, tasks, named_entities restart identity cascade");
	RUN("update projects set labels = null, state = 0");
	fake_objects_fail(store, 0);
	register_launch_plan("wf", proto_new(&arena, flyteidl__admin__launch_plan_spec));
	forget_what_was_heard();
	return 0;
}

static int each_teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

/* ---- Create ---- */

static void test_create(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("Run-1");
	add_literal(r->inputs, "y", integer(6));
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("CreateExecution", r);
	assert_string_equal(response->id->project, PROJECT);
	assert_string_equal(response->id->domain, DOMAIN);
	assert_string_equal(response->id->name, "run-1");

	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)execution_id("run-1")));
	Flyteidl__Core__LiteralMap *inputs = stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/run-1/inputs");
	assert_int_equal(inputs->n_literals, 3);
	assert_int_equal(literal_of(inputs, "y")->scalar->primitive->integer, 6);
	assert_int_equal(literal_of(inputs, "z")->scalar->primitive->integer, 7);
	assert_int_equal(stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/run-1/user_inputs")->n_literals, 2);

	Flyteidl__Admin__Execution *e = get("run-1");
	assert_int_equal(e->closure->phase, PHASE(UNDEFINED));
	assert_string_equal(e->spec->launch_plan->name, "wf");
	assert_string_equal(e->closure->workflow_id->name, "wf");
	assert_string_equal(e->closure->workflow_id->version, "v1");
	assert_int_equal(e->spec->max_parallelism, 25);
	assert_string_equal(e->spec->metadata->principal,
	                    ""); /* nobody signs in: what clients put there is not believed */
	assert_string_equal(e->spec->metadata->system_metadata->namespace_, PROJECT "-" DOMAIN);
	assert_null(e->spec->inputs);
	assert_non_null(e->closure->created_at);
	assert_non_null(e->closure->updated_at);
	assert_null(e->closure->started_at);
	assert_int_equal(e->closure->state_change_details->state, FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE);
}

static void test_create_without_name(void **state)
{
	(void)state;
	const char *first = create(""), *second = create("");
	assert_int_equal(strlen(first), 20);
	assert_int_equal(first[0], 'a');
	assert_string_not_equal(first, second);
}

static void test_inputs_in_the_spec(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("old");
	r->spec->inputs = r->inputs;
	r->inputs = NULL;
	succeed("CreateExecution", r);
	assert_int_equal(literal_of(get_data("old")->full_inputs, "x")->scalar->primitive->integer, 1);
}

static void test_create_refused(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *r;
#define REFUSED(change, kind, text)                                                                                    \
	do {                                                                                                           \
		r = create_request("refused");                                                                         \
		change;                                                                                                \
		refuse("CreateExecution", r, kind, text);                                                              \
	} while (0)
	REFUSED(r->project = arena_strdup(&arena, ""), ERR_INVALID, "missing project");
	REFUSED(r->project = arena_strdup(&arena, "nowhere"), ERR_INVALID,
	        "failed to validate that project [nowhere] and domain [" DOMAIN "] are registered");
	REFUSED(r->domain = arena_strdup(&arena, "moon"), ERR_INVALID, "moon");
	REFUSED(r->name = arena_strdup(&arena, "_x"), ERR_INVALID, "invalid name format: _x");
	REFUSED(r->spec = NULL, ERR_INVALID, "missing spec");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "none"), ERR_NOT_FOUND,
	        "missing entity of type LAUNCH_PLAN with identifier");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "none"), ERR_NOT_FOUND,
	        "missing entity of type TASK with identifier");
	REFUSED(r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "wf"), ERR_INVALID,
	        "Invalid reference entity resource type [WORKFLOW]");
	REFUSED(r->inputs = NULL, ERR_INVALID, "expected_inputs x missing");
	REFUSED(add_literal(r->inputs, "w", integer(1)), ERR_INVALID, "invalid input w");
	REFUSED(r->inputs = literals("x", string("1")), ERR_INVALID, "invalid x input wrong type. Expected ");
	REFUSED(add_literal(r->inputs, "z", integer(1)), ERR_INVALID, "z");
	RUN("update projects set state = 1");
	REFUSED((void)0, ERR_INVALID, PROJECT);
#undef REFUSED
	assert_int_equal(database_int(&(struct database_rows[]){ RUN("select count(*) from executions") }[0], 0, 0), 0);
	assert_nothing_heard();
}

static void test_a_taken_name(void **state)
{
	(void)state;
	create("taken");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("taken");
	r->inputs = literals("x", integer(99));
	refuse("CreateExecution", r, ERR_EXISTS, "already exists");
	/* The first one's inputs are still its own. */
	assert_int_equal(literal_of(stored("/my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/taken/inputs"), "x")
	                         ->scalar->primitive->integer,
	                 1);
	heard(5000);
	assert_nothing_heard();
}

static void test_object_store_refuses(void **state)
{
	(void)state;
	fake_objects_fail(store, 403);
	refuse("CreateExecution", create_request("later"), ERR_INTERNAL, "cannot store the inputs: cannot write");
	assert_int_equal(execution_id("later"), 0);
	assert_nothing_heard();
	fake_objects_fail(store, 0);
	create("later");
	assert_non_null(heard(5000));
}

static void test_configuration_of_the_launch_plan(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->max_parallelism = 4;
	template->raw_output_data_config = proto_new(&arena, flyteidl__admin__raw_output_data_config);
	template->raw_output_data_config->output_location_prefix = arena_strdup(&arena, "s3://elsewhere");
	register_launch_plan("configured", template);
	Flyteidl__Admin__Labels *labels = proto_new(&arena, flyteidl__admin__labels);
	Flyteidl__Admin__Labels__ValuesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
	entry->key = arena_strdup(&arena, "team");
	entry->value = arena_strdup(&arena, "blue");
	proto_append(&arena, labels->n_values, labels->values, entry);
	QUERY("update projects set labels = $1", DB_BYTES(proto_pack(&arena, &labels->base)));

	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("configured");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "configured");
	succeed("CreateExecution", r);
	Flyteidl__Admin__Execution *e = get("configured");
	assert_int_equal(e->spec->max_parallelism, 4);
	assert_string_equal(e->spec->raw_output_data_config->output_location_prefix, "s3://elsewhere");
	assert_int_equal(e->spec->labels->n_values, 1);
	assert_string_equal(e->spec->labels->values[0]->key, "team");
}

static void test_concurrency_limit(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->concurrency_policy = proto_new(&arena, flyteidl__admin__concurrency_policy);
	template->concurrency_policy->max = 1;
	template->concurrency_policy->behavior =
	        FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP;
	register_launch_plan("limited", template);
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("one");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "limited");
	succeed("CreateExecution", r);
	r->name = arena_strdup(&arena, "two");
	refuse("CreateExecution", r, ERR_EXISTS,
	       "concurrency limit (1) reached for launch plan limited; skipping execution");
	RUN("update executions set phase = 'FAILED' where name = 'one'");
	succeed("CreateExecution", r);
}

/* The same request from several clients at once; how many of them were told that they made it. The others have to hear
 * ALREADY_EXISTS. */
struct rival {
	pthread_t thread;
	struct arena arena;
	const Flyteidl__Admin__ExecutionCreateRequest *request;
	bool made;
	enum err_kind refused;
};

static void *compete(void *context)
{
	struct rival *rival = context;
	auto_err struct err e = ERR_INIT;
	struct rpc_call own = call;
	own.arena = &rival->arena;
	const struct api_methods methods = api_execution_methods();
	assert_string_equal(methods.methods[0].path, "/flyteidl.service.AdminService/CreateExecution");
	rival->made = methods.methods[0].handler(&api, &own, &rival->request->base, &e) != NULL;
	rival->refused = e.kind;
	return NULL;
}

static unsigned let_compete(Flyteidl__Admin__ExecutionCreateRequest *const *requests, size_t count)
{
	struct rival rivals[4] = { { .made = false } };
	unsigned made = 0;
	assert_true(count <= ARRAY_LENGTH(rivals));
	for (size_t i = 0; i < count; i++) {
		rivals[i].request = requests[i];
		rivals[i].arena.maximum = 64 << 20;
		assert_int_equal(pthread_create(&rivals[i].thread, NULL, compete, &rivals[i]), 0);
	}
	for (size_t i = 0; i < count; i++) {
		pthread_join(rivals[i].thread, NULL);
		arena_release(&rivals[i].arena);
		made += rivals[i].made;
		assert_int_equal(rivals[i].refused, rivals[i].made ? ERR_NONE : ERR_EXISTS);
	}
	return made;
}

static void test_rivals(void **state)
{
	(void)state;
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	template->concurrency_policy = proto_new(&arena, flyteidl__admin__concurrency_policy);
	template->concurrency_policy->max = 2;
	template->concurrency_policy->behavior =
	        FLYTEIDL__ADMIN__CONCURRENCY_LIMIT_BEHAVIOR__CONCURRENCY_LIMIT_BEHAVIOR_SKIP;
	register_launch_plan("limited", template);
	for (int round = 0; round < 5; round++) {
		Flyteidl__Admin__ExecutionCreateRequest *same[4], *limited[4];
		for (size_t i = 0; i < ARRAY_LENGTH(same); i++) {
			same[i] = create_request(arena_printf(&arena, "same-%d", round));
			limited[i] = create_request("");
			limited[i]->spec->launch_plan =
			        identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "limited");
		}
		assert_int_equal(let_compete(same, ARRAY_LENGTH(same)), 1);
		assert_int_equal(let_compete(limited, ARRAY_LENGTH(limited)), 2);
		RUN("update executions set phase = 'SUCCEEDED'");
	}
}

static void register_task(const char *name)
{
	Flyteidl__Admin__TaskCreateRequest *r = proto_new(&arena, flyteidl__admin__task_create_request);
	r->id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, name);
	r->spec = proto_new(&arena, flyteidl__admin__task_spec);
	Flyteidl__Core__TaskTemplate *template = r->spec->template_ = proto_new(&arena, flyteidl__core__task_template);
	template->id = r->id;
	template->type = arena_strdup(&arena, "container");
	template->metadata = proto_new(&arena, flyteidl__core__task_metadata);
	template->metadata->runtime = proto_new(&arena, flyteidl__core__runtime_metadata);
	template->metadata->runtime->version = arena_strdup(&arena, "1.0");
	template->interface = proto_new(&arena, flyteidl__core__typed_interface);
	template->interface->inputs = proto_new(&arena, flyteidl__core__variable_map);
	template->interface->outputs = proto_new(&arena, flyteidl__core__variable_map);
	Flyteidl__Core__VariableMap__VariablesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__variable_map__variables_entry__descriptor);
	entry->key = arena_strdup(&arena, "x");
	entry->value = integer_variable();
	proto_append(&arena, template->interface->inputs->n_variables, template->interface->inputs->variables, entry);
	template->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	template->container = proto_new(&arena, flyteidl__core__container);
	template->container->image = arena_strdup(&arena, "busybox");
	proto_append(&arena, template->container->n_command, template->container->command,
	             arena_strdup(&arena, "true"));
	succeed("CreateTask", r);
}

static void test_a_single_task(void **state)
{
	(void)state;
	register_task("pkg.mod.t");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("single");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "pkg.mod.t");
	succeed("CreateExecution", r);
	r->name = arena_strdup(&arena, "single-again");
	succeed("CreateExecution", r);
	Flyteidl__Admin__Execution *e = get("single");
	assert_int_equal(e->spec->launch_plan->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	assert_string_equal(e->closure->workflow_id->name, ".flytegen.pkg.mod.t");
	r->name = arena_strdup(&arena, "single-bad");
	r->inputs = NULL;
	refuse("CreateExecution", r, ERR_INVALID, "expected_inputs x missing");
	struct database_rows rows =
	        RUN("select count(*) from executions where task_id is not null and workflow_id is not null "
	            "and resource_type = 1");
	assert_int_equal(database_int(&rows, 0, 0), 2);
}

static void test_relaunch_and_recover(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionCreateRequest *original = create_request("original");
	original->spec->overwrite_cache = true;
	succeed("CreateExecution", original);
	Flyteidl__Admin__ExecutionRelaunchRequest *relaunch =
	        proto_new(&arena, flyteidl__admin__execution_relaunch_request);
	relaunch->id = execution("original");
	relaunch->name = arena_strdup(&arena, "again");
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("RelaunchExecution", relaunch);
	assert_string_equal(response->id->name, "again");
	Flyteidl__Admin__Execution *e = get("again");
	assert_int_equal(e->spec->metadata->mode, FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RELAUNCH);
	assert_string_equal(e->spec->metadata->reference_execution->name, "original");
	assert_false(e->spec->overwrite_cache);
	assert_int_equal(literal_of(get_data("again")->full_inputs, "x")->scalar->primitive->integer, 1);
	refuse("RelaunchExecution", relaunch, ERR_EXISTS, "already exists");
	relaunch->name = arena_strdup(&arena, "Not valid");
	refuse("RelaunchExecution", relaunch, ERR_INVALID, "invalid name format");
	relaunch->id = execution("nothing");
	relaunch->name = arena_strdup(&arena, "");
	refuse("RelaunchExecution", relaunch, ERR_NOT_FOUND,
	       "missing entity of type execution with identifier project:\"" PROJECT "\" domain:\"" DOMAIN
	       "\" name:\"nothing\"");

	Flyteidl__Admin__ExecutionRecoverRequest *recover =
	        proto_new(&arena, flyteidl__admin__execution_recover_request);
	recover->id = execution("original");
	recover->name = arena_strdup(&arena, "recovered");
	succeed("RecoverExecution", recover);
	e = get("recovered");
	assert_int_equal(e->spec->metadata->mode, FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__RECOVERED);
	assert_string_equal(e->spec->metadata->reference_execution->name, "original");
	struct database_rows rows = RUN("select source_execution_id from executions where name = 'recovered'");
	assert_int_equal(database_int(&rows, 0, 0), execution_id("original"));
}

/* ---- Read ---- */

static void test_get_refused(void **state)
{
	(void)state;
	Flyteidl__Admin__WorkflowExecutionGetRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_request);
	refuse("GetExecution", r, ERR_INVALID, "missing id");
	r->id = execution("");
	refuse("GetExecution", r, ERR_INVALID, "missing name");
	r->id = execution("gone");
	refuse("GetExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
}

static Flyteidl__Admin__ResourceListRequest *list_request(uint32_t limit, const char *token, const char *filters)
{
	Flyteidl__Admin__ResourceListRequest *r = proto_new(&arena, flyteidl__admin__resource_list_request);
	r->id = proto_new(&arena, flyteidl__admin__named_entity_identifier);
	r->id->project = arena_strdup(&arena, PROJECT);
	r->id->domain = arena_strdup(&arena, DOMAIN);
	r->limit = limit;
	r->token = arena_strdup(&arena, token);
	r->filters = arena_strdup(&arena, filters);
	return r;
}

static void sort_by(Flyteidl__Admin__ResourceListRequest *r, const char *key,
                    Flyteidl__Admin__Sort__Direction direction)
{
	r->sort_by = proto_new(&arena, flyteidl__admin__sort);
	r->sort_by->key = arena_strdup(&arena, key);
	r->sort_by->direction = direction;
}

static void expect_names(const Flyteidl__Admin__ResourceListRequest *r, const char *names, const char *token)
{
	Flyteidl__Admin__ExecutionList *list = succeed("ListExecutions", r);
	auto_buf struct buf found = BUF_INIT(4096);
	for (size_t i = 0; i < list->n_executions; i++)
		buf_add_format(&found, "%s%s", i ? " " : "", list->executions[i]->id->name);
	assert_string_equal(buf_text(&found), names);
	assert_string_equal(list->token, token);
}

static void test_list(void **state)
{
	(void)state;
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		create(names[i]);
	RUN("update executions set phase = 'RUNNING' where name in ('b', 'd')");
	expect_names(list_request(100, "", ""), "a b c d e", "");
	expect_names(list_request(2, "", ""), "a b", "2");
	expect_names(list_request(2, "2", ""), "c d", "4");
	expect_names(list_request(2, "4", ""), "e", "");
	expect_names(list_request(100, "", "value_in(phase, RUNNING)"), "b d", "");
	expect_names(list_request(100, "", "eq(launch_plan.name,wf)+ne(phase,RUNNING)"), "a c e", "");
	Flyteidl__Admin__ResourceListRequest *r = list_request(100, "", "");
	sort_by(r, "name", FLYTEIDL__ADMIN__SORT__DIRECTION__DESCENDING);
	expect_names(r, "e d c b a", "");
	sort_by(r, "created_at", FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING);
	expect_names(r, "a b c d e", "");
	r->id->name = arena_strdup(&arena, "c");
	expect_names(r, "c", "");

	refuse("ListExecutions", list_request(0, "", ""), ERR_INVALID, "invalid value for limit");
	refuse("ListExecutions", list_request(1, "x", ""), ERR_INVALID,
	       "invalid pagination token x for ListExecutions");
	refuse("ListExecutions", list_request(1, "", "nonsense"), ERR_INVALID, "");
	r = list_request(1, "", "");
	sort_by(r, "spec", FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING);
	refuse("ListExecutions", r, ERR_INVALID, "invalid sort key 'spec'");
	r = list_request(1, "", "");
	r->id->project = arena_strdup(&arena, "");
	refuse("ListExecutions", r, ERR_INVALID, "missing project");
	r->id = NULL;
	refuse("ListExecutions", r, ERR_INVALID, "missing id");
}

static void test_archived_executions_hide(void **state)
{
	(void)state;
	create("kept");
	create("archived");
	Flyteidl__Admin__ExecutionUpdateRequest *r = proto_new(&arena, flyteidl__admin__execution_update_request);
	r->id = execution("archived");
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ARCHIVED;
	succeed("UpdateExecution", r);
	expect_names(list_request(100, "", ""), "kept", "");
	expect_names(list_request(100, "", "eq(state,1)"), "archived", "");
	assert_int_equal(get("archived")->closure->state_change_details->state,
	                 FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ARCHIVED);
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE;
	succeed("UpdateExecution", r);
	expect_names(list_request(100, "", ""), "kept archived", "");
	r->state = 99;
	refuse("UpdateExecution", r, ERR_INVALID, "invalid value for state");
	r->state = FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE;
	r->id = execution("gone");
	refuse("UpdateExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
}

static void test_tags(void **state)
{
	(void)state;
	create("other");
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	proto_append(&arena, r->spec->n_tags, r->spec->tags, arena_strdup(&arena, "nightly"));
	proto_append(&arena, r->spec->n_tags, r->spec->tags, arena_strdup(&arena, "nightly"));
	r->spec->labels = proto_new(&arena, flyteidl__admin__labels);
	Flyteidl__Admin__Labels__ValuesEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
	entry->key = arena_strdup(&arena, "eager-exec");
	entry->value = arena_strdup(&arena, "parent");
	proto_append(&arena, r->spec->labels->n_values, r->spec->labels->values, entry);
	succeed("CreateExecution", r);
	/* The filter by which flytekit finds the children of an eager workflow. */
	expect_names(list_request(100, "",
	                          "value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,parent)"
	                          "+value_in(phase,UNDEFINED;QUEUED;RUNNING)"),
	             "child", "");
	expect_names(
	        list_request(100, "", "value_in(execution_tag.key,eager-exec)+value_in(execution_tag.value,someone)"),
	        "", "");
	expect_names(list_request(100, "", "eq(execution_tag.key,nightly)"), "child", "");
}

static void test_errors_in_lists_are_short(void **state)
{
	(void)state;
	create("failed");
	Flyteidl__Core__ExecutionError *error = proto_new(&arena, flyteidl__core__execution_error);
	error->message = arena_alloc(&arena, 5001);
	memset(error->message, 'x', 5000);
	QUERY("update executions set phase = 'FAILED', error = $1, started_at = now(), duration = interval '1.5 s'",
	      DB_BYTES(proto_pack(&arena, &error->base)));
	Flyteidl__Admin__ExecutionList *list = succeed("ListExecutions", list_request(1, "", ""));
	assert_int_equal(strlen(list->executions[0]->closure->error->message), 100);
	Flyteidl__Admin__Execution *e = get("failed");
	assert_int_equal(strlen(e->closure->error->message), 5000);
	assert_int_equal(e->closure->duration->seconds, 1);
	assert_int_equal(e->closure->duration->nanos, 500000000);
}

/* ---- Terminate ---- */

static void test_terminate(void **state)
{
	(void)state;
	create("doomed");
	heard(5000);
	Flyteidl__Admin__ExecutionTerminateRequest *r = proto_new(&arena, flyteidl__admin__execution_terminate_request);
	r->id = execution("doomed");
	r->cause = arena_strdup(&arena, "enough");
	succeed("TerminateExecution", r);
	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)execution_id("doomed")));
	Flyteidl__Admin__Execution *e = get("doomed");
	assert_int_equal(e->closure->phase, PHASE(ABORTING));
	assert_int_equal(e->closure->output_result_case,
	                 FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ABORT_METADATA);
	assert_string_equal(e->closure->abort_metadata->cause, "enough");
	succeed("TerminateExecution", r); /* a client that did not hear the answer asks again */

	static const char *const terminal[] = { "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT" };
	for (size_t i = 0; i < ARRAY_LENGTH(terminal); i++) {
		QUERY("update executions set phase = $1", DB_TEXT(terminal[i]));
		forget_what_was_heard();
		refuse("TerminateExecution", r, ERR_PRECONDITION,
		       "Cannot abort an already terminated workflow execution");
		const Flyteidl__Admin__EventFailureReason *detail =
		        (const Flyteidl__Admin__EventFailureReason *)call.error_detail;
		assert_ptr_equal(detail->base.descriptor, &flyteidl__admin__event_failure_reason__descriptor);
		assert_string_equal(detail->already_in_terminal_state->current_phase, terminal[i]);
		struct database_rows rows = RUN("select phase from executions");
		assert_string_equal(database_text(&rows, 0, 0), terminal[i]);
		assert_nothing_heard();
	}
	r->id = execution("gone");
	refuse("TerminateExecution", r, ERR_NOT_FOUND, "missing entity of type execution");
	r->id = NULL;
	refuse("TerminateExecution", r, ERR_INVALID, "missing id");
}

/* ---- Data ---- */

static void test_small_data_is_inline(void **state)
{
	(void)state;
	create("small");
	struct proto_bytes outputs = proto_pack(&arena, &literals("o0", integer(42))->base);
	QUERY("update executions set outputs = $1, outputs_uri = 's3://my-s3-bucket/o'", DB_BYTES(outputs));
	unsigned requests = fake_objects_requests(store);
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *data = get_data("small");
	assert_int_equal(fake_objects_requests(store), requests); /* all of it came from the row */
	assert_int_equal(data->full_inputs->n_literals, 3);
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 42);
	assert_int_equal(data->outputs->bytes, outputs.length);
	assert_true(text_starts_with(data->outputs->url, "http://localhost:30002/my-s3-bucket/o?"));
	assert_non_null(strstr(data->outputs->url, "X-Amz-Signature="));
}

static void test_large_data_is_by_url(void **state)
{
	(void)state;
	char *text = arena_alloc(&arena, LITERALS_ANSWER_MAXIMUM + 1);
	memset(text, 'x', LITERALS_ANSWER_MAXIMUM);
	struct proto_bytes large = proto_pack(&arena, &literals("o0", string(text))->base);
	create("large");
	RUN("update executions set outputs_uri = 's3://my-s3-bucket/large'");
	fake_objects_put(store, "/my-s3-bucket/large", large.data, large.length);
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *data = get_data("large");
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_int_equal(data->outputs->bytes, large.length);
	assert_true(text_starts_with(data->outputs->url, "http://localhost:30002/my-s3-bucket/large?"));

	struct proto_bytes small =
	        proto_pack(&arena, &literals("o0", integer(1))->base); /* only in the object store, and small */
	fake_objects_put(store, "/my-s3-bucket/large", small.data, small.length);
	data = get_data("large");
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 1);

	RUN("update executions set outputs_uri = 's3://my-s3-bucket/not-yet'");
	data = get_data("large");
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_int_equal(data->outputs->bytes, 0);
	assert_string_equal(data->outputs->url, "");

	fake_objects_fail(store, 403);
	Flyteidl__Admin__WorkflowExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_data_request);
	r->id = execution("large");
	refuse("GetExecutionData", r, ERR_INTERNAL, "s3://my-s3-bucket/not-yet");
}

/* Launch plan "text": input x is a string. */
static void register_text_launch_plan(void)
{
	Flyteidl__Admin__LaunchPlanSpec *template = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	register_launch_plan("text", template);
	Flyteidl__Core__ParameterMap *expected = proto_new(&arena, flyteidl__core__parameter_map);
	add_parameter(expected, "x", NULL);
	expected->parameters[0]->value->var->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	QUERY("update launch_plans set expected_inputs = $1 where name = 'text'",
	      DB_BYTES(proto_pack(&arena, &expected->base)));
}

/* Of an execution whose inputs are only in the object store. */
static const char *large_input_of(const char *name)
{
	struct database_rows rows = QUERY("select inputs_uri from executions where name = $1", DB_TEXT(name));
	const char *uri = database_text(&rows, 0, 0);
	const char *prefix = arena_printf(&arena, "s3://my-s3-bucket/metadata/" PROJECT "/" DOMAIN "/%s/inputs-", name);
	assert_true(text_starts_with(uri, prefix));
	return literal_of(stored(uri + strlen("s3:/")), "x")->scalar->primitive->string_value;
}

static void test_large_inputs(void **state)
{
	(void)state;
	register_text_launch_plan();
	char *text = arena_alloc(&arena, LITERALS_ANSWER_MAXIMUM + 1);
	memset(text, 'x', LITERALS_ANSWER_MAXIMUM);
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("big");
	r->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "text");
	r->inputs = literals("x", string(text));
	succeed("CreateExecution", r);
	struct database_rows rows = RUN("select inputs is null and user_inputs is null from executions");
	assert_true(database_bool(&rows, 0, 0));
	assert_int_equal(get_data("big")->full_inputs->n_literals, 0);
	assert_true(get_data("big")->inputs->bytes > (int64_t)LITERALS_ANSWER_MAXIMUM);

	text[LAUNCH_ROW_MAXIMUM] = '\0'; /* too large for the row, not for an answer */
	r->inputs = literals("x", string(text));
	r->name = arena_strdup(&arena, "medium");
	succeed("CreateExecution", r);
	rows = RUN("select inputs is null and user_inputs is null from executions where name = 'medium'");
	assert_true(database_bool(&rows, 0, 0));
	assert_int_equal(strlen(literal_of(get_data("medium")->full_inputs, "x")->scalar->primitive->string_value),
	                 LAUNCH_ROW_MAXIMUM);
	Flyteidl__Admin__ExecutionRelaunchRequest *relaunch =
	        proto_new(&arena, flyteidl__admin__execution_relaunch_request);
	relaunch->id = execution("big");
	relaunch->name = arena_strdup(&arena, "bigger");
	succeed("RelaunchExecution", relaunch);
	assert_int_equal(strlen(large_input_of("bigger")), LITERALS_ANSWER_MAXIMUM);
}

/* Four calls for one name, each with inputs of its own that are too large for the row: whichever wins, its row leads to
 * its inputs. */
static void test_rivals_with_large_inputs(void **state)
{
	(void)state;
	register_text_launch_plan();
	Flyteidl__Admin__ExecutionCreateRequest *requests[4];
	for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
		char *text = arena_alloc(&arena, LAUNCH_ROW_MAXIMUM + 1);
		memset(text, 'a' + (int)i, LAUNCH_ROW_MAXIMUM);
		text[LAUNCH_ROW_MAXIMUM] = '\0';
		requests[i] = create_request("contested");
		requests[i]->spec->launch_plan = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "text");
		requests[i]->spec->tags = arena_array(&arena, char *, 1);
		requests[i]->spec->tags[0] = arena_printf(&arena, "%c", 'a' + (int)i);
		requests[i]->spec->n_tags = 1;
		requests[i]->inputs = literals("x", string(text));
	}
	assert_int_equal(let_compete(requests, ARRAY_LENGTH(requests)), 1);
	struct database_rows rows = RUN("select key from execution_tags");
	assert_int_equal(rows.count, 1);
	assert_int_equal(large_input_of("contested")[0], database_text(&rows, 0, 0)[0]);
}

/* A launch waits for the slower of its two objects, not for one after the other. */
static void test_inputs_are_written_at_once(void **state)
{
	(void)state;
	struct parallel *parallel = parallel_new(1);
	const struct launch_context context = {
		.database = api.database, .objects = api.objects, .bucket = config.bucket, .parallel = parallel
	};
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("");
	const struct launch_request request = {
		.project = PROJECT, .domain = DOMAIN, .name = "", .spec = r->spec, .inputs = r->inputs
	};
	auto_err struct err e = ERR_INIT;
	struct launch_result result;
	fake_objects_meet(store, 2);
	int status = launch_execution(&context, &arena, clock_monotonic_ms() + 60000, &request, &result, &e);
	fake_objects_meet(store, 0);
	if (status < 0)
		fail_msg("%s", err_message(&e));
	fake_objects_fail(store, 403);
	assert_int_equal(launch_execution(&context, &arena, clock_monotonic_ms() + 60000, &request, &result, &e), -1);
	fake_objects_fail(store, 0);
	assert_int_equal(e.kind, ERR_INTERNAL);
	assert_non_null(strstr(err_message(&e), "cannot store the inputs"));
	parallel_free(parallel);
}

/* As the engine launches: out of a transaction that holds the parent's row, whose node row nobody else can see yet. */
static void test_launch_within_a_transaction(void **state)
{
	(void)state;
	create("parent");
	heard(5000);
	const int64_t parent_id = execution_id("parent");
	const struct launch_context context = {
		.database = api.database, .objects = api.objects, .bucket = config.bucket
	};
	Flyteidl__Admin__ExecutionSpec *parent_spec = proto_new(&arena, flyteidl__admin__execution_spec);
	parent_spec->metadata = proto_new(&arena, flyteidl__admin__execution_metadata);
	parent_spec->metadata->nesting = 2;
	parent_spec->metadata->principal = arena_strdup(&arena, "somebody");
	const struct launch_parent parent = { .node_row_id = 77, .execution_row_id = parent_id, .spec = parent_spec };
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	const struct launch_request request = { .project = PROJECT,
		                                .domain = DOMAIN,
		                                .name = "child",
		                                .spec = r->spec,
		                                .inputs = r->inputs,
		                                .parent = &parent };
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct launch_result result;
	assert_int_equal(database_borrow(api.database, clock_monotonic_ms() + 5000, &c, &e), 0);
	assert_int_equal(database_begin(c, &e), 0);
	const struct database_value values[] = { DB_INT(parent_id) };
	assert_int_equal(database_execute(c, "update executions set phase = 'RUNNING' where id = $1", values, 1, &e),
	                 1);
	if (launch_execution(&context, &arena, clock_monotonic_ms() + 5000, &request, &result, &e) < 0)
		fail_msg("%s", err_message(&e));
	assert_int_equal(database_rollback(c, &e), 0); /* the child stays */
	assert_string_equal(result.name, "child");
	assert_int_equal(result.id, execution_id("child"));
	assert_string_equal(heard(5000), arena_printf(&arena, "%lld", (long long)result.id));
	struct database_rows rows =
	        RUN("select parent_node_execution_id, source_execution_id, principal from executions "
	            "where name = 'child'");
	assert_int_equal(database_int(&rows, 0, 0), 77);
	assert_int_equal(database_int(&rows, 0, 1), parent_id);
	assert_string_equal(database_text(&rows, 0, 2), "somebody");
	assert_int_equal(get("child")->spec->metadata->nesting, 3);
	assert_int_equal(r->spec->metadata->nesting, 0); /* the request is as it was */

	assert_int_equal(launch_execution(&context, &arena, clock_monotonic_ms() + 5000, &request, &result, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	assert_string_equal(err_id(&e), EXECUTIONS_TAKEN);
}

/* ---- Nodes and tasks ---- */

/* Execution "run" with start-node, n0 (dynamic, two attempts of task t, children n0-0-c and n0-1-c) and end-node. */
static void run_with_nodes(void)
{
	create("run");
	RUN("insert into node_executions (execution_id, node_id, spec_node_id, phase, is_parent, is_dynamic, "
	    "created_at, started_at, "
	    "updated_at, duration, deck_uri) "
	    "select id, n, n, 'SUCCEEDED', n = 'n0', n = 'n0', created_at + s * interval '1 s', created_at + (s + 1) * "
	    "interval '1 s', "
	    "created_at + (s + 5) * interval '1 s', interval '4 s', case n when 'n0' then "
	    "'s3://my-s3-bucket/deck.html' else '' end "
	    "from executions, (values ('start-node', 0), ('n0', 10), ('end-node', 20)) as nodes (n, s)");
	RUN("insert into node_executions (execution_id, node_id, spec_node_id, parent_id, retry_group, phase) "
	    "select execution_id, 'n0-' || attempt || '-c', 'c', id, attempt, 'RUNNING' "
	    "from node_executions, (values ('0'), ('1')) as attempts (attempt) where node_id = 'n0'");
	RUN("insert into task_executions (node_execution_id, execution_id, retry_attempt, project, domain, name, "
	    "version, phase, created_at, "
	    "started_at, updated_at, duration) "
	    "select id, execution_id, attempt, '" PROJECT "', '" DOMAIN
	    "', 't', 'v1', case attempt when 0 then 'FAILED' else 'SUCCEEDED' end, "
	    "created_at + (attempt + 1) * interval '1 s', created_at + (attempt + 1.2) * interval '1 s', "
	    "created_at + (attempt + 1.8) * interval '1 s', interval '0.5 s' "
	    "from node_executions, (values (0), (1)) as attempts (attempt) where node_id = 'n0'");
}

static void expect_nodes(const char *parent, const char *filters, const char *nodes)
{
	Flyteidl__Admin__NodeExecutionListRequest *r = proto_new(&arena, flyteidl__admin__node_execution_list_request);
	r->workflow_execution_id = execution("run");
	r->limit = 100;
	r->unique_parent_id = arena_strdup(&arena, parent);
	r->filters = arena_strdup(&arena, filters);
	Flyteidl__Admin__NodeExecutionList *list = succeed("ListNodeExecutions", r);
	auto_buf struct buf found = BUF_INIT(4096);
	for (size_t i = 0; i < list->n_node_executions; i++)
		buf_add_format(&found, "%s%s", i ? " " : "", list->node_executions[i]->id->node_id);
	assert_string_equal(buf_text(&found), nodes);
}

static void test_list_node_executions(void **state)
{
	(void)state;
	run_with_nodes();
	create("another"); /* whose nodes are not asked for */
	RUN("insert into node_executions (execution_id, node_id, spec_node_id) select id, 'n0', 'n0' from executions "
	    "where name = 'another'");
	expect_nodes("", "", "start-node n0 end-node");
	expect_nodes("n0", "", "n0-0-c n0-1-c");
	expect_nodes("end-node", "", "");
	expect_nodes("", "eq(node_id,n0)", "n0");
	expect_nodes("n0", "eq(phase,SUCCEEDED)", "");
	expect_nodes("", "eq(execution.phase,RUNNING)", "");

	Flyteidl__Admin__NodeExecutionListRequest *r = proto_new(&arena, flyteidl__admin__node_execution_list_request);
	refuse("ListNodeExecutions", r, ERR_INVALID, "missing execution_id");
	r->workflow_execution_id = execution("run");
	refuse("ListNodeExecutions", r, ERR_INVALID, "invalid value for limit");
	r->limit = 2;
	Flyteidl__Admin__NodeExecutionList *list = succeed("ListNodeExecutions", r);
	assert_int_equal(list->n_node_executions, 2);
	assert_string_equal(list->token, "2");
	assert_string_equal(list->node_executions[1]->metadata->spec_node_id, "n0");
	assert_true(list->node_executions[1]->metadata->is_parent_node);
	r->unique_parent_id = arena_strdup(&arena, "n9");
	refuse("ListNodeExecutions", r, ERR_NOT_FOUND,
	       "missing entity of type node execution with identifier node_id:\"n9\" execution_id:{project:\"" PROJECT
	       "\" domain:\"" DOMAIN "\" name:\"run\"}");
}

static void test_node_execution_data(void **state)
{
	(void)state;
	run_with_nodes();
	struct proto_bytes inputs = proto_pack(&arena, &literals("x", integer(1))->base);
	QUERY("update node_executions set inputs = $1, inputs_uri = 's3://my-s3-bucket/n0/inputs.pb' where node_id = "
	      "'n0'",
	      DB_BYTES(inputs));
	Flyteidl__Admin__NodeExecutionGetRequest *get_request =
	        proto_new(&arena, flyteidl__admin__node_execution_get_request);
	get_request->id = node("run", "n0");
	Flyteidl__Admin__NodeExecution *n0 = succeed("GetNodeExecution", get_request);
	assert_string_equal(n0->id->execution_id->name, "run");
	assert_string_equal(n0->input_uri, "s3://my-s3-bucket/n0/inputs.pb");
	assert_int_equal(n0->closure->duration->seconds, 4);
	get_request->id = node("run", "n7");
	refuse("GetNodeExecution", get_request, ERR_NOT_FOUND, "missing entity of type node execution");
	get_request->id = node("run", "");
	refuse("GetNodeExecution", get_request, ERR_INVALID, "missing node_id");
	get_request->id = NULL;
	refuse("GetNodeExecution", get_request, ERR_INVALID, "missing id");

	Flyteidl__Admin__NodeExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__node_execution_get_data_request);
	r->id = node("run", "n0");
	Flyteidl__Admin__NodeExecutionGetDataResponse *data = succeed("GetNodeExecutionData", r);
	assert_int_equal(data->full_inputs->n_literals, 1);
	assert_int_equal(data->full_outputs->n_literals, 0);
	assert_string_equal(data->flyte_urls->inputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/i");
	assert_string_equal(data->flyte_urls->outputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/o");
	assert_string_equal(data->flyte_urls->deck, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/d");
	assert_null(data->dynamic_workflow);
	r->id = node("run", "end-node");
	data = succeed("GetNodeExecutionData", r);
	assert_string_equal(data->flyte_urls->deck, "");
}

static void test_dynamic_workflow(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__GetDynamicNodeWorkflowRequest *r =
	        proto_new(&arena, flyteidl__admin__get_dynamic_node_workflow_request);
	r->id = node("run", "n0");
	refuse("GetDynamicNodeWorkflow", r, ERR_NOT_FOUND, "node does not contain dynamic workflow");
	RUN("update node_executions set dynamic_workflow_uri = 's3://my-s3-bucket/dynamic.pb' where node_id = 'n0'");
	Flyteidl__Core__CompiledWorkflowClosure *closure = proto_new(&arena, flyteidl__core__compiled_workflow_closure);
	struct proto_bytes bytes = proto_pack(&arena, &closure->base);
	fake_objects_put(store, "/my-s3-bucket/dynamic.pb", bytes.data, bytes.length);
	refuse("GetDynamicNodeWorkflow", r, ERR_INTERNAL,
	       "the dynamic workflow \"s3://my-s3-bucket/dynamic.pb\" is damaged");
	closure->primary = proto_new(&arena, flyteidl__core__compiled_workflow);
	closure->primary->template_ = proto_new(&arena, flyteidl__core__workflow_template);
	closure->primary->template_->id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "dynamic_n0");
	bytes = proto_pack(&arena, &closure->base);
	fake_objects_put(store, "/my-s3-bucket/dynamic.pb", bytes.data, bytes.length);
	Flyteidl__Admin__DynamicNodeWorkflowResponse *response = succeed("GetDynamicNodeWorkflow", r);
	assert_string_equal(response->compiled_workflow->primary->template_->id->name, "dynamic_n0");
	Flyteidl__Admin__NodeExecutionGetDataRequest *data_request =
	        proto_new(&arena, flyteidl__admin__node_execution_get_data_request);
	data_request->id = r->id;
	Flyteidl__Admin__NodeExecutionGetDataResponse *data = succeed("GetNodeExecutionData", data_request);
	assert_string_equal(data->dynamic_workflow->id->name, "dynamic_n0");
	assert_non_null(data->dynamic_workflow->compiled_workflow);
}

static Flyteidl__Core__TaskExecutionIdentifier *attempt(uint32_t number)
{
	Flyteidl__Core__TaskExecutionIdentifier *id = proto_new(&arena, flyteidl__core__task_execution_identifier);
	id->task_id = identifier(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "t");
	id->node_execution_id = node("run", "n0");
	id->retry_attempt = number;
	return id;
}

static void assert_element(const Flyteidl__Event__ExternalResourceInfo *info, uint32_t index, uint32_t number,
                           const char *id, Flyteidl__Core__TaskExecution__Phase phase)
{
	assert_int_equal(info->index, index);
	assert_int_equal(info->retry_attempt, number);
	assert_string_equal(info->external_id, id);
	assert_int_equal(info->phase, phase);
}

/* One attempt of a task for all elements, as flytekit and the console read it. */
static void test_elements_of_map_tasks(void **state)
{
	(void)state;
	run_with_nodes();
	RUN("update task_executions set array_size = 4, task_type = 'container_array' where retry_attempt = 0");
	RUN("insert into array_elements (task_execution_id, element, attempt, task_phase, pod_name, cache_status) "
	    "select t.id, x.* from task_executions t, (values (0, 0, 'SUCCEEDED', 'run-n0-0-n0-0', 0), (2, 1, "
	    "'RUNNING', "
	    "'run-n0-0-n2-1', 0), (2, 0, 'FAILED', 'run-n0-0-n2-0', 1), (3, 0, 'UNDEFINED', '', 2)) as x "
	    "where retry_attempt = 0");
	Flyteidl__Admin__TaskExecutionGetRequest *r = proto_new(&arena, flyteidl__admin__task_execution_get_request);
	r->id = attempt(0);
	const Flyteidl__Admin__TaskExecution *task = succeed("GetTaskExecution", r);
	const Flyteidl__Event__TaskExecutionMetadata *metadata = task->closure->metadata;
	assert_int_equal(metadata->n_external_resources, 5);
	Flyteidl__Event__ExternalResourceInfo **infos = metadata->external_resources;
	assert_element(infos[0], 0, 0, "run-n0-0-n0-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED);
	assert_element(infos[1], 1, 0, "run-n0-0-n1-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__UNDEFINED);
	assert_element(infos[2], 2, 0, "run-n0-0-n2-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__FAILED);
	assert_int_equal(infos[2]->cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_MISS);
	assert_element(infos[3], 2, 1, "run-n0-0-n2-1", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__RUNNING);
	assert_element(infos[4], 3, 0, "run-n0-0-n3-0", FLYTEIDL__CORE__TASK_EXECUTION__PHASE__UNDEFINED);
	assert_int_equal(infos[4]->cache_status, FLYTEIDL__CORE__CATALOG_CACHE_STATUS__CACHE_HIT);

	Flyteidl__Admin__TaskExecutionListRequest *list_r =
	        proto_new(&arena, flyteidl__admin__task_execution_list_request);
	list_r->node_execution_id = node("run", "n0");
	list_r->limit = 100;
	const Flyteidl__Admin__TaskExecutionList *list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->task_executions[0]->closure->metadata->n_external_resources, 5);
	assert_null(list->task_executions[1]->closure->metadata); /* no array */
}

static void test_task_executions(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__TaskExecutionListRequest *list_r =
	        proto_new(&arena, flyteidl__admin__task_execution_list_request);
	list_r->node_execution_id = node("run", "n0");
	refuse("ListTaskExecutions", list_r, ERR_INVALID, "invalid value for limit");
	list_r->limit = 100;
	Flyteidl__Admin__TaskExecutionList *list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->n_task_executions, 2);
	assert_int_equal(list->task_executions[1]->id->retry_attempt, 1);
	assert_int_equal(list->task_executions[1]->id->task_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	assert_true(list->task_executions[1]->is_parent);
	list_r->node_execution_id = node("run", "end-node");
	list = succeed("ListTaskExecutions", list_r);
	assert_int_equal(list->n_task_executions, 0);

	Flyteidl__Admin__TaskExecutionGetRequest *r = proto_new(&arena, flyteidl__admin__task_execution_get_request);
	r->id = attempt(1);
	Flyteidl__Admin__TaskExecution *task = succeed("GetTaskExecution", r);
	assert_int_equal(task->closure->phase, FLYTEIDL__CORE__TASK_EXECUTION__PHASE__SUCCEEDED);
	r->id->task_id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED; /* as from a REST path */
	task = succeed("GetTaskExecution", r);
	assert_int_equal(task->id->task_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	r->id->task_id->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW;
	refuse("GetTaskExecution", r, ERR_INVALID, "unexpected resource type workflow");
	r->id = attempt(2);
	refuse("GetTaskExecution", r, ERR_NOT_FOUND, "missing entity of type task execution");
	r->id = attempt(1);
	r->id->task_id->version = arena_strdup(&arena, "v2");
	refuse("GetTaskExecution", r, ERR_NOT_FOUND, "version:\"v2\"");
	r->id->task_id = NULL;
	refuse("GetTaskExecution", r, ERR_INVALID, "missing task_id");
	r->id->node_execution_id = NULL;
	refuse("GetTaskExecution", r, ERR_INVALID, "missing node_execution_id");

	struct proto_bytes outputs = proto_pack(&arena, &literals("o0", integer(3))->base);
	struct proto_bytes inputs = proto_pack(&arena, &literals("x", integer(2))->base);
	QUERY("update node_executions set inputs = $1, inputs_uri = 's3://my-s3-bucket/i'", DB_BYTES(inputs));
	QUERY("update task_executions set outputs = $1, outputs_uri = 's3://my-s3-bucket/o' where retry_attempt = 1",
	      DB_BYTES(outputs));
	Flyteidl__Admin__TaskExecutionGetDataRequest *data_r =
	        proto_new(&arena, flyteidl__admin__task_execution_get_data_request);
	data_r->id = attempt(1);
	Flyteidl__Admin__TaskExecutionGetDataResponse *data = succeed("GetTaskExecutionData", data_r);
	assert_int_equal(literal_of(data->full_outputs, "o0")->scalar->primitive->integer, 3);
	assert_int_equal(literal_of(data->full_inputs, "x")->scalar->primitive->integer, 2);
	assert_string_equal(data->flyte_urls->outputs, "flyte://v1/" PROJECT "/" DOMAIN "/run/n0/1/o");

	Flyteidl__Admin__NodeExecutionForTaskListRequest *children_r =
	        proto_new(&arena, flyteidl__admin__node_execution_for_task_list_request);
	children_r->task_execution_id = attempt(1);
	children_r->limit = 10;
	Flyteidl__Admin__NodeExecutionList *children = succeed("ListNodeExecutionsForTask", children_r);
	assert_int_equal(children->n_node_executions, 1);
	assert_string_equal(children->node_executions[0]->id->node_id, "n0-1-c");
}

static void test_children_of_a_node(void **state)
{
	(void)state;
	run_with_nodes();
	Flyteidl__Admin__ExecutionCreateRequest *r = create_request("child");
	r->spec->metadata->parent_node_execution = node("run", "n0");
	succeed("CreateExecution", r);
	assert_int_equal(get("child")->spec->metadata->nesting, 1);
	struct database_rows rows = RUN("select e.source_execution_id = run.id, ne.node_id from executions e "
	                                "join node_executions ne on ne.id = e.parent_node_execution_id, executions run "
	                                "where e.name = 'child' and run.name = 'run'");
	assert_true(database_bool(&rows, 0, 0));
	assert_string_equal(database_text(&rows, 0, 1), "n0");
	r->name = arena_strdup(&arena, "orphan");
	r->spec->metadata->parent_node_execution = node("run", "n9");
	refuse("CreateExecution", r, ERR_NOT_FOUND, "missing entity of type node execution");
}

/* ---- Metrics ---- */

static void describe_span(const Flyteidl__Core__Span *span, int64_t origin_ms, struct buf *out)
{
	const char *name = span->id_case == FLYTEIDL__CORE__SPAN__ID_OPERATION_ID ? span->operation_id
	                   : span->id_case == FLYTEIDL__CORE__SPAN__ID_NODE_ID    ? span->node_id->node_id
	                   : span->id_case == FLYTEIDL__CORE__SPAN__ID_TASK_ID    ? span->task_id->task_id->name
	                                                                          : span->workflow_id->name;
	int64_t from = span->start_time->seconds * 1000 + span->start_time->nanos / 1000000 - origin_ms;
	int64_t to = span->end_time->seconds * 1000 + span->end_time->nanos / 1000000 - origin_ms;
	buf_add_format(out, "%s %lld-%lld", name, (long long)from, (long long)to);
	if (span->n_spans == 0)
		return;
	buf_add_str(out, " (");
	for (size_t i = 0; i < span->n_spans; i++) {
		buf_add_str(out, i ? ", " : "");
		describe_span(span->spans[i], origin_ms, out);
	}
	buf_add_str(out, ")");
}

static void expect_spans(int32_t depth, const char *text)
{
	Flyteidl__Admin__WorkflowExecutionGetMetricsRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_metrics_request);
	r->id = execution("run");
	r->depth = depth;
	Flyteidl__Admin__WorkflowExecutionGetMetricsResponse *response = succeed("GetExecutionMetrics", r);
	auto_buf struct buf found = BUF_INIT(16384);
	describe_span(response->span,
	              response->span->start_time->seconds * 1000 + response->span->start_time->nanos / 1000000, &found);
	assert_string_equal(buf_text(&found), text);
}

static void test_metrics(void **state)
{
	(void)state;
	run_with_nodes();
	RUN("delete from node_executions where parent_id is not null");
	RUN("update executions set created_at = date_trunc('second', created_at), execution_created_at = "
	    "date_trunc('second', created_at)");
	RUN("update executions set phase = 'SUCCEEDED', updated_at = created_at + interval '30 s'");
	RUN("update node_executions set created_at = date_trunc('second', created_at), updated_at = "
	    "date_trunc('second', updated_at)");
	RUN("update task_executions set created_at = t, started_at = t + interval '0.2 s', updated_at = t + interval "
	    "'0.8 s' "
	    "from (select id, created_at + (retry_attempt + 1) * interval '1 s' as t from (select te.id, "
	    "te.retry_attempt, ne.created_at "
	    "from task_executions te join node_executions ne on ne.id = te.node_execution_id) as x) as y where y.id = "
	    "task_executions.id");
	expect_spans(0, "run 0-30000");
	expect_spans(1, "run 0-30000 (WORKFLOW_SETUP 0-10000, n0 10000-15000 (NODE_TRANSITION 5000-10000), "
	                "WORKFLOW_TEARDOWN 15000-30000)");
	expect_spans(-1, "run 0-30000 (WORKFLOW_SETUP 0-10000, n0 10000-15000 (NODE_TRANSITION 5000-10000, NODE_SETUP "
	                 "10000-11000, "
	                 "t 11000-11800 (TASK_SETUP 11000-11200, TASK_RUNTIME 11200-11700, TASK_TEARDOWN 11700-11800), "
	                 "NODE_RESET 11800-12000, "
	                 "t 12000-12800 (TASK_SETUP 12000-12200, TASK_RUNTIME 12200-12700, TASK_TEARDOWN 12700-12800), "
	                 "NODE_TEARDOWN 12800-15000), WORKFLOW_TEARDOWN 15000-30000)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, each_setup, each_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_create_without_name),
		TEST(test_inputs_in_the_spec),
		TEST(test_create_refused),
		TEST(test_a_taken_name),
		TEST(test_object_store_refuses),
		TEST(test_configuration_of_the_launch_plan),
		TEST(test_concurrency_limit),
		TEST(test_rivals),
		TEST(test_a_single_task),
		TEST(test_relaunch_and_recover),
		TEST(test_get_refused),
		TEST(test_list),
		TEST(test_archived_executions_hide),
		TEST(test_tags),
		TEST(test_errors_in_lists_are_short),
		TEST(test_terminate),
		TEST(test_small_data_is_inline),
		TEST(test_large_data_is_by_url),
		TEST(test_large_inputs),
		TEST(test_rivals_with_large_inputs),
		TEST(test_launch_within_a_transaction),
		TEST(test_inputs_are_written_at_once),
		TEST(test_list_node_executions),
		TEST(test_node_execution_data),
		TEST(test_dynamic_workflow),
		TEST(test_task_executions),
		TEST(test_elements_of_map_tasks),
		TEST(test_children_of_a_node),
		TEST(test_metrics),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
