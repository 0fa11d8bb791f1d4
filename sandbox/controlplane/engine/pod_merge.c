/*
 * A PodTemplate below a task's own pod spec (reference §2.7; upstream's mergePodSpecs at v1.16.8). What the task says
 * comes on top: scalars replace, lists are appended to the template's, objects are merged key by key. A template's
 * containers are not run: `default` is the base of every container of the task and `primary` of its primary container,
 * as `default-init` and `primary-init` are of its init containers.
 *
 * One difference to upstream: a number or a boolean that the task gives explicitly counts even when it is 0 or false;
 * Go's merge cannot tell those from nothing.
 */
#include "base/text.h"
#include "controlplane/engine/pod_internal.h"

#include <string.h>

static bool says_nothing(const json_t *value)
{
	return json_is_null(value) || (json_is_string(value) && !*json_string_value(value)) ||
	       (json_is_array(value) && !json_array_size(value)) || (json_is_object(value) && !json_object_size(value));
}

void pod_merge(json_t *base, const json_t *above)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)above, key, value)
	{
		json_t *own = json_object_get(base, key);
		if (says_nothing(value))
			continue;
		if (json_is_object(own) && json_is_object(value))
			pod_merge(own, value);
		else if (json_is_array(own) && json_is_array(value))
			for (size_t i = 0; i < json_array_size(value); i++)
				json_array_append_new(own, json_deep_copy(json_array_get(value, i)));
		else
			json_object_set_new(base, key, json_deep_copy(value));
	}
}

json_t *pod_find_container(const json_t *containers, const char *name)
{
	for (size_t i = 0; i < json_array_size(containers); i++) {
		json_t *container = json_array_get(containers, i);
		if (text_equal(json_string_at(container, "name", NULL), name))
			return container;
	}
	return NULL;
}

/* What Kubernetes sets for a container that names no pull policy. */
static const char *default_pull_policy(const char *image)
{
	const char *slash = strrchr(image, '/');
	const char *tag = strchr(slash ? slash : image, ':');
	if (strchr(image, '@'))
		return "IfNotPresent";
	return !tag || text_equal(tag, ":latest") ? "Always" : "IfNotPresent";
}

/*
 * The API server has completed the template: its container has a pull policy even if nobody wrote one, derived from an
 * image that is only there because an image has to be. Where the task brings its own image, such a policy says nothing.
 */
static json_t *base_for(const json_t *base, const json_t *container)
{
	json_t *copy = base ? json_deep_copy(base) : json_object();
	if (*json_string_at(container, "image", "") &&
	    text_equal(json_string_at(copy, "imagePullPolicy", NULL),
	               default_pull_policy(json_string_at(copy, "image", ""))))
		json_object_del(copy, "imagePullPolicy");
	return copy;
}

static json_t *merge_containers(const json_t *bases, const json_t *containers, const char *default_name,
                                const char *primary_base_name, const char *primary)
{
	const json_t *of_all = pod_find_container(bases, default_name);
	const json_t *of_primary = pod_find_container(bases, primary_base_name);
	json_t *merged = json_array();
	for (size_t i = 0; i < json_array_size(containers); i++) {
		const json_t *container = json_array_get(containers, i);
		json_t *result = base_for(of_all, container);
		if (of_primary && text_equal(json_string_at(container, "name", NULL), primary)) {
			auto_json json_t *base = base_for(of_primary, container);
			pod_merge(result, base);
		}
		pod_merge(result, container);
		json_array_append_new(merged, result);
	}
	return merged;
}

json_t *pod_merge_template(const json_t *template_spec, const json_t *spec, const char *primary,
                           const char *primary_init)
{
	json_t *merged = json_is_object(template_spec) ? json_deep_copy(template_spec) : json_object();
	json_object_del(merged, "containers");
	json_object_del(merged, "initContainers");
	/* "Always" by default, and a task is never started again by the kubelet unless it says so itself. */
	json_object_del(merged, "restartPolicy");
	pod_merge(merged, spec);
	json_object_set_new(merged, "containers",
	                    merge_containers(json_object_get(template_spec, "containers"),
	                                     json_object_get(spec, "containers"), "default", "primary", primary));
	if (json_array_size(json_object_get(spec, "initContainers")))
		json_object_set_new(merged, "initContainers",
		                    merge_containers(json_object_get(template_spec, "initContainers"),
		                                     json_object_get(spec, "initContainers"), "default-init",
		                                     "primary-init", primary_init));
	return merged;
}
