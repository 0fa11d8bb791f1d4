/* compile: a package's workflows through the control plane's own compiler, with no control plane (flytectl/cmd/compile
 * at v1.16.8). */
#include "base/text.h"
#include "cli/flytectl/flyte_package.h"
#include "cli/framework/exit_codes.h"
#include "cli/framework/verb.h"
#include "controlplane/compiler/compiler.h"
#include "flyte/registration.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

#define ARENA_MAXIMUM ((size_t)2048 * 1024 * 1024)
#define DEPTH_MAXIMUM 64

struct compile_values {
	const char *file;
};

static const struct option compile_options[] = {
	{ .name = "file",
	  .kind = OPTION_TEXT,
	  .offset = offsetof(struct compile_values, file),
	  .value = "PACKAGE",
	  .of_project = true,
	  .help = "archive of `pyflyte package`; needed" },
	{ .name = NULL },
};

struct workflow {
	const Flyteidl__Admin__WorkflowSpec *spec;
	const Flyteidl__Core__CompiledWorkflowClosure *closure; /* once it is compiled */
	bool open;                                              /* being compiled: who meets it again goes in circles */
};

struct compilation {
	struct arena *arena;
	bool quiet;
	Flyteidl__Core__CompiledTask **tasks;
	size_t task_count;
	struct workflow *workflows;
	size_t workflow_count;
	const Flyteidl__Admin__LaunchPlan **plans;
	size_t plan_count;
};

static int take(struct compilation *c, const struct registration *r, struct err *e)
{
	switch (r->kind) {
	case REGISTRATION_TASK: {
		Flyteidl__Core__CompiledTask *task =
		        compiler_compile_task(c->arena, ((const Flyteidl__Admin__TaskSpec *)r->message)->template_, e);
		if (!task)
			return err_wrap(e, "task %s", r->id->name);
		proto_append(c->arena, c->task_count, c->tasks, task);
		return 0;
	}
	case REGISTRATION_WORKFLOW: {
		const struct workflow workflow = { .spec = (const Flyteidl__Admin__WorkflowSpec *)r->message };
		proto_append(c->arena, c->workflow_count, c->workflows, workflow);
		return 0;
	}
	default:
		proto_append(c->arena, c->plan_count, c->plans, (const Flyteidl__Admin__LaunchPlan *)r->message);
		return 0;
	}
}

static int compile_workflow(struct compilation *c, struct workflow *workflow, size_t depth, struct err *e);

static struct workflow *find_workflow(const struct compilation *c, const char *name)
{
	for (size_t i = 0; i < c->workflow_count; i++) {
		if (text_equal(c->workflows[i].spec->template_->id->name, name))
			return &c->workflows[i];
	}
	return NULL;
}

static const Flyteidl__Admin__LaunchPlan *find_plan(const struct compilation *c, const char *name)
{
	for (size_t i = 0; i < c->plan_count; i++) {
		if (text_equal(c->plans[i]->id->name, name))
			return c->plans[i];
	}
	return NULL;
}

/* What a launch plan asks for and gives, from its workflow, which is compiled first. */
static int describe_plan(struct compilation *c, const Flyteidl__Core__Identifier *id, size_t depth,
                         struct compiler_launch_plan *ret_plan, struct err *e)
{
	const Flyteidl__Admin__LaunchPlan *plan = find_plan(c, id->name);
	struct workflow *workflow =
	        plan && plan->spec && plan->spec->workflow_id ? find_workflow(c, plan->spec->workflow_id->name) : NULL;
	if (!workflow)
		return err_set(e, ERR_INVALID, "compile-error", "the package has no launch plan '%s' with its workflow",
		               id->name);
	if (compile_workflow(c, workflow, depth + 1, e) < 0)
		return -1;
	const Flyteidl__Core__TypedInterface *interface = workflow->closure->primary->template_->interface;
	*ret_plan = (struct compiler_launch_plan){ .id = id,
		                                   .expected_inputs = plan->spec->default_inputs,
		                                   .fixed_inputs = plan->spec->fixed_inputs,
		                                   .outputs = interface ? interface->outputs : NULL };
	return 0;
}

