#include "controlplane/api/launch_plan_validate.h"

#include "base/kubernetes_names.h"
#include "base/text.h"
#include "controlplane/compiler/types.h"
#include "controlplane/launch/ids.h"
#include "controlplane/schedule/ticks.h"

#include <string.h>

#define LABEL_MAXIMUM 16

int launch_plan_validate_labels(const Flyteidl__Admin__Labels *labels, struct err *e)
{
	if (!labels)
		return 0;
	if (labels->n_values > LABEL_MAXIMUM)
		return err_set(e, ERR_INVALID, "too-many-labels", "labels map cannot exceed %d entries", LABEL_MAXIMUM);
	for (size_t i = 0; i < labels->n_values; i++) {
		const Flyteidl__Admin__Labels__ValuesEntry *label = labels->values[i];
		if (!kubernetes_is_label_key(label->key))
			return err_set(e, ERR_INVALID, "invalid-label",
			               "invalid label key [%s]: [name part must consist of alphanumeric characters, "
			               "'-', '_' or '.', and "
			               "must start and end with an alphanumeric character]",
			               label->key);
		if (!kubernetes_is_label_value(label->value))
			return err_set(
			        e, ERR_INVALID, "invalid-label",
			        "invalid label value [%s]: [a valid label must be an empty string or consist of "
			        "alphanumeric "
			        "characters, '-', '_' or '.', and must start and end with an alphanumeric character]",
			        label->value);
	}
	return 0;
}

/* Seconds of the years 1 to 9999, as google.protobuf.Timestamp has them. */
static int validate_datetime(const Flyteidl__Core__Literal *literal, struct err *e)
{
	if (!literal || literal->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR ||
	    literal->scalar->value_case != FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE ||
	    literal->scalar->primitive->value_case != FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME)
		return 0;
	const Google__Protobuf__Timestamp *time = literal->scalar->primitive->datetime;
	if (time->seconds < INT64_C(-62135596800) || time->seconds > INT64_C(253402300799) || time->nanos < 0 ||
	    time->nanos > 999999999)
		return err_set(e, ERR_INVALID, "invalid-datetime", "timestamp (seconds:%lld nanos:%d) is out of range",
		               (long long)time->seconds, time->nanos);
	return 0;
}

static int validate_fixed_inputs(const Flyteidl__Core__LiteralMap *inputs, struct err *e)
{
	for (size_t i = 0; inputs && i < inputs->n_literals; i++) {
		const Flyteidl__Core__LiteralMap__LiteralsEntry *input = inputs->literals[i];
		if (!*input->key)
			return err_set(e, ERR_INVALID, "invalid-fixed-input", "missing key in fixed_inputs");
		if (!input->value || input->value->value_case == FLYTEIDL__CORE__LITERAL__VALUE__NOT_SET)
			return err_set(e, ERR_INVALID, "invalid-fixed-input",
			               "missing valid literal in fixed_inputs %s", input->key);
		if (validate_datetime(input->value, e) < 0)
			return -1;
	}
	return 0;
}

static int validate_default(struct arena *arena, const char *name, const Flyteidl__Core__Parameter *parameter,
                            struct err *e)
{
	if (!parameter || !parameter->var || !parameter->var->type)
		return err_set(e, ERR_INVALID, "invalid-default-input",
		               "The Variable component of the Parameter %s in default_inputs either is missing, or has "
		               "a missing Type",
		               name);
	switch (parameter->behavior_case) {
	case FLYTEIDL__CORE__PARAMETER__BEHAVIOR_ARTIFACT_QUERY:
		return err_set(e, ERR_INVALID, "invalid-default-input",
		               "artifact mode not enabled but query found default_inputs %s", name);
	case FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED:
		if (parameter->required)
			return 0;
		break;
	case FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT:
		if (!types_accept_literal(parameter->var->type, parameter->default_)) {
			const Flyteidl__Core__LiteralType *type = types_of_literal(arena, parameter->default_);
			return err_set(e, ERR_INVALID, "invalid-default-input",
			               "Type mismatch for Parameter %s in default_inputs has type %s, expected %s",
			               name, types_describe_in(arena, parameter->var->type),
			               type ? types_describe_in(arena, type) : "unknown");
		}
		return validate_datetime(parameter->default_, e);
	default:
		break;
	}
	return err_set(e, ERR_INVALID, "invalid-default-input",
	               "Invalid variable %s in default_inputs - variable has neither default, nor is required. One "
	               "must be specified",
	               name);
}

