/* update: states of launch plans, executions and names, projects, attributes; with flytectl's flags and files
 * (flytectl/cmd/update at v1.16.8). */
#include "base/text.h"
#include "cli/flytectl/flyte_attributes.h"
#include "cli/flytectl/flyte_print.h"
#include "cli/flytectl/flyte_project.h"
#include "cli/framework/verb.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"

struct update_values {
	struct flyte_options flyte;
	struct flyte_project project;
	const char *attribute_file;
	const char *version;
	bool activate;
	bool deactivate;
	bool archive;
	bool activate_project;
	bool archive_project;
	bool dry_run;
	bool force;
};

#define FIELD(field) offsetof(struct update_values, field)
#define FLAG(option, member, sentence) OPTION_FLAG_AT(option, FIELD(member), sentence)
static const struct option update_options[] = {
	FLYTE_OPTIONS,
	{ .name = "attrFile",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(attribute_file),
	  .value = "FILE",
	  .help = "attributes: project, domain, workflow and what is to hold there" },
	{ .name = "version",
	  .kind = OPTION_TEXT,
	  .offset = FIELD(version),
	  .value = "VERSION",
	  .help = "launchplan: which one" },
	FLAG("activate", activate, "launchplan, project, execution, or what ends in -meta: make it active"),
	FLAG("deactivate", deactivate, "launchplan: end its schedule"),
	FLAG("archive", archive, "project, execution, or what ends in -meta: hide it; launchplan: as --deactivate"),
	FLAG("activateProject", activate_project, "as --activate"),
	FLAG("archiveProject", archive_project, "as --archive"),
	FLYTE_PROJECT_OPTIONS(FIELD(project)),
	FLAG("dryRun", dry_run, "show what would change, and change nothing"),
	FLAG("force", force, "do not ask"),
	{ .name = NULL },
};

struct update {
	struct flyte *flyte;
	const struct update_values *values;
	const char *name; /* or NULL */
};

static int need_name(const struct update *update, const char *what, struct err *e)
{
	return update->name ? 0 : err_set(e, ERR_USAGE, "missing-argument", "%s name wasn't passed", what);
}

/* Shows the change and asks. 1 to go on, 0 when there is nothing to do. */
static int agree(const struct update *update, const char *before, const char *after, struct err *e)
{
	if (!flyte_print_changes(before, after))
		return 0;
	if (update->values->dry_run) {
		puts("skipping the update request (DryRun)");
		return 0;
	}
	if (!update->values->force && flyte_confirm(update->flyte->cli, "Continue?", "--force", e) < 0)
		return -1;
	return 1;
}

static int agree_states(const struct update *update, int before, int after, struct err *e)
{
	auto_free char *old_text = xasprintf("state: %d\n", before);
	auto_free char *new_text = xasprintf("state: %d\n", after);
	return agree(update, old_text, new_text, e);
}

static int update_launch_plan(struct update *update, struct err *e)
{
	const struct update_values *values = update->values;
	const bool deactivate = values->deactivate || values->archive;
	struct arena *arena = &update->flyte->arena;
	if (need_name(update, "launch plan", e) < 0)
		return -1;
	if (text_is_empty(values->version))
		return err_set(e, ERR_USAGE, "missing-option", "launch plan version wasn't passed");
	if (values->activate && deactivate)
		return err_set(e, ERR_USAGE, "bad-option",
		               "invalid state passed. Specify either activate or deactivate");
	const Flyteidl__Admin__LaunchPlanState state = values->activate ? FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__ACTIVE
	                                                                : FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__INACTIVE;
	Flyteidl__Admin__ObjectGetRequest *get = proto_new(arena, flyteidl__admin__object_get_request);
	get->id = flyte_identifier(update->flyte, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, update->name,
	                           values->version);
	const Flyteidl__Admin__LaunchPlan *plan =
	        flyte_call(update->flyte, "GetLaunchPlan", get, flyteidl__admin__launch_plan, e);
	if (!plan)
		return err_wrap(e, "update launch plan %s: could not fetch launch plan", update->name);
	const int agreed = agree_states(update, plan->closure ? (int)plan->closure->state : 0, (int)state, e);
	if (agreed <= 0)
		return agreed;
	Flyteidl__Admin__LaunchPlanUpdateRequest *request =
	        proto_new(arena, flyteidl__admin__launch_plan_update_request);
	request->id = get->id;
	request->state = state;
	if (!flyte_call(update->flyte, "UpdateLaunchPlan", request, flyteidl__admin__launch_plan_update_response, e))
		return err_wrap(e, "launch plan %s failed to update", update->name);
	printf("updated launch plan successfully on %s\n", update->name);
	return 0;
}

