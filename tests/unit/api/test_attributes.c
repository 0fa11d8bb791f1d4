/* Matchable attributes through their RPCs, against a real Postgres. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "controlplane/api/api.h"
#include "controlplane/api/matchable_attributes.h"
#include "fake_objects.h"
#include "json_calls.h"
#include "postgres.h"

#include <pthread.h>
#include <string.h>

#define DOMAIN "'project': 'flytesnacks', 'domain': 'development'"
#define WORKFLOW DOMAIN ", 'workflow': 'wf'"
#define PROJECT "'project': 'flytesnacks'"

static struct postgres *postgres;
static struct fake_objects *store;
static struct api_config config;
static struct api api;

static const struct {
	const char *type, *attributes;
} types[] = {
	{ "TASK_RESOURCE", "'task_resource_attributes': {'defaults': {'cpu': '1'}, 'limits': {'memory': '2Gi'}}" },
	{ "CLUSTER_RESOURCE", "'cluster_resource_attributes': {'attributes': {'projectQuotaCpu': '4'}}" },
	{ "EXECUTION_QUEUE", "'execution_queue_attributes': {'tags': ['a', 'b']}" },
	{ "EXECUTION_CLUSTER_LABEL", "'execution_cluster_label': {'value': 'gpu'}" },
	{ "QUALITY_OF_SERVICE_SPECIFICATION", "'quality_of_service': {'tier': 'HIGH'}" },
	{ "PLUGIN_OVERRIDE", "'plugin_overrides': {'overrides': [{'plugin_id': ['p'], 'task_type': 'container'}]}" },
	{ "WORKFLOW_EXECUTION_CONFIG", "'workflow_execution_config': {'max_parallelism': 7}" },
	{ "CLUSTER_ASSIGNMENT", "'cluster_assignment': {'cluster_pool_name': 'pool'}" },
};

static void set(const char *level, const char *place, const char *attributes)
{
	auto_free char *method = xasprintf("Update%s", level);
	auto_free char *request = xasprintf("{'attributes': {%s, 'matching_attributes': {%s}}}", place, attributes);
	done(method, request);
}

static void clear(const char *level, const char *place, const char *type)
{
	auto_free char *method = xasprintf("Delete%s", level);
	auto_free char *request = xasprintf("{%s, 'resource_type': '%s'}", place, type);
	done(method, request);
}

static json_t *get(const char *level, const char *place, const char *type)
{
	auto_free char *method = xasprintf("Get%s", level);
	auto_free char *request = xasprintf("{%s, 'resource_type': '%s'}", place, type);
	return succeed(method, request);
}

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
	auto_err struct err e = ERR_INIT;
	auto_free char *copy = xstrdup(text);
	for (char *p = copy; (p = strchr(p, '\'')); p++)
		*p = '"';
	json_t *value = json_parse(copy, strlen(copy), "expectation", &e);
	if (!value)
		fail_msg("%s", err_message(&e));
	return value;
}

static void assert_equal(const json_t *actual, const char *expected)
{
	auto_json json_t *value = parse(expected);
	auto_free char *text = actual ? json_dumps(actual, JSON_SORT_KEYS) : xstrdup("nothing");
	if (!json_equal(actual, value))
		fail_msg("%s instead of %s", text, expected);
}

static void assert_attributes(const char *level, const char *place, const char *type, const char *expected)
{
	auto_json json_t *response = get(level, place, type);
	auto_free char *braced = xasprintf("{%s}", expected);
	assert_equal(json_lookup(response, "attributes/matching_attributes"), braced);
}

static void refuse_get(const char *level, const char *place, const char *type, const char *text)
{
	auto_free char *method = xasprintf("Get%s", level);
	auto_free char *request = xasprintf("{%s, 'resource_type': '%s'}", place, type);
	refuse(method, request, ERR_NOT_FOUND, text);
}

static void test_every_type_at_every_level(void **state)
{
	(void)state;
	static const struct {
		const char *level, *place;
	} levels[] = {
		{ "ProjectAttributes", PROJECT },
		{ "ProjectDomainAttributes", DOMAIN },
		{ "WorkflowAttributes", WORKFLOW },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(levels); k++) {
			set(levels[k].level, levels[k].place, types[i].attributes);
			assert_attributes(levels[k].level, levels[k].place, types[i].type, types[i].attributes);
		}
		auto_free char *request = xasprintf("{'resource_type': '%s'}", types[i].type);
		assert_listed("ListMatchableAttributes", request, "configurations", "workflow", "wf ? ? []");
		assert_listed("ListMatchableAttributes", request, "configurations", "domain",
		              "development development ? []");
		for (size_t k = 0; k < ARRAY_LENGTH(levels); k++)
			clear(levels[k].level, levels[k].place, types[i].type);
		assert_response("ListMatchableAttributes", request, "{}");
	}
}

static void test_the_most_specific_wins(void **state)
{
	(void)state;
	refuse_get("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE",
	           "Resource [{Project:flytesnacks Domain:development Workflow:wf LaunchPlan: "
	           "ResourceType:TASK_RESOURCE}] not found");
	refuse_get("ProjectDomainAttributes", DOMAIN, "CLUSTER_ASSIGNMENT",
	           "Resource [{Project:flytesnacks Domain:development Workflow: LaunchPlan: "
	           "ResourceType:CLUSTER_ASSIGNMENT}] not found");
	refuse_get("ProjectAttributes", PROJECT, "TASK_RESOURCE",
	           "Resource [{Project:flytesnacks Domain: Workflow: LaunchPlan: ResourceType:TASK_RESOURCE}] not found");

	set("ProjectAttributes", PROJECT, "'task_resource_attributes': {'defaults': {'cpu': '1'}}");
	/* what was found says where */
	auto_json json_t *from_project = get("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE");
	assert_equal(json_lookup(from_project, "attributes"),
	             "{'project': 'flytesnacks', 'matching_attributes':"
	             " {'task_resource_attributes': {'defaults': {'cpu': '1'}}}}");
	set("ProjectDomainAttributes", DOMAIN, "'task_resource_attributes': {'defaults': {'cpu': '2'}}");
	assert_attributes("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE",
	                  "'task_resource_attributes': {'defaults': {'cpu': '2'}}");
	set("WorkflowAttributes", WORKFLOW, "'task_resource_attributes': {'defaults': {'cpu': '3'}}");
	auto_json json_t *from_workflow = get("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE");
	assert_field(from_workflow, "attributes/workflow", "wf");
	assert_field(from_workflow, "attributes/matching_attributes/task_resource_attributes/defaults/cpu", "3");
	/* another workflow, another domain, the project alone */
	assert_attributes("WorkflowAttributes", DOMAIN ", 'workflow': 'other'", "TASK_RESOURCE",
	                  "'task_resource_attributes': {'defaults': {'cpu': '2'}}");
	assert_attributes("ProjectDomainAttributes", "'project': 'flytesnacks', 'domain': 'production'",
	                  "TASK_RESOURCE", "'task_resource_attributes': {'defaults': {'cpu': '1'}}");
	assert_attributes("ProjectAttributes", PROJECT, "TASK_RESOURCE",
	                  "'task_resource_attributes': {'defaults': {'cpu': '1'}}");
	/* a project's own attributes go without those of its domains */
	clear("ProjectAttributes", PROJECT, "TASK_RESOURCE");
	clear("ProjectAttributes", PROJECT, "TASK_RESOURCE");
	assert_attributes("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE",
	                  "'task_resource_attributes': {'defaults': {'cpu': '3'}}");
	clear("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE");
	assert_attributes("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE",
	                  "'task_resource_attributes': {'defaults': {'cpu': '2'}}");
	clear("ProjectDomainAttributes", DOMAIN, "TASK_RESOURCE");
	refuse_get("ProjectDomainAttributes", DOMAIN, "TASK_RESOURCE",
	           "Resource [{Project:flytesnacks Domain:development Workflow: LaunchPlan: "
	           "ResourceType:TASK_RESOURCE}] not found");
}

