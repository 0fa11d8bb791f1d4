/*
 * Secrets a task asks for become references to Kubernetes Secrets when the pod is built:
 * the Secret is named after the group, lives in the task's namespace, and its absence is left to the task to find,
 * whose SDK has the better message.
 */
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

#include <ctype.h>
#include <string.h>

#define SECRETS_DIRECTORY "/etc/flyte/secrets"
#define ENVIRONMENT_PREFIX "_FSEC_"
#define VOLUME_PREFIX "flyte-secret-"

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

/* The name of the volume that holds the secrets of `group`, made at its first use, with `key` among its files. */
static const char *volume_with(struct arena *arena, const Flyteidl__Core__Secret *secret, json_t *spec)
{
	json_t *volumes = pod_list_of(spec, "volumes");
	json_t *volume = NULL;
	const char *file = to_case(arena, secret->key, tolower);
	for (size_t i = 0; i < json_array_size(volumes) && !volume; i++) {
		json_t *other = json_array_get(volumes, i);
		if (text_starts_with(json_string_at(other, "name", ""), VOLUME_PREFIX) &&
		    text_equal(json_string_at(other, "secret/secretName", NULL), secret->group))
			volume = other;
	}
	if (!volume) {
		volume = json_pack("{s:s, s:{s:s, s:b, s:[]}}", "name",
		                   arena_printf(arena, VOLUME_PREFIX "%zu", json_array_size(volumes)), "secret",
		                   "secretName", secret->group, "optional", 1, "items");
		json_array_append_new(volumes, volume);
	}
	json_t *items = json_lookup(volume, "secret/items");
	for (size_t i = 0; i < json_array_size(items); i++) {
		if (text_equal(json_string_at(json_array_get(items, i), "key", NULL), secret->key))
			return json_string_at(volume, "name", "");
	}
	json_array_append_new(items, json_pack("{s:s, s:s}", "key", secret->key, "path", file));
	return json_string_at(volume, "name", "");
}

static void mount(json_t *container, const char *volume, const char *directory)
{
	json_t *mounts = pod_list_of(container, "volumeMounts");
	for (size_t i = 0; i < json_array_size(mounts); i++) {
		if (text_equal(json_string_at(json_array_get(mounts, i), "name", NULL), volume))
			return;
	}
	json_array_append_new(mounts,
	                      json_pack("{s:s, s:s, s:b}", "name", volume, "mountPath", directory, "readOnly", 1));
}

static void add_as_file(struct arena *arena, const Flyteidl__Core__Secret *secret, const char *volume,
                        json_t *container)
{
	const char *directory = arena_printf(arena, SECRETS_DIRECTORY "/%s", to_case(arena, secret->group, tolower));
	json_t *env = pod_list_of(container, "env");
	mount(container, volume, directory);
	pod_set_environment(env, "FLYTE_SECRETS_DEFAULT_DIR", SECRETS_DIRECTORY);
	pod_set_environment(env, "FLYTE_SECRETS_FILE_PREFIX", "");
	if (!text_is_empty(secret->env_var))
		pod_set_environment(env, secret->env_var,
		                    arena_printf(arena, "%s/%s", directory, to_case(arena, secret->key, tolower)));
}

static void add_secret(struct arena *arena, const Flyteidl__Core__Secret *secret, json_t *spec)
{
	static const char *const lists[] = { "initContainers", "containers" };
	const bool as_file = secret->mount_requirement != FLYTEIDL__CORE__SECRET__MOUNT_TYPE__ENV_VAR;
	const char *volume = as_file ? volume_with(arena, secret, spec) : NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		json_t *containers = json_object_get(spec, lists[i]);
		for (size_t k = 0; k < json_array_size(containers); k++) {
			json_t *container = json_array_get(containers, k);
			if (as_file)
				add_as_file(arena, secret, volume, container);
			else
				add_as_environment(arena, secret, pod_list_of(container, "env"));
		}
	}
}

int pod_inject_secrets(struct arena *arena, Flyteidl__Core__Secret *const *secrets, size_t count, json_t *spec,
                       struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		if (text_is_empty(secrets[i]->group) || text_is_empty(secrets[i]->key))
			return err_set(e, ERR_INVALID, POD_BAD_TASK,
			               "a secret needs a group and a key, not \"%s\" and \"%s\"", secrets[i]->group,
			               secrets[i]->key);
		add_secret(arena, secrets[i], spec);
	}
	return 0;
}

int pod_add_secrets(struct arena *arena, const Flyteidl__Core__TaskTemplate *task, json_t *spec, struct err *e)
{
	if (!pod_has_secrets(task))
		return 0;
	return pod_inject_secrets(arena, task->security_context->secrets, task->security_context->n_secrets, spec, e);
}
