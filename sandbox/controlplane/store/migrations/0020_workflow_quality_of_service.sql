-- What a workflow says about its executions' quality of service, beside its closure: a launch needs this much of it and not the rest.
-- Workflows that were registered before say nothing.
alter table workflows add column quality_of_service bytea;
