/* The pure half of launching and showing executions: what a request must look like, whose configuration wins, and rows
 * as messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "controlplane/api/execution_messages.h"
#include "controlplane/launch/execution_config.h"
#include "controlplane/launch/execution_validate.h"
#include "proto/message.h"

#include <string.h>

#define PHASE(name) FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__##name

static struct arena arena = ARENA_INIT(16 << 20);

static int release(void **state)
{
	(void)state;
	arena_release(&arena);
	return 0;
}

static Flyteidl__Admin__ExecutionSpec *valid_spec(void)
{
	Flyteidl__Admin__ExecutionSpec *spec = proto_new(&arena, flyteidl__admin__execution_spec);
	spec->launch_plan = proto_new(&arena, flyteidl__core__identifier);
	spec->launch_plan->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN;
	spec->launch_plan->project = spec->launch_plan->domain = spec->launch_plan->name = spec->launch_plan->version =
	        arena_strdup(&arena, "x");
	return spec;
}

static Flyteidl__Admin__Labels *labels(const char *const *pairs)
{
	Flyteidl__Admin__Labels *message = proto_new(&arena, flyteidl__admin__labels);
	for (; *pairs; pairs += 2) {
		Flyteidl__Admin__Labels__ValuesEntry *entry =
		        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
		entry->key = arena_strdup(&arena, pairs[0]);
		entry->value = arena_strdup(&arena, pairs[1]);
		proto_append(&arena, message->n_values, message->values, entry);
	}
	return message;
}
#define LABELS(...) labels((const char *const[]){ __VA_ARGS__, NULL })

static void expect_invalid(const char *project, const char *domain, const char *name,
                           const Flyteidl__Admin__ExecutionSpec *spec, const Flyteidl__Core__LiteralMap *inputs,
                           const char *text)
{
	auto_err struct err e = ERR_INIT;
	assert_int_equal(execution_validate(project, domain, name, spec, inputs, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(err_message(&e), text);
}

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *name, *text; /* NULL: valid */
	} cases[] = {
		{ "", NULL },
		{ "a", NULL },
		{ "my-run-1", NULL },
		{ "Upper", NULL }, /* taken in lower case */
		{ "a2345678901234567890123456789012345678901234567890123456789012x", NULL },
		{ "a2345678901234567890123456789012345678901234567890123456789012xy",
		  "size of name exceeded length 63 : "
		  "a2345678901234567890123456789012345678901234567890123456789012xy" },
		{ "1a", "invalid name format: 1a, does not match regex '^[a-z][a-z\\-0-9]*$'" },
		{ "-a", "invalid name format: -a, does not match regex '^[a-z][a-z\\-0-9]*$'" },
		{ "a_b", "invalid name format: a_b, does not match regex '^[a-z][a-z\\-0-9]*$'" },
		{ "a b", "invalid name format: a b, does not match regex '^[a-z][a-z\\-0-9]*$'" },
		{ "\xc3\xa4", "invalid name format: \xc3\xa4, does not match regex '^[a-z][a-z\\-0-9]*$'" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		auto_err struct err e = ERR_INIT;
		if (cases[i].text)
			expect_invalid("p", "d", cases[i].name, valid_spec(), NULL, cases[i].text);
		else
			assert_int_equal(execution_validate("p", "d", cases[i].name, valid_spec(), NULL, &e), 0);
	}
}

static void test_chosen_names(void **state)
{
	(void)state;
	assert_string_equal(execution_choose_name(&arena, "Run-A1"), "run-a1");
	char *first = execution_choose_name(&arena, ""), *second = execution_choose_name(&arena, "");
	assert_int_equal(strlen(first), 20);
	assert_int_equal(first[0], 'a');
	assert_int_equal(strspn(first, "abcdefghijklmnopqrstuvwxyz0123456789"), 20);
	assert_string_not_equal(first, second);
}

