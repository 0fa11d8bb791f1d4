-- How far a map task is, so that a round loads the elements that are under way and not those that are over.
alter table task_executions
	add column array_begun integer not null default 0,
	add column array_succeeded integer not null default 0,
	add column array_failed integer not null default 0;
create index array_elements_active on array_elements (task_execution_id, element) where phase in ('QUEUED', 'RUNNING');

-- Elements of a map task are cached like tasks: what an attempt is kept under when it has succeeded; "" when its task is not cached.
alter table array_elements add column cache_tag text not null default '';
