-- What an execution took from the platform and from matchable attributes when it was made, and keeps: later changes are for later executions.

alter table executions
	add column resource_policy text not null default '', -- JSON, settings/resource_policy.h; '': made before there was one
	add column plugin_overrides bytea;                   -- flyteidl.admin.PluginOverrides; null: none