static void test_missing_parts(void **state)
{
	(void)state;
	expect_invalid("", "d", "", valid_spec(), NULL, "missing project");
	expect_invalid("p", "", "", valid_spec(), NULL, "missing domain");
	expect_invalid("p", "d", "", NULL, NULL, "missing spec");
	expect_invalid("p", "d", "", proto_new(&arena, flyteidl__admin__execution_spec), NULL, "missing id");
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	spec->launch_plan->version = arena_strdup(&arena, "");
	expect_invalid("p", "d", "", spec, NULL, "missing version");
	spec = valid_spec();
	spec->launch_plan->resource_type = FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW;
	expect_invalid(
	        "p", "d", "", spec, NULL,
	        "Invalid reference entity resource type [WORKFLOW], only [map[TASK:<nil> LAUNCH_PLAN:<nil>]] allowed");
}

static Flyteidl__Core__LiteralMap *one_input(const char *key, Flyteidl__Core__Literal *value)
{
	Flyteidl__Core__LiteralMap *map = proto_new(&arena, flyteidl__core__literal_map);
	Flyteidl__Core__LiteralMap__LiteralsEntry *entry =
	        (void *)proto_new_of(&arena, &flyteidl__core__literal_map__literals_entry__descriptor);
	entry->key = arena_strdup(&arena, key);
	entry->value = value;
	proto_append(&arena, map->n_literals, map->literals, entry);
	return map;
}

static Flyteidl__Core__Literal *datetime(int64_t seconds, int32_t nanos)
{
	Flyteidl__Core__Literal *literal = proto_new(&arena, flyteidl__core__literal);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = proto_new(&arena, flyteidl__core__scalar);
	literal->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	literal->scalar->primitive = proto_new(&arena, flyteidl__core__primitive);
	literal->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
	literal->scalar->primitive->datetime = proto_new(&arena, google__protobuf__timestamp);
	literal->scalar->primitive->datetime->seconds = seconds;
	literal->scalar->primitive->datetime->nanos = nanos;
	return literal;
}

static void test_inputs(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	expect_invalid("p", "d", "", valid_spec(), one_input("", datetime(0, 0)), "missing key in inputs");
	expect_invalid("p", "d", "", valid_spec(), one_input("x", proto_new(&arena, flyteidl__core__literal)),
	               "missing valid literal in inputs x");
	expect_invalid("p", "d", "", valid_spec(), one_input("x", NULL), "missing valid literal in inputs x");
	expect_invalid("p", "d", "", valid_spec(), one_input("x", datetime(INT64_MAX, 0)),
	               "invalid timestamp in inputs x: outside of the years 1 to 9999");
	expect_invalid("p", "d", "", valid_spec(), one_input("x", datetime(0, -1)),
	               "invalid timestamp in inputs x: outside of the years 1 to 9999");
	assert_int_equal(
	        execution_validate("p", "d", "", valid_spec(), one_input("x", datetime(253402300799, 999999999)), &e),
	        0);
}

static void test_labels(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	spec->labels = LABELS("example.com/team", "a_b.c");
	assert_int_equal(execution_validate("p", "d", "", spec, NULL, &e), 0);
	spec->labels = LABELS("no spaces", "x");
	expect_invalid("p", "d", "", spec, NULL, "invalid label key [no spaces]");
	spec->labels = LABELS("key", "-x");
	expect_invalid("p", "d", "", spec, NULL, "invalid label value [-x]");
	spec->labels = proto_new(&arena, flyteidl__admin__labels);
	for (unsigned i = 0; i < 17; i++) {
		Flyteidl__Admin__Labels__ValuesEntry *entry =
		        (void *)proto_new_of(&arena, &flyteidl__admin__labels__values_entry__descriptor);
		entry->key = arena_printf(&arena, "k%u", i);
		proto_append(&arena, spec->labels->n_values, spec->labels->values, entry);
	}
	expect_invalid("p", "d", "", spec, NULL, "labels map cannot exceed 16 entries");
	spec->labels->n_values = 16;
	assert_int_equal(execution_validate("p", "d", "", spec, NULL, &e), 0);
}

