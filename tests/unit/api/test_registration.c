/*
 * Registration and the data proxy through their RPCs, against a real Postgres and an object store in memory. Requests and expectations
 * are proto3 JSON, with ' for " so that they can be read here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/launch/ids.h"
#include "fake_objects.h"
#include "json_calls.h"
#include "postgres.h"
#include "proto/json.h"

#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define ARENA ARENA_INIT((size_t)256 * 1024 * 1024)

static struct postgres *postgres;
static struct fake_objects *store;
static struct api_config config;
static struct api api;

/* The settings from now on: those of this file, "" for the defaults. */
static void use_settings(const char *yaml)
{
	auto_err struct err e = ERR_INIT;
	const struct settings *settings;
	if (settings_parse(yaml, strlen(yaml), "settings", false, &settings, &e) < 0)
		fail_msg("%s", err_message(&e));
	settings_holder_free(api.settings);
	api.settings = settings_holder_new(settings, "");
}

/* ---- Requests ---- */

static char *format_id(const char *type, const char *name, const char *version)
{
	return xasprintf("{'resource_type': '%s', 'project': 'flytesnacks', 'domain': 'development', 'name': '%s', "
	                 "'version': '%s'}",
	                 type, name, version);
}

/* A task of one integer in, one integer out; `container` is what stands in its container besides the image. */
static char *task_request(const char *name, const char *version, const char *image, const char *container)
{
	auto_free char *id = format_id("TASK", name, version);
	return xasprintf(
	        "{'id': %s, 'spec': {'template': {'type': 'container', 'metadata': {'runtime': {'version': '1.16'}},"
	        " 'interface': {'inputs': {'variables': {'x': {'type': {'simple': 'INTEGER'}}}},"
	        " 'outputs': {'variables': {'y': {'type': {'simple': 'INTEGER'}}}}},"
	        " 'container': {'image': '%s', 'command': ['true']%s%s}}, 'description': {'short_description': 'about "
	        "%s'}}}",
	        id, image, *container ? ", " : "", container, name);
}

static void create_task(const char *name, const char *version)
{
	auto_free char *request = task_request(name, version, "busybox", "");
	done("CreateTask", request);
}

/* A workflow whose `nodes` nodes call the task, each with the workflow's x; y comes from the last. */
static char *workflow_request(const char *name, const char *version, const char *task_name, int nodes)
{
	auto_free char *id = format_id("WORKFLOW", name, version);
	auto_free char *task = format_id("TASK", task_name, "v1");
	auto_buf struct buf list = BUF_INIT((size_t)1024 * 1024);
	for (int i = 0; i < nodes; i++)
		buf_add_format(&list,
		               "%s{'id': 'n%d', 'metadata': {'name': 'step'}, 'inputs': [{'var': 'x', 'binding': "
		               "{'promise': {'var': 'x'}}}],"
		               " 'task_node': {'reference_id': %s}}",
		               i ? ", " : "", i, task);
	return xasprintf("{'id': %s, 'spec': {'template': {'id': %s, 'metadata': {}, 'interface':"
	                 " {'inputs': {'variables': {'x': {'type': {'simple': 'INTEGER'}}}},"
	                 " 'outputs': {'variables': {'y': {'type': {'simple': 'INTEGER'}}}}}, 'nodes': [%s],"
	                 " 'outputs': [{'var': 'y', 'binding': {'promise': {'node_id': 'n%d', 'var': 'y'}}}]}}}",
	                 id, id, buf_text(&list), nodes - 1);
}

static void create_workflow(const char *name, const char *version, const char *task_name)
{
	auto_free char *request = workflow_request(name, version, task_name, 1);
	done("CreateWorkflow", request);
}

/* `spec` is what stands in the spec besides the workflow's id. */
static char *launch_plan_request(const char *name, const char *version, const char *workflow, const char *spec)
{
	auto_free char *id = format_id("LAUNCH_PLAN", name, version);
	auto_free char *workflow_id = format_id("WORKFLOW", workflow, "v1");
	return xasprintf("{'id': %s, 'spec': {'workflow_id': %s%s%s}}", id, workflow_id, *spec ? ", " : "", spec);
}

static char *get_request(const char *type, const char *name, const char *version)
{
	auto_free char *id = format_id(type, name, version);
	return xasprintf("{'id': %s}", id);
}

