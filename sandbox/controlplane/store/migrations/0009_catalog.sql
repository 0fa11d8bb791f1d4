-- The catalog of task outputs: what the engine's cache and the DataCatalog service stand on.

create table catalog_datasets (
	id bigint generated always as identity primary key,
	project text not null, domain text not null, name text not null, version text not null,
	uuid text not null default gen_random_uuid()::text,
	message bytea not null,                    -- datacatalog.Dataset
	created_at timestamptz not null default now(),
	unique (project, domain, name, version)
);
create index catalog_datasets_newest on catalog_datasets (created_at desc, id desc);

create table catalog_artifacts (
	dataset_id bigint not null references catalog_datasets (id) on delete cascade,
	artifact_id text not null,
	message bytea not null,                    -- datacatalog.Artifact without tags; without data when these are at outputs_uri
	outputs_uri text not null default '',      -- a flyteidl.core.LiteralMap
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	primary key (dataset_id, artifact_id)
);
create index catalog_artifacts_newest on catalog_artifacts (dataset_id, created_at desc, artifact_id);

create table catalog_partitions (
	dataset_id bigint not null, artifact_id text not null,
	key text not null, value text not null,
	primary key (dataset_id, artifact_id, key),
	foreign key (dataset_id, artifact_id) references catalog_artifacts on delete cascade
);

create table catalog_tags (
	dataset_id bigint not null, name text not null, artifact_id text not null,
	created_at timestamptz not null default now(),
	primary key (dataset_id, name),
	foreign key (dataset_id, artifact_id) references catalog_artifacts on delete cascade
);
create index catalog_tags_by_artifact on catalog_tags (dataset_id, artifact_id);

-- Who makes the artifact of a tag at present. The engine's belong to a node and have no end of their own. No foreign keys to executions: they are
-- written beside the transaction that holds the execution's row.
create table catalog_reservations (
	project text not null, domain text not null, name text not null, version text not null, tag text not null,
	owner_id text not null,
	execution_id bigint, node_id text,
	heartbeat_ns bigint not null default 0,
	expires_at timestamptz,
	primary key (project, domain, name, version, tag)
);
create index catalog_reservations_by_execution on catalog_reservations (execution_id);

-- Nodes to be told when a reservation is released.
create table catalog_waiters (
	project text not null, domain text not null, name text not null, version text not null, tag text not null,
	execution_id bigint not null, node_id text not null,
	primary key (project, domain, name, version, tag, execution_id, node_id)
);
create index catalog_waiters_by_execution on catalog_waiters (execution_id);

-- What a node's attempt is kept under when it has succeeded; "" when its task is not cached.
alter table node_executions add column engine_cache_tag text not null default '';