static Flyteidl__Admin__Notification *email(const char *recipient, Flyteidl__Core__WorkflowExecution__Phase phase)
{
	Flyteidl__Admin__Notification *n = proto_new(&arena, flyteidl__admin__notification);
	n->type_case = FLYTEIDL__ADMIN__NOTIFICATION__TYPE_EMAIL;
	n->email = proto_new(&arena, flyteidl__admin__email_notification);
	if (recipient)
		proto_append(&arena, n->email->n_recipients_email, n->email->recipients_email,
		             arena_strdup(&arena, recipient));
	proto_append(&arena, n->n_phases, n->phases, phase);
	return n;
}

static void set_notification(Flyteidl__Admin__ExecutionSpec *spec, Flyteidl__Admin__Notification *n)
{
	spec->notification_overrides_case = FLYTEIDL__ADMIN__EXECUTION_SPEC__NOTIFICATION_OVERRIDES_NOTIFICATIONS;
	spec->notifications = proto_new(&arena, flyteidl__admin__notification_list);
	proto_append(&arena, spec->notifications->n_notifications, spec->notifications->notifications, n);
}

static void test_notifications(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	set_notification(spec, email("me@example.com", PHASE(FAILED)));
	assert_int_equal(execution_validate("p", "d", "", spec, NULL, &e), 0);
	set_notification(spec, email("me@example.com", PHASE(RUNNING)));
	expect_invalid("p", "d", "", spec, NULL, "invalid value for phase");
	set_notification(spec, email("", PHASE(FAILED)));
	expect_invalid("p", "d", "", spec, NULL, "missing recipient");
	set_notification(spec, email(NULL, PHASE(FAILED)));
	expect_invalid("p", "d", "", spec, NULL, "missing recipients");
	set_notification(spec, proto_new(&arena, flyteidl__admin__notification));
	expect_invalid("p", "d", "", spec, NULL, "invalid value for notification type");
}

static Flyteidl__Admin__ExecutionSpec *spec_with_budget(int64_t seconds, int32_t nanos)
{
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	Flyteidl__Core__QualityOfService *quality = proto_new(&arena, flyteidl__core__quality_of_service);
	quality->designation_case = FLYTEIDL__CORE__QUALITY_OF_SERVICE__DESIGNATION_SPEC;
	quality->spec = proto_new(&arena, flyteidl__core__quality_of_service_spec);
	quality->spec->queueing_budget = proto_new(&arena, google__protobuf__duration);
	quality->spec->queueing_budget->seconds = seconds;
	quality->spec->queueing_budget->nanos = nanos;
	spec->quality_of_service = quality;
	return spec;
}

static void test_quality_of_service(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	assert_int_equal(execution_validate("p", "d", "n", spec_with_budget(60, 500), NULL, &e), 0);
	assert_int_equal(execution_validate("p", "d", "n", spec_with_budget(-60, -500), NULL, &e), 0);
	expect_invalid("p", "d", "n", spec_with_budget(1, -1), NULL,
	               "Invalid custom quality of service set in create execution request [p/d/n], failed to parse duration "
	               "[seconds:1 nanos:-1] with: seconds and nanos have different signs");
	expect_invalid("p", "d", "n", spec_with_budget(0, 1000000000), NULL,
	               "Invalid custom quality of service set in create execution request [p/d/n], failed to parse duration "
	               "[seconds:0 nanos:1000000000] with: out of range");
}

static void test_which_notifications_apply(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	Flyteidl__Admin__LaunchPlanSpec *plan = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	assert_null(execution_config_notifications(&arena, spec, NULL));
	assert_null(execution_config_notifications(&arena, spec, plan));
	plan->entity_metadata = proto_new(&arena, flyteidl__admin__launch_plan_metadata);
	proto_append(&arena, plan->entity_metadata->n_notifications, plan->entity_metadata->notifications,
	             email("plan@example.com", PHASE(FAILED)));
	assert_string_equal(
	        execution_config_notifications(&arena, spec, plan)->notifications[0]->email->recipients_email[0],
	        "plan@example.com");
	set_notification(spec, email("request@example.com", PHASE(FAILED)));
	assert_string_equal(
	        execution_config_notifications(&arena, spec, plan)->notifications[0]->email->recipients_email[0],
	        "request@example.com");
	spec->notification_overrides_case = FLYTEIDL__ADMIN__EXECUTION_SPEC__NOTIFICATION_OVERRIDES_DISABLE_ALL;
	spec->disable_all = false; /* what flytekit sends */
	assert_string_equal(
	        execution_config_notifications(&arena, spec, plan)->notifications[0]->email->recipients_email[0],
	        "plan@example.com");
	spec->disable_all = true;
	assert_null(execution_config_notifications(&arena, spec, plan));
}

