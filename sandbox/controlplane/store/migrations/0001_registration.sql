-- Projects and what is registered in them. Ids of entities are (project, domain, name, version), as in flyteidl's Identifier.
-- Messages are kept as serialized protobuf, next to the columns that lists filter and sort by.

create table projects (
	id bigint generated always as identity primary key,
	identifier text not null unique,
	name text not null,
	description text not null default '',
	labels bytea,                              -- flyteidl.admin.Labels
	state smallint not null default 0,         -- flyteidl.admin.Project.ProjectState
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now()
);
insert into projects (identifier, name, description) values ('flytesnacks', 'flytesnacks', 'flytesnacks description');

create table tasks (
	id bigint generated always as identity primary key,
	project text not null, domain text not null, name text not null, version text not null,
	type text not null,
	short_description text not null default '',
	digest bytea not null,                     -- of the canonical CompiledTask
	closure bytea not null,                    -- flyteidl.admin.TaskClosure
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (project, domain, name, version)
);
create index tasks_newest on tasks (project, domain, name, created_at desc, id desc);

create table workflows (
	id bigint generated always as identity primary key,
	project text not null, domain text not null, name text not null, version text not null,
	short_description text not null default '',
	typed_interface bytea,                     -- flyteidl.core.TypedInterface
	digest bytea not null,                     -- of the canonical CompiledWorkflowClosure
	closure bytea not null,                    -- flyteidl.core.CompiledWorkflowClosure
	closure_uri text not null default '',
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (project, domain, name, version)
);
create index workflows_newest on workflows (project, domain, name, created_at desc, id desc);

create table launch_plans (
	id bigint generated always as identity primary key,
	project text not null, domain text not null, name text not null, version text not null,
	workflow_id bigint not null references workflows (id),
	spec bytea not null,                       -- flyteidl.admin.LaunchPlanSpec
	expected_inputs bytea not null,            -- flyteidl.core.ParameterMap
	expected_outputs bytea not null,           -- flyteidl.core.VariableMap
	digest bytea not null,
	state smallint not null default 0,         -- flyteidl.admin.LaunchPlanState: INACTIVE 0, ACTIVE 1
	schedule_type text not null default 'NONE',
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (project, domain, name, version)
);
create index launch_plans_newest on launch_plans (project, domain, name, created_at desc, id desc);
-- At most one version of a launch plan is active.
create unique index launch_plans_active on launch_plans (project, domain, name) where state = 1;

create table named_entities (
	id bigint generated always as identity primary key,
	resource_type smallint not null,           -- flyteidl.core.ResourceType
	project text not null, domain text not null, name text not null,
	description text not null default '',
	state smallint not null default 0,         -- ACTIVE 0, ARCHIVED 1, SYSTEM_GENERATED 2
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (resource_type, project, domain, name)
);
