-- Pages far into the list of executions: with the state in the index, rows that are skipped are never looked at (docs/decisions/0013-lists.md).
drop index executions_newest;
create index executions_newest on executions (project, domain, created_at desc, id desc) include (state);