static void test_plugin_overrides_add_up(void **state)
{
	(void)state;
	set("ProjectDomainAttributes", DOMAIN,
	    "'plugin_overrides': {'overrides': [{'task_type': 'spark', 'plugin_id': ['a']},"
	    " {'task_type': 'hive', 'plugin_id': ['b']}]}");
	set("ProjectDomainAttributes", DOMAIN,
	    "'plugin_overrides': {'overrides': [{'task_type': 'spark', 'plugin_id': ['c', 'd'],"
	    " 'missing_plugin_behavior': 'USE_DEFAULT'}]}");
	assert_attributes("ProjectDomainAttributes", DOMAIN, "PLUGIN_OVERRIDE",
	                  "'plugin_overrides': {'overrides': [{'task_type': 'hive', 'plugin_id': ['b']},"
	                  " {'task_type': 'spark', 'plugin_id': ['c', 'd'],"
	                  " 'missing_plugin_behavior': 'USE_DEFAULT'}]}");
	clear("ProjectDomainAttributes", DOMAIN, "PLUGIN_OVERRIDE");
}

static void *set_one_plugin(void *context)
{
	const unsigned *number = context;
	auto_free char *attributes =
	        xasprintf("'plugin_overrides': {'overrides': [{'task_type': 't%u', 'plugin_id': ['p']}]}", *number);
	set("WorkflowAttributes", WORKFLOW, attributes);
	return NULL;
}

