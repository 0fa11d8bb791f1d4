-- Lists of executions among a million of them. Names of workflow and launch plan are copied into the row, because an index over a join is not to
-- be had: "the newest of this workflow" must be found whether it has ten executions or all of them (docs/performance.md has the figures).
alter table executions
	add column workflow_name text not null default '',
	add column launch_plan_name text not null default '';
update executions e set
	workflow_name = coalesce((select w.name from workflows w where w.id = e.workflow_id), ''),
	launch_plan_name = coalesce((select l.name from launch_plans l where l.id = e.launch_plan_id), '');

create index executions_of_workflow on executions (project, domain, workflow_name, created_at desc, id desc);
create index executions_of_launch_plan on executions (project, domain, launch_plan_name, created_at desc, id desc);
create index executions_by_phase on executions (project, domain, phase, created_at desc, id desc);
create index executions_archived on executions (project, domain, created_at desc, id desc) where state <> 0;
drop index executions_by_workflow;

-- Parts of names, where the database has the extension and we may create it; without it such a list reads all executions.
do $$
begin
	create extension if not exists pg_trgm;
	create index executions_name_parts on executions using gin (name gin_trgm_ops);
exception
	when insufficient_privilege or undefined_file or feature_not_supported or undefined_object then
		raise notice 'no pg_trgm: parts of names are searched without an index';
end
$$;
