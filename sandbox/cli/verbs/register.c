/* register: what `pyflyte package` wrote, with flytectl's flags (flytectl/cmd/register at v1.16.8). */
#include "base/text.h"
#include "cli/flytectl/flyte_package.h"
#include "cli/flytectl/flyte_print.h"
#include "cli/flytectl/flyte_upload.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/interrupt.h"
#include "cli/framework/verb.h"
#include "flyte/registration.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

struct register_values {
	struct flyte_options flyte;
	const char *version;
	const char *iam_role;
	const char *service_account;
	const char *service_account_old;
	const char *output_prefix;
	const char *source_upload_path;
	const char *destination_directory;
	bool force;
	bool continue_on_error;
	bool archive;
	bool dry_run;
	bool enable_schedule;
};

#define FIELD(field) offsetof(struct register_values, field)
#define TEXT(option, member, placeholder, sentence) OPTION_TEXT_AT(option, FIELD(member), placeholder, sentence)
#define FLAG(option, member, sentence) OPTION_FLAG_AT(option, FIELD(member), sentence)
static const struct option register_options[] = {
	FLYTE_OPTIONS,
	FLAG("archive", archive, "the files are archives (.tgz, .tar.gz, .tar), here or at an http(s) URL"),
	TEXT("version", version, "VERSION", "of everything that has none after serialization"),
	FLAG("force", force, "give that version to what has one, too"),
	FLAG("continueOnError", continue_on_error, "go on with the other files"),
	TEXT("k8sServiceAccount", service_account, "NAME", "Kubernetes service account of the launch plans"),
	TEXT("k8ServiceAccount", service_account_old, "NAME", "old name of --k8sServiceAccount"),
	TEXT("assumableIamRole", iam_role, "ROLE", "IAM role of the launch plans"),
	TEXT("outputLocationPrefix", output_prefix, "URI", "where launch plans put files and schemas"),
	TEXT("sourceUploadPath", source_upload_path, "URI",
	     "deprecated by flytectl and of no effect: the control plane says where code goes"),
	TEXT("destinationDirectory", destination_directory, "DIR", "where code is unpacked in the container"),
	FLAG("enableSchedule", enable_schedule, "activate the launch plans"),
	FLAG("dryRun", dry_run, "read and check everything, and change nothing"),
	{ .name = NULL },
};

struct work {
	struct flyte *flyte;
	const struct register_values *values;
	struct registration_options options;
	json_t *results; /* [{Name, Status, Info}] */
};

/* ---- Calls ---- */

static Flyteidl__Core__Identifier *target_of(struct work *work, const struct registration *r,
                                             Flyteidl__Core__ResourceType type)
{
	return flyte_identifier(work->flyte, type, r->id->name, r->id->version);
}

