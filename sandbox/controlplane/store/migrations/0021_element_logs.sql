-- Links to the logs of an element of a map task: of its pod, or those that its connector gave.
alter table array_elements add column logs bytea;   -- flyteidl.admin.TaskExecutionClosure with nothing but logs