static json_t *get(const char *method, const char *type, const char *name, const char *version)
{
	auto_free char *request = get_request(type, name, version);
	return succeed(method, request);
}

#define LIST_OF(name) "{'id': {'project': 'flytesnacks', 'domain': 'development', 'name': '" name "'}, "

/* ---- Tasks ---- */

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

struct racer {
	const char *request;
	const char *method;
	enum err_kind kind; /* ERR_NONE: it won */
};

static void *race_thread(void *context)
{
	struct racer *racer = context;
	auto_err struct err e = ERR_INIT;
	auto_json json_t *response = call_from("127.0.0.1", racer->method, racer->request, NULL, &e);
	racer->kind = response ? ERR_NONE : e.kind;
	return NULL;
}

/* All at once; how many ended with each kind. */
static void race(struct racer *racers, size_t count, unsigned ret_kinds[ERR_KIND_COUNT])
{
	pthread_t threads[16];
	memset(ret_kinds, 0, sizeof(unsigned) * ERR_KIND_COUNT);
	for (size_t i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, race_thread, &racers[i]);
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		ret_kinds[racers[i].kind]++;
	}
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

/* ---- Workflows ---- */

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

/* ---- Launch plans ---- */

static void refuse_launch_plan(const char *spec, const char *text)
{
	auto_free char *request = launch_plan_request("refused", "v1", "lp.wf", spec);
	refuse("CreateLaunchPlan", request, ERR_INVALID, text);
}

static void create_launch_plan(const char *name, const char *version, const char *workflow, const char *spec)
{
	auto_free char *request = launch_plan_request(name, version, workflow, spec);
	done("CreateLaunchPlan", request);
}

#define INTEGER_LITERAL(value) "{'scalar': {'primitive': {'integer': '" value "'}}}"
#define DEFAULT_X                                                                                                      \
	"'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'INTEGER'}}, 'default': " INTEGER_LITERAL( \
	        "7") "}}}"

static void test_launch_plan(void **state)
{
	(void)state;
	create_task("lp.task", "v1");
	create_workflow("lp.wf", "v1", "lp.task");
	create_launch_plan("lp.open", "v1", "lp.wf", "");
	auto_json json_t *open = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.open", "v1");
	assert_true(json_boolean_at(open, "closure/expected_inputs/parameters/x/required", false));
	assert_true(json_boolean_at(open, "spec/default_inputs/parameters/x/required", false));
	assert_field(open, "closure/expected_outputs/variables/y/type/simple", "INTEGER");
	assert_field(open, "spec/workflow_id/name", "lp.wf");
	assert_non_null(json_lookup(open, "closure/created_at"));
	assert_null(json_lookup(open, "closure/state")); /* INACTIVE is 0 */

	create_launch_plan("lp.default", "v1", "lp.wf", DEFAULT_X);
	auto_json json_t *with_default = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.default", "v1");
	assert_field(with_default, "closure/expected_inputs/parameters/x/default/scalar/primitive/integer", "7");
	create_launch_plan("lp.fixed", "v1", "lp.wf", "'fixed_inputs': {'literals': {'x': " INTEGER_LITERAL("8") "}}");
	auto_json json_t *fixed = get("GetLaunchPlan", "LAUNCH_PLAN", "lp.fixed", "v1");
	assert_null(json_lookup(fixed, "closure/expected_inputs/parameters"));
	assert_field(fixed, "spec/fixed_inputs/literals/x/scalar/primitive/integer", "8");

	auto_free char *same = launch_plan_request("lp.default", "v1", "lp.wf", DEFAULT_X);
	refuse("CreateLaunchPlan", same, ERR_EXISTS, "launch plan with identical structure already exists");
	auto_free char *other = launch_plan_request("lp.default", "v1", "lp.wf", "'max_parallelism': 3, " DEFAULT_X);
	refuse("CreateLaunchPlan", other, ERR_INVALID,
	       "lp.default launch plan with different structure already exists. (Please register a new version of the "
	       "launch plan):\n"
	       "/maxParallelism:\n\t+ 3\n");
	struct racer racers[8];
	auto_free char *raced = launch_plan_request("lp.raced", "v1", "lp.wf", DEFAULT_X);
	for (size_t i = 0; i < ARRAY_LENGTH(racers); i++)
		racers[i] = (struct racer){ .method = "CreateLaunchPlan", .request = raced };
	unsigned kinds[ERR_KIND_COUNT];
	race(racers, ARRAY_LENGTH(racers), kinds);
	assert_int_equal(kinds[ERR_NONE], 1);
	assert_int_equal(kinds[ERR_EXISTS], 7);
}

