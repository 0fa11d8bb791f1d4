/* get: what Flyte has, with flytectl's names, flags and columns (flytectl/cmd/get at v1.16.8). */
#include "base/clock.h"
#include "base/text.h"
#include "cli/flytectl/flyte_attributes.h"
#include "cli/flytectl/flyte_details.h"
#include "cli/flytectl/flyte_print.h"
#include "cli/framework/verb.h"
#include "flyte/execution_file.h"
#include "flyte/selector.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/project.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

struct get_values {
	struct flyte_options flyte;
	const char *selector;
	const char *sort_by;
	int64_t limit;
	int64_t page;
	bool ascending;
	bool latest;
	const char *version;
	const char *execution_file;
	const char *workflow;
	bool details;
	const char *node;
	const char *attribute_file;
	bool generate;
};

#define FIELD(field) offsetof(struct get_values, field)
static const struct option get_options[] = {
	FLYTE_OPTIONS,
	{ .name = "filter.fieldSelector",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(selector),
	  .value = "TERMS",
	  .of_project = true,
	  .help = "only those, e.g. \"execution.phase in (FAILED;SUCCEEDED),execution.duration<200\"" },
	{ .name = "filter.sortBy",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(sort_by),
	  .value = "FIELD",
	  .of_project = true,
	  .help = "what they are sorted by; created_at where nothing is said" },
	{ .name = "filter.asc",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(ascending),
	  .of_project = true,
	  .help = "the smallest or oldest first" },
	{ .name = "filter.limit",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(limit),
	  .value = "N",
	  .fallback = "100",
	  .minimum = 1,
	  .maximum = 10000,
	  .of_project = true,
	  .help = "how many at most" },
	{ .name = "filter.page",
	  .kind = OPTION_NUMBER,
	  .offset = FIELD(page),
	  .value = "N",
	  .fallback = "1",
	  .minimum = 1,
	  .maximum = 1000000,
	  .of_project = true,
	  .help = "which page of that many" },
	{ .name = "latest",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(latest),
	  .of_project = true,
	  .help = "the newest version; --version does not count then" },
	{ .name = "version",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(version),
	  .value = "VERSION",
	  .of_project = true,
	  .help = "that version" },
	{ .name = "execFile",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(execution_file),
	  .value = "FILE",
	  .help = "task, launchplan: write a file for `create execution --execFile`, with every input" },
	{ .name = "workflow",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(workflow),
	  .value = "NAME",
	  .of_project = true,
	  .help = "launchplan: only those of this workflow" },
	{ .name = "details",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(details),
	  .of_project = true,
	  .help = "execution: its nodes, tasks, inputs and outputs" },
	{ .name = "nodeID",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(node),
	  .value = "NODE",
	  .of_project = true,
	  .help = "execution: the details of one node" },
	{ .name = "attrFile",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(attribute_file),
	  .value = "FILE",
	  .help = "attributes: write them to a file for `update`" },
	{ .name = "gen",
	  .kind = OPTION_FLAG,
	  .offset = FIELD(generate),
	  .help = "workflow-execution-config: a sample where nothing is set" },
	{ .name = NULL },
};

struct get {
	struct flyte *flyte;
	const struct get_values *values;
	const char *name; /* or NULL */
};

#define PRINT(get, columns, list, count, e)                                                                            \
	flyte_print((get)->flyte->cli, (columns), ARRAY_LENGTH(columns), (ProtobufCMessage *const *)(list), (count),   \
	            (e))

/* ---- Requests ---- */

static Flyteidl__Admin__Sort *sort_of(struct get *get, const char *fallback)
{
	const char *key = get->values->sort_by ? get->values->sort_by : fallback;
	if (!key)
		return NULL;
	Flyteidl__Admin__Sort *sort = proto_new(&get->flyte->arena, flyteidl__admin__sort);
	sort->key = arena_strdup(&get->flyte->arena, key);
	sort->direction = get->values->ascending ? FLYTEIDL__ADMIN__SORT__DIRECTION__ASCENDING
	                                         : FLYTEIDL__ADMIN__SORT__DIRECTION__DESCENDING;
	return sort;
}