static Flyteidl__Core__SecurityContext *runs_as(const char *service_account)
{
	Flyteidl__Core__SecurityContext *context = proto_new(&arena, flyteidl__core__security_context);
	context->run_as = proto_new(&arena, flyteidl__core__identity);
	context->run_as->k8s_service_account = arena_strdup(&arena, service_account);
	return context;
}

static Flyteidl__Admin__RawOutputDataConfig *raw_output(const char *prefix)
{
	Flyteidl__Admin__RawOutputDataConfig *config = proto_new(&arena, flyteidl__admin__raw_output_data_config);
	config->output_location_prefix = arena_strdup(&arena, prefix);
	return config;
}

static Google__Protobuf__BoolValue *boolean(bool value)
{
	Google__Protobuf__BoolValue *message = proto_new(&arena, google__protobuf__bool_value);
	message->value = value;
	return message;
}

static void complete(Flyteidl__Admin__ExecutionSpec *spec, const Flyteidl__Admin__LaunchPlanSpec *plan,
                     const Flyteidl__Admin__Labels *project_labels)
{
	const struct launch_attributes none = { .task_resources = NULL };
	const struct execution_config_sources sources = { .launch_plan = plan,
		                                          .attributes = &none,
		                                          .settings = settings_default(),
		                                          .project_labels = project_labels };
	execution_config_complete(&arena, spec, &sources);
}

static void test_request_wins_over_launch_plan(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	Flyteidl__Admin__LaunchPlanSpec *plan = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	plan->max_parallelism = 7;
	plan->labels = LABELS("from", "plan");
	plan->raw_output_data_config = raw_output("s3://plan");
	plan->security_context = runs_as("plan");
	plan->interruptible = boolean(true);
	spec->max_parallelism = 3;
	spec->labels = LABELS("from", "request");
	spec->raw_output_data_config = raw_output("s3://request");
	spec->security_context = runs_as("request");
	spec->interruptible = boolean(false);
	spec->overwrite_cache = true;
	complete(spec, plan, NULL);
	assert_int_equal(spec->max_parallelism, 3);
	assert_int_equal(spec->labels->n_values, 1);
	assert_string_equal(spec->labels->values[0]->value, "request");
	assert_string_equal(spec->raw_output_data_config->output_location_prefix, "s3://request");
	assert_string_equal(spec->security_context->run_as->k8s_service_account, "request");
	assert_false(spec->interruptible->value);
	assert_true(spec->overwrite_cache);
}

static void test_launch_plan_fills_what_is_empty(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	Flyteidl__Admin__LaunchPlanSpec *plan = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	plan->max_parallelism = 7;
	plan->labels = LABELS("from", "plan");
	plan->raw_output_data_config = raw_output("s3://plan");
	plan->security_context = runs_as("plan");
	plan->interruptible = boolean(true);
	plan->overwrite_cache = true;
	plan->envs = proto_new(&arena, flyteidl__admin__envs);
	proto_append(&arena, plan->envs->n_values, plan->envs->values,
	             proto_new(&arena, flyteidl__core__key_value_pair));
	/* Messages that are there and empty say nothing: clients and launch plans send them all the time. */
	spec->labels = proto_new(&arena, flyteidl__admin__labels);
	spec->raw_output_data_config = raw_output("");
	spec->security_context = runs_as("");
	spec->envs = proto_new(&arena, flyteidl__admin__envs);
	complete(spec, plan, LABELS("from", "project", "team", "x"));
	assert_int_equal(spec->max_parallelism, 7);
	assert_string_equal(spec->raw_output_data_config->output_location_prefix, "s3://plan");
	assert_string_equal(spec->security_context->run_as->k8s_service_account, "plan");
	assert_true(spec->interruptible->value);
	assert_true(spec->overwrite_cache);
	assert_int_equal(spec->envs->n_values, 1);
	assert_int_equal(spec->labels->n_values, 2); /* the project's label of the same key gives way */
	assert_string_equal(spec->labels->values[0]->value, "plan");
	assert_string_equal(spec->labels->values[1]->key, "team");
	assert_int_equal(plan->labels->n_values, 1); /* the launch plan's own message is untouched */
}

