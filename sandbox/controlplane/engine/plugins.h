/*
 * Which plugin runs tasks of a type, under the names that clients are shown and that matchable attributes of type PLUGIN_OVERRIDE use. There is one
 * plugin for each type, so an override cannot choose another; what it can do, as upstream, is to refuse tasks whose plugin is not among those
 * that it names (flytepropeller pkg/controller/nodes/task, ResolvePlugin at v1.16.8).
 */
#ifndef SANDBOX_CONTROLPLANE_ENGINE_PLUGINS_H
#define SANDBOX_CONTROLPLANE_ENGINE_PLUGINS_H

#include "base/arena.h"

#include "flyteidl/admin/matchable_resource.pb-c.h"

#define PLUGIN_CONNECTOR "connector-service" /* of every type that a connector runs */
/* Of tasks that no connector runs: "container" for every type that has no plugin of its own. */
const char *plugins_name(const char *task_type);

/*
 * Why a task of this type may not be run by the plugin, in the arena: an override for its type names plugins, that is none of them, and what it says about
 * missing plugins is FAIL (the default). Else NULL. `overrides` may be NULL; of several for one type the last counts.
 */
const char *plugins_refusal(struct arena *arena, const Flyteidl__Admin__PluginOverrides *overrides, const char *task_type,
			    const char *plugin);

#endif
