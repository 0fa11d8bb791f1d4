/*
 * Each place is first brought to the same shape, `struct layer`, in which an empty field is NULL or 0. Merging is then
 * one rule for every field, and another place — matchable attributes — is another layer.
 */
#include "controlplane/launch/execution_config.h"

#include "base/text.h"
#include "proto/field.h"
#include "proto/message.h"

struct layer {
	int32_t max_parallelism;
	Flyteidl__Core__SecurityContext *security_context;
	Flyteidl__Admin__RawOutputDataConfig *raw_output_data_config;
	Flyteidl__Admin__Labels *labels;
	Flyteidl__Admin__Annotations *annotations;
	Google__Protobuf__BoolValue *interruptible;
	bool overwrite_cache;
	Flyteidl__Admin__Envs *envs;
	Flyteidl__Core__ExecutionEnvAssignment **environment_assignments;
	size_t environment_assignment_count;
	Flyteidl__Admin__ClusterAssignment *cluster_assignment;
	Flyteidl__Core__QualityOfService *quality_of_service;
};

/* Every message that has these fields calls them the same; the ones that say nothing become empty. */
#define COMMON_OF(message)                                                                                             \
	.max_parallelism = (message)->max_parallelism > 0 ? (message)->max_parallelism : 0,                            \
	.security_context = names_somebody((message)->security_context) ? (message)->security_context : NULL,          \
	.raw_output_data_config =                                                                                      \
	        (message)->raw_output_data_config &&                                                                   \
	                        !text_is_empty((message)->raw_output_data_config->output_location_prefix)              \
	                ? (message)->raw_output_data_config                                                            \
	                : NULL,                                                                                        \
	.labels = (message)->labels && (message)->labels->n_values ? (message)->labels : NULL,                         \
	.annotations = (message)->annotations && (message)->annotations->n_values ? (message)->annotations : NULL,     \
	.interruptible = (message)->interruptible, .overwrite_cache = (message)->overwrite_cache,                      \
	.envs = (message)->envs && (message)->envs->n_values ? (message)->envs : NULL,                                 \
	.environment_assignments = (message)->execution_env_assignments,                                               \
	.environment_assignment_count = (message)->n_execution_env_assignments

/* Specs of executions and launch plans have these too. */
#define LAYER_OF_SPEC(message)                                                                                         \
	{                                                                                                              \
		COMMON_OF(message), .cluster_assignment = (message)->cluster_assignment,                               \
		                    .quality_of_service = designates((message)->quality_of_service)                    \
	}

static bool names_somebody(const Flyteidl__Core__SecurityContext *context)
{
	const Flyteidl__Core__Identity *run_as = context ? context->run_as : NULL;
	return run_as && (!text_is_empty(run_as->k8s_service_account) || !text_is_empty(run_as->iam_role) ||
	                  !text_is_empty(run_as->execution_identity));
}

/* A tier that is not defined leaves the choice to the next place (flyteadmin's GetQualityOfService). */
static Flyteidl__Core__QualityOfService *designates(const Flyteidl__Core__QualityOfService *quality)
{
	const bool says = quality && (quality->designation_case == FLYTEIDL__CORE__QUALITY_OF_SERVICE__DESIGNATION_SPEC ||
	                              (quality->designation_case == FLYTEIDL__CORE__QUALITY_OF_SERVICE__DESIGNATION_TIER &&
	                               quality->tier != FLYTEIDL__CORE__QUALITY_OF_SERVICE__TIER__UNDEFINED));
	return says ? (Flyteidl__Core__QualityOfService *)(uintptr_t)quality : NULL;
}

static void merge(struct layer *into, const struct layer *from)
{
	if (!into->max_parallelism)
		into->max_parallelism = from->max_parallelism;
	if (!into->security_context)
		into->security_context = from->security_context;
	if (!into->raw_output_data_config)
		into->raw_output_data_config = from->raw_output_data_config;
	if (!into->labels)
		into->labels = from->labels;
	if (!into->annotations)
		into->annotations = from->annotations;
	if (!into->interruptible)
		into->interruptible = from->interruptible;
	if (!into->overwrite_cache)
		into->overwrite_cache = from->overwrite_cache;
	if (!into->envs)
		into->envs = from->envs;
	if (!into->environment_assignment_count) {
		into->environment_assignments = from->environment_assignments;
		into->environment_assignment_count = from->environment_assignment_count;
	}
	if (!into->cluster_assignment)
		into->cluster_assignment = from->cluster_assignment;
	if (!into->quality_of_service)
		into->quality_of_service = from->quality_of_service;
}

/* From the fields that came before security_context: auth_role of either, then the launch plan's auth, then its role.
 * NULL when none says anything. */