static void test_plugin_overrides_of_several_at_once(void **state)
{
	(void)state;
	pthread_t threads[8];
	unsigned numbers[ARRAY_LENGTH(threads)];
	for (unsigned i = 0; i < ARRAY_LENGTH(threads); i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, set_one_plugin, &numbers[i]), 0);
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(threads); i++)
		pthread_join(threads[i], NULL);
	auto_json json_t *response = get("WorkflowAttributes", WORKFLOW, "PLUGIN_OVERRIDE");
	assert_int_equal(json_array_size(json_lookup(
	                         response, "attributes/matching_attributes/plugin_overrides/overrides")),
	                 ARRAY_LENGTH(threads));
	clear("WorkflowAttributes", WORKFLOW, "PLUGIN_OVERRIDE");
}

/* The console's project page: what is set, completed by the platform's own. */
static void test_execution_config_of_a_project(void **state)
{
	(void)state;
	assert_attributes("ProjectAttributes", PROJECT, "WORKFLOW_EXECUTION_CONFIG",
	                  "'workflow_execution_config': {'max_parallelism': 25}");
	set("ProjectAttributes", PROJECT,
	    "'workflow_execution_config': {'labels': {'values': {'team': 'a'}}, 'interruptible': false}");
	assert_attributes("ProjectAttributes", PROJECT, "WORKFLOW_EXECUTION_CONFIG",
	                  "'workflow_execution_config': {'max_parallelism': 25, 'labels': {'values': {'team': 'a'}},"
	                  " 'interruptible': false}");
	/* elsewhere it is what was set and nothing else */
	assert_attributes("ProjectDomainAttributes", DOMAIN, "WORKFLOW_EXECUTION_CONFIG",
	                  "'workflow_execution_config': {'labels': {'values': {'team': 'a'}}, 'interruptible': false}");
	clear("ProjectAttributes", PROJECT, "WORKFLOW_EXECUTION_CONFIG");
	refuse_get("ProjectDomainAttributes", DOMAIN, "WORKFLOW_EXECUTION_CONFIG",
	           "Resource [{Project:flytesnacks Domain:development Workflow: LaunchPlan: "
	           "ResourceType:WORKFLOW_EXECUTION_CONFIG}] not found");
}

static void refuse_update(const char *level, const char *request, const char *text)
{
	auto_free char *method = xasprintf("Update%s", level);
	refuse(method, request, ERR_INVALID, text);
}

static void refuse_attributes(const char *attributes, const char *text)
{
	auto_free char *request =
	        xasprintf("{'attributes': {" DOMAIN ", 'matching_attributes': {%s}}}", attributes);
	refuse_update("ProjectDomainAttributes", request, text);
}

