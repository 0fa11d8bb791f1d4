-- What people wrote about one version of a task or workflow, as it came with its registration.
create table description_entities (
	id bigint generated always as identity primary key,
	resource_type smallint not null,           -- flyteidl.core.ResourceType: TASK 1, WORKFLOW 2
	project text not null, domain text not null, name text not null, version text not null,
	short_description text not null default '',
	long_description bytea,                    -- flyteidl.admin.Description
	source_link text not null default '',
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (resource_type, project, domain, name, version)
);