static Flyteidl__Core__SecurityContext *from_auth_role(struct arena *arena, const Flyteidl__Admin__ExecutionSpec *spec,
                                                       const Flyteidl__Admin__LaunchPlanSpec *launch_plan)
{
	const struct {
		const char *iam_role, *service_account;
	} candidates[] = {
		{ spec->auth_role ? spec->auth_role->assumable_iam_role : "",
		  spec->auth_role ? spec->auth_role->kubernetes_service_account : "" },
		{ launch_plan && launch_plan->auth_role ? launch_plan->auth_role->assumable_iam_role : "",
		  launch_plan && launch_plan->auth_role ? launch_plan->auth_role->kubernetes_service_account : "" },
		{ launch_plan && launch_plan->auth ? launch_plan->auth->assumable_iam_role : "",
		  launch_plan && launch_plan->auth ? launch_plan->auth->kubernetes_service_account : "" },
		{ launch_plan ? launch_plan->role : "", "" },
	};
	Flyteidl__Core__SecurityContext *context = proto_new(arena, flyteidl__core__security_context);
	context->run_as = proto_new(arena, flyteidl__core__identity);
	for (size_t i = 0; i < ARRAY_LENGTH(candidates); i++) {
		if (text_is_empty(candidates[i].iam_role) && text_is_empty(candidates[i].service_account))
			continue;
		context->run_as->iam_role = arena_strdup(arena, candidates[i].iam_role);
		context->run_as->k8s_service_account = arena_strdup(arena, candidates[i].service_account);
		return context;
	}
	return NULL;
}

static bool has_label(const Flyteidl__Admin__Labels *labels, const char *key)
{
	for (size_t i = 0; labels && i < labels->n_values; i++)
		if (text_equal(labels->values[i]->key, key))
			return true;
	return false;
}

static Flyteidl__Admin__Labels *with_project_labels(struct arena *arena, Flyteidl__Admin__Labels *labels,
                                                    const Flyteidl__Admin__Labels *project_labels)
{
	if (!project_labels || project_labels->n_values == 0)
		return labels;
	Flyteidl__Admin__Labels *all = proto_new(arena, flyteidl__admin__labels);
	for (size_t i = 0; labels && i < labels->n_values; i++)
		proto_append(arena, all->n_values, all->values, labels->values[i]);
	for (size_t i = 0; i < project_labels->n_values; i++)
		if (!has_label(labels, project_labels->values[i]->key))
			proto_append(arena, all->n_values, all->values, project_labels->values[i]);
	return all;
}

/* Whatever else may be said about, a security context has to be there for those who read it. */
static Flyteidl__Core__SecurityContext *nobody(struct arena *arena)
{
	Flyteidl__Core__SecurityContext *context = proto_new(arena, flyteidl__core__security_context);
	context->run_as = proto_new(arena, flyteidl__core__identity);
	return context;
}

static void merge_config(struct layer *into, const Flyteidl__Admin__WorkflowExecutionConfig *config)
{
	if (!config)
		return;
	struct layer layer = { COMMON_OF(config) };
	merge(into, &layer);
}

void execution_config_complete(struct arena *arena, Flyteidl__Admin__ExecutionSpec *spec,
                               const struct execution_config_sources *sources)
{
	const Flyteidl__Admin__LaunchPlanSpec *launch_plan = sources->launch_plan;
	const struct launch_attributes *attributes = sources->attributes;
	struct layer config = LAYER_OF_SPEC(spec);
	if (launch_plan) {
		struct layer layer = LAYER_OF_SPEC(launch_plan);
		merge(&config, &layer);
	}
	const struct layer workflow = { .quality_of_service = designates(sources->workflow_quality_of_service) };
	merge(&config, &workflow);
	merge_config(&config, attributes->execution_config);
	merge_config(&config, attributes->project_execution_config);
	struct layer others = { .security_context = from_auth_role(arena, spec, launch_plan),
		                .cluster_assignment = attributes->cluster_assignment,
		                .quality_of_service = designates(attributes->quality_of_service) };
	merge(&config, &others);
	merge_config(&config, execution_config_of_platform(arena, sources->settings));
	others = (struct layer){ .security_context = nobody(arena) };
	merge(&config, &others);

	spec->max_parallelism = config.max_parallelism;
	spec->security_context = config.security_context;
	spec->raw_output_data_config = config.raw_output_data_config;
	spec->labels = with_project_labels(arena, config.labels, sources->project_labels);
	spec->annotations = config.annotations;
	spec->interruptible = config.interruptible;
	spec->overwrite_cache = config.overwrite_cache;
	spec->envs = config.envs;
	spec->execution_env_assignments = config.environment_assignments;
	spec->n_execution_env_assignments = config.environment_assignment_count;
	spec->cluster_assignment = config.cluster_assignment;
	spec->quality_of_service = config.quality_of_service;
}