static void test_refusals(void **state)
{
	(void)state;
	refuse_update("ProjectAttributes", "{}", "missing attributes");
	refuse_update("ProjectAttributes", "{'attributes': {'project': 'nosuch'}}",
	              "failed to validate that project [nosuch] is registered, err: [project [nosuch] not found]");
	refuse_update("ProjectAttributes", "{'attributes': {" PROJECT "}}", "missing matching_attributes");
	refuse_update("ProjectAttributes", "{'attributes': {" PROJECT ", 'matching_attributes': {}}}",
	              "Unrecognized matching attributes type for request flytesnacks");
	refuse_update("ProjectDomainAttributes", "{}", "missing attributes");
	refuse_update("ProjectDomainAttributes", "{'attributes': {" PROJECT ", 'domain': 'moon'}}",
	              "domain [moon] is unrecognized by system");
	refuse_attributes("", "Unrecognized matching attributes type for request flytesnacks-development");
	refuse_update("WorkflowAttributes", "{}", "missing attributes");
	refuse_update("WorkflowAttributes", "{'attributes': {" DOMAIN "}}", "missing name");
	refuse_update("WorkflowAttributes", "{'attributes': {" WORKFLOW ", 'matching_attributes': {}}}",
	              "Unrecognized matching attributes type for request flytesnacks-development-wf");
	refuse("GetWorkflowAttributes", "{" DOMAIN "}", ERR_INVALID, "missing name");
	refuse("DeleteWorkflowAttributes", "{" DOMAIN "}", ERR_INVALID, "missing name");
	refuse("GetProjectAttributes", "{'project': 'nosuch'}", ERR_INVALID,
	       "failed to validate that project [nosuch] exists, err: [project [nosuch] not found]");
	refuse("DeleteProjectAttributes", "{'project': 'nosuch'}", ERR_INVALID,
	       "failed to validate that project [nosuch] is registered, err: [project [nosuch] not found]");
	refuse("GetProjectDomainAttributes", "{'project': 'nosuch', 'domain': 'development'}", ERR_INVALID,
	       "failed to validate that project [nosuch] and domain [development] are registered, err: [project "
	       "[nosuch] not found]");
	refuse("ListMatchableAttributes", "{'resource_type': 8}", ERR_INVALID, "invalid value for resource_type");
	refuse_attributes("'task_resource_attributes': {'limits': {'memory': 'much'}}",
	                  "invalid value for task_resource_attributes.limits.memory: 'much' is not a quantity of "
	                  "Kubernetes, like 500m or 1Gi");
	refuse_attributes("'task_resource_attributes': {'defaults': {'cpu': '-1'}}",
	                  "invalid value for task_resource_attributes.defaults.cpu: '-1' is not a quantity of "
	                  "Kubernetes, like 500m or 1Gi");
	refuse_attributes("'cluster_resource_attributes': {'attributes': {'namespace': 'kube-system'}}",
	                  "Cannot assign namespace template value in user data: 'namespace' is the platform's");
	refuse_attributes("'plugin_overrides': {'overrides': [{'plugin_id': ['x']}]}",
	                  "missing task_type of a plugin override");
}

static void test_archived_project(void **state)
{
	(void)state;
	done("RegisterProject", "{'project': {'id': 'old', 'name': 'old'}}");
	set("ProjectAttributes", "'project': 'old'", "'execution_cluster_label': {'value': 'x'}");
	done("UpdateProject", "{'id': 'old', 'state': 'ARCHIVED'}");
	/* may be looked at, but not changed */
	assert_attributes("ProjectAttributes", "'project': 'old'", "EXECUTION_CLUSTER_LABEL",
	                  "'execution_cluster_label': {'value': 'x'}");
	refuse("DeleteProjectAttributes", "{'project': 'old', 'resource_type': 'EXECUTION_CLUSTER_LABEL'}", ERR_INVALID,
	       "project [old] is not active");
	refuse_with("UpdateProjectDomainAttributes", "{'attributes': {'project': 'old', 'domain': 'development'}}",
	            ERR_INVALID, "project [old] is not active", "InactiveProject");
	refuse_with("GetWorkflowAttributes", "{'project': 'old', 'domain': 'development', 'workflow': 'w'}", ERR_INVALID,
	            "project [old] is not active", "InactiveProject");
}

/* ---- Their effect ---- */

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

#define ID(type, name)                                                                                                 \
	"{'resource_type': '" type "', 'project': 'flytesnacks', 'domain': 'development', 'name': '" name              \
	"', 'version': 'v1'}"

static char *task_request(const char *name, const char *resources)
{
	return xasprintf("{'id': {'resource_type': 'TASK', " DOMAIN ", 'name': '%s', 'version': 'v1'}, 'spec':"
	                 " {'template': {'type': 'container', 'metadata': {}, 'interface': {}, 'container':"
	                 " {'image': 'busybox', 'resources': {%s}}}}}",
	                 name, resources);
}

