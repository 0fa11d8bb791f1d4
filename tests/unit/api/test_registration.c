/* Tasks and workflows through their RPCs. */
#include "registration_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/launch/ids.h"
#include "proto/json.h"

#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

static void test_task_round_trip(void **state)
{
	(void)state;
	auto_free char *request = task_request("round.trip", "v1", "busybox",
	                                       "'resources': {'requests': [{'name': 'CPU', 'value': '250m'}]}");
	int64_t before = clock_wall_ns() / 1000;
	done("CreateTask", request);
	auto_json json_t *task = get("GetTask", "TASK", "round.trip", "v1");
	assert_field(task, "id/name", "round.trip");
	assert_field(task, "id/resource_type", "TASK");
	assert_field(task, "short_description", "about round.trip");
	assert_field(task, "closure/compiled_task/template/id/version", "v1");
	assert_field(task, "closure/compiled_task/template/container/image", "busybox");
	/* resources exactly as sent: what is run with is decided when it runs */
	json_t *resources = json_lookup(task, "closure/compiled_task/template/container/resources");
	assert_int_equal(json_array_size(json_object_get(resources, "requests")), 1);
	assert_null(json_object_get(resources, "limits"));
	int64_t created_at;
	assert_true(clock_parse_rfc3339(json_string_at(task, "closure/created_at", ""), &created_at));
	assert_true(created_at / 1000 >= before && created_at <= clock_wall_ns());
	/* REST paths carry no resource type */
	auto_json json_t *again = get("GetTask", "UNSPECIFIED", "round.trip", "v1");
	assert_true(json_equal(task, again));
	refuse("GetTask",
	       "{'id': {'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'name': 'a\\\\b', "
	       "'version': 'v1'}}",
	       ERR_NOT_FOUND,
	       "missing entity of type TASK with identifier resource_type:TASK project:\"flytesnacks\" "
	       "domain:\"development\""
	       " name:\"a\\\\b\" version:\"v1\"");
}

static void test_task_again(void **state)
{
	(void)state;
	create_task("again", "v1");
	auto_free char *same = task_request("again", "v1", "busybox", "");
	refuse("CreateTask", same, ERR_EXISTS, "task with identical structure already exists");
	auto_free char *other = task_request("again", "v1", "alpine", "");
	auto_err struct err e = ERR_INIT;
	auto_json json_t *response = call_from("127.0.0.1", "CreateTask", other, NULL, &e);
	assert_null(response);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(text_starts_with(
	        err_message(&e),
	        "again task with different structure already exists. (Please register a new version of the task):\n"
	        "/template/container/image:\n\t- "));
	assert_non_null(strstr(err_message(&e), "busybox"));
	assert_non_null(strstr(err_message(&e), "\n\t+ "));
	assert_non_null(strstr(err_message(&e), "alpine"));
	create_task("again", "v2");
	/* the order of a map's entries is no content */
	auto_free char *one = task_request("maps", "v1", "busybox", "'env': [], 'config': []");
	done("CreateTask", one);
	auto_json json_t *task = get("GetTask", "TASK", "again", "v1");
	assert_field(task, "closure/compiled_task/template/container/image", "busybox");
}

static void test_order_of_map_entries(void **state)
{
	(void)state;
	static const char format[] =
	        "{'id': {'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'name': 'order', "
	        "'version': 'v1'},"
	        " 'spec': {'template': {'type': 'raw', 'metadata': {}, 'interface': {}, 'config': {%s}}}}";
	auto_free char *one = xasprintf(format, "'a': '1', 'b': '2'");
	auto_free char *two = xasprintf(format, "'b': '2', 'a': '1'");
	done("CreateTask", one);
	refuse("CreateTask", two, ERR_EXISTS, "task with identical structure already exists");
}