static void test_defaults(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	complete(spec, NULL, NULL);
	assert_int_equal(spec->max_parallelism, 25);
	assert_non_null(spec->security_context->run_as);
	assert_null(spec->labels);
	assert_null(spec->interruptible);
}

static void test_older_ways_to_name_a_role(void **state)
{
	(void)state;
	Flyteidl__Admin__ExecutionSpec *spec = valid_spec();
	Flyteidl__Admin__LaunchPlanSpec *plan = proto_new(&arena, flyteidl__admin__launch_plan_spec);
	spec->auth_role = proto_new(&arena, flyteidl__admin__auth_role); /* empty, as flytekit sends it */
	plan->role = arena_strdup(&arena, "role");
	complete(spec, plan, NULL);
	assert_string_equal(spec->security_context->run_as->iam_role, "role");

	spec->security_context = NULL;
	plan->auth = proto_new(&arena, flyteidl__admin__auth);
	plan->auth->kubernetes_service_account = arena_strdup(&arena, "auth");
	complete(spec, plan, NULL);
	assert_string_equal(spec->security_context->run_as->k8s_service_account, "auth");

	spec->security_context = NULL;
	spec->auth_role->kubernetes_service_account = arena_strdup(&arena, "request");
	complete(spec, plan, NULL);
	assert_string_equal(spec->security_context->run_as->k8s_service_account, "request");
	assert_string_equal(spec->security_context->run_as->iam_role, "");
}

static struct proto_bytes packed_error(const char *message)
{
	Flyteidl__Core__ExecutionError *error = proto_new(&arena, flyteidl__core__execution_error);
	error->code = arena_strdup(&arena, "USER:ValueError");
	error->message = arena_strdup(&arena, message);
	error->kind = FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__USER;
	return proto_pack(&arena, &error->base);
}

static struct execution_row execution_row(const char *phase)
{
	return (struct execution_row){
		.project = "p",
		.domain = "d",
		.name = "run",
		.workflow_project = "p",
		.workflow_domain = "d",
		.workflow_name = "wf",
		.workflow_version = "v1",
		.spec = { (const uint8_t *)"", 0 },
		.phase = phase,
		.state_principal = "",
		.abort_cause = "",
		.abort_principal = "",
		.outputs_uri = "s3://b/o",
		.user_inputs_uri = "",
		.created_at = 1500000000123456000,
		.updated_at = 1500000003123456000,
		.state_updated_at = 1500000000123456000,
		.duration_ns = -1,
	};
}

