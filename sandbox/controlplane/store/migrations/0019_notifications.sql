-- What is still to be told about executions that have ended. A row is made in the transaction that ends the execution, once for each
-- notification that wants to hear of that phase and each way to send it, and goes when it has been sent or given up.
create table notifications (
	id bigint generated always as identity primary key,
	execution_id bigint not null references executions (id) on delete cascade,
	phase text not null,                       -- flyteidl.core.WorkflowExecution.Phase
	position integer not null,                 -- which of the execution's notifications
	channel text not null,                     -- mail or webhook
	attempts integer not null default 0,       -- that failed
	due_at timestamptz not null default now(),
	lease bigint not null default 0,           -- how often it was taken
	leased_until timestamptz,
	created_at timestamptz not null default now(),
	unique (execution_id, phase, position, channel)
);
create index notifications_due on notifications (due_at);
