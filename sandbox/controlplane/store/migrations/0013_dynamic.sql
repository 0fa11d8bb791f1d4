-- The workflow that a dynamic node's current attempt has made (flyteidl.core.CompiledWorkflowClosure): what the engine goes on with. Clients
-- read the object at dynamic_workflow_uri.
alter table node_executions add column dynamic_closure bytea;