static void test_launch_plan_validation(void **state)
{
	(void)state;
	create_task("lpv.task", "v1");
	refuse("CreateLaunchPlan", "{}", ERR_INVALID, "missing id");
	refuse_launch_plan("'labels': {'values': {'-bad': ''}}",
	                   "invalid label key [-bad]: [name part must consist of alphanumeric characters, '-', '_' or "
	                   "'.', and must start and "
	                   "end with an alphanumeric character]");
	refuse_launch_plan("'fixed_inputs': {'literals': {'z': " INTEGER_LITERAL("1") "}}", "unexpected fixed_input z");
	refuse_launch_plan("'fixed_inputs': {'literals': {'x': {}}}", "missing valid literal in fixed_inputs x");
	refuse_launch_plan("'fixed_inputs': {'literals': {'x': {'scalar': {'primitive': {'boolean': true}}}}}",
	                   "invalid fixed_input wrong type x, expected integer, got boolean instead");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'z': {'var': {'type': {'simple': 'INTEGER'}}, 'required': true}}}",
	        "unexpected default_input z");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'x': {'required': true}}}",
	        "The Variable component of the Parameter x in default_inputs either is missing, or has a missing Type");
	refuse_launch_plan("'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'INTEGER'}}}}}",
	                   "Invalid variable x in default_inputs - variable has neither default, nor is required. One "
	                   "must be specified");
	refuse_launch_plan("'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'STRING'}}, "
	                   "'default': " INTEGER_LITERAL("1") "}}}",
	                   "Type mismatch for Parameter x in default_inputs has type string, expected integer");
	refuse_launch_plan(
	        "'default_inputs': {'parameters': {'x': {'var': {'type': {'simple': 'STRING'}}, 'required': true}}}",
	        "invalid default_input wrong type x, expected string, got integer instead");
	refuse_launch_plan("'entity_metadata': {'notifications': [{}]}", "invalid value for notification type");
	refuse_launch_plan("'entity_metadata': {'notifications': [{'email': {}}]}", "missing recipients");
	refuse_launch_plan(
	        "'entity_metadata': {'notifications': [{'slack': {'recipients_email': ['a']}, 'phases': ['RUNNING']}]}",
	        "invalid value for phase");
	auto_free char *missing = launch_plan_request("refused", "v1", "no.such.wf", "");
	refuse("CreateLaunchPlan", missing, ERR_NOT_FOUND,
	       "missing entity of type WORKFLOW with identifier resource_type:WORKFLOW project:\"flytesnacks\" "
	       "domain:\"development\" "
	       "name:\"no.such.wf\" version:\"v1\"");
}

#define SCHEDULE(text) "'entity_metadata': {'schedule': {" text "}}"

static void test_schedules(void **state)
{
	(void)state;
	refuse_launch_plan(
	        SCHEDULE("'cron_schedule': {'schedule': '* * * * *'}"),
	        "Cannot create a launch plan with a schedule if there is an unbound required input. [x] is required");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'cron_schedule': {'schedule': '* * * *'}"),
	                   "Invalid cron expression: expected exactly 5 fields, found 4: [* * * *]");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'cron_expression': '61 * * * *'"),
	                   "Invalid cron expression: end of range (61) above maximum (59): 61");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'rate': {'value': 0}"), "invalid value for fixed rate");
	refuse_launch_plan(DEFAULT_X ", " SCHEDULE("'rate': {'value': 1}, 'kickoff_time_input_arg': 'z'"),
	                   "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free input. "
	                   "[z] is not free or does "
	                   "not exist.");
	refuse_launch_plan(SCHEDULE("'rate': {'value': 1}, 'kickoff_time_input_arg': 'x'"),
	                   "KickoffTimeInputArg must reference a datetime input. [x] is a [integer]");
	create_launch_plan("lp.cron", "v1", "lp.wf",
	                   DEFAULT_X ", " SCHEDULE("'cron_schedule': {'schedule': '@daily'}"));
	create_launch_plan("lp.rate", "v1", "lp.wf", DEFAULT_X ", " SCHEDULE("'rate': {'value': 5, 'unit': 'HOUR'}"));
	assert_listed("ListLaunchPlans", LIST_OF("") "'limit': 9, 'filters': 'eq(schedule_type,CRON)'}", "launch_plans",
	              "id/name", "lp.cron []");
	assert_listed("ListLaunchPlans",
	              LIST_OF("") "'limit': 9, 'filters': 'eq(schedule_type,RATE)+eq(workflow.name,lp.wf)'}",
	              "launch_plans", "id/name", "lp.rate []");
}