static char *token_of(struct get *get)
{
	const int64_t skipped = (get->values->page - 1) * get->values->limit;
	return skipped ? arena_printf(&get->flyte->arena, "%lld", (long long)skipped)
	               : arena_strdup(&get->flyte->arena, "");
}

static char *filters_of(struct get *get, struct err *e)
{
	const char *filters = selector_to_filters(&get->flyte->arena, get->values->selector, e);
	if (filters && get->values->workflow) {
		if (*filters) {
			err_set(e, ERR_USAGE, "bad-selector", "fieldSelector cannot be specified with workflow flag");
			return NULL;
		}
		filters = arena_printf(&get->flyte->arena, "eq(workflow.name,%s)", get->values->workflow);
	}
	return filters ? arena_strdup(&get->flyte->arena, filters) : NULL;
}

static Flyteidl__Admin__ResourceListRequest *list_request(struct get *get, struct err *e)
{
	struct arena *arena = &get->flyte->arena;
	Flyteidl__Admin__ResourceListRequest *request = proto_new(arena, flyteidl__admin__resource_list_request);
	request->id = proto_new(arena, flyteidl__admin__named_entity_identifier);
	request->id->project = arena_strdup(arena, get->flyte->project);
	request->id->domain = arena_strdup(arena, get->flyte->domain);
	request->id->name = arena_strdup(arena, get->name);
	request->limit = get->values->latest ? 1 : (uint32_t)get->values->limit;
	request->token = token_of(get);
	request->sort_by = sort_of(get, "created_at");
	request->filters = filters_of(get, e);
	return request->filters ? request : NULL;
}

static Flyteidl__Admin__ObjectGetRequest *object_request(struct get *get, Flyteidl__Core__ResourceType type,
                                                         const char *version)
{
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&get->flyte->arena, flyteidl__admin__object_get_request);
	request->id = flyte_identifier(get->flyte, type, get->name, version);
	return request;
}

static int nothing_found(const struct get *get, const char *what, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "nothing-found", "no %s retrieved for %s in %s/%s", what,
	               get->name ? get->name : "any name", get->flyte->project, get->flyte->domain);
}

/* One version by its number: with a name, --version and without --latest. */
static bool wants_version(const struct get *get)
{
	return get->name && get->values->version && !get->values->latest;
}

static int write_execution_file(struct get *get, bool is_task, const Flyteidl__Core__Identifier *id,
                                const struct execution_inputs *inputs, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(EXECUTION_FILE_MAXIMUM);
	if (execution_file_print(&get->flyte->arena, is_task, id->name, id->version, inputs,
	                         clock_wall_ns() / 1000000000, &text, e) < 0)
		return -1;
	return flyte_write_file(get->flyte->cli, get->values->execution_file, &text, e);
}

/* ---- Resources ---- */

static int get_projects(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = { { .heading = "ID", .path = "id" },
		                                       { .heading = "Name", .path = "name" },
		                                       { .heading = "Description", .path = "description" } };
	Flyteidl__Admin__ProjectListRequest *request =
	        proto_new(&get->flyte->arena, flyteidl__admin__project_list_request);
	request->limit = (uint32_t)get->values->limit;
	request->token = token_of(get);
	request->sort_by = sort_of(get, "created_at");
	request->filters =
	        get->name ? arena_printf(&get->flyte->arena, "eq(identifier,%s)", get->name) : filters_of(get, e);
	if (!request->filters)
		return -1;
	const Flyteidl__Admin__Projects *answer =
	        flyte_call(get->flyte, "ListProjects", request, flyteidl__admin__projects, e);
	if (!answer)
		return -1;
	if (get->name && !answer->n_projects)
		return err_set(e, ERR_NOT_FOUND, "nothing-found", "project %s not found", get->name);
	return PRINT(get, columns, answer->projects, answer->n_projects, e);
}

static int get_domains(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = { { .heading = "ID", .path = "id" },
		                                       { .heading = "Name", .path = "name" } };
	Flyteidl__Admin__GetDomainRequest *request = proto_new(&get->flyte->arena, flyteidl__admin__get_domain_request);
	const Flyteidl__Admin__GetDomainsResponse *answer =
	        flyte_call(get->flyte, "GetDomains", request, flyteidl__admin__get_domains_response, e);
	return answer ? PRINT(get, columns, answer->domains, answer->n_domains, e) : -1;
}

