#include "flyte/registration.h"

#include "base/text.h"

#include "flyteidl/admin/launch_plan.pb-c.h"
#include "flyteidl/admin/task.pb-c.h"
#include "flyteidl/admin/workflow.pb-c.h"

#include <string.h>

/* Nested branches, each a turn of hydration. */
#define DEPTH_MAXIMUM 64

/* ---- Reading ---- */

static const ProtobufCMessageDescriptor *const descriptors[] = {
	[REGISTRATION_TASK] = &flyteidl__admin__task_spec__descriptor,
	[REGISTRATION_WORKFLOW] = &flyteidl__admin__workflow_spec__descriptor,
	[REGISTRATION_LAUNCH_PLAN] = &flyteidl__admin__launch_plan__descriptor,
};

static Flyteidl__Core__Identifier *id_of(const struct registration *registration)
{
	switch (registration->kind) {
	case REGISTRATION_TASK: {
		const Flyteidl__Admin__TaskSpec *spec = (const Flyteidl__Admin__TaskSpec *)registration->message;
		return spec->template_ ? spec->template_->id : NULL;
	}
	case REGISTRATION_WORKFLOW: {
		const Flyteidl__Admin__WorkflowSpec *spec =
		        (const Flyteidl__Admin__WorkflowSpec *)registration->message;
		return spec->template_ ? spec->template_->id : NULL;
	}
	default:
		return ((const Flyteidl__Admin__LaunchPlan *)registration->message)->id;
	}
}

static int read_as(struct arena *arena, enum registration_kind kind, const void *bytes, size_t length,
                   struct registration *registration, struct err *e)
{
	registration->kind = kind;
	registration->message = proto_unpack_strict_of(arena, descriptors[kind], bytes, length, e);
	if (!registration->message)
		return -1;
	registration->id = id_of(registration);
	return registration->id ? 0 : err_set(e, ERR_INVALID, "bad-package", "the message has no id");
}

int registration_read(struct arena *arena, const char *name, const void *bytes, size_t length,
                      struct registration *ret_registration, struct err *e)
{
	static const char *const suffixes[] = { "_1.pb", "_2.pb", "_3.pb" };
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
		if (text_ends_with(name, suffixes[i]))
			return read_as(arena, (enum registration_kind)i, bytes, length, ret_registration, e);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
		if (read_as(arena, (enum registration_kind)i, bytes, length, ret_registration, NULL) == 0)
			return 0;
	}
	return err_set(e, ERR_INVALID, "bad-package", "neither a task nor a workflow nor a launch plan");
}

/* ---- Filling in ---- */

struct filling {
	struct arena *arena;
	const struct registration_options *options;
};

static bool is_open(const char *text, const char *placeholder)
{
	return text_is_empty(text) || text_equal(text, placeholder);
}

static void fill_identifier(const struct filling *f, Flyteidl__Core__Identifier *id)
{
	if (!id)
		return;
	if (is_open(id->project, "{{ registration.project }}"))
		id->project = arena_strdup(f->arena, f->options->project);
	if (is_open(id->domain, "{{ registration.domain }}"))
		id->domain = arena_strdup(f->arena, f->options->domain);
	if (f->options->force || is_open(id->version, "{{ registration.version }}"))
		id->version = arena_strdup(f->arena, f->options->version);
}

/* An argument of fast registration: the code's place, and where it is to be unpacked. */
static void fill_argument(const struct filling *f, char **argument)
{
	const char *directory = f->options->destination_directory;
	if (text_equal(*argument, "{{ .remote_package_path }}"))
		*argument = arena_strdup(f->arena, f->options->source_location);
	else if (text_equal(*argument, "{{ .dest_dir }}"))
		*argument = arena_strdup(f->arena, text_is_empty(directory) ? "." : directory);
}

static Google__Protobuf__Value *member_of(const Google__Protobuf__Struct *object, const char *key)
{
	for (size_t i = 0; object && i < object->n_fields; i++) {
		if (text_equal(object->fields[i]->key, key))
			return object->fields[i]->value;
	}
	return NULL;
}

static Google__Protobuf__ListValue *list_of(const Google__Protobuf__Value *value)
{
	return value && value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE ? value->list_value : NULL;
}

static void fill_pod_spec(const struct filling *f, const Google__Protobuf__Struct *spec)
{
	const Google__Protobuf__ListValue *containers = list_of(member_of(spec, "containers"));
	for (size_t i = 0; containers && i < containers->n_values; i++) {
		const Google__Protobuf__Value *container = containers->values[i];
		if (container->kind_case != GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE)
			continue;
		const Google__Protobuf__ListValue *arguments = list_of(member_of(container->struct_value, "args"));
		for (size_t k = 0; arguments && k < arguments->n_values; k++) {
			Google__Protobuf__Value *argument = arguments->values[k];
			if (argument->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE)
				fill_argument(f, &argument->string_value);
		}
	}
}

static void fill_task(const struct filling *f, Flyteidl__Core__TaskTemplate *task)
{
	fill_identifier(f, task->id);
	if (task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER) {
		for (size_t i = 0; i < task->container->n_args; i++)
			fill_argument(f, &task->container->args[i]);
	} else if (task->target_case == FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_K8S_POD) {
		fill_pod_spec(f, task->k8s_pod->pod_spec);
	}
}