static void test_descriptions(void **state)
{
	(void)state;
	static const char task[] =
	        "{'id': {'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'name': 'told', "
	        "'version': '%s'},"
	        " 'spec': {'template': {'type': 'raw', 'metadata': {}, 'interface': {}}, 'description':"
	        " {'short_description': 'in short %s', 'long_description': {'value': 'at length', 'format': 'DESCRIPTION_FORMAT_RST'},"
	        " 'source_code': {'link': 'https://example.org/%s'}}}}";
	for (int i = 1; i <= 2; i++) {
		auto_free char *version = xasprintf("v%d", i);
		auto_free char *request = xasprintf(task, version, version, version);
		done("CreateTask", request);
		/* the description is no part of what is compared */
		refuse("CreateTask", request, ERR_EXISTS, "task with identical structure already exists");
	}
	auto_json json_t *told = get("GetDescriptionEntity", "TASK", "told", "v1");
	assert_field(told, "id/resource_type", "TASK");
	assert_field(told, "id/version", "v1");
	assert_field(told, "short_description", "in short v1");
	assert_field(told, "long_description/value", "at length");
	assert_field(told, "long_description/format", "DESCRIPTION_FORMAT_RST");
	assert_field(told, "source_code/link", "https://example.org/v1");
	assert_listed("ListDescriptionEntities",
	              LIST_OF("told") "'resource_type': 'TASK', 'limit': 1, 'sort_by': {'key': 'version'}}",
	              "descriptionEntities", "id/version", "v2 [1]");
	assert_listed("ListDescriptionEntities",
	              LIST_OF("told") "'resource_type': 'TASK', 'limit': 5, 'filters': 'eq(version,v1)'}",
	              "descriptionEntities", "short_description", "in short v1 []");
	assert_listed("ListDescriptionEntities", LIST_OF("told") "'resource_type': 'WORKFLOW', 'limit': 5}",
	              "descriptionEntities", "id/version", "[]");
}

static void test_descriptions_that_are_not_there(void **state)
{
	(void)state;
	create_task("untold", "v1");
	auto_free char *workflow = workflow_request("untold.workflow", "v1", "untold", 1);
	done("CreateWorkflow", workflow);
	auto_free char *request = get_request("WORKFLOW", "untold.workflow", "v1");
	refuse("GetDescriptionEntity", request, ERR_NOT_FOUND,
	       "missing entity of type WORKFLOW with identifier resource_type:WORKFLOW project:\"flytesnacks\" "
	       "domain:\"development\" name:\"untold.workflow\" version:\"v1\"");
	auto_free char *typeless = get_request("UNSPECIFIED", "untold", "v1");
	refuse("GetDescriptionEntity", typeless, ERR_INVALID, "invalid value for resource_type");
	refuse("GetDescriptionEntity", "{}", ERR_INVALID, "missing id");
	refuse("ListDescriptionEntities", LIST_OF("") "'resource_type': 'TASK', 'limit': 5}", ERR_INVALID,
	       "missing name");
	refuse("ListDescriptionEntities", LIST_OF("untold") "'resource_type': 'TASK'}", ERR_INVALID,
	       "invalid value for limit");
	refuse("ListDescriptionEntities", LIST_OF("untold") "'resource_type': 'TASK', 'limit': 5, 'token': 'x'}",
	       ERR_INVALID, "invalid pagination token x for ListDescriptionEntities");
}

static void test_task_race(void **state)
{
	(void)state;
	for (int round = 0; round < 10; round++) {
		auto_free char *version = xasprintf("v%d", round);
		auto_free char *one = task_request("raced", version, "busybox", "");
		auto_free char *other = task_request("raced", version, "alpine", "");
		struct racer racers[12];
		for (size_t i = 0; i < ARRAY_LENGTH(racers); i++)
			racers[i] = (struct racer){ .method = "CreateTask", .request = i % 2 ? one : other };
		unsigned kinds[ERR_KIND_COUNT];
		race(racers, ARRAY_LENGTH(racers), kinds);
		assert_int_equal(kinds[ERR_NONE], 1);
		assert_int_equal(kinds[ERR_EXISTS], 5);
		assert_int_equal(kinds[ERR_INVALID], 6);
	}
}

static void refuse_task(const char *id, const char *spec, enum err_kind kind, const char *text)
{
	auto_free char *request = xasprintf("{'id': {%s}%s%s}", id, *spec ? ", 'spec': " : "", spec);
	refuse("CreateTask", request, kind, text);
}

#define GOOD_ID                                                                                                        \
	"'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'name': 'bad', 'version': 'v1'"

