-- What somebody has set for a project, a project's domain, a workflow or a launch plan there: one row a type and place. An empty name is
-- "all of them". The most specific place wins, which `priority` orders as upstream does (flyteadmin's ResourcePriority).

create table matchable_attributes (
	id bigint generated always as identity primary key,
	resource_type smallint not null,           -- flyteidl.admin.MatchableResource
	project text not null,
	domain text not null default '', workflow text not null default '', launch_plan text not null default '',
	attributes bytea not null,                 -- flyteidl.admin.MatchingAttributes
	priority integer not null generated always as (
		case when launch_plan <> '' then 1000 when workflow <> '' then 100 when domain <> '' then 10 else 5 end) stored,
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (resource_type, project, domain, workflow, launch_plan)
);