static int fill_node(const struct filling *f, Flyteidl__Core__Node *node, size_t depth, struct err *e);

static int fill_branch(const struct filling *f, const Flyteidl__Core__BranchNode *branch, size_t depth, struct err *e)
{
	const Flyteidl__Core__IfElseBlock *block = branch->if_else;
	if (!block)
		return 0;
	if (block->case_ && block->case_->then_node && fill_node(f, block->case_->then_node, depth + 1, e) < 0)
		return -1;
	for (size_t i = 0; i < block->n_other; i++) {
		if (block->other[i]->then_node && fill_node(f, block->other[i]->then_node, depth + 1, e) < 0)
			return -1;
	}
	if (block->default_case == FLYTEIDL__CORE__IF_ELSE_BLOCK__DEFAULT_ELSE_NODE && block->else_node)
		return fill_node(f, block->else_node, depth + 1, e);
	return 0;
}

static void fill_task_node(const struct filling *f, const Flyteidl__Core__TaskNode *node)
{
	if (node->reference_case == FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID)
		fill_identifier(f, node->reference_id);
	if (node->overrides && node->overrides->pod_template)
		fill_pod_spec(f, node->overrides->pod_template->pod_spec);
}

static int fill_node(const struct filling *f, Flyteidl__Core__Node *node, size_t depth, struct err *e)
{
	if (depth > DEPTH_MAXIMUM)
		return err_set(e, ERR_INVALID, "bad-package", "node '%s' is nested deeper than %d", node->id,
		               DEPTH_MAXIMUM);
	switch (node->target_case) {
	case FLYTEIDL__CORE__NODE__TARGET_TASK_NODE:
		fill_task_node(f, node->task_node);
		return 0;
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		if (node->workflow_node->reference_case == FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF)
			fill_identifier(f, node->workflow_node->launchplan_ref);
		else if (node->workflow_node->reference_case ==
		         FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF)
			fill_identifier(f, node->workflow_node->sub_workflow_ref);
		return 0;
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		return fill_branch(f, node->branch_node, depth, e);
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		return node->array_node->node ? fill_node(f, node->array_node->node, depth + 1, e) : 0;
	default:
		return 0;
	}
}

static int fill_workflow(const struct filling *f, Flyteidl__Core__WorkflowTemplate *workflow, struct err *e)
{
	fill_identifier(f, workflow->id);
	for (size_t i = 0; i < workflow->n_nodes; i++) {
		if (fill_node(f, workflow->nodes[i], 0, e) < 0)
			return -1;
	}
	return workflow->failure_node ? fill_node(f, workflow->failure_node, 0, e) : 0;
}

static int fill_workflows(const struct filling *f, const Flyteidl__Admin__WorkflowSpec *spec, struct err *e)
{
	if (fill_workflow(f, spec->template_, e) < 0)
		return -1;
	for (size_t i = 0; i < spec->n_sub_workflows; i++) {
		if (fill_workflow(f, spec->sub_workflows[i], e) < 0)
			return -1;
	}
	return 0;
}

static void fill_identity(const struct filling *f, Flyteidl__Admin__LaunchPlanSpec *spec)
{
	char *account = arena_strdup(f->arena, f->options->k8s_service_account);
	char *role = arena_strdup(f->arena, f->options->assumable_iam_role);
	if (!*account && !*role)
		return;
	spec->auth_role = proto_new(f->arena, flyteidl__admin__auth_role);
	spec->auth_role->kubernetes_service_account = account;
	spec->auth_role->assumable_iam_role = role;
	spec->security_context = proto_new(f->arena, flyteidl__core__security_context);
	spec->security_context->run_as = proto_new(f->arena, flyteidl__core__identity);
	spec->security_context->run_as->k8s_service_account = account;
	spec->security_context->run_as->iam_role = role;
}

static int fill_launch_plan(const struct filling *f, Flyteidl__Admin__LaunchPlan *plan, struct err *e)
{
	if (!plan->spec)
		return err_set(e, ERR_INVALID, "bad-package", "the launch plan '%s' has no spec", plan->id->name);
	fill_identifier(f, plan->id);
	fill_identifier(f, plan->spec->workflow_id);
	fill_identity(f, plan->spec);
	if (!text_is_empty(f->options->output_location_prefix)) {
		plan->spec->raw_output_data_config = proto_new(f->arena, flyteidl__admin__raw_output_data_config);
		plan->spec->raw_output_data_config->output_location_prefix =
		        arena_strdup(f->arena, f->options->output_location_prefix);
	}
	return 0;
}

int registration_fill(struct arena *arena, const struct registration_options *options,
                      struct registration *registration, struct err *e)
{
	const struct filling filling = { .arena = arena, .options = options };
	switch (registration->kind) {
	case REGISTRATION_TASK:
		fill_task(&filling, ((Flyteidl__Admin__TaskSpec *)registration->message)->template_);
		return 0;
	case REGISTRATION_WORKFLOW:
		return fill_workflows(&filling, (Flyteidl__Admin__WorkflowSpec *)registration->message, e);
	default:
		return fill_launch_plan(&filling, (Flyteidl__Admin__LaunchPlan *)registration->message, e);
	}
}
