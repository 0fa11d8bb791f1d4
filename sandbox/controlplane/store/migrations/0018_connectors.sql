-- Attempts of tasks that connectors run. The engine asks for one in the transaction that begins the attempt, and for its end in the one
-- that ends it; who talks to connectors takes rows that are due, for as long as a call may take, and writes down what came of it. So
-- neither a call nor what it answered is lost with a process.
create table connector_tasks (
	id bigint generated always as identity primary key,
	execution_id bigint not null references executions (id) on delete cascade,
	name text not null,                        -- of the attempt, as pods have it
	task_type text not null,
	task_version integer not null default 0,
	phase text not null default 'CREATE',      -- CREATE: to be created, RUN: to be asked about, END: over, DELETE: to be deleted
	request bytea,                             -- flyteidl.admin.CreateTaskRequest, until it has been created
	output_prefix text not null default '',
	meta bytea,                                -- by which the connector knows it, once it is created
	resource bytea,                            -- flyteidl.admin.Resource, as last heard
	finished boolean not null default false,   -- and that was the last
	failure_code text not null default '',     -- END for a reason of ours, and who pays for it
	failure_message text not null default '', failure_retryable boolean not null default false,
	problem text not null default '',          -- why it does not go on at present
	questions integer not null default 0,      -- for its state that were answered
	failures integer not null default 0,       -- calls in a row that failed
	failing_since timestamptz,
	due_at timestamptz,                        -- of the next call; null: none
	lease bigint not null default 0,           -- how often it was taken
	leased_until timestamptz,
	created_at timestamptz not null default now(),
	unique (execution_id, name)
);
create index connector_tasks_due on connector_tasks (due_at) where due_at is not null;

-- The attempt is a connector's: there is no pod of its name.
alter table task_executions add column connector boolean not null default false;
alter table array_elements add column connector boolean not null default false;