static void register_workflow(void)
{
	auto_free char *task = task_request("task", "");
	done("CreateTask", task);
	done("CreateWorkflow", "{'id': " ID("WORKFLOW", "wf") ", 'spec': {'template': {'metadata': {}, 'interface': {},"
	                       " 'nodes': [{'id': 'n0', 'task_node': {'reference_id': " ID("TASK", "task") "}}]}}}");
	done("CreateLaunchPlan",
	     "{'id': " ID("LAUNCH_PLAN", "wf") ", 'spec': {'workflow_id': " ID("WORKFLOW", "wf") "}}");
}

/* A workflow with something to say about its executions' quality of service, and a launch plan of its name. */
static void register_with_quality(const char *name, const char *of_workflow, const char *of_launch_plan)
{
	auto_free char *id = xasprintf("'project': 'flytesnacks', 'domain': 'development', 'name': '%s', 'version': 'v1'", name);
	auto_free char *workflow = xasprintf("{'id': {'resource_type': 'WORKFLOW', %s}, 'spec': {'template': {'metadata':"
	                                     " {'quality_of_service': {%s}}, 'interface': {}, 'nodes': [{'id': 'n0',"
	                                     " 'task_node': {'reference_id': " ID("TASK", "task") "}}]}}}",
	                                     id, of_workflow);
	auto_free char *plan = xasprintf("{'id': {'resource_type': 'LAUNCH_PLAN', %s}, 'spec': {'workflow_id':"
	                                 " {'resource_type': 'WORKFLOW', %s}, 'quality_of_service': {%s}}}",
	                                 id, id, of_launch_plan);
	done("CreateWorkflow", workflow);
	done("CreateLaunchPlan", plan);
}

/* An execution of the launch plan with this in its spec; what its spec has become. */
static json_t *launch_plan(const char *plan, const char *name, const char *spec)
{
	auto_free char *request =
	        xasprintf("{" DOMAIN ", 'name': '%s', 'spec': {'launch_plan': {'resource_type': 'LAUNCH_PLAN',"
	                  " 'project': 'flytesnacks', 'domain': 'development', 'name': '%s', 'version': 'v1'}%s%s}}",
	                  name, plan, *spec ? ", " : "", spec);
	auto_json json_t *created = succeed("CreateExecution", request);
	auto_free char *id = xasprintf("{'id': {" DOMAIN ", 'name': '%s'}}", name);
	auto_json json_t *execution = succeed("GetExecution", id);
	return json_incref(json_object_get(execution, "spec"));
}

static json_t *launch(const char *name, const char *spec)
{
	return launch_plan("wf", name, spec);
}

static void assert_launched(const char *name, const char *spec, const char *path, const char *expected)
{
	auto_json json_t *launched = launch(name, spec);
	assert_equal(json_lookup(launched, path), expected);
}

static void test_execution_config(void **state)
{
	(void)state;
	register_workflow();
	assert_launched("c0", "", "max_parallelism", "25");
	use_settings("flyteadmin: {maxParallelism: 9, labels: {of: settings}, envs: {A: b}, k8sServiceAccount: robot}");
	assert_launched("c1", "", "max_parallelism", "9");
	assert_launched("c2", "", "labels", "{'values': {'of': 'settings'}}");
	assert_launched("c3", "", "envs", "{'values': [{'key': 'A', 'value': 'b'}]}");
	assert_launched("c4", "", "security_context", "{'run_as': {'k8s_service_account': 'robot'}}");
	assert_launched("c5", "'auth_role': {'kubernetes_service_account': 'old'}", "security_context",
	                "{'run_as': {'k8s_service_account': 'old'}}");
	/* a more specific place wins, and the project's fills what it leaves open */
	set("ProjectAttributes", PROJECT,
	    "'workflow_execution_config': {'max_parallelism': 5, 'labels': {'values': {'of': 'project'}}}");
	assert_launched("c6", "", "max_parallelism", "5");
	set("ProjectDomainAttributes", DOMAIN, "'workflow_execution_config': {'max_parallelism': 6}");
	assert_launched("c7", "", "max_parallelism", "6");
	assert_launched("c8", "", "labels", "{'values': {'of': 'project'}}");
	set("WorkflowAttributes", WORKFLOW, "'workflow_execution_config': {'max_parallelism': 7}");
	assert_launched("c9", "", "max_parallelism", "7");
	assert_launched("d0", "'max_parallelism': 8", "max_parallelism", "8");
	assert_launched("d1", "", "labels", "{'values': {'of': 'project'}}");
	clear("WorkflowAttributes", WORKFLOW, "WORKFLOW_EXECUTION_CONFIG");
	clear("ProjectDomainAttributes", DOMAIN, "WORKFLOW_EXECUTION_CONFIG");
	clear("ProjectAttributes", PROJECT, "WORKFLOW_EXECUTION_CONFIG");
	use_settings("");
}