static int update_execution(struct update *update, struct err *e)
{
	const struct update_values *values = update->values;
	struct arena *arena = &update->flyte->arena;
	if (need_name(update, "execution", e) < 0)
		return -1;
	if (values->activate && values->archive)
		return err_set(e, ERR_USAGE, "bad-option", "invalid state passed. Specify either activate or archive");
	const Flyteidl__Admin__ExecutionState state = values->archive
	                                                      ? FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ARCHIVED
	                                                      : FLYTEIDL__ADMIN__EXECUTION_STATE__EXECUTION_ACTIVE;
	Flyteidl__Admin__WorkflowExecutionGetRequest *get =
	        proto_new(arena, flyteidl__admin__workflow_execution_get_request);
	get->id = flyte_execution_id(update->flyte, update->name);
	const Flyteidl__Admin__Execution *execution =
	        flyte_call(update->flyte, "GetExecution", get, flyteidl__admin__execution, e);
	if (!execution)
		return err_wrap(e, "update execution: could not fetch execution %s", update->name);
	const Flyteidl__Admin__ExecutionStateChangeDetails *change =
	        execution->closure ? execution->closure->state_change_details : NULL;
	const int agreed = agree_states(update, change ? (int)change->state : 0, (int)state, e);
	if (agreed <= 0)
		return agreed;
	Flyteidl__Admin__ExecutionUpdateRequest *request = proto_new(arena, flyteidl__admin__execution_update_request);
	request->id = get->id;
	request->state = state;
	if (!flyte_call(update->flyte, "UpdateExecution", request, flyteidl__admin__execution_update_response, e))
		return -1;
	printf("updated execution %s successfully to state %s\n", update->name,
	       values->archive ? "EXECUTION_ARCHIVED" : "EXECUTION_ACTIVE");
	return 0;
}

static Flyteidl__Admin__Project *find_project(struct update *update, const char *id, struct err *e)
{
	Flyteidl__Admin__ProjectListRequest *request =
	        proto_new(&update->flyte->arena, flyteidl__admin__project_list_request);
	request->limit = 1;
	request->filters = arena_printf(&update->flyte->arena, "eq(identifier,%s)", id);
	const Flyteidl__Admin__Projects *answer =
	        flyte_call(update->flyte, "ListProjects", request, flyteidl__admin__projects, e);
	if (answer && !answer->n_projects)
		err_set(e, ERR_NOT_FOUND, "nothing-found", "project %s not found", id);
	return answer && answer->n_projects ? answer->projects[0] : NULL;
}

/* What can be changed of a project, as YAML. */
static char *project_text(const Flyteidl__Admin__Project *project)
{
	auto_buf struct buf text = BUF_INIT(1024 * 1024);
	(void)buf_add_format(&text, "description: %s\nid: %s\n", project->description, project->id);
	for (size_t i = 0; project->labels && i < project->labels->n_values; i++)
		(void)buf_add_format(&text, "%s  %s: %s\n", i ? "" : "labels:\n", project->labels->values[i]->key,
		                     project->labels->values[i]->value);
	(void)buf_add_format(&text, "name: %s\nstate: %d\n", project->name, (int)project->state);
	return buf_steal(&text);
}

/* What is not said stays as it is. */
static int update_project(struct update *update, struct err *e)
{
	const struct update_values *values = update->values;
	const bool archive = values->archive || values->archive_project;
	const bool activate = values->activate || values->activate_project;
	if (archive && activate)
		return err_set(e, ERR_USAGE, "bad-option", "invalid state passed. Specify either activate or archive");
	Flyteidl__Admin__Project *wanted = flyte_project_of(update->flyte, &values->flyte, &values->project, e);
	Flyteidl__Admin__Project *before = wanted ? find_project(update, wanted->id, e) : NULL;
	if (!before)
		return -1;
	Flyteidl__Admin__Project *after = proto_new(&update->flyte->arena, flyteidl__admin__project);
	after->id = before->id;
	after->name = *wanted->name ? wanted->name : before->name;
	after->description = *wanted->description ? wanted->description : before->description;
	after->labels = wanted->labels ? wanted->labels : before->labels;
	after->state = before->state;
	/* With a file, --archive says that its state counts. */
	if (values->project.file && archive)
		after->state = wanted->state;
	else if (archive)
		after->state = FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ARCHIVED;
	else if (activate)
		after->state = FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ACTIVE;
	auto_free char *old_text = project_text(before);
	auto_free char *new_text = project_text(after);
	const int agreed = agree(update, old_text, new_text, e);
	if (agreed <= 0)
		return agreed;
	if (!flyte_call(update->flyte, "UpdateProject", after, flyteidl__admin__project_update_response, e))
		return err_wrap(e, "Project %s failed to update", after->id);
	printf("project %s updated\n", after->id);
	return 0;
}