static void test_execution_message(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	struct execution_row row = execution_row("SUCCEEDED");
	row.started_at = 1500000001123456000;
	row.duration_ns = 1250000000;
	Flyteidl__Admin__Execution *m = execution_message(&arena, &row, MESSAGE_WHOLE, &e);
	assert_non_null(m);
	assert_string_equal(m->id->name, "run");
	assert_string_equal(m->spec->metadata->system_metadata->namespace_, "p-d");
	assert_int_equal(m->closure->phase, PHASE(SUCCEEDED));
	assert_int_equal(m->closure->created_at->seconds, 1500000000);
	assert_int_equal(m->closure->created_at->nanos, 123456000);
	assert_int_equal(m->closure->started_at->seconds, 1500000001);
	assert_int_equal(m->closure->duration->seconds, 1);
	assert_int_equal(m->closure->duration->nanos, 250000000);
	assert_int_equal(m->closure->workflow_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW);
	assert_string_equal(m->closure->workflow_id->version, "v1");
	assert_int_equal(m->closure->output_result_case, FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_OUTPUTS);
	assert_string_equal(m->closure->outputs->uri, "s3://b/o");
	assert_non_null(m->closure->state_change_details->occurred_at);

	row = execution_row("RUNNING"); /* outputs only count once the execution has succeeded */
	m = execution_message(&arena, &row, MESSAGE_WHOLE, &e);
	assert_int_equal(m->closure->output_result_case, FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT__NOT_SET);
	assert_null(m->closure->started_at);
	assert_null(m->closure->duration);

	row = execution_row(
	        "ABORTED"); /* whatever the engine noted besides, the abortion is what the client asks about */
	row.abort_cause = "enough";
	row.error = packed_error("x");
	m = execution_message(&arena, &row, MESSAGE_WHOLE, &e);
	assert_int_equal(m->closure->output_result_case,
	                 FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ABORT_METADATA);
	assert_string_equal(m->closure->abort_metadata->cause, "enough");
}

static void test_messages_of_errors(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	char text[130];
	memset(text, 'x', sizeof(text));
	memcpy(text + 99, "\xc3\xa4", 2); /* a character across the cut */
	text[sizeof(text) - 1] = 0;
	struct execution_row row = execution_row("FAILED");
	row.error = packed_error(text);
	Flyteidl__Admin__Execution *m = execution_message(&arena, &row, MESSAGE_WHOLE, &e);
	assert_string_equal(m->closure->error->message, text);
	m = execution_message(&arena, &row, MESSAGE_IN_LIST, &e);
	assert_int_equal(strlen(m->closure->error->message), 99);
	text[99] = 'y';
	text[100] = 0;
	row.error = packed_error(text);
	m = execution_message(&arena, &row, MESSAGE_IN_LIST, &e);
	assert_string_equal(m->closure->error->message, text);
}

static void test_damaged_rows(void **state)
{
	(void)state;
	struct execution_row row = execution_row("FAILED");
	static const struct proto_bytes garbage = { (const uint8_t *)"\xff\xff\xff", 3 };
	for (int i = 0; i < 3; i++) {
		auto_err struct err e = ERR_INIT;
		row = execution_row("FAILED");
		if (i == 0)
			row.spec = garbage;
		else if (i == 1)
			row.error = garbage;
		else
			row.notifications = garbage;
		assert_null(execution_message(&arena, &row, MESSAGE_WHOLE, &e));
		assert_int_equal(e.kind, ERR_INTERNAL);
	}
}

static void test_node_execution_message(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__NodeExecutionClosure *target = proto_new(&arena, flyteidl__admin__node_execution_closure);
	target->target_metadata_case = FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__TARGET_METADATA_TASK_NODE_METADATA;
	target->task_node_metadata = proto_new(&arena, flyteidl__admin__task_node_metadata);
	target->task_node_metadata->checkpoint_uri = arena_strdup(&arena, "s3://b/c");
	struct node_execution_row row = {
		.project = "p",
		.domain = "d",
		.execution_name = "run",
		.node_id = "n0-0-n1",
		.spec_node_id = "n1",
		.retry_group = "0",
		.is_parent = true,
		.is_dynamic = true,
		.phase = "SUCCEEDED",
		.inputs_uri = "s3://b/i",
		.outputs_uri = "s3://b/o",
		.deck_uri = "s3://b/deck",
		.target_metadata = proto_pack(&arena, &target->base),
		.dynamic_workflow_uri = "",
		.created_at = 1500000000123456000,
		.duration_ns = 0,
	};
	Flyteidl__Admin__NodeExecution *m = node_execution_message(&arena, &row, MESSAGE_IN_LIST, &e);
	assert_non_null(m);
	assert_string_equal(m->id->node_id, "n0-0-n1");
	assert_string_equal(m->id->execution_id->project, "p");
	assert_string_equal(m->metadata->spec_node_id, "n1");
	assert_string_equal(m->metadata->retry_group, "0");
	assert_true(m->metadata->is_parent_node);
	assert_true(m->metadata->is_dynamic);
	assert_false(m->metadata->is_array);
	assert_string_equal(m->input_uri, "s3://b/i");
	assert_int_equal(m->closure->phase, FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED);
	assert_string_equal(m->closure->output_uri, "s3://b/o");
	assert_string_equal(m->closure->deck_uri, "s3://b/deck");
	assert_string_equal(m->closure->task_node_metadata->checkpoint_uri, "s3://b/c");
	assert_int_equal(m->closure->duration->seconds, 0);
	row.error = packed_error("broken");
	m = node_execution_message(&arena, &row, MESSAGE_WHOLE, &e);
	assert_int_equal(m->closure->output_result_case, FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR);
	assert_string_equal(m->closure->error->message, "broken");
}