#define TEMPLATE "closure/compiledTask/template"
static int get_tasks(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = {
		{ .heading = "Version", .path = "id/version" },
		{ .heading = "Name", .path = "id/name" },
		{ .heading = "Type", .path = TEMPLATE "/type" },
		{ .heading = "Inputs", .path = TEMPLATE "/interface/inputs/variables", .description = "description" },
		{ .heading = "Outputs", .path = TEMPLATE "/interface/outputs/variables", .description = "description" },
		{ .heading = "Discoverable", .path = TEMPLATE "/metadata/discoverable" },
		{ .heading = "Discovery Version", .path = TEMPLATE "/metadata/discoveryVersion" },
		{ .heading = "Created At", .path = "closure/createdAt" },
	};
	Flyteidl__Admin__Task *one = NULL;
	Flyteidl__Admin__Task **tasks = &one;
	size_t count = 1;
	if (wants_version(get)) {
		one = flyte_call(get->flyte, "GetTask",
		                 object_request(get, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, get->values->version),
		                 flyteidl__admin__task, e);
		if (!one)
			return -1;
	} else {
		Flyteidl__Admin__ResourceListRequest *request = list_request(get, e);
		const Flyteidl__Admin__TaskList *list =
		        request ? flyte_call(get->flyte, "ListTasks", request, flyteidl__admin__task_list, e) : NULL;
		if (!list)
			return -1;
		tasks = list->tasks;
		count = list->n_tasks;
	}
	if (!count)
		return nothing_found(get, "tasks", e);
	if (get->name && get->values->execution_file) {
		const Flyteidl__Admin__TaskClosure *closure = tasks[0]->closure;
		const Flyteidl__Core__TaskTemplate *task =
		        closure && closure->compiled_task ? closure->compiled_task->template_ : NULL;
		struct execution_inputs inputs = execution_inputs_of_variables(
		        &get->flyte->arena, task && task->interface ? task->interface->inputs : NULL);
		if (write_execution_file(get, true, tasks[0]->id, &inputs, e) < 0)
			return -1;
	}
	return PRINT(get, columns, tasks, count, e);
}

/* All names, as flytectl lists workflows when none is named. */
static int get_workflow_names(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = {
		{ .heading = "Project", .path = "id/project" },
		{ .heading = "Domain", .path = "id/domain" },
		{ .heading = "Name", .path = "id/name" },
		{ .heading = "Description", .path = "metadata/description" },
		{ .heading = "State", .path = "metadata/state" },
	};
	Flyteidl__Admin__NamedEntityListRequest *request =
	        proto_new(&get->flyte->arena, flyteidl__admin__named_entity_list_request);
	request->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW;
	request->project = arena_strdup(&get->flyte->arena, get->flyte->project);
	request->domain = arena_strdup(&get->flyte->arena, get->flyte->domain);
	request->limit = (uint32_t)get->values->limit;
	request->token = token_of(get);
	request->sort_by = sort_of(get, NULL);
	request->filters = filters_of(get, e);
	if (!request->filters)
		return -1;
	const Flyteidl__Admin__NamedEntityList *list =
	        flyte_call(get->flyte, "ListNamedEntities", request, flyteidl__admin__named_entity_list, e);
	if (!list)
		return -1;
	return list->n_entities ? PRINT(get, columns, list->entities, list->n_entities, e)
	                        : nothing_found(get, "workflow", e);
}

#define PRIMARY "closure/compiledWorkflow/primary/template/interface"
static int get_workflow(struct get *get, const char *version, struct err *e)
{
	static const struct flyte_column columns[] = {
		{ .heading = "Version", .path = "id/version" },
		{ .heading = "Name", .path = "id/name" },
		{ .heading = "Inputs", .path = PRIMARY "/inputs/variables", .description = "description" },
		{ .heading = "Outputs", .path = PRIMARY "/outputs/variables", .description = "description" },
		{ .heading = "Created At", .path = "closure/createdAt" },
	};
	Flyteidl__Admin__Workflow *workflow = flyte_call(
	        get->flyte, "GetWorkflow", object_request(get, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, version),
	        flyteidl__admin__workflow, e);
	return workflow ? PRINT(get, columns, &workflow, 1, e) : -1;
}