static void test_task_validation(void **state)
{
	(void)state;
	refuse("CreateTask", "{}", ERR_INVALID, "missing id");
	refuse_task("'resource_type': 'WORKFLOW', 'project': 'p'", "", ERR_INVALID,
	            "unexpected resource type workflow for identifier [resource_type:WORKFLOW project:\"p\"], expected "
	            "task instead");
	refuse_task("'resource_type': 'TASK'", "", ERR_INVALID, "missing project");
	refuse_task("'resource_type': 'TASK', 'project': 'p', 'domain': 'd', 'name': 'n'", "", ERR_INVALID,
	            "missing version");
	refuse_task("'resource_type': 'TASK', 'project': 'p', 'domain': 'd', 'name': 'n', 'version': 'v'", "",
	            ERR_INVALID,
	            "failed to validate that project [p] and domain [d] are registered, err: [project [p] not found]");
	refuse_task("'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'd', 'name': 'n', 'version': 'v'", "",
	            ERR_INVALID, "domain [d] is unrecognized by system");
	refuse_task(GOOD_ID, "", ERR_INVALID, "missing spec");
	refuse_task(GOOD_ID, "{}", ERR_INVALID, "missing spec");
	refuse_task(GOOD_ID, "{'template': {}}", ERR_INVALID, "missing type");
	refuse_task(GOOD_ID, "{'template': {'type': 't'}}", ERR_INVALID, "missing metadata");
	refuse_task(GOOD_ID, "{'template': {'type': 't', 'metadata': {'runtime': {}}}}", ERR_INVALID,
	            "missing runtime version");
	refuse_task(GOOD_ID, "{'template': {'type': 't', 'metadata': {}}}", ERR_INVALID, "missing typed interface");
	refuse_task(GOOD_ID, "{'template': {'type': 't', 'metadata': {}, 'interface': {}, 'container': {}}}",
	            ERR_INVALID, "missing image");
	refuse_task(
	        GOOD_ID, "{'template': {'type': 't', 'metadata': {}, 'interface': {}, 'k8s_pod': {}}}", ERR_INVALID,
	        "invalid TaskSpecification, pod tasks should specify their target as a K8sPod with a defined pod spec");
}

static void refuse_resources(const char *resources, const char *text)
{
	auto_free char *container = xasprintf("'resources': {%s}", resources);
	auto_free char *request = task_request("demanding", "v1", "busybox", container);
	refuse("CreateTask", request, ERR_INVALID, text);
}

static void test_task_resources(void **state)
{
	(void)state;
	use_settings("task_resources: {limits: {cpu: 2, memory: 1Gi}}");
	refuse_resources("'requests': [{'name': 'CPU', 'value': '3'}]",
	                 "Requested CPU default [3] is greater than current limit set in the platform configuration "
	                 "[2]. Please contact "
	                 "Flyte Admins to change these limits or consult the configuration");
	refuse_resources(
	        "'requests': [{'name': 'MEMORY', 'value': '1Gi'}], 'limits': [{'name': 'MEMORY', 'value': '1025Mi'}]",
	        "Requested MEMORY limit [1025Mi] is greater than current limit set in the platform configuration "
	        "[1Gi]. Please "
	        "contact Flyte Admins to change these limits or consult the configuration");
	refuse_resources("'requests': [{'name': 'CPU', 'value': '700m'}], 'limits': [{'name': 'CPU', 'value': '0.5'}]",
	                 "Requested CPU default [700m] is greater than the limit [0.5]. Please fix your configuration");
	refuse_resources("'requests': [{'name': 'GPU', 'value': '500m'}]",
	                 "gpu for [resource_type:TASK project:\"flytesnacks\" domain:\"development\" "
	                 "name:\"demanding\" version:\"v1\"] must be "
	                 "a whole number, got: 500m instead");
	refuse_resources(
	        "'requests': [{'name': 'GPU', 'value': '1'}], 'limits': [{'name': 'GPU', 'value': '2'}]",
	        "For extended resource 'gpu' the default value must equal the limit value for task [resource_type:TASK "
	        "project:\"flytesnacks\" domain:\"development\" name:\"demanding\" version:\"v1\"]");
	refuse_resources(
	        "'requests': [{'name': 'CPU', 'value': '1'}, {'name': 'CPU', 'value': '1'}]",
	        "can't specify CPU limit for task [resource_type:TASK project:\"flytesnacks\" domain:\"development\" "
	        "name:\"demanding\" version:\"v1\"] multiple times");
	refuse("CreateTask",
	       "{'id': {" GOOD_ID
	       "}, 'spec': {'template': {'type': 'sidecar', 'metadata': {}, 'interface': {}, 'k8s_pod': {'pod_spec':"
	       " {'containers': [{'name': 'a'}, {'name': 'b', 'resources': {'requests': {'cpu': 2.5}}}]}}}}}",
	       ERR_INVALID,
	       "Requested CPU default [2.5] is greater than current limit set in the platform configuration [2]. "
	       "Please contact Flyte "
	       "Admins to change these limits or consult the configuration");
	auto_free char *fits =
	        task_request("demanding", "v1", "busybox",
	                     "'resources': {'requests': [{'name': 'CPU', 'value': '2'}, {'name': 'MEMORY', 'value': "
	                     "'1024Mi'}]}");
	done("CreateTask", fits);
	use_settings("");
	auto_free char *free = task_request("demanding", "v2", "busybox",
	                                    "'resources': {'requests': [{'name': 'CPU', 'value': '3'}]}");
	done("CreateTask", free);
}