/*
 * Labels, annotations and variables are alike: messages whose one field, number 1, is a list of pairs, and these have
 * their key in field 1 and their value in field 2. NULL for an empty map.
 */
static void *pairs_of_map(struct arena *arena, json_t *map, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = proto_new_of(arena, type);
	const ProtobufCFieldDescriptor *pairs = protobuf_c_message_descriptor_get_field(type, 1);
	const ProtobufCMessageDescriptor *pair_type = pairs->descriptor;
	const char *key;
	json_t *value;
	json_object_foreach(map, key, value)
	{
		ProtobufCMessage *pair = proto_new_of(arena, pair_type);
		char **const pair_key =
		        proto_field_prepare(pair, protobuf_c_message_descriptor_get_field(pair_type, 1));
		char **const pair_value =
		        proto_field_prepare(pair, protobuf_c_message_descriptor_get_field(pair_type, 2));
		ProtobufCMessage **const room = proto_field_append(arena, message, pairs);
		if (!room)
			break;
		*pair_key = arena_strdup(arena, key);
		*pair_value = arena_strdup(arena, json_string_value(value));
		*room = pair;
	}
	return proto_field_count(message, pairs) ? message : NULL;
}

Flyteidl__Admin__WorkflowExecutionConfig *execution_config_of_platform(struct arena *arena,
                                                                       const struct settings *settings)
{
	Flyteidl__Admin__WorkflowExecutionConfig *platform =
	        proto_new(arena, flyteidl__admin__workflow_execution_config);
	platform->max_parallelism = (int32_t)settings->max_parallelism;
	platform->overwrite_cache = settings->overwrite_cache;
	platform->labels = pairs_of_map(arena, settings->labels, &flyteidl__admin__labels__descriptor);
	platform->annotations = pairs_of_map(arena, settings->annotations, &flyteidl__admin__annotations__descriptor);
	platform->envs = pairs_of_map(arena, settings->environment, &flyteidl__admin__envs__descriptor);
	if (settings->interruptible) {
		platform->interruptible = proto_new(arena, google__protobuf__bool_value);
		platform->interruptible->value = true;
	}
	if (*settings->service_account || *settings->iam_role) {
		platform->security_context = nobody(arena);
		platform->security_context->run_as->k8s_service_account =
		        arena_strdup(arena, settings->service_account);
		platform->security_context->run_as->iam_role = arena_strdup(arena, settings->iam_role);
	}
	if (*settings->output_location_prefix) {
		platform->raw_output_data_config = proto_new(arena, flyteidl__admin__raw_output_data_config);
		platform->raw_output_data_config->output_location_prefix =
		        arena_strdup(arena, settings->output_location_prefix);
	}
	return platform;
}

Flyteidl__Admin__WorkflowExecutionConfig *
execution_config_effective(struct arena *arena, const Flyteidl__Admin__WorkflowExecutionConfig *first,
                           const Flyteidl__Admin__WorkflowExecutionConfig *second)
{
	struct layer config = { .max_parallelism = 0 };
	merge_config(&config, first);
	merge_config(&config, second);
	Flyteidl__Admin__WorkflowExecutionConfig *both = proto_new(arena, flyteidl__admin__workflow_execution_config);
	both->max_parallelism = config.max_parallelism;
	both->security_context = config.security_context;
	both->raw_output_data_config = config.raw_output_data_config;
	both->labels = config.labels;
	both->annotations = config.annotations;
	both->interruptible = config.interruptible;
	both->overwrite_cache = config.overwrite_cache;
	both->envs = config.envs;
	both->execution_env_assignments = config.environment_assignments;
	both->n_execution_env_assignments = config.environment_assignment_count;
	return both;
}

Flyteidl__Admin__NotificationList *execution_config_notifications(struct arena *arena,
                                                                  const Flyteidl__Admin__ExecutionSpec *spec,
                                                                  const Flyteidl__Admin__LaunchPlanSpec *launch_plan)
{
	if (spec->notification_overrides_case ==
	            FLYTEIDL__ADMIN__EXECUTION_SPEC__NOTIFICATION_OVERRIDES_NOTIFICATIONS &&
	    spec->notifications->n_notifications > 0)
		return spec->notifications;
	if (spec->notification_overrides_case == FLYTEIDL__ADMIN__EXECUTION_SPEC__NOTIFICATION_OVERRIDES_DISABLE_ALL &&
	    spec->disable_all)
		return NULL;
	if (!launch_plan || !launch_plan->entity_metadata || launch_plan->entity_metadata->n_notifications == 0)
		return NULL;
	Flyteidl__Admin__NotificationList *list = proto_new(arena, flyteidl__admin__notification_list);
	list->notifications = launch_plan->entity_metadata->notifications;
	list->n_notifications = launch_plan->entity_metadata->n_notifications;
	return list;
}