static void test_clusters_and_quality_of_service(void **state)
{
	(void)state;
	set("ProjectDomainAttributes", DOMAIN, "'cluster_assignment': {'cluster_pool_name': 'big'}");
	set("ProjectAttributes", PROJECT, "'quality_of_service': {'tier': 'LOW'}");
	assert_launched("q0", "", "cluster_assignment", "{'cluster_pool_name': 'big'}");
	assert_launched("q1", "'cluster_assignment': {'cluster_pool_name': 'big'}", "cluster_assignment",
	                "{'cluster_pool_name': 'big'}");
	assert_launched("q2", "", "quality_of_service", "{'tier': 'LOW'}");
	assert_launched("q3", "'quality_of_service': {'tier': 'HIGH'}", "quality_of_service", "{'tier': 'HIGH'}");
	assert_launched("q4", "'execution_cluster_label': {'value': 'gpu'}", "execution_cluster_label", "{'value': 'gpu'}");
	refuse("CreateExecution",
	       "{" DOMAIN ", 'name': 'q5', 'spec': {'launch_plan': " ID("LAUNCH_PLAN", "wf") ", 'cluster_assignment':"
	       " {'cluster_pool_name': 'small'}}}",
	       ERR_INVALID,
	       "execution with project \"flytesnacks\" and domain \"development\" cannot run on cluster pool \"small\", "
	       "because its configured to run on pool \"big\"");
	clear("ProjectDomainAttributes", DOMAIN, "CLUSTER_ASSIGNMENT");
	clear("ProjectAttributes", PROJECT, "QUALITY_OF_SERVICE_SPECIFICATION");
	use_settings("{clusterPoolAssignments: {development: {pool: of-settings}}, registration: {maxLabelEntries: 1}}");
	assert_launched("q6", "", "cluster_assignment", "{'cluster_pool_name': 'of-settings'}");
	refuse("CreateExecution",
	       "{" DOMAIN ", 'name': 'q7', 'spec': {'launch_plan': " ID("LAUNCH_PLAN", "wf") ", 'labels':"
	       " {'values': {'a': '1', 'b': '2'}}}}",
	       ERR_INVALID, "labels has too many entries [2 > 1]");
	use_settings("");
}

static void assert_quality(const char *plan, const char *name, const char *spec, const char *expected)
{
	auto_json json_t *launched = launch_plan(plan, name, spec);
	assert_equal(json_lookup(launched, "quality_of_service"), expected);
}

/* The request's, else the launch plan's, else the workflow's, else the attributes'; a tier that is not defined says nothing. */
static void test_quality_of_service_of_workflows(void **state)
{
	(void)state;
	set("ProjectAttributes", PROJECT, "'quality_of_service': {'tier': 'LOW'}");
	register_with_quality("quick", "'tier': 'HIGH'", "");
	register_with_quality("patient", "'spec': {'queueing_budget': '60s'}", "'tier': 'MEDIUM'");
	register_with_quality("plain", "'tier': 'UNDEFINED'", "'tier': 'UNDEFINED'");
	assert_quality("quick", "w0", "", "{'tier': 'HIGH'}");
	assert_quality("quick", "w1", "'quality_of_service': {'spec': {'queueing_budget': '5s'}}",
	               "{'spec': {'queueing_budget': '5s'}}");
	assert_quality("quick", "w2", "'quality_of_service': {'tier': 'UNDEFINED'}", "{'tier': 'HIGH'}");
	assert_quality("patient", "w3", "", "{'tier': 'MEDIUM'}");
	assert_quality("plain", "w4", "", "{'tier': 'LOW'}");
	clear("ProjectAttributes", PROJECT, "QUALITY_OF_SERVICE_SPECIFICATION");
	register_with_quality("alone", "'spec': {'queueing_budget': '60s'}", "");
	assert_quality("alone", "w5", "", "{'spec': {'queueing_budget': '60s'}}");
}

