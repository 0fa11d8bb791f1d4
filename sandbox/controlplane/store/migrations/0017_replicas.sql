-- The replica of the control plane that moved an execution last: the others leave it to that one for a moment before they look at it.
alter table executions add column engine_replica text not null default '';