static void set_state(const char *version, const char *new_state)
{
	auto_free char *id = format_id("LAUNCH_PLAN", "lp.active", version);
	auto_free char *request = xasprintf("{'id': %s, 'state': '%s'}", id, new_state);
	done("UpdateLaunchPlan", request);
}

#define ACTIVE_ID "{'id': {'project': 'flytesnacks', 'domain': 'development', 'name': 'lp.active'}}"

static void test_activation(void **state)
{
	(void)state;
	create_launch_plan("lp.active", "v1", "lp.wf", "");
	create_launch_plan("lp.active", "v2", "lp.wf", "");
	refuse("GetActiveLaunchPlan", ACTIVE_ID, ERR_NOT_FOUND,
	       "No active launch plan could be found: flytesnacks:development:lp.active");
	set_state("v1", "ACTIVE");
	auto_json json_t *first = succeed("GetActiveLaunchPlan", ACTIVE_ID);
	assert_field(first, "id/version", "v1");
	assert_field(first, "closure/state", "ACTIVE");
	set_state("v2", "ACTIVE");
	set_state("v2", "ACTIVE"); /* again is fine */
	auto_json json_t *second = succeed("GetActiveLaunchPlan", ACTIVE_ID);
	assert_field(second, "id/version", "v2");
	assert_listed("ListLaunchPlans", LIST_OF("lp.active") "'limit': 9, 'filters': 'eq(state,1)'}", "launch_plans",
	              "id/version", "v2 []");
	assert_listed("ListActiveLaunchPlans", "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9}",
	              "launch_plans", "id/name", "lp.active []");
	set_state("v2", "INACTIVE");
	assert_listed("ListActiveLaunchPlans", "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9}",
	              "launch_plans", "id/name", "[]");
	refuse("UpdateLaunchPlan",
	       "{'id': {'resource_type': 'LAUNCH_PLAN', 'project': 'p', 'domain': 'd', 'name': 'n', 'version': 'v'}, "
	       "'state': 'ACTIVE'}",
	       ERR_NOT_FOUND,
	       "missing entity of type LAUNCH_PLAN with identifier resource_type:LAUNCH_PLAN project:\"p\" "
	       "domain:\"d\" name:\"n\" "
	       "version:\"v\"");
	assert_listed(
	        "ListLaunchPlanIds",
	        "{'project': 'flytesnacks', 'domain': 'development', 'limit': 9, 'filters': 'eq(name,lp.active)'}",
	        "entities", "name", "lp.active []");
}

/* ---- Single tasks ---- */

struct single {
	int64_t workflow_id, launch_plan_id;
};

static struct single run_single(const char *task)
{
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	struct rpc_call call = { .arena = &arena,
		                 .request_id = "test",
		                 .peer_address = "",
		                 .authority = "",
		                 .deadline_ms = clock_monotonic_ms() + 60000 };
	auto_connection struct database_connection *c = NULL;
	const Flyteidl__Core__Identifier *id =
	        ids_new(&arena, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "flytesnacks", "development", task, "v1");
	struct api_generated generated;
	if (api_connect(&api, &call, &c, &e) < 0 ||
	    api_workflow_for_task(&api, &call, c, id, NULL, &generated, &e) < 0) {
		fprintf(stderr, "%s\n", err_message(&e));
		return (struct single){ 0, 0 };
	}
	return (struct single){ generated.workflow.id, generated.launch_plan.id };
}

static void *single_thread(void *context)
{
	*(struct single *)context = run_single("single.task_é-1");
	return NULL;
}

