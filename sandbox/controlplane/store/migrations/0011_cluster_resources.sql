-- What has been applied to Kubernetes for a namespace of a project, so that it can be taken away when its template is gone.

create table cluster_resources (
	namespace text not null,
	template text not null,                    -- the file's name
	path text not null,                        -- of the object, in the Kubernetes API
	applied_at timestamptz not null default now(),
	primary key (namespace, template)
);

-- Whoever keeps namespaces in step is told when projects or attributes change.
create function notify_cluster_resources() returns trigger language plpgsql as $$
begin
	perform pg_notify('flyte_cluster_resources', '');
	return null;
end $$;
create trigger projects_changed after insert or update or delete on projects
	for each statement execute function notify_cluster_resources();
create trigger matchable_attributes_changed after insert or update or delete on matchable_attributes
	for each statement execute function notify_cluster_resources();
