/* Who runs a task, by settings and by what connectors say; and what their answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "controlplane/connectors/catalog.h"
#include "controlplane/connectors/resource.h"
#include "proto/message.h"

#include <string.h>

static struct arena arena = ARENA_INIT((size_t)16 << 20);

static const struct settings *parse(const char *text)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	if (settings_parse(text, strlen(text), "test", false, &settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	return settings;
}

static Flyteidl__Admin__ListAgentsResponse *agents(void)
{
	return proto_new(&arena, flyteidl__admin__list_agents_response);
}

static void add_agent(Flyteidl__Admin__ListAgentsResponse *list, const char *task_type, int32_t version, bool sync,
		      bool by_category)
{
	Flyteidl__Admin__Agent *agent = proto_new(&arena, flyteidl__admin__agent);
	agent->is_sync = sync;
	if (by_category) {
		Flyteidl__Admin__TaskCategory *category = proto_new(&arena, flyteidl__admin__task_category);
		category->name = arena_strdup(&arena, task_type);
		category->version = version;
		proto_append(&arena, agent->n_supported_task_categories, agent->supported_task_categories, category);
	} else {
		proto_append(&arena, agent->n_supported_task_types, agent->supported_task_types,
		             arena_strdup(&arena, task_type));
	}
	proto_append(&arena, list->n_agents, list->agents, agent);
}

#define TWO                                                                                                            \
	"plugins: {connector-service: {defaultConnector: {endpoint: \"d:1\"}, connectors: {mine: {endpoint: \"m:2\"}}" \
	", connectorForTaskTypes: {fixed: mine}, supportedTaskTypes: [old]}}"

static const char *runner(const struct connector_catalog *catalog, const char *task_type, int32_t version, bool *sync)
{
	struct connector_type type;
	if (!connector_catalog_find(catalog, task_type, version, &type))
		return "";
	*sync = type.sync;
	return type.place->at.name;
}

static void test_who_runs_what(void **state)
{
	bool sync = false;
	(void)state;
	auto_settings const struct settings *settings = parse(TWO);
	Flyteidl__Admin__ListAgentsResponse *of_mine = agents(), *of_default = agents();
	add_agent(of_mine, "both", 0, true, true);
	add_agent(of_mine, "fixed", 0, true, true);
	add_agent(of_default, "both", 0, false, true);
	add_agent(of_default, "newer", 2, false, true);
	add_agent(of_default, "older", 0, false, false);
	const struct connector_answer answers[] = { { .asked = true, .agents = of_mine },
		                                    { .asked = true, .agents = of_default } };
	auto_connector_catalog const struct connector_catalog *catalog = connector_catalog_new(settings, NULL, answers);
	assert_int_equal(connector_catalog_count(catalog), 2);
	assert_string_equal(runner(catalog, "both", 0, &sync), "mine"); /* before the default one */
	assert_true(sync);
	assert_string_equal(runner(catalog, "fixed", 3, &sync), "mine"); /* whatever its version */
	assert_false(sync);
	assert_string_equal(runner(catalog, "newer", 2, &sync), CONNECTOR_DEFAULT);
	assert_string_equal(runner(catalog, "newer", 0, &sync), "");
	assert_string_equal(runner(catalog, "older", 0, &sync), CONNECTOR_DEFAULT);
	assert_string_equal(runner(catalog, "old", 0, &sync), CONNECTOR_DEFAULT);
	assert_string_equal(runner(catalog, "python-task", 0, &sync), "");
	assert_null(connector_catalog_unheard(catalog));
	/* A task that was created has been created somewhere. */
	assert_string_equal(connector_catalog_of_created(catalog, "gone", 0)->at.name, CONNECTOR_DEFAULT);
	assert_string_equal(connector_catalog_of_created(catalog, "both", 0)->at.target, "http://m:2");
}

static void test_who_does_not_answer_is_remembered(void **state)
{
	bool sync;
	(void)state;
	auto_settings const struct settings *settings = parse(TWO);
	auto_connector_catalog const struct connector_catalog *first = connector_catalog_new(settings, NULL, NULL);
	assert_string_equal(connector_catalog_unheard(first)->at.name, "mine");
	Flyteidl__Admin__ListAgentsResponse *list = agents();
	add_agent(list, "a", 0, false, true);
	const struct connector_answer heard[] = { { .asked = true, .silent = true }, { .asked = true, .agents = list } };
	auto_connector_catalog const struct connector_catalog *second = connector_catalog_new(settings, first, heard);
	assert_null(connector_catalog_unheard(second)); /* who cannot say has nothing to say */
	assert_false(connector_catalog_same(first, second));
	const struct connector_answer away[] = { { .asked = false }, { .asked = true, .problem = "no route" } };
	auto_connector_catalog const struct connector_catalog *third = connector_catalog_new(settings, second, away);
	assert_string_equal(runner(third, "a", 0, &sync), CONNECTOR_DEFAULT);
	assert_string_equal(connector_catalog_place(third, 1)->problem, "no route");
	assert_true(connector_catalog_same(second, third));
	/* Another address is another connector. */
	auto_settings const struct settings *moved =
	        parse("plugins: {connector-service: {defaultConnector: {endpoint: \"e:1\"}}}");
	auto_connector_catalog const struct connector_catalog *fourth = connector_catalog_new(moved, third, NULL);
	assert_string_equal(runner(fourth, "a", 0, &sync), "");
	assert_non_null(connector_catalog_unheard(fourth));
	assert_false(connector_catalog_same(third, fourth));
}