static void test_single_task(void **state)
{
	(void)state;
	create_task("single.task_é-1", "v1");
	struct single results[8];
	pthread_t threads[ARRAY_LENGTH(results)];
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		pthread_create(&threads[i], NULL, single_thread, &results[i]);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(results); i++) {
		assert_true(results[i].workflow_id > 0 && results[i].launch_plan_id > 0);
		assert_int_equal(results[i].workflow_id, results[0].workflow_id);
		assert_int_equal(results[i].launch_plan_id, results[0].launch_plan_id);
	}
	auto_json json_t *workflow = get("GetWorkflow", "WORKFLOW", ".flytegen.single.task_é-1", "v1");
	json_t *nodes = json_lookup(workflow, "closure/compiled_workflow/primary/template/nodes");
	assert_int_equal(json_array_size(nodes), 3);
	const json_t *node = NULL;
	for (size_t i = 0; i < 3; i++) {
		if (json_lookup(json_array_get(nodes, i), "task_node"))
			node = json_array_get(nodes, i);
	}
	assert_field(node, "id", "singletask-1");
	assert_int_equal(json_integer_at(node, "metadata/retries/retries", 0), 3);
	assert_field(node, "task_node/reference_id/name", "single.task_é-1");
	auto_json json_t *launch_plan = get("GetLaunchPlan", "LAUNCH_PLAN", ".flytegen.single.task_é-1", "v1");
	assert_field(launch_plan, "closure/expected_outputs/variables/y/type/simple", "INTEGER");
	/* hidden */
	auto_json json_t *entity =
	        succeed("GetNamedEntity", "{'resource_type': 'WORKFLOW', 'id': {'project': 'flytesnacks', 'domain': "
	                                  "'development', 'name': '.flytegen.single.task_é-1'}}");
	assert_field(entity, "metadata/state", "SYSTEM_GENERATED");
	auto_json json_t *entities = succeed(
	        "ListNamedEntities",
	        "{'resource_type': 'WORKFLOW', 'project': 'flytesnacks', 'domain': 'development', 'limit': 100}");
	size_t i;
	json_t *listed;
	json_array_foreach(json_object_get(entities, "entities"), i, listed)
	{
		assert_false(text_starts_with(json_string_at(listed, "id/name", ""), ".flytegen."));
	}
	assert_true(json_array_size(json_object_get(entities, "entities")) > 0);
}

/* ---- Named entities, projects, version ---- */

#define ENTITY(name)                                                                                                   \
	"{'resource_type': 'TASK', 'id': {'project': 'flytesnacks', 'domain': 'development', 'name': '" name "'}"

static void test_named_entities(void **state)
{
	(void)state;
	create_task("named", "v1");
	done("UpdateNamedEntity",
	     ENTITY("named") ", 'metadata': {'description': 'about', 'state': 'NAMED_ENTITY_ARCHIVED'}}");
	auto_json json_t *entity = succeed("GetNamedEntity", ENTITY("named") "}");
	assert_field(entity, "metadata/description", "about");
	assert_field(entity, "metadata/state", "NAMED_ENTITY_ARCHIVED");
	assert_listed("ListNamedEntities",
	              "{'resource_type': 'TASK', 'project': 'flytesnacks', 'domain': 'development', 'limit': 9, "
	              "'filters': 'eq(state,1)'}",
	              "entities", "id/name", "named []");
	refuse("GetNamedEntity", ENTITY("missing") "}", ERR_NOT_FOUND,
	       "missing entity of type TASK with identifier resource_type:TASK project:\"flytesnacks\" "
	       "domain:\"development\" "
	       "name:\"missing\"");
	refuse("UpdateNamedEntity", ENTITY("named") "}", ERR_INVALID, "missing metadata");
	refuse("ListNamedEntities", "{'project': 'p', 'domain': 'd', 'limit': 1}", ERR_INVALID,
	       "invalid value for resource_type");
}

