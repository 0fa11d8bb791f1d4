/* create: executions and projects, with flytectl's flags and files (flytectl/cmd/create at v1.16.8). */
#include "base/file.h"
#include "base/text.h"
#include "cli/flytectl/flyte_print.h"
#include "cli/flytectl/flyte_project.h"
#include "cli/framework/verb.h"
#include "flyte/execution_file.h"

#include "flyteidl/admin/execution.pb-c.h"
#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/project.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"

struct create_values {
	struct flyte_options flyte;
	struct flyte_project project; /* of `create project` */
	const char *execution_file;
	const char *task;
	const char *target_project;
	const char *target_domain;
	const char *target_execution_cluster;
	const char *service_account;
	const char *iam_role;
	const char *relaunch;
	const char *recover;
	const char *version;
	const char *cluster_pool;
	bool overwrite_cache;
	bool dry_run;
};

#define FIELD(field) offsetof(struct create_values, field)
#define TEXT(option, member, placeholder, sentence) OPTION_TEXT_AT(option, FIELD(member), placeholder, sentence)
static const struct option create_options[] = {
	FLYTE_OPTIONS,
	TEXT("execFile", execution_file, "FILE", "execution: what to launch, and its inputs"),
	TEXT("task", task, "NAME", "execution: launch that task, whatever the file names"),
	TEXT("targetProject", target_project, "PROJECT", "execution: project that it runs in"),
	TEXT("targetDomain", target_domain, "DOMAIN", "execution: domain that it runs in"),
	TEXT("targetExecutionCluster", target_execution_cluster, "LABEL", "execution: cluster label"),
	TEXT("kubeServiceAcct", service_account, "NAME", "execution: Kubernetes service account"),
	TEXT("iamRoleARN", iam_role, "ROLE", "execution: IAM role"),
	TEXT("relaunch", relaunch, "NAME", "execution: launch that execution again"),
	TEXT("recover", recover, "NAME", "execution: again, from where that execution failed"),
	TEXT("version", version, "VERSION", "execution: of the task or launch plan"),
	TEXT("clusterPool", cluster_pool, "POOL", "execution: cluster pool"),
	OPTION_FLAG_AT("overwriteCache", FIELD(overwrite_cache), "execution: compute everything anew and store it"),
	FLYTE_PROJECT_OPTIONS(FIELD(project)),
	OPTION_FLAG_AT("dryRun", FIELD(dry_run), "check, and change nothing"),
	{ .name = NULL },
};

/* ---- Executions ---- */

static int print_identifier(const struct flyte *flyte, const Flyteidl__Core__WorkflowExecutionIdentifier *id)
{
	if (cli_wants_json(flyte->cli))
		flyte_put_json(
		        json_pack("{s:s, s:s, s:s}", "project", id->project, "domain", id->domain, "name", id->name));
	else
		printf("execution identifier project:\"%s\" domain:\"%s\" name:\"%s\"\n", id->project, id->domain,
		       id->name);
	return 0;
}

static int take_answer(const struct flyte *flyte, const Flyteidl__Admin__ExecutionCreateResponse *answer, struct err *e)
{
	if (!answer)
		return -1;
	if (!answer->id)
		return err_set(e, ERR_INTERNAL, NULL, "the control plane's answer names no execution");
	return print_identifier(flyte, answer->id);
}

static int relaunch(struct flyte *flyte, const struct create_values *values, const char *name, struct err *e)
{
	Flyteidl__Admin__ExecutionRelaunchRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__execution_relaunch_request);
	request->id = flyte_execution_id(flyte, values->relaunch);
	request->name = arena_strdup(&flyte->arena, name);
	request->overwrite_cache = values->overwrite_cache;
	return take_answer(
	        flyte, flyte_call(flyte, "RelaunchExecution", request, flyteidl__admin__execution_create_response, e),
	        e);
}

static int recover(struct flyte *flyte, const struct create_values *values, const char *name, struct err *e)
{
	Flyteidl__Admin__ExecutionRecoverRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__execution_recover_request);
	request->id = flyte_execution_id(flyte, values->recover);
	request->name = arena_strdup(&flyte->arena, name);
	return take_answer(
	        flyte, flyte_call(flyte, "RecoverExecution", request, flyteidl__admin__execution_create_response, e),
	        e);
}

/* The command line wins over the file. */
static const char *first_of(const char *a, const char *b, const char *c)
{
	return !text_is_empty(a) ? a : !text_is_empty(b) ? b : c ? c : "";
}