static int validate_default_inputs(struct arena *arena, const Flyteidl__Core__ParameterMap *inputs, struct err *e)
{
	for (size_t i = 0; inputs && i < inputs->n_parameters; i++) {
		if (!*inputs->parameters[i]->key)
			return err_set(e, ERR_INVALID, "invalid-default-input", "missing key in default_inputs");
		if (validate_default(arena, inputs->parameters[i]->key, inputs->parameters[i]->value, e) < 0)
			return -1;
	}
	return 0;
}

static const Flyteidl__Core__Variable *find_variable(const Flyteidl__Core__VariableMap *map, const char *name)
{
	for (size_t i = 0; map && i < map->n_variables; i++) {
		if (strcmp(map->variables[i]->key, name) == 0)
			return map->variables[i]->value;
	}
	return NULL;
}

static Flyteidl__Core__Parameter *find_parameter(const Flyteidl__Core__ParameterMap *map, const char *name)
{
	for (size_t i = 0; map && i < map->n_parameters; i++) {
		if (strcmp(map->parameters[i]->key, name) == 0)
			return map->parameters[i]->value;
	}
	return NULL;
}

static bool is_fixed(const Flyteidl__Core__LiteralMap *map, const char *name)
{
	for (size_t i = 0; map && i < map->n_literals; i++) {
		if (strcmp(map->literals[i]->key, name) == 0)
			return true;
	}
	return false;
}

static int match_defaults(struct arena *arena, const Flyteidl__Core__ParameterMap *defaults,
                          const Flyteidl__Core__VariableMap *inputs, struct err *e)
{
	for (size_t i = 0; defaults && i < defaults->n_parameters; i++) {
		const char *name = defaults->parameters[i]->key;
		const Flyteidl__Core__Variable *variable = find_variable(inputs, name);
		if (!variable)
			return err_set(e, ERR_INVALID, "unexpected-input", "unexpected default_input %s", name);
		const Flyteidl__Core__LiteralType *type = defaults->parameters[i]->value->var->type;
		if (!types_castable(type, variable->type))
			return err_set(e, ERR_INVALID, "wrong-input-type",
			               "invalid default_input wrong type %s, expected %s, got %s instead", name,
			               types_describe_in(arena, type), types_describe_in(arena, variable->type));
	}
	return 0;
}

static int match_fixed(struct arena *arena, const Flyteidl__Core__LiteralMap *fixed,
                       const Flyteidl__Core__VariableMap *inputs, struct err *e)
{
	for (size_t i = 0; fixed && i < fixed->n_literals; i++) {
		const char *name = fixed->literals[i]->key;
		const Flyteidl__Core__Variable *variable = find_variable(inputs, name);
		if (!variable)
			return err_set(e, ERR_INVALID, "unexpected-input", "unexpected fixed_input %s", name);
		const Flyteidl__Core__LiteralType *type = types_of_literal(arena, fixed->literals[i]->value);
		if (!type)
			return err_set(e, ERR_INVALID, "invalid-literal-type",
			               "Failed to validate literal type for [%s] with err: the type of the value "
			               "cannot be told",
			               name);
		if (!types_castable(type, variable->type))
			return err_set(e, ERR_INVALID, "wrong-input-type",
			               "invalid fixed_input wrong type %s, expected %s, got %s instead", name,
			               types_describe_in(arena, variable->type), types_describe_in(arena, type));
	}
	return 0;
}

