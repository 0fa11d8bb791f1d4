-- The schedules that run: one row for every active launch plan that has one. Made and removed with the launch plan's state.
create table schedules (
	launch_plan_id bigint primary key references launch_plans (id) on delete cascade,
	last_tick_at timestamptz not null,         -- the tick that was started last, at first the activation
	next_tick_at timestamptz,                  -- null: to be found out by the scheduler
	retry_at timestamptz,                      -- when a tick could not be started: not before
	failures integer not null default 0        -- of the tick that is due, one after the other
);
create index schedules_due on schedules (coalesce(greatest(next_tick_at, retry_at), '-infinity'));
-- Nothing has run by schedule before this version.
insert into schedules (launch_plan_id, last_tick_at) select id, now() from launch_plans where state = 1 and schedule_type <> 'NONE';