static void test_none(void **state)
{
	struct connector_type type;
	(void)state;
	auto_connector_catalog const struct connector_catalog *empty =
	        connector_catalog_new(settings_default(), NULL, NULL);
	const struct connector_catalog *const catalogs[] = { NULL, empty };
	for (size_t i = 0; i < ARRAY_LENGTH(catalogs); i++) {
		assert_int_equal(connector_catalog_count(catalogs[i]), 0);
		assert_false(connector_catalog_find(catalogs[i], "a", 0, &type));
		assert_null(connector_catalog_of_created(catalogs[i], "a", 0));
		assert_null(connector_catalog_unheard(catalogs[i]));
	}
}

static struct connector_state state_of(int phase, int old_state, const char *message, int error_kind, int origin)
{
	Flyteidl__Admin__Resource *resource = proto_new(&arena, flyteidl__admin__resource);
	resource->phase = (Flyteidl__Core__TaskExecution__Phase)phase;
	resource->state = (Flyteidl__Admin__State)old_state;
	resource->message = arena_strdup(&arena, message);
	if (error_kind >= 0) {
		resource->agent_error = proto_new(&arena, flyteidl__admin__agent_error);
		resource->agent_error->code = arena_strdup(&arena, "OWN");
		resource->agent_error->kind = (Flyteidl__Admin__AgentError__Kind)error_kind;
		resource->agent_error->origin = (Flyteidl__Core__ExecutionError__ErrorKind)origin;
	}
	return connector_state_of(&arena, resource);
}

#define TASK(phase) FLYTEIDL__CORE__TASK_EXECUTION__PHASE__##phase

static void test_what_answers_mean(void **state)
{
	(void)state;
	struct connector_state s = state_of(TASK(RUNNING), 0, "", -1, 0);
	assert_int_equal(s.outcome, CONNECTOR_GOES_ON);
	assert_int_equal(s.phase, TASK(RUNNING));
	assert_int_equal(state_of(TASK(SUCCEEDED), 0, "", -1, 0).outcome, CONNECTOR_SUCCEEDED);
	s = state_of(TASK(FAILED), 0, "no quota", -1, 0);
	assert_int_equal(s.outcome, CONNECTOR_FAILED_FOR_GOOD);
	assert_string_equal(s.code, "TaskFailedWithError");
	assert_string_equal(s.message, "failed to run the job: no quota");
	s = state_of(TASK(ABORTED), 0, "x", -1, 0);
	assert_string_equal(s.message, "failed to run the job with aborted phase.");
	assert_int_equal(state_of(TASK(RETRYABLE_FAILED), 0, "", -1, 0).outcome, CONNECTOR_FAILED_RETRYABLE);
	s = state_of(TASK(FAILED), 0, "", FLYTEIDL__ADMIN__AGENT_ERROR__KIND__RECOVERABLE,
	             FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__SYSTEM);
	assert_int_equal(s.outcome, CONNECTOR_FAILED_RETRYABLE);
	assert_string_equal(s.code, "OWN");
	assert_true(s.by_system);
	/* Older connectors set only the state. */
	s = state_of(TASK(UNDEFINED), FLYTEIDL__ADMIN__STATE__PENDING, "", -1, 0);
	assert_int_equal(s.phase, TASK(INITIALIZING));
	assert_int_equal(state_of(0, FLYTEIDL__ADMIN__STATE__SUCCEEDED, "", -1, 0).outcome, CONNECTOR_SUCCEEDED);
	s = state_of(0, FLYTEIDL__ADMIN__STATE__PERMANENT_FAILURE, "m", -1, 0);
	assert_int_equal(s.outcome, CONNECTOR_FAILED_FOR_GOOD);
	assert_string_equal(s.message, "failed to run the job.\nm");
	assert_int_equal(state_of(0, 0, "", -1, 0).outcome, CONNECTOR_FAILED_RETRYABLE);
	s = state_of(77, 0, "", -1, 0);
	assert_int_equal(s.outcome, CONNECTOR_FAILED_RETRYABLE);
	assert_true(s.by_system);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_runs_what),
		cmocka_unit_test(test_who_does_not_answer_is_remembered),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_what_answers_mean),
	};
	const int result = cmocka_run_group_tests(tests, NULL, NULL);
	arena_release(&arena);
	return result;
}