static Flyteidl__Core__Parameter *required_parameter(struct arena *arena, const Flyteidl__Core__Variable *variable)
{
	Flyteidl__Core__Parameter *parameter = proto_new(arena, flyteidl__core__parameter);
	parameter->var = proto_new(arena, flyteidl__core__variable);
	parameter->var->type = variable->type;
	parameter->var->description = variable->description;
	parameter->behavior_case = FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED;
	parameter->required = true;
	return parameter;
}

static Flyteidl__Core__ParameterMap *expected_inputs(struct arena *arena, const Flyteidl__Admin__LaunchPlanSpec *spec,
                                                     const Flyteidl__Core__VariableMap *inputs)
{
	Flyteidl__Core__ParameterMap *expected = proto_new(arena, flyteidl__core__parameter_map);
	for (size_t i = 0; inputs && i < inputs->n_variables; i++) {
		const char *name = inputs->variables[i]->key;
		Flyteidl__Core__Parameter *parameter = find_parameter(spec->default_inputs, name);
		if (!parameter && is_fixed(spec->fixed_inputs, name))
			continue;
		Flyteidl__Core__ParameterMap__ParametersEntry *entry =
		        (Flyteidl__Core__ParameterMap__ParametersEntry *)proto_new_of(
		                arena, &flyteidl__core__parameter_map__parameters_entry__descriptor);
		entry->key = arena_strdup(arena, name);
		entry->value = parameter ? parameter : required_parameter(arena, inputs->variables[i]->value);
		proto_append(arena, expected->n_parameters, expected->parameters, entry);
	}
	return expected;
}

/* A workflow without inputs has its own words. */
static int match_inputs(struct arena *arena, const Flyteidl__Admin__LaunchPlanSpec *spec,
                        const Flyteidl__Core__VariableMap *inputs, struct err *e)
{
	if (!inputs || inputs->n_variables == 0) {
		if (spec->default_inputs && spec->default_inputs->n_parameters)
			return err_set(e, ERR_INVALID, "unexpected-input",
			               "invalid launch plan default inputs, expected none but found %zu",
			               spec->default_inputs->n_parameters);
		if (spec->fixed_inputs && spec->fixed_inputs->n_literals)
			return err_set(e, ERR_INVALID, "unexpected-input",
			               "invalid launch plan fixed inputs, expected none but found %zu",
			               spec->fixed_inputs->n_literals);
		return 0;
	}
	if (match_defaults(arena, spec->default_inputs, inputs, e) < 0)
		return -1;
	return match_fixed(arena, spec->fixed_inputs, inputs, e);
}

static const Flyteidl__Admin__Schedule *schedule_of(const Flyteidl__Admin__LaunchPlanSpec *spec)
{
	return spec->entity_metadata ? spec->entity_metadata->schedule : NULL;
}

const char *launch_plan_schedule_type(const Flyteidl__Admin__LaunchPlanSpec *spec)
{
	return ticks_type(schedule_of(spec));
}

/* A schedule starts executions by itself, so nothing but the time may be left open. */
static int validate_bindings(struct arena *arena, const Flyteidl__Admin__Schedule *schedule,
                             const Flyteidl__Core__ParameterMap *expected, struct err *e)
{
	const char *kickoff = schedule->kickoff_time_input_arg;
	for (size_t i = 0; i < expected->n_parameters; i++) {
		const Flyteidl__Core__Parameter *parameter = expected->parameters[i]->value;
		if (parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_REQUIRED && parameter->required &&
		    strcmp(expected->parameters[i]->key, kickoff) != 0)
			return err_set(e, ERR_INVALID, "unbound-input",
			               "Cannot create a launch plan with a schedule if there is an unbound required "
			               "input. [%s] is required",
			               expected->parameters[i]->key);
	}
	if (!*kickoff)
		return 0;
	const Flyteidl__Core__Parameter *parameter = find_parameter(expected, kickoff);
	if (!parameter)
		return err_set(e, ERR_INVALID, "invalid-kickoff",
		               "Cannot create a schedule with a KickoffTimeInputArg that does not point to a free "
		               "input. [%s] is not free or "
		               "does not exist.",
		               kickoff);
	if (!types_is_simple(parameter->var->type, FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME))
		return err_set(e, ERR_INVALID, "invalid-kickoff",
		               "KickoffTimeInputArg must reference a datetime input. [%s] is a [%s]", kickoff,
		               types_describe_in(arena, parameter->var->type));
	return 0;
}

