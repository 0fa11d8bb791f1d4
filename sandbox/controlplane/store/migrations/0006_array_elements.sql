-- Map tasks. One row of task_executions stands for the whole array, as clients see it; each attempt of an element that was tried is a small
-- row here. Elements that have not begun have none. docs/decisions/0009-array-elements.md says why this way.

alter table task_executions add column array_size integer;  -- number of elements; null: not an array

create table array_elements (
	task_execution_id bigint not null references task_executions (id) on delete cascade,
	element integer not null,                    -- index in the list
	attempt integer not null,
	phase text not null default 'UNDEFINED',     -- flyteidl.core.NodeExecution.Phase; UNDEFINED: another attempt has replaced this one
	task_phase text not null default 'UNDEFINED', -- flyteidl.core.TaskExecution.Phase, what clients see
	cache_status smallint not null default 0,    -- flyteidl.core.CatalogCacheStatus
	user_failures integer not null default 0, system_failures integer not null default 0,
	pod_name text not null default '',
	reason text not null default '',             -- of the present wait
	error bytea,                                 -- flyteidl.core.ExecutionError
	outputs bytea,                               -- flyteidl.core.LiteralMap when it is small, else only in the object store
	queued_at timestamptz, created_at timestamptz, started_at timestamptz, ended_at timestamptz,
	retry_at timestamptz, recheck_at timestamptz,
	primary key (task_execution_id, element, attempt)
);