static bool create_task(struct work *work, const struct registration *r, struct err *e)
{
	Flyteidl__Admin__TaskCreateRequest *request =
	        proto_new(&work->flyte->arena, flyteidl__admin__task_create_request);
	request->id = target_of(work, r, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	request->spec = (Flyteidl__Admin__TaskSpec *)r->message;
	return flyte_call(work->flyte, "CreateTask", request, flyteidl__admin__task_create_response, e) != NULL;
}

static bool create_workflow(struct work *work, const struct registration *r, struct err *e)
{
	Flyteidl__Admin__WorkflowCreateRequest *request =
	        proto_new(&work->flyte->arena, flyteidl__admin__workflow_create_request);
	request->id = target_of(work, r, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW);
	request->spec = (Flyteidl__Admin__WorkflowSpec *)r->message;
	return flyte_call(work->flyte, "CreateWorkflow", request, flyteidl__admin__workflow_create_response, e) != NULL;
}

static bool create_launch_plan(struct work *work, const struct registration *r, struct err *e)
{
	Flyteidl__Admin__LaunchPlanCreateRequest *request =
	        proto_new(&work->flyte->arena, flyteidl__admin__launch_plan_create_request);
	request->id = target_of(work, r, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN);
	request->spec = ((Flyteidl__Admin__LaunchPlan *)r->message)->spec;
	return flyte_call(work->flyte, "CreateLaunchPlan", request, flyteidl__admin__launch_plan_create_response, e) !=
	       NULL;
}

static bool activate(struct work *work, const struct registration *r, struct err *e)
{
	Flyteidl__Admin__LaunchPlanUpdateRequest *request =
	        proto_new(&work->flyte->arena, flyteidl__admin__launch_plan_update_request);
	request->id = target_of(work, r, FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN);
	request->state = FLYTEIDL__ADMIN__LAUNCH_PLAN_STATE__ACTIVE;
	return flyte_call(work->flyte, "UpdateLaunchPlan", request, flyteidl__admin__launch_plan_update_response, e) !=
	       NULL;
}

/* ---- One file ---- */

/* 0 created, 1 it was there already. */
static int register_message(struct work *work, const struct registration *r, struct err *e)
{
	bool (*const creators[])(struct work *, const struct registration *, struct err *) = {
		[REGISTRATION_TASK] = create_task,
		[REGISTRATION_WORKFLOW] = create_workflow,
		[REGISTRATION_LAUNCH_PLAN] = create_launch_plan,
	};
	auto_err struct err problem = ERR_INIT;
	const bool created = creators[r->kind](work, r, &problem);
	if (!created && problem.kind != ERR_EXISTS)
		return err_move(e, &problem);
	/* Also one that was there: registering again with --enableSchedule is how one asks for it afterwards. */
	if (r->kind == REGISTRATION_LAUNCH_PLAN && work->values->enable_schedule && !activate(work, r, e))
		return err_wrap(e, "the launch plan is registered, but not active");
	return created ? 0 : 1;
}

static int register_file(struct work *work, const struct package_file *file, const char **info, struct err *e)
{
	struct registration r;
	if (interrupt_check(e) < 0 ||
	    registration_read(&work->flyte->arena, file->name, buf_text(&file->bytes), file->bytes.length, &r, e) < 0 ||
	    registration_fill(&work->flyte->arena, &work->options, &r, e) < 0)
		return -1;
	if (text_is_empty(r.id->version)) {
		err_set(e, ERR_USAGE, "missing-option", "'%s' was serialized without a version", r.id->name);
		return err_hint(e, "give --version VERSION");
	}
	*info = "dry run";
	if (work->values->dry_run)
		return 0;
	const int outcome = register_message(work, &r, e);
	*info = outcome ? "AlreadyExists" : "Successfully registered file";
	return outcome < 0 ? -1 : 0;
}

static void add_result(struct work *work, const char *name, const char *status, const char *info)
{
	json_array_append_new(work->results,
	                      json_pack("{s:s, s:s, s:s}", "Name", name, "Status", status, "Info", info));
}

/* What failed first; the number of failures comes back. */
static size_t register_all(struct work *work, const struct package *package, struct err *e)
{
	size_t failures = 0;
	for (size_t i = 0; i < package->count; i++) {
		const struct package_file *file = &package->files[i];
		auto_err struct err problem = ERR_INIT;
		const char *info = "";
		if (package_kind_of(file) != PACKAGE_MESSAGE)
			continue;
		cli_progress(work->flyte->cli, "registering %s", file->name);
		if (register_file(work, file, &info, &problem) == 0) {
			add_result(work, file->name, "Success", info);
			continue;
		}
		auto_free char *text = xasprintf("Error registering file due to %s", err_message(&problem));
		add_result(work, file->name, "Failed", text);
		const bool stop = problem.kind == ERR_CANCELLED || !work->values->continue_on_error;
		err_wrap(&problem, "%s", file->name);
		if (!failures++ || problem.kind == ERR_CANCELLED)
			err_move(e, &problem);
		if (stop)
			break;
	}
	cli_progress_end(work->flyte->cli);
	return failures;
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	static const struct flyte_column columns[] = { { .heading = "Name", .path = "Name" },
		                                       { .heading = "Status", .path = "Status" },
		                                       { .heading = "Additional Info", .path = "Info" } };
	const struct register_values *values = context;
	auto_package struct package package = PACKAGE_INIT;
	auto_flyte struct flyte flyte = FLYTE_INIT;
	auto_json json_t *results = json_array();
	const struct package_file *source = NULL;
	if (!text_equal(arguments[0], "files") && !text_equal(arguments[0], "file")) {
		err_set(e, ERR_USAGE, "unknown-resource", "`sandbox register` does not know '%s'", arguments[0]);
		return err_hint(e, "sandbox register files PACKAGE.tgz --archive");
	}
	if (flyte_package_read(cli, arguments + 1, count - 1, values->archive, &package, e) < 0 ||
	    flyte_package_check(&package, &source, e) < 0 || flyte_open(cli, &values->flyte, &flyte, e) < 0)
		return -1;
	if (values->source_upload_path)
		cli_say(cli, "--sourceUploadPath is of no effect: the control plane says where code goes");
	struct work work = {
		.flyte = &flyte,
		.values = values,
		.results = results,
		.options = { .project = flyte.project,
		             .domain = flyte.domain,
		             .version = values->version ? values->version : "",
		             .force = values->force,
		             .assumable_iam_role = values->iam_role,
		             .k8s_service_account =
		                     values->service_account ? values->service_account : values->service_account_old,
		             .output_location_prefix = values->output_prefix,
		             .destination_directory = values->destination_directory,
		             .source_location = "" },
	};
	if (source && !values->dry_run) {
		work.options.source_location = flyte_upload(&flyte, source, e);
		if (!work.options.source_location)
			return -1;
	}
	const size_t failures = register_all(&work, &package, e);
	auto_err struct err problem = ERR_INIT;
	if (flyte_print_json(cli, columns, ARRAY_LENGTH(columns), results, &problem) < 0 && !failures)
		return err_move(e, &problem);
	return failures ? -1 : EXIT_CODE_OK;
}

const struct verb verb_register = {
	.name = "register",
	.summary = "register a package of `pyflyte package` with Flyte",
	.arguments = "files FILE...",
	.words = (const char *const[]){ "files", NULL },
	.description =
	        "FILE is what `pyflyte package` wrote: an archive, or the serialized files of one. Tasks, workflows "
	        "and launch plans are registered in the order of their names; what is there already and the same is "
	        "no error. Code of a fast package is uploaded first. Names and flags are flytectl's.",
	.examples = "sandbox register files flyte-package.tgz --archive -p flytesnacks -d development --version v1\ta "
	            "package\n"
	            "sandbox register files _pb_output/*.pb --version v2 --continueOnError\tserialized files",
	.options = register_options,
	.formats = flyte_formats,
	.values_size = sizeof(struct register_values),
	.arguments_minimum = 2,
	.arguments_maximum = ARGUMENTS_ANY,
	.run = run,
};
