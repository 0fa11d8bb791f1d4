/*
 * Secrets a task asks for become references to Kubernetes Secrets when the pod is built (../shared reference §2.14):
 * the Secret is named after the group, lives in the task's namespace, and its absence is left to the task to find,
 * whose SDK has the better message.
 */
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

#include <ctype.h>
#include <string.h>

#define SECRETS_DIRECTORY "/etc/flyte/secrets"
#define ENVIRONMENT_PREFIX "_FSEC_"

bool pod_has_secrets(const Flyteidl__Core__TaskTemplate *task)
{
	return task->security_context && task->security_context->n_secrets;
}

static char *to_case(struct arena *arena, const char *text, int (*convert)(int))
{
	char *copy = arena_strdup(arena, text);
	for (char *at = copy; *at; at++)
		*at = (char)convert((unsigned char)*at);
	return copy;
}

static void add_as_environment(struct arena *arena, const Flyteidl__Core__Secret *secret, json_t *env)
{
	const char *names[] = {
		to_case(arena, arena_printf(arena, ENVIRONMENT_PREFIX "%s_%s", secret->group, secret->key), toupper),
		secret->env_var,
	};
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (text_is_empty(names[i]))
			continue;
		json_array_append_new(env, json_pack("{s:s, s:{s:{s:s, s:s, s:b}}}", "name", names[i], "valueFrom",
		                                     "secretKeyRef", "name", secret->group, "key", secret->key,
		                                     "optional", 1));
	}
	pod_set_environment(env, "FLYTE_SECRETS_ENV_PREFIX", ENVIRONMENT_PREFIX);
}

/* The items of the volume that holds the secrets of `group`, made at its first use. */
static json_t *volume_items(struct arena *arena, const char *group, json_t *volumes, json_t *mounts)
{
	for (size_t i = 0; i < json_array_size(volumes); i++) {
		const json_t *volume = json_array_get(volumes, i);
		if (text_starts_with(json_string_at(volume, "name", ""), "flyte-secret-") &&
		    text_equal(json_string_at(volume, "secret/secretName", NULL), group))
			return json_lookup(volume, "secret/items");
	}
	const char *name = arena_printf(arena, "flyte-secret-%zu", json_array_size(volumes));
	json_t *volume = json_pack("{s:s, s:{s:s, s:b, s:[]}}", "name", name, "secret", "secretName", group, "optional",
	                           1, "items");
	json_array_append_new(volumes, volume);
	json_array_append_new(mounts,
	                      json_pack("{s:s, s:s, s:b}", "name", name, "mountPath",
	                                arena_printf(arena, SECRETS_DIRECTORY "/%s", to_case(arena, group, tolower)),
	                                "readOnly", 1));
	return json_lookup(volume, "secret/items");
}

static void add_as_file(struct arena *arena, const Flyteidl__Core__Secret *secret, json_t *volumes, json_t *mounts,
                        json_t *env)
{
	const char *file = to_case(arena, secret->key, tolower);
	json_t *items = volume_items(arena, secret->group, volumes, mounts);
	json_array_append_new(items, json_pack("{s:s, s:s}", "key", secret->key, "path", file));
	pod_set_environment(env, "FLYTE_SECRETS_DEFAULT_DIR", SECRETS_DIRECTORY);
	pod_set_environment(env, "FLYTE_SECRETS_FILE_PREFIX", "");
	if (!text_is_empty(secret->env_var))
		pod_set_environment(
		        env, secret->env_var,
		        arena_printf(arena, SECRETS_DIRECTORY "/%s/%s", to_case(arena, secret->group, tolower), file));
}

static json_t *list_of(json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);
	if (list)
		return list;
	list = json_array();
	json_object_set_new(object, key, list);
	return list;
}

int pod_add_secrets(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, json_t *spec, json_t *container,
                    struct err *e)
{
	for (size_t i = 0; pod_has_secrets(task) && i < task->security_context->n_secrets; i++) {
		const Flyteidl__Core__Secret *secret = task->security_context->secrets[i];
		if (text_is_empty(secret->group) || text_is_empty(secret->key))
			return err_set(e, ERR_INVALID, "BadTaskSpecification",
			               "a secret needs a group and a key, not \"%s\" and \"%s\"", secret->group,
			               secret->key);
		if (secret->mount_requirement == FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ENV_VAR)
			add_as_environment(arena, secret, list_of(container, "env"));
		else
			add_as_file(arena, secret, list_of(spec, "volumes"), list_of(container, "volumeMounts"),
			            list_of(container, "env"));
	}
	return 0;
}