static Flyteidl__Admin__Envs *envs_of(struct flyte *flyte, const json_t *envs)
{
	Flyteidl__Admin__Envs *result = proto_new(&flyte->arena, flyteidl__admin__envs);
	result->values = arena_array(&flyte->arena, Flyteidl__Core__KeyValuePair *, json_object_size(envs) + 1);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)envs, key, value)
	{
		auto_free char *other = json_is_string(value) ? NULL : json_to_text(value);
		Flyteidl__Core__KeyValuePair *pair = proto_new(&flyte->arena, flyteidl__core__key_value_pair);
		pair->key = arena_strdup(&flyte->arena, key);
		pair->value = arena_strdup(&flyte->arena, other ? other : json_string_value(value));
		result->values[result->n_values++] = pair;
	}
	return result;
}

/* What is launched, by its latest registered form: id and inputs. */
static Flyteidl__Core__Identifier *find_target(struct flyte *flyte, const struct execution_file *file,
                                               const char *version, struct execution_inputs *inputs, struct err *e)
{
	const bool is_task = *file->task != '\0';
	Flyteidl__Admin__ObjectGetRequest *request = proto_new(&flyte->arena, flyteidl__admin__object_get_request);
	request->id = flyte_identifier(
	        flyte, is_task ? FLYTEIDL__CORE__RESOURCE_TYPE__TASK : FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN,
	        is_task ? file->task : file->workflow, version);
	if (is_task) {
		const Flyteidl__Admin__Task *task = flyte_call(flyte, "GetTask", request, flyteidl__admin__task, e);
		if (!task)
			return NULL;
		const Flyteidl__Core__TaskTemplate *template =
		        task->closure && task->closure->compiled_task ? task->closure->compiled_task->template_ : NULL;
		*inputs = execution_inputs_of_variables(
		        &flyte->arena, template && template->interface ? template->interface->inputs : NULL);
		return request->id;
	}
	const Flyteidl__Admin__LaunchPlan *plan =
	        flyte_call(flyte, "GetLaunchPlan", request, flyteidl__admin__launch_plan, e);
	if (!plan)
		return NULL;
	*inputs = execution_inputs_of_parameters(&flyte->arena, plan->spec ? plan->spec->default_inputs : NULL);
	return plan->id ? plan->id : request->id;
}

static void set_identity(struct flyte *flyte, Flyteidl__Admin__ExecutionSpec *spec, const char *account,
                         const char *role)
{
	if (!*account && !*role)
		return;
	spec->auth_role = proto_new(&flyte->arena, flyteidl__admin__auth_role);
	spec->auth_role->kubernetes_service_account = arena_strdup(&flyte->arena, account);
	spec->auth_role->assumable_iam_role = arena_strdup(&flyte->arena, role);
	spec->security_context = proto_new(&flyte->arena, flyteidl__core__security_context);
	spec->security_context->run_as = proto_new(&flyte->arena, flyteidl__core__identity);
	spec->security_context->run_as->k8s_service_account = arena_strdup(&flyte->arena, account);
	spec->security_context->run_as->iam_role = arena_strdup(&flyte->arena, role);
}

static Flyteidl__Admin__ExecutionSpec *spec_of(struct flyte *flyte, const struct create_values *values,
                                               const struct execution_file *file)
{
	struct arena *arena = &flyte->arena;
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(arena, flyteidl__admin__execution_spec);
	spec->metadata = proto_new(arena, flyteidl__admin__execution_metadata);
	spec->metadata->mode = FLYTEIDL__ADMIN__EXECUTION_METADATA__EXECUTION_MODE__MANUAL;
	spec->metadata->principal = arena_strdup(arena, "sdk");
	spec->envs = envs_of(flyte, file->envs);
	spec->overwrite_cache = values->overwrite_cache || file->overwrite_cache;
	set_identity(flyte, spec, first_of(values->service_account, file->service_account, NULL),
	             first_of(values->iam_role, file->iam_role, NULL));
	const char *pool = first_of(values->cluster_pool, file->cluster_pool, NULL);
	if (*pool) {
		spec->cluster_assignment = proto_new(arena, flyteidl__admin__cluster_assignment);
		spec->cluster_assignment->cluster_pool_name = arena_strdup(arena, pool);
	}
	const char *label = first_of(values->target_execution_cluster, file->target_execution_cluster, NULL);
	if (*label) {
		spec->execution_cluster_label = proto_new(arena, flyteidl__admin__execution_cluster_label);
		spec->execution_cluster_label->value = arena_strdup(arena, label);
	}
	return spec;
}