static void test_task_lists(void **state)
{
	(void)state;
	for (int i = 1; i <= 5; i++) {
		auto_free char *version = xasprintf("v%d", i);
		create_task("listed.a", version);
	}
	create_task("listed.b", "v1");
	/* what FlyteRemote asks for the latest version */
	assert_listed("ListTasks",
	              LIST_OF("listed.a") "'limit': 1, 'sort_by': {'key': 'created_at', 'direction': 'DESCENDING'}}",
	              "tasks", "id/version", "v5 [1]");
	assert_listed("ListTasks", LIST_OF("listed.a") "'limit': 3}", "tasks", "id/version", "v1 v2 v3 [3]");
	assert_listed("ListTasks", LIST_OF("listed.a") "'limit': 3, 'token': '3'}", "tasks", "id/version", "v4 v5 []");
	assert_listed("ListTasks",
	              LIST_OF("") "'limit': 9, 'filters': 'contains(name, listed.)+value_in(version,v1;v5)'}", "tasks",
	              "id/name", "listed.a listed.a listed.b []");
	assert_listed("ListTasks", LIST_OF("listed.b") "'limit': 1}", "tasks",
	              "closure/compiled_task/template/container/image", "busybox [1]");
	refuse("ListTasks", "{'limit': 1}", ERR_INVALID, "missing id");
	refuse("ListTasks", "{'id': {'project': 'p'}, 'limit': 1}", ERR_INVALID, "missing domain");
	refuse("ListTasks", LIST_OF("") "'limit': 0}", ERR_INVALID, "invalid value for limit");
	refuse("ListTasks", LIST_OF("") "'limit': 1, 'token': 'x'}", ERR_INVALID,
	       "invalid pagination token x for ListTasks");
	refuse("ListTasks", LIST_OF("") "'limit': 1, 'sort_by': {'key': 'nope'}}", ERR_INVALID,
	       "invalid sort key 'nope'");
	assert_listed(
	        "ListTaskIds",
	        "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9, 'filters': 'contains(name,listed.)',"
	        " 'sort_by': {'key': 'name', 'direction': 'ASCENDING'}}",
	        "entities", "name", "listed.a listed.b []");
}

static void test_workflow(void **state)
{
	(void)state;
	create_task("wf.task", "v1");
	auto_free char *request = workflow_request("wf", "v1", "wf.task", 2);
	done("CreateWorkflow", request);
	auto_json json_t *workflow = get("GetWorkflow", "WORKFLOW", "wf", "v1");
	assert_field(workflow, "id/name", "wf");
	assert_non_null(json_lookup(workflow, "closure/created_at"));
	json_t *closure = json_lookup(workflow, "closure/compiled_workflow");
	assert_field(closure, "primary/template/id/name", "wf");
	/* the platform's two nodes are in, and the console's graph */
	assert_int_equal(json_array_size(json_lookup(closure, "primary/template/nodes")), 4);
	assert_non_null(json_lookup(closure, "primary/connections/upstream/end-node"));
	assert_int_equal(json_array_size(json_lookup(closure, "tasks")), 1);
	assert_field(json_array_get(json_lookup(closure, "tasks"), 0), "template/id/name", "wf.task");

	/* the object beside the row holds the same */
	size_t length;
	auto_free char *object =
	        fake_objects_get(store, "/my-s3-bucket/metadata/admin/flytesnacks/development/wf/v1", &length);
	assert_non_null(object);
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__WorkflowClosure *stored =
	        proto_unpack(&arena, flyteidl__admin__workflow_closure, object, length, &e);
	assert_non_null(stored);
	assert_string_equal(stored->compiled_workflow->primary->template_->id->name, "wf");
	assert_non_null(stored->created_at);

	/* lists carry the interface only */
	auto_json json_t *list = succeed("ListWorkflows", LIST_OF("wf") "'limit': 1}");
	json_t *first = json_array_get(json_object_get(list, "workflows"), 0);
	assert_field(first, "closure/compiled_workflow/primary/template/interface/inputs/variables/x/type/simple",
	             "INTEGER");
	assert_null(json_lookup(first, "closure/compiled_workflow/primary/template/nodes"));
	assert_listed("ListWorkflowIds",
	              "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9, 'filters': 'eq(name,wf)'}",
	              "entities", "name", "wf []");
}

