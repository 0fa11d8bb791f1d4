-- A recovered execution's tasks go on from the checkpoints that the earlier execution's have left.
alter table node_executions add column engine_previous_checkpoint text not null default '';
