#include "executions_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgres.h"

#include <libpq-fe.h>
#include <poll.h>
#include <string.h>

struct fake_objects *store;
struct api_config config;
struct api api;
struct rpc_call call;
struct arena arena = ARENA_INIT(256 << 20);
static struct postgres *postgres;
static PGconn *listener; /* the engine's ear */

void *rpc(const char *method, const void *request, struct err *e)
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

void *succeed(const char *method, const void *request)
{
	auto_err struct err e = ERR_INIT;
	void *response = rpc(method, request, &e);
	if (!response)
		fail_msg("%s: %s", method, err_message(&e));
	return response;
}

void refuse(const char *method, const void *request, enum err_kind kind, const char *text)
{
	auto_err struct err e = ERR_INIT;
	assert_null(rpc(method, request, &e));
	if (e.kind != kind || !strstr(err_message(&e), text))
		fail_msg("%s: expected %s \"%s\", got %s \"%s\"", method, err_kind_name(kind), text,
		         err_kind_name(e.kind), err_message(&e));
}

struct database_rows query(const char *sql, const struct database_value *values, size_t count)
{
	auto_err struct err e = ERR_INIT;
	struct database_connection *c auto_connection = NULL;
	struct database_rows rows = { .count = 0 };
	if (database_borrow(api.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    database_query(c, &arena, sql, values, count, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	return rows;
}

char *heard(int timeout_ms)
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

void forget_what_was_heard(void)
{
	send_mark();
	for (char *payload; (payload = heard(5000)) && !text_equal(payload, "mark");)
		;
}

void assert_nothing_heard(void)
{
	send_mark();
	assert_string_equal(heard(5000), "mark");
}

int64_t execution_id(const char *name)
{
	struct database_rows rows = QUERY("select id from executions where name = $1", DB_TEXT(name));
	return rows.count ? database_int(&rows, 0, 0) : 0;
}

Flyteidl__Core__Literal *integer(int64_t value)
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

Flyteidl__Core__Literal *string(const char *value)
{
	Flyteidl__Core__Literal *literal = integer(0);
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	literal->scalar->primitive->string_value = arena_strdup(&arena, value);
	return literal;
}

void add_literal(Flyteidl__Core__LiteralMap *map, const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&arena, key);
	entry->value = value;
	proto_append(&arena, map->n_literals, map->literals, entry);
}

Flyteidl__Core__LiteralMap *literals(const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	add_literal(map, key, value);
	return map;
}

const Flyteidl__Core__Literal *literal_of(const Flyteidl__Core__LiteralMap *map, const char *key)
{
	for (size_t i = 0; i < map->n_literals; i++)
		if (text_equal(map->literals[i]->key, key))
			return map->literals[i]->value;
	fail_msg("no literal %s", key);
	return NULL;
}

Flyteidl__Core__Variable *integer_variable(void)
{
	Flyteidl__Core__Variable *variable = proto_new(&arena, flyteidl__core__variable);
	variable->type = proto_new(&arena, flyteidl__core__literal_type);
	variable->type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	variable->type->simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	return variable;
}

void add_parameter(Flyteidl__Core__ParameterMap *map, const char *key, Flyteidl__Core__Literal *default_value)
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

Flyteidl__Core__Identifier *identifier(Flyteidl__Core__ResourceType type, const char *name)
{
	Flyteidl__Core__Identifier *id = proto_new(&arena, flyteidl__core__identifier);
	id->resource_type = type;
	id->project = arena_strdup(&arena, PROJECT);
	id->domain = arena_strdup(&arena, DOMAIN);
	id->name = arena_strdup(&arena, name);
	id->version = arena_strdup(&arena, "v1");
	return id;
}

Flyteidl__Core__WorkflowExecutionIdentifier *execution(const char *name)
{
	Flyteidl__Core__WorkflowExecutionIdentifier *id =
	        proto_new(&arena, flyteidl__core__workflow_execution_identifier);
	id->project = arena_strdup(&arena, PROJECT);
	id->domain = arena_strdup(&arena, DOMAIN);
	id->name = arena_strdup(&arena, name);
	return id;
}

Flyteidl__Core__NodeExecutionIdentifier *node(const char *execution_name, const char *node_id)
{
	Flyteidl__Core__NodeExecutionIdentifier *id = proto_new(&arena, flyteidl__core__node_execution_identifier);
	id->execution_id = execution(execution_name);
	id->node_id = arena_strdup(&arena, node_id);
	return id;
}

Flyteidl__Admin__ExecutionCreateRequest *create_request(const char *name)
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

const char *create(const char *name)
{
	Flyteidl__Admin__ExecutionCreateResponse *response = succeed("CreateExecution", create_request(name));
	return response->id->name;
}

Flyteidl__Admin__Execution *get(const char *name)
{
	Flyteidl__Admin__WorkflowExecutionGetRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_request);
	r->id = execution(name);
	return succeed("GetExecution", r);
}

Flyteidl__Admin__WorkflowExecutionGetDataResponse *get_data(const char *name)
{
	Flyteidl__Admin__WorkflowExecutionGetDataRequest *r =
	        proto_new(&arena, flyteidl__admin__workflow_execution_get_data_request);
	r->id = execution(name);
	return succeed("GetExecutionData", r);
}

Flyteidl__Core__LiteralMap *stored(const char *path)
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

void register_launch_plan(const char *name, const Flyteidl__Admin__LaunchPlanSpec *template)
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

int executions_start(void **state)
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

int executions_stop(void **state)
{
	(void)state;
	PQfinish(listener);
	database_free(api.database);
	objects_free(api.objects);
	fake_objects_stop(store);
	postgres_stop(postgres);
	return 0;
}

int executions_each_setup(void **state)
{
	(void)state;
	RUN("truncate executions, launch_plans, workflows, tasks, named_entities restart identity cascade");
	RUN("update projects set labels = null, state = 0");
	fake_objects_fail(store, 0);
	register_launch_plan("wf", proto_new(&arena, flyteidl__admin__launch_plan_spec));
	forget_what_was_heard();
	return 0;
}

int executions_each_teardown(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}