/* The first column of the only row, as text. */
static char *stored(const char *sql)
{
	auto_arena struct arena arena = ARENA_INIT(1 << 20);
	auto_err struct err e = ERR_INIT;
	auto_connection struct database_connection *c = NULL;
	struct database_rows rows;
	if (database_borrow(api.database, clock_monotonic_ms() + 10000, &c, &e) < 0 ||
	    database_query(c, &arena, sql, NULL, 0, &rows, &e) < 0)
		fail_msg("%s: %s", sql, err_message(&e));
	assert_int_equal(rows.count, 1);
	return xstrdup(database_text(&rows, 0, 0));
}

static void test_task_resources(void **state)
{
	(void)state;
	auto_free char *greedy = task_request("greedy", "'requests': [{'name': 'MEMORY', 'value': '2Gi'}],"
	                                                " 'limits': [{'name': 'MEMORY', 'value': '4Gi'}]");
	static const char refusal[] = "Requested MEMORY limit [4Gi] is greater than current limit set in the platform "
	                              "configuration [1Gi]. Please contact Flyte Admins to change these limits or consult "
	                              "the configuration";
	use_settings("task_resources: {limits: {memory: 1Gi, cpu: 2}}");
	refuse("CreateTask", greedy, ERR_INVALID, refusal);
	/* attributes of a workflow are not the task's */
	set("WorkflowAttributes", WORKFLOW, "'task_resource_attributes': {'limits': {'memory': '8Gi'}}");
	refuse("CreateTask", greedy, ERR_INVALID, refusal);
	set("ProjectDomainAttributes", DOMAIN, "'task_resource_attributes': {'defaults': {'memory': '300Mi'},"
	                                       " 'limits': {'memory': '4Gi'}}");
	done("CreateTask", greedy);
	/* what an execution runs under is what held when it was made */
	auto_json json_t *of_workflow = launch("r0", "");
	clear("WorkflowAttributes", WORKFLOW, "TASK_RESOURCE");
	auto_json json_t *of_domain = launch("r1", "");
	clear("ProjectDomainAttributes", DOMAIN, "TASK_RESOURCE");
	auto_json json_t *of_settings = launch("r2", "");
	use_settings("");
	auto_free char *first = stored("select resource_policy from executions where name = 'r0'");
	auto_free char *second = stored("select resource_policy from executions where name = 'r1'");
	auto_free char *third = stored("select resource_policy from executions where name = 'r2'");
	assert_string_equal(first, "{\"defaults\":{\"cpu\":\"100m\",\"memory\":\"200Mi\"},"
	                           "\"default_limits\":{\"memory\":\"1Gi\"},\"limits\":{\"memory\":\"8Gi\"}}");
	assert_string_equal(second, "{\"defaults\":{\"cpu\":\"100m\",\"memory\":\"300Mi\"},"
	                            "\"default_limits\":{},\"limits\":{\"memory\":\"4Gi\"}}");
	assert_string_equal(third, "{\"defaults\":{\"cpu\":\"100m\",\"memory\":\"200Mi\"},"
	                           "\"default_limits\":{\"memory\":\"1Gi\"},\"limits\":{\"cpu\":\"2\",\"memory\":\"1Gi\"}}");
}

static int start(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	if (postgres_start(&postgres, &e) < 0) {
		fprintf(stderr, "%s: %s\n", e.kind == ERR_NOT_FOUND ? "skipped" : "failed", err_message(&e));
		exit(e.kind == ERR_NOT_FOUND ? POSTGRES_SKIP : 1);
	}
	config = api_config_default;
	store = fake_objects_start();
	api = (struct api){
		.database = database_new(postgres_url(postgres), 8),
		.objects = objects_new(&(struct objects_options){ .endpoint = fake_objects_endpoint(store),
		                                                  .access_key = "minio",
		                                                  .secret_key = "miniostorage",
		                                                  .region = "us-east-1" }),
		.config = &config,
	};
	json_calls_api(&api);
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
		cmocka_unit_test(test_every_type_at_every_level),
		cmocka_unit_test(test_the_most_specific_wins),
		cmocka_unit_test(test_plugin_overrides_add_up),
		cmocka_unit_test(test_plugin_overrides_of_several_at_once),
		cmocka_unit_test(test_execution_config_of_a_project),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_archived_project),
		cmocka_unit_test(test_execution_config),
		cmocka_unit_test(test_clusters_and_quality_of_service),
		cmocka_unit_test(test_quality_of_service_of_workflows),
		cmocka_unit_test(test_task_resources),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