static void test_projects(void **state)
{
	(void)state;
	done("RegisterProject", "{'project': {'id': 'another', 'name': 'Another', 'labels': {'values': {'a': 'b'}}}}");
	refuse("RegisterProject", "{'project': {'id': 'another', 'name': 'Another'}}", ERR_EXISTS,
	       "value with matching already exists (project [another])");
	refuse("RegisterProject", "{}", ERR_INVALID, "missing project");
	refuse("RegisterProject", "{'project': {'id': 'x'}}", ERR_INVALID, "missing project_name");
	refuse("RegisterProject", "{'project': {'id': 'Bad', 'name': 'n'}}", ERR_INVALID,
	       "invalid project id [Bad]: [a lowercase RFC 1123 label must consist of lower case alphanumeric "
	       "characters or '-', and must start "
	       "and end with an alphanumeric character, and must be no more than 63 characters]");
	refuse("RegisterProject", "{'project': {'id': 'x', 'name': 'n', 'domains': [{'id': 'd'}]}}", ERR_INVALID,
	       "Domains are currently only set system wide. Please retry without domains included in your request.");
	auto_json json_t *project = succeed("GetProject", "{'id': 'another'}");
	assert_field(project, "name", "Another");
	assert_field(project, "labels/values/a", "b");
	assert_int_equal(json_array_size(json_object_get(project, "domains")), 3);
	assert_listed("ListProjects", "{}", "projects", "id", "another flytesnacks []");
	done("UpdateProject", "{'id': 'another', 'description': 'more', 'state': 'ARCHIVED'}");
	assert_listed("ListProjects", "{'limit': 5}", "projects", "id", "flytesnacks []");
	assert_listed("ListProjects", "{'filters': 'eq(state,1)'}", "projects", "description", "more []");
	refuse("UpdateProject", "{'id': 'missing'}", ERR_NOT_FOUND, "project [missing] not found");
	/* nothing is registered in an archived one */
	refuse_with("CreateTask",
	            "{'id': {'resource_type': 'TASK', 'project': 'another', 'domain': 'development', 'name': 'n', "
	            "'version': 'v'}}",
	            ERR_INVALID, "project [another] is not active", "InactiveProject");
	auto_json json_t *domains = succeed("GetDomains", "{}");
	assert_list(domains, "domains", "id", "development staging production []");
	auto_json json_t *version = succeed("GetVersion", "{}");
	assert_true(text_starts_with(json_string_at(version, "control_plane_version/Version", ""), "v"));
}

/* ---- Data proxy ---- */

/* 16 bytes 0 … 15 */
#define MD5 "'content_md5': 'AAECAwQFBgcICQoLDA0ODw=='"
#define MD5_BASE32 "AAAQEAYEAUDAOCAJBIFQYDIOB4======"

static void test_upload(void **state)
{
	(void)state;
	auto_json json_t *response =
	        succeed("CreateUploadLocation",
	                "{'project': 'flytesnacks', 'domain': 'development', 'filename': 'fast1.tar.gz', " MD5
	                ", 'add_content_md5_metadata': true}");
	assert_field(response, "native_url", "s3://my-s3-bucket/flytesnacks/development/" MD5_BASE32 "/fast1.tar.gz");
	assert_true(text_starts_with(json_string_at(response, "signed_url", ""),
	                             "http://localhost:30002/my-s3-bucket/flytesnacks/development/"));
	assert_non_null(strstr(json_string_at(response, "signed_url", ""),
	                       "X-Amz-SignedHeaders=content-md5%3Bhost%3Bx-amz-meta-flytecontentmd5"));
	assert_non_null(strstr(json_string_at(response, "signed_url", ""), "X-Amz-Expires=3600"));
	/* no Content-Length: it would be the length of something else */
	assert_int_equal(json_object_size(json_object_get(response, "headers")), 2);
	assert_field(response, "headers/Content-MD5", "AAECAwQFBgcICQoLDA0ODw==");
	assert_field(response, "headers/x-amz-meta-flyteContentMD5", "AAECAwQFBgcICQoLDA0ODw==");
	int64_t expires_at;
	assert_true(clock_parse_rfc3339(json_string_at(response, "expires_at", ""), &expires_at));
	assert_true(expires_at > clock_wall_ns() + INT64_C(3500000000000) &&
	            expires_at <= clock_wall_ns() + INT64_C(3600000000000));

	/* a pod is told what it can reach */
	auto_err struct err e = ERR_INIT;
	auto_json json_t *in_cluster =
	        call_from("10.42.0.17", "CreateUploadLocation",
	                  "{'project': 'p', 'domain': 'd', " MD5 ", 'expires_in': '60s'}", NULL, &e);
	assert_true(text_starts_with(json_string_at(in_cluster, "signed_url", ""),
	                             "http://flyte-sandbox-minio.flyte:9000/my-s3-bucket/p/d/"));
	assert_non_null(strstr(json_string_at(in_cluster, "signed_url", ""), "X-Amz-Expires=60"));
	/* a name is made up, 20 characters */
	const char *native = json_string_at(in_cluster, "native_url", "");
	assert_int_equal(strlen(native), strlen("s3://my-s3-bucket/p/d/" MD5_BASE32 "/") + 20);

	refuse("CreateUploadLocation", "{'project': 'p', " MD5 "}", ERR_INVALID,
	       "project and domain are required parameters");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd'}", ERR_INVALID,
	       "content_md5 or filename_root is a required parameter");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', 'content_md5': 'AAEC'}", ERR_INVALID,
	       "content_md5 has 3 bytes instead of 16");
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', " MD5 ", 'expires_in': '3601s'}", ERR_INVALID,
	       "expiresIn [3601s] cannot exceed max allowed expiration [1h0m0s]");
}