static int launch(struct flyte *flyte, const struct create_values *values, const char *name, struct err *e)
{
	auto_execution_file struct execution_file file = EXECUTION_FILE_INIT;
	auto_buf struct buf text = BUF_INIT(EXECUTION_FILE_MAXIMUM);
	struct execution_inputs inputs = { .count = 0 };
	if (file_read(values->execution_file, &text, e) < 0)
		return err_wrap(e, "unable to read from %s yaml file", values->execution_file);
	if (execution_file_parse(&flyte->arena, buf_text(&text), text.length, values->execution_file, &file, e) < 0)
		return -1;
	if (values->task)
		file.task = values->task;
	Flyteidl__Admin__ExecutionCreateRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__execution_create_request);
	Flyteidl__Core__Identifier *target =
	        find_target(flyte, &file, first_of(values->version, file.version, NULL), &inputs, e);
	if (!target)
		return -1;
	request->inputs = execution_file_literals(&flyte->arena, &file, &inputs, e);
	if (!request->inputs)
		return err_wrap(e, "%s", values->execution_file);
	/* Where nothing is said it runs where it is registered, whatever an old file says: as flytectl. */
	request->project =
	        arena_strdup(&flyte->arena, first_of(values->target_project, file.target_project, flyte->project));
	request->domain =
	        arena_strdup(&flyte->arena, first_of(values->target_domain, file.target_domain, flyte->domain));
	request->name = arena_strdup(&flyte->arena, name);
	request->spec = spec_of(flyte, values, &file);
	request->spec->launch_plan = target;
	if (values->dry_run) {
		cli_say(flyte->cli, "skipping CreateExecution request (DryRun)");
		return 0;
	}
	return take_answer(
	        flyte, flyte_call(flyte, "CreateExecution", request, flyteidl__admin__execution_create_response, e), e);
}

static int create_execution(struct flyte *flyte, const struct create_values *values, const char *name, struct err *e)
{
	if (!values->execution_file && !values->relaunch && !values->recover) {
		err_set(e, ERR_USAGE, "missing-option", "one of --execFile, --relaunch and --recover is needed");
		return err_hint(e, "`sandbox get launchplan|task NAME --execFile FILE` writes a file to launch with");
	}
	if (values->dry_run && !values->execution_file) {
		cli_say(flyte->cli, "skipping the request (DryRun)");
		return 0;
	}
	if (values->relaunch)
		return relaunch(flyte, values, name, e);
	return values->recover ? recover(flyte, values, name, e) : launch(flyte, values, name, e);
}

/* ---- Projects ---- */

static int create_project(struct flyte *flyte, const struct create_values *values, struct err *e)
{
	Flyteidl__Admin__ProjectRegisterRequest *request =
	        proto_new(&flyte->arena, flyteidl__admin__project_register_request);
	request->project = flyte_project_of(flyte, &values->flyte, &values->project, e);
	if (!request->project)
		return -1;
	if (!*request->project->name)
		return err_set(e, ERR_USAGE, "missing-option", "project name is a required flag");
	request->project->state = FLYTEIDL__ADMIN__PROJECT__PROJECT_STATE__ACTIVE;
	if (values->dry_run)
		cli_say(flyte->cli, "skipping RegisterProject request (DryRun)");
	else if (!flyte_call(flyte, "RegisterProject", request, flyteidl__admin__project_register_response, e))
		return -1;
	puts("project created successfully.");
	return 0;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct create_values *values = context;
	auto_flyte struct flyte flyte = FLYTE_INIT;
	const bool project = text_equal(arguments[0], "project") || text_equal(arguments[0], "projects");
	if (!project && !text_equal(arguments[0], "execution") && !text_equal(arguments[0], "executions")) {
		err_set(e, ERR_USAGE, "unknown-resource", "`sandbox create` does not know '%s'", arguments[0]);
		return err_hint(e, "it creates an `execution` or a `project`");
	}
	if (flyte_open(cli, &values->flyte, &flyte, e) < 0)
		return -1;
	return project ? create_project(&flyte, values, e)
	               : create_execution(&flyte, values, count > 1 ? arguments[1] : "", e);
}

const struct verb verb_create = {
	.name = "create",
	.summary = "launch an execution, or create a project in Flyte",
	.arguments = "execution [NAME] | project",
	.words = (const char *const[]){ "execution", "project", NULL },
	.description =
	        "`create execution --execFile FILE` launches the task or launch plan that the file names with its "
	        "inputs (YAML, by the types of the interface); `get launchplan|task --execFile` writes such a file. "
	        "--relaunch and --recover start an execution again. `create project --id ID --name NAME` makes a "
	        "project. Names, flags and files are flytectl's.",
	.examples = "sandbox create execution --execFile run.yaml\tlaunch\n"
	            "sandbox create execution --relaunch f6a8c\tonce more\n"
	            "sandbox create project --id tutorial --name tutorial --labels team=me\ta project",
	.options = create_options,
	.values_size = sizeof(struct create_values),
	.arguments_minimum = 1,
	.arguments_maximum = 2,
	.run = run,
};