static void test_workflow_again(void **state)
{
	(void)state;
	create_task("again.task", "v1");
	create_workflow("again.wf", "v1", "again.task");
	auto_free char *same = workflow_request("again.wf", "v1", "again.task", 1);
	refuse_with("CreateWorkflow", same, ERR_EXISTS, "workflow with identical structure already exists",
	            "CreateWorkflowFailureReason");
	auto_free char *other = workflow_request("again.wf", "v1", "again.task", 2);
	auto_err struct err e = ERR_INIT;
	const char *detail;
	unsigned requests = fake_objects_requests(store);
	auto_json json_t *response = call_from("127.0.0.1", "CreateWorkflow", other, &detail, &e);
	assert_null(response);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(text_starts_with(
	        err_message(&e), "again.wf workflow with different structure already exists. (Please register a new "
	                         "version of the workflow):\n/"));
	assert_non_null(strstr(err_message(&e), "\n\t+ "));
	assert_string_equal(detail, "CreateWorkflowFailureReason");
	/* and the stored object is not touched */
	assert_int_equal(fake_objects_requests(store), requests);
}

static void test_workflow_race(void **state)
{
	(void)state;
	create_task("race.task", "v1");
	for (int round = 0; round < 5; round++) {
		auto_free char *version = xasprintf("v%d", round);
		auto_free char *request = workflow_request("race.wf", version, "race.task", 3);
		struct racer racers[8];
		for (size_t i = 0; i < ARRAY_LENGTH(racers); i++)
			racers[i] = (struct racer){ .method = "CreateWorkflow", .request = request };
		unsigned kinds[ERR_KIND_COUNT];
		race(racers, ARRAY_LENGTH(racers), kinds);
		assert_int_equal(kinds[ERR_NONE], 1);
		assert_int_equal(kinds[ERR_EXISTS], 7);
	}
}

static void test_workflow_refusals(void **state)
{
	(void)state;
	auto_free char *request = workflow_request("broken", "v1", "no.such.task", 1);
	refuse("CreateWorkflow", request, ERR_INVALID,
	       "failed to compile workflow for [resource_type:WORKFLOW project:\"flytesnacks\" domain:\"development\" "
	       "name:\"broken\" "
	       "version:\"v1\"] with err: missing entity of type TASK with identifier resource_type:TASK "
	       "project:\"flytesnacks\" "
	       "domain:\"development\" name:\"no.such.task\" version:\"v1\"");
	/* one that does not compile */
	auto_err struct err e = ERR_INIT;
	auto_json json_t *response = call_from("127.0.0.1", "CreateWorkflow",
	                                       "{'id': {'resource_type': 'WORKFLOW', 'project': 'flytesnacks', "
	                                       "'domain': 'development', 'name': 'broken', 'version': 'v1'},"
	                                       " 'spec': {'template': {'interface': {}}}}",
	                                       NULL, &e);
	assert_null(response);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(
	        text_starts_with(err_message(&e), "failed to compile workflow for [resource_type:WORKFLOW project:"));
	create_task("many.task", "v1");
	use_settings("registration: {maxWorkflowNodes: 2}");
	auto_free char *many = workflow_request("many", "v1", "many.task", 3);
	refuse("CreateWorkflow", many, ERR_INVALID,
	       "number of nodes in workflow [resource_type:WORKFLOW project:\"flytesnacks\" domain:\"development\" "
	       "name:\"many\" "
	       "version:\"v1\"] exceeds limit (3 > 2)");
	use_settings("");
	/* without its object there is no row either, and the next try succeeds */
	fake_objects_fail(store, 403);
	auto_err struct err refused = ERR_INIT;
	auto_json json_t *none = call_from("127.0.0.1", "CreateWorkflow", many, NULL, &refused);
	fake_objects_fail(store, 0);
	assert_null(none);
	auto_free char *missing = get_request("WORKFLOW", "many", "v1");
	refuse("GetWorkflow", missing, ERR_NOT_FOUND,
	       "missing entity of type WORKFLOW with identifier resource_type:WORKFLOW project:\"flytesnacks\" "
	       "domain:\"development\" "
	       "name:\"many\" version:\"v1\"");
	done("CreateWorkflow", many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_task_round_trip),
		cmocka_unit_test(test_task_again),
		cmocka_unit_test(test_order_of_map_entries),
		cmocka_unit_test(test_descriptions),
		cmocka_unit_test(test_descriptions_that_are_not_there),
		cmocka_unit_test(test_task_race),
		cmocka_unit_test(test_task_validation),
		cmocka_unit_test(test_task_resources),
		cmocka_unit_test(test_task_lists),
		cmocka_unit_test(test_workflow),
		cmocka_unit_test(test_workflow_again),
		cmocka_unit_test(test_workflow_race),
		cmocka_unit_test(test_workflow_refusals),
	};
	return cmocka_run_group_tests(tests, registration_start, registration_stop);
}