static int update_name(struct update *update, Flyteidl__Core__ResourceType type, const char *what, struct err *e)
{
	const struct update_values *values = update->values;
	struct arena *arena = &update->flyte->arena;
	if (need_name(update, what, e) < 0)
		return -1;
	if (values->activate && values->archive)
		return err_set(e, ERR_USAGE, "bad-option", "invalid state passed. Specify either activate or archive");
	Flyteidl__Admin__NamedEntityGetRequest *get = proto_new(arena, flyteidl__admin__named_entity_get_request);
	get->resource_type = type;
	get->id = proto_new(arena, flyteidl__admin__named_entity_identifier);
	get->id->project = arena_strdup(arena, update->flyte->project);
	get->id->domain = arena_strdup(arena, update->flyte->domain);
	get->id->name = arena_strdup(arena, update->name);
	const Flyteidl__Admin__NamedEntity *entity =
	        flyte_call(update->flyte, "GetNamedEntity", get, flyteidl__admin__named_entity, e);
	if (!entity)
		return -1;
	Flyteidl__Admin__NamedEntityUpdateRequest *request =
	        proto_new(arena, flyteidl__admin__named_entity_update_request);
	request->resource_type = type;
	request->id = get->id;
	request->metadata = proto_new(arena, flyteidl__admin__named_entity_metadata);
	const Flyteidl__Admin__NamedEntityMetadata *before = entity->metadata ? entity->metadata : request->metadata;
	request->metadata->description =
	        values->project.description ? arena_strdup(arena, values->project.description) : before->description;
	request->metadata->state = values->archive    ? FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__NAMED_ENTITY_ARCHIVED
	                           : values->activate ? FLYTEIDL__ADMIN__NAMED_ENTITY_STATE__NAMED_ENTITY_ACTIVE
	                                              : before->state;
	auto_free char *old_text = xasprintf("description: %s\nstate: %d\n", before->description, (int)before->state);
	auto_free char *new_text = xasprintf("description: %s\nstate: %d\n", request->metadata->description,
	                                     (int)request->metadata->state);
	const int agreed = agree(update, old_text, new_text, e);
	if (agreed <= 0)
		return agreed;
	if (!flyte_call(update->flyte, "UpdateNamedEntity", request, flyteidl__admin__named_entity_update_response, e))
		return err_wrap(e, "%s %s failed to update", what, update->name);
	printf("updated metadata successfully on %s\n", update->name);
	return 0;
}

static int update_launch_plan_name(struct update *update, struct err *e)
{
	return update_name(update, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN, "launch plan", e);
}

static int update_workflow_name(struct update *update, struct err *e)
{
	return update_name(update, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "workflow", e);
}

static int update_task_name(struct update *update, struct err *e)
{
	return update_name(update, FLYTEIDL__CORE__RESOURCE_TYPE__TASK, "task", e);
}

static const struct resource {
	const char *name;
	int (*update)(struct update *update, struct err *e);
} resources[] = {
	{ "launchplan", update_launch_plan },      { "project", update_project },
	{ "execution", update_execution },         { "launchplan-meta", update_launch_plan_name },
	{ "workflow-meta", update_workflow_name }, { "task-meta", update_task_name },
};

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	auto_flyte struct flyte flyte = FLYTE_INIT;
	const struct update_values *values = context;
	struct update update = { .flyte = &flyte, .values = values, .name = count > 1 ? arguments[1] : NULL };
	const struct attribute_kind *kind = attribute_kind_find(arguments[0]);
	const struct resource *resource = NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(resources); i++) {
		if (text_equal(arguments[0], resources[i].name))
			resource = &resources[i];
	}
	if (!kind && !resource) {
		err_set(e, ERR_USAGE, "unknown-resource", "`sandbox update` does not know '%s'", arguments[0]);
		return err_hint(e, "`sandbox help update` lists what there is");
	}
	if (flyte_open(cli, &values->flyte, &flyte, e) < 0)
		return -1;
	if (!kind)
		return resource->update(&update, e);
	const struct attribute_change change = { .file = values->attribute_file,
		                                 .dry_run = values->dry_run,
		                                 .force = values->force };
	return flyte_attributes_update(&flyte, kind, &change, e);
}

const struct verb verb_update = {
	.name = "update",
	.summary = "change launch plans, projects, executions and attributes in Flyte",
	.arguments = "RESOURCE [NAME]",
	.words = (const char *const[]){ "launchplan", "project", "execution", "launchplan-meta", "workflow-meta",
	                                "task-meta", FLYTE_ATTRIBUTE_NAMES, NULL },
	.description =
	        "RESOURCE is launchplan, project, execution, launchplan-meta, workflow-meta, task-meta, or an "
	        "attribute: task-resource-attribute, cluster-resource-attribute, execution-queue-attribute, "
	        "execution-cluster-label, plugin-override, workflow-execution-config (all with --attrFile). What "
	        "changes is shown, and asked for unless --force. Names, flags and files are flytectl's.",
	.examples = "sandbox update task-resource-attribute --attrFile tra.yaml --force\tother limits\n"
	            "sandbox update launchplan hello.daily --version v1 --activate --force\tstart a schedule\n"
	            "sandbox update project -p tutorial --archive --force\thide a project",
	.options = update_options,
	.values_size = sizeof(struct update_values),
	.arguments_minimum = 1,
	.arguments_maximum = 2,
	.run = run,
};