static int get_workflows(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = { { .heading = "Version", .path = "id/version" },
		                                       { .heading = "Name", .path = "id/name" },
		                                       { .heading = "Created At", .path = "closure/createdAt" } };
	if (!get->name)
		return get_workflow_names(get, e);
	if (wants_version(get))
		return get_workflow(get, get->values->version, e);
	Flyteidl__Admin__ResourceListRequest *request = list_request(get, e);
	const Flyteidl__Admin__WorkflowList *list =
	        request ? flyte_call(get->flyte, "ListWorkflows", request, flyteidl__admin__workflow_list, e) : NULL;
	if (!list)
		return -1;
	if (!list->n_workflows)
		return nothing_found(get, "workflow", e);
	if (get->values->latest)
		return get_workflow(get, list->workflows[0]->id->version, e);
	return PRINT(get, columns, list->workflows, list->n_workflows, e);
}

static int get_launch_plans(struct get *get, struct err *e)
{
	static const struct flyte_column all[] = { { .heading = "Version", .path = "id/version" },
		                                   { .heading = "Name", .path = "id/name" },
		                                   { .heading = "Type", .path = "id/resourceType" },
		                                   { .heading = "CreatedAt", .path = "closure/createdAt" } };
	static const struct flyte_column one[] = {
		{ .heading = "Version", .path = "id/version" },
		{ .heading = "Name", .path = "id/name" },
		{ .heading = "Type", .path = "id/resourceType" },
		{ .heading = "State", .path = "closure/state" },
		{ .heading = "Schedule", .path = "spec/entityMetadata/schedule" },
		{ .heading = "Inputs", .path = "closure/expectedInputs/parameters", .description = "var/description" },
		{ .heading = "Outputs", .path = "closure/expectedOutputs/variables", .description = "description" },
	};
	Flyteidl__Admin__LaunchPlan *single = NULL;
	Flyteidl__Admin__LaunchPlan **plans = &single;
	size_t count = 1;
	if (wants_version(get)) {
		single = flyte_call(
		        get->flyte, "GetLaunchPlan",
		        object_request(get, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, get->values->version),
		        flyteidl__admin__launch_plan, e);
		if (!single)
			return -1;
	} else {
		Flyteidl__Admin__ResourceListRequest *request = list_request(get, e);
		const Flyteidl__Admin__LaunchPlanList *list =
		        request ? flyte_call(get->flyte, "ListLaunchPlans", request, flyteidl__admin__launch_plan_list,
		                             e)
		                : NULL;
		if (!list)
			return -1;
		plans = list->launch_plans;
		count = list->n_launch_plans;
	}
	if (!count)
		return nothing_found(get, "launchplans", e);
	if (get->name && get->values->execution_file) {
		struct execution_inputs inputs = execution_inputs_of_parameters(
		        &get->flyte->arena, plans[0]->spec ? plans[0]->spec->default_inputs : NULL);
		if (write_execution_file(get, false, plans[0]->id, &inputs, e) < 0)
			return -1;
	}
	return get->name ? PRINT(get, one, plans, count, e) : PRINT(get, all, plans, count, e);
}

static int get_executions(struct get *get, struct err *e)
{
	static const struct flyte_column columns[] = {
		{ .heading = "Name", .path = "id/name" },
		{ .heading = "Launch Plan Name", .path = "spec/launchPlan/name" },
		{ .heading = "Version", .path = "spec/launchPlan/version" },
		{ .heading = "Type", .path = "spec/launchPlan/resourceType" },
		{ .heading = "Phase", .path = "closure/phase" },
		{ .heading = "Scheduled Time", .path = "spec/metadata/scheduledAt" },
		{ .heading = "Started", .path = "closure/startedAt" },
		{ .heading = "Elapsed Time", .path = "closure/duration" },
		{ .heading = "Abort data (Trunc)", .path = "closure/abortMetadata/cause", .maximum = 100 },
		{ .heading = "Error data (Trunc)", .path = "closure/error/message", .maximum = 100 },
	};
	if (!get->name) {
		Flyteidl__Admin__ResourceListRequest *request = list_request(get, e);
		const Flyteidl__Admin__ExecutionList *list =
		        request ? flyte_call(get->flyte, "ListExecutions", request, flyteidl__admin__execution_list, e)
		                : NULL;
		return list ? PRINT(get, columns, list->executions, list->n_executions, e) : -1;
	}
	Flyteidl__Admin__WorkflowExecutionGetRequest *request =
	        proto_new(&get->flyte->arena, flyteidl__admin__workflow_execution_get_request);
	request->id = flyte_execution_id(get->flyte, get->name);
	Flyteidl__Admin__Execution *execution =
	        flyte_call(get->flyte, "GetExecution", request, flyteidl__admin__execution, e);
	if (!execution)
		return -1;
	if (get->values->details || get->values->node)
		return flyte_details_print(get->flyte, get->name, get->values->node, e);
	return PRINT(get, columns, &execution, 1, e);
}

