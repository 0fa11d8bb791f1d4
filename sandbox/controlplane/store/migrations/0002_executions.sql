-- Executions, their nodes and their task attempts. The API reads these rows, the engine moves them: phases are the names of the flyteidl
-- enums (clients filter by name). Whatever the engine must remember between two rounds is in the engine_* columns.

create table executions (
	id bigint generated always as identity primary key,
	project text not null, domain text not null, name text not null,
	launch_plan_id bigint references launch_plans (id),
	workflow_id bigint references workflows (id),
	task_id bigint references tasks (id),      -- set for single-task executions
	resource_type smallint not null default 3, -- what was launched: TASK 1, LAUNCH_PLAN 3
	spec bytea not null,                       -- flyteidl.admin.ExecutionSpec after merging
	phase text not null default 'UNDEFINED',   -- flyteidl.core.WorkflowExecution.Phase
	state smallint not null default 0,         -- flyteidl.admin.ExecutionState: ACTIVE 0, ARCHIVED 1
	state_updated_at timestamptz, state_principal text not null default '',
	mode smallint not null default 0,          -- ExecutionMetadata.ExecutionMode
	principal text not null default '',
	cluster text not null default '',
	inputs bytea, inputs_uri text not null default '',               -- LiteralMap merged with the launch plan's
	user_inputs bytea, user_inputs_uri text not null default '',     -- LiteralMap as given
	outputs bytea, outputs_uri text not null default '',
	error bytea, error_kind text not null default '', error_code text not null default '', -- flyteidl.core.ExecutionError
	abort_cause text not null default '', abort_principal text not null default '',
	notifications bytea,                       -- flyteidl.admin.NotificationList that applies, resolved at creation
	parent_node_execution_id bigint,
	source_execution_id bigint,
	created_at timestamptz not null default now(), -- when the row was made
	execution_created_at timestamptz,
	started_at timestamptz,
	ended_at timestamptz,
	updated_at timestamptz not null default now(),
	duration interval,
	unique (project, domain, name)
);
create index executions_newest on executions (project, domain, created_at desc, id desc);
create index executions_unfinished on executions (id) where phase not in ('SUCCEEDED', 'FAILED', 'ABORTED', 'TIMED_OUT');
create index executions_by_workflow on executions (workflow_id, id desc);
create index executions_by_launch_plan on executions (launch_plan_id, id desc);

-- Tags of an execution, from its labels (key and value) and from spec.tags (value empty); clients filter by them.
create table execution_tags (
	execution_id bigint not null references executions (id) on delete cascade,
	key text not null,
	value text not null default '',
	primary key (execution_id, key, value)
);
create index execution_tags_by_key on execution_tags (key, value, execution_id);

create table node_executions (
	id bigint generated always as identity primary key,
	execution_id bigint not null references executions (id) on delete cascade,
	node_id text not null,                     -- unique within the execution: "n0", "n0-0-n1"
	spec_node_id text not null,                -- the node's id in its own workflow
	parent_id bigint references node_executions (id) on delete cascade,
	retry_group text not null default '',
	is_parent boolean not null default false, is_array boolean not null default false, is_dynamic boolean not null default false,
	phase text not null default 'UNDEFINED',   -- flyteidl.core.NodeExecution.Phase
	node_name text not null default '',
	inputs bytea, inputs_uri text not null default '',
	outputs bytea, outputs_uri text not null default '',
	deck_uri text not null default '',
	error bytea, error_kind text not null default '', error_code text not null default '',
	target_metadata bytea,                     -- flyteidl.admin.NodeExecutionClosure with only target_metadata set
	dynamic_workflow_uri text not null default '',
	created_at timestamptz not null default now(),
	started_at timestamptz, ended_at timestamptz,
	updated_at timestamptz not null default now(),
	duration interval,
	engine_attempt integer not null default 0,          -- current attempt, 0-based
	engine_user_failures integer not null default 0,    -- spent of the user's retry budget
	engine_system_failures integer not null default 0,  -- spent of the system's
	engine_retry_at timestamptz,                        -- not before
	engine_recheck_at timestamptz,
	unique (execution_id, node_id)
);
create index node_executions_by_parent on node_executions (parent_id);

create table task_executions (
	id bigint generated always as identity primary key,
	node_execution_id bigint not null references node_executions (id) on delete cascade,
	execution_id bigint not null references executions (id) on delete cascade,
	retry_attempt integer not null,
	project text not null, domain text not null, name text not null, version text not null, -- the task's id
	task_type text not null default '',
	phase text not null default 'UNDEFINED',   -- flyteidl.core.TaskExecution.Phase
	phase_version integer not null default 0,
	inputs_uri text not null default '',
	outputs bytea, outputs_uri text not null default '',
	error bytea, error_kind text not null default '', error_code text not null default '',
	reason text not null default '',
	closure bytea,                             -- flyteidl.admin.TaskExecutionClosure with logs, reasons, metadata, custom_info
	pod_namespace text not null default '', pod_name text not null default '',
	created_at timestamptz not null default now(),
	task_execution_created_at timestamptz,
	started_at timestamptz, ended_at timestamptz,
	updated_at timestamptz not null default now(),
	duration interval,
	unique (node_execution_id, retry_attempt)
);
create index task_executions_by_execution on task_executions (execution_id);
create index task_executions_by_pod on task_executions (pod_namespace, pod_name);
