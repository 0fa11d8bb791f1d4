#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

#include <inttypes.h>

void pod_set_environment(json_t *env, const char *name, const char *value)
{
	for (size_t i = 0; i < json_array_size(env); i++) {
		json_t *variable = json_array_get(env, i);
		if (!text_equal(json_string_at(variable, "name", NULL), name))
			continue;
		json_object_del(variable, "valueFrom");
		json_object_set_new(variable, "value", json_string(value));
		return;
	}
	json_array_append_new(env, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static bool has_variable(const json_t *env, const char *name)
{
	for (size_t i = 0; i < json_array_size(env); i++) {
		if (text_equal(json_string_at(json_array_get(env, i), "name", NULL), name))
			return true;
	}
	return false;
}

/*
 * Whoever is nearer to the run wins: the platform's defaults only fill gaps, the execution's variables replace the
 * task's, and what Flyte's SDK reads about the run itself cannot be replaced.
 */
void pod_add_environment(struct arena *arena, const struct pod_request *request, json_t *env)
{
	const struct pod_defaults *defaults = request->defaults;
	for (size_t i = 0; defaults && i < defaults->environment_count; i++) {
		if (!has_variable(env, defaults->environment[i].name))
			pod_set_environment(env, defaults->environment[i].name, defaults->environment[i].value);
	}
	const char *name;
	json_t *value;
	json_object_foreach(defaults ? defaults->variables : NULL, name, value)
	{
		if (!has_variable(env, name))
			pod_set_environment(env, name, json_string_value(value));
	}
	const Flyteidl__Admin__Envs *envs = request->execution_spec ? request->execution_spec->envs : NULL;
	for (size_t i = 0; envs && i < envs->n_values; i++)
		pod_set_environment(env, envs->values[i]->key, envs->values[i]->value);
	const Flyteidl__Core__Identifier *task = request->task->id;
	const struct pod_environment own[] = {
		{ "FLYTE_INTERNAL_EXECUTION_WORKFLOW", request->workflow_id_text },
		{ "FLYTE_INTERNAL_EXECUTION_ID", request->execution_name },
		{ "FLYTE_INTERNAL_EXECUTION_PROJECT", request->project },
		{ "FLYTE_INTERNAL_EXECUTION_DOMAIN", request->domain },
		{ "FLYTE_ATTEMPT_NUMBER", arena_printf(arena, "%u", request->attempt) },
		{ "FLYTE_INTERNAL_TASK_PROJECT", task ? task->project : "" },
		{ "FLYTE_INTERNAL_TASK_DOMAIN", task ? task->domain : "" },
		{ "FLYTE_INTERNAL_TASK_NAME", task ? task->name : "" },
		{ "FLYTE_INTERNAL_TASK_VERSION", task ? task->version : "" },
	};
	for (size_t i = 0; i < ARRAY_LENGTH(own); i++)
		pod_set_environment(env, own[i].name, own[i].value ? own[i].value : "");
	/* Integrations that track experiments link to it (upstream: flytek8s/k8s_resource_adds.go at v1.16.8). */
	if (defaults && !text_is_empty(defaults->console_url))
		pod_set_environment(env, "FLYTE_EXECUTION_URL",
		                    arena_printf(arena, "%s/projects/%s/domains/%s/executions/%s/nodeId/%s-%u/nodes",
		                                 defaults->console_url, request->project, request->domain,
		                                 request->execution_name, request->node_id, request->attempt));
	if (defaults && defaults->offload_minimum_mb) {
		pod_set_environment(env, "_F_L_MIN_SIZE_MB",
		                    arena_printf(arena, "%" PRId64, defaults->offload_minimum_mb));
		pod_set_environment(env, "_F_L_MAX_SIZE_MB",
		                    arena_printf(arena, "%" PRId64, defaults->offload_maximum_mb));
	}
	if (!request->in_array)
		return;
	/* The first names the second: so it was with AWS Batch, and so flytekit reads it. */
	pod_set_environment(env, "BATCH_JOB_ARRAY_INDEX_VAR_NAME", "FLYTE_K8S_ARRAY_INDEX");
	pod_set_environment(env, "FLYTE_K8S_ARRAY_INDEX", arena_printf(arena, "%u", request->array_index));
}