static void test_upload_again(void **state)
{
	(void)state;
	/* the ETag of this object is not the MD5 that is announced */
	fake_objects_put(store, "/my-s3-bucket/p/d/root/name", "other", 5);
	refuse("CreateUploadLocation", "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'name'}",
	       ERR_EXISTS,
	       "file already exists at location [s3://my-s3-bucket/p/d/root/name], specify a matching hash if you wish "
	       "to rewrite");
	refuse("CreateUploadLocation",
	       "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'name', " MD5 "}", ERR_EXISTS,
	       "file already exists at location [s3://my-s3-bucket/p/d/root/name], specify a matching hash if you wish "
	       "to rewrite");
	auto_json json_t *free = succeed("CreateUploadLocation",
	                                 "{'project': 'p', 'domain': 'd', 'filename_root': 'root', 'filename': 'new'}");
	assert_field(free, "native_url", "s3://my-s3-bucket/p/d/root/new");
	assert_null(json_object_get(free, "headers"));
}

static void test_download(void **state)
{
	(void)state;
	auto_json json_t *response =
	        succeed("CreateDownloadLocation", "{'native_url': 's3://my-s3-bucket/a/b', 'expires_in': '10s'}");
	assert_true(text_starts_with(json_string_at(response, "signed_url", ""),
	                             "http://localhost:30002/my-s3-bucket/a/b?"));
	refuse("CreateDownloadLocation", "{'native_url': 'file:///etc/passwd'}", ERR_INVALID,
	       "error while validating request: failed to parse native_url [file:///etc/passwd]");
	refuse("CreateDownloadLink", "{}", ERR_INVALID,
	       "error while validating request. Error: invalid artifact type [ARTIFACT_TYPE_UNDEFINED]");
	refuse("CreateDownloadLink", "{'artifact_type': 'ARTIFACT_TYPE_DECK'}", ERR_INVALID,
	       "error while validating request. Error: source is required. Provided nil");
	auto_err struct err e = ERR_INIT;
	auto_json json_t *none = call_from(
	        "127.0.0.1", "CreateDownloadLink",
	        "{'artifact_type': 'ARTIFACT_TYPE_DECK', 'node_execution_id': {'node_id': 'n0', 'execution_id': "
	        "{'project': 'p', 'domain': 'd', 'name': 'x'}}}",
	        NULL, &e);
	assert_null(none);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_true(text_starts_with(err_message(&e),
	                             "failed to find node execution [node_id:\"n0\" execution_id:{project:\"p\" "
	                             "domain:\"d\" name:\"x\"}]. Error: missing entity"));
	refuse("GetData", "{}", ERR_INVALID,
	       "failed to validate resolve artifact request. Error: source is required. Provided empty string");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/x/n0/z'}", ERR_INVALID,
	       "failed to parse artifact url Error: failed to parse [flyte://v1/p/d/x/n0/z]");
}