static const struct resource {
	const char *name;
	const char *plural;
	int (*get)(struct get *get, struct err *e);
} resources[] = {
	{ "project", "projects", get_projects },
	{ "domain", "domains", get_domains },
	{ "task", "tasks", get_tasks },
	{ "workflow", "workflows", get_workflows },
	{ "launchplan", "launchplans", get_launch_plans },
	{ "execution", "executions", get_executions },
};

static int unknown_resource(const char *name, struct err *e)
{
	const char *names[ARRAY_LENGTH(resources) + 8];
	size_t count = 0;
	for (; count < ARRAY_LENGTH(resources); count++)
		names[count] = resources[count].name;
	for (size_t i = 0; i < attribute_kind_count; i++)
		names[count++] = attribute_kinds[i].name;
	const char *near = text_suggest(name, names, count);
	err_set(e, ERR_USAGE, "unknown-resource", "`sandbox get` does not know '%s'", name);
	return near ? err_hint(e, "did you mean '%s'?", near) : err_hint(e, "`sandbox help get` lists what there is");
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct get_values *values = context;
	auto_flyte struct flyte flyte = FLYTE_INIT;
	const struct attribute_kind *kind = attribute_kind_find(arguments[0]);
	const struct resource *resource = NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(resources); i++) {
		if (text_equal(arguments[0], resources[i].name) || text_equal(arguments[0], resources[i].plural))
			resource = &resources[i];
	}
	if (!kind && !resource)
		return unknown_resource(arguments[0], e);
	if (flyte_open(cli, &values->flyte, &flyte, e) < 0)
		return -1;
	const char *name = count > 1 ? arguments[1] : NULL;
	if (kind) {
		const struct attribute_scope scope = attribute_scope_of(&values->flyte, name);
		return flyte_attributes_show(&flyte, kind, &scope, values->attribute_file, values->generate, e);
	}
	struct get get = { .flyte = &flyte, .values = values, .name = name };
	return resource->get(&get, e);
}

const struct verb verb_get = {
	.name = "get",
	.summary = "show Flyte's projects, tasks, workflows, launch plans, executions, attributes",
	.arguments = "RESOURCE [NAME]",
	.words = (const char *const[]){ "project", "domain", "task", "workflow", "launchplan", "execution",
	                                FLYTE_ATTRIBUTE_NAMES, NULL },
	.description =
	        "RESOURCE is project, domain, task, workflow, launchplan, execution, or an attribute: "
	        "task-resource-attribute, cluster-resource-attribute, execution-queue-attribute, "
	        "execution-cluster-label, plugin-override, workflow-execution-config (with NAME: of that workflow). "
	        "Names and flags are flytectl's.\n\nThe control plane is the instance's, unless --admin.endpoint, "
	        "--config or FLYTECTL_CONFIG say otherwise.",
	.examples = "sandbox get execution -p flytesnacks -d development\tthe newest executions\n"
	            "sandbox get execution f6a8c --details\tits nodes and tasks\n"
	            "sandbox get launchplan hello.wf --latest --execFile run.yaml\ta file to launch it with\n"
	            "sandbox get task-resource-attribute -p flytesnacks -d development --attrFile tra.yaml\tlimits, as "
	            "a file",
	.options = get_options,
	.formats = flyte_formats,
	.values_size = sizeof(struct get_values),
	.arguments_minimum = 1,
	.arguments_maximum = 2,
	.run = run,
};
