#include "controlplane/engine/plugins.h"

#include "base/text.h"

const char *plugins_name(const char *task_type)
{
	if (text_equal(task_type, "echo"))
		return "echo";
	if (text_equal(task_type, "container_array"))
		return "k8s-array";
	return text_equal(task_type, "sidecar") ? "pod" : "container";
}

static const Flyteidl__Admin__PluginOverride *find(const Flyteidl__Admin__PluginOverrides *overrides, const char *task_type)
{
	for (size_t i = overrides ? overrides->n_overrides : 0; i-- > 0;)
		if (text_equal(overrides->overrides[i]->task_type, task_type))
			return overrides->overrides[i];
	return NULL;
}

const char *plugins_refusal(struct arena *arena, const Flyteidl__Admin__PluginOverrides *overrides, const char *task_type,
			    const char *plugin)
{
	const Flyteidl__Admin__PluginOverride *override = find(overrides, task_type);
	if (!override || !override->n_plugin_id ||
	    override->missing_plugin_behavior != FLYTEIDL__ADMIN__PLUGIN_OVERRIDE__MISSING_PLUGIN_BEHAVIOR__FAIL)
		return NULL;
	for (size_t i = 0; i < override->n_plugin_id; i++)
		if (text_equal(override->plugin_id[i], plugin))
			return NULL;
	return arena_printf(arena,
	                    "unable to resolve plugin: no matching plugin overrides defined for Handler type [%s]. Ignoring any defaultPlugins "
	                    "configured; such tasks are run by [%s], which the PLUGIN_OVERRIDE attribute does not name: add it, or set "
	                    "missing_plugin_behavior to USE_DEFAULT",
	                    task_type, plugin);
}