static void test_task_execution_message(void **state)
{
	(void)state;
	auto_err struct err e = ERR_INIT;
	Flyteidl__Admin__TaskExecutionClosure *rest = proto_new(&arena, flyteidl__admin__task_execution_closure);
	Flyteidl__Core__TaskLog *log = proto_new(&arena, flyteidl__core__task_log);
	log->uri = arena_strdup(&arena, "http://log");
	proto_append(&arena, rest->n_logs, rest->logs, log);
	struct task_execution_row row = {
		.node = { "p", "d", "run", "n0" },
		.retry_attempt = 2,
		.task_project = "tp",
		.task_domain = "td",
		.task_name = "t",
		.task_version = "v",
		.task_type = "python-task",
		.phase = "RUNNING",
		.inputs_uri = "s3://b/i",
		.outputs_uri = "s3://b/o",
		.reason = "waiting",
		.closure = proto_pack(&arena, &rest->base),
		.created_at = 1500000000123456000,
		.duration_ns = -1,
	};
	Flyteidl__Admin__TaskExecution *m = task_execution_message(&arena, &row, &e);
	assert_non_null(m);
	assert_int_equal(m->id->task_id->resource_type, FLYTEIDL__CORE__RESOURCE_TYPE__TASK);
	assert_string_equal(m->id->task_id->project, "tp");
	assert_int_equal(m->id->retry_attempt, 2);
	assert_string_equal(m->id->node_execution_id->node_id, "n0");
	assert_string_equal(m->closure->logs[0]->uri, "http://log");
	assert_string_equal(m->closure->reason, "waiting");
	assert_string_equal(m->closure->task_type, "python-task");
	assert_int_equal(m->closure->output_result_case,
	                 FLYTEIDL__ADMIN__TASK_EXECUTION_CLOSURE__OUTPUT_RESULT__NOT_SET);
	row.phase = "SUCCEEDED";
	row.closure = (struct proto_bytes){ NULL, 0 };
	m = task_execution_message(&arena, &row, &e);
	assert_string_equal(m->closure->output_uri, "s3://b/o");
	assert_int_equal(m->closure->n_logs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_names, release),
		cmocka_unit_test_teardown(test_chosen_names, release),
		cmocka_unit_test_teardown(test_missing_parts, release),
		cmocka_unit_test_teardown(test_inputs, release),
		cmocka_unit_test_teardown(test_labels, release),
		cmocka_unit_test_teardown(test_notifications, release),
		cmocka_unit_test_teardown(test_quality_of_service, release),
		cmocka_unit_test_teardown(test_which_notifications_apply, release),
		cmocka_unit_test_teardown(test_request_wins_over_launch_plan, release),
		cmocka_unit_test_teardown(test_launch_plan_fills_what_is_empty, release),
		cmocka_unit_test_teardown(test_defaults, release),
		cmocka_unit_test_teardown(test_older_ways_to_name_a_role, release),
		cmocka_unit_test_teardown(test_execution_message, release),
		cmocka_unit_test_teardown(test_messages_of_errors, release),
		cmocka_unit_test_teardown(test_damaged_rows, release),
		cmocka_unit_test_teardown(test_node_execution_message, release),
		cmocka_unit_test_teardown(test_task_execution_message, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