static int compile_workflow(struct compilation *c, struct workflow *workflow, size_t depth, struct err *e)
{
	const Flyteidl__Core__WorkflowTemplate *primary = workflow->spec->template_;
	if (workflow->closure)
		return 0;
	if (workflow->open || depth > DEPTH_MAXIMUM)
		return err_set(e, ERR_INVALID, "compile-error", "the workflow '%s' launches itself", primary->id->name);
	workflow->open = true;
	const struct compiler_references references =
	        compiler_references(c->arena, primary, workflow->spec->sub_workflows, workflow->spec->n_sub_workflows);
	struct compiler_launch_plan *plans =
	        arena_array(c->arena, struct compiler_launch_plan, references.launch_plan_count + 1);
	for (size_t i = 0; i < references.launch_plan_count; i++) {
		if (describe_plan(c, references.launch_plans[i], depth, &plans[i], e) < 0)
			return err_wrap(e, "workflow %s", primary->id->name);
	}
	if (!c->quiet)
		printf("\nCompiling workflow: %s\n", primary->id->name);
	const struct compiler_request request = { .primary = primary,
		                                  .sub_workflows = workflow->spec->sub_workflows,
		                                  .sub_workflow_count = workflow->spec->n_sub_workflows,
		                                  .tasks = c->tasks,
		                                  .task_count = c->task_count,
		                                  .launch_plans = plans,
		                                  .launch_plan_count = references.launch_plan_count };
	workflow->closure = compiler_compile_workflow(c->arena, &request, e);
	workflow->open = false;
	return workflow->closure ? 0 : err_wrap(e, "workflow %s", primary->id->name);
}

static int read_package(struct compilation *c, const struct package *package, struct err *e)
{
	/* What registration would fill in; any values do. */
	const struct registration_options options = {
		.project = "project", .domain = "domain", .version = "version", .source_location = ""
	};
	for (size_t i = 0; i < package->count; i++) {
		struct registration r;
		const struct package_file *file = &package->files[i];
		if (package_kind_of(file) != PACKAGE_MESSAGE)
			continue;
		if (registration_read(c->arena, file->name, buf_text(&file->bytes), file->bytes.length, &r, e) < 0 ||
		    registration_fill(c->arena, &options, &r, e) < 0 || take(c, &r, e) < 0)
			return err_wrap(e, "%s", file->name);
	}
	return 0;
}

static void report(const struct cli *cli, const struct compilation *c)
{
	if (cli_wants_json(cli)) {
		cli_print_document(cli,
		                   json_pack("{s:I, s:I, s:I}", "workflows", (json_int_t)c->workflow_count, "tasks",
		                             (json_int_t)c->task_count, "launchPlans", (json_int_t)c->plan_count));
		return;
	}
	printf("All Workflows compiled successfully!\n\nSummary:\n%zu  workflows found in package\n%zu  Tasks found in "
	       "package\n%zu  Launch plans found in package\n",
	       c->workflow_count, c->task_count, c->plan_count);
}

static int run(struct cli *cli, const void *context, char **arguments, size_t count, struct err *e)
{
	const struct compile_values *values = context;
	auto_package struct package package = PACKAGE_INIT;
	auto_arena struct arena arena = ARENA_INIT(ARENA_MAXIMUM);
	const struct package_file *source = NULL;
	(void)arguments;
	(void)count;
	if (text_is_empty(values->file)) {
		err_set(e, ERR_USAGE, "missing-option", "path to package tgz's file is a required flag");
		return err_hint(e, "sandbox compile --file flyte-package.tgz");
	}
	char *names[] = { (char *)(uintptr_t)values->file };
	struct compilation c = { .arena = &arena, .quiet = cli_wants_json(cli) || cli->globals.quiet };
	if (flyte_package_read(cli, names, 1, true, &package, e) < 0 || flyte_package_check(&package, &source, e) < 0 ||
	    read_package(&c, &package, e) < 0)
		return -1;
	for (size_t i = 0; i < c.workflow_count; i++) {
		if (compile_workflow(&c, &c.workflows[i], 0, e) < 0)
			return -1;
	}
	report(cli, &c);
	return EXIT_CODE_OK;
}

const struct verb verb_compile = {
	.name = "compile",
	.summary = "check a package's workflows without registering them",
	.arguments = "",
	.description = "Compiles the workflows of a package with the control plane's own compiler. Nothing has to run.",
	.examples = "sandbox compile --file flyte-package.tgz\tdoes it fit together?",
	.options = compile_options,
	.values_size = sizeof(struct compile_values),
	.arguments_maximum = 0,
	.run = run,
};
