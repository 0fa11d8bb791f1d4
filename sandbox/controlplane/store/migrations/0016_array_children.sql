-- Maps over launch plans: the execution that an element runs, in the project and domain of its own; "" for a task.
alter table array_elements add column child_name text not null default '';