static int validate_schedule(struct arena *arena, const Flyteidl__Admin__LaunchPlanSpec *spec,
                             const Flyteidl__Core__ParameterMap *expected, struct err *e)
{
	if (strcmp(launch_plan_schedule_type(spec), "NONE") == 0)
		return 0;
	const Flyteidl__Admin__Schedule *schedule = schedule_of(spec);
	if (validate_bindings(arena, schedule, expected, e) < 0)
		return -1;
	struct ticks ticks;
	return ticks_of_schedule(arena, schedule, &ticks, e);
}

static int validate_recipients(char *const *recipients, size_t count, struct err *e)
{
	if (count == 0)
		return ids_require(NULL, "recipients", e);
	for (size_t i = 0; i < count; i++) {
		if (ids_require(recipients[i], "recipient", e) < 0)
			return -1;
	}
	return 0;
}

static bool is_terminal(Flyteidl__Core__WorkflowExecution__Phase phase)
{
	return phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILED ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__TIMED_OUT ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED;
}

static int validate_notification(const Flyteidl__Admin__Notification *notification, struct err *e)
{
	int fine;
	switch (notification->type_case) {
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_EMAIL:
		fine = validate_recipients(notification->email->recipients_email,
		                           notification->email->n_recipients_email, e);
		break;
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_SLACK:
		fine = validate_recipients(notification->slack->recipients_email,
		                           notification->slack->n_recipients_email, e);
		break;
	case FLYTEIDL__ADMIN__NOTIFICATION__TYPE_PAGER_DUTY:
		fine = validate_recipients(notification->pager_duty->recipients_email,
		                           notification->pager_duty->n_recipients_email, e);
		break;
	default:
		return err_set(e, ERR_INVALID, "invalid-notification", "invalid value for notification type");
	}
	for (size_t i = 0; fine == 0 && i < notification->n_phases; i++) {
		if (!is_terminal(notification->phases[i]))
			return err_set(e, ERR_INVALID, "invalid-notification", "invalid value for phase");
	}
	return fine;
}

static int validate_metadata(const Flyteidl__Admin__LaunchPlanMetadata *metadata, struct err *e)
{
	if (!metadata)
		return 0;
	for (size_t i = 0; i < metadata->n_notifications; i++) {
		if (validate_notification(metadata->notifications[i], e) < 0)
			return -1;
	}
	if (metadata->launch_conditions)
		return err_set(e, ERR_INVALID, "launch-condition", "Launch condition must be empty, found %s",
		               metadata->launch_conditions->type_url);
	return 0;
}

Flyteidl__Core__ParameterMap *launch_plan_validate(struct arena *arena, const Flyteidl__Admin__LaunchPlanSpec *spec,
                                                   const Flyteidl__Core__TypedInterface *interface, struct err *e)
{
	if (launch_plan_validate_labels(spec->labels, e) < 0 || validate_fixed_inputs(spec->fixed_inputs, e) < 0 ||
	    validate_default_inputs(arena, spec->default_inputs, e) < 0 ||
	    match_inputs(arena, spec, interface->inputs, e) < 0)
		return NULL;
	Flyteidl__Core__ParameterMap *expected = expected_inputs(arena, spec, interface->inputs);
	if (validate_schedule(arena, spec, expected, e) < 0 || validate_metadata(spec->entity_metadata, e) < 0)
		return NULL;
	return expected;
}
