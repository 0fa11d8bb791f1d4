-- What gates wait for: made when an execution reaches its gate, set once by a user (or by any client) and read by the engine.
create table signals (
	id bigint generated always as identity primary key,
	execution_id bigint not null references executions (id) on delete cascade,
	signal_id text not null,
	type bytea not null,                       -- flyteidl.core.LiteralType
	value bytea,                               -- flyteidl.core.Literal; null until it is set
	created_at timestamptz not null default now(),
	updated_at timestamptz not null default now(),
	unique (execution_id, signal_id)
);