/* The engine's part: an execution with one node and one attempt, and what they gave. */
static void test_get_data(void **state)
{
	(void)state;
	auto_arena struct arena arena = ARENA;
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct rpc_call call = { .arena = &arena, .deadline_ms = clock_monotonic_ms() + 60000 };
	assert_int_equal(api_connect(&api, &call, &c, &e), 0);
	static const char json[] = "{\"literals\": {\"y\": {\"scalar\": {\"primitive\": {\"integer\": 5}}}, \"large\": {\"offloaded_metadata\": "
	                           "{\"uri\": \"s3://my-s3-bucket/data/large\", \"size_bytes\": \"12000000\", \"inferred_type\": {\"simple\": "
	                           "\"STRING\"}}}}}";
	Flyteidl__Core__LiteralMap *map =
	        proto_json_parse(&arena, flyteidl__core__literal_map, json, strlen(json), 0, &e);
	struct proto_bytes bytes = proto_pack(&arena, &map->base);
	assert_int_equal(
	        database_execute(
	                c,
	                "with x as (insert into executions (project, domain, name, spec) values ('p', 'd', 'got', '') "
	                "returning id),"
	                " n as (insert into node_executions (execution_id, node_id, spec_node_id, outputs, "
	                "outputs_uri, deck_uri)"
	                " select id, 'n0', 'n0', $1, 's3://my-s3-bucket/o', 's3://my-s3-bucket/deck.html' from x"
	                " returning id, execution_id)"
	                " insert into task_executions (node_execution_id, execution_id, retry_attempt, project, "
	                "domain, name,"
	                " version, outputs, outputs_uri) select id, execution_id, 0, 'p', 'd', 't', 'v', $1, "
	                "'s3://my-s3-bucket/o' from n",
	                (struct database_value[]){ DB_BYTES(bytes) }, 1, &e),
	        1);
	auto_json json_t *whole = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o'}");
	assert_field(whole, "literal_map/literals/y/scalar/primitive/integer", "5");
	auto_json json_t *one = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/y'}");
	assert_field(one, "literal/scalar/primitive/integer", "5");
	/* A literal that lies elsewhere is given as that: flytekit, and every task, fetches it by itself. */
	auto_json json_t *offloaded = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/large'}");
	assert_field(offloaded, "literal/offloaded_metadata/uri", "s3://my-s3-bucket/data/large");
	assert_field(offloaded, "literal/offloaded_metadata/size_bytes", "12000000");
	auto_json json_t *attempt = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/0/o/y'}");
	assert_field(attempt, "literal/scalar/primitive/integer", "5");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/o/z'}", ERR_INVALID,
	       "name [z] not found in node execution [node_id:\"n0\" execution_id:{project:\"p\" domain:\"d\" "
	       "name:\"got\"}]");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/7/o'}", ERR_INVALID,
	       "no task executions were listed [retry_attempt:7 node_id:\"n0\" execution_id:{project:\"p\" "
	       "domain:\"d\" name:\"got\"}]");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/0/d'}", ERR_INVALID,
	       "deck type cannot be specified with a retry attempt, just use the node instead");
	refuse("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/d'}", ERR_NOT_FOUND, "object not found");
	fake_objects_put(store, "/my-s3-bucket/deck.html", "<html>", 6);
	auto_json json_t *deck = succeed("GetData", "{'flyte_url': 'flyte://v1/p/d/got/n0/d'}");
	const json_t *url = json_array_get(json_lookup(deck, "pre_signed_urls/signed_url"), 0);
	assert_true(text_starts_with(json_string_value(url), "http://localhost:30002/my-s3-bucket/deck.html?"));
	auto_json json_t *link = succeed(
	        "CreateDownloadLink",
	        "{'artifact_type': 'ARTIFACT_TYPE_DECK', 'node_execution_id': {'node_id': 'n0', 'execution_id': "
	        "{'project': 'p', 'domain': 'd', 'name': 'got'}}}");
	assert_int_equal(json_array_size(json_object_get(link, "signed_url")), 1);
	assert_int_equal(json_array_size(json_lookup(link, "pre_signed_urls/signed_url")), 1);
}

/* ---- The group ---- */

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s: %s\n", e.kind == ERR_NOT_FOUND ? "skipped" : "failed", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	store = fake_objects_start();
	config = api_config_default;
	api.config = &config;
	json_calls_api(&api);
	api.database = database_new(postgres_url(postgres), 8);
	api.objects = objects_new(&(struct objects_options){ .endpoint = fake_objects_endpoint(store),
	                                                     .access_key = "minio",
	                                                     .secret_key = "miniostorage",
	                                                     .region = "us-east-1" });
	if (database_migrate(api.database, clock_monotonic_ms() + 60000, &e) == 0)
		return 0;
	fprintf(stderr, "%s\n", err_message(&e));
	return -1;
}

static int stop(void **state)
{
	(void)state;
	api.settings = settings_holder_free(api.settings);
	api.objects = objects_free(api.objects);
	api.database = database_free(api.database);
	store = fake_objects_stop(store);
	postgres = postgres_stop(postgres);
	return 0;
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
		cmocka_unit_test(test_launch_plan),
		cmocka_unit_test(test_launch_plan_validation),
		cmocka_unit_test(test_schedules),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_single_task),
		cmocka_unit_test(test_named_entities),
		cmocka_unit_test(test_projects),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_upload_again),
		cmocka_unit_test(test_download),
		cmocka_unit_test(test_get_data),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
